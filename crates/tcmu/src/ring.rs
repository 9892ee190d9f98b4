//! The ring of one device: takes commands out of it, and answers them in their order.
//!
//! Nothing that the kernel's side wrote is believed: where an entry is, how long it is, where its command and its data
//! are. An entry whose own place is in order, and whose content is not, is answered here with ABORTED COMMAND, so that
//! its initiator does not wait. Where even the place of the next entry can't be told, there is no way on:
//! [`RingError`].
#![allow(unsafe_code)] // Data are worked on where the kernel has put them.

use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;

use crate::layout::{
    CAN_READ_LEN, COMMAND_BYTES, ENTRY_ALIGNMENT, HAS_READ_LEN, KIND_COMMAND, KIND_MASK,
    KIND_PADDING, KIND_TASK, SENSE_BYTES, UNKNOWN_KIND, VERSION, header, mailbox, request,
    response, task,
};
use crate::memory::Memory;

/// No command of ours is longer; what comes behind is not looked at.
const CDB_BYTES: usize = 32;

const CHECK_CONDITION: u8 = 0x02;
const TASK_ABORTED: u8 = 0x40;
/// Fixed sense: ABORTED COMMAND, INTERNAL TARGET FAILURE.
const INTERNAL_FAILURE: [u8; 18] = [
    0x70, 0, 0x0b, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0,
];

/// Why a ring can't be served (any more).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// The kernel speaks another version.
    #[error("the kernel's ring has version {0}, and this program knows version {VERSION}")]
    Version(u16),
    /// The kernel is too old to be told of short reads (before Linux 4.19).
    #[error(
        "this kernel's ring can't tell of a short read, which each tape needs: Linux 4.19 and later can"
    )]
    NoShortReads,
    /// The ring does not lie in the memory.
    #[error(
        "the kernel's mailbox is wrong: a ring of {bytes} bytes at {at}, in {memory} bytes of memory"
    )]
    Place {
        /// Where it is.
        at: u32,
        /// How long it is.
        bytes: u32,
        /// How much memory there is.
        memory: usize,
    },
    /// A position outside of the ring, or in the middle of an entry.
    #[error("the ring's {what} is wrong: {at}, in a ring of {bytes} bytes")]
    Position {
        /// Which position.
        what: &'static str,
        /// Where it is.
        at: u32,
        /// How long the ring is.
        bytes: u32,
    },
    /// An entry that reaches over the end of what was put into the ring.
    #[error("an entry of the ring is wrong: {length} bytes at {at}, where at most {most} can be")]
    Length {
        /// Where it is.
        at: u32,
        /// How long it says that it is.
        length: u32,
        /// How long it can be.
        most: u32,
    },
}

/// What stands in the ring.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// A command, which is to be answered before the next one is taken.
    Command(Command),
    /// What became of commands that were waiting: nothing is to be answered.
    Task(Task),
}

/// A command of an initiator. Until it is answered, the ring gives the same one again.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    at: u32,
    length: u32,
    id: u16,
    cdb: [u8; CDB_BYTES],
    cdb_bytes: usize,
    /// Where its data are, or go: in the memory behind the ring.
    segments: Vec<Range<usize>>,
    data_bytes: usize,
}

impl Command {
    /// Its number, which no other unanswered command of the device has.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Where it stands in the ring.
    #[must_use]
    pub fn place(&self) -> u32 {
        self.at
    }

    /// The command descriptor block. Of the commands of variable length: their beginning.
    #[must_use]
    pub fn cdb(&self) -> &[u8] {
        self.cdb.get(..self.cdb_bytes).unwrap_or_default()
    }

    /// How many bytes the initiator sends, or takes.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        self.data_bytes
    }
}

/// A task management function of an initiator (SAM-5 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// What it is: [`Task::LUN_RESET`] and others.
    pub function: u8,
    /// How many commands it ended.
    pub ended: u32,
}

impl Task {
    /// One command was aborted.
    pub const ABORT_TASK: u8 = 1;
    /// The unit was reset.
    pub const LUN_RESET: u8 = 5;
    /// The target was reset, and the unit with it.
    pub const WARM_RESET: u8 = 6;
    /// The same.
    pub const COLD_RESET: u8 = 7;

