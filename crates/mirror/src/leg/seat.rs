//! What the threads of a leg share.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::leg::board::LegBoard;
use crate::leg::core::Core;

/// What the threads of a leg share.
pub(crate) struct Seat {
    core: Mutex<Core>,
    board: Arc<LegBoard>,
    pace: Pace,
}

impl Seat {
    pub(crate) fn new(core: Core) -> Arc<Self> {
        Arc::new(Seat {
            core: Mutex::new(core),
            board: Arc::default(),
            pace: Pace::default(),
        })
    }

    /// The drive, for as long as it works. The board tells how long that is.
    pub(crate) fn core(&self) -> AtWork<'_> {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        self.board.work_begins();
        AtWork {
            core,
            board: &self.board,
        }
    }

    /// The drive, where it does not work just now.
    pub(crate) fn core_at_rest(&self) -> Option<MutexGuard<'_, Core>> {
        self.core.try_lock().ok()
    }

    pub(crate) fn board(&self) -> &Arc<LegBoard> {
        &self.board
    }

    /// How long writes of blocks lately took.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The drive, once no other thread has this seat.
    pub(crate) fn into_core(self: Arc<Self>) -> Option<Core> {
        let seat = Arc::into_inner(self)?;
        Some(
            seat.core
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// A drive that works until this is dropped.
pub(crate) struct AtWork<'a> {
    core: MutexGuard<'a, Core>,
    board: &'a LegBoard,
}

impl Deref for AtWork<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for AtWork<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.board.work_ends();
    }
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
    /// Nanoseconds. Each write weighs an eighth of what is known.
    pub(crate) fn usual_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A write took so long.
    pub(crate) fn took(&self, time: Duration) {
        let took = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 8);
        let usual = self.usual_ns();
        let now = usual - usual / 8 + took / 8;
        self.0.store(now, Ordering::Relaxed);
    }
}
