use std::io::{self, IoSlice, IoSliceMut};

use crate::layout::wide;
use crate::store::{Reserved, Store};

/// An image in memory, for tests and tools.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    bytes: Vec<u8>,
}

impl MemoryStore {
    /// A store with these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        MemoryStore { bytes }
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Memory can't hold what a `usize` can't count.
fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl Store for MemoryStore {
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        let mut rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..))
            .unwrap_or_default();
        let mut done = 0;
        for buffer in buffers {
            let count = buffer.len().min(rest.len());
            let (here, behind) = rest.split_at(count);
            if let Some(into) = buffer.get_mut(..count) {
                into.copy_from_slice(here);
            }
            rest = behind;
            done += count;
        }
        Ok(done)
    }

    fn write_vectored_at(&mut self, buffers: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut at = index(offset)?;
        for buffer in buffers {
            let end = at
                .checked_add(buffer.len())
                .ok_or(io::ErrorKind::FileTooLarge)?;
            if end > self.bytes.len() {
                self.bytes.resize(end, 0);
            }
            if let Some(into) = self.bytes.get_mut(at..end) {
                into.copy_from_slice(buffer);
            }
            at = end;
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.bytes.resize(index(length)?, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(wide(self.bytes.len()))
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reserve(&mut self, _up_to: u64) -> io::Result<Reserved> {
        Ok(Reserved::Held)
    }
}
