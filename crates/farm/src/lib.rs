//! The disk farm: single files, each in an image of its own that `tar` reads, in volumes with a directory.
//!
//! A *root* is a folder with a folder for each *volume*. A volume has a directory, `FILE000.dir`, and a *capsule* for
//! each file: `FILE0000001.ptape` and so on. `docs/FARM.md` has the bytes, `docs/decisions/0016-farm.md` the reasons.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod capsule;
mod digest;
mod directory;
mod entry;
mod error;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod holder;
mod index;
mod names;
mod place;
mod serving;
mod source;
mod standing;
mod step;
mod structure;
mod title;
mod titles;
mod volume;
mod waiting;

pub use capsule::{BLOCK_BYTES, capsule_name, capsule_number};
pub use directory::{
    DIRECTORY_MAGIC, DIRECTORY_VERSION, Directory, DirectoryError, HEADER_BYTES, Marks,
};
pub use entry::{
    Digest, Entry, FileKind, MAX_WORDS, Number, RECORD_VERSION, RecordError, Stamp, State,
};
pub use error::{Error, Fault};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::{fuzz_capsule, fuzz_directory, fuzz_index};
pub use holder::{Holder, of_lock as lock_holder};
pub use names::{DIRECTORY_NAME, INDEX_NAME};
pub use pseudotape_pax::Time;
pub use serving::Serving;
pub use source::{
    Announced, Arriving, FoundFile, Gone, LeftOut, NotOffered, Origin, Outgoing, Sent, Walk, Walked,
};
pub use step::{Step, Witness};
pub use title::{BadVolumeName, Title, VolumeName};
pub use volume::{
    Adding, After, Archive, Coming, Compared, Damage, Existing, ExportError, Exported, Extracted,
    Finding, Found, Given, Keeping, Lent, Looking, Rebuilt, Registrar, Released, Remedy, Repair,
    Root, Told, Verb, Volume, annotate, check_note, differences, extract, in_the_way, place,
    rebuild, release, repair, verify_capsule,
};
