//! The bytes of an image file that go by once, as when it is copied: its blocks are checked on the way.

use crc32fast::Hasher;

use crate::frame::{Frame, Kind};
use crate::image::Image;
use crate::layout::{FRAME_BYTES, RECORDS_OFFSET, wide};
use crate::store::Store;
use crate::walk::Walk;

/// What is not as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The bytes of this block.
    Block {
        /// Its number.
        object: u64,
    },
    /// The frame that has to be at this place. Nothing behind it is checked.
    Frame {
        /// In the file.
        offset: u64,
    },
}

/// Checks the blocks of an image file whose bytes go by in their order, from the first to the last.
///
/// It reads nothing by itself. Damaged frames end the check: what is behind them is found by [`Image::read_object`].
#[derive(Debug)]
pub struct Passing {
    walk: Walk,
    /// Where the next byte lies in the file.
    at: u64,
    within: Within,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Within {
    /// Nothing that is checked, up to this place. There the next frame begins.
    Unchecked { until: u64 },
    /// A frame of which so many bytes went by.
    Frame { bytes: [u8; 48], had: usize },
    /// The payload of a block, of which so many bytes are to come.
    Block {
        frame: Frame,
        left: u64,
        crc: Hasher,
    },
    /// What nobody can check, or wants to.
    Rest,
}

impl<S: Store> Image<S> {
    /// Checks the blocks of this image, by its end as it is now.
    #[must_use]
    pub fn passing(&self) -> Passing {
        Passing {
            walk: self.walk_from(crate::walk::Spot::BEGINNING),
            at: 0,
            within: Within::Unchecked {
                until: RECORDS_OFFSET,
            },
        }
    }
}

impl Passing {
    /// Takes the next bytes of the file; `met` is told of each flaw that they end.
    pub fn pass(&mut self, mut bytes: &[u8], met: &mut dyn FnMut(Flaw)) {
        while !bytes.is_empty() {
            let taken = self.some(bytes, met);
            self.at = self.at.saturating_add(wide(taken));
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Takes bytes up to where something else begins; says how many.
    fn some(&mut self, bytes: &[u8], met: &mut dyn FnMut(Flaw)) -> usize {
        let most = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        match &mut self.within {
            Within::Rest => bytes.len(),
            Within::Unchecked { until } => {
                let left = until.saturating_sub(self.at);
                let taken = most(left);
                if wide(taken) == left {
                    self.within = self.next();
                }
                taken
            }
            Within::Frame { bytes: frame, had } => {
                let taken = bytes.len().min(frame.len() - *had);
                let (into, from) = (frame.get_mut(*had..*had + taken), bytes.get(..taken));
                if let (Some(into), Some(from)) = (into, from) {
                    into.copy_from_slice(from);
                }
                *had += taken;
                if *had == frame.len() {
                    let frame = *frame;
                    self.within = self.behind_frame(&frame, met);
                }
                taken
            }
            Within::Block { frame, left, crc } => {
                let taken = most(*left);
                crc.update(bytes.get(..taken).unwrap_or_default());
                *left -= wide(taken);
                if *left == 0 {
                    if std::mem::take(crc).finalize() != frame.payload_crc {
                        met(Flaw::Block {
                            object: frame.object,
                        });
                    }
                    self.within = self.next();
                }
                taken
            }
        }
    }

    /// What begins at the place of the walk.
    fn next(&self) -> Within {
        match self.walk.spot.offset < self.walk.limit {
            true => Within::Frame {
                bytes: [0; 48],
                had: 0,
            },
            false => Within::Rest,
        }
    }

    /// What begins behind a frame.
    fn behind_frame(&mut self, bytes: &[u8; 48], met: &mut dyn FnMut(Flaw)) -> Within {
        let offset = self.walk.spot.offset;
        let Some(frame) = self.walk.take(bytes) else {
            met(Flaw::Frame { offset });
            return Within::Rest;
        };
        self.walk.pass(&frame);
        match frame.kind {
            Kind::Block if frame.length > 0 => Within::Block {
                frame,
                left: u64::from(frame.length),
                crc: Hasher::new(),
            },
            _ if frame.length == 0 => self.next(),
            _ => Within::Unchecked {
                until: offset
                    .saturating_add(FRAME_BYTES)
                    .saturating_add(u64::from(frame.length)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CreateParameters, MemoryStore};
    use pseudotape_tape::{Mark, VolumeId};
    use uuid::Uuid;

    /// Longer than a leaf of the index, with blocks of many lengths.
    const BLOCKS: u64 = 1200;

    fn image() -> (Image<MemoryStore>, Vec<u8>) {
        let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(1)), 0);
        let mut image = Image::create(MemoryStore::default(), &parameters).expect("a new image");
        for number in 0..BLOCKS {
            let length = usize::try_from(number % 97 + 1).expect("it is small");
            image.append_block(&vec![7; length]).expect("a block");
            if number % 100 == 99 {
                image.append_marks(Mark::Filemark, 1).expect("a mark");
            }
        }
        let store = image.finish().expect("a commit");
        let bytes = store.bytes().to_vec();
        let (image, _) =
            Image::open(store, pseudotape_tape::Access::ReadOnly).expect("it is whole");
        (image, bytes)
    }

    fn flaws(image: &Image<MemoryStore>, bytes: &[u8], at_a_time: usize) -> Vec<Flaw> {
        let (mut passing, mut flaws) = (image.passing(), Vec::new());
        for part in bytes.chunks(at_a_time) {
            passing.pass(part, &mut |flaw| flaws.push(flaw));
        }
        flaws
    }

    #[test]
    fn an_image_as_it_was_recorded_has_no_flaw_however_its_bytes_come() {
        let (image, bytes) = image();
        for at_a_time in [1, 47, 48, 4096, 1 << 20] {
            assert_eq!(flaws(&image, &bytes, at_a_time), [], "{at_a_time}");
        }
    }

    #[test]
    fn each_block_with_a_changed_byte_is_a_flaw_and_no_other_one() {
        let (mut image, good) = image();
        for object in [0, 1, 98, 600, 1100] {
            image
                .locate(pseudotape_tape::ObjectNumber(object))
                .expect("it is there");
            image.look_ahead().expect("its frame is there");
            let payload = image.cursor.offset + FRAME_BYTES;
            let mut bytes = good.clone();
            let at = usize::try_from(payload).expect("it is small");
            bytes[at] ^= 1;
            for at_a_time in [1, 1000, 1 << 20] {
                assert_eq!(flaws(&image, &bytes, at_a_time), [Flaw::Block { object }]);
            }
            let mut bytes = good.clone();
            bytes[at - 20] ^= 1;
            let offset = payload - FRAME_BYTES;
            assert_eq!(flaws(&image, &bytes, 1000), [Flaw::Frame { offset }]);
        }
    }
}
