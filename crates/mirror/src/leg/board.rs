//! What others may know of a leg at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pseudotape_tape::{ObjectNumber, Position};

/// Whether a leg is a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LegState {
    /// The volume holds what the program wrote, or the queue of the leg does.
    #[default]
    InStep,
    /// The leg failed, or its tape is at another place than the others': no copy from an object on.
    OutOfStep {
        /// The first object that the volume does not surely hold.
        from: ObjectNumber,
        /// Why the leg is no copy.
        reason: String,
    },
    /// The operator took the leg out of the mirror.
    Dropped {
        /// The first object that the volume does not hold.
        from: ObjectNumber,
    },
}

/// What the times on boards are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What others may know of a leg at any time, without waiting for it.
#[derive(Debug, Default)]
pub struct LegBoard {
    /// Bytes of blocks stored since the volume was put in.
    pub stored_bytes: AtomicU64,
    /// The object that the tape is before.
    pub object: AtomicU64,
    /// Bytes that wait in the queue of the leg.
    pub queued_bytes: AtomicU64,
    /// Objects that wait in the queue of the leg.
    pub queued_objects: AtomicU64,
    /// Bytes that fit before the physical end. `u64::MAX` means that this is not known.
    pub room_bytes: AtomicU64,
    /// Blocks that this leg could not read and another leg could.
    pub repairs: AtomicU64,
    /// Since when the drive works, in nanoseconds from [`START`]; 0 means that it does not.
    working_since: AtomicU64,
    text: Mutex<BoardText>,
}

/// What a board says in words.
#[derive(Debug, Default)]
struct BoardText {
    state: LegState,
    first_error: Option<String>,
    read_only: Option<&'static str>,
    misses_from: Option<ObjectNumber>,
    kept_back: bool,
}

impl LegBoard {
    fn text(&self) -> MutexGuard<'_, BoardText> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the leg is a copy.
    pub fn state(&self) -> LegState {
        self.text().state.clone()
    }

    /// Shows a new state. Only the leg itself may do that.
    pub(super) fn set_state(&self, state: LegState) {
        self.text().state = state;
    }

    /// A board that shows this state.
    #[cfg(test)]
    pub(crate) fn showing(state: LegState) -> Self {
        let board = LegBoard::default();
        board.set_state(state);
        board
    }

    /// The first thing that went wrong with the leg.
    pub fn first_error(&self) -> Option<String> {
        self.text().first_error.clone()
    }

    /// Why the volume can only be read, where it is so, in words that follow "it is".
    pub fn read_only(&self) -> Option<&'static str> {
        self.text().read_only
    }

    /// From which object on the volume of a leg in step is marked as missing something.
    pub fn misses_from(&self) -> Option<ObjectNumber> {
        self.text().misses_from
    }

    /// The mark of the volume of a leg in step is this.
    pub(super) fn show_misses_from(&self, from: Option<ObjectNumber>) {
        self.text().misses_from = from;
    }

    /// The volume was looked at.
    pub(super) fn show_read_only(&self, why: Option<&'static str>) {
        self.text().read_only = why;
    }

    /// The leg was brought in step again: what went wrong before is in the log.
    pub(super) fn forget_errors(&self) {
        let mut text = self.text();
        (text.first_error, text.kept_back) = (None, false);
        drop(text);
        self.repairs.store(0, Ordering::Relaxed);
    }

    /// The leg was not brought in step, since it may hold what the leg in step can't read.
    pub(crate) fn keep_back(&self) {
        self.text().kept_back = true;
    }

    /// Whether a resync would be refused, as far as that is known.
    pub(crate) fn is_kept_back(&self) -> bool {
        self.text().kept_back
    }

    /// Something went wrong; the first such text stays.
    pub(super) fn note_error(&self, error: &str) {
        let mut text = self.text();
        text.first_error.get_or_insert_with(|| error.to_owned());
    }

    /// The leg stored blocks of so many bytes.
    pub(super) fn count_stored(&self, bytes: u64) {
        self.stored_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The drive works from now on.
    pub(super) fn work_begins(&self) {
        self.working_since.store(now_ns(), Ordering::Relaxed);
    }

    /// The drive is at rest again.
    pub(super) fn work_ends(&self) {
        self.working_since.store(0, Ordering::Relaxed);
    }

    /// How long the drive has been at what it does now, where it does something.
    pub fn working(&self) -> Option<Duration> {
        match self.working_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(Duration::from_nanos(now_ns().saturating_sub(since))),
        }
    }

    /// A block was read from another leg.
    pub(super) fn count_repair(&self) {
        self.repairs.fetch_add(1, Ordering::Relaxed);
    }

    /// The drive said how much fits; `None`: it can't say.
    pub(super) fn show_room(&self, room_bytes: Option<u64>) {
        let room = room_bytes.unwrap_or(u64::MAX);
        self.room_bytes.store(room, Ordering::Relaxed);
    }

    /// So much room was used up, where the room is known.
    pub(super) fn use_room(&self, bytes: u64) {
        let room = self.room_bytes.load(Ordering::Relaxed);
        if room != u64::MAX {
            let room = room.saturating_sub(bytes);
            self.room_bytes.store(room, Ordering::Relaxed);
        }
    }

    /// The tape is here.
    pub(crate) fn show_place(&self, at: Position) {
        self.object.store(at.object.0, Ordering::Relaxed);
    }
}

/// Nanoseconds from [`START`], at least 1.
fn now_ns() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).map_or(u64::MAX, |ns| ns.max(1))
}
