//! What a drive recorded on a volume, as whoever watched its writes tells it.

use crate::volume::Digest;

/// What became of a volume while a drive had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Tape files with a lower number are as they were.
    pub untouched: u64,
    /// Those that follow, in their order.
    pub files: Vec<RecordedFile>,
    /// Whoever watched does not know what is there from `untouched` on: it is looked at.
    pub unsure: bool,
}

/// A tape file that was written, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFile {
    /// File number.
    pub number: u64,
    /// Its first object.
    pub first_object: u64,
    /// Its blocks and their bytes, where they are known.
    pub lengths: Option<(u64, u64)>,
    /// Of all of its blocks; nothing where only a part of it was written.
    pub digest: Option<Digest>,
}

impl Recorded {
    /// Nothing was written.
    #[must_use]
    pub fn nothing() -> Self {
        Recorded {
            untouched: u64::MAX,
            files: Vec::new(),
            unsure: false,
        }
    }
}
