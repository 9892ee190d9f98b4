//! The tape nodes of this machine: opening them, and what the system knows of their drives.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use pseudotape_mtio::{Booleans, MtGet, MtOp, Operation};
use pseudotape_tape::{Access, Identity};

use crate::errno::is_gone;
use crate::error::Error;
use crate::node::TapeNode;
use crate::request;

/// How long a node may stay busy after an earlier close: the release of a file on a FUSE mount ends later than
/// close(2).
const CLOSING: Duration = Duration::from_secs(1);

/// Major number of st.
const ST_MAJOR: u64 = 9;

/// Bit of the minor number that marks a non-rewinding node of st.
const NON_REWINDING: u64 = 0x80;

/// An open tape node of this machine. Its methods are plain system calls.
#[derive(Debug)]
pub struct LocalNode {
    file: File,
}

impl From<File> for LocalNode {
    fn from(file: File) -> Self {
        LocalNode { file }
    }
}

/// Repeats a system call that a signal interrupted before it did anything.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

impl LocalNode {
    /// Opens a node with `O_NONBLOCK`, which also works without a medium and with a write-protected one.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Errno> {
        let access = match access {
            Access::ReadOnly => OFlag::O_RDONLY,
            Access::ReadWrite => OFlag::O_RDWR,
        };
        let flags = access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = uninterrupted(|| open(path, flags, Mode::empty()))?;
        Ok(LocalNode { file: fd.into() })
    }
}

impl TapeNode for LocalNode {
    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        let operation = MtOp { operation, count };
        uninterrupted(|| request::operate(self.file.as_fd(), operation))
    }

    fn status(&self) -> Result<MtGet, Errno> {
        uninterrupted(|| request::status(self.file.as_fd()))
    }

    fn object(&self) -> Result<u64, Errno> {
        uninterrupted(|| request::position(self.file.as_fd())).map(|at| at.object.into())
    }

    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        uninterrupted(|| nix::unistd::read(&self.file, buffer))
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        uninterrupted(|| nix::unistd::write(&self.file, data))
    }

    fn close(self: Box<Self>) -> Result<(), Errno> {
        nix::unistd::close(self.file)
    }
}

/// Refuses a node whose close would move the tape.
pub(crate) fn refuse_rewinding(path: &Path) -> Result<(), Error> {
    let Ok(metadata) = std::fs::metadata(path) else {
        // The open that follows reports the error.
        return Ok(());
    };
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let device = metadata.rdev();
    let sister =
        if metadata.file_type().is_char_device() && nix::sys::stat::major(device) == ST_MAJOR {
            if nix::sys::stat::minor(device) & NON_REWINDING != 0 {
                return Ok(());
            }
            let known = sysfs_of(device).and_then(|link| name(&link));
            known.map(|name| PathBuf::from(format!("/dev/n{name}")))
        } else {
            name(path)
                .filter(|name| name.starts_with("pmtm"))
                .map(|name| path.with_file_name(format!("n{name}")))
        };
    match sister {
        Some(instead) => Err(Error::Rewinds {
            path: path.to_owned(),
            instead,
        }),
        None => Ok(()),
    }
}

fn sysfs_of(device: u64) -> Option<PathBuf> {
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    std::fs::canonicalize(format!("/sys/dev/char/{major}:{minor}")).ok()
}

/// The identity of a SCSI drive from sysfs. Any other drive gets the name of its node.
pub(crate) fn identity_of(path: &Path) -> Identity {
    let sysfs = std::fs::metadata(path)
        .ok()
        .filter(|metadata| metadata.file_type().is_char_device())
        .and_then(|metadata| sysfs_of(metadata.rdev()))
        .map(|link| link.join("device"));
    let read = |file: &str| {
        let text = sysfs
            .as_ref()
            .and_then(|at| std::fs::read(at.join(file)).ok());
        text.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let serial = sysfs
        .as_ref()
        .and_then(|at| std::fs::read(at.join("vpd_pg80")).ok())
        .and_then(|page| {
            page.get(4..)
                .map(|text| String::from_utf8_lossy(text).trim().to_owned())
        });
    let node = path
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Identity {
        vendor: read("vendor").unwrap_or_else(|| "DEVICE".into()),
        product: read("model").unwrap_or(node),
        revision: read("rev").unwrap_or_default(),
        serial: serial.unwrap_or_default(),
    }
}

/// Opens a node and checks that it is a tape.
pub(crate) fn open_tape(path: &Path, access: Access) -> Result<Box<dyn TapeNode>, Error> {
    let begin = Instant::now();
    let opened = loop {
        match LocalNode::open(path, access) {
            Err(Errno::EBUSY) if begin.elapsed() < CLOSING => {
                std::thread::sleep(Duration::from_millis(2));
            }
            result => break result,
        }
    };
    let node = opened.map_err(|errno| Error::of_open(path, errno))?;
    match node.status() {
        Ok(_) => Ok(Box::new(node)),
        Err(errno) if is_gone(errno) => Err(Error::of_open(path, errno)),
        Err(errno) => Err(Error::NotATape {
            path: path.to_owned(),
            errno,
        }),
    }
}

/// The options of st, from sysfs.
pub(crate) fn options_shown(path: &Path) -> Booleans {
    let shown = std::fs::metadata(path)
        .ok()
        .and_then(|metadata| sysfs_of(metadata.rdev()))
        .and_then(|link| std::fs::read_to_string(link.join("options")).ok());
    let bits =
        shown.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    Booleans::from_bits_truncate(bits.unwrap_or(0))
}
