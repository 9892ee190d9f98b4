//! The tapes that are served, by their names.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use pseudotape_bay::{Cut, StTape, Wanted};
use pseudotape_device::{LocalNode, TapeNode};
use pseudotape_rmt::Shelf;
use pseudotape_sink::{Opened, Sink};
use pseudotape_st::{AccessMode, OpenFlags};
use pseudotape_tape::Volume;

use crate::ending::Ending;
use crate::rmt::config::{TapeConfig, TapeKind};

/// All tapes of a server, shared by its clients.
#[derive(Clone)]
pub(crate) struct Tapes {
    tapes: Arc<Vec<Served>>,
    /// The server was asked to end: what takes long is given up.
    ending: Arc<AtomicBool>,
}

struct Served {
    config: TapeConfig,
    /// The drive of a sink, once a client has opened it.
    drive: Mutex<Option<StTape>>,
}

impl Tapes {
    pub(crate) fn new(tapes: Vec<TapeConfig>, ending: Arc<AtomicBool>) -> Self {
        let served = tapes.into_iter().map(|config| Served {
            config,
            drive: Mutex::new(None),
        });
        Tapes {
            tapes: Arc::new(served.collect()),
            ending,
        }
    }

    /// Ends every drive: closes what a client still has open, as the client would have done, and commits. Goes on
    /// after a failure, and tells the first.
    pub(crate) fn end(&self) -> Result<Ending> {
        let mut result = Ok(Ending::Well);
        for tape in self.tapes.iter() {
            // Nothing opens it any more.
            let kept = tape.drive.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(drive) = &*kept else { continue };
            match drive.end() {
                Ok(None) => {}
                Ok(Some(Cut { client })) => {
                    log::error!(
                        "{}: still open by {client}, which had written: its tape file ends here, with a filemark, and \
                         whatever the client had still to write is not on the tape",
                        tape.config.name
                    );
                    result = result.map(|_| Ending::Cut);
                }
                Err(error) => {
                    log::error!("{error}");
                    result = result.and(Err(error.into()));
                }
            }
        }
        result
    }

    /// What one client can open, as long as he is there; tells when he has opened something.
    pub(crate) fn shelf(
        &self,
        client: &str,
        wanted: Wanted,
        opened: Arc<AtomicBool>,
    ) -> ClientShelf {
        let ending = Arc::clone(&self.ending);
        ClientShelf {
            tapes: Arc::clone(&self.tapes),
            client: client.to_owned(),
            wanted: Arc::new(move || !ending.load(Ordering::SeqCst) && wanted()),
            opened,
        }
    }
}

/// What one client can open.
pub(crate) struct ClientShelf {
    tapes: Arc<Vec<Served>>,
    client: String,
    wanted: Wanted,
    /// Set when the first tape is open.
    opened: Arc<AtomicBool>,
}

impl Shelf for ClientShelf {
    /// A client's word is only ever compared, and never a part of a path: `..` and links mean nothing here.
    fn open(&mut self, name: &[u8], flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        let shown = String::from_utf8_lossy(name).escape_debug().to_string();
        let named =
            |tape: &&Served| tape.config.name.as_bytes() == name || tape.config.path_is(name);
        let rewinding = |tape: &&Served| {
            let rewinding = tape.config.rewinding.as_ref();
            rewinding.is_some_and(|rewinding| rewinding.as_bytes() == name)
        };
        let opened = if let Some(tape) = self.tapes.iter().find(named) {
            tape.open(false, flags, self)
        } else if let Some(tape) = self.tapes.iter().find(rewinding) {
            tape.open(true, flags, self)
        } else {
            log::warn!(
                "{}: asked for '{shown}', which is not configured: refused",
                self.client
            );
            return Err(Errno::EACCES);
        };
        match &opened {
            Ok(_) => {
                self.opened.store(true, Ordering::SeqCst);
                log::debug!("{}: opened '{shown}'", self.client);
            }
            Err(errno) => log::warn!("{}: can't open '{shown}': {}", self.client, errno.desc()),
        }
        opened
    }
}

impl TapeConfig {
    /// Whether a client calls it by the path that its owner wrote.
    fn path_is(&self, name: &[u8]) -> bool {
        match &self.kind {
            TapeKind::Node(path) => path.as_os_str().as_encoded_bytes() == name,
            TapeKind::Sink(sink) => sink
                .path()
                .is_some_and(|path| path.as_os_str().as_encoded_bytes() == name),
        }
    }
}