    /// Whether the unit forgets what initiators have set.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        matches!(
            self.function,
            Self::LUN_RESET | Self::WARM_RESET | Self::COLD_RESET
        )
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// SCSI's status byte.
    pub status: u8,
    /// Sense data; only with CHECK CONDITION.
    pub sense: &'a [u8],
    /// How many of the command's bytes are data for the initiator; `None` where it gets none. With CHECK CONDITION
    /// too: a tape's block that is shorter than asked for comes with sense data.
    pub read_bytes: Option<u32>,
}

/// Which way a command's data go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the initiator.
    Out,
    /// To the initiator.
    In,
}

/// The ring of one device.
#[derive(Debug)]
pub struct Ring {
    memory: Arc<Memory>,
    ring_at: usize,
    ring_bytes: u32,
    /// Behind all entries that were answered. The kernel's is the same, whatever it says.
    tail: u32,
    /// For data in several pieces.
    scratch: Vec<u8>,
}

impl Ring {
    /// Goes on where whoever served the ring before has stopped: what was not answered comes again.
    pub(crate) fn new(memory: Arc<Memory>) -> Result<Self, RingError> {
        let word = |at| memory.get_u32(at).unwrap_or(0);
        let (at, bytes) = (word(mailbox::RING_AT), word(mailbox::RING_BYTES));
        let place = RingError::Place {
            at,
            bytes,
            memory: memory.len(),
        };
        if memory.len() < mailbox::BYTES {
            return Err(place);
        }
        let version = memory.get_u16(mailbox::VERSION).unwrap_or(0);
        if version != VERSION {
            return Err(RingError::Version(version));
        }
        if memory.get_u16(mailbox::FLAGS).unwrap_or(0) & CAN_READ_LEN == 0 {
            return Err(RingError::NoShortReads);
        }
        let ring_at = usize::try_from(at).map_err(|_| place)?;
        let end = u64::from(at) + u64::from(bytes);
        let aligned = at.is_multiple_of(ENTRY_ALIGNMENT) && bytes.is_multiple_of(ENTRY_ALIGNMENT);
        if !aligned || bytes == 0 || ring_at < mailbox::BYTES || end > memory.len() as u64 {
            return Err(place);
        }
        let tail = memory.acquire_u32(mailbox::TAIL).unwrap_or(0);
        let ring = Ring {
            ring_at,
            ring_bytes: bytes,
            tail: ring_position("tail", tail, bytes)?,
            memory,
            scratch: Vec::new(),
        };
        Ok(ring)
    }

    /// The first entry that is not answered; `None`: there is none, until the kernel tells of one.
    pub fn take(&mut self) -> Result<Option<Entry>, RingError> {
        loop {
            let Some((kind, length)) = self.entry_at(self.tail, self.head()?)? else {
                return Ok(None);
            };
            match kind {
                KIND_PADDING => self.go_on(length),
                KIND_COMMAND => match self.command(length) {
                    Some(command) if self.is_aborted(&command)? => {
                        let outcome = Outcome {
                            status: TASK_ABORTED,
                            sense: &[],
                            read_bytes: None,
                        };
                        self.answer(command, outcome);
                    }
                    Some(command) => return Ok(Some(Entry::Command(command))),
                    None => self.refuse(length),
                },
                KIND_TASK => {
                    let place = self.place(self.tail);
                    let task = Task {
                        function: self.memory.get_u8(place + task::FUNCTION).unwrap_or(0),
                        ended: self.memory.get_u32(place + task::COUNT).unwrap_or(0),
                    };
                    self.go_on(length);
                    return Ok(Some(Entry::Task(task)));
                }
                _ => {
                    self.flag(UNKNOWN_KIND);
                    self.go_on(length);
                }
            }
        }
    }

