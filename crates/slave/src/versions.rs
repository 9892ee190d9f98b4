//! Which versions of the protocol this side speaks.

use std::fmt;

use crate::limits::VERSION;

/// A range of versions of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest that is spoken.
    pub oldest: u16,
    /// The newest that is spoken.
    pub newest: u16,
}

impl Versions {
    /// What this side speaks.
    pub const OURS: Versions = Versions {
        oldest: VERSION,
        newest: VERSION,
    };

    /// Whether this version is one of them.
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
