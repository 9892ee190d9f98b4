//! Who answers requests, and where the thread stands that asks him.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::entry::Slot;

/// How long a call waits for another thread to be free, before it may wait for something else; and how often it looks.
const PATIENCE: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Answers requests.
pub trait Server: Send + Sync {
    /// Does a request, in a thread of its queue. The slot may be answered later, and in any thread.
    fn serve(&self, slot: Slot, seat: &Seat<'_>);
}

/// A queue of the kernel: one for each processor.
pub(crate) struct Queue {
    number: u16,
    /// Threads that could take a request now.
    free: AtomicUsize,
}

impl Queue {
    pub(crate) fn new(number: u16) -> Self {
        Queue {
            number,
            free: AtomicUsize::new(0),
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// The kernel numbers its queues as it numbers its processors.
    pub(crate) fn processor(&self) -> usize {
        usize::from(self.number)
    }

    pub(crate) fn one_more_free(&self) {
        self.free.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn one_less_free(&self) {
        self.free.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The place of a thread at its queue, for the call that it does.
pub struct Seat<'a>(&'a Queue);

impl<'a> Seat<'a> {
    pub(crate) fn at(queue: &'a Queue) -> Self {
        Seat(queue)
    }

    /// Whether this call may wait for something that needs the connection, or be left unanswered for a while. The last
    /// thread of a queue that has no call must not: the kernel hands a request that found no entry to one that gives an
    /// answer, and to no entry that is registered later.
    ///
    /// Where all others have a call, one of them is usually about to end it: that is waited for, but not for long.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        let since = Instant::now();
        while self.0.free.load(Ordering::Acquire) == 0 {
            if since.elapsed() > PATIENCE {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that may have to wait leaves the last thread of its queue to the others; it learns that after a while,
    /// within which most threads become free.
    #[test]
    fn a_call_waits_for_another_thread_and_never_takes_the_last_one() {
        let queue = Queue::new(0);
        let since = Instant::now();
        assert!(!Seat::at(&queue).may_wait());
        assert!(since.elapsed() >= PATIENCE);
        queue.one_more_free();
        assert!(Seat::at(&queue).may_wait());
        queue.one_less_free();
        assert!(!Seat::at(&queue).may_wait());
    }
}
