//! The time that moves take where a library of metal is imitated. By default they take none.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pseudotape_changer::Step;

/// How long each part of a move takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// A drive rewinds and lets its cartridge go.
    pub unload: Duration,
    /// The transport carries a cartridge from one element to another.
    pub carry: Duration,
    /// A drive threads the tape of a cartridge.
    pub load: Duration,
}

/// Takes the times, until the daemon ends.
pub(super) struct Delay {
    times: Times,
    is_ending: Mutex<bool>,
    ends: Condvar,
}

impl Delay {
    pub(super) fn new(times: Times) -> Self {
        Delay {
            times,
            is_ending: Mutex::new(false),
            ends: Condvar::new(),
        }
    }

    /// Takes the time of a part of a move. The end of the daemon does not wait for it.
    pub(super) fn take(&self, step: Step) {
        let time = match step {
            Step::Unload => self.times.unload,
            Step::Carry => self.times.carry,
            Step::Load => self.times.load,
        };
        if time.is_zero() {
            return;
        }
        let waited = self
            .ends
            .wait_timeout_while(self.lock(), time, |is_ending| !*is_ending);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on nothing takes time.
    pub(super) fn end(&self) {
        *self.lock() = true;
        self.ends.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_ending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn each_part_takes_its_own_time() {
        let delay = Delay::new(Times {
            unload: Duration::ZERO,
            carry: Duration::from_millis(30),
            load: Duration::from_millis(60),
        });
        let taken = |step| {
            let began = Instant::now();
            delay.take(step);
            began.elapsed()
        };
        assert!(taken(Step::Load) >= Duration::from_millis(60));
        assert!(taken(Step::Carry) >= Duration::from_millis(30));
        delay.take(Step::Unload);
    }

    #[test]
    fn the_end_of_the_daemon_does_not_wait_for_it() {
        let delay = Delay::new(Times {
            carry: LONG,
            ..Times::default()
        });
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| delay.take(Step::Carry));
            delay.end();
            waits.join().expect("it does not panic");
        });
        delay.take(Step::Carry);
    }
}
