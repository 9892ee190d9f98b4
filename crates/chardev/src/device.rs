use std::fmt;
use std::time::Duration;

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
    /// Not ready yet: the frontend asks [`CharDevice::open_again`] until it is, the time is up or the
    /// caller gave up ([`CharDevice::abandon_open`]). The handle names the attempt, and the open file
    /// if it succeeds.
    Waiting(Handle, Duration),
}

/// One `ioctl` call with its argument fetched.
#[derive(Clone, Copy, Debug)]
pub struct IoctlRequest<'a> {
    /// The request number.
    pub command: u32,
    /// The argument as the caller gave it: mostly an address in his memory.
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
    /// What is fetched, one after the other, into [`IoctlRequest::input`].
    pub input: Vec<Area>,
    /// Where the output goes, one after the other.
    pub output: Vec<Area>,
}

impl IoctlAreas {
    /// What the request number says of itself (`_IOC` of `asm-generic/ioctl.h`).
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

/// What to do with a `read` or `write` of which only the first piece is there and nobody can tell how
/// long it is as a whole.
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

/// What became of a call whose length could not be known in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallTrouble {
    /// A `read` got the beginning of a block, and the rest is lost to it.
    RestLost {
        /// What it got.
        read_bytes: usize,
        /// Length of the block.
        block_bytes: usize,
    },
    /// A block ends where a piece of a `write` ends; whether a further piece was of the same call could not be known.
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

/// Whether a program hears of a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Its next call fails for it.
    ByACall,
    /// Its file is closed.
    ToNobody,
}

/// One character device. Each method is one system call of one program, whole.
///
/// Methods may block as long as the call takes; several threads may call at the same time, and the
/// device keeps their order.
pub trait CharDevice: Send + Sync {
    /// `open(2)`. `flags` as the caller gave them, less what the kernel keeps to itself.
    fn open(&self, flags: u32, caller: Caller) -> Result<Opened, Errno>;

    /// Asks again whether a waiting open can go on.
    fn open_again(&self, handle: Handle) -> Result<Opened, Errno>;

    /// Ends a waiting open: the caller was interrupted, or the time is up. The error is what the
    /// caller gets when the time was up.
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

    /// Lengthens what the last `write` wrote: a further piece of the same system call came, and the
    /// call's length could not be known before.
    fn extend(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno>;

    /// What to do when the length of a call can't be known. Asked at the first piece of such a call.
    fn unmeasured(&self, handle: Handle) -> Unmeasured;

    /// Takes note of what became of a call of unknown length, for the log and the status; what no call can tell is told
    /// as an error of `close` would be.
    fn note(&self, handle: Handle, trouble: CallTrouble, told: Told);

    /// `ioctl(2)`; fills `output` with the bytes that go back to where the argument points.
    fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno>;

    /// Which of the caller's memory an `ioctl` needs, where the frontend can fetch any (an
    /// unrestricted CUSE node). `request.input` is what was fetched so far, empty at first; asked
    /// until the answer stays the same, then [`CharDevice::ioctl`] is called with all of it.
    fn ioctl_areas(&self, request: IoctlRequest<'_>) -> Result<IoctlAreas, Errno> {
        Ok(IoctlAreas::of_command(request.command, request.argument))
    }

    /// `close(2)` of one of several descriptors of the open file, where a frontend hears of it:
    /// only an error that could not be reported otherwise is told here, nothing is done.
    fn flush(&self, handle: Handle) -> Result<(), Errno>;

    /// The last `close(2)` of the open file.
    fn close(&self, handle: Handle) -> Result<(), Errno>;

    /// The most that one `read` or `write` can move, in bytes. Longer ones are `EINVAL`.
    fn max_transfer_bytes(&self) -> usize;

    /// The byte stream that this device is: then `read`, `write` and `poll` are its, and those here are
    /// not called. `None`, the default: each call is a whole.
    fn stream(&self) -> Option<&dyn Stream> {
        None
    }

    /// Whether a call may have to wait for somebody who uses another node of the same frontend: it must
    /// not take that one's thread.
    fn waits_for_others(&self) -> bool {
        false
    }
}
