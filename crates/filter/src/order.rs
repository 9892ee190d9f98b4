//! What is known of the order of the blocks on a tape: which volume it is, and which block has to come.
//!
//! Nothing here moves a tape. `bound.rs` tells it what was done, and asks it about each block.

use crate::error::BlockError;
use crate::header::{Place, Seal, VolumeMark, beginning};

/// What tells a volume from others with the same key: the first block of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Nobody has looked for it.
    Unknown,
    /// No block before this object tells.
    NoneBefore(u64),
    /// This object tells.
    Known {
        /// The object.
        object: u64,
        /// The volume.
        volume: VolumeMark,
        /// Whether it is of version 2: then nothing else is on the volume.
        bound: bool,
    },
}

impl First {
    /// What is known when a block or a mark is written at an object, and everything behind is gone.
    fn cut(&mut self, object: u64) {
        match *self {
            First::Known { object: first, .. } if first >= object => {
                *self = First::NoneBefore(object);
            }
            First::NoneBefore(before) if before > object => *self = First::NoneBefore(object),
            First::Unknown if object == 0 => *self = First::NoneBefore(0),
            First::Unknown | First::NoneBefore(_) | First::Known { .. } => {}
        }
    }

    /// The object there is one that does not tell.
    fn pass(&mut self, object: u64, behind: u64) {
        match *self {
            First::NoneBefore(before) if (object..behind).contains(&before) => {
                *self = First::NoneBefore(behind);
            }
            First::Unknown if object == 0 => *self = First::NoneBefore(behind),
            First::Unknown | First::NoneBefore(_) | First::Known { .. } => {}
        }
    }
}

/// The block that was read last, and its place.
#[derive(Clone, Copy, Debug)]
struct Last {
    seal: Seal,
    /// The object behind it, and behind all marks that followed.
    next: u64,
    /// Objects that could not be read since.
    lost: u64,
}

/// What is known of one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    partition: u8,
    pub(crate) first: First,
    last: Option<Last>,
    /// Where the segment goes on that is being written.
    writing: Option<u64>,
    /// The first block of the partition was met, or there is none: no other is a foreign one that nobody looked at.
    is_first_block_met: bool,
    /// The first block met that this filter does not read, though it is whole.
    foreign: Option<(u64, BlockError)>,
    /// The first thing that could not be read: what lies behind need not be a beginning.
    first_lost: Option<u64>,
}

impl Order {
    /// Nothing is known.
    pub(crate) fn unknown() -> Self {
        Order {
            partition: 0,
            first: First::Unknown,
            last: None,
            writing: None,
            is_first_block_met: false,
            foreign: None,
            first_lost: None,
        }
    }

    /// Nothing is known any more.
    pub(crate) fn forget(&mut self) {
        *self = Order::unknown();
    }

    /// A block that this filter does not read was met at this object.
    pub(crate) fn foreign_at(&mut self, object: u64, why: BlockError) {
        if self.foreign.is_none_or(|(first, _)| object < first) {
            self.foreign = Some((object, why));
        }
    }

    /// A block that this filter does not read and that a change at an object would drop, or would follow, where no
    /// block before that object is one it reads. Nobody begins at the beginning by mistake.
    pub(crate) fn foreign_around(&self, object: u64) -> Option<(u64, BlockError)> {
        match self.volume_at(object) {
            None if object > 0 => self.foreign,
            Some(_) | None => None,
        }
    }

    /// Whether the first block of the partition is known, or that there is none.
    pub(crate) fn is_first_block_met(&self) -> bool {
        self.is_first_block_met || self.foreign.is_some() || self.tells_volume()
    }

    /// Whether a block tells the volume.
    pub(crate) fn tells_volume(&self) -> bool {
        matches!(self.first, First::Known { .. })
    }

    /// There is no block behind the marks at the beginning.
    pub(crate) fn no_block_met(&mut self) {
        self.is_first_block_met = true;
    }

