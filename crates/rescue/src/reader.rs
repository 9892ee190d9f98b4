//! Reads the wanted objects of a tape that may be damaged, and never trusts where a drive is after an error.

use pseudotape_tape::{
    Address, Drive, Failed, Mark, ObjectNumber, Position, Sense, SpaceUnit, Stop, Transfer,
};

use crate::error::{Error, Tape};
use crate::map::Wanted;

/// A batch ends when less than this is left of its room, or than the longest block met.
const FULL_BYTES: usize = 2 << 20;
/// Room of a batch, while no block is longer than half of it.
const BATCH_BYTES: usize = 4 << 20;
/// Most objects of a batch.
const BATCH_OBJECTS: usize = 1024;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A block of this length; its bytes follow those of the block before.
    Block(u32),
    /// A mark.
    Mark(Mark),
    /// It can't be read.
    Bad {
        tries: u32,
        errno: u16,
        /// Filemarks before it, where the drive knows.
        file: Option<u64>,
    },
    /// So many objects can't be reached.
    Skipped(u64),
}

/// Why nothing more comes.
#[derive(Debug)]
pub(crate) enum Finish {
    /// All that was wanted was tried, or the source has no more: it has so many objects, where it came so far.
    Done(Option<u64>),
    Failed(Error),
}

/// Objects in a row.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    used: usize,
    pub(crate) steps: Vec<(u64, Step)>,
    pub(crate) finish: Option<Finish>,
}

impl Batch {
    /// The bytes of all blocks.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

/// How the next object behind a bad one is reached.
enum Passed {
    /// The tape is before this object.
    To(u64),
    /// Nothing more of this range can be reached.
    No,
}

pub(crate) struct Reader<'a> {
    drive: &'a mut dyn Drive,
    wanted: std::vec::IntoIter<Wanted>,
    range: Option<Wanted>,
    /// Next object of the range.
    object: u64,
    /// Where the tape is, where that is known and was not doubted since.
    at: Option<u64>,
    longest: usize,
    /// Objects from this one on are not this tape's.
    limit: Option<u64>,
    /// Where the data end, once that was seen.
    end: Option<u64>,
    /// Where the range can't be entered at its beginning, it is tried further behind, in steps that grow.
    leap: u64,
    /// Filemarks before the place that was known last, where the drive knows.
    file: Option<i64>,
    /// By what the tape is known again: from before, or the first block of this reader.
    proof: Proof,
    /// It was read by this reader.
    own_proof: bool,
    /// And the last block of the last batch that had one.
    last: Option<Proof>,
}

/// By what a tape is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing was read of it yet, so that nothing can be mixed up.
    NotNeeded,
    /// Something was read of it, and none of that can be compared.
    None,
    /// A block of it.
    Block {
        object: u64,
        length: usize,
        sum: u32,
    },
}

