use std::time::Duration;

/// An error number of the operating system, positive, at most 511 (the kernel refuses larger ones in replies).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

/// Names one open file of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

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
    /// caller gave up ([`CharDevice::abandon_open`]).
    Waiting(Handle, Duration),
}

/// One `ioctl` call with its argument fetched.
#[derive(Clone, Copy, Debug)]
pub struct IoctlRequest<'a> {
    /// The request number.
    pub command: u32,
    /// The bytes that the argument points to.
    pub input: &'a [u8],
    /// Who calls.
    pub caller: Caller,
    /// How wide the caller's words are.
    pub word_size: WordSize,
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

    /// `write(2)`; a success is always the whole length, or a short count that the caller gets.
    fn write(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno>;

    /// Lengthens what the last `write` wrote: a further piece of the same system call came, and the
    /// call's length could not be known before.
    fn extend(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno>;

    /// `ioctl(2)`; fills `output` with the bytes that go back to where the argument points.
    fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno>;

    /// `close(2)` of one of several descriptors of the open file, where a frontend hears of it:
    /// only an error that could not be reported otherwise is told here, nothing is done.
    fn flush(&self, handle: Handle) -> Result<(), Errno>;

    /// The last `close(2)` of the open file.
    fn close(&self, handle: Handle) -> Result<(), Errno>;

    /// Longest record, in bytes: the most that one `read` or `write` can move.
    fn max_transfer_bytes(&self) -> usize;
}
