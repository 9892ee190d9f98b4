//! The queue of a leg that has what was written later.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use pseudotape_tape::{
    Done, Drive, EraseExtent, Failed, Mark, ObjectNumber, Position, Sense, Stop, Transfer,
    WriteMode,
};

use crate::leg::{ALL_COMMITTED, Core, Seat, elsewhere, first_lost, objects_before, same_place};

/// Buffers that are kept for further entries, at most.
const FREE_BUFFERS: usize = 32;

/// What is done with the volume.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Blocks(Transfer),
    Marks(Mark, u32, WriteMode),
    Erase(EraseExtent),
    Unload,
}

struct Entry {
    at: Position,
    kind: Kind,
    data: Vec<u8>,
    /// What it counts against the limit: its bytes, and something for each object.
    weight: u64,
}

/// A failure of a late leg, found after its operation was answered.
#[derive(Clone, Debug)]
pub(crate) struct LateFailure {
    pub(crate) from: ObjectNumber,
    pub(crate) reason: String,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Of the entries, the one being worked on included.
    bytes: u64,
    /// As the limit counts.
    weight: u64,
    busy: bool,
    failure: Option<LateFailure>,
    warned: bool,
    ends: bool,
    /// Empty buffers, no larger together than the limit.
    free: Vec<Vec<u8>>,
    free_bytes: u64,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bounded queue and the thread that empties it.
pub(crate) struct Late {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    thread: Option<JoinHandle<()>>,
    limit_bytes: u64,
    /// Room in the queue that is kept for what is being written elsewhere.
    admitted: u64,
    /// Behind the last entry; `None`: not known, or the leg was moved otherwise.
    tail: Option<Position>,
}

impl Late {
    pub(crate) fn start(name: &str, seat: &Arc<Seat>, limit_bytes: u64) -> std::io::Result<Late> {
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
            tail: None,
        })
    }

    /// Whether an entry of this weight can wait at all.
    pub(crate) fn takes(&self, weight: u64) -> bool {
        weight <= self.limit_bytes
    }

    /// Whether what comes at a place follows what is in the queue.
    pub(crate) fn continues(&self, at: Position) -> bool {
        self.tail
            .is_some_and(|tail| crate::leg::same_place(tail, at))
    }

    /// Catches up, and goes to a place.
    pub(crate) fn begin_at(&mut self, at: Position) -> Result<(), Failed> {
        self.drain();
        self.tail = None;
        self.seat.core().go_to(at)?;
        self.tail = Some(at);
        Ok(())
    }

    /// The leg was, or will be, moved otherwise.
    pub(crate) fn forget_tail(&mut self) {
        self.tail = None;
    }

    /// Keeps room in the queue, and waits for it, before anything is written elsewhere. `false` where the leg
    /// met early warning meanwhile: what was counted by then surely fits behind it, and nothing more.
    pub(crate) fn admit(&mut self, weight: u64) -> bool {
        let mut queue = self.room_for(weight);
        if queue.warned {
            return false;
        }
        queue.weight += weight;
        drop(queue);
        self.admitted += weight;
        true
    }

    /// Gives back what was admitted and did not come.
    pub(crate) fn dismiss(&mut self) {
        let weight = std::mem::take(&mut self.admitted);
        if weight > 0 {
            let mut queue = self.shared.queue();
            queue.weight = queue.weight.saturating_sub(weight);
        }
    }

    fn room_for(&self, weight: u64) -> MutexGuard<'_, Queue> {
        let mut queue = self.shared.queue();
        while queue.weight > 0
            && queue.weight + weight > self.limit_bytes
            && queue.failure.is_none()
        {
            queue = self.shared.wait(queue);
        }
        queue
    }

    /// Puts an entry; waits while the queue is full, unless it was admitted.
    pub(crate) fn put(
        &mut self,
        at: Position,
        kind: Kind,
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
                let mut queue = self.room_for(rest);
                queue.weight += rest;
                queue
            }
        };
        if queue.failure.is_some() {
            // What follows a failure can't be stored; the mirror hears of the failure.
            queue.weight = 0;
            return;
        }
        let mut buffer = queue.free.pop().unwrap_or_default();
        queue.free_bytes -= buffer.capacity() as u64;
        buffer.clear();
        buffer.extend_from_slice(data);
        queue.bytes += data.len() as u64;
        queue.entries.push_back(Entry {
            at,
            kind,
            data: buffer,
            weight,
        });
        self.tell(&queue);
        drop(queue);
        self.shared.changed.notify_all();
    }

    fn tell(&self, queue: &Queue) {
        tell(&self.seat, queue);
    }

    /// Waits until everything is stored, or nothing more can be.
    pub(crate) fn drain(&self) {
        let mut queue = self.shared.queue();
        while (queue.busy || !queue.entries.is_empty()) && queue.failure.is_none() {
            queue = self.shared.wait(queue);
        }
        while queue.busy {
            queue = self.shared.wait(queue);
        }
    }

    /// The failure, if there is one: nothing is stored until [`Late::begin_anew`].
    pub(crate) fn failure(&self) -> Option<LateFailure> {
        self.shared.queue().failure.clone()
    }

    /// Forgets a failure, after the leg was brought in step again.
    pub(crate) fn begin_anew(&mut self) {
        let mut queue = self.shared.queue();
        queue.failure = None;
        queue.warned = false;
        self.tail = None;
    }

    /// Whether the leg met early warning since it was asked last.
    pub(crate) fn take_warning(&mut self) -> bool {
        std::mem::take(&mut self.shared.queue().warned)
    }
}

