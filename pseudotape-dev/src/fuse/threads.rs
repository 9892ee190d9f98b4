//! Chooses the thread for a call that may have to wait for another call of the same mount.
//!
//! An operation of a drive with a slave waits for that slave. The slave may use a file of this mount, and so
//! needs a thread of this session. So a call that waits for a slave must never take the last free thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::node::NodeFile;

/// How many calls may wait in threads of their own; a further one is `EBUSY`.
const ELSEWHERE_MAX: usize = 32;

/// The threads of a session.
pub(super) struct Threads {
    count: usize,
    /// How many of them are in a call that may wait.
    waiting: AtomicUsize,
    /// Calls in threads of their own.
    elsewhere: Arc<AtomicUsize>,
}

/// The thread that does a call.
pub(super) enum CallThread<'a> {
    /// In the thread that read the request. The call counts as waiting until this is dropped.
    Here { _waits: Option<Waits<'a>> },
    /// In a thread of its own.
    Elsewhere(Elsewhere),
}

pub(super) struct Waits<'a>(&'a AtomicUsize);

/// Room for one more thread.
pub(super) struct Elsewhere(Arc<AtomicUsize>);

impl Threads {
    pub(super) fn new(count: usize) -> Self {
        Threads {
            count,
            waiting: AtomicUsize::new(0),
            elsewhere: Arc::default(),
        }
    }

    /// Finds the thread for a call of this node; `None` where too many wait already.
    pub(super) fn thread_for(&self, node: &NodeFile) -> Option<CallThread<'_>> {
        if !node.device.waits_for_others() {
            return Some(CallThread::Here { _waits: None });
        }
        let one_more = |waiting| (waiting + 1 < self.count).then_some(waiting + 1);
        let taken = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        if taken.is_ok() {
            return Some(CallThread::Here {
                _waits: Some(Waits(&self.waiting)),
            });
        }
        let more = |elsewhere| (elsewhere < ELSEWHERE_MAX).then_some(elsewhere + 1);
        self.elsewhere
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()
            .map(|_| CallThread::Elsewhere(Elsewhere(Arc::clone(&self.elsewhere))))
    }

    /// The thread for a call that can't be refused. There are at most as many of them as open files.
    pub(super) fn thread_for_anyway(&self, node: &NodeFile) -> CallThread<'_> {
        self.thread_for(node).unwrap_or_else(|| {
            self.elsewhere.fetch_add(1, Ordering::AcqRel);
            CallThread::Elsewhere(Elsewhere(Arc::clone(&self.elsewhere)))
        })
    }
}

impl Elsewhere {
    pub(super) fn run(self, work: impl FnOnce() + Send + 'static) {
        let started = thread::Builder::new().name("call".into()).spawn(move || {
            work();
            drop(self);
        });
        if let Err(error) = started {
            // The reply went with the closure; its drop has answered the caller.
            log::error!("can't start a thread for a call that may wait: {error}");
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
