//! The device `/dev/uioN` of a backstore.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use crate::memory::Memory;
use crate::ring::{Ring, RingError};

/// Why a device can't be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Another process has it.
    #[error("another process serves {}: end it first", .0.display())]
    Busy(PathBuf),
    /// The system's reason.
    #[error("{}: {source}", path.display())]
    System {
        /// The device.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its ring can't be served.
    #[error("{}: {source}", path.display())]
    Ring {
        /// The device.
        path: PathBuf,
        /// Why.
        source: RingError,
    },
}

/// A device that the kernel has, not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its node.
    pub node: PathBuf,
    /// How much memory it maps.
    pub bytes: usize,
}

/// Looks for the device of a backstore: the one whose name in `/sys/class/uio` is this one. `None`: there is none.
pub fn find(class: &Path, nodes: &Path, name: &str) -> io::Result<Option<Found>> {
    let entries = match fs::read_dir(class) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let directory = entry.path();
        // One that is just going away has no name.
        let Ok(found) = fs::read_to_string(directory.join("name")) else {
            continue;
        };
        if found.trim_end_matches('\n') != name {
            continue;
        }
        let size = fs::read_to_string(directory.join("maps/map0/size"))?;
        let digits = size.trim().trim_start_matches("0x");
        let bytes = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
        let node = nodes.join(entry.file_name());
        return Ok(Some(Found { node, bytes }));
    }
    Ok(None)
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There may be something in the ring.
    Ring,
    /// The caller's descriptor can be read.
    Caller,
}

/// The device of a backstore, being served.
#[derive(Debug)]
pub struct Device {
    path: PathBuf,
    file: File,
    ring: Ring,
}

impl Device {
    /// Opens it. What a process that was killed has left unanswered is in the ring at once: look there before the first
    /// [`Device::wait`], which tells of new commands only.
    pub fn open(found: &Found) -> Result<Device, DeviceError> {
        let path = found.node.clone();
        let system = |source: io::Error| match source.raw_os_error() {
            Some(code) if Errno::from_raw(code) == Errno::EBUSY => DeviceError::Busy(path.clone()),
            _ => DeviceError::System {
                path: path.clone(),
                source,
            },
        };
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(system)?;
        let memory = Memory::of_device(&file, found.bytes).map_err(system)?;
        match Ring::new(Arc::new(memory)) {
            Ok(ring) => Ok(Device { path, file, ring }),
            Err(source) => Err(DeviceError::Ring { path, source }),
        }
    }

    /// Its node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its ring.
    pub fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }

    /// Tells the kernel that there are answers.
    pub fn tell(&self) -> io::Result<()> {
        (&self.file).write_all(&[0; 4])
    }

    /// Waits until there may be something in the ring, or this descriptor can be read.
    pub fn wait(&self, caller: BorrowedFd<'_>) -> io::Result<Woken> {
        let of = |file| PollFd::new(file, PollFlags::POLLIN);
        let mut both = [of(self.file.as_fd()), of(caller)];
        loop {
            match poll(&mut both, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                polled => polled?,
            };
            let [ring, caller] = &both;
            if ring.any().unwrap_or(true) {
                // The count of events, which says nothing else. The kernel forgets by it what it has told.
                (&self.file).read_exact(&mut [0; 4])?;
                return Ok(Woken::Ring);
            }
            if caller.any().unwrap_or(true) {
                return Ok(Woken::Caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_its_name_alone() {
        let directory = tempfile::tempdir().unwrap();
        let class = directory.path().join("class");
        let nodes = Path::new("/dev");
        assert_eq!(find(&class, nodes, "a").unwrap(), None);
        for (uio, name) in [
            ("uio0", "other"),
            ("uio7", "tcm-user/1/pseudotape-0/mine"),
            ("uio8", ""),
        ] {
            let of = class.join(uio);
            fs::create_dir_all(of.join("maps/map0")).unwrap();
            fs::write(of.join("name"), format!("{name}\n")).unwrap();
            fs::write(of.join("maps/map0/size"), "0x0000000000801000\n").unwrap();
        }
        // One that is just going away.
        fs::create_dir_all(class.join("uio9")).unwrap();
        let found = find(&class, nodes, "tcm-user/1/pseudotape-0/mine").unwrap();
        let found = found.unwrap();
        assert_eq!(found.node, Path::new("/dev/uio7"));
        assert_eq!(found.bytes, 0x80_1000);
        assert_eq!(
            find(&class, nodes, "tcm-user/1/pseudotape-0").unwrap(),
            None
        );
    }

    #[test]
    fn a_file_that_is_no_ring_is_told_to_be_none() {
        let directory = tempfile::tempdir().unwrap();
        let node = directory.path().join("uio0");
        let open = |bytes| {
            Device::open(&Found {
                node: node.clone(),
                bytes,
            })
            .unwrap_err()
        };
        assert!(open(4096).to_string().contains("No such file"));
        fs::write(&node, vec![0; 8192]).unwrap();
        assert!(matches!(
            open(8192),
            DeviceError::Ring {
                source: RingError::Version(0),
                ..
            }
        ));
        assert!(matches!(open(32), DeviceError::Ring { .. }));
    }
}
