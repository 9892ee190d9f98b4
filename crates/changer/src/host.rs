//! Where the state of a library is kept: one file, which is appended to or replaced, and never changed in place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file of a library on its host. It grows in two steps and is replaced in four. So whoever comes after a crash
/// finds the old content or the new one, or the old one with a part of the line that was on its way.
pub trait Host {
    /// The content; `None` where there is no file yet.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// First step of growing: writes a line behind the file, which has to be `at` bytes long.
    fn append(&mut self, at: u64, line: &[u8]) -> io::Result<()>;

    /// Second step of growing: brings what was appended to stable storage.
    fn sync_appended(&mut self) -> io::Result<()>;

    /// First step of replacing: writes the new content beside the file.
    fn write_new(&mut self, content: &[u8]) -> io::Result<()>;

    /// Second step of replacing: brings the new content to stable storage.
    fn sync_new(&mut self) -> io::Result<()>;

    /// Third step of replacing: puts the new content in the place of the old one.
    fn rename_new(&mut self) -> io::Result<()>;

    /// Fourth step of replacing: brings the exchange of the two to stable storage.
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
    /// The file with a line that is not on stable storage yet.
    appended: Option<File>,
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
            appended: None,
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
        let path = self.folder.join(STATE);
        match is_there(&path)? {
            true => fs::read(path).map(Some),
            false => Ok(None),
        }
    }

    fn append(&mut self, at: u64, line: &[u8]) -> io::Result<()> {
        self.appended = None;
        let path = self.folder.join(STATE);
        if !is_there(&path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut file = OpenOptions::new().append(true).open(path)?;
        if file.metadata()?.len() != at {
            return Err(io::Error::other(
                "somebody else has changed the file since this process read it",
            ));
        }
        if let Err(error) = file.write_all(line) {
            // Where the part that was written can't be taken away, it is a torn line.
            drop(file.set_len(at));
            return Err(error);
        }
        self.appended = Some(file);
        Ok(())
    }

    fn sync_appended(&mut self) -> io::Result<()> {
        match self.appended.take() {
            Some(file) => file.sync_data(),
            None => Err(io::Error::other("nothing was appended")),
        }
    }

    fn write_new(&mut self, content: &[u8]) -> io::Result<()> {
        self.new = None;
        let path = self.folder.join(NEW);
        // Left by a process that died. What else has this name is not written into.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(path)?;
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

/// Whether the file is there. Anything else with its name is refused: to open a FIFO would wait for another program.
fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
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

    fn append(&mut self, at: u64, line: &[u8]) -> io::Result<()> {
        match &mut self.content {
            Some(content) if content.len() as u64 == at => {
                content.extend_from_slice(line);
                Ok(())
            }
            _ => Err(io::Error::other("the file has another length")),
        }
    }

    fn sync_appended(&mut self) -> io::Result<()> {
        Ok(())
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

    #[test]
    fn a_line_goes_behind_the_file_that_was_read_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut host = FileHost::open(folder.path()).unwrap();
        assert!(host.append(0, b"line").is_err(), "there is no file");
        fs::write(folder.path().join(STATE), b"one\n").unwrap();
        host.append(4, b"two\n").unwrap();
        host.sync_appended().unwrap();
        assert_eq!(host.read().unwrap().unwrap(), b"one\ntwo\n");
        assert!(host.sync_appended().is_err(), "nothing is to be synced");
        let refused = host.append(4, b"three\n").unwrap_err().to_string();
        assert!(refused.contains("somebody else"), "{refused}");
        assert_eq!(host.read().unwrap().unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let mut host = FileHost::open(folder.path()).unwrap();
        let state = folder.path().join(STATE);
        let made = std::process::Command::new("mkfifo").arg(&state).status();
        assert!(made.unwrap().success());
        for refused in [host.read().map(drop), host.append(0, b"line")] {
            assert_eq!(refused.unwrap_err().to_string(), "it is no regular file");
        }
        // One with the name of the new file is no way to hang a change.
        fs::rename(&state, folder.path().join(NEW)).unwrap();
        host.write_new(b"new").unwrap();
        host.sync_new().unwrap();
        host.rename_new().unwrap();
        assert_eq!(host.read().unwrap().unwrap(), b"new");
        fs::remove_file(&state).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &state).unwrap();
        assert!(host.read().is_err() && host.append(0, b"line").is_err());
    }
}
