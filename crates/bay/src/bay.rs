use std::sync::{MutexGuard as StdGuard, PoisonError};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use pseudotape_image::OpenReport;
use pseudotape_st::{Options, St};
use pseudotape_tape::Drive;

use crate::error::Error;
use crate::opened::Opened;
use crate::seen::{LoadedVolume, Look, Seen, Sighting, Transferred};
use crate::slot::{Loaded, Slot};

/// A drive behind `st`, behind one lock. `H` is what the holder keeps under the same lock: its open files. `O` is how
/// the holder names whoever has the drive open.
pub struct Bay<H, O = String> {
    state: Mutex<BayState<H>>,
    /// Told by the holder: something under the lock has changed.
    changed: Condvar,
    seen: std::sync::Mutex<Seen<O>>,
}

/// The lock of a bay.
pub type BayGuard<'a, H> = MutexGuard<'a, BayState<H>>;

/// What the lock of a bay protects.
pub struct BayState<H> {
    /// The driver.
    pub st: St,
    /// The place of the volume.
    pub slot: Slot,
    /// What was moved.
    pub transferred: Transferred,
    /// The last trouble of the drive with this volume, in words.
    pub trouble: Option<String>,
    /// What the holder of the bay keeps.
    pub holder: H,
}

impl<H, O> Bay<H, O> {
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
                transferred: Transferred::default(),
                trouble: None,
                holder,
            }),
            changed: Condvar::new(),
            seen: std::sync::Mutex::default(),
        }
    }

    /// Waits for the call that has the lock.
    ///
    /// A panic while the lock was held is a bug that was printed when it happened. A volume checks itself, and a
    /// program that waits for its tape is served better by going on than by a hang.
    pub fn lock(&self) -> BayGuard<'_, H> {
        self.state.lock()
    }

    /// As [`Bay::lock`], but `None` where a call has the lock.
    pub fn try_lock(&self) -> Option<BayGuard<'_, H>> {
        self.state.try_lock()
    }

    /// Something under the lock has changed.
    pub fn tell(&self) {
        self.changed.notify_all();
    }

    /// Waits while this is so, or until then; gives the lock back meanwhile.
    pub fn wait_while(
        &self,
        state: &mut BayGuard<'_, H>,
        is_so: impl FnMut(&mut BayState<H>) -> bool,
        until: Instant,
    ) {
        self.changed.wait_while_until(state, is_so, until);
    }

    /// What can be told without the drive's lock.
    pub fn seen(&self) -> StdGuard<'_, Seen<O>> {
        // Each assignment leaves it whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the drive. Where a call has it for longer than this, what was seen last is told.
    pub fn look(&self, patience: Duration) -> Sighting<O>
    where
        O: Clone,
    {
        let idle = self.state.try_lock_for(patience);
        if idle.is_none()
            && let Seen {
                opener,
                look: Some(look),
            } = &*self.seen()
        {
            return Sighting {
                look: look.clone(),
                opener: opener.clone(),
                busy: true,
            };
        }
        // Where nothing was seen yet there is nothing to tell before the call ends.
        let look = idle.unwrap_or_else(|| self.lock()).look();
        let mut seen = self.seen();
        seen.look = Some(look.clone());
        Sighting {
            look,
            opener: seen.opener.clone(),
            busy: false,
        }
    }

    /// What is in the bay, when nobody else has it.
    pub fn into_slot(self) -> Slot {
        self.state.into_inner().slot
    }
}

impl<H> BayState<H> {
    /// The driver and the drive that it drives.
    pub fn parts(&mut self) -> (&mut St, &mut dyn Drive) {
        (&mut self.st, self.slot.drive())
    }

    /// Puts a volume in that was opened, as [`Slot::put_in`]. What went wrong with the volume before is no trouble of
    /// this one.
    pub fn put_in(&mut self, opened: Opened) -> Result<(String, Vec<OpenReport>), Error> {
        let put_in = self.slot.put_in(opened)?;
        self.forget_trouble();
        Ok(put_in)
    }

    /// Takes the volume out, as [`Slot::unload`]; its trouble goes with it.
    pub fn take_out(&mut self, force: bool) -> Result<String, Error> {
        let name = self.slot.unload(force)?;
        self.forget_trouble();
        Ok(name)
    }

    fn forget_trouble(&mut self) {
        self.trouble = None;
        self.st.forget_refusal();
    }

    fn look(&mut self) -> Look {
        let loaded = self.slot.loaded();
        Look {
            driver: self.st.snapshot(),
            personality: self.slot.personality().map(|personality| personality.name),
            identity: self.slot.drive().identity(),
            position: self.slot.known_position(),
            volume: loaded.map(|loaded| self.look_at_volume(loaded)),
            transferred: self.transferred,
            trouble: self.trouble.clone(),
        }
    }

    fn look_at_volume(&mut self, loaded: Loaded) -> LoadedVolume {
        let identity = self.slot.volume().volume_identity();
        // A drive that is another node or another host is not asked: it may take long.
        let capacity = match identity.id {
            Some(_) => self.slot.drive().capacity().ok(),
            None => None,
        };
        LoadedVolume {
            loaded,
            noted: self.slot.volume().noted(),
            host_room_bytes: capacity.and_then(|_| self.slot.host_room_bytes()),
            capacity,
            identity,
        }
    }
}
