//! What others may know of a leg at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pseudotape_tape::{ObjectNumber, Position};

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

    /// Whether the leg is a copy.
    pub fn state(&self) -> LegState {
        self.text().0.clone()
    }

    /// Only a leg knows what it is.
    pub(super) fn set_state(&self, state: LegState) {
        self.text().0 = state;
    }

    /// A board that shows this.
    #[cfg(test)]
    pub(crate) fn showing(state: LegState) -> Self {
        let board = LegBoard::default();
        board.set_state(state);
        board
    }

    /// The first thing that went wrong.
    pub fn first_error(&self) -> Option<String> {
        self.text().1.clone()
    }

    /// The leg was brought in step again: what went wrong before is in the log.
    pub(super) fn forget_errors(&self) {
        self.text().1 = None;
        self.repairs.store(0, Ordering::Relaxed);
    }

    /// Something went wrong; the first such text stays.
    pub(super) fn note_error(&self, error: &str) {
        self.text().1.get_or_insert_with(|| error.to_owned());
    }

    /// The leg stored blocks of so many bytes.
    pub(super) fn count_stored(&self, bytes: u64) {
        self.stored_bytes.fetch_add(bytes, Ordering::Relaxed);
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
