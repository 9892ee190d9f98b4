//! The file under a capsule's image. What is committed is the volume's affair: many capsules at once.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use pseudotape_image::{MemoryStore, Reserved, Store};

use super::behind::Behind;
use crate::step::{Step, Steps};

/// Up to this length a capsule is made in memory and written by one call.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// A file, and perhaps its bytes that are not in it yet.
pub(crate) struct CapsuleStore {
    file: Arc<File>,
    memory: Option<MemoryStore>,
    /// Who writes what is too long for memory.
    behind: Mutex<Option<Behind>>,
    name: String,
    steps: Steps,
}

impl CapsuleStore {
    /// A file that is empty.
    pub(crate) fn to_write(file: File, name: String, steps: Steps) -> Self {
        CapsuleStore {
            file: Arc::new(file),
            memory: Some(MemoryStore::default()),
            behind: Mutex::default(),
            name,
            steps,
        }
    }

    /// A file that has its bytes.
    pub(crate) fn to_read(file: File) -> Self {
        CapsuleStore {
            file: Arc::new(file),
            memory: None,
            behind: Mutex::default(),
            name: String::new(),
            steps: Steps::default(),
        }
    }

    /// The file, with all its bytes in it.
    pub(crate) fn into_file(mut self) -> io::Result<File> {
        self.spill()?;
        self.settle()?;
        // Its thread has the file, too.
        drop(self.behind);
        Arc::try_unwrap(self.file).or_else(|shared| shared.try_clone())
    }

    fn spill(&mut self) -> io::Result<()> {
        let Some(memory) = self.memory.take() else {
            return Ok(());
        };
        let bytes = memory.into_bytes();
        self.tell(bytes.len() as u64)?;
        self.file.write_all_at(&bytes, 0)
    }

    fn tell(&self, bytes: u64) -> io::Result<()> {
        let name = &self.name;
        self.steps.tell(Step::Writing { name, bytes })
    }

    /// Returns when the file has all bytes that were written.
    fn settle(&self) -> io::Result<()> {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        behind.as_mut().map_or(Ok(()), Behind::wait)
    }

    fn write_behind(&mut self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let behind = self.behind.get_mut();
        let behind = behind.unwrap_or_else(PoisonError::into_inner);
        let behind = match behind {
            Some(behind) => behind,
            None => match Behind::start(Arc::clone(&self.file)) {
                Ok(started) => behind.insert(started),
                // A host that has no thread left: slower, and well all the same.
                Err(_) => return write_now(&self.file, buffers, offset),
            },
        };
        behind.write(buffers, offset)
    }
}

fn write_now(file: &File, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
    let mut at = offset;
    for buffer in buffers {
        file.write_all_at(buffer, at)?;
        at = at.saturating_add(buffer.len() as u64);
    }
    Ok(())
}

impl Store for CapsuleStore {
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        if let Some(memory) = &self.memory {
            return memory.read_vectored_at(buffers, offset);
        }
        self.settle()?;
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
        self.tell(length)?;
        self.write_behind(buffers, offset)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        match &mut self.memory {
            Some(memory) => memory.truncate(length),
            None => {
                self.settle()?;
                self.file.set_len(length)
            }
        }
    }

    fn length(&self) -> io::Result<u64> {
        match &self.memory {
            Some(memory) => memory.length(),
            None => {
                self.settle()?;
                Ok(self.file.metadata()?.len())
            }
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
