use std::fmt;
use std::time::Duration;

use crate::last_close::LastClose;
use crate::news::News;
use crate::numbers::{Errno, Handle};
use crate::stream::Stream;

/// The task that made the system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Thread id in the daemon's pid namespace; 0 where unknown.
    pub tid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// How wide the caller's words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordSize {
    /// A 64-bit program.
    Bits64,
    /// A 32-bit program on a 64-bit kernel.
    Bits32,
}

/// How an open went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The file is open.
    Open(Handle),
    /// The device is not ready yet. The frontend asks [`CharDevice::open_again`] until the device is ready, the time
    /// is up or the caller gave up ([`CharDevice::abandon_open`]). The handle names the attempt, and the open file
    /// if the attempt succeeds.
    Waiting(Handle, Duration),
}

/// One `ioctl` call with its argument fetched.
#[derive(Clone, Copy, Debug)]
pub struct IoctlRequest<'a> {
    /// The request number.
    pub command: u32,
    /// The argument as the caller gave it: mostly an address in the caller's memory.
    pub argument: u64,
    /// The bytes that the argument points to.
    pub input: &'a [u8],
    /// Who calls.
    pub caller: Caller,
    /// How wide the caller's words are.
    pub word_size: WordSize,
}

/// A piece of the caller's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Address in the caller's memory.
    pub address: u64,
    /// Length in bytes.
    pub length_bytes: u32,
}

/// The caller's memory that an `ioctl` reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoctlAreas {
    /// The areas that are fetched, one after the other, into [`IoctlRequest::input`].
    pub input: Vec<Area>,
    /// Where the output goes, one after the other.
    pub output: Vec<Area>,
}

impl IoctlAreas {
    /// The areas that the request number itself tells (`_IOC` of `asm-generic/ioctl.h`).
    #[must_use]
    pub fn of_command(command: u32, argument: u64) -> Self {
        const SIZE_SHIFT: u32 = 16;
        const SIZE_MASK: u32 = (1 << 14) - 1;
        const WRITE: u32 = 1 << 30;
        const READ: u32 = 1 << 31;
        let area = Area {
            address: argument,
            length_bytes: (command >> SIZE_SHIFT) & SIZE_MASK,
        };
        let when = |direction| {
            if command & direction != 0 && area.length_bytes > 0 {
                vec![area]
            } else {
                Vec::new()
            }
        };
        IoctlAreas {
            input: when(WRITE),
            output: when(READ),
        }
    }
}

/// What to do with a `read` or `write` whose first piece is there and whose whole length nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmeasured {
    /// One call is one block: a write is lengthened by [`CharDevice::extend`], a read is made with
    /// room for the longest block, of this many bytes.
    Block {
        /// Longest block.
        max_bytes: usize,
    },
    /// A call is cut into blocks of this length anyway (fixed block mode): two calls do the same as
    /// one of both lengths, so each piece is a call of its own, cut at a block's border.
    Stream {
        /// Length of a block.
        block_bytes: usize,
    },
}

/// How a call ended whose length could not be known in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallTrouble {
    /// A `read` got the beginning of a block; its caller lost the rest of the block.
    RestLost {
        /// How many bytes the read got.
        read_bytes: usize,
        /// Length of the block.
        block_bytes: usize,
    },
    /// A block ends where a piece of a `write` ends. Nobody could tell whether a further piece was of the same call.
    BlockCut,
}

impl fmt::Display for CallTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallTrouble::RestLost {
                read_bytes,
                block_bytes,
            } => write!(
                f,
                "a read got the first {read_bytes} bytes of a block of {block_bytes}, and the rest is lost to it: \
                 the length of the call could not be learned"
            ),
            CallTrouble::BlockCut => f.write_str(
                "a block may have been cut short: whether further bytes belong to the same write could not be \
                 learned",
            ),
        }
    }
}

/// How a program hears of a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The program's next call fails.
    ByACall,
    /// The program has closed its file: no call can tell it.
    ToNobody,
}

/// One character device. Each method is one system call of one program, whole.
///
/// Methods may block as long as the call takes; several threads may call at the same time, and the
/// device keeps their order.
pub trait CharDevice: Send + Sync {
    /// `open(2)`. `flags` as the caller gave them, less what the kernel keeps to itself.
    fn open(&self, flags: u32, caller: Caller) -> Result<Opened, Errno>;

