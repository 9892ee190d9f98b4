use std::ops::ControlFlow;

use pseudotape_tape::{Drive, ObjectNumber};

use crate::ahead::{Ahead, read_ahead};
use crate::error::{Error, Side};
use crate::object::{Gap, Object, Progress};
use crate::reading::{Batch, Reading, Step};

/// Bytes between two calls of the caller's progress …
const PROGRESS_BYTES: u64 = 2 << 20;
/// … and objects: short blocks and marks take their time, too.
const PROGRESS_OBJECTS: u64 = 1024;

/// The first place where two tapes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The object, as the first tape numbers it.
    pub object: ObjectNumber,
    /// Filemarks before it, since the comparison began.
    pub file: u64,
    /// What is on the first tape there.
    pub first: Object,
    /// What is on the second tape there.
    pub second: Object,
    /// The first byte that differs, of two blocks that are the same up to there; the length of the
    /// shorter one where one is the beginning of the other.
    pub byte: Option<u64>,
}

/// What two tapes have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Where they differ, if they do.
    pub difference: Option<Difference>,
    /// Objects that are the same on both, before the difference.
    pub objects: u64,
    /// Blocks among them.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Filemarks among them.
    pub filemarks: u64,
    /// Places that are unreadable on both, and so may be the same or not.
    pub unreadable: Vec<Gap>,
    /// The caller ended it before it was done.
    pub cancelled: bool,
}

impl Comparison {
    /// Whether the tapes are known to hold the same.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.difference.is_none() && self.unreadable.is_empty() && !self.cancelled
    }
}

/// Compares two tapes from where they are, up to the first difference or to the end of both.
///
/// Afterwards the tapes are anywhere behind what was compared.
pub fn compare(
    first: &mut dyn Drive,
    second: &mut dyn Drive,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Comparison, Error> {
    let mut reading = Reading::new(first, Side::First)?;
    let start = reading.object();
    let second = Reading::new(second, Side::Second)?;
    let fill = |batch: &mut Batch| reading.fill_next(batch);
    read_ahead(fill, |ahead| {
        let mut pair = Pair {
            first: Source::Ahead(ahead).into(),
            second: Source::Direct(second).into(),
            found: Comparison::default(),
        };
        pair.all(start, progress)?;
        Ok(pair.found)
    })
}

/// Finds the last object that two tapes have in common, by reading both from their beginning.
///
/// `None` where already the first one differs. What is unreadable on either tape is not known to be
/// common, and ends the search. Where the caller ended it, nobody knows how far the two are the same: that is
/// [`ControlFlow::Break`]. Afterwards the tapes are anywhere.
pub fn last_common_object(
    first: &mut dyn Drive,
    second: &mut dyn Drive,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<ControlFlow<(), Option<ObjectNumber>>, Error> {
    rewind(first, Side::First)?;
    rewind(second, Side::Second)?;
    let found = compare(first, second, progress)?;
    if found.cancelled {
        return Ok(ControlFlow::Break(()));
    }
    let common = found
        .unreadable
        .first()
        .map_or(found.objects, |gap| gap.first.0);
    let last = common.checked_sub(1).map(ObjectNumber);
    Ok(ControlFlow::Continue(last))
}

fn rewind(drive: &mut dyn Drive, side: Side) -> Result<(), Error> {
    let done = drive.rewind().map_err(|failed| Error::Drive {
        side,
        object: ObjectNumber(0),
        action: "rewind",
        failed,
    })?;
    match done.position.object {
        ObjectNumber(0) => Ok(()),
        found => Err(Error::Position {
            side,
            expected: ObjectNumber(0),
            found,
        }),
    }
}

/// Where batches come from.
enum Source<'a> {
    Ahead(Ahead<Batch>),
    Direct(Reading<'a>),
}

/// One of the two tapes, step by step.
struct Tape<'a> {
    source: Source<'a>,
    batch: Batch,
    /// Steps of the batch that were taken.
    step: usize,
    /// Bytes of the batch that were taken.
    byte: usize,
    /// Unreadable objects of the last step that are still ahead.
    unreadable: u64,
}

impl<'a> From<Source<'a>> for Tape<'a> {
    fn from(source: Source<'a>) -> Self {
        Tape {
            source,
            batch: Batch::default(),
            step: 0,
            byte: 0,
            unreadable: 0,
        }
    }
}

