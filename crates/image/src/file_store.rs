use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::sys::statvfs::fstatvfs;
use nix::sys::uio::{preadv, pwritev};
use nix::unistd::{Whence, lseek};

use pseudotape_tape::Access;

use crate::error::Error;
use crate::layout::wide;
use crate::store::{Reserved, Store};
use crate::watch::Watch;

/// An image in a file, locked against others (`flock`) as long as it is open.
#[derive(Debug)]
pub struct FileStore {
    file: File,
    path: PathBuf,
    /// Until an image is open.
    watch: Watch,
    /// Whether the file system can hold room free for us; `false` once it said that it can't.
    can_allocate: bool,
}

impl FileStore {
    /// Opens an existing file.
    pub fn open(path: &Path, access: Access) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::ReadWrite);
        Self::locked(path, &mut options, access, "open")
    }

    /// Opens an existing file for reading without a lock, because another process has it locked.
    pub(crate) fn open_unlocked(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let file = open_regular(path, options.read(true), "open")?;
        Ok(FileStore {
            file,
            path: path.to_owned(),
            watch: Watch::default(),
            can_allocate: true,
        })
    }

    /// Lets somebody watch the opening of the image in this file, which can take long and can be given up.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// Makes a new file, readable and writable for its owner and group; an existing one is left alone.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o660);
        Self::locked(path, &mut options, Access::ReadWrite, "create")
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    // The standard library opens with O_CLOEXEC.
    fn locked(
        path: &Path,
        options: &mut OpenOptions,
        access: Access,
        action: &'static str,
    ) -> Result<Self, Error> {
        let unopenable = |source| Error::Unopenable {
            path: path.to_owned(),
            action,
            source,
        };
        let file = open_regular(path, options, action)?;
        let lock = match access {
            Access::ReadOnly => file.try_lock_shared(),
            Access::ReadWrite => file.try_lock(),
        };
        match lock {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unopenable(source)),
        }
        Ok(FileStore {
            file,
            path: path.to_owned(),
            watch: Watch::default(),
            can_allocate: true,
        })
    }

    /// What the file system says is free, where it can't hold room for us.
    fn reserve_by_estimate(&self, up_to: u64) -> io::Result<Reserved> {
        let system = fstatvfs(&self.file)?;
        let free = system
            .blocks_available()
            .saturating_mul(system.fragment_size());
        if free < up_to.saturating_sub(self.length()?) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Reserved::Estimated)
    }
}

/// Opens a regular file and nothing else. To open anything else can wait for ever (a FIFO) or move something (a tape
/// node), so that it is looked at first; and looked at again, as it may have been replaced between.
fn open_regular(
    path: &Path,
    options: &mut OpenOptions,
    action: &'static str,
) -> Result<File, Error> {
    let unopenable = |source| Error::Unopenable {
        path: path.to_owned(),
        action,
        source,
    };
    if let Ok(metadata) = fs::metadata(path) {
        expect_regular(metadata.file_type()).map_err(unopenable)?;
    }
    options.custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path).map_err(unopenable)?;
    let found = file.metadata().map_err(unopenable)?;
    expect_regular(found.file_type()).map_err(unopenable)?;
    Ok(file)
}

fn expect_regular(found: FileType) -> io::Result<()> {
    let what = if found.is_file() {
        return Ok(());
    } else if found.is_dir() {
        "a directory"
    } else if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else if found.is_char_device() {
        "a character device"
    } else if found.is_block_device() {
        "a block device"
    } else {
        "something else"
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {what}, and an image is a regular file"),
    ))
}

/// Offsets beyond what the host counts are "file too large".
fn host_offset(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl Store for FileStore {
    fn read_vectored_at(
        &self,
        mut buffers: &mut [IoSliceMut<'_>],
        offset: u64,
    ) -> io::Result<usize> {
        self.watch.see(offset)?;
        let mut done = 0;
        while !buffers.iter().all(|buffer| buffer.is_empty()) {
            let at = host_offset(offset.saturating_add(wide(done)))?;
            match preadv(&self.file, buffers, at) {
                Ok(0) => break,
                Ok(count) => {
                    done += count;
                    IoSliceMut::advance_slices(&mut buffers, count);
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(done)
    }

    fn write_vectored_at(
        &mut self,
        mut buffers: &mut [IoSlice<'_>],
        offset: u64,
    ) -> io::Result<()> {
        let mut done = 0;
        while !buffers.iter().all(|buffer| buffer.is_empty()) {
            let at = host_offset(offset.saturating_add(wide(done)))?;
            match pwritev(&self.file, buffers, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    done += count;
                    IoSlice::advance_slices(&mut buffers, count);
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn next_data(&self, offset: u64) -> io::Result<u64> {
        self.watch.see(offset)?;
        match lseek(&self.file, host_offset(offset)?, Whence::SeekData) {
            Ok(data) => Ok(u64::try_from(data).unwrap_or(offset)),
            Err(Errno::ENXIO) => Ok(self.length()?.max(offset)),
            // Not every file system knows where its holes are.
            Err(_) => Ok(offset),
        }
    }

    fn opened(&mut self) {
        self.watch = Watch::default();
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn reserve(&mut self, up_to: u64) -> io::Result<Reserved> {
        if !self.can_allocate {
            return self.reserve_by_estimate(up_to);
        }
        let length = self.length()?;
        let Some(wanted) = up_to.checked_sub(length).filter(|wanted| *wanted > 0) else {
            return Ok(Reserved::Held);
        };
        let (start, wanted) = (host_offset(length)?, host_offset(wanted)?);
        loop {
            match fallocate(
                &self.file,
                FallocateFlags::FALLOC_FL_KEEP_SIZE,
                start,
                wanted,
            ) {
                Ok(()) => return Ok(Reserved::Held),
                Err(Errno::EINTR) => {}
                Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                    self.can_allocate = false;
                    return self.reserve_by_estimate(up_to);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_room_cannot_be_held_it_is_estimated_and_the_estimate_has_a_limit() {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let mut store = FileStore::create(&directory.path().join("a.ptape")).expect("a new file");
        store.can_allocate = false;
        let little = store.reserve(4096).expect("there are 4 KiB");
        assert_eq!(little, Reserved::Estimated);
        let much = store.reserve(u64::MAX).expect_err("there are not 16 EiB");
        assert_eq!(much.kind(), io::ErrorKind::StorageFull);
    }
}