impl Proof {
    pub(crate) fn new(object: u64, block: &[u8]) -> Self {
        Proof::Block {
            object,
            length: block.len(),
            sum: crc32fast::hash(block),
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(drive: &'a mut dyn Drive, wanted: Vec<Wanted>, limit: Option<u64>) -> Self {
        let mut reader = Reader {
            drive,
            wanted: wanted.into_iter(),
            range: None,
            object: 0,
            at: None,
            longest: 0,
            limit,
            end: None,
            leap: 1,
            file: None,
            proof: Proof::None,
            own_proof: false,
            last: None,
        };
        reader.next_range();
        reader
    }

    /// The tape is known by these, where the drive says that it may be another one.
    pub(crate) fn proved_by(mut self, first: Proof, last: Option<Proof>) -> Self {
        self.proof = first;
        self.last = last;
        self
    }

    fn next_range(&mut self) {
        self.range = self.wanted.next();
        self.leap = 1;
        if let Some(range) = self.range {
            self.object = range.first;
        }
    }

    /// Reads the next objects; at least one, or the batch says why not. What is bad ends a batch, so that it is told at
    /// once.
    pub(crate) fn fill(&mut self, batch: &mut Batch) {
        batch.used = 0;
        batch.steps.clear();
        batch.finish = None;
        while batch.finish.is_none() && batch.steps.len() < BATCH_OBJECTS {
            let full =
                batch.used > 0 && batch.bytes.len() - batch.used < self.longest.max(FULL_BYTES);
            if full {
                break;
            }
            let known = batch.steps.len();
            if let Err(error) = self.step(batch) {
                batch.finish = Some(Finish::Failed(error));
            }
            let mut new = batch.steps.iter().skip(known);
            if new.any(|(_, step)| matches!(step, Step::Bad { .. })) {
                break;
            }
        }
        if let Some(last) = last_block(batch) {
            self.last = Some(last);
        }
    }

    fn step(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let Some(range) = self.range else {
            batch.finish = Some(Finish::Done(self.end));
            return Ok(());
        };
        let object = self.object;
        if range.end.is_some_and(|end| object >= end) {
            self.next_range();
            return Ok(());
        }
        // Ranges are not in the order of the tape, so those that follow may be there.
        if self.end.is_some_and(|end| object >= end) || self.limit.is_some_and(|l| object >= l) {
            self.next_range();
            return Ok(());
        }
        if self.at != Some(object) && !self.reach(object)? {
            self.leap_over(range, batch);
            return Ok(());
        }
        if self.end.is_some_and(|end| object >= end) {
            return Ok(());
        }
        self.leap = 1;
        self.room(batch)?;
        self.try_object(object, range, batch)
    }

    /// The tape can't be brought before the next object: leaves some out.
    fn leap_over(&mut self, range: Wanted, batch: &mut Batch) {
        let end = range.end.unwrap_or(u64::MAX);
        let leap = self.leap.min(end.saturating_sub(self.object));
        self.leap = self.leap.saturating_mul(2);
        match range.end {
            Some(_) => {
                batch.steps.push((self.object, Step::Skipped(leap)));
                self.object += leap;
            }
            // Behind what nobody knows there is nothing to count.
            None => self.next_range(),
        }
    }

    fn try_object(&mut self, object: u64, range: Wanted, batch: &mut Batch) -> Result<(), Error> {
        let (mut tries, mut errno) = (0, 0);
        // Where that object lies, as far as anybody knows.
        let file = self.file.and_then(|file| u64::try_from(file).ok());
        while tries < range.tries {
            if self.at != Some(object) && !self.reach(object)? {
                break;
            }
            if self.end.is_some_and(|end| object >= end) {
                return Ok(());
            }
            match self.read(object, batch)? {
                Read::Step(step) => {
                    batch.steps.push((object, step));
                    self.object = object + 1;
                    return Ok(());
                }
                Read::End => return Ok(()),
                Read::Again => self.at = None,
                Read::Failed(failed) => {
                    tries += 1;
                    errno = errno_of(failed.sense);
                    self.at = self.where_it_is();
                }
            }
        }
        let tries = tries.max(1);
        batch.steps.push((object, Step::Bad { tries, errno, file }));
        match self.pass(object, range)? {
            Passed::To(next) => {
                if next > object + 1 {
                    let skipped = next.min(range.end.unwrap_or(next)) - object - 1;
                    batch.steps.push((object + 1, Step::Skipped(skipped)));
                }
                self.object = next;
            }
            // The rest of a range that has an end can be entered from further behind.
            Passed::No if range.end.is_some() => self.object = object + 1,
            Passed::No => self.next_range(),
        }
        Ok(())
    }

    /// Reads the object that the tape is before.
    fn read(&mut self, object: u64, batch: &mut Batch) -> Result<Read, Error> {
        let buffer = batch.bytes.get_mut(batch.used..).unwrap_or_default();
        let room = buffer.len();
        let done = match self.drive.read(Transfer::Variable, buffer) {
            Ok(done) => done,
            Err(failed) => {
                return match failed.sense {
                    Sense::MediumError | Sense::HardwareError => Ok(Read::Failed(failed)),
                    Sense::Reset | Sense::MediumChanged if self.is_same_tape(batch) => {
                        Ok(Read::Failed(failed))
                    }
                    _ => Err(source_error(object, "read", failed)),
                };
            }
        };
        if done.stop == Some(Stop::EndOfData) {
            // Another answer than the end of what is known is doubted.
            if done.position.object.0 == object && self.where_it_is() == Some(object) {
                self.end = Some(object);
                return Ok(Read::End);
            }
            return Ok(Read::Failed(Failed::at(Sense::HardwareError, None)));
        }
        if done.position.object.0 != object + 1 && self.where_it_is() != Some(object + 1) {
            // It may be anything that was read.
            return Ok(Read::Failed(Failed::at(Sense::HardwareError, None)));
        }
        self.at = Some(object + 1);
        self.saw(done.position);
        let step = match done.stop {
            Some(Stop::Filemark) => Step::Mark(Mark::Filemark),
            Some(Stop::Setmark) => Step::Mark(Mark::Setmark),
            _ => Step::Block(done.block_length),
        };
        if let Step::Block(length) = step {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            self.longest = self.longest.max(length);
            if length > room {
                // Longer than any before: once more, into a batch that takes it.
                grow(batch, object, length)?;
                return Ok(Read::Again);
            }
            let block = batch.bytes.get(batch.used..batch.used + length);
            // The first one that this drive could read: it can again.
            if let Some(block) = block.filter(|_| !self.own_proof) {
                self.proof = Proof::new(object, block);
                self.own_proof = true;
                self.last = None;
            }
            batch.used += length;
        }
        Ok(Read::Step(step))
    }

    fn room(&self, batch: &mut Batch) -> Result<(), Error> {
        let wanted = batch.used.saturating_add(self.longest);
        if batch.bytes.len() < wanted.max(BATCH_BYTES) {
            grow(batch, self.object, wanted.max(BATCH_BYTES) - batch.used)?;
        }
        Ok(())
    }

    /// A drive that lost its place at a bad block is, behind a node, one that was reset, or has another medium. It has
    /// the same one where blocks of it are there as they were: the first, which may be a label that many tapes have,
    /// and the last. Where nothing was read yet, nothing can be mixed up.
    fn is_same_tape(&mut self, batch: &Batch) -> bool {
        self.at = None;
        // The first answer may say once more what happened.
        let rewound = (0..2).any(|_| {
            let done = self.drive.rewind();
            done.is_ok_and(|done| done.position.object.0 == 0)
        });
        let last = last_block(batch).or(self.last);
        match self.proof {
            _ if !rewound => false,
            Proof::NotNeeded => true,
            Proof::None => false,
            proof @ Proof::Block { .. } => {
                self.proves(proof) && last.is_none_or(|last| last == proof || self.proves(last))
            }
        }
    }

    /// Whether a block is there as it was.
    fn proves(&mut self, proof: Proof) -> bool {
        let Proof::Block { object, length, .. } = proof else {
            return false;
        };
        let to = Address {
            partition: None,
            object: ObjectNumber(object),
        };
        let located = self.drive.locate(to);
        if !located.is_ok_and(|done| done.position.object.0 == object) {
            return false;
        }
        let mut block = vec![0; length];
        let read = self.drive.read(Transfer::Variable, &mut block);
        read.is_ok_and(|done| {
            done.stop.is_none()
                && usize::try_from(done.block_length) == Ok(length)
                && Proof::new(object, &block) == proof
        })
    }

    /// Brings the tape before an object, by whatever way leads there; the place is asked for afterwards.
    fn reach(&mut self, object: u64) -> Result<bool, Error> {
        self.at = None;
        for rewound in [false, true] {
            if rewound && !self.rewound(object)? {
                return Ok(false);
            }
            let to = Address {
                partition: None,
                object: ObjectNumber(object),
            };
            match self.drive.locate(to) {
                Ok(done) if done.position.object.0 == object => {
                    if self.where_it_is() == Some(object) {
                        self.at = Some(object);
                        return Ok(true);
                    }
                }
                Ok(done) if done.stop == Some(Stop::EndOfData) => {
                    let end = done.position.object.0;
                    if self.where_it_is() == Some(end) {
                        self.end = Some(end);
                        return Ok(true);
                    }
                }
                Ok(_) => {}
                Err(failed) => self.survives(object, failed)?,
            }
        }
        Ok(false)
    }

    fn rewound(&mut self, object: u64) -> Result<bool, Error> {
        match self.drive.rewind() {
            Ok(done) => Ok(done.position.object.0 == 0),
            Err(failed) => self.survives(object, failed).map(|()| false),
        }
    }

    /// An error of the drive itself, and not of the place of the tape, ends everything.
    fn survives(&self, object: u64, failed: Failed) -> Result<(), Error> {
        match failed.sense {
            Sense::MediumError | Sense::HardwareError => Ok(()),
            _ => Err(source_error(object, "position", failed)),
        }
    }

    fn where_it_is(&mut self) -> Option<u64> {
        let position = self.drive.position().ok()?;
        self.saw(position);
        Some(position.object.0)
    }

    fn saw(&mut self, position: Position) {
        let file = position.file.map(|file| i64::try_from(file.0));
        self.file = file.and_then(Result::ok);
    }

    /// Gets the tape behind an object that can't be read.
    fn pass(&mut self, object: u64, range: Wanted) -> Result<Passed, Error> {
        let next = object + 1;
        if range.end == Some(next) {
            return Ok(Passed::To(next));
        }
        let file = self.file;
        // Some drives stay before a bad block: it is spaced over.
        if self.at == Some(object)
            && let Err(failed) = self.drive.space(SpaceUnit::Blocks, 1)
        {
            self.survives(next, failed)?;
        }
        self.at = self.where_it_is();
        if self.at == Some(next) || self.reach(next)? {
            return Ok(Passed::To(next));
        }
        // File by file: from the object itself, or else from the beginning by the number of the file.
        if self.reach(object)? && self.over_filemarks(object, 1)? {
            return Ok(Passed::To(self.at.unwrap_or(next)));
        }
        if let Some(file) = file
            && self.rewound(object)?
            && self.over_filemarks(object, file.saturating_add(1))?
        {
            return Ok(Passed::To(self.at.unwrap_or(next)));
        }
        Ok(Passed::No)
    }

    /// Spaces over filemarks; whether the tape is behind the object then. A setmark on the way ends a motion.
    fn over_filemarks(&mut self, object: u64, mut count: i64) -> Result<bool, Error> {
        loop {
            let before = self.at;
            let stop = match self.drive.space(SpaceUnit::Filemarks, count) {
                Ok(done) => {
                    count -= i64::try_from(done.count).unwrap_or(i64::MAX);
                    done.stop
                }
                Err(failed) => self.survives(object, failed).map(|()| None)?,
            };
            self.at = self.where_it_is();
            if self.at.is_some_and(|at| at > object) {
                return Ok(true);
            }
            if stop != Some(Stop::Setmark) || self.at == before || count <= 0 {
                return Ok(false);
            }
        }
    }
}

/// Whether a tape has an object there, be it one that can't be read. Where this can't be found out, it has none.
pub(crate) fn goes_on_at(drive: &mut dyn Drive, object: u64) -> Result<bool, Error> {
    let one = Wanted {
        first: object,
        end: Some(object + 1),
        tries: 1,
    };
    let mut reader = Reader::new(drive, vec![one], None);
    let mut batch = Batch::default();
    loop {
        reader.fill(&mut batch);
        match batch.steps.first() {
            Some((_, Step::Block(_) | Step::Mark(_))) => return Ok(true),
            // The tape goes on where the place behind this object can be reached.
            Some((_, Step::Bad { .. } | Step::Skipped(_))) => {
                return Ok(reader.reach(object + 1)? && reader.at == Some(object + 1));
            }
            None => {}
        }
        match batch.finish.take() {
            Some(Finish::Done(_)) => return Ok(false),
            Some(Finish::Failed(error)) => return Err(error),
            None => {}
        }
    }
}

/// The last block of a batch, whose bytes are its last ones.
fn last_block(batch: &Batch) -> Option<Proof> {
    let mut steps = batch.steps.iter().rev();
    let (object, length) = steps.find_map(|(object, step)| match step {
        Step::Block(length) => Some((*object, usize::try_from(*length).ok()?)),
        _ => None,
    })?;
    let block = batch.bytes().get(batch.used.checked_sub(length)?..)?;
    Some(Proof::new(object, block))
}

/// What a read met.
enum Read {
    Step(Step),
    End,
    Again,
    Failed(Failed),
}

fn grow(batch: &mut Batch, object: u64, more: usize) -> Result<(), Error> {
    let length = batch.used.saturating_add(more);
    let missing = length.saturating_sub(batch.bytes.len());
    if batch.bytes.try_reserve_exact(missing).is_err() {
        return Err(Error::Memory {
            object: ObjectNumber(object),
            length: more,
        });
    }
    batch.bytes.resize(length, 0);
    Ok(())
}

fn source_error(object: u64, action: &'static str, failed: Failed) -> Error {
    Error::Drive {
        tape: Tape::Source,
        object: ObjectNumber(object),
        action,
        failed,
    }
}

/// What read(2) of a tape node says in the same case.
pub(crate) fn errno_of(sense: Sense) -> u16 {
    const EIO: u16 = 5;
    const ENXIO: u16 = 6;
    const EROFS: u16 = 30;
    const ENOMEDIUM: u16 = 123;
    match sense {
        Sense::NoDrive => ENXIO,
        Sense::NoMedium => ENOMEDIUM,
        Sense::WriteProtected | Sense::WormOverwrite => EROFS,
        Sense::NotReady
        | Sense::MediumChanged
        | Sense::Reset
        | Sense::MediumError
        | Sense::HardwareError
        | Sense::IllegalRequest => EIO,
    }
}
