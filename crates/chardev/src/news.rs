use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Tells those who wait for something of a device that something has happened: they look again.
///
/// Whoever waits asks for the [`News::count`] first, looks then, and waits for more than this count: what happens in
/// between is not missed.
#[derive(Debug, Default)]
pub struct News {
    count: Mutex<u64>,
    told: Condvar,
}

impl News {
    /// How often was told.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has happened.
    pub fn tell(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.told.notify_all();
    }

    /// Waits until more was told than this, or for so long.
    pub fn wait(&self, known: u64, longest: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing_new = |count: &mut u64| *count == known;
        drop(
            self.told
                .wait_timeout_while(count, longest, nothing_new)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test may take.
    const FOREVER: Duration = Duration::from_secs(600);

    #[test]
    fn what_was_told_after_the_count_is_not_waited_for() {
        let news = News::default();
        let known = news.count();
        news.tell();
        news.wait(known, FOREVER);
        assert_ne!(news.count(), known);
    }

    #[test]
    fn whoever_waits_is_woken() {
        let news = News::default();
        let known = news.count();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| news.wait(known, FOREVER));
            news.tell();
            waits.join().expect("it does not panic");
        });
    }

    #[test]
    fn a_wait_without_news_ends_in_time() {
        let news = News::default();
        news.wait(news.count(), Duration::from_millis(1));
        assert_eq!(news.count(), 0);
    }
}