impl Served {
    fn open(
        &self,
        rewinding: bool,
        flags: OpenFlags,
        client: &ClientShelf,
    ) -> Result<Box<dyn TapeNode>, Errno> {
        if self.config.read_only && flags.access != AccessMode::Read {
            return Err(Errno::EROFS);
        }
        match &self.config.kind {
            TapeKind::Node(path) => open_node(path, flags),
            TapeKind::Sink(sink) => {
                let drive = self.drive(sink)?;
                let drive = drive.for_client(&client.client, Arc::clone(&client.wanted));
                match drive.open(rewinding, flags) {
                    Err(Errno::ENXIO) if drive.needs_volume() => {
                        self.renew(&drive, sink)?;
                        drive.open(rewinding, flags)
                    }
                    opened => opened,
                }
            }
        }
    }

    /// The drive; opened by the first client that wants it, and then kept with its place.
    fn drive(&self, sink: &Sink) -> Result<StTape, Errno> {
        let mut kept = self.drive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drive) = &*kept {
            return Ok(drive.clone());
        }
        let drive = StTape::new(&self.config.name, self.open_volume(sink)?);
        *kept = Some(drive.clone());
        Ok(drive)
    }

    /// Opens a volume anew that failed and was closed.
    fn renew(&self, drive: &StTape, sink: &Sink) -> Result<(), Errno> {
        let _one_at_a_time = self.drive.lock().unwrap_or_else(PoisonError::into_inner);
        if drive.needs_volume() {
            drive.put_in(self.open_volume(sink)?);
            log::info!("{}: opened anew after a failure", self.config.name);
        }
        Ok(())
    }

    fn open_volume(&self, sink: &Sink) -> Result<Box<dyn Volume>, Errno> {
        let opened = match self.config.read_only {
            true => sink
                .open(pseudotape_sink::Access::ReadOnly)
                .map(|volume| Opened {
                    volume,
                    refusal: None,
                }),
            false => sink.open_as_allowed(),
        };
        let mut opened = opened.map_err(|error| {
            log::error!("{error}");
            errno_of(&error)
        })?;
        if let (Some(why), false) = (opened.why_read_only(), self.config.read_only) {
            log::warn!("'{}' is for reading only: {why}", self.config.name);
        }
        Ok(opened.volume)
    }
}

fn errno_of(error: &pseudotape_sink::Error) -> Errno {
    match error {
        pseudotape_sink::Error::Missing { .. } => Errno::ENOENT,
        pseudotape_sink::Error::Image(pseudotape_image::Error::InUse { .. }) => Errno::EBUSY,
        _ => Errno::EIO,
    }
}

/// Opens a node as a program would; it is never made.
fn open_node(path: &Path, flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
    let (read, write) = match flags.access {
        AccessMode::Read => (true, false),
        AccessMode::Write => (false, true),
        AccessMode::ReadWrite => (true, true),
    };
    // Its opening waits for a writer, or for ever.
    if std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
        log::error!("{}: a FIFO, and not a tape", path.display());
        return Err(Errno::ENOTTY);
    }
    let mut more = OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    if flags.nonblock {
        more |= OFlag::O_NONBLOCK;
    }
    let opened = OpenOptions::new()
        .read(read)
        .write(write)
        .custom_flags(more.bits())
        .open(path);
    let file = opened.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    let node = LocalNode::from(file);
    if let Err(errno) = node.status() {
        log::error!(
            "{}: not a tape (MTIOCGET: {})",
            path.display(),
            errno.desc()
        );
        return Err(errno);
    }
    Ok(Box::new(node))
}

/// The path that a sink's owner wrote, where it has one.
trait WrittenPath {
    fn path(&self) -> Option<&PathBuf>;
}

