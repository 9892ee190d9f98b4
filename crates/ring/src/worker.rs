//! A thread with a ring of one entry.
#![allow(unsafe_code)] // Submitting an entry hands memory to the kernel.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use zerocopy::{Immutable, IntoBytes};

use crate::desk::Desk;
use crate::entry::{Memory, Slot};
use crate::server::{Queue, Seat, Server};

/// `FUSE_IO_URING_CMD_REGISTER`: here is an entry, fetch a request.
const REGISTER: u32 = 1;
/// `FUSE_IO_URING_CMD_COMMIT_AND_FETCH`: here is an answer, fetch the next request.
const COMMIT_AND_FETCH: u32 = 2;
/// `FUSE_URING_IOV_SEGS`: headers and payload.
const AREAS: u32 = 2;
/// The entry, the wish to be woken, and room to spare.
const RING_ENTRIES: u32 = 4;
/// Offset of `len` in `struct io_uring_sqe`.
const LEN_AT: usize = 24;

/// `struct fuse_uring_cmd_req`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct CommandRequest {
    flags: u64,
    commit_id: u64,
    queue: u16,
    padding: [u8; 6],
}

/// `IORING_ENTER_GETEVENTS`, and `IORING_ENTER_NO_IOWAIT` of Linux 6.15. Without the second, a thread that waits for a
/// request counts as one that waits for a disk, and an idle machine as busy with it.
const WAIT: u32 = 1;
const NO_DISK: u32 = 1 << 7;

/// How the kernel says that a connection has ended.
const ENDED: [Errno; 3] = [Errno::ENOTCONN, Errno::ECONNABORTED, Errno::ECANCELED];

/// What a completion is of.
const OF_ENTRY: u64 = 1;
const OF_WAKE: u64 = 2;

/// The kind of ring: its submissions have room for a command of 80 bytes.
type Ring = IoUring<squeue::Entry128, cqueue::Entry>;

/// A thread's ring and the memory of its entry.
pub(crate) struct Worker {
    ring: Ring,
    memory: Arc<Memory>,
    desk: Arc<Desk>,
    /// With which flags it waits.
    wait: u32,
    /// The kernel may still use the memory.
    lives: bool,
    /// A request came with the registration's own completions.
    early: bool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.desk.leave();
        if self.lives {
            // Where a ring fails, nobody tells when the kernel lets go of the memory.
            std::mem::forget(Arc::clone(&self.memory));
        }
    }
}

