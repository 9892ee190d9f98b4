//! The file under a capsule's image. What is committed is the volume's affair: many capsules at once.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;

use pseudotape_image::{MemoryStore, Reserved, Store};
use rustix::io::Errno;

use crate::step::{Step, Steps};

/// Up to this length a capsule is made in memory and written by one call.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// A file, and perhaps its bytes that are not in it yet.
pub(crate) struct CapsuleStore {
    file: File,
    memory: Option<MemoryStore>,
    name: String,
    steps: Steps,
}

impl CapsuleStore {
    /// A file that is empty.
    pub(crate) fn to_write(file: File, name: String, steps: Steps) -> Self {
        CapsuleStore {
            file,
            memory: Some(MemoryStore::default()),
            name,
            steps,
        }
    }

    /// A file that has its bytes.
    pub(crate) fn to_read(file: File) -> Self {
        CapsuleStore {
            file,
            memory: None,
            name: String::new(),
            steps: Steps::default(),
        }
    }

    /// The file, with all its bytes in it.
    pub(crate) fn into_file(mut self) -> io::Result<File> {
        self.spill()?;
        Ok(self.file)
    }

    fn spill(&mut self) -> io::Result<()> {
        match self.memory.take() {
            Some(memory) => {
                let bytes = memory.into_bytes();
                self.steps.tell(Step::Writing {
                    name: &self.name,
                    bytes: bytes.len() as u64,
                })?;
                self.file.write_all_at(&bytes, 0)
            }
            None => Ok(()),
        }
    }
}

impl Store for CapsuleStore {
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        if let Some(memory) = &self.memory {
            return memory.read_vectored_at(buffers, offset);
        }
        let mut done = 0;
        for buffer in buffers {
            let mut rest = &mut buffer[..];
            while !rest.is_empty() {
                match self.file.read_at(rest, offset.saturating_add(done as u64)) {
                    Ok(0) => return Ok(done),
                    Ok(bytes) => {
                        done += bytes;
                        rest = rest.get_mut(bytes..).unwrap_or_default();
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(done)
    }

    fn write_vectored_at(&mut self, buffers: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let length: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        if offset.saturating_add(length) > IN_MEMORY_BYTES {
            self.spill()?;
        }
        if let Some(memory) = &mut self.memory {
            return memory.write_vectored_at(buffers, offset);
        }
        self.steps.tell(Step::Writing {
            name: &self.name,
            bytes: length,
        })?;
        let mut rest = &mut buffers[..];
        let mut at = offset;
        while !rest.iter().all(|buffer| buffer.is_empty()) {
            match rustix::io::pwritev(&self.file, rest, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    at = at.saturating_add(bytes as u64);
                    IoSlice::advance_slices(&mut rest, bytes);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        match &mut self.memory {
            Some(memory) => memory.truncate(length),
            None => self.file.set_len(length),
        }
    }

    fn length(&self) -> io::Result<u64> {
        match &self.memory {
            Some(memory) => memory.length(),
            None => Ok(self.file.metadata()?.len()),
        }
    }

    /// Nothing: whoever makes the capsule commits it, with others.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Room is not held: a capsule that does not fit is dropped as a whole.
    fn reserve(&mut self, _: u64) -> io::Result<Reserved> {
        Ok(Reserved::Held)
    }
}
