//! Blocks and marks as records in one append-only file, found again also after a crash.
//!
//! An [`Image`] is one partition of one volume in a [`Store`]. The format is our own, version 1,
//! described byte by byte in `docs/FORMAT.md`. This crate knows records, not tapes: capacity, early
//! warning and WORM are numbers that it keeps and that a drive acts upon.

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod append;
mod attributes;
mod cache;
mod check;
mod commit;
mod error;
mod file_store;
mod folder;
#[cfg(test)]
mod format_test;
mod frame;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod header;
mod image;
mod index;
mod layout;
mod lookup;
mod memory_store;
mod open;
mod passing;
mod read;
mod report;
mod room;
mod slot;
mod space;
mod store;
mod view;
mod walk;
mod watch;

pub use attributes::{AreaState, AttributeAreas};
pub use cache::{CachePolicy, UnknownCachePolicy};
pub use check::IndexDamage;
pub use commit::WriteProtect;
pub use error::{Absence, Error};
pub use file_store::{FileStore, Found};
pub use folder::{Folder, FolderSync, Inode};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::{fuzz_open, fuzz_records};
pub use header::{CreateParameters, Header, Rewriting};
pub use image::{Image, Place};
pub use layout::{
    BARCODE_BYTES, FRAME_BYTES, LABEL_BYTES, MAJOR_VERSION, MAX_BLOCK_BYTES, MINOR_VERSION,
    RECORDS_OFFSET,
};
pub use memory_store::MemoryStore;
pub use passing::{Flaw, Passing};
pub use pseudotape_tape::Access;
pub use pseudotape_tape::VolumeId;
pub use read::{Ahead, Object};
pub use report::{Gap, Missing, OpenReport, TornTail};
pub use slot::{Incomplete, IncompleteCause};
pub use space::Spaced;
pub use store::{Reserved, Store};
pub use uuid::Uuid;
pub use view::View;
pub use watch::Watch;
