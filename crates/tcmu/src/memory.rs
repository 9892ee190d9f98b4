//! The memory that the kernel and this process share. All of its bytes are read and written here, and each place is
//! checked here.
//!
//! The kernel writes an entry and its data, then moves the head; this process answers in the entry's place, then moves
//! the tail. So what lies between tail and head is this process's alone, and the rest is not looked at. A kernel that
//! does otherwise can give wrong data; it can't lead this process out of the memory.
#![allow(unsafe_code)] // Memory that the kernel fills has no safe form.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// The memory of one device: mailbox, ring and data.
#[derive(Debug)]
pub struct Memory {
    map: MmapRaw,
}

impl Memory {
    /// Maps that of a device, or of a file.
    pub(crate) fn of_device(device: &File, bytes: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(bytes).map_raw(device)?;
        Ok(Memory { map })
    }

    /// Memory of this process alone, for who plays the kernel.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(bytes).map_anon()?;
        Ok(Memory { map: map.into() })
    }

    /// How long it is.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The place of so many bytes, where they lie within the memory and `at` is a multiple of `alignment`. The mapping
    /// itself begins at a page.
    fn place(&self, at: usize, bytes: usize, alignment: usize) -> Option<*mut u8> {
        let end = at.checked_add(bytes)?;
        (end <= self.len() && at.is_multiple_of(alignment))
            .then(|| self.map.as_mut_ptr().wrapping_add(at))
    }

    pub(crate) fn get_u8(&self, at: usize) -> Option<u8> {
        let place = self.place(at, 1, 1)?;
        // SAFETY: `place` checked that the byte is mapped.
        Some(unsafe { place.read_volatile() })
    }

    pub(crate) fn get_u16(&self, at: usize) -> Option<u16> {
        let place = self.place(at, 2, 2)?.cast::<u16>();
        // SAFETY: `place` checked that these bytes are mapped and aligned.
        Some(unsafe { place.read_volatile() })
    }

    pub(crate) fn get_u32(&self, at: usize) -> Option<u32> {
        let place = self.place(at, 4, 4)?.cast::<u32>();
        // SAFETY: `place` checked that these bytes are mapped and aligned.
        Some(unsafe { place.read_volatile() })
    }

    pub(crate) fn get_u64(&self, at: usize) -> Option<u64> {
        let place = self.place(at, 8, 8)?.cast::<u64>();
        // SAFETY: `place` checked that these bytes are mapped and aligned.
        Some(unsafe { place.read_volatile() })
    }

    pub(crate) fn set_u8(&self, at: usize, value: u8) -> Option<()> {
        let place = self.place(at, 1, 1)?;
        // SAFETY: `place` checked that the byte is mapped.
        unsafe { place.write_volatile(value) };
        Some(())
    }

    pub(crate) fn set_u32(&self, at: usize, value: u32) -> Option<()> {
        let place = self.place(at, 4, 4)?.cast::<u32>();
        // SAFETY: `place` checked that these bytes are mapped and aligned.
        unsafe { place.write_volatile(value) };
        Some(())
    }

    fn atomic(&self, at: usize) -> Option<&AtomicU32> {
        let place = self.place(at, 4, 4)?.cast::<u32>();
        // SAFETY: `place` checked that these bytes are mapped and aligned, and they are for as long as `self` is. Head
        // and tail are read and written in no other way while the memory is shared.
        Some(unsafe { AtomicU32::from_ptr(place) })
    }

    /// Reads what the other side moves forward, before all that lies behind it.
    pub(crate) fn acquire_u32(&self, at: usize) -> Option<u32> {
        Some(self.atomic(at)?.load(Ordering::Acquire))
    }

    /// Moves forward what the other side reads, after all that lies before it.
    pub(crate) fn release_u32(&self, at: usize, value: u32) -> Option<()> {
        self.atomic(at)?.store(value, Ordering::Release);
        Some(())
    }

    /// Copies bytes out of the memory.
    pub(crate) fn copy_out(&self, at: usize, to: &mut [u8]) -> Option<()> {
        let place = self.place(at, to.len(), 1)?;
        // SAFETY: `place` checked that these bytes are mapped; `to` is memory of this process alone.
        unsafe { ptr::copy_nonoverlapping(place, to.as_mut_ptr(), to.len()) };
        Some(())
    }

    /// Copies bytes into the memory.
    pub(crate) fn copy_in(&self, at: usize, from: &[u8]) -> Option<()> {
        let place = self.place(at, from.len(), 1)?;
        // SAFETY: `place` checked that these bytes are mapped; `from` is memory of this process alone.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), place, from.len()) };
        Some(())
    }

    /// Zeros bytes of the memory.
    pub(crate) fn zero(&self, range: Range<usize>) -> Option<()> {
        let bytes = range.end.checked_sub(range.start)?;
        let place = self.place(range.start, bytes, 1)?;
        // SAFETY: `place` checked that these bytes are mapped.
        unsafe { ptr::write_bytes(place, 0, bytes) };
        Some(())
    }

    /// The bytes of a range, to be worked on in place: mapped for as long as `self` is.
    pub(crate) fn bytes(&self, range: Range<usize>) -> Option<*mut [u8]> {
        let bytes = range.end.checked_sub(range.start)?;
        let place = self.place(range.start, bytes, 1)?;
        Some(ptr::slice_from_raw_parts_mut(place, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_outside_of_the_memory_and_none_that_is_not_aligned_is_given() {
        let memory = Memory::new(4096).unwrap();
        assert_eq!(memory.set_u32(4092, 7), Some(()));
        assert_eq!(memory.get_u32(4092), Some(7));
        assert_eq!(memory.acquire_u32(4092), Some(7));
        for at in [4093, 4094, 4096, usize::MAX - 1, usize::MAX] {
            assert_eq!(memory.get_u32(at), None, "{at}");
            assert_eq!(memory.acquire_u32(at), None, "{at}");
        }
        assert_eq!(memory.get_u64(4096 - 8), Some(7 << 32));
        assert_eq!(memory.get_u64(4096 - 4), None);
        assert_eq!(memory.get_u16(1), None);
        assert_eq!(memory.copy_in(4090, b"123456"), Some(()));
        assert_eq!(memory.copy_in(4090, b"1234567"), None);
        let mut out = [0; 3];
        assert_eq!(memory.copy_out(4093, &mut out), Some(()));
        assert_eq!(&out, b"456");
        assert_eq!(memory.copy_out(4094, &mut out), None);
        assert_eq!(memory.zero(4093..4096), Some(()));
        assert_eq!(memory.get_u8(4095), Some(0));
        assert_eq!(memory.zero(4093..4097), None);
        let reversed = Range { start: 8, end: 4 };
        assert_eq!(memory.zero(reversed), None);
    }
}
