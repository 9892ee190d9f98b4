//! The queue of a late leg, and the thread that empties the queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use pseudotape_tape::{Done, Failed, ObjectNumber, Position, Sense, Stop};

use crate::change::{Change, Operation};
use crate::leg::core::Core;
use crate::leg::end::Uncommitted;
use crate::leg::fault::Cause;
use crate::leg::judge::{Verdict, judge};
use crate::leg::place::{elsewhere, objects_before, same_place};
use crate::leg::seat::Seat;

/// At most so many empty buffers are kept for further entries.
const FREE_BUFFERS: usize = 32;

/// What an entry of a queue has the thread do with the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A change. Its data is in the entry.
    Change(Operation),
    /// An unload, which is the last entry for a volume.
    Unload,
}

/// Something that waits in a queue.
struct Entry {
    at: Position,
    task: Task,
    data: Vec<u8>,
    /// What the entry counts against the limit of the queue: its bytes, and something for each object.
    weight: u64,
}

/// A failure of a late leg, which comes after its operation was answered.
#[derive(Clone, Debug)]
pub(super) struct LateFailure {
    pub(super) from: ObjectNumber,
    pub(super) cause: Box<Cause>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Bytes of all entries, and of the one that is being stored.
    bytes: u64,
    /// Weight of all entries, of the one that is being stored, and of what was admitted.
    weight: u64,
    busy: bool,
    failure: Option<LateFailure>,
    warned: bool,
    ends: bool,
    /// Empty buffers. Together they are no larger than the limit of the queue.
    free: Vec<Vec<u8>>,
    free_bytes: u64,
}

impl Queue {
    /// An empty buffer, which may have room already.
    fn take_free(&mut self) -> Vec<u8> {
        let mut buffer = self.free.pop().unwrap_or_default();
        self.free_bytes -= buffer.capacity() as u64;
        buffer.clear();
        buffer
    }
}

