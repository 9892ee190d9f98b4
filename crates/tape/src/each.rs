//! A read in fixed block mode as a row of reads of one block.

use std::num::NonZeroU32;

use crate::numbers::Position;
use crate::outcome::{Failed, ReadDone, Stop};
use crate::wide::wide;

/// Reads blocks of one size by reads of one block each, until the buffer is full or something stops it.
///
/// `read_one` reads one block into the part that it is given; the tape is at the place that it is given, which is
/// `at` for the first block.
///
/// | met | result |
/// |---|---|
/// | blocks of the size | each counts, the last one's place |
/// | a block of another length | [`Stop::IllegalLength`], not counted, behind it |
/// | a stop | that stop, behind or before it as the drive says |
/// | a failure | that failure, with the blocks read before as its count |
/// | a buffer shorter than a block | nothing read, at `at` |
pub fn read_each(
    size: NonZeroU32,
    buffer: &mut [u8],
    at: Position,
    mut read_one: impl FnMut(&mut [u8], Position) -> Result<ReadDone, Failed>,
) -> Result<ReadDone, Failed> {
    let mut total = ReadDone {
        blocks: 0,
        bytes: 0,
        block_length: 0,
        stop: None,
        position: at,
    };
    for part in buffer.chunks_exact_mut(wide(size.get())) {
        let one = read_one(part, total.position).map_err(|failed| Failed {
            count: total.blocks,
            ..failed
        })?;
        total.position = one.position;
        total.block_length = one.block_length;
        total.stop = one.stop;
        if one.stop.is_none() && one.block_length != size.get() {
            total.stop = Some(Stop::IllegalLength);
        }
        if total.stop.is_some() {
            break;
        }
        total.blocks += 1;
        total.bytes += part.len();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ObjectNumber, Sense};

    const SIZE: NonZeroU32 = NonZeroU32::new(4).unwrap();

    fn at(object: u64) -> Position {
        Position {
            object: ObjectNumber(object),
            ..Position::default()
        }
    }

    /// A tape of blocks of these lengths.
    fn tape(lengths: &[u32]) -> impl FnMut(&mut [u8], Position) -> Result<ReadDone, Failed> {
        move |part, before| {
            assert_eq!(part.len(), 4);
            let place = usize::try_from(before.object.0).unwrap();
            let behind = at(before.object.0 + 1);
            match lengths.get(place) {
                Some(0) => Err(Failed::at(Sense::MediumError, Some(behind))),
                Some(length) => Ok(ReadDone {
                    blocks: 1,
                    bytes: 4,
                    block_length: *length,
                    stop: None,
                    position: behind,
                }),
                None => Ok(ReadDone {
                    blocks: 0,
                    bytes: 0,
                    block_length: 0,
                    stop: Some(Stop::EndOfData),
                    position: before,
                }),
            }
        }
    }

    #[test]
    fn blocks_count_until_something_stops_the_read() {
        let done = read_each(SIZE, &mut [0; 12], at(0), tape(&[4, 4, 4, 4])).unwrap();
        assert_eq!((done.blocks, done.bytes, done.stop), (3, 12, None));
        assert_eq!(done.position, at(3));
        let done = read_each(SIZE, &mut [0; 12], at(0), tape(&[4])).unwrap();
        assert_eq!((done.blocks, done.bytes), (1, 4));
        assert_eq!((done.stop, done.position), (Some(Stop::EndOfData), at(1)));
        let done = read_each(SIZE, &mut [0; 12], at(0), tape(&[4, 9, 4])).unwrap();
        assert_eq!((done.blocks, done.bytes, done.block_length), (1, 4, 9));
        assert_eq!(done.stop, Some(Stop::IllegalLength));
        assert_eq!(done.position, at(2));
    }

    #[test]
    fn a_failure_says_how_many_blocks_were_read_before() {
        let failed = read_each(SIZE, &mut [0; 12], at(0), tape(&[4, 4, 0])).unwrap_err();
        assert_eq!((failed.count, failed.position), (2, Some(at(3))));
    }

    #[test]
    fn a_buffer_without_room_for_a_block_reads_nothing() {
        let done = read_each(SIZE, &mut [0; 3], at(7), tape(&[])).unwrap();
        assert_eq!((done.blocks, done.stop, done.position), (0, None, at(7)));
    }
}
