//! A leg: one copy in the mirror.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use pseudotape_tape::Noted;
use pseudotape_tape::{
    Address, Capacity, Done, Drive, Failed, Mode, ModeSelect, ObjectNumber, PartitionNumber,
    Position, ReadDone, Sense,
};

use crate::late::Late;

/// What a failure of a leg means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// The operation at hand fails.
    #[default]
    Required,
    /// The leg is dropped, and the job goes on.
    Spare,
}

/// When a leg has what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// When the write is answered.
    #[default]
    Sync,
    /// When the unload is answered.
    Unload,
    /// Some time afterwards.
    Deferred,
}

/// What a leg keeps of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// All of it.
    #[default]
    Blocks,
    /// Nothing: it never waits, is never read and is nowhere (the null drive).
    Nothing,
}

macro_rules! names {
    ($type:ident: $($value:ident $name:literal),*) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($type::$value => $name),* })
            }
        }
        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok($type::$value),)*
                    _ => Err(format!("'{text}' is none of {}", [$($name),*].join(", "))),
                }
            }
        }
    };
}

names!(Class: Required "required", Spare "spare");
names!(When: Sync "sync", Unload "unload", Deferred "deferred");

/// How a leg is treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegOptions {
    /// Its name.
    pub name: String,
    /// What its failure means.
    pub class: Class,
    /// When it has what was written.
    pub when: When,
    /// What it keeps.
    pub keeps: Keeps,
    /// How much it surely takes behind early warning, where the drive can't say how much fits.
    pub reserve_bytes: Option<u64>,
}

impl LegOptions {
    /// A required leg that has everything at once.
    #[must_use]
    pub fn named(name: &str) -> Self {
        LegOptions {
            name: name.to_owned(),
            ..LegOptions::default()
        }
    }
}

/// What a leg ends in: a drive, which perhaps can note on its volume since where it is no copy.
pub trait LegDrive: Send {
    /// The drive.
    fn drive(&mut self) -> &mut dyn Drive;

    /// What is noted on the volume.
    fn noted(&mut self) -> Noted {
        Noted::NoPlace
    }

    /// Notes on the volume that it is not mirrored from an object on, or that it is again. `false` where it
    /// has no place for that.
    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, String>;

    /// Takes the text of the last trouble: what a sense can't say.
    fn take_trouble(&mut self) -> Option<String>;

    /// Brings everything to stable storage and closes it.
    fn finish(self: Box<Self>) -> Result<(), String>;
}

impl<D: Drive> LegDrive for D {
    fn drive(&mut self) -> &mut dyn Drive {
        self
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, String> {
        Ok(false)
    }

    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

/// A leg to be put in.
pub struct NewLeg {
    /// How it is treated.
    pub options: LegOptions,
    /// What it ends in; the medium is loaded.
    pub drive: Box<dyn LegDrive>,
}

/// Whether a leg is a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LegState {
    /// It holds what the program wrote, or has it in its queue.
    #[default]
    InStep,
    /// It failed, or is somewhere else: no copy from an object on.
    OutOfStep {
        /// The first object that it does not surely hold.
        from: ObjectNumber,
        /// Why.
        reason: String,
    },
    /// The operator took it out.
    Dropped {
        /// The first object that it does not hold.
        from: ObjectNumber,
    },
}

/// What others may know of a leg at any time, without waiting for it.
#[derive(Debug, Default)]
pub struct LegBoard {
    /// Bytes of blocks stored since the volume was put in.
    pub stored_bytes: AtomicU64,
    /// The object behind the last one stored or moved over.
    pub object: AtomicU64,
    /// Bytes that wait in its queue.
    pub queued_bytes: AtomicU64,
    /// Objects that wait in its queue.
    pub queued_objects: AtomicU64,
    /// Room up to the physical end; `u64::MAX`: unknown.
    pub room_bytes: AtomicU64,
    /// Blocks that were read from another leg in its place.
    pub repairs: AtomicU64,
    text: Mutex<(LegState, Option<String>)>,
}

impl LegBoard {
    fn text(&self) -> MutexGuard<'_, (LegState, Option<String>)> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is a copy.
    pub fn state(&self) -> LegState {
        self.text().0.clone()
    }

    pub(crate) fn set_state(&self, state: LegState) {
        self.text().0 = state;
    }

    /// The first thing that went wrong.
    pub fn first_error(&self) -> Option<String> {
        self.text().1.clone()
    }

    /// After it was brought in step again: what went wrong before is in the log.
    pub(crate) fn forget_errors(&self) {
        self.text().1 = None;
        self.repairs.store(0, Ordering::Relaxed);
    }

