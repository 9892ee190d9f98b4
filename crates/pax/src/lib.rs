//! The headers and the members of pax archives, to bytes and back.
//!
//! A member is one ustar header with its contents; what a ustar header has no room for stands in pax records before
//! it (POSIX.1-2017, pax, "pax Interchange Format"). The reader also takes what GNU tar writes by itself: long names
//! in members of their own, numbers in base 256, and files with holes in its older formats, which it gives as the
//! newest.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod error;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod member;
mod reader;
mod records;
mod sparse;
mod ustar;

pub use error::Error;
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_archive;
pub use member::{Kind, Member, Time};
pub use reader::Reader;
pub use records::{Records, pairs};
pub use ustar::{Magic, Ustar, set_checksum};

/// Headers and contents are multiples of this.
pub const RECORD: usize = 512;
/// Two records of zeros end an archive.
pub const END: [u8; 2 * RECORD] = [0; 2 * RECORD];
/// The first length that ustar's eleven octal digits do not hold.
pub const USTAR_END: u64 = 8 << 30;
/// The longest name in the first field of a ustar header.
pub const USTAR_NAME: usize = 100;

/// Zeros that follow so many bytes up to the next record.
#[must_use]
pub fn padding(length: u64) -> usize {
    let over = usize::try_from(length % 512).unwrap_or(0);
    (RECORD - over) % RECORD
}
