//! Reads that wait in a device, and their slots.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_chardev::{Answered, Errno, Reader};
use pseudotape_ring::Slot;
use pseudotape_wire::RequestId;

/// How many interrupts are remembered that came before their reads.
const EARLY_MAX: usize = 32;

/// The reads that wait. Whoever takes one out of the list answers it.
#[derive(Default)]
pub(super) struct ParkedReads {
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    reads: Vec<(RequestId, Slot)>,
    /// Interrupts of requests that are not known: an interrupt comes another way than its request, and may overtake it.
    early: VecDeque<RequestId>,
}

/// One of them, as the device holds it.
struct ParkedRead {
    unique: RequestId,
    reads: Arc<ParkedReads>,
}

impl ParkedReads {
    /// A read that may have to wait.
    pub(super) fn park(self: &Arc<Self>, unique: RequestId, slot: Slot) -> Box<dyn Reader> {
        let mut list = self.lock();
        if list.early.contains(&unique) {
            slot.fail(Errno::EINTR.0);
        } else {
            list.reads.push((unique, slot));
        }
        drop(list);
        Box::new(ParkedRead {
            unique,
            reads: Arc::clone(self),
        })
    }

    /// The caller of a request has a signal: a read that waits is answered, all else goes on.
    pub(super) fn interrupt(&self, unique: RequestId) {
        let mut list = self.lock();
        match list.take(unique) {
            Some(slot) => slot.fail(Errno::EINTR.0),
            None => {
                list.early.truncate(EARLY_MAX - 1);
                list.early.push_front(unique);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn take(&mut self, unique: RequestId) -> Option<Slot> {
        let place = self
            .reads
            .iter()
            .position(|(parked, _)| *parked == unique)?;
        Some(self.reads.swap_remove(place).1)
    }
}

impl Reader for ParkedRead {
    fn answer(self: Box<Self>, answer: Result<&[u8], Errno>) -> Answered {
        let Some(slot) = self.reads.lock().take(self.unique) else {
            return Answered::TooLate;
        };
        match answer {
            Ok(bytes) => slot.answer_with(&[bytes]),
            Err(errno) => slot.fail(errno.0),
        }
        Answered::Yes
    }

    fn waits(&self) -> bool {
        let list = self.reads.lock();
        list.reads.iter().any(|(parked, _)| *parked == self.unique)
    }
}

impl Drop for ParkedRead {
    fn drop(&mut self) {
        // Answered, if at all, by whoever took it. A slot that is dropped is answered with EIO.
        drop(self.reads.lock().take(self.unique));
    }
}