    /// A block that is not encrypted was read.
    pub(crate) fn open_block_read(&mut self, object: u64, behind: u64) {
        if object == 0 && self.first == First::Unknown {
            self.first = First::NoneBefore(0);
        }
        match self.first {
            First::NoneBefore(before) if (object..behind).contains(&before) => {
                self.first = First::Known {
                    object,
                    volume: VolumeMark::default(),
                    bound: false,
                };
            }
            First::Unknown | First::NoneBefore(_) | First::Known { .. } => {}
        }
    }

    fn cut(&mut self, object: u64) {
        self.foreign = self.foreign.filter(|(other, _)| *other < object);
        self.first_lost = self.first_lost.filter(|lost| *lost < object);
        self.first.cut(object);
    }

    /// The tape is in this partition; in another one than before, nothing is known of it.
    pub(crate) fn enter(&mut self, partition: u8) {
        if self.partition != partition {
            *self = Order {
                partition,
                ..Order::unknown()
            };
        }
    }

    /// Whether a block that is written at this object goes on with the segment that is being written.
    pub(crate) fn goes_on(&self, object: u64) -> bool {
        self.writing == Some(object)
    }

    /// The volume that a block at this object is to be bound to: `None` for a block that begins a volume.
    pub(crate) fn volume_at(&self, object: u64) -> Option<VolumeMark> {
        match self.first {
            First::Known {
                object: first,
                volume,
                ..
            } if first < object => Some(volume),
            First::Unknown | First::NoneBefore(_) | First::Known { .. } => None,
        }
    }

    /// A block was written at an object, and the tape is behind it.
    pub(crate) fn block_written(&mut self, object: u64, behind: u64, volume: VolumeMark) {
        self.last = None;
        self.writing = Some(behind);
        self.cut(object);
        self.is_first_block_met = true;
        if let First::NoneBefore(_) = self.first {
            self.first = First::Known {
                object,
                volume,
                bound: true,
            };
        }
    }

    /// Marks were written from an object on.
    pub(crate) fn marks_written(&mut self, object: u64, behind: u64) {
        if object == behind {
            return;
        }
        self.last = None;
        self.writing = self.goes_on(object).then_some(behind);
        self.cut(object);
        // Everything behind is gone.
        self.is_first_block_met = true;
        self.first.pass(object, behind);
    }

    /// Something else was written at an object: a damaged block, an end of data, or what nobody knows.
    pub(crate) fn changed(&mut self, object: u64) {
        // Perhaps nothing is gone.
        self.is_first_block_met = false;
        self.last = None;
        self.writing = None;
        self.cut(object);
    }

    /// A mark was read.
    pub(crate) fn mark_read(&mut self, object: u64, behind: u64) {
        if let Some(last) = self.last.as_mut().filter(|last| last.next == object) {
            last.next = behind;
        }
        self.first.pass(object, behind);
    }

    /// Something was met that could not be read, or is none of ours.
    pub(crate) fn lost(&mut self, object: u64, behind: u64) {
        if let Some(last) = self.last.as_mut().filter(|last| last.next == object) {
            last.next = behind;
            last.lost += behind.saturating_sub(object);
        }
        self.first_lost = self.first_lost.or(Some(object));
        self.first.pass(object, behind);
    }

    /// Checks a genuine block that was met at an object.
    ///
    /// Also a block that is refused for its order is the one before the next: what follows it is in order again.
    pub(crate) fn block_read(
        &mut self,
        object: u64,
        behind: u64,
        seal: &Seal,
    ) -> Result<(), BlockError> {
        let here = Place {
            partition: self.partition,
            object,
        };
        if let Some((_, place)) = seal.bound
            && place != here
        {
            self.lost(object, behind);
            return Err(BlockError::Elsewhere {
                partition: place.partition,
                object: place.object,
            });
        }
        let known = match self.first {
            First::Known { volume, bound, .. } => Some((volume, bound)),
            First::NoneBefore(_) | First::Unknown => None,
        };
        if let Some((volume, bound)) = known {
            let wrong = match seal.bound {
                Some((its, _)) => (its != volume).then_some(BlockError::OtherVolume),
                None => bound.then_some(BlockError::NotBound),
            };
            if let Some(error) = wrong {
                self.lost(object, behind);
                return Err(error);
            }
        }
        let before = self.last.replace(Last {
            seal: *seal,
            next: behind,
            lost: 0,
        });
        if let First::NoneBefore(_) = self.first {
            self.first = First::Known {
                object,
                volume: seal.volume(),
                bound: seal.bound.is_some(),
            };
            if self.first_lost.is_none() {
                begins(seal)?;
            }
        }
        match before.filter(|before| before.next == object) {
            Some(before) => follows(&before, seal),
            None => Ok(()),
        }
    }
}

