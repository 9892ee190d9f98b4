//! Tape files that are ordinary pax archives, on any drive: a member that describes, and a member that is described.
//!
//! ```text
//! volume.json         what this is: the describing member
//! MON001.ptape        the payload
//! MON001.ptape.b3     its digest, as `b3sum --check` takes it
//! ```
//!
//! An archive is written in blocks of [`BLOCK_BYTES`] and ended by a filemark. A tape file without its filemark is no
//! archive: the next one is written over it. `docs/VAULT.md` has the bytes, `docs/decisions/0014-stack.md` the reasons.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod description;
mod digest;
mod error;
mod finding;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod member;
mod met;
mod outgoing;
mod reading;
mod source;
mod unpacking;
mod writing;

pub use description::{
    CatalogDescription, Description, FORMAT, Payload, Site, StackedFile, StackedVolume, Subject,
    VERSION, VolumeDescription,
};
pub use digest::{Digest, DigestError};
pub use error::{Error, Skipped};
pub use finding::{Extent, Tail, file_before, go_to_end, last_file};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_archive;
pub use met::{Met, read_archive, skip_file};
pub use outgoing::archive_bytes;
pub use reading::Reading;
pub use writing::{Cut, Outcome, Written, write_archive};

/// Length of each block of an archive: `tar --blocking-factor=512`.
pub const BLOCK_BYTES: usize = 256 << 10;
