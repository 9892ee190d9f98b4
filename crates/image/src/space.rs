//! Going to places by the index: none of this depends on how many objects lie in between.
//!
//! Marks of a forged index may contradict each other; then counts end at 0, and reading finds the truth.

use pseudotape_tape::{Mark, ObjectNumber, Stop};

use crate::error::Error;
use crate::image::Image;
use crate::index::{Entry, Leaf, Marks};
use crate::layout::{LEAF_OBJECTS_U64, NODE_LEAVES, wide};
use crate::store::Store;
use crate::walk::Spot;

/// How far a motion got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spaced {
    /// Blocks or marks passed.
    pub count: u64,
    /// Why it ended before its count.
    pub stop: Option<Stop>,
}

impl Spaced {
    fn whole(count: u64) -> Self {
        Spaced { count, stop: None }
    }

    fn stopped(count: u64, stop: Stop) -> Self {
        Spaced {
            count,
            stop: Some(stop),
        }
    }
}

/// A mark met on the way.
struct Met {
    object: u64,
    stop: Stop,
}

impl<S: Store> Image<S> {
    /// Moves over `count` blocks, backwards where negative.
    ///
    /// | met | result | place after |
    /// |---|---|---|
    /// | all | whole count | behind the last one (before it when going backwards) |
    /// | a mark | blocks so far, the mark as stop | on its far side |
    /// | end of data, beginning of partition | blocks so far, that as stop | there |
    pub fn space_blocks(&mut self, count: i64) -> Result<Spaced, Error> {
        let wanted = count.unsigned_abs();
        let from = self.cursor.object;
        let (spaced, to) = if count >= 0 {
            let mark = self.mark_ahead(from)?;
            let free = mark
                .as_ref()
                .map_or(self.end.object, |mark| mark.object)
                .saturating_sub(from);
            match mark {
                _ if wanted <= free => (Spaced::whole(wanted), from + wanted),
                Some(mark) => (Spaced::stopped(free, mark.stop), mark.object + 1),
                None => (Spaced::stopped(free, Stop::EndOfData), self.end.object),
            }
        } else {
            let mark = self.mark_behind(from)?;
            let free = mark.as_ref().map_or(from, |mark| {
                from.saturating_sub(mark.object.saturating_add(1))
            });
            match mark {
                _ if wanted <= free => (Spaced::whole(wanted), from - wanted),
                Some(mark) => (Spaced::stopped(free, mark.stop), mark.object),
                None => (Spaced::stopped(free, Stop::BeginningOfPartition), 0),
            }
        };
        self.go_to(to)?;
        Ok(spaced)
    }

    /// Moves over `count` marks, backwards where negative.
    ///
    /// Places as for [`Image::space_blocks`]; blocks are passed over, a setmark stops the counting of
    /// filemarks.
    pub fn space_marks(&mut self, mark: Mark, count: i64) -> Result<Spaced, Error> {
        let wanted = count.unsigned_abs();
        let from = self.cursor.object;
        let before = self.marks_before(from)?;
        if wanted == 0 {
            self.go_to(from)?;
            return Ok(Spaced::whole(0));
        }
        let first = mark.of(&before);
        let (spaced, to) = if count >= 0 {
            let target = self.find_mark(mark, first.saturating_add(wanted - 1))?;
            let setmark = self.setmark_in_the_way(mark, before.setmarks.into())?;
            match (target, setmark) {
                (Some(target), None) => (Spaced::whole(wanted), target + 1),
                (Some(target), Some(setmark)) if target < setmark => {
                    (Spaced::whole(wanted), target + 1)
                }
                (_, Some(setmark)) => {
                    let passed = mark.of(&self.marks_before(setmark)?).saturating_sub(first);
                    (Spaced::stopped(passed, Stop::Setmark), setmark + 1)
                }
                (None, None) => {
                    let passed = mark.of(&self.index.marks).saturating_sub(first);
                    (Spaced::stopped(passed, Stop::EndOfData), self.end.object)
                }
            }
        } else {
            let target = match first.checked_sub(wanted) {
                Some(number) => self.find_mark(mark, number)?,
                None => None,
            };
            let setmark = match before.setmarks.checked_sub(1) {
                Some(number) => self.setmark_in_the_way(mark, number.into())?,
                None => None,
            };
            match (target, setmark) {
                (Some(target), None) => (Spaced::whole(wanted), target),
                (Some(target), Some(setmark)) if setmark < target => {
                    (Spaced::whole(wanted), target)
                }
                (_, Some(setmark)) => {
                    let passed = first.saturating_sub(mark.of(&self.marks_before(setmark)?));
                    (Spaced::stopped(passed, Stop::Setmark), setmark)
                }
                (None, None) => (Spaced::stopped(first, Stop::BeginningOfPartition), 0),
            }
        };
        self.go_to(to)?;
        Ok(spaced)
    }

    /// Moves to an object; `EndOfData` and there where it lies behind.
    pub fn locate(&mut self, object: ObjectNumber) -> Result<Option<Stop>, Error> {
        self.go_to(object.0)?;
        Ok((object.0 > self.end.object).then_some(Stop::EndOfData))
    }

    /// Moves to the beginning. Commits nothing; that is [`Image::sync`]'s.
    pub fn rewind(&mut self) {
        self.open_block = None;
        self.next = None;
        self.cursor = Spot::BEGINNING;
    }

    /// Moves to the end of data.
    pub fn to_end_of_data(&mut self) {
        self.open_block = None;
        self.next = None;
        self.cursor = self.end;
    }