    /// Does work on a command's data in one run of bytes: in place where they lie so, which is the rule.
    pub fn with_data<R>(
        &mut self,
        command: &Command,
        way: Way,
        work: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        if command.segments.is_empty() {
            return work(&mut []);
        }
        if let [only] = &*command.segments
            && let Some(bytes) = self.memory.bytes(only.clone())
        {
            // SAFETY: the segment lies in the data area, which this process touches only here and in `answer`, and
            // `self` is borrowed for as long as the slice is. The kernel leaves it alone until the answer.
            return work(unsafe { &mut *bytes });
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(command.data_bytes, 0);
        if way == Way::Out {
            let mut rest = &mut *scratch;
            for segment in &command.segments {
                let Some((piece, behind)) = rest.split_at_mut_checked(segment.len()) else {
                    break;
                };
                self.memory.copy_out(segment.start, piece);
                rest = behind;
            }
        }
        let result = work(&mut scratch);
        if way == Way::In {
            let mut rest = &*scratch;
            for segment in &command.segments {
                let Some((piece, behind)) = rest.split_at_checked(segment.len()) else {
                    break;
                };
                self.memory.copy_in(segment.start, piece);
                rest = behind;
            }
        }
        self.scratch = scratch;
        result
    }

    /// Answers a command. The kernel looks at it when it is told ([`crate::Device::tell`]).
    pub fn answer(&mut self, command: Command, outcome: Outcome<'_>) {
        let Outcome {
            status,
            sense,
            read_bytes,
        } = outcome;
        let place = self.place(command.at);
        if let Some(bytes) = read_bytes {
            let most = u32::try_from(command.data_bytes).unwrap_or(u32::MAX);
            let bytes = bytes.min(most);
            // The kernel takes 0 for a length that is not told, and copies all there is: what an earlier command left.
            if bytes == 0 {
                for segment in &command.segments {
                    self.memory.zero(segment.clone());
                }
            }
            self.memory.set_u32(place + response::READ_LEN, bytes);
            self.flag(HAS_READ_LEN);
        }
        if !sense.is_empty() {
            let mut room = [0; SENSE_BYTES];
            for (to, from) in room.iter_mut().zip(sense) {
                *to = *from;
            }
            self.memory.copy_in(place + response::SENSE, &room);
        }
        self.memory.set_u8(place + response::STATUS, status);
        self.go_on(command.length);
    }

    fn head(&self) -> Result<u32, RingError> {
        let head = self.memory.acquire_u32(mailbox::HEAD).unwrap_or(0);
        ring_position("head", head, self.ring_bytes)
    }

    /// Where a position of the ring is in the memory.
    fn place(&self, position: u32) -> usize {
        self.ring_at + position as usize
    }

    /// Kind and length of the entry at a position; `None` at the head.
    fn entry_at(&self, at: u32, head: u32) -> Result<Option<(u32, u32)>, RingError> {
        if at == head {
            return Ok(None);
        }
        // No entry goes over the ring's end.
        let end = if head > at { head } else { self.ring_bytes };
        let most = end - at;
        let word = self
            .memory
            .get_u32(self.place(at) + header::LENGTH_AND_KIND);
        let word = word.unwrap_or(0);
        let (kind, length) = (word & KIND_MASK, word & !KIND_MASK);
        let least = if kind == KIND_COMMAND {
            COMMAND_BYTES
        } else {
            header::BYTES
        };
        if length < least || length > most {
            return Err(RingError::Length { at, length, most });
        }
        Ok(Some((kind, length)))
    }

    /// Behind an entry of this length.
    fn behind(&self, at: u32, length: u32) -> u32 {
        // `entry_at` saw that it ends within the ring.
        let behind = at + length;
        if behind >= self.ring_bytes { 0 } else { behind }
    }

    fn go_on(&mut self, length: u32) {
        self.tail = self.behind(self.tail, length);
        self.memory.release_u32(mailbox::TAIL, self.tail);
    }

    /// Sets a flag of the entry at the tail.
    fn flag(&self, flag: u8) {
        self.memory
            .set_u8(self.place(self.tail) + header::USER_FLAGS, flag);
    }

    /// The command at the tail; `None` where something in it is not where it can be.
    fn command(&self, length: u32) -> Option<Command> {
        let place = self.place(self.tail);
        let word = |at: usize| self.memory.get_u32(place + at);
        let count = word(request::SEGMENTS)?.checked_add(word(request::SEGMENTS_BACK)?)?;
        let list = usize::try_from(count)
            .ok()?
            .checked_mul(request::SEGMENT_BYTES)?;
        let list_end = request::SEGMENT_LIST.checked_add(list)?;
        let length_bytes = length as usize;
        // Data in both directions are no tape's: those that go back are left alone.
        let count = word(request::SEGMENTS)? as usize;
        let cdb_at = usize::try_from(self.memory.get_u64(place + request::CDB_AT)?).ok()?;
        // The kernel puts it behind the list, in the same entry.
        let in_entry = cdb_at.checked_sub(place)?;
        if list_end > length_bytes || in_entry < list_end || in_entry >= length_bytes {
            return None;
        }
        let mut cdb = [0; CDB_BYTES];
        let cdb_bytes = CDB_BYTES.min(length_bytes - in_entry);
        self.memory.copy_out(cdb_at, cdb.get_mut(..cdb_bytes)?)?;
        let mut segments = Vec::with_capacity(count);
        let mut data_bytes = 0_usize;
        for number in 0..count {
            let at = place + request::SEGMENT_LIST + number * request::SEGMENT_BYTES;
            let segment = self.segment(at)?;
            data_bytes = data_bytes.checked_add(segment.len())?;
            segments.push(segment);
        }
        // Several that are the same memory would make more of it than there is.
        if data_bytes > self.memory.len() {
            return None;
        }
        segments.retain(|segment| !segment.is_empty());
        Some(Command {
            at: self.tail,
            length,
            id: self.memory.get_u16(place + header::ID)?,
            cdb,
            cdb_bytes,
            segments,
            data_bytes,
        })
    }

    /// The range of an element of the list: behind the ring, and within the memory.
    fn segment(&self, at: usize) -> Option<Range<usize>> {
        let start = usize::try_from(self.memory.get_u64(at)?).ok()?;
        let bytes = usize::try_from(self.memory.get_u64(at + 8)?).ok()?;
        let end = start.checked_add(bytes)?;
        let data_at = self.ring_at + self.ring_bytes as usize;
        (start >= data_at && end <= self.memory.len()).then_some(start..end)
    }

    /// Answers the command at the tail, which is none.
    fn refuse(&mut self, length: u32) {
        log::error!(
            "a command in the kernel's ring, at {}, is damaged: it is refused",
            self.tail
        );
        let id = self.memory.get_u16(self.place(self.tail) + header::ID);
        let command = Command {
            at: self.tail,
            length,
            id: id.unwrap_or(0),
            cdb: [0; CDB_BYTES],
            cdb_bytes: 0,
            segments: Vec::new(),
            data_bytes: 0,
        };
        let outcome = Outcome {
            status: CHECK_CONDITION,
            sense: &INTERNAL_FAILURE,
            read_bytes: None,
        };
        self.answer(command, outcome);
    }

    /// Whether a task management function that came behind a command has ended it: then it is not begun.
    fn is_aborted(&self, command: &Command) -> Result<bool, RingError> {
        let head = self.head()?;
        let mut at = self.behind(command.at, command.length);
        while let Some((kind, length)) = self.entry_at(at, head)? {
            if kind == KIND_TASK {
                let place = self.place(at);
                let count = self.memory.get_u32(place + task::COUNT).unwrap_or(0) as usize;
                let most = (length as usize).saturating_sub(task::IDS) / 2;
                let mut ids = (0..count.min(most)).map(|n| place + task::IDS + 2 * n);
                if ids.any(|id| self.memory.get_u16(id) == Some(command.id)) {
                    return Ok(true);
                }
            }
            at = self.behind(at, length);
        }
        Ok(false)
    }
}

fn ring_position(what: &'static str, at: u32, bytes: u32) -> Result<u32, RingError> {
    match at < bytes && at.is_multiple_of(ENTRY_ALIGNMENT) {
        true => Ok(at),
        false => Err(RingError::Position { what, at, bytes }),
    }
}

#[cfg(test)]
#[path = "ring_test.rs"]
mod tests;
