//! Memory that master and slave share, for payloads. All of the crate's `unsafe` is here.
//!
//! The other process can change the bytes at any time. So nothing is parsed from them: lengths and
//! places come from the headers, which are private copies. What the other side does to the bytes can
//! make a block's content wrong, which it could do anyway, and nothing else.
#![allow(unsafe_code)] // A mapping that another process changes has no safe form.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use memmap2::MmapRaw;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A mapped memfd whose size can't change any more.
pub(crate) struct SharedMemory {
    map: MmapRaw,
    file: OwnedFd,
}

impl SharedMemory {
    /// Makes memory of this size. Pages cost nothing until they are used.
    pub(crate) fn create(size_bytes: u32) -> io::Result<SharedMemory> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"pseudotape-slave", flags)?);
        file.set_len(size_bytes.into())?;
        // Else the other side could cut it, and the next touch of the mapping would end this process.
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        SharedMemory::map(file)
    }

    /// Maps memory that a master made, of at least this size.
    pub(crate) fn open(file: OwnedFd, size_bytes: u32) -> io::Result<SharedMemory> {
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS)?;
        let seals = SealFlag::from_bits_retain(seals);
        if !seals.contains(SealFlag::F_SEAL_SHRINK) {
            return Err(io::Error::other("the shared memory could be cut"));
        }
        let file = File::from(file);
        if file.metadata()?.len() < size_bytes.into() {
            return Err(io::Error::other("the shared memory is too small"));
        }
        SharedMemory::map(file)
    }

    fn map(file: File) -> io::Result<SharedMemory> {
        let map = MmapRaw::map_raw(&file)?;
        Ok(SharedMemory {
            map,
            file: file.into(),
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The first bytes, to be read once by whoever stores them.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn bytes(&self, length: usize) -> &[u8] {
        assert!(length <= self.map.len());
        // SAFETY: the mapping is `map.len()` bytes long, lives as long as `self`, and can't be cut (it is
        // sealed), so every byte can be read. `&mut` access from this process needs `&mut self`. The
        // other process may change bytes meanwhile: they are plain bytes, every value is valid, and the
        // callers only copy them, sum them up or hand them to the kernel; they decide nothing by them.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr(), length) }
    }

    /// The first bytes, to be filled.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn bytes_mut(&mut self, length: usize) -> &mut [u8] {
        assert!(length <= self.map.len());
        // SAFETY: as above; the mapping is writable, and `&mut self` keeps this process's other access out.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr(), length) }
    }
}

/// Takes a descriptor that the kernel just made for us; nix hands out its bare number.
pub(crate) fn own(fd: i32) -> OwnedFd {
    // SAFETY: recvmsg() made this descriptor for this process and told nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
