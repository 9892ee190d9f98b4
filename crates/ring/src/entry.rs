//! The memory of one request and its answer. All slices of that memory are made here.
//!
//! The kernel and this process use the memory in turn: the kernel from the moment an entry is submitted until its
//! completion, this process from the completion until the entry is submitted again. A [`Slot`] exists in the second
//! time only, and there is one at most.
#![allow(unsafe_code)] // Memory that the kernel fills has no safe form.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};
use pseudotape_wire::{DecodeError, Request, abi};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::desk::Desk;

/// Room for the header of a request or an answer (`FUSE_URING_IN_OUT_HEADER_SZ`).
const HEADER_BYTES: usize = 128;
/// Room for the arguments of fixed length (`FUSE_URING_OP_IN_OUT_SZ`).
const FIXED_BYTES: usize = 128;
/// The payload begins at a page of its own.
const PAYLOAD_AT: usize = 4096;

/// `struct fuse_uring_ent_in_out`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct EntryInOut {
    flags: u64,
    commit_id: u64,
    payload_bytes: u32,
    padding: u32,
    reserved: u64,
}

/// `struct fuse_uring_req_header`.
const HEADERS_BYTES: usize = HEADER_BYTES + FIXED_BYTES + size_of::<EntryInOut>();

/// Memory for one request and its answer.
#[derive(Debug)]
pub(crate) struct Memory {
    map: MmapRaw,
    payload_max_bytes: usize,
    /// What the kernel reads at the registration: where headers and payload are.
    areas: [libc::iovec; 2],
}

// SAFETY: the pointers in `areas` lead into `map`, which is as good in any thread; only the kernel follows them.
unsafe impl Send for Memory {}
// SAFETY: as above; nothing changes `areas`.
unsafe impl Sync for Memory {}

impl Memory {
    /// Memory that takes no room until it is used.
    pub(crate) fn new(payload_max_bytes: usize) -> io::Result<Self> {
        let map: MmapRaw = MmapOptions::new()
            .len(PAYLOAD_AT + payload_max_bytes)
            .map_anon()?
            .into();
        let area = |at: usize, length| libc::iovec {
            iov_base: map.as_mut_ptr().wrapping_add(at).cast(),
            iov_len: length,
        };
        Ok(Memory {
            areas: [area(0, HEADERS_BYTES), area(PAYLOAD_AT, payload_max_bytes)],
            map,
            payload_max_bytes,
        })
    }

    /// The address of the two areas, for the kernel.
    pub(crate) fn areas_address(&self) -> u64 {
        ptr::from_ref(&self.areas).addr() as u64
    }
}

/// A request that waits for its answer. One that is dropped is answered with `EIO`.
#[derive(Debug)]
pub struct Slot {
    memory: Arc<Memory>,
    desk: Arc<Desk>,
    unique: u64,
    payload_bytes: usize,
    answered: bool,
}

impl Slot {
    /// Takes a request over whose completion has come.
    ///
    /// # Safety
    ///
    /// The kernel must be done with the memory, and no other slot of it may exist until its entry is submitted again.
    pub(crate) unsafe fn taken(memory: Arc<Memory>, desk: Arc<Desk>) -> Self {
        let mut slot = Slot {
            memory,
            desk,
            unique: 0,
            payload_bytes: 0,
            answered: false,
        };
        let told = slot.read::<EntryInOut>(HEADER_BYTES + FIXED_BYTES);
        slot.unique = told.commit_id;
        let said = usize::try_from(told.payload_bytes).unwrap_or(usize::MAX);
        slot.payload_bytes = said.min(slot.memory.payload_max_bytes);
        slot
    }

    /// The request, taken apart.
    pub fn request(&self) -> Result<Request<'_>, DecodeError> {
        let header = self.read::<abi::InHeader>(0);
        let fixed = self.bytes(HEADER_BYTES..HEADER_BYTES + FIXED_BYTES);
        let payload = self.bytes(PAYLOAD_AT..PAYLOAD_AT + self.payload_bytes);
        Request::of_parts(&header, fixed, payload)
    }

    /// Room for the answer's bytes; where the request has bytes of its own, they are here too.
    pub fn payload(&mut self) -> &mut [u8] {
        self.bytes_mut(PAYLOAD_AT..PAYLOAD_AT + self.memory.payload_max_bytes)
    }

    /// Answers with the first bytes of [`Slot::payload`].
    pub fn answer(mut self, length: usize) {
        self.finish(0, length.min(self.memory.payload_max_bytes));
    }

    /// Answers with parts, one behind the other. Must fit in the payload.
    pub fn answer_with(mut self, parts: &[&[u8]]) {
        let payload = self.payload();
        let mut length = 0;
        for part in parts {
            let Some(room) = payload.get_mut(length..length + part.len()) else {
                return self.fail(libc::EIO);
            };
            room.copy_from_slice(part);
            length += part.len();
        }
        self.finish(0, length);
    }

    /// Answers with an error; the kernel takes 1 to 511 only.
    pub fn fail(mut self, errno: i32) {
        self.finish(errno, 0);
    }

    fn finish(&mut self, errno: i32, length: usize) {
        let errno = match errno {
            0..=abi::ERRNO_MAX => errno,
            _ => libc::EIO,
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let header = abi::OutHeader {
            len: length.saturating_add(size_of::<abi::OutHeader>() as u32),
            error: -errno,
            unique: self.unique,
        };
        self.write(0, &header);
        self.write(
            HEADER_BYTES + FIXED_BYTES,
            &EntryInOut {
                flags: 0,
                commit_id: self.unique,
                payload_bytes: length,
                padding: 0,
                reserved: 0,
            },
        );
        self.answered = true;
        self.desk.done(self.unique);
    }

    fn read<T: FromBytes>(&self, at: usize) -> T {
        T::read_from_bytes(self.bytes(at..at + size_of::<T>()))
            .unwrap_or_else(|_| unreachable!("as many bytes as it has"))
    }

    fn write<T: IntoBytes + Immutable>(&mut self, at: usize, value: &T) {
        let bytes = value.as_bytes();
        self.bytes_mut(at..at + bytes.len()).copy_from_slice(bytes);
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.memory.map.len());
        // SAFETY: inside the mapping (checked above), which lives as long as `memory`. Only this slot uses the memory
        // now (see `taken`), and it is borrowed.
        unsafe {
            std::slice::from_raw_parts(self.memory.map.as_ptr().add(range.start), range.len())
        }
    }

    fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.memory.map.len());
        // SAFETY: as in `bytes`, and the slot is borrowed alone.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.memory.map.as_mut_ptr().add(range.start),
                range.len(),
            )
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.answered {
            self.finish(libc::EIO, 0);
        }
    }
}
