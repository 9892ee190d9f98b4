//! Real device nodes as a target: system calls as a program makes them.

#![allow(unsafe_code)] // System calls with bad pointers, readv and ioctl have no safe form.

use std::ffi::{CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pseudotape_st::OPEN_WAIT;

use super::target::{CallResult, Descriptor, FileStatus, HookError, Target, Whence};

/// Does to the drive what an operator could.
pub trait Operator {
    /// See [`Target::hook`].
    fn hook(&mut self, words: &[&str]) -> Result<(), HookError>;
}

/// Nodes of a drive.
pub struct Device<O> {
    rewinding: PathBuf,
    non_rewinding: PathBuf,
    operator: O,
    open_time: Duration,
    open_wait: Duration,
}

/// A pointer that leads nowhere.
const NOWHERE: *mut c_void = std::ptr::without_provenance_mut(8);

fn check(result: i64) -> CallResult<i64> {
    if result >= 0 {
        return Ok(result);
    }
    let error = std::io::Error::last_os_error();
    let number = error.raw_os_error().unwrap_or(0);
    Err(format!("{:?}", nix::errno::Errno::from_raw(number)))
}

fn count(result: isize) -> CallResult<usize> {
    let count = check(result as i64)?;
    usize::try_from(count).map_err(|error| error.to_string())
}

impl<O: Operator> Device<O> {
    /// The nodes of one drive, and who works on it from outside. The drive's opens wait `open_wait` for a medium.
    ///
    /// An open that found no medium after that time counts as one that waited as long as st does. How much longer the
    /// open took says nothing: the machine may have stood still meanwhile.
    pub fn new(
        rewinding: PathBuf,
        non_rewinding: PathBuf,
        operator: O,
        open_wait: Duration,
    ) -> Self {
        Device {
            rewinding,
            non_rewinding,
            operator,
            open_time: Duration::ZERO,
            open_wait,
        }
    }

    fn path(&self, node: &str) -> PathBuf {
        let base = if node.starts_with('r') {
            &self.rewinding
        } else {
            &self.non_rewinding
        };
        // Mode nodes have a letter behind the name.
        let mut name = base.clone().into_os_string();
        name.push(node.get(1..).unwrap_or_default());
        PathBuf::from(name)
    }
}

/// The time that an open counts as.
fn counted(took: Duration, open_wait: Duration, result: &CallResult<i64>) -> Duration {
    match result {
        Err(errno) if errno == "ENOMEDIUM" && took >= open_wait => OPEN_WAIT,
        _ => took,
    }
}

fn c_path(path: &Path) -> CallResult<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())
}

fn flag(name: &str) -> CallResult<c_int> {
    Ok(match name {
        "ro" => libc::O_RDONLY,
        "wo" => libc::O_WRONLY,
        "rw" => libc::O_RDWR,
        "nonblock" => libc::O_NONBLOCK,
        "append" => libc::O_APPEND,
        "trunc" => libc::O_TRUNC,
        "creat" => libc::O_CREAT,
        "excl" => libc::O_EXCL,
        "sync" => libc::O_SYNC,
        "direct" => libc::O_DIRECT,
        other => return Err(format!("no flag '{other}'")),
    })
}

impl<O: Operator> Target for Device<O> {
    fn hook(&mut self, words: &[&str]) -> Result<(), HookError> {
        self.operator.hook(words)
    }

    fn open(&mut self, node: &str, flags: &[&str]) -> CallResult<Descriptor> {
        let path = c_path(&self.path(node))?;
        let mut bits = libc::O_CLOEXEC;
        for name in flags {
            bits |= flag(name)?;
        }
        let begin = Instant::now();
        // SAFETY: the path is a C string that lives through the call.
        let file = unsafe { libc::open(path.as_ptr(), bits, 0o600) };
        let result = check(file.into());
        self.open_time = counted(begin.elapsed(), self.open_wait, &result);
        result?;
        Ok(Descriptor(file))
    }

    fn open_seconds(&self) -> u64 {
        self.open_time.as_secs()
    }

    fn close(&mut self, file: Descriptor) -> CallResult<()> {
        // SAFETY: the descriptor came from open or dup of this target and is not used again.
        check(unsafe { libc::close(file.0) }.into()).map(drop)
    }

    fn dup(&mut self, file: Descriptor) -> CallResult<Descriptor> {
        // SAFETY: takes no pointer.
        let copy = unsafe { libc::dup(file.0) };
        check(copy.into())?;
        Ok(Descriptor(copy))
    }

    fn read(&mut self, file: Descriptor, buffer: &mut [u8]) -> CallResult<usize> {
        // SAFETY: the buffer is writable for its length.
        count(unsafe { libc::read(file.0, buffer.as_mut_ptr().cast(), buffer.len()) })
    }

    fn write(&mut self, file: Descriptor, data: &[u8]) -> CallResult<usize> {
        // SAFETY: the data is readable for its length.
        count(unsafe { libc::write(file.0, data.as_ptr().cast(), data.len()) })
    }