    /// Tries a waiting open again.
    fn open_again(&self, handle: Handle) -> Result<Opened, Errno>;

    /// Ends a waiting open: the caller was interrupted, or the time is up. The caller gets this error where the time
    /// is up.
    fn abandon_open(&self, handle: Handle) -> Errno;

    /// `read(2)` with a buffer of this length.
    fn read(&self, handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Decides about a `write(2)` of this length before its data are there: the kernel lets only the
    /// first of several pieces fail, so every error that can be known in advance (write protection,
    /// a length out of limits, no room) must be found here.
    ///
    /// | result | what follows |
    /// |---|---|
    /// | `Ok(length)` | [`CharDevice::write`] with all of it; or nothing, if the caller is killed |
    /// | `Ok(less)` | [`CharDevice::write`] with the first `less` bytes, and the caller gets a short count |
    /// | `Err` | nothing: the caller has the error. What the device counts per failed write, it counts here |
    ///
    /// Only called for writes of more than one piece.
    fn check_write(&self, handle: Handle, length_bytes: usize) -> Result<usize, Errno>;

    /// `write(2)`; a success is always the whole length, or a short count that the caller gets.
    fn write(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno>;

    /// Lengthens the block that the last `write` wrote: a further piece of the same system call came, and the
    /// length of that call could not be known before.
    fn extend(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno>;

    /// Says what to do when the length of a call can't be known. The frontend asks at the first piece of such a call.
    fn unmeasured(&self, handle: Handle) -> Unmeasured;

    /// Takes note of how a call of unknown length ended, for the log and the status. A trouble that no call can tell
    /// is told in the same way as an error of `close`.
    fn note(&self, handle: Handle, trouble: CallTrouble, told: Told);

    /// `ioctl(2)`; fills `output` with the bytes that the kernel copies to the address in the argument.
    fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno>;

    /// The areas of the caller's memory that an `ioctl` needs, where the frontend can fetch any area (an
    /// unrestricted CUSE node). `request.input` holds the bytes fetched so far, none at first. The frontend asks
    /// until the answer stays the same, then calls [`CharDevice::ioctl`] with all the bytes.
    fn ioctl_areas(&self, request: IoctlRequest<'_>) -> Result<IoctlAreas, Errno> {
        Ok(IoctlAreas::of_command(request.command, request.argument))
    }

    /// `close(2)` of one of several descriptors of the open file, where a frontend hears of such a close. The device
    /// does nothing; it only tells an error that could not be reported otherwise.
    fn flush(&self, handle: Handle) -> Result<(), Errno>;

    /// Whether [`CharDevice::close`] is going to record something, so that a frontend which hears of the last
    /// `close(2)` only after it has returned should have this done early.
    fn owes_at_close(&self, _handle: Handle) -> bool {
        false
    }

    /// Does what [`CharDevice::close`] is going to do, as far as it can be taken back, and leaves the file open: a
    /// call that comes after all finds the device as it was before.
    fn close_early(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    /// The last `close(2)` of the open file.
    fn close(&self, handle: Handle) -> Result<(), Errno>;

    /// The most that one `read` or `write` can move, in bytes. Longer ones are `EINVAL`.
    fn max_transfer_bytes(&self) -> usize;

    /// The device as a byte stream, where it is one: then the frontend calls `read`, `write` and `poll` of the stream
    /// and not those of this trait. `None`, the default: each call is a whole.
    fn stream(&self) -> Option<&dyn Stream> {
        None
    }

    /// Whether the last close of the open file is on its way, where the device knows. The next open waits for that
    /// close, if a frontend hears of it only after `close(2)` has returned.
    fn last_close(&self) -> Option<&LastClose> {
        None
    }

    /// Tells what a waiting open waits for, as far as the device hears of it: a frontend then asks
    /// [`CharDevice::open_again`] at once.
    fn news(&self) -> Option<&News> {
        None
    }

    /// Whether a call may have to wait for a program that uses another node of the same frontend. Such a call must
    /// not take the thread that the other program needs.
    fn waits_for_others(&self) -> bool {
        false
    }
}
