//! A capsule: one file in an image of its own, that `tar` reads.
//!
//! ```text
//! tape file 0   an archive of one member, in blocks of 10240 bytes; no member where the capsule has no file. In a
//!               compressed volume one zstd frame of it, whose last block is shorter
//! tape file 1   one block: the record, which is the volume's entry for the file
//! ```

mod behind;
mod blocks;
#[cfg(test)]
mod golden_test;
mod packing;
mod reading;
mod store;
mod writing;

use crate::entry::Number;

pub(crate) use packing::Packing;
pub(crate) use reading::{Opened, open};
pub(crate) use store::CapsuleStore;
pub(crate) use writing::{Archive, Making, PAX_NAME};

/// Length of each block of the archive: what `tar` reads when nobody tells it.
pub const BLOCK_BYTES: u32 = 10240;

/// The name of a capsule's file.
#[must_use]
pub fn capsule_name(number: Number) -> String {
    format!("FILE{:07}.ptape", number.0)
}

/// The number of the capsule whose file has this name, as [`capsule_name`] writes it.
#[must_use]
pub fn capsule_number(name: &str) -> Option<Number> {
    let digits = name.strip_prefix("FILE")?.strip_suffix(".ptape")?;
    let number = Number(digits.parse().ok()?);
    (capsule_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CW-03.
    #[test]
    fn a_capsule_has_a_name_with_seven_digits_or_as_many_as_it_takes() {
        let number = |number: u64| Number(number.try_into().expect("no zero"));
        assert_eq!(capsule_name(number(1)), "FILE0000001.ptape");
        assert_eq!(capsule_name(number(12_345_678)), "FILE12345678.ptape");
        for good in [1, 9_999_999, 10_000_000, u64::MAX] {
            assert_eq!(
                capsule_number(&capsule_name(number(good))),
                Some(number(good))
            );
        }
        for bad in [
            "FILE0000000.ptape",
            "FILE1.ptape",
            "FILE00000001.ptape",
            "FILE+000001.ptape",
            "FILE0000001.mcp",
        ] {
            assert_eq!(capsule_number(bad), None, "{bad}");
        }
    }
}
