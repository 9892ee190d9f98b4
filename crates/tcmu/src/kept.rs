//! A few bytes that outlive the process: what whoever serves a device next has to know.
//!
//! They are written into shared memory of a file, since that costs no system call, and are written twice in turn, so
//! that a process that is killed in the middle leaves the bytes before. They do not survive the machine; neither do the
//! commands in a ring.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::memory::Memory;

/// How many bytes can be kept.
pub const KEPT_BYTES: usize = PLACE_BYTES - LENGTH_BYTES;

const PLACE_BYTES: usize = 4096;
const LENGTH_BYTES: usize = 4;
/// Says which of both places holds: 1 or 2; 0 of a new file.
const CURRENT: usize = 0;
const FILE_BYTES: usize = 3 * PLACE_BYTES;

/// A file of kept bytes.
#[derive(Debug)]
pub struct Kept {
    memory: Memory,
}

impl Kept {
    /// Opens the file, or makes one that holds nothing. Only the owner may read it.
    pub fn open(path: &Path) -> io::Result<Kept> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(path)?;
        if file.metadata()?.len() != FILE_BYTES as u64 {
            // Another version's, or one that was just made.
            file.set_len(0)?;
            file.set_len(FILE_BYTES as u64)?;
        }
        let memory = Memory::of_device(&file, FILE_BYTES)?;
        Ok(Kept { memory })
    }

    fn current(&self) -> Option<usize> {
        match self.memory.acquire_u32(CURRENT) {
            Some(1) => Some(PLACE_BYTES),
            Some(2) => Some(2 * PLACE_BYTES),
            _ => None,
        }
    }

    /// What was written last; empty where nothing was.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        let Some(at) = self.current() else {
            return Vec::new();
        };
        let length = self.memory.get_u32(at).unwrap_or(0) as usize;
        let mut bytes = vec![0; length.min(KEPT_BYTES)];
        self.memory.copy_out(at + LENGTH_BYTES, &mut bytes);
        bytes
    }

    /// Writes these bytes in the place of those before, all of them or none. More than [`KEPT_BYTES`] are cut.
    pub fn write(&self, bytes: &[u8]) {
        let (at, next) = match self.current() {
            Some(PLACE_BYTES) => (2 * PLACE_BYTES, 2),
            _ => (PLACE_BYTES, 1),
        };
        let bytes = bytes.get(..KEPT_BYTES).unwrap_or(bytes);
        let length = u32::try_from(bytes.len()).unwrap_or(0);
        self.memory.set_u32(at, length);
        self.memory.copy_in(at + LENGTH_BYTES, bytes);
        self.memory.release_u32(CURRENT, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_read_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept");
        let kept = Kept::open(&path).unwrap();
        assert_eq!(kept.read(), b"");
        for number in 0..5_u8 {
            kept.write(&[number; 100][..usize::from(number)]);
            assert_eq!(
                Kept::open(&path).unwrap().read(),
                vec![number; number.into()]
            );
        }
        kept.write(&[7; 5000]);
        assert_eq!(kept.read(), [7; KEPT_BYTES]);
    }

    /// A process that is killed while it writes has not yet said where.
    #[test]
    fn half_a_write_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept");
        let kept = Kept::open(&path).unwrap();
        kept.write(b"first");
        kept.memory.copy_in(2 * PLACE_BYTES, &[0xff; 100]).unwrap();
        assert_eq!(kept.read(), b"first");
        kept.write(b"second");
        kept.memory.copy_in(PLACE_BYTES, &[0xff; 100]).unwrap();
        assert_eq!(kept.read(), b"second");
    }

    #[test]
    fn a_file_of_another_kind_holds_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept");
        std::fs::write(&path, [1; 77]).unwrap();
        assert_eq!(Kept::open(&path).unwrap().read(), b"");
        std::fs::write(&path, [0xff; FILE_BYTES]).unwrap();
        assert_eq!(Kept::open(&path).unwrap().read(), b"");
        let mut bytes = vec![0xff; FILE_BYTES];
        bytes[..4].copy_from_slice(&[1, 0, 0, 0]);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Kept::open(&path).unwrap().read().len(), KEPT_BYTES);
    }
}