/// Gives an empty buffer room for so many bytes, where there is memory for them.
fn reserve(buffer: &mut Vec<u8>, bytes: u64) -> bool {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    buffer.clear();
    buffer.try_reserve_exact(bytes).is_ok()
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue, when so much more can wait in it, or nothing can any more.
    fn room_for(&self, weight: u64, limit_bytes: u64) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue();
        while queue.weight > 0
            && queue.weight.saturating_add(weight) > limit_bytes
            && queue.failure.is_none()
        {
            queue = self.wait(queue);
        }
        queue
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bounded queue and the thread that empties it.
pub(super) struct Late {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    thread: Option<JoinHandle<()>>,
    limit_bytes: u64,
    /// Weight that is kept free in the queue for a record that other legs are writing.
    admitted: u64,
    /// Memory for the record that was admitted.
    prepared: Vec<u8>,
    /// The place behind the last entry. `None` where the tape was moved by something else than the queue.
    tail: Option<Position>,
}

impl Late {
    pub(super) fn start(name: &str, seat: &Arc<Seat>, limit_bytes: u64) -> std::io::Result<Late> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
        });
        let (served, served_seat) = (Arc::clone(&shared), Arc::clone(seat));
        let thread = Builder::new()
            .name(format!("late {name}"))
            .spawn(move || work(&served, &served_seat, limit_bytes))?;
        Ok(Late {
            shared,
            seat: Arc::clone(seat),
            thread: Some(thread),
            limit_bytes,
            admitted: 0,
            prepared: Vec::new(),
            tail: None,
        })
    }

    /// Whether an entry of this weight can wait at all.
    pub(super) fn takes(&self, weight: u64) -> bool {
        weight <= self.limit_bytes
    }

    /// Whether a change at this place follows the last entry of the queue.
    pub(super) fn continues(&self, at: Position) -> bool {
        self.tail.is_some_and(|tail| same_place(tail, at))
    }

    /// Waits until everything is stored, and goes to a place.
    pub(super) fn begin_at(&mut self, at: Position) -> Result<(), Failed> {
        self.drain();
        self.tail = None;
        self.seat.core().go_to(at)?;
        self.tail = Some(at);
        Ok(())
    }

    /// The tape was, or will be, moved by something else than the queue.
    pub(super) fn forget_tail(&mut self) {
        self.tail = None;
    }

    /// Keeps room in the queue for a record before other legs write that record; waits until there is room.
    ///
    /// Returns `false` where the leg met early warning meanwhile, or where there is no memory for the record. All that
    /// was admitted before fits behind early warning; a further record perhaps does not.
    pub(super) fn admit(&mut self, weight: u64) -> bool {
        let mut queue = self.shared.room_for(weight, self.limit_bytes);
        if queue.warned {
            return false;
        }
        let mut buffer = match self.prepared.capacity() {
            0 => queue.take_free(),
            _ => std::mem::take(&mut self.prepared),
        };
        let has_memory = reserve(&mut buffer, weight);
        self.prepared = buffer;
        if !has_memory {
            return false;
        }
        queue.weight = queue.weight.saturating_add(weight);
        drop(queue);
        self.admitted = self.admitted.saturating_add(weight);
        true
    }

    /// Gives back the room that was kept for a record which did not come.
    pub(super) fn dismiss(&mut self) {
        let weight = std::mem::take(&mut self.admitted);
        if weight > 0 {
            let mut queue = self.shared.queue();
            queue.weight = queue.weight.saturating_sub(weight);
        }
    }

    /// Appends an entry. Waits while the queue is full, unless room was kept for the entry.
    pub(super) fn put(
        &mut self,
        at: Position,
        task: Task,
        data: &[u8],
        weight: u64,
        behind: Position,
    ) {
        let covered = self.admitted.min(weight);
        self.admitted -= covered;
        self.tail = Some(behind);
        let mut queue = match weight - covered {
            0 => self.shared.queue(),
            rest => {
                let mut queue = self.shared.room_for(rest, self.limit_bytes);
                queue.weight = queue.weight.saturating_add(rest);
                queue
            }
        };
        if queue.failure.is_some() {
            // After a failure nothing can be stored. The mirror hears of the failure.
            queue.weight = 0;
            return;
        }
        let mut buffer = match self.prepared.capacity() {
            0 => queue.take_free(),
            _ => std::mem::take(&mut self.prepared),
        };
        if !reserve(&mut buffer, data.len() as u64) {
            // Only for a part of a record, which comes behind other parts: their memory is free when they are stored.
            drop(queue);
            self.drain();
            queue = self.shared.queue();
            buffer = queue.take_free();
            if !reserve(&mut buffer, data.len() as u64) {
                let (from, cause) = (objects_before(at), Box::new(Cause::NoMemory));
                queue.failure.get_or_insert(LateFailure { from, cause });
                queue.weight = 0;
                return;
            }
        }
        buffer.extend_from_slice(data);
        queue.bytes += data.len() as u64;
        queue.entries.push_back(Entry {
            at,
            task,
            data: buffer,
            weight,
        });
        tell(&self.seat, &queue);
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits until everything is stored, or until a failure ends the storing.
    pub(super) fn drain(&self) {
        let mut queue = self.shared.queue();
        while (queue.busy || !queue.entries.is_empty()) && queue.failure.is_none() {
            queue = self.shared.wait(queue);
        }
        while queue.busy {
            queue = self.shared.wait(queue);
        }
    }

    /// The failure, if there is one. After a failure nothing is stored until [`Late::begin_anew`].
    pub(super) fn failure(&self) -> Option<LateFailure> {
        self.shared.queue().failure.clone()
    }

    /// Forgets a failure, after the leg was brought in step again.
    pub(super) fn begin_anew(&mut self) {
        let mut queue = self.shared.queue();
        queue.failure = None;
        queue.warned = false;
        self.tail = None;
    }

    /// Whether the leg met early warning since the last call.
    pub(super) fn take_warning(&mut self) -> bool {
        std::mem::take(&mut self.shared.queue().warned)
    }
}

impl Drop for Late {
    /// Stores what waits, and ends the thread.
    fn drop(&mut self) {
        self.drain();
        self.shared.queue().ends = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of a leg panicked");
        }
    }
}

/// Shows on the board what waits.
fn tell(seat: &Seat, queue: &Queue) {
    let objects = queue.entries.len() as u64 + u64::from(queue.busy);
    let board = seat.board();
    board.queued_bytes.store(queue.bytes, Ordering::Relaxed);
    board.queued_objects.store(objects, Ordering::Relaxed);
}