    /// Objects since the last filemark before this place, or since the beginning.
    pub fn objects_since_filemark(&mut self) -> Result<u64, Error> {
        self.objects_in_file_before(self.cursor.object)
    }

    /// Objects between the last filemark before `from` (or the beginning) and `from`.
    pub(crate) fn objects_in_file_before(&mut self, from: u64) -> Result<u64, Error> {
        let files = u64::from(self.marks_before(from)?.files);
        let mark = match files.checked_sub(1) {
            Some(number) => self.find_mark(Mark::Filemark, number)?,
            None => None,
        };
        Ok(mark.map_or(from, |mark| from.saturating_sub(mark + 1)))
    }

    fn go_to(&mut self, object: u64) -> Result<(), Error> {
        self.open_block = None;
        if object >= self.end.object {
            self.to_end_of_data();
        } else if object == 0 {
            self.rewind();
        } else if self.cursor.object != object {
            let spot = match self.frame_of(object)? {
                Some((frame, offset)) => {
                    self.next = Some(frame);
                    Spot::before(&frame, offset)
                }
                None => {
                    self.next = None;
                    self.spot_of_damaged(object)?
                }
            };
            self.cursor = spot;
        }
        Ok(())
    }

    /// What can be said of a place whose frame is damaged.
    fn spot_of_damaged(&mut self, object: u64) -> Result<Spot, Error> {
        let offset = self.entry(object)?.offset();
        let file = self.marks_before(object)?.files;
        let (payload, previous) = match self.frame_of(object.saturating_sub(1))? {
            Some((frame, before)) => (frame.payload_after(), before),
            None => (0, 0),
        };
        Ok(Spot {
            offset,
            object,
            file,
            payload,
            previous,
        })
    }

    fn mark_ahead(&mut self, object: u64) -> Result<Option<Met>, Error> {
        let before = self.marks_before(object)?;
        let filemark = self.find_mark(Mark::Filemark, before.files.into())?;
        let setmark = self.find_mark(Mark::Setmark, before.setmarks.into())?;
        Ok(met(Mark::Filemark, filemark)
            .into_iter()
            .chain(met(Mark::Setmark, setmark))
            .min_by_key(|met| met.object))
    }

    fn mark_behind(&mut self, object: u64) -> Result<Option<Met>, Error> {
        let before = self.marks_before(object)?;
        let mut last = None;
        for (mark, count) in [
            (Mark::Filemark, before.files),
            (Mark::Setmark, before.setmarks),
        ] {
            if let Some(number) = count.checked_sub(1) {
                let found = met(mark, self.find_mark(mark, number.into())?);
                last = last
                    .into_iter()
                    .chain(found)
                    .max_by_key(|met: &Met| met.object);
            }
        }
        Ok(last)
    }

    fn setmark_in_the_way(&mut self, counted: Mark, number: u64) -> Result<Option<u64>, Error> {
        match counted {
            Mark::Filemark => self.find_mark(Mark::Setmark, number),
            Mark::Setmark => Ok(None),
        }
    }

    /// The object that is the mark with this number, counted from 0.
    fn find_mark(&mut self, mark: Mark, number: u64) -> Result<Option<u64>, Error> {
        if number >= mark.of(&self.index.marks) {
            return Ok(None);
        }
        let starts_later = |first: &Marks| mark.of(first) > number;
        let in_partial = !starts_later(&self.index.partial.first);
        let leaf = if in_partial {
            self.index.leaf_count()
        } else if self
            .index
            .leaves
            .first()
            .is_some_and(|branch| !starts_later(&branch.first))
        {
            let place = self
                .index
                .leaves
                .partition_point(|branch| !starts_later(&branch.first));
            wide(self.index.nodes.len()) * wide(NODE_LEAVES) + wide(place.saturating_sub(1))
        } else {
            let place = self
                .index
                .nodes
                .partition_point(|branch| !starts_later(&branch.first));
            let node = wide(place.saturating_sub(1));
            self.load_node(node)?;
            let place = self
                .node
                .partition_point(|branch| !starts_later(&branch.first));
            node * wide(NODE_LEAVES) + wide(place.saturating_sub(1))
        };
        let found = place_in_leaf(self.leaf(leaf)?, mark, number);
        // A leaf made anew in damaged parts may miss marks: then it is as if the mark were not there.
        Ok(found.map(|place| leaf * LEAF_OBJECTS_U64 + wide(place)))
    }
}

fn place_in_leaf(leaf: &Leaf, mark: Mark, number: u64) -> Option<usize> {
    let mut nth = number.checked_sub(mark.of(&leaf.first))?;
    leaf.entries.iter().position(|entry| {
        let hit = mark.is(*entry);
        let found = hit && nth == 0;
        nth = nth.saturating_sub(u64::from(hit));
        found
    })
}

fn met(mark: Mark, object: Option<u64>) -> Option<Met> {
    let stop = match mark {
        Mark::Filemark => Stop::Filemark,
        Mark::Setmark => Stop::Setmark,
    };
    object.map(|object| Met { object, stop })
}

/// What counts marks of one kind.
trait CountMark {
    fn of(self, marks: &Marks) -> u64;
    fn is(self, entry: Entry) -> bool;
}

impl CountMark for Mark {
    fn of(self, marks: &Marks) -> u64 {
        match self {
            Mark::Filemark => marks.files.into(),
            Mark::Setmark => marks.setmarks.into(),
        }
    }

    fn is(self, entry: Entry) -> bool {
        match self {
            Mark::Filemark => entry.is_filemark(),
            Mark::Setmark => entry.is_setmark(),
        }
    }
}