impl WrittenPath for Sink {
    fn path(&self) -> Option<&PathBuf> {
        match &self.place {
            pseudotape_sink::Location::Path(path) | pseudotape_sink::Location::Device(path) => {
                Some(path)
            }
            pseudotape_sink::Location::Image(image) => Some(&image.path),
            pseudotape_sink::Location::Rmt(_) | pseudotape_sink::Location::Null(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: OpenFlags = OpenFlags {
        access: AccessMode::Read,
        nonblock: false,
    };
    const WRITE: OpenFlags = OpenFlags {
        access: AccessMode::ReadWrite,
        nonblock: false,
    };

    /// A server of a blank image that is `nvault` and `vault`, the same protected as `kept`, and of one that is missing.
    fn tapes(directory: &Path) -> Tapes {
        let made = format!("image:{},create", directory.join("vault.ptape").display());
        let missing = format!("image:{}", directory.join("missing.ptape").display());
        let tape = |name: &str, sink: &str, read_only| TapeConfig {
            name: name.to_owned(),
            rewinding: (name == "nvault").then(|| "vault".to_owned()),
            kind: TapeKind::Sink(Box::new(sink.parse().unwrap())),
            read_only,
        };
        let tapes = vec![
            tape("nvault", &made, false),
            tape("kept", &made, true),
            tape("missing", &missing, false),
        ];
        Tapes::new(tapes, Arc::default())
    }

    fn here() -> Wanted {
        Arc::new(|| true)
    }

    fn errno(shelf: &mut ClientShelf, name: &[u8], flags: OpenFlags) -> Errno {
        shelf.open(name, flags).map(drop).unwrap_err()
    }

    #[test]
    fn a_fifo_is_no_tape_and_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let refused = open_node(&path, READ).map(drop).unwrap_err();
        assert_eq!(refused, Errno::ENOTTY);
    }

    #[test]
    fn a_name_opens_what_is_configured_for_it_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.ptape");
        let tapes = tapes(directory.path());
        let mut shelf = tapes.shelf("test", here(), Arc::default());
        for name in ["nvault", "vault", path.to_str().unwrap()] {
            let tape = shelf.open(name.as_bytes(), WRITE).unwrap();
            tape.close().unwrap();
        }
        std::os::unix::fs::symlink(&path, directory.path().join("link")).unwrap();
        let dir = directory.path().display();
        for name in [
            String::new(),
            "vault.ptape".to_owned(),
            format!("{dir}/./vault.ptape"),
            format!("{dir}/x/../vault.ptape"),
            format!("{dir}/link"),
            format!("{dir}/vault.ptape/"),
            "../nvault".to_owned(),
            "nvault\n".to_owned(),
            "/etc/passwd".to_owned(),
            "n".repeat(65_536),
        ] {
            assert_eq!(
                errno(&mut shelf, name.as_bytes(), WRITE),
                Errno::EACCES,
                "{name}"
            );
        }
        assert_eq!(errno(&mut shelf, b"nvault\xff", WRITE), Errno::EACCES);
        let found: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(found.len(), 2, "something was made: {found:?}");
    }

    #[test]
    fn what_can_not_be_opened_now_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let tapes = tapes(directory.path());
        let (mut one, mut other) = (
            tapes.shelf("one", here(), Arc::default()),
            tapes.shelf("other", here(), Arc::default()),
        );
        assert_eq!(errno(&mut one, b"missing", READ), Errno::ENOENT);
        assert_eq!(errno(&mut one, b"kept", WRITE), Errno::EROFS);
        let held = one.open(b"nvault", WRITE).unwrap();
        for name in [&b"nvault"[..], b"vault"] {
            assert_eq!(errno(&mut other, name, READ), Errno::EBUSY);
        }
        assert_eq!(held.write(b"a record").unwrap(), 8);
        held.close().unwrap();
        // Whoever comes next finds the tape where it was left, which is behind a filemark.
        let held = other.open(b"nvault", WRITE).unwrap();
        assert_eq!(held.object().unwrap(), 2);
    }

    /// A file that the host lets only be read is served as a protected cartridge: E30 for writing, all of it to read.
    #[test]
    fn an_image_that_can_only_be_read_is_refused_the_writing_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.ptape");
        let made = tapes(directory.path());
        let written = made
            .shelf("maker", here(), Arc::default())
            .open(b"nvault", WRITE)
            .unwrap();
        assert_eq!(written.write(b"a record"), Ok(8));
        written.close().unwrap();
        drop(made);
        let permissions = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(directory.path(), permissions(0o777)).unwrap();
        std::fs::set_permissions(&path, permissions(0o444)).unwrap();
        let as_ordinary_user = || {
            if nix::unistd::geteuid().is_root() {
                // Of this thread alone.
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
            }
            let tapes = tapes(directory.path());
            let mut shelf = tapes.shelf("test", here(), Arc::default());
            assert_eq!(errno(&mut shelf, b"nvault", WRITE), Errno::EROFS);
            let tape = shelf.open(b"nvault", READ).unwrap();
            assert_eq!(tape.read(&mut [0; 9]), Ok(8));
            tape.close().unwrap();
            assert_eq!(errno(&mut shelf, b"vault", WRITE), Errno::EROFS);
        };
        std::thread::scope(|scope| scope.spawn(as_ordinary_user).join()).unwrap();
    }
}