impl Worker {
    /// Makes a ring. It belongs to the thread that makes it.
    pub(crate) fn new(payload_max_bytes: usize) -> io::Result<Self> {
        let ring = Ring::builder()
            // What the kernel has to do for a completion it does when this thread asks for it, and in no system call of
            // a drive.
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(RING_ENTRIES)?;
        let desk = Arc::new(Desk::new()?);
        Ok(Worker {
            ring,
            memory: Arc::new(Memory::new(payload_max_bytes)?),
            desk,
            wait: WAIT | NO_DISK,
            lives: false,
            early: false,
        })
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// Offers the entry to a queue of the connection; then serves until the connection ends.
    pub(crate) fn run(
        mut self,
        connection: &OwnedFd,
        queue: &Queue,
        server: &dyn Server,
        registered: &SyncSender<io::Result<()>>,
    ) {
        bind_to(queue.processor());
        let result = self.register(connection, queue.number());
        let failed = result.is_err();
        if result.is_ok() {
            queue.one_more_free();
        }
        // Whoever started it waits for this.
        drop(registered.send(result));
        if failed {
            return;
        }
        if let Err(error) = self.serve(connection, queue, server) {
            log::error!("the ring of processor {}: {error}", queue.processor());
        }
    }

    fn register(&mut self, connection: &OwnedFd, queue: u16) -> io::Result<()> {
        self.push_wake()?;
        self.push_entry(connection, REGISTER, queue, 0)?;
        self.ring.submit()?;
        self.lives = true;
        // A refusal is there at once; a success gives no completion until a request comes.
        let mut refused = None;
        for completion in self.ring.completion() {
            match (completion.user_data(), completion.result()) {
                (OF_ENTRY, 0) => self.early = true,
                (OF_ENTRY, error) => refused = Some(-error),
                _ => {}
            }
        }
        match refused {
            Some(errno) => {
                self.lives = false;
                Err(io::Error::from_raw_os_error(errno))
            }
            None => Ok(()),
        }
    }

    fn serve(
        &mut self,
        connection: &OwnedFd,
        queue: &Queue,
        server: &dyn Server,
    ) -> io::Result<()> {
        // Not free: it has a request that is not answered.
        let mut taken = false;
        if self.early {
            taken = true;
            self.hand_over(queue, server);
        }
        loop {
            if let Some(unique) = self.desk.take() {
                self.push_entry(connection, COMMIT_AND_FETCH, queue.number(), unique)?;
                if taken {
                    queue.one_more_free();
                }
                taken = false;
            }
            match self.submit_and_wait() {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => continue,
                Err(error) => return Err(error),
            }
            self.desk.one_more_round();
            let (mut request, mut woken) = (None, false);
            for completion in self.ring.completion() {
                match completion.user_data() {
                    OF_ENTRY => request = Some(completion.result()),
                    _ => woken = true,
                }
            }
            if woken {
                self.desk.awake();
                self.push_wake()?;
            }
            match request {
                None => {}
                Some(0) => {
                    taken = true;
                    self.hand_over(queue, server);
                }
                // The connection has ended.
                Some(refused) => {
                    if !ENDED.contains(&Errno::from_raw(-refused)) {
                        log::error!("the kernel takes no answer: {}", Errno::from_raw(-refused));
                    }
                    self.lives = false;
                    return Ok(());
                }
            }
        }
    }

    fn submit_and_wait(&mut self) -> io::Result<usize> {
        let to_submit = u32::try_from(self.ring.submission().len()).map_err(io::Error::other)?;
        // SAFETY: there is no further argument.
        let done = unsafe {
            let further: Option<&libc::sigset_t> = None;
            self.ring
                .submitter()
                .enter(to_submit, 1, self.wait, further)
        };
        match done {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && self.wait != WAIT => {
                // An older kernel, which has taken nothing.
                self.wait = WAIT;
                self.submit_and_wait()
            }
            done => done,
        }
    }

    /// Gives the request that the kernel has handed over to the server.
    fn hand_over(&self, queue: &Queue, server: &dyn Server) {
        queue.one_less_free();
        // SAFETY: the completion says that the kernel has handed the entry over. The entry is submitted again when the
        // slot has been answered, and it is the only one of this memory.
        let slot = unsafe { Slot::taken(Arc::clone(&self.memory), Arc::clone(&self.desk)) };
        // The slot is answered when it is dropped, and only this thread can tell the kernel: if it ended here, the
        // caller would wait until the connection ends, whatever signal it gets.
        let served = catch_unwind(AssertUnwindSafe(|| server.serve(slot, &Seat::at(queue))));
        if served.is_err() {
            log::error!("a call panicked: its caller gets an error");
        }
    }

    fn push_wake(&mut self) -> io::Result<()> {
        let wanted = u32::from(nix::poll::PollFlags::POLLIN.bits().unsigned_abs());
        let wish = opcode::PollAdd::new(types::Fd(self.desk.wakes()), wanted)
            .build()
            .user_data(OF_WAKE);
        self.push(&wish.into())
    }

    fn push_entry(
        &mut self,
        connection: &OwnedFd,
        command: u32,
        queue: u16,
        unique: u64,
    ) -> io::Result<()> {
        let request = CommandRequest {
            flags: 0,
            commit_id: unique,
            queue,
            padding: [0; 6],
        };
        let mut told = [0; 80];
        told[..size_of::<CommandRequest>()].copy_from_slice(request.as_bytes());
        let mut entry = opcode::UringCmd80::new(types::Fd(connection.as_raw_fd()), command)
            .cmd(told)
            .addr(Some(self.memory.areas_address()))
            .build()
            .user_data(OF_ENTRY);
        const { assert!(size_of::<squeue::Entry128>() == 128) };
        // SAFETY: an `Entry128` is a `struct io_uring_sqe` of 128 bytes (`repr(C)`, checked above) and has `len` there,
        // which this command needs and the builder of the command does not set.
        unsafe {
            (&raw mut entry)
                .cast::<u8>()
                .add(LEN_AT)
                .cast::<u32>()
                .write(AREAS);
        }
        self.push(&entry)
    }

    fn push(&mut self, entry: &squeue::Entry128) -> io::Result<()> {
        // SAFETY: what the entries point to, the areas and the memory behind them, lives as long as `self.memory`, and
        // for ever where the kernel may still use it (see `Drop`).
        unsafe { self.ring.submission().push(entry) }
            .map_err(|_| io::Error::other("the ring is full"))
    }
}

/// Binds this thread to a processor, where it may run there.
fn bind_to(processor: usize) {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).and_then(|allowed| allowed.is_set(processor));
    let mut only = CpuSet::new();
    let bound = match allowed {
        Ok(true) => only
            .set(processor)
            .and_then(|()| sched_setaffinity(this, &only)),
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = bound {
        log::debug!("a thread is not bound to processor {processor}: {error}");
    }
}
