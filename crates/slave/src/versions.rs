//! The versions of the protocol that this crate supports.

use std::fmt;

use crate::limits::VERSION;

/// A range of versions of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest version.
    pub oldest: u16,
    /// The newest version.
    pub newest: u16,
}

impl Versions {
    /// The versions that this crate supports.
    pub const OURS: Versions = Versions {
        oldest: VERSION,
        newest: VERSION,
    };

    /// Whether the range contains this version.
    #[must_use]
    pub fn contain(self, version: u16) -> bool {
        self.oldest <= version && version <= self.newest
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Versions { oldest, newest } = self;
        if oldest == newest {
            write!(f, "version {oldest}")
        } else {
            write!(f, "versions {oldest} to {newest}")
        }
    }
}
