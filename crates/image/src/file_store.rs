use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::sys::statvfs::fstatvfs;
use nix::sys::uio::{preadv, pwritev};
use nix::unistd::{Whence, lseek};

use pseudotape_tape::Access;

use crate::cache::{CachePolicy, PageCache, drop_pages};
use crate::error::{Absence, Error};
use crate::folder::{Folder, Inode};
use crate::header::{self, Header};
use crate::layout::wide;
use crate::store::{Reserved, Store};
use crate::watch::Watch;

/// How often an image is opened anew that was replaced between being opened and being locked.
const OPENINGS_MOST: u32 = 8;

/// What file systems call a file that was removed and is open: it goes with its last user.
const REMOVED_NAMES: [&str; 2] = [".nfs", ".fuse_hidden"];

/// Where the file is, as a folder and a name in it.
#[derive(Clone, Debug)]
struct Home {
    folder: Folder,
    name: OsString,
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An image whose header can be read.
    Image(Header),
    /// A file without a byte.
    Empty,
    /// Nothing, or something else.
    Other,
}

/// An image in a file, locked against others (`flock`) as long as it is open.
#[derive(Debug)]
pub struct FileStore {
    file: File,
    inode: Inode,
    path: PathBuf,
    /// Until an image is open.
    watch: Watch,
    /// Unknown where no name leads to the file (it was handed over as a descriptor).
    home: Option<Home>,
    /// Somebody gave the file another name while it was open.
    renamed: bool,
    /// Whether the file system can hold room free for us; `false` once it said that it can't.
    can_allocate: bool,
    cache: PageCache,
}

impl FileStore {
    /// Opens an existing file.
    pub fn open(path: &Path, access: Access) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::ReadWrite);
        let unopenable = unopenable(path, "open");
        for _ in 0..OPENINGS_MOST {
            let file = open_regular(path, &mut options, "open")?;
            lock(&file, path, access, "open")?;
            let inode = Inode::of(&file).map_err(&unopenable)?;
            let home = Folder::really_holding(path)
                .ok()
                .map(|(folder, name)| Home { folder, name });
            // Whoever had the lock before may have put another file in the place of this one.
            if let Some(home) = home
                && home.leads_to(inode)
            {
                return Ok(Self::assembled(file, inode, path, Some(home)));
            }
        }
        let file = open_regular(path, &mut options, "open")?;
        lock(&file, path, access, "open")?;
        let inode = Inode::of(&file).map_err(&unopenable)?;
        Ok(Self::assembled(file, inode, path, None))
    }

    /// Opens an existing file for reading without a lock, because another process has it locked.
    pub(crate) fn open_unlocked(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let file = open_regular(path, options.read(true), "open")?;
        let inode = Inode::of(&file).map_err(unopenable(path, "open"))?;
        Ok(Self::assembled(file, inode, path, None))
    }

    /// Lets somebody watch the opening of the image in this file, which can take long and can be given up.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// Makes a new file, readable and writable for its owner and group; an existing one is left alone.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let (folder, name) = Folder::holding(path).map_err(unopenable(path, "create"))?;
        Self::create_in(&folder, &name)
    }

    /// Makes a new file under a name in a folder; an existing one is left alone.
    pub fn create_in(folder: &Folder, name: &OsStr) -> Result<Self, Error> {
        let path = folder.path_of(name);
        let unopenable = unopenable(&path, "create");
        let file = folder.create(name).map_err(&unopenable)?;
        let inode = Inode::of(&file).map_err(&unopenable)?;
        lock(&file, &path, Access::ReadWrite, "create")?;
        let home = Home {
            folder: folder.clone(),
            name: name.to_owned(),
        };
        Ok(Self::assembled(file, inode, &path, Some(home)))
    }

    /// Reads the header of the image in the file.
    pub fn header(&self) -> Result<Header, Error> {
        Ok(header::read(self)?.header)
    }

    /// Says what a name leads to, whether somebody uses it or not.
    #[must_use]
    pub fn found(folder: &Folder, name: &OsStr) -> Found {
        Self::look_into(folder, name).unwrap_or(Found::Other)
    }

    fn look_into(folder: &Folder, name: &OsStr) -> io::Result<Found> {
        let file = folder.open(name, Access::ReadOnly)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Found::Other);
        }
        if metadata.len() == 0 {
            return Ok(Found::Empty);
        }
        let inode = Inode::of(&file)?;
        let store = Self::assembled(file, inode, &folder.path_of(name), None);
        Ok(match header::read(&store) {
            Ok(found) => Found::Image(found.header),
            Err(_) => Found::Other,
        })
    }

    fn assembled(file: File, inode: Inode, path: &Path, home: Option<Home>) -> Self {
        FileStore {
            file,
            inode,
            path: path.to_owned(),
            watch: Watch::default(),
            home,
            renamed: false,
            can_allocate: true,
            cache: PageCache::default(),
        }
    }

    /// Whether somebody gave the file another name while it was open. [`FileStore::path`] is the new one then.
    #[must_use]
    pub fn was_renamed(&self) -> bool {
        self.renamed
    }

    /// Where the file is: as it was opened, or where it was moved to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stays of it in the host's page cache.
    #[must_use]
    pub fn cache(&self) -> CachePolicy {
        self.cache.policy()
    }

    /// Which file it is.
    #[must_use]
    pub fn inode(&self) -> Inode {
        self.inode
    }

    /// The folder of the file and its name in it; `None` where no name is known.
    #[must_use]
    pub fn home(&self) -> Option<(&Folder, &OsStr)> {
        let home = self.home.as_ref()?;
        Some((&home.folder, &home.name))
    }

    /// Notes the name that its holder gave to the file.
    pub fn moved_to(&mut self, folder: &Folder, name: &OsStr) {
        self.path = folder.path_of(name);
        self.home = Some(Home {
            folder: folder.clone(),
            name: name.to_owned(),
        });
    }

    /// Finds the name that somebody gave to the open file.
    fn follow(&mut self) -> Result<(), Error> {
        let copy = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        let named = std::fs::read_link(&copy).and_then(|path| Folder::holding(&path));
        if let Ok((folder, name)) = named {
            let is_gone = REMOVED_NAMES
                .iter()
                .any(|start| name.as_bytes().starts_with(start.as_bytes()));
            let home = Home { folder, name };
            if !is_gone && home.leads_to(self.inode) {
                self.path = home.folder.path_of(&home.name);
                self.home = Some(home);
                self.renamed = true;
                return Ok(());
            }
        }
        let inode = self.inode.number();
        let copy = self.seen_from_outside();
        Err(self.absent(Absence::NameLost { inode, copy }))
    }

    /// The open file, as another process can reach it.
    fn seen_from_outside(&self) -> PathBuf {
        let (process, descriptor) = (std::process::id(), self.file.as_raw_fd());
        format!("/proc/{process}/fd/{descriptor}").into()
    }

    fn absent(&self, absence: Absence) -> Error {
        Error::Absent {
            path: self.path.clone(),
            absence,
        }
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

impl Drop for FileStore {
    /// Gives the lock back. A close alone would leave the lock for as long as a child process of this one shares the
    /// open file, from its fork to its exec, and whoever opens the image meanwhile would find it in use.
    fn drop(&mut self) {
        // Where that fails, the close does it.
        drop(self.file.unlock());
    }
}

impl Home {
    fn leads_to(&self, inode: Inode) -> bool {
        matches!(self.folder.look(&self.name), Ok(Some(found)) if found == inode)
    }
}

fn unopenable(path: &Path, action: &'static str) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unopenable {
        path: path.clone(),
        action,
        source,
    }
}