    pub(crate) fn note_error(&self, error: &str) {
        self.text().1.get_or_insert_with(|| error.to_owned());
    }
}

/// What a leg answered to the operation that all legs were given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It was not asked.
    None,
    Done(Result<Done, Failed>),
    Read(Result<ReadDone, Failed>),
    Nothing(Result<(), Failed>),
    /// It could not be brought to where the others are.
    Lost(Failed),
}

/// The drive of a leg and where it is: whoever works with the leg has the lock.
pub(crate) struct Core {
    /// Of the leg.
    pub(crate) name: String,
    pub(crate) drive: Box<dyn LegDrive>,
    /// Where its tape is, as far as that is known.
    pub(crate) at: Option<Position>,
    pub(crate) answer: Answer,
    /// What it was told of its mode, which a reset makes it forget.
    pub(crate) chosen: ModeSelect,
    /// What it read, to be compared.
    pub(crate) scratch: Vec<u8>,
}

/// What a leg is no copy from, where it is none from a place on: objects are counted in the first partition, and
/// a leg that lost something in another one is a copy of nothing.
pub(crate) fn objects_before(at: Position) -> ObjectNumber {
    match at.partition {
        PartitionNumber(0) => at.object,
        PartitionNumber(_) => ObjectNumber(0),
    }
}

/// The first object that a drive does not surely hold after it failed like this at a place. One that stands before
/// that place holds nothing behind; one that does not know where it is since a reset lost what was in its buffer.
pub(crate) fn first_lost(failed: &Failed, at: Position, uncommitted: ObjectNumber) -> ObjectNumber {
    let before = objects_before(at);
    match (failed.sense, failed.position) {
        (Sense::Reset, None) => uncommitted.min(before),
        (_, Some(here)) if here.partition == at.partition => objects_before(here).min(before),
        _ => before,
    }
}

/// As a failure: a drive that did something, and is then elsewhere than it should be, began elsewhere.
pub(crate) fn elsewhere(done: &Done) -> Failed {
    let began = done.position.object.0.saturating_sub(done.count);
    let position = Position {
        object: ObjectNumber(began),
        ..done.position
    };
    Failed::at(Sense::HardwareError, Some(position))
}

/// Whether two positions are the same place.
pub(crate) fn same_place(a: Position, b: Position) -> bool {
    (a.partition, a.object) == (b.partition, b.object)
}

impl Core {
    pub(crate) fn drive(&mut self) -> &mut dyn Drive {
        self.drive.drive()
    }

    /// Changes its mode, and remembers that.
    pub(crate) fn choose(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.order(|drive| drive.set_mode(change))?;
        let before = self.chosen;
        self.chosen = ModeSelect {
            block_size: change.block_size.or(before.block_size),
            density: change.density.or(before.density),
            buffering: change.buffering.or(before.buffering),
            compression: change.compression.or(before.compression),
        };
        Ok(())
    }

    /// Its mode, with what it may have forgotten in a reset that it was not yet asked about.
    pub(crate) fn mode(&mut self) -> Result<Mode, Failed> {
        let mode = self.drive().mode()?;
        let chosen = self.chosen;
        Ok(Mode {
            block_size: chosen.block_size.unwrap_or(mode.block_size),
            density: chosen.density.unwrap_or(mode.density),
            buffering: chosen.buffering.unwrap_or(mode.buffering),
            compression: mode
                .compression
                .map(|now| chosen.compression.unwrap_or(now)),
            ..mode
        })
    }

    /// Goes to a place where it is not there already.
    pub(crate) fn go_to(&mut self, at: Position) -> Result<(), Failed> {
        if self.at.is_some_and(|here| same_place(here, at)) {
            return Ok(());
        }
        let to = Address {
            partition: Some(at.partition),
            object: at.object,
        };
        let before = self.at.take();
        let mut located = self.drive().locate(to);
        if let Err(failed) = &located {
            self.at = before;
            if self.is_back_after(failed) {
                located = self.drive().locate(to);
            }
            self.at = None;
        }
        let done = located?;
        self.at = Some(done.position);
        if same_place(done.position, at) {
            return Ok(());
        }
        Err(Failed::at(Sense::HardwareError, Some(done.position)))
    }

    /// Does something that says where the tape is then.
    pub(crate) fn act(
        &mut self,
        act: impl Fn(&mut dyn Drive) -> Result<Done, Failed>,
    ) -> Result<Done, Failed> {
        let mut result = act(self.drive());
        if matches!(&result, Err(failed) if self.is_back_after(failed)) {
            result = act(self.drive());
        }
        self.at = match &result {
            Ok(done) => Some(done.position),
            Err(failed) => failed.position,
        };
        result
    }

