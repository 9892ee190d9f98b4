//! Why a command was not done.

use std::path::Path;

use crate::error::Error;

/// Why a command was not done.
pub(super) enum Trouble {
    /// The farm says why, and the client is told.
    Farm(pseudotape_farm::Error),
    /// The same in other words.
    Words(String),
    /// The link is of no more use.
    Link(Error),
}

impl From<pseudotape_farm::Error> for Trouble {
    fn from(error: pseudotape_farm::Error) -> Self {
        Trouble::Farm(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Link(error)
    }
}

pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}
