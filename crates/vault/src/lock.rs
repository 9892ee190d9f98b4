//! One command at a time changes a vault; another one waits, or says who has it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::Error;
use crate::layout::LOCK_FILE;

/// Between two tries. `flock` can't wait for no longer than a time.
const PAUSE: Duration = Duration::from_millis(10);

/// Held until it is dropped. The kernel drops it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Waits for whoever has the vault, and writes into the file who has it now.
    pub(crate) fn take(directory: &Path, doing: &str, seconds: u64) -> Result<Self, Error> {
        let path = directory.join(LOCK_FILE);
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = open.map_err(|error| Error::host("write", &path, error))?;
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut locked = loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => break locked,
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
                Err((_, errno)) => return Err(Error::host("lock", path, errno.into())),
            };
            if Instant::now() >= until {
                return Err(Error::Held {
                    directory: directory.to_owned(),
                    holder: holder(&mut file),
                    seconds,
                });
            }
            thread::sleep(PAUSE);
        };
        let process = std::process::id();
        let written = locked
            .set_len(0)
            .and_then(|()| locked.rewind())
            .and_then(|()| locked.write_all(format!("{doing}\nprocess {process}\n").as_bytes()));
        match written {
            // The words are for whoever waits; the lock holds without them.
            Ok(()) | Err(_) => Ok(Lock { _file: locked }),
        }
    }
}

/// Who has it, as far as its file says.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let lines: Vec<&str> = text.lines().collect();
    match (read, lines.as_slice()) {
        (Ok(_), [doing, process]) => format!("'{}' ({process})", doing.escape_debug()),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_too_long_is_told_who_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Lock::take(folder.path(), "vault add", 1).expect("free");
        let error = Lock::take(folder.path(), "vault rm", 0).expect_err("held");
        let process = std::process::id();
        let words = format!("is held by 'vault add' (process {process}), for more than 0 s");
        assert!(error.to_string().contains(&words), "{error}");
        drop(held);
        Lock::take(folder.path(), "vault rm", 0).expect("free again");
    }

    #[test]
    fn who_waits_gets_it_when_it_is_let_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Lock::take(folder.path(), "one", 1).expect("free");
        thread::scope(|scope| {
            let waits = scope.spawn(|| Lock::take(folder.path(), "other", 600));
            drop(held);
            waits.join().expect("no panic").expect("its turn");
        });
    }
}
