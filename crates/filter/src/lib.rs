//! A drive that compresses or encrypts the blocks that another drive stores.
//!
//! One block above is one block below: lengths, marks and positions are the reader's as if nothing lay
//! between. What a block becomes is described in `docs/FILTER.md`; why, in `docs/decisions/0005-filter.md`.

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

#[cfg(test)]
mod attack_test;
mod bound;
mod codec;
mod drive;
mod error;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod header;
mod key;
mod key_file;
mod order;
#[cfg(test)]
mod vectors_test;

pub use codec::{Binding, Compression, Filter};
pub use drive::FilterDrive;
pub use error::{BlockError, KeyError};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_block;
pub use header::{ENCRYPTION_BYTES, HEADER_BYTES, StoredAs};
pub use key::Key;
