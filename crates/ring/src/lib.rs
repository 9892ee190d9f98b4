//! A FUSE connection over `io_uring` (Linux 6.14 and later, `fuse.enable_uring=1`).
//!
//! The kernel has a queue for each processor and hands a request to the queue of the processor on which its caller
//! runs. Here each queue has threads that are bound to that processor, so that neither the request nor its answer wakes
//! another processor: that waking is what a request over `/dev/fuse` pays for (71 µs of 77 for 64 KiB, measured on two
//! virtual processors).
//!
//! Each thread has a ring with one entry: memory for one request and its answer. So a thread that works, or that has an
//! unanswered request, can't get another one, and the kernel takes an entry of another thread of the queue. A request
//! that finds no entry waits for the next answer that is given on its queue. So one thread of each queue must always be
//! about to give one: the last thread that has no call may not take one that waits ([`Seat::may_wait`]).
//!
//! Messages that forget an inode or interrupt a request come through `/dev/fuse` all the same.

mod desk;
mod entry;
mod pool;
mod server;
mod worker;

pub use entry::Slot;
pub use pool::{Pool, Prepared};
pub use server::{Seat, Server};

/// Where the kernel says whether it offers this.
const PARAMETER: &str = "/sys/module/fuse/parameters/enable_uring";

/// What the kernel says of FUSE over `io_uring`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is there, and switched on.
    On,
    /// It is there, and switched off: `fuse.enable_uring=0`.
    Off,
    /// The kernel is too old, or was built without it.
    Absent,
}

/// Asks the kernel.
#[must_use]
pub fn offer() -> Offer {
    match std::fs::read_to_string(PARAMETER).as_deref().map(str::trim) {
        Ok("Y" | "1") => Offer::On,
        Ok(_) => Offer::Off,
        Err(_) => Offer::Absent,
    }
}