fn lock(file: &File, path: &Path, access: Access, action: &'static str) -> Result<(), Error> {
    let lock = match access {
        Access::ReadOnly => file.try_lock_shared(),
        Access::ReadWrite => file.try_lock(),
    };
    lock.map_err(|error| match error {
        TryLockError::WouldBlock => Error::InUse {
            path: path.to_owned(),
        },
        TryLockError::Error(source) => unopenable(path, action)(source),
    })
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
        if let Some(range) = self.cache.read(offset, done) {
            drop_pages(&self.file, &range);
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
        if let Some(range) = self.cache.written(offset, done) {
            drop_pages(&self.file, &range);
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
        self.file.sync_data()?;
        if let Some(range) = self.cache.synced() {
            drop_pages(&self.file, &range);
        }
        Ok(())
    }

    fn set_cache(&mut self, policy: CachePolicy) {
        self.cache.set_policy(policy);
    }

    fn check_presence(&mut self, end: u64) -> Result<(), Error> {
        // A file that never had a name can't lose it.
        let Some(home) = &self.home else {
            return Ok(());
        };
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(|source| Error::host("look at", end, 0, source))?;
        if metadata.nlink() == 0 {
            let copy = self.seen_from_outside();
            return Err(self.absent(Absence::Removed { copy }));
        }
        let length = metadata.len();
        if length < end {
            return Err(self.absent(Absence::Cut { length, end }));
        }
        match home.folder.look(&home.name) {
            Ok(Some(found)) if found == self.inode => Ok(()),
            Ok(_) => self.follow(),
            // A folder that can't be searched (any more) says nothing about the file.
            Err(_) => Ok(()),
        }
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

    /// As a child process between its fork and its exec: another test of a process that starts programs found an image
    /// in use that had just been closed.
    #[test]
    fn a_closed_image_is_free_although_another_descriptor_shares_its_lock() {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let path = directory.path().join("a.ptape");
        let store = FileStore::create(&path).expect("a new file");
        let shared = store.file.try_clone().expect("a descriptor");
        let in_use = FileStore::open(&path, Access::ReadWrite);
        assert!(matches!(in_use, Err(Error::InUse { .. })), "{in_use:?}");
        drop(store);
        FileStore::open(&path, Access::ReadWrite).expect("it is free");
        drop(shared);
    }

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
