//! What a scenario runs on.

/// The name of an errno, `EIO`.
pub type ErrnoName = String;

/// What a system call answered.
pub type CallResult<T> = Result<T, ErrnoName>;

/// What a target can't do; the scenario ends there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// Not supported.
    #[error("hook {0} unsupported")]
    Unsupported(String),
    /// It failed.
    #[error("hook {0} failed: {1}")]
    Failed(String, String),
}

/// A file that is open in a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor(pub i32);

/// Which end [`Target::lseek`] counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    /// `SEEK_SET`.
    Set,
    /// `SEEK_CUR`.
    Current,
    /// `SEEK_END`.
    End,
}

/// What `fstat(2)` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// `st_mode`.
    pub mode: u32,
    /// `st_size`.
    pub size: i64,
    /// `st_blksize`.
    pub block_size: i64,
}

/// System calls on the nodes of one drive, and hands on the drive itself.
pub trait Target {
    /// Prepares the drive, or does something to it: `fresh`, `freshraw`, `smalltape`, `smallonly`, `wp 0|1`,
    /// `eject`, `newtape`, `reset`.
    fn hook(&mut self, words: &[&str]) -> Result<(), HookError>;

    /// `open(2)` of a node with flags by their names in the scenario language.
    fn open(&mut self, node: &str, flags: &[&str]) -> CallResult<Descriptor>;

    /// How long the last open took, in seconds.
    fn open_seconds(&self) -> u64;

    /// `close(2)`.
    fn close(&mut self, file: Descriptor) -> CallResult<()>;

    /// `dup(2)`.
    fn dup(&mut self, file: Descriptor) -> CallResult<Descriptor>;

    /// `read(2)`.
    fn read(&mut self, file: Descriptor, buffer: &mut [u8]) -> CallResult<usize>;

    /// `write(2)`.
    fn write(&mut self, file: Descriptor, data: &[u8]) -> CallResult<usize>;

    /// `readv(2)`.
    fn readv(&mut self, file: Descriptor, buffers: &mut [Vec<u8>]) -> CallResult<usize>;

    /// `writev(2)`.
    fn writev(&mut self, file: Descriptor, data: &[Vec<u8>]) -> CallResult<usize>;

    /// `pread(2)`.
    fn pread(&mut self, file: Descriptor, buffer: &mut [u8], offset: i64) -> CallResult<usize>;

    /// `pwrite(2)`.
    fn pwrite(&mut self, file: Descriptor, data: &[u8], offset: i64) -> CallResult<usize>;

    /// `ioctl(2)` with an argument of this length, which is changed in place.
    fn ioctl(&mut self, file: Descriptor, command: u32, argument: &mut [u8]) -> CallResult<i32>;

    /// `ioctl(2)` with a pointer that leads nowhere.
    fn ioctl_nowhere(&mut self, file: Descriptor, command: u32) -> CallResult<i32>;

    /// `read(2)` into nowhere.
    fn read_nowhere(&mut self, file: Descriptor, length: usize) -> CallResult<usize>;

    /// `write(2)` from nowhere.
    fn write_nowhere(&mut self, file: Descriptor, length: usize) -> CallResult<usize>;

    /// `fsync(2)` or `fdatasync(2)`.
    fn sync(&mut self, file: Descriptor) -> CallResult<()>;

    /// `fstat(2)`.
    fn fstat(&mut self, file: Descriptor) -> CallResult<FileStatus>;

    /// `poll(2)` for `POLLIN|POLLOUT|POLLPRI`: what came, where anything did.
    fn poll(&mut self, file: Descriptor) -> CallResult<Option<u32>>;

    /// `ftruncate(2)`.
    fn ftruncate(&mut self, file: Descriptor, length: i64) -> CallResult<()>;

    /// `mmap(2)` to read, shared.
    fn mmap(&mut self, file: Descriptor, length: usize) -> CallResult<()>;

    /// `lseek(2)`.
    fn lseek(&mut self, file: Descriptor, offset: i64, whence: Whence) -> CallResult<i64>;

    /// `seteuid(2)`.
    fn set_euid(&mut self, uid: u32) -> CallResult<()>;

    /// `chmod(2)` of a node.
    fn chmod(&mut self, node: &str, mode: u32) -> CallResult<()>;
}