/// The thread of a late leg: stores one entry after the other until it is told to end.
fn work(shared: &Shared, seat: &Seat, limit_bytes: u64) {
    let mut uncommitted = Uncommitted::nothing();
    let mut queue = shared.queue();
    loop {
        if queue.failure.is_some() {
            queue.entries.clear();
            (queue.bytes, queue.weight) = (0, 0);
            tell(seat, &queue);
        }
        let Some(entry) = queue.entries.pop_front() else {
            if queue.ends {
                return;
            }
            queue = shared.wait(queue);
            continue;
        };
        queue.busy = true;
        drop(queue);
        // A thread that waits for this queue must not wait for a thread that is gone.
        let stored = catch_unwind(AssertUnwindSafe(|| entry.store(&mut seat.core())));
        let stored = stored.unwrap_or_else(|_| {
            let nowhere = Failed::at(Sense::HardwareError, None);
            Err(Unstored::new(nowhere, Cause::Panicked))
        });
        let stored = entry.account(&mut uncommitted, stored);
        queue = shared.queue();
        queue.busy = false;
        queue.bytes = queue.bytes.saturating_sub(entry.data.len() as u64);
        queue.weight = queue.weight.saturating_sub(entry.weight);
        match stored {
            Ok(done) => {
                queue.warned |= done.stop == Some(Stop::EarlyWarning);
                seat.board().show_place(done.position);
                seat.board().count_stored(entry.data.len() as u64);
            }
            Err(failure) => queue.failure = Some(failure),
        }
        let length = entry.data.capacity() as u64;
        if queue.free.len() < FREE_BUFFERS && queue.free_bytes + length <= limit_bytes {
            queue.free_bytes += length;
            queue.free.push(entry.data);
        }
        tell(seat, &queue);
        shared.changed.notify_all();
    }
}

/// Why an entry is not, or not wholly, on the volume.
struct Unstored {
    failed: Failed,
    cause: Cause,
}

impl Unstored {
    fn new(failed: Failed, cause: Cause) -> Box<Self> {
        Box::new(Unstored { failed, cause })
    }
}

impl Entry {
    /// Has the drive do what the entry says.
    fn store(&self, core: &mut Core) -> Result<Done, Box<Unstored>> {
        let at = self.at;
        let operation = match self.task {
            Task::Change(operation) => operation,
            Task::Unload => return self.unload(core),
        };
        let change = Change {
            operation,
            data: &self.data,
        };
        let answer = core.act_at(at, |drive| change.run(drive));
        match judge(change, at, true, answer) {
            // The program was told that all of these objects are written.
            Verdict::Did(done) if done.count < change.units() => {
                let cause = Cause::Full {
                    missing: change.units() - done.count,
                    asked: change.units(),
                    behind: at.object,
                };
                Err(Unstored::new(elsewhere(&done), cause))
            }
            Verdict::Did(done) => Ok(done),
            Verdict::Refused(failed, cause) | Verdict::Lost(failed, cause) => {
                Err(Unstored::new(failed, cause))
            }
        }
    }

    fn unload(&self, core: &mut Core) -> Result<Done, Box<Unstored>> {
        let there = Done {
            count: 0,
            stop: None,
            position: self.at,
        };
        let unloaded = core.act_at(self.at, |drive| match drive.unload() {
            Err(failed) if failed.sense != Sense::NoMedium => Err(failed),
            Ok(()) | Err(_) => Ok(there),
        });
        let done = unloaded.map_err(|fault| Unstored::new(fault.failed, fault.into()))?;
        core.forget_place();
        Ok(done)
    }

    /// Notes what is not yet on stable storage. Where the entry failed: says which object is the first that is
    /// not sure.
    fn account(
        &self,
        uncommitted: &mut Uncommitted,
        stored: Result<Done, Box<Unstored>>,
    ) -> Result<Done, LateFailure> {
        let before = *uncommitted;
        let commits = match self.task {
            Task::Change(operation) => Change {
                operation,
                data: &[],
            }
            .commits(),
            Task::Unload => true,
        };
        if commits && stored.is_ok() {
            *uncommitted = Uncommitted::nothing();
        } else {
            uncommitted.changes(self.at);
        }
        stored.map_err(|unstored| {
            let Unstored { failed, cause } = *unstored;
            let from = match self.task {
                Task::Change(operation) => {
                    let change = Change {
                        operation,
                        data: &[],
                    };
                    before.first_after(change, &failed, self.at)
                }
                Task::Unload => before.first_before(self.at),
            };
            let cause = Box::new(cause);
            LateFailure { from, cause }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_is_used_again_and_counted_no_more() {
        let mut queue = Queue::default();
        assert_eq!(queue.take_free().capacity(), 0);
        let used = vec![7; 100];
        queue.free_bytes = used.capacity() as u64 + 50;
        queue.free.push(used);
        let buffer = queue.take_free();
        assert!(buffer.is_empty() && buffer.capacity() >= 100);
        assert_eq!((queue.free_bytes, queue.free.len()), (50, 0));
    }

    #[test]
    fn room_is_reserved_where_there_is_memory() {
        let mut buffer = vec![7; 10];
        assert!(reserve(&mut buffer, 1000));
        assert!(buffer.is_empty() && buffer.capacity() >= 1000);
        assert!(!reserve(&mut buffer, u64::MAX));
    }
}
