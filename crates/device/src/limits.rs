//! Finding the block limits of a drive. No request returns them, so `MTSETBLK` is tried with various sizes.

use nix::errno::Errno;
use pseudotape_tape::BlockLimits;

/// One byte more than the largest block size that `MTSETBLK` can set.
pub(crate) const LARGEST_BLOCK: u32 = 1 << 24;

/// Coarsest granularity that is tried (READ BLOCK LIMITS has 5 bits for its logarithm).
const COARSEST: u32 = 1 << 12;

/// Common block sizes. Every drive supports at least one of them.
const USUAL: [u32; 6] = [512, 1024, 4096, 65_536, 1, 1 << 20];

/// The reaction of st and the drive to a block size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Yes,
    /// The size is within the limits, but the drive refuses it.
    Refused,
    /// The size is outside the limits: st refuses it without asking the drive.
    Outside,
}

/// Finds the limits by setting block sizes. Ends with size 0, variable block mode. Returns `None` if the limits
/// can't be found this way.
pub(crate) fn probe(
    mut set_block_size: impl FnMut(i32) -> Result<(), Errno>,
) -> Option<BlockLimits> {
    let limits = search(&mut |size| {
        let size = i32::try_from(size).map_err(|_| Errno::EINVAL)?;
        match set_block_size(size) {
            Ok(()) => Ok(Taken::Yes),
            Err(Errno::EIO) => Ok(Taken::Refused),
            Err(Errno::EINVAL) => Ok(Taken::Outside),
            Err(errno) => Err(errno),
        }
    });
    set_block_size(0).and(limits).ok().flatten()
}

fn search(
    take: &mut impl FnMut(u32) -> Result<Taken, Errno>,
) -> Result<Option<BlockLimits>, Errno> {
    let mut inside = None;
    for size in USUAL {
        if take(size)? != Taken::Outside {
            inside = Some(size);
            break;
        }
    }
    let Some(inside) = inside else {
        return Ok(None);
    };
    let max_bytes = largest(inside, take)?;
    let min_bytes = smallest(inside, take)?;
    let mut granularity_bytes = 1;
    while granularity_bytes <= COARSEST {
        // The smallest size that is a multiple of this granularity and of no coarser one.
        let odd = (min_bytes.div_ceil(granularity_bytes) | 1) * granularity_bytes;
        if odd > max_bytes || take(odd)? == Taken::Yes {
            break;
        }
        granularity_bytes *= 2;
    }
    if granularity_bytes > COARSEST
        || !max_bytes.is_multiple_of(granularity_bytes) && max_bytes < LARGEST_BLOCK
    {
        // The drive refuses fixed blocks for another reason.
        granularity_bytes = 1;
    }
    Ok(Some(BlockLimits {
        min_bytes,
        max_bytes,
        granularity_bytes,
    }))
}

/// Powers of two are tried first. Most limits are powers of two, and st logs each size outside the limits.
fn largest(inside: u32, take: &mut impl FnMut(u32) -> Result<Taken, Errno>) -> Result<u32, Errno> {
    if take(LARGEST_BLOCK - 1)? != Taken::Outside {
        // The request can't set a larger size.
        return Ok(LARGEST_BLOCK);
    }
    let power = bisect(inside.ilog2(), LARGEST_BLOCK.ilog2(), &mut |power| {
        take(1 << power)
    })?;
    let at_least = inside.max(1 << power);
    if take(at_least + 1)? == Taken::Outside {
        return Ok(at_least);
    }
    bisect(at_least + 1, (2 << power).min(LARGEST_BLOCK - 1), take)
}

fn smallest(inside: u32, take: &mut impl FnMut(u32) -> Result<Taken, Errno>) -> Result<u32, Errno> {
    if take(1)? != Taken::Outside {
        return Ok(1);
    }
    let power = bisect(inside.ilog2(), 0, &mut |power| take(1 << power))?;
    let at_most = inside.min(1 << power);
    if take(at_most - 1)? == Taken::Outside {
        return Ok(at_most);
    }
    bisect(at_most - 1, 1 << power.saturating_sub(1), take)
}

/// Binary search for the last size inside the limits, between a size inside and one outside.
fn bisect(
    mut inside: u32,
    mut outside: u32,
    take: &mut impl FnMut(u32) -> Result<Taken, Errno>,
) -> Result<u32, Errno> {
    while inside.abs_diff(outside) > 1 {
        let middle = inside.midpoint(outside);
        if take(middle)? == Taken::Outside {
            outside = middle;
        } else {
            inside = middle;
        }
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(min: u32, max: u32, granularity: u32) -> (Option<BlockLimits>, i32, u32) {
        let (mut now, mut asked) = (-1, 0);
        let limits = probe(|size| {
            asked += 1;
            let bytes = size.cast_unsigned();
            if size != 0 && !(min..=max).contains(&bytes) {
                return Err(Errno::EINVAL);
            }
            if !bytes.is_multiple_of(granularity) {
                return Err(Errno::EIO);
            }
            now = size;
            Ok(())
        });
        (limits, now, asked)
    }

    #[test]
    fn limits_are_found_and_the_drive_is_left_in_variable_block_mode() {
        for (min, max, granularity) in [
            (512, 1 << 20, 4),
            (1, 2 << 20, 1),
            (1, (1 << 24) - 2, 1),
            (4, 1 << 20, 4),
            (700, 701, 1),
            (1024, 65_536, 1024),
        ] {
            let (limits, now, asked) = found(min, max, granularity);
            // Sizes just above 700 are none of the usual ones.
            let expected = (min != 700).then_some(BlockLimits {
                min_bytes: min,
                max_bytes: max,
                granularity_bytes: granularity,
            });
            assert_eq!(
                (limits, now),
                (expected, 0),
                "{min} to {max} by {granularity}"
            );
            assert!(asked < 60, "{asked} requests");
            if min.is_power_of_two() && max.is_power_of_two() {
                assert!(asked < 28, "{asked} requests");
            }
        }
        let largest = found(1, 16 << 20, 1).0.map(|limits| limits.max_bytes);
        assert_eq!(largest, Some(16 << 20));
    }

    #[test]
    fn a_drive_that_refuses_every_fixed_size_says_nothing_of_granularity() {
        let limits = probe(|size| if size == 0 { Ok(()) } else { Err(Errno::EIO) });
        assert_eq!(limits.map(|limits| limits.granularity_bytes), Some(1));
        assert_eq!(probe(|_| Err(Errno::ENOMEDIUM)), None);
    }
}
