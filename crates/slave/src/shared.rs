//! Shared memory of master and slave, for payloads. All `unsafe` code of the crate is here.
//!
//! The protocol decides which side may use the memory. At most one request is outstanding. From a request to
//! its reply the memory belongs to the slave; at any other time it belongs to the master. The other process can
//! break this rule. So nothing is parsed from the memory: lengths and offsets come from the headers, which are
//! private copies. A process that breaks the rule can only make the content of a block wrong, which it could do
//! without shared memory too.
//!
//! The master copies between the memory and buffers of its own, and never holds a reference to the memory
//! ([`OfferedMemory`]). The slave passes the memory itself to its drive: [`TakenMemory::lend`] is the only
//! function that makes a slice of it. docs/decisions/0008-shared-memory.md has the reasons.
#![allow(unsafe_code)] // A mapping that another process changes has no safe form.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use memmap2::MmapRaw;
use nix::cmsg_space;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

/// The master's side: a mapped memfd whose size can't change any more.
pub(crate) struct OfferedMemory {
    map: MmapRaw,
    file: OwnedFd,
}

impl OfferedMemory {
    /// Creates memory of this size. The kernel allocates a page when it is first used.
    pub(crate) fn create(size_bytes: u32) -> io::Result<OfferedMemory> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"pseudotape-slave", flags)?);
        file.set_len(size_bytes.into())?;
        // Without the seal the other side could truncate the file, and the next access to the mapping would
        // kill this process (SIGBUS).
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(OfferedMemory {
            map: MmapRaw::map_raw(&file)?,
            file: file.into(),
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Copies a payload to the beginning of the memory.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn store(&mut self, payload: &[u8]) {
        assert!(payload.len() <= self.map.len());
        // SAFETY: the mapping is writable, is at least this long (checked above), lives as long as `self` and
        // can't be truncated (it is sealed). `payload` is other memory: no slice of the mapping exists in this
        // process. The copy uses raw pointers, and no decision depends on the mapping's bytes, so the slave may
        // change them during the copy.
        unsafe {
            ptr::copy_nonoverlapping(payload.as_ptr(), self.map.as_mut_ptr(), payload.len());
        }
    }

    /// Copies a payload from the beginning of the memory. The caller checks the checksum of the copy, not of
    /// the memory.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn fetch(&self, payload: &mut [u8]) {
        assert!(payload.len() <= self.map.len());
        // SAFETY: as in `store`, in the other direction. Every value of a byte is valid.
        unsafe {
            ptr::copy_nonoverlapping(self.map.as_ptr(), payload.as_mut_ptr(), payload.len());
        }
    }
}

/// The slave's side: the mapped memory of the master.
pub(crate) struct TakenMemory {
    map: MmapRaw,
}

impl TakenMemory {
    /// Maps memory that the master created. It must have at least this size.
    pub(crate) fn open(file: OwnedFd, size_bytes: u32) -> io::Result<TakenMemory> {
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS)?;
        let seals = SealFlag::from_bits_retain(seals);
        if !seals.contains(SealFlag::F_SEAL_SHRINK) {
            return Err(io::Error::other("the shared memory could be cut"));
        }
        let file = File::from(file);
        if file.metadata()?.len() < size_bytes.into() {
            return Err(io::Error::other("the shared memory is too small"));
        }
        let map = MmapRaw::map_raw(&file)?;
        Ok(TakenMemory { map })
    }

    /// Lends the first bytes to the operation of the outstanding request: a drive writes them to the tape, or
    /// reads into them.
    ///
    /// Must be called between a request and its reply only, while the memory belongs to the slave.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn lend(&mut self, length: usize) -> &mut [u8] {
        assert!(length <= self.map.len());
        // SAFETY: the mapping is writable, is at least this long (checked above), lives as long as `self` and
        // can't be truncated (it is sealed). `&mut self` excludes every other access by this process.
        //
        // The compiler can't check that the other process leaves the bytes alone while the slice exists. The
        // protocol demands it: the master waits for the reply, and copies only before its request and after the
        // reply. A master that writes nevertheless breaks the contract of the slice. No decision in this crate
        // depends on the bytes, every value of a byte is valid, and drives only store, checksum or fill the
        // bytes. So only the content of that master's own block becomes wrong. A private copy would exclude
        // even that, but would make long records slower by half (docs/decisions/0008-shared-memory.md).
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr(), length) }
    }
}

/// Reads from a socket. Returns the number of bytes read, and the descriptor that came with them, if any.
pub(crate) fn receive_with_descriptor(
    stream: &UnixStream,
    room: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut control = cmsg_space!([i32; 1]);
    let mut parts = [IoSliceMut::new(room)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let mut passed = None;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = part {
            for fd in fds {
                // SAFETY: recvmsg() has just created this descriptor for this process. nix returns its bare
                // number, and no other code has that number.
                passed = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    Ok((message.bytes, passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(size: u32) -> (OfferedMemory, TakenMemory) {
        let offered = OfferedMemory::create(size).unwrap();
        let file = offered.fd().try_clone_to_owned().unwrap();
        let taken = TakenMemory::open(file, size).unwrap();
        (offered, taken)
    }

    #[test]
    fn what_one_side_stores_the_other_side_has() {
        for length in [0_usize, 1, 7, 4096, 5000] {
            let (mut offered, mut taken) = pair(5000);
            let record: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0] | 1).collect();
            offered.store(&record);
            assert_eq!(taken.lend(length), record);
            assert!(taken.lend(5000)[length..].iter().all(|byte| *byte == 0));
            for byte in taken.lend(length) {
                *byte ^= 0x55;
            }
            let mut back = vec![0; length];
            offered.fetch(&mut back);
            assert!(record.iter().zip(&back).all(|(a, b)| *a == b ^ 0x55));
        }
    }

    #[test]
    fn memory_that_could_be_cut_or_is_too_small_is_refused() {
        let (offered, _) = pair(100);
        let file = || offered.fd().try_clone_to_owned().unwrap();
        assert!(TakenMemory::open(file(), 100).is_ok());
        let error = TakenMemory::open(file(), 101).err().unwrap();
        assert!(error.to_string().contains("too small"), "{error}");
        let unsealed = memfd_create(c"unsealed", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        let error = TakenMemory::open(unsealed, 0).err().unwrap();
        assert!(error.to_string().contains("could be cut"), "{error}");
    }
}