    /// Does something that says nothing of where the tape is, and leaves it there.
    pub(crate) fn order(
        &mut self,
        order: impl Fn(&mut dyn Drive) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let mut result = order(self.drive());
        if matches!(&result, Err(failed) if self.is_back_after(failed)) {
            result = order(self.drive());
        }
        result
    }

    pub(crate) fn read(
        &mut self,
        transfer: pseudotape_tape::Transfer,
        buffer: &mut [u8],
    ) -> Result<ReadDone, Failed> {
        let mut result = self.drive().read(transfer, buffer);
        if matches!(&result, Err(failed) if self.is_back_after(failed)) {
            result = self.drive().read(transfer, buffer);
        }
        self.at = match &result {
            Ok(done) => Some(done.position),
            Err(failed) => failed.position,
        };
        result
    }

    /// Whether a drive that was reset could be brought back to where it was: then it did nothing yet of what
    /// it was told, and it has all that it had. What a reset cost it lies before that place, so that it can't
    /// be reached.
    fn is_back_after(&mut self, failed: &Failed) -> bool {
        let (Sense::Reset, Some(before)) = (failed.sense, self.at) else {
            return false;
        };
        self.at = None;
        let chosen = self.chosen;
        let is_back = self.go_to(before).is_ok()
            && (chosen == ModeSelect::default() || self.drive().set_mode(chosen).is_ok());
        if is_back {
            log::warn!(
                "leg {}: its drive was reset, and is back at object {}",
                self.name,
                before.object
            );
        }
        is_back
    }

    /// Says why something failed, as exactly as the drive can.
    pub(crate) fn explain(&mut self, failed: &Failed) -> String {
        match self.drive.take_trouble() {
            Some(trouble) => format!("{failed}: {trouble}"),
            None => failed.to_string(),
        }
    }
}

/// For [`Leg::uncommitted`]: everything is on stable storage.
pub(crate) const ALL_COMMITTED: ObjectNumber = ObjectNumber(u64::MAX);

/// What the threads of a leg share.
pub(crate) struct Seat {
    pub(crate) core: Mutex<Core>,
    pub(crate) board: Arc<LegBoard>,
    pub(crate) pace: Pace,
}

/// How long writes of blocks lately took.
pub(crate) struct Pace(AtomicU64);

impl Default for Pace {
    /// Long, until it is known.
    fn default() -> Self {
        Pace(AtomicU64::new(1_000_000))
    }
}

impl Pace {
    /// Nanoseconds; each write weighs an eighth.
    pub(crate) fn usual_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn took(&self, time: Duration) {
        let took = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 8);
        let usual = self.usual_ns();
        let now = usual - usual / 8 + took / 8;
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Seat {
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A leg, as the mirror sees it.
pub(crate) struct Leg {
    pub(crate) options: LegOptions,
    pub(crate) seat: Arc<Seat>,
    /// The queue, where it is a late one.
    pub(crate) late: Option<Late>,
    pub(crate) state: LegState,
    /// What can be written before early warning has to be thought of; 0: not known.
    pub(crate) safe_bytes: u64,
    /// Whether the drive says how much fits.
    pub(crate) knows_room: bool,
    /// It is behind early warning.
    pub(crate) zone: bool,
    /// Behind this place it perhaps holds objects that the others have not, and could not be made to drop them.
    pub(crate) surplus: Option<Position>,
    /// The first object that is not surely on stable storage.
    pub(crate) uncommitted: ObjectNumber,
    /// It lengthened a block before, so that it can.
    pub(crate) extends: bool,
}

impl Leg {
    pub(crate) fn name(&self) -> &str {
        &self.options.name
    }

    pub(crate) fn in_step(&self) -> bool {
        self.state == LegState::InStep
    }

    pub(crate) fn keeps_blocks(&self) -> bool {
        self.options.keeps == Keeps::Blocks
    }

    /// Asks how much fits, and where that is before early warning. A late leg has to be caught up.
    pub(crate) fn refresh(&mut self) -> Result<Capacity, Failed> {
        let capacity = self.seat.core().drive().capacity()?;
        self.knows_room = capacity.room_bytes.is_some();
        let room = capacity.room_bytes.unwrap_or(u64::MAX);
        self.safe_bytes = room.saturating_sub(capacity.early_warning_bytes);
        self.board().room_bytes.store(room, Ordering::Relaxed);
        Ok(capacity)
    }

    pub(crate) fn board(&self) -> &LegBoard {
        &self.seat.board
    }

    /// Counts what it stored, or will have.
    pub(crate) fn spend(&mut self, bytes: u64) {
        if self.safe_bytes != u64::MAX {
            self.safe_bytes = self.safe_bytes.saturating_sub(bytes);
        }
    }
}
