//! Where the answers of a thread's requests are handed in.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// No answer is ready. The kernel counts requests from 2 up.
const NONE: u64 = 0;

/// Where answers are handed in, from any thread.
#[derive(Debug)]
pub(crate) struct Desk {
    thread: ThreadId,
    /// The request whose answer lies ready.
    ready: AtomicU64,
    /// How often the kernel has taken what the thread had for it.
    rounds: AtomicU64,
    /// The thread has ended.
    left: AtomicBool,
    wake: EventFd,
}

impl Desk {
    /// For the thread that makes it.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Desk {
            thread: thread::current().id(),
            ready: AtomicU64::new(NONE),
            rounds: AtomicU64::new(0),
            left: AtomicBool::new(false),
            wake: EventFd::from_value_and_flags(0, flags)?,
        })
    }

    /// The answer of a request lies in its memory.
    pub(crate) fn done(&self, unique: u64) {
        self.ready.store(unique, Ordering::Release);
        if self.thread != thread::current().id() {
            self.wake();
        }
    }

    /// Wakes the thread where it waits for a request.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.wake.write(1) {
            log::error!("can't wake the thread of a ring: {error}");
        }
    }

    /// How often the kernel has taken what the thread had for it.
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Acquire)
    }

    /// The request whose answer lies ready.
    pub(crate) fn take(&self) -> Option<u64> {
        match self.ready.swap(NONE, Ordering::AcqRel) {
            NONE => None,
            unique => Some(unique),
        }
    }

    /// The kernel has taken what the thread had for it.
    pub(crate) fn one_more_round(&self) {
        self.rounds.fetch_add(1, Ordering::Release);
    }

    /// What becomes readable when the thread is to wake.
    pub(crate) fn wakes(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    /// The thread is awake.
    pub(crate) fn awake(&self) {
        // How often it was woken says nothing.
        self.wake.read().ok();
    }

    /// The thread ends.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Whether the thread has ended.
    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }
}
