//! What a scenario runs on.

/// The name of an errno, `EIO`.
pub type ErrnoName = String;

/// What a system call answered.
pub type Answer<T> = Result<T, ErrnoName>;

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
    fn open(&mut self, node: &str, flags: &[&str]) -> Answer<Descriptor>;

    /// How long the last open took, in seconds.
    fn open_seconds(&self) -> u64;

    /// `close(2)`.
    fn close(&mut self, file: Descriptor) -> Answer<()>;

    /// `dup(2)`.
    fn dup(&mut self, file: Descriptor) -> Answer<Descriptor>;

    /// `read(2)`.
    fn read(&mut self, file: Descriptor, buffer: &mut [u8]) -> Answer<usize>;

    /// `write(2)`.
    fn write(&mut self, file: Descriptor, data: &[u8]) -> Answer<usize>;

    /// `readv(2)`.
    fn readv(&mut self, file: Descriptor, buffers: &mut [Vec<u8>]) -> Answer<usize>;

    /// `writev(2)`.
    fn writev(&mut self, file: Descriptor, data: &[Vec<u8>]) -> Answer<usize>;

    /// `pread(2)`.
    fn pread(&mut self, file: Descriptor, buffer: &mut [u8], offset: i64) -> Answer<usize>;

    /// `pwrite(2)`.
    fn pwrite(&mut self, file: Descriptor, data: &[u8], offset: i64) -> Answer<usize>;

    /// `ioctl(2)` with an argument of this length, which is changed in place.
    fn ioctl(&mut self, file: Descriptor, command: u32, argument: &mut [u8]) -> Answer<i32>;

    /// `ioctl(2)` with a pointer that leads nowhere.
    fn ioctl_nowhere(&mut self, file: Descriptor, command: u32) -> Answer<i32>;

    /// `read(2)` into nowhere.
    fn read_nowhere(&mut self, file: Descriptor, length: usize) -> Answer<usize>;

    /// `write(2)` from nowhere.
    fn write_nowhere(&mut self, file: Descriptor, length: usize) -> Answer<usize>;

    /// `fsync(2)` or `fdatasync(2)`.
    fn sync(&mut self, file: Descriptor) -> Answer<()>;

    /// `fstat(2)`.
    fn fstat(&mut self, file: Descriptor) -> Answer<FileStatus>;

    /// `poll(2)` for `POLLIN|POLLOUT|POLLPRI`: what came, where anything did.
    fn poll(&mut self, file: Descriptor) -> Answer<Option<u32>>;

    /// `ftruncate(2)`.
    fn ftruncate(&mut self, file: Descriptor, length: i64) -> Answer<()>;

    /// `mmap(2)` to read, shared.
    fn mmap(&mut self, file: Descriptor, length: usize) -> Answer<()>;

    /// `lseek(2)`.
    fn lseek(&mut self, file: Descriptor, offset: i64, whence: Whence) -> Answer<i64>;

    /// `seteuid(2)`.
    fn set_euid(&mut self, uid: u32) -> Answer<()>;

    /// `chmod(2)` of a node.
    fn chmod(&mut self, node: &str, mode: u32) -> Answer<()>;
}