impl Drop for Late {
    /// Stores what waits first.
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

fn tell(seat: &Seat, queue: &Queue) {
    let objects = queue.entries.len() as u64 + u64::from(queue.busy);
    let board = &seat.board;
    board.queued_bytes.store(queue.bytes, Ordering::Relaxed);
    board.queued_objects.store(objects, Ordering::Relaxed);
}

fn work(shared: &Shared, seat: &Seat, limit_bytes: u64) {
    let mut uncommitted = ALL_COMMITTED;
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
        // Whoever waits for this queue must not wait for a thread that is gone.
        let applied = catch_unwind(AssertUnwindSafe(|| apply(&mut seat.core(), &entry)));
        let applied = applied.unwrap_or_else(|_| {
            Err(Unstored {
                reason: "its drive panicked".into(),
                how: Failed::at(Sense::HardwareError, None),
            })
        });
        let from = entry.first_unsure(&mut uncommitted, applied.as_ref().err().map(|e| &e.how));
        queue = shared.queue();
        queue.busy = false;
        queue.bytes -= entry.data.len() as u64;
        queue.weight = queue.weight.saturating_sub(entry.weight);
        match applied {
            Ok(done) => {
                queue.warned |= done.stop == Some(Stop::EarlyWarning);
                let board = &seat.board;
                let object = done.position.object.0;
                board.object.store(object, Ordering::Relaxed);
                board
                    .stored_bytes
                    .fetch_add(entry.data.len() as u64, Ordering::Relaxed);
            }
            Err(Unstored { reason, .. }) => queue.failure = Some(LateFailure { from, reason }),
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

impl Entry {
    /// The first object that is not sure where this entry failed; keeps account of what is not yet on
    /// stable storage.
    fn first_unsure(
        &self,
        uncommitted: &mut ObjectNumber,
        failed: Option<&Failed>,
    ) -> ObjectNumber {
        let begins = objects_before(self.at);
        let commits = matches!(
            self.kind,
            Kind::Marks(_, _, WriteMode::Commit) | Kind::Unload
        );
        let before = (*uncommitted).min(begins);
        *uncommitted = if commits && failed.is_none() {
            ALL_COMMITTED
        } else {
            before
        };
        match failed {
            Some(failed) if !commits => first_lost(failed, self.at, before),
            Some(_) | None => before,
        }
    }
}

/// Why an entry is not on the leg as it should be.
struct Unstored {
    reason: String,
    how: Failed,
}

fn apply(core: &mut Core, entry: &Entry) -> Result<Done, Unstored> {
    let done = core
        .go_to(entry.at)
        .and_then(|()| core.act(|drive| run(drive, entry)));
    let done = done.map_err(|how| Unstored {
        reason: core.explain(&how),
        how,
    })?;
    let not_so = |reason: String| Unstored {
        reason,
        how: elsewhere(&done),
    };
    let units = match entry.kind {
        Kind::Blocks(Transfer::Variable) => 1,
        Kind::Blocks(Transfer::Fixed(size)) => entry.data.len() as u64 / u64::from(size.get()),
        Kind::Marks(_, count, _) => count.into(),
        Kind::Erase(_) | Kind::Unload => 0,
    };
    if matches!(entry.kind, Kind::Unload) {
        core.at = None;
        return Ok(done);
    }
    let expected = Position {
        object: ObjectNumber(entry.at.object.0 + units),
        ..entry.at
    };
    if done.count < units {
        return Err(not_so(format!(
            "{} of {units} objects did not fit behind object {}",
            units - done.count,
            entry.at.object
        )));
    }
    if !same_place(done.position, expected) {
        return Err(not_so(format!(
            "its tape is at object {} of partition {}, and should be at object {} of partition {}",
            done.position.object, done.position.partition, expected.object, expected.partition
        )));
    }
    Ok(done)
}

fn run(drive: &mut dyn Drive, entry: &Entry) -> Result<Done, Failed> {
    match entry.kind {
        Kind::Blocks(transfer) => drive.write(transfer, &entry.data),
        Kind::Marks(mark, count, mode) => drive.write_marks(mark, count, mode),
        Kind::Erase(extent) => drive.erase(extent),
        Kind::Unload => drive
            .unload()
            .map(|()| Done {
                count: 0,
                stop: None,
                position: entry.at,
            })
            .or_else(|failed| match failed.sense {
                Sense::NoMedium => Ok(Done {
                    count: 0,
                    stop: None,
                    position: entry.at,
                }),
                _ => Err(failed),
            }),
    }
}
