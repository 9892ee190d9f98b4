//! At most one load of a drive is under way.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct OneLoad {
    is_under_way: Mutex<bool>,
    ended: Condvar,
}

impl OneLoad {
    /// Begins a load, unless another one is under way.
    pub(crate) fn begin(&self) -> bool {
        !mem::replace(&mut *self.lock(), true)
    }

    pub(crate) fn end(&self) {
        *self.lock() = false;
        self.ended.notify_all();
    }

    /// Waits for the end of the load, or for so long.
    pub(crate) fn await_end(&self, longest: Duration) {
        let is_under_way = self.lock();
        let waited = self
            .ended
            .wait_timeout_while(is_under_way, longest, |is_under_way| *is_under_way);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_load_is_under_way_at_a_time_and_its_end_wakes() {
        let one_load = OneLoad::default();
        one_load.await_end(Duration::from_secs(600));
        assert!(one_load.begin());
        assert!(!one_load.begin());
        one_load.await_end(Duration::from_millis(1));
        std::thread::scope(|scope| {
            // Longer than any test may take.
            let waits = scope.spawn(|| one_load.await_end(Duration::from_secs(600)));
            one_load.end();
            waits.join().expect("it does not panic");
        });
        assert!(one_load.begin());
    }
}
