use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why there is no device, or none any more.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CuseError {
    /// The kernel has no CUSE, or its module is not loaded.
    #[error("/dev/cuse not found: try 'modprobe cuse', or --fuse DIR")]
    NoCuse,
    /// Not for this user.
    #[error("/dev/cuse: permission denied: run as root, or use --fuse DIR")]
    NotAllowed,
    /// The kernel did not take the device.
    #[error(
        "the kernel refused the device {name}: its name is in use (does another daemon serve it?) \
         or its device number is; see the kernel's log"
    )]
    Refused {
        /// Name asked for.
        name: String,
    },
    /// Not a name for a device.
    #[error("{name:?} cannot name a device: 1 to {max} characters, no NUL, no '..'")]
    BadName {
        /// Name asked for.
        name: String,
        /// Longest name.
        max: usize,
    },
    /// The kernel speaks another protocol.
    #[error(
        "the kernel speaks CUSE {major}.{minor}, this program 7.{minor_min} and later: \
         use --fuse DIR on this kernel"
    )]
    Version {
        /// The kernel's major version.
        major: u32,
        /// The kernel's minor version.
        minor: u32,
        /// Oldest minor version understood.
        minor_min: u32,
    },
    /// The first request was not CUSE_INIT.
    #[error("/dev/cuse began with {found} instead of its version")]
    NoInit {
        /// What came.
        found: String,
    },
    /// Nobody made the node.
    #[error(
        "{} did not appear within {} s: is devtmpfs mounted there?",
        path.display(),
        waited.as_secs()
    )]
    NoNode {
        /// The node.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The kernel ended the device.
    #[error("the kernel ended the device {name}")]
    Ended {
        /// Its name.
        name: String,
    },
    /// The thread that served the device panicked.
    #[error("the thread that served the device {name} panicked")]
    Panicked {
        /// Its name.
        name: String,
    },
    /// A system call failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl CuseError {
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        CuseError::Io {
            what: what.into(),
            source: source.into(),
        }
    }
}
