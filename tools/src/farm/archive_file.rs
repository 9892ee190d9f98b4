//! An archive of a farm in a file, or on standard output.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

/// Standard output.
const HERE: &str = "-";

/// Where an archive goes that is on no tape.
pub(super) struct ArchiveFile {
    out: Box<dyn Write>,
    name: String,
    /// A file that gets its name when it is whole.
    new: Option<New>,
    blocks: u64,
    failed: Option<String>,
}

/// A file that is not there yet.
struct New {
    file: File,
    at: PathBuf,
    path: PathBuf,
}

/// Whether the archive goes to standard output, where nothing else may go then.
pub(super) fn is_here(path: &Path) -> bool {
    path == Path::new(HERE)
}

impl ArchiveFile {
    /// A new file, or one that is no regular file: a FIFO, a device.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let of = |out: Box<dyn Write>, new| ArchiveFile {
            out,
            name: name.clone(),
            new,
            blocks: 0,
            failed: None,
        };
        if is_here(path) {
            ensure!(
                !io::stdout().is_terminal(),
                "--tar -: standard output is a terminal: send it to a file or a program; nothing was written"
            );
            return Ok(of(Box::new(io::stdout()), None));
        }
        if let Ok(found) = std::fs::metadata(path) {
            let kind = found.file_type();
            if !kind.is_fifo() && !kind.is_char_device() && !kind.is_block_device() {
                bail!(
                    "--tar {name}: it is there, and nothing takes its place: say another name; nothing was written"
                );
            }
            let file = File::options().write(true).open(path);
            let file = file.with_context(|| format!("can't write {name}"))?;
            return Ok(of(Box::new(file), None));
        }
        let mut at = path.as_os_str().to_owned();
        at.push(".tmp");
        let at = PathBuf::from(at);
        let file = File::create(&at).with_context(|| format!("can't make {}", at.display()))?;
        let out = file.try_clone().context("can't share a file")?;
        let new = New {
            file,
            at,
            path: path.to_owned(),
        };
        Ok(of(Box::new(out), Some(new)))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Why it has no archive.
    pub(super) fn into_failure(self) -> Option<String> {
        self.failed
    }

    /// Writes one block, where nothing has failed.
    pub(super) fn block(&mut self, block: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        match self.out.write_all(block) {
            Ok(()) => self.blocks += 1,
            Err(error) => self.give_up(error.to_string()),
        }
    }

    /// Puts the archive on stable storage, and gives it its name.
    pub(super) fn end(&mut self) {
        if self.failed.is_some() {
            return;
        }
        let named = self.out.flush().and_then(|()| match &self.new {
            Some(new) => {
                new.file.sync_all()?;
                let (at, path) = (&new.at, &new.path);
                Ok(renameat2(
                    AT_FDCWD,
                    at,
                    AT_FDCWD,
                    path,
                    RenameFlags::RENAME_NOREPLACE,
                )?)
            }
            None => Ok(()),
        });
        match named {
            Ok(()) => {}
            Err(error) => self.give_up(error.to_string()),
        }
    }

    /// Leaves nothing of a file that is not whole.
    pub(super) fn give_up(&mut self, why: String) {
        self.failed = Some(why);
        if let Some(new) = self.new.take()
            && let Err(error) = std::fs::remove_file(&new.at)
        {
            log::warn!("{} can't be removed: {error}", new.at.display());
        }
    }
}