    fn readv(&mut self, file: Descriptor, buffers: &mut [Vec<u8>]) -> CallResult<usize> {
        let vector: Vec<libc::iovec> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            })
            .collect();
        let length = c_int::try_from(vector.len()).map_err(|error| error.to_string())?;
        // SAFETY: each element is a buffer that lives through the call and is writable.
        count(unsafe { libc::readv(file.0, vector.as_ptr(), length) })
    }

    fn writev(&mut self, file: Descriptor, data: &[Vec<u8>]) -> CallResult<usize> {
        let vector: Vec<libc::iovec> = data
            .iter()
            .map(|part| libc::iovec {
                iov_base: part.as_ptr().cast_mut().cast(),
                iov_len: part.len(),
            })
            .collect();
        let length = c_int::try_from(vector.len()).map_err(|error| error.to_string())?;
        // SAFETY: each element is data that lives through the call; writev only reads it.
        count(unsafe { libc::writev(file.0, vector.as_ptr(), length) })
    }

    fn pread(&mut self, file: Descriptor, buffer: &mut [u8], offset: i64) -> CallResult<usize> {
        // SAFETY: the buffer is writable for its length.
        count(unsafe { libc::pread(file.0, buffer.as_mut_ptr().cast(), buffer.len(), offset) })
    }

    fn pwrite(&mut self, file: Descriptor, data: &[u8], offset: i64) -> CallResult<usize> {
        // SAFETY: the data is readable for its length.
        count(unsafe { libc::pwrite(file.0, data.as_ptr().cast(), data.len(), offset) })
    }

    fn ioctl(&mut self, file: Descriptor, command: u32, argument: &mut [u8]) -> CallResult<i32> {
        let pointer: *mut u8 = argument.as_mut_ptr();
        // SAFETY: the scenarios give arguments of the size that the number names, or 4 KiB.
        let result = unsafe { libc::ioctl(file.0, command.into(), pointer) };
        check(result.into())?;
        Ok(result)
    }

    fn ioctl_nowhere(&mut self, file: Descriptor, command: u32) -> CallResult<i32> {
        // SAFETY: the kernel checks the pointer; that is what is asked here.
        let result = unsafe { libc::ioctl(file.0, command.into(), NOWHERE) };
        check(result.into())?;
        Ok(result)
    }

    fn read_nowhere(&mut self, file: Descriptor, length: usize) -> CallResult<usize> {
        // SAFETY: the kernel checks the pointer; that is what is asked here.
        count(unsafe { libc::read(file.0, NOWHERE, length) })
    }

    fn write_nowhere(&mut self, file: Descriptor, length: usize) -> CallResult<usize> {
        // SAFETY: the kernel checks the pointer; that is what is asked here.
        count(unsafe { libc::write(file.0, NOWHERE, length) })
    }

    fn sync(&mut self, file: Descriptor) -> CallResult<()> {
        // SAFETY: takes no pointer.
        check(unsafe { libc::fsync(file.0) }.into()).map(drop)
    }

    fn fstat(&mut self, file: Descriptor) -> CallResult<FileStatus> {
        // SAFETY: all zeros is a valid stat.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the structure is writable.
        check(unsafe { libc::fstat(file.0, &raw mut status) }.into())?;
        Ok(FileStatus {
            mode: status.st_mode,
            size: status.st_size,
            block_size: status.st_blksize,
        })
    }

    fn poll(&mut self, file: Descriptor) -> CallResult<Option<u32>> {
        let mut asked = libc::pollfd {
            fd: file.0,
            events: libc::POLLIN | libc::POLLOUT | libc::POLLPRI,
            revents: 0,
        };
        // SAFETY: one structure, writable.
        let came = check(unsafe { libc::poll(&raw mut asked, 1, 0) }.into())?;
        Ok((came > 0).then_some(u32::from(asked.revents.cast_unsigned())))
    }

    fn ftruncate(&mut self, file: Descriptor, length: i64) -> CallResult<()> {
        // SAFETY: takes no pointer.
        check(unsafe { libc::ftruncate(file.0, length) }.into()).map(drop)
    }

    fn mmap(&mut self, file: Descriptor, length: usize) -> CallResult<()> {
        // SAFETY: a new mapping to read, unmapped at once.
        let place = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                file.0,
                0,
            )
        };
        if place == libc::MAP_FAILED {
            return check(-1).map(drop);
        }
        // SAFETY: the mapping was made above with this length.
        check(unsafe { libc::munmap(place, length) }.into()).map(drop)
    }

    fn lseek(&mut self, file: Descriptor, offset: i64, whence: Whence) -> CallResult<i64> {
        let whence = match whence {
            Whence::Set => libc::SEEK_SET,
            Whence::Current => libc::SEEK_CUR,
            Whence::End => libc::SEEK_END,
        };
        // SAFETY: takes no pointer.
        check(unsafe { libc::lseek(file.0, offset, whence) })
    }

    fn set_euid(&mut self, uid: u32) -> CallResult<()> {
        // Back to root first, so that the group can be changed too. The raw calls change this thread only.
        let call = |number, id: u32| {
            // SAFETY: takes no pointer.
            check(unsafe { libc::syscall(number, u32::MAX, id, u32::MAX) })
        };
        if uid == 0 {
            call(libc::SYS_setresuid, 0)?;
            call(libc::SYS_setresgid, 0)?;
        } else {
            call(libc::SYS_setresgid, uid)?;
            call(libc::SYS_setresuid, uid)?;
        }
        Ok(())
    }

    fn chmod(&mut self, node: &str, mode: u32) -> CallResult<()> {
        let path = c_path(&self.path(node))?;
        // SAFETY: the path is a C string that lives through the call.
        check(unsafe { libc::chmod(path.as_ptr(), mode) }.into()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stalled_machine_makes_no_open_one_that_waited() {
        let wait = Duration::from_secs(3);
        let none = Err("ENOMEDIUM".to_owned());
        for late in [0, 126, 17_000].map(Duration::from_millis) {
            assert_eq!(counted(wait + late, wait, &none), OPEN_WAIT);
        }
        let short = Duration::from_millis(2999);
        assert_eq!(counted(short, wait, &none), short, "it did not wait");
        for other in [Ok(3), Err("EBUSY".to_owned())] {
            assert_eq!(counted(2 * wait, wait, &other), 2 * wait);
        }
    }
}
