//! Where the state of a library is kept: one file, which is replaced and never changed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file of a library on its host. It is replaced in four steps, so that whoever comes after a crash finds the old
/// content or the new one.
pub trait Host {
    /// The content; `None` where there is no file yet.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// First step: writes the new content beside the file.
    fn write_new(&mut self, content: &[u8]) -> io::Result<()>;

    /// Second step: brings the new content to stable storage.
    fn sync_new(&mut self) -> io::Result<()>;

    /// Third step: puts the new content in the place of the old one.
    fn rename_new(&mut self) -> io::Result<()>;

    /// Fourth step: brings the exchange of the two to stable storage.
    fn sync_folder(&mut self) -> io::Result<()>;
}

/// The name of the file in the folder of a library.
const STATE: &str = "library.json";
const NEW: &str = "library.json.new";

/// A folder, locked for as long as this value lives: a library has one owner.
#[derive(Debug)]
pub struct FileHost {
    folder: PathBuf,
    /// The folder itself, opened: it carries the lock.
    lock: File,
    new: Option<File>,
}

impl FileHost {
    /// Takes the folder; [`io::ErrorKind::WouldBlock`] where another process has it.
    pub fn open(folder: &Path) -> io::Result<FileHost> {
        let lock = File::open(folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another process has this library",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(FileHost {
            folder: folder.to_owned(),
            lock,
            new: None,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for FileHost {
    /// Gives the lock back. A close alone would leave it for as long as a child process of this one shares the open
    /// folder, from its fork to its exec.
    fn drop(&mut self) {
        // Where that fails, the close does it.
        drop(self.lock.unlock());
    }
}

impl Host for FileHost {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.folder.join(STATE)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_new(&mut self, content: &[u8]) -> io::Result<()> {
        self.new = None;
        let mut file = File::create(self.folder.join(NEW))?;
        file.write_all(content)?;
        self.new = Some(file);
        Ok(())
    }

    fn sync_new(&mut self) -> io::Result<()> {
        match self.new.take() {
            Some(file) => file.sync_all(),
            None => Err(io::Error::other("nothing new was written")),
        }
    }

    fn rename_new(&mut self) -> io::Result<()> {
        fs::rename(self.folder.join(NEW), self.folder.join(STATE))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.lock.sync_all()
    }
}

/// A host that forgets everything with the process, for tests and trials.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost {
    content: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

impl Host for MemoryHost {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.content.clone())
    }

    fn write_new(&mut self, content: &[u8]) -> io::Result<()> {
        self.new = Some(content.to_owned());
        Ok(())
    }

    fn sync_new(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn rename_new(&mut self) -> io::Result<()> {
        match self.new.take() {
            Some(new) => {
                self.content = Some(new);
                Ok(())
            }
            None => Err(io::Error::other("nothing new was written")),
        }
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = FileHost::open(folder.path()).unwrap();
        let second = FileHost::open(folder.path()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        FileHost::open(folder.path()).unwrap();
    }

    #[test]
    fn the_old_content_stays_until_the_new_one_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut host = FileHost::open(folder.path()).unwrap();
        assert_eq!(host.read().unwrap(), None);
        for content in [b"one", b"two"] {
            let before = host.read().unwrap();
            host.write_new(content).unwrap();
            host.sync_new().unwrap();
            assert_eq!(host.read().unwrap(), before);
            host.rename_new().unwrap();
            host.sync_folder().unwrap();
            assert_eq!(host.read().unwrap().as_deref(), Some(&content[..]));
        }
        assert!(host.sync_new().is_err(), "nothing new is there");
    }
}