/// What a tape has next; a block's bytes lie in the batch.
struct Next {
    object: Object,
    bytes: std::ops::Range<usize>,
}

impl Tape<'_> {
    fn next(&mut self) -> Result<Next, Error> {
        let nothing = |object| Next {
            object,
            bytes: 0..0,
        };
        if self.unreadable > 0 {
            self.unreadable -= 1;
            return Ok(nothing(Object::Unreadable));
        }
        loop {
            if let Some(step) = self.batch.steps.get(self.step) {
                self.step += 1;
                return Ok(match *step {
                    Step::Block(length) => {
                        let start = self.byte;
                        self.byte += usize::try_from(length).unwrap_or(usize::MAX);
                        Next {
                            object: Object::Block { length },
                            bytes: start..self.byte,
                        }
                    }
                    Step::Mark(mark) => nothing(mark.into()),
                    Step::Unreadable(objects) => {
                        self.unreadable = objects.saturating_sub(1);
                        nothing(Object::Unreadable)
                    }
                });
            }
            match self.batch.end.clone() {
                Some(end) => return end.map(|()| nothing(Object::EndOfData)),
                None => self.refill(),
            }
        }
    }

    fn refill(&mut self) {
        (self.step, self.byte) = (0, 0);
        match &mut self.source {
            Source::Direct(reading) => reading.fill(&mut self.batch),
            Source::Ahead(ahead) => {
                let empty = std::mem::take(&mut self.batch);
                // The first one was made here, and is none of theirs.
                if !empty.steps.is_empty() {
                    ahead.give_back(empty);
                }
                self.batch = ahead.next_batch().unwrap_or_else(Batch::at_the_end);
            }
        }
    }

    fn bytes(&self, next: &Next) -> &[u8] {
        self.batch
            .bytes()
            .get(next.bytes.clone())
            .unwrap_or_default()
    }
}

struct Pair<'a> {
    first: Tape<'a>,
    second: Tape<'a>,
    found: Comparison,
}

impl Pair<'_> {
    fn all(
        &mut self,
        start: ObjectNumber,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let (mut told, mut told_objects) = (0, 0);
        loop {
            let object = ObjectNumber(start.0 + self.found.objects);
            let (first, second) = (self.first.next()?, self.second.next()?);
            let (a, b) = (self.first.bytes(&first), self.second.bytes(&second));
            if first.object != second.object || a != b {
                let blocks = matches!(
                    (first.object, second.object),
                    (Object::Block { .. }, Object::Block { .. })
                );
                self.found.difference = Some(Difference {
                    object,
                    file: self.found.filemarks,
                    first: first.object,
                    second: second.object,
                    byte: blocks.then(|| first_difference(a, b)),
                });
                return Ok(());
            }
            match first.object {
                Object::EndOfData => return Ok(()),
                Object::Unreadable => Gap::add(&mut self.found.unreadable, object, 1),
                Object::Filemark => self.found.filemarks += 1,
                Object::Setmark => {}
                Object::Block { length } => {
                    self.found.blocks += 1;
                    self.found.bytes += u64::from(length);
                }
            }
            self.found.objects += 1;
            if self.found.bytes >= told + PROGRESS_BYTES
                || self.found.objects >= told_objects + PROGRESS_OBJECTS
            {
                (told, told_objects) = (self.found.bytes, self.found.objects);
                let now = Progress {
                    object: ObjectNumber(start.0 + self.found.objects),
                    bytes: told,
                };
                if progress(now).is_break() {
                    self.found.cancelled = true;
                    return Ok(());
                }
            }
        }
    }
}

/// The first byte that differs, or the length of the shorter one.
fn first_difference(a: &[u8], b: &[u8]) -> u64 {
    a.iter().zip(b).take_while(|(a, b)| a == b).count() as u64
}
