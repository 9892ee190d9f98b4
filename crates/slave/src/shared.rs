//! Memory that master and slave share, for payloads. All of the crate's `unsafe` is here.
//!
//! Who may touch the memory is a matter of the protocol. At most one request is outstanding. From a request to its
//! reply the memory is the slave's; at any other time it is the master's. The other process can break that rule. So
//! nothing is parsed from the memory: lengths and places come from the headers, which are private copies. A process
//! that breaks the rule can make a block's content wrong, which it could do anyway, and nothing else.
//!
//! The master copies between the memory and buffers of its own, and never holds a reference to the memory
//! ([`OfferedMemory`]). The slave hands the memory itself to its drive ([`TakenMemory::lend`]), which is the only
//! place that makes a slice of it. docs/decisions/0008-shared-memory.md says why.
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
    /// Makes memory of this size. Pages cost nothing until they are used.
    pub(crate) fn create(size_bytes: u32) -> io::Result<OfferedMemory> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"pseudotape-slave", flags)?);
        file.set_len(size_bytes.into())?;
        // Else the other side could cut it, and the next touch of the mapping would end this process.
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
        // SAFETY: the mapping is writable, is at least this long (checked above), lives as long as `self` and can't be
        // cut (it is sealed). `payload` is other memory: no slice of the mapping exists in this process. The copy is
        // of raw pointers and nothing is concluded from the mapping's bytes, so that it means nothing to this process
        // if the slave changes them meanwhile.
        unsafe {
            ptr::copy_nonoverlapping(payload.as_ptr(), self.map.as_mut_ptr(), payload.len());
        }
    }

    /// Copies a payload from the beginning of the memory. What is checked is checked in the copy.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn fetch(&self, payload: &mut [u8]) {
        assert!(payload.len() <= self.map.len());
        // SAFETY: as in `store`, the other way round; every value of a byte is valid.
        unsafe {
            ptr::copy_nonoverlapping(self.map.as_ptr(), payload.as_mut_ptr(), payload.len());
        }
    }
}

/// The slave's side: what a master has offered, mapped.
pub(crate) struct TakenMemory {
    map: MmapRaw,
}

impl TakenMemory {
    /// Maps memory that a master made, of at least this size.
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

    /// Lends the first bytes to whoever works on the request in hand: a drive writes what lies there, or reads into it.
    ///
    /// To be called between a request and its reply only, while the memory is the slave's.
    ///
    /// # Panics
    ///
    /// Beyond the size: callers have checked the length.
    pub(crate) fn lend(&mut self, length: usize) -> &mut [u8] {
        assert!(length <= self.map.len());
        // SAFETY: the mapping is writable, is at least this long (checked above), lives as long as `self` and can't be
        // cut (it is sealed). `&mut self` keeps every other access of this process out.
        //
        // What the compiler can't check is that the other process leaves the bytes alone while the slice exists. The
        // protocol demands it: the master waits for the reply, and copies only before it asks and after it is
        // answered. A master that writes all the same breaks the contract of the slice. This crate concludes nothing
        // from the bytes, every value of a byte is valid, and drives store, sum up or fill them; so what comes out
        // wrong is the content of that master's own block. A private copy would exclude even that, and would make
        // long records slower by half (docs/decisions/0008-shared-memory.md).
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr(), length) }
    }
}

/// Reads from a socket; gives how much was read, and the descriptor that came along, if any.
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
                // SAFETY: recvmsg() has just made this descriptor for this process, nix hands out its bare number, and
                // nobody else was told that number.
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
