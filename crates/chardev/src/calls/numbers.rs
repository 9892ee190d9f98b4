//! Numbers of the system calls that move data as `read` and `write` do.

use super::shape::{CallShape, Direction};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) shape: CallShape,
    /// Length of a word of the caller: decides how long an iovec is.
    pub(super) word_bytes: u64,
}

/// Numbers of (read, write, readv, writev, pread64, pwrite64, preadv, pwritev, preadv2, pwritev2).
type Numbers = [u64; 10];

#[cfg(target_arch = "x86_64")]
const NATIVE: Numbers = [0, 1, 19, 20, 17, 18, 295, 296, 327, 328];
#[cfg(not(target_arch = "x86_64"))]
const NATIVE: Numbers = [63, 64, 65, 66, 67, 68, 69, 70, 286, 287];

/// 32-bit callers on x86-64. No number of one set can be mistaken for a number of the other: the task is known to
/// sleep in a call that reads or writes our device.
#[cfg(target_arch = "x86_64")]
const COMPAT: Numbers = [3, 4, 145, 146, 180, 181, 333, 334, 378, 379];
/// 32-bit callers on AArch64.
#[cfg(not(target_arch = "x86_64"))]
const COMPAT: Numbers = [3, 4, 145, 146, 180, 181, 361, 362, 392, 393];

/// Callers of the x32 ABI, less [`X32_BIT`].
#[cfg(target_arch = "x86_64")]
const X32: Numbers = [0, 1, 515, 516, 17, 18, 534, 535, 546, 547];
#[cfg(target_arch = "x86_64")]
const X32_BIT: u64 = 1 << 30;

/// What a call of this number does; `None` for one that is no relative of `read` or `write`, or moves data the other
/// way.
pub(super) fn kind_of(number: u64, direction: Direction) -> Option<Kind> {
    #[cfg(target_arch = "x86_64")]
    if number & X32_BIT != 0 {
        return find(&X32, number & !X32_BIT, 4, direction);
    }
    find(&NATIVE, number, 8, direction).or_else(|| find(&COMPAT, number, 4, direction))
}

fn find(numbers: &Numbers, number: u64, word_bytes: u64, direction: Direction) -> Option<Kind> {
    let place = numbers.iter().position(|n| *n == number)?;
    let moves = if place % 2 == 0 {
        Direction::Read
    } else {
        Direction::Write
    };
    let shape = match place {
        0 | 1 | 4 | 5 => CallShape::Plain,
        _ => CallShape::Vector,
    };
    (moves == direction).then_some(Kind { shape, word_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(number: u64, direction: Direction) -> Option<(CallShape, u64)> {
        kind_of(number, direction).map(|kind| (kind.shape, kind.word_bytes))
    }

    #[test]
    fn numbers_tell_direction_and_shape() {
        assert_eq!(
            plain(NATIVE[0], Direction::Read),
            Some((CallShape::Plain, 8))
        );
        assert_eq!(plain(NATIVE[0], Direction::Write), None);
        assert_eq!(
            plain(NATIVE[3], Direction::Write),
            Some((CallShape::Vector, 8))
        );
        assert_eq!(
            plain(COMPAT[1], Direction::Write),
            Some((CallShape::Plain, 4))
        );
        assert_eq!(
            plain(COMPAT[2], Direction::Read),
            Some((CallShape::Vector, 4))
        );
        assert_eq!(plain(9999, Direction::Read), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn callers_of_the_x32_abi_have_numbers_of_their_own() {
        let write = X32_BIT | 1;
        let writev = X32_BIT | 516;
        assert_eq!(plain(write, Direction::Write), Some((CallShape::Plain, 4)));
        assert_eq!(
            plain(writev, Direction::Write),
            Some((CallShape::Vector, 4))
        );
        assert_eq!(plain(X32_BIT | 20, Direction::Write), None);
    }

    /// splice, sendfile, copy_file_range, io_submit, and those that wait for what io_submit began.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn calls_that_st_refuses_are_no_reads_and_no_writes() {
        for number in [275, 40, 326, 209, 208, 426, 187, 239, 313] {
            for direction in [Direction::Read, Direction::Write] {
                assert_eq!(plain(number, direction), None, "{number}");
            }
        }
    }
}
