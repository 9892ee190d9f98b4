use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pseudotape_st::{Options, St};
use pseudotape_tape::Drive;

use crate::slot::Slot;

/// A drive behind `st`, behind one lock. `H` is what the holder keeps under the same lock: its open files.
pub struct Bay<H> {
    state: Mutex<BayState<H>>,
}

/// What the lock of a bay protects.
pub struct BayState<H> {
    /// The driver.
    pub st: St,
    /// The place of the volume.
    pub slot: Slot,
    /// What the holder of the bay keeps.
    pub holder: H,
}

impl<H> Bay<H> {
    /// A drive behind a driver with these options; what the personality of a drive of ours asks of the driver is added.
    pub fn new(slot: Slot, options: &Options, holder: H) -> Self {
        let options = match slot.personality() {
            Some(personality) => Options {
                reports_beginning: personality.reports_beginning,
                limits_reads: personality.limits_reads,
                ..*options
            },
            None => *options,
        };
        Bay {
            state: Mutex::new(BayState {
                st: St::new(&options),
                slot,
                holder,
            }),
        }
    }

    /// Waits for the call that has the lock.
    ///
    /// A panic while the lock was held is a bug that was printed when it happened. A volume checks itself, and a
    /// program that waits for its tape is served better by going on than by a hang.
    pub fn lock(&self) -> MutexGuard<'_, BayState<H>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Bay::lock`], but `None` where a call has the lock.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, BayState<H>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// What is in the bay, when nobody else has it.
    pub fn into_slot(self) -> Slot {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).slot
    }
}

impl<H> BayState<H> {
    /// The driver and the drive that it drives.
    pub fn parts(&mut self) -> (&mut St, &mut dyn Drive) {
        (&mut self.st, self.slot.drive())
    }
}