/// Whether a block may be the first one of a volume.
fn begins(seal: &Seal) -> Result<(), BlockError> {
    match seal.bound {
        Some((volume, _)) if volume != beginning(&seal.salt) || seal.counter != 0 => {
            Err(BlockError::NoBeginning)
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a block may come behind another one, with nothing but marks and lost objects between them.
fn follows(before: &Last, seal: &Seal) -> Result<(), BlockError> {
    let same = before.seal.salt == seal.salt && before.seal.bound.is_some() == seal.bound.is_some();
    let expected = match (same, seal.bound) {
        (true, _) => before.seal.counter.saturating_add(1),
        // Whoever writes begins a new segment wherever something else is before.
        (false, Some(_)) => 0,
        // No program that writes version 1 goes on behind version 2 in what it takes for one volume.
        (false, None) if before.seal.bound.is_some() => return Err(BlockError::NotBound),
        // A segment of version 1 begins with any number where an earlier part of it was written over.
        (false, None) => return Ok(()),
    };
    match (expected..=expected.saturating_add(before.lost)).contains(&seal.counter) {
        true => Ok(()),
        false => Err(BlockError::OutOfOrder {
            found: seal.counter,
            expected,
            or: match (seal.bound, seal.counter > expected) {
                (None, true) => ", or a part of the tape was written over by an older program",
                (None, false) | (Some(_), _) => "",
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(salt: u8, counter: u64, bound: Option<u64>) -> Seal {
        of(1, salt, counter, bound)
    }

    fn of(volume: u8, salt: u8, counter: u64, bound: Option<u64>) -> Seal {
        let place = |object| Place {
            partition: 0,
            object,
        };
        Seal {
            key_check: [0; 8],
            salt: [salt; 32],
            counter,
            bound: bound.map(|object| ([volume; 8], place(object))),
        }
    }

    /// What the blocks from object 0 on give.
    fn read(blocks: &[Seal]) -> Vec<Result<(), BlockError>> {
        let mut order = Order::unknown();
        order.first = First::NoneBefore(0);
        let places = 0..;
        places
            .zip(blocks)
            .map(|(object, seal)| order.block_read(object, object + 1, seal))
            .collect()
    }

    fn out_of_order(found: &Result<(), BlockError>) -> bool {
        matches!(found, Err(BlockError::OutOfOrder { .. }))
    }

    #[test]
    fn a_counter_of_version_1_neither_falls_nor_jumps_in_its_segment() {
        let blocks = |counters: &[u64]| -> Vec<Seal> {
            let seals = counters.iter().map(|counter| seal(1, *counter, None));
            seals.collect()
        };
        assert!(read(&blocks(&[3, 4, 5, 6])).iter().all(Result::is_ok));
        let wrong = |counters: &[u64]| -> Vec<bool> {
            read(&blocks(counters)).iter().map(out_of_order).collect()
        };
        // Dropped, repeated, exchanged: told where it is met, and what follows is in order again.
        assert_eq!(wrong(&[0, 2, 3]), [false, true, false]);
        assert_eq!(wrong(&[0, 1, 1, 2]), [false, false, true, false]);
        assert_eq!(wrong(&[0, 2, 1, 3]), [false, true, true, true]);
        // Another opening: any number.
        let mixed = [seal(1, 0, None), seal(2, 7, None), seal(2, 8, None)];
        assert!(read(&mixed).iter().all(Result::is_ok));
    }

    #[test]
    fn a_segment_of_version_2_begins_with_its_first_block() {
        let good = [
            seal(1, 0, Some(0)),
            seal(1, 1, Some(1)),
            seal(2, 0, Some(2)),
        ];
        assert!(read(&good).iter().all(Result::is_ok));
        // An older block of the same place: its segment was written over.
        let older = [
            seal(1, 0, Some(0)),
            seal(2, 1, Some(1)),
            seal(1, 2, Some(2)),
        ];
        let found = read(&older);
        assert!(found[0].is_ok() && out_of_order(&found[1]) && out_of_order(&found[2]));
    }

    #[test]
    fn a_volume_begins_with_its_first_block() {
        for wrong in [of(1, 1, 1, Some(0)), of(1, 2, 0, Some(0))] {
            assert_eq!(read(&[wrong]), [Err(BlockError::NoBeginning)]);
            let mut order = Order::unknown();
            order.first = First::NoneBefore(0);
            // What lay before it was lost: it may have been the beginning.
            order.lost(0, 1);
            let mut later = wrong;
            later.bound = Some((
                [1; 8],
                Place {
                    partition: 0,
                    object: 1,
                },
            ));
            assert_eq!(order.block_read(1, 2, &later), Ok(()));
        }
    }

    #[test]
    fn a_lost_block_costs_that_block() {
        for bound in [false, true] {
            let at = |object| bound.then_some(object);
            let mut order = Order::unknown();
            order.first = First::NoneBefore(0);
            order.block_read(0, 1, &seal(1, 0, at(0))).unwrap();
            order.lost(1, 3);
            order.mark_read(3, 4);
            // One of the two lost objects was a mark, or none.
            let mut other = order;
            assert_eq!(order.block_read(4, 5, &seal(1, 2, at(4))), Ok(()));
            assert_eq!(other.block_read(4, 5, &seal(1, 3, at(4))), Ok(()));
            assert!(out_of_order(&other.block_read(5, 6, &seal(1, 5, at(5)))));
        }
    }

    #[test]
    fn a_block_after_a_motion_has_none_before_it() {
        let mut order = Order::unknown();
        order.first = First::NoneBefore(0);
        order.block_read(0, 1, &seal(1, 0, None)).unwrap();
        order.block_read(9, 10, &seal(1, 20, None)).unwrap();
        order.block_read(1, 2, &seal(1, 1, None)).unwrap();
    }

    #[test]
    fn version_1_does_not_come_behind_version_2() {
        let found = read(&[seal(1, 0, Some(0)), seal(3, 0, None)]);
        assert_eq!(found[1], Err(BlockError::NotBound));
        // A volume of version 1 that was appended to.
        let appended = [seal(1, 0, None), seal(2, 0, Some(1)), seal(3, 0, None)];
        let found = read(&appended);
        assert_eq!(found[..2], [Ok(()), Ok(())]);
        assert_eq!(found[2], Err(BlockError::NotBound));
    }

    #[test]
    fn what_is_written_over_tells_no_more() {
        let mut order = Order::unknown();
        order.changed(0);
        order.block_written(0, 1, [1; 8]);
        order.block_written(1, 2, [1; 8]);
        assert_eq!(order.volume_at(2), Some([1; 8]));
        assert!(order.goes_on(2) && !order.goes_on(1));
        assert_eq!(order.volume_at(0), None, "it begins a volume again");
        order.marks_written(2, 4);
        assert!(order.goes_on(4));
        order.marks_written(1, 5);
        assert!(!order.goes_on(5) && !order.goes_on(4));
        order.marks_written(0, 3);
        assert_eq!(order.first, First::NoneBefore(3));
        order.block_written(3, 4, [2; 8]);
        assert_eq!(order.volume_at(4), Some([2; 8]));
        order.enter(1);
        assert_eq!(order.first, First::Unknown);
    }
}
