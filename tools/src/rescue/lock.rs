//! One rescue into a DST at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// Held as long as a rescue is at work, from before it looks whether its DST is there: two that make the same DST would
/// clear away each other's files. A kill leaves the file, which then holds nobody back.
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// `target` is what messages call it.
    pub(crate) fn take(path: PathBuf, target: &Path) -> Result<Self> {
        let failed = || format!("can't lock {}", path.display());
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .with_context(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(at_work(target, &mut file)),
                Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
            }
            // The one before may have removed it meanwhile: then this is no file that others find.
            if !is_it(&file, &path) {
                continue;
            }
            // On a full disk the lock holds all the same; the number is for words only.
            drop(
                file.set_len(0)
                    .and_then(|()| writeln!(file, "{}", std::process::id())),
            );
            return Ok(Lock { path, _file: file });
        }
    }

    /// Why a DST is in use, where another rescue has it.
    pub(crate) fn holder(path: &Path, target: &Path) -> Option<anyhow::Error> {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(at_work(target, &mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that stays is taken by the next.
        drop(fs::remove_file(&self.path));
    }
}

fn is_it(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let (ours, theirs) = (file.metadata()?, fs::metadata(path)?);
        Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()))
    };
    same().unwrap_or(false)
}

fn at_work(target: &Path, file: &mut File) -> anyhow::Error {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    let process = match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(process) => format!(" (process {process})"),
        None => String::new(),
    };
    anyhow!(
        "another rescue into {} is at work{process}: wait until it has ended; the same command goes on from there",
        target.display()
    )
}
