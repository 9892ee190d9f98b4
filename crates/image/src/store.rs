use std::io::{self, IoSlice, IoSliceMut};

use crate::cache::CachePolicy;
use crate::error::Error;

/// How sure room is that [`Store::reserve`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It belongs to this store.
    Held,
    /// It was free a moment ago; others may take it.
    Estimated,
}

/// A byte-addressed place under one image.
///
/// No call is interrupted by signals, and none returns having done only a part, except reads at the end.
pub trait Store: Send {
    /// Reads from `offset` on into the buffers, in order; short only at the end.
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize>;

    /// Writes the buffers one after the other at `offset`: all, or an error (and then perhaps a part).
    ///
    /// The slices may be used up by the call.
    fn write_vectored_at(&mut self, buffers: &mut [IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Cuts (or lengthens by zeros) to `length`, and gives back room reserved behind it.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Says how long the store is.
    fn length(&self) -> io::Result<u64>;

    /// Returns when everything done before is on stable storage.
    fn sync(&mut self) -> io::Result<()>;

    /// Makes room up to byte `up_to` without making the store longer.
    ///
    /// `StorageFull` or `QuotaExceeded` where there is none; a later write may still succeed.
    fn reserve(&mut self, up_to: u64) -> io::Result<Reserved>;

    /// Where bytes are stored at or behind `offset`: everything between is zeros that take no room. The length of the
    /// store where none are; `offset` itself where that is not known.
    fn next_data(&self, offset: u64) -> io::Result<u64> {
        Ok(offset)
    }

    /// Says what stays in the host's page cache. A store that is not in a file has none.
    fn set_cache(&mut self, _policy: CachePolicy) {}

    /// Told when an image in this store is open: whoever watched the opening has nothing more to see.
    fn opened(&mut self) {}

    /// Checks that others find here what was written: the store can be reached, and is not shorter than `end`.
    ///
    /// Asked at each commit. A store that only its holder can reach has nothing to check.
    fn check_presence(&mut self, _end: u64) -> Result<(), Error> {
        Ok(())
    }

    /// Reads from `offset` on; short only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_vectored_at(&mut [IoSliceMut::new(buffer)], offset)
    }

    /// Writes all at `offset`, or an error.
    fn write_at(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        self.write_vectored_at(&mut [IoSlice::new(data)], offset)
    }
}
