use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::news::News;

/// How long after a `close(2)` the last one of the open file may still be on its way to the device.
///
/// A FUSE mount hears of each close of a descriptor (FLUSH) before `close(2)` returns, and of the last one (RELEASE)
/// after that. Where several threads read requests, the OPEN of the next program can overtake it.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// The same where no process has the file open any more. Then the last close is on its way for certain, unless a
/// descriptor is where nobody can see it. On a loaded machine the thread that is to hear of the close may have no
/// processor for some seconds.
const ON_ITS_WAY_UNHELD: Duration = Duration::from_secs(60);

/// How often the processes are looked at meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Whether the last `close(2)` of a device's open file is on its way.
///
/// A program that has closed its file counts on a free device. So whoever finds the device open looks here whether to
/// wait: the next program's open, and an operator who wants the cartridge.
pub struct LastClose {
    state: Mutex<State>,
    news: Arc<News>,
    witnesses: Mutex<BTreeMap<String, Witness>>,
}

/// Says whether no process has a node of the device open, as far as that can be seen.
type Witness = Box<dyn Fn() -> bool + Send>;

impl fmt::Debug for LastClose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("LastClose");
        shown
            .field("state", &self.state)
            .field("news", &self.news)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    /// Closes of descriptors that are being worked on.
    flushes: usize,
    /// When a descriptor of the file was last closed.
    flushed: Option<Instant>,
    /// As [`LastClose::is_being_done`] says.
    being_done: bool,
}

/// A close of a descriptor, until this is dropped.
#[derive(Debug)]
pub struct Flush<'a>(&'a LastClose);

impl LastClose {
    /// Of a device that tells its news here.
    #[must_use]
    pub fn new(news: Arc<News>) -> Self {
        LastClose {
            state: Mutex::default(),
            news,
            witnesses: Mutex::default(),
        }
    }

    /// From now on this is asked whether no process has the node of that name open.
    pub fn set_witness(&self, node: &str, is_unheld: impl Fn() -> bool + Send + 'static) {
        self.witnesses()
            .insert(node.to_owned(), Box::new(is_unheld));
    }

    /// A descriptor is being closed, perhaps the last one. What this one does can take long (a commit): the time in
    /// which the last one may come counts from its end.
    #[must_use]
    pub fn flush(&self) -> Flush<'_> {
        self.state().flushes += 1;
        Flush(self)
    }

    /// The device begins with what the last close is to do.
    pub fn begin(&self) {
        let mut state = self.state();
        state.being_done = true;
        state.flushed = Some(Instant::now());
    }

    /// The program goes on: what seemed to be its last close was none.
    pub fn was_none(&self) {
        self.state().forget();
    }

    /// The file is closed. It is news before the close is near no more: whoever found the device open before, and no
    /// close near after that, sees by the news that the device is free.
    pub fn done(&self) {
        let mut state = self.state();
        state.forget();
        self.news.tell();
    }

    /// Whether the device does what the last close is to do, or has done it early and waits for that close: whoever
    /// has the device's lock is about to give it back.
    #[must_use]
    pub fn is_being_done(&self) -> bool {
        self.state().being_done
    }

    /// Whether a file that seems to be open may just have been closed.
    #[must_use]
    pub fn is_near(&self) -> bool {
        self.left().is_some()
    }

    /// How long the last close may be on its way from now on, at most; `None` where none is near.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.left_at(Instant::now())
    }

    fn left_at(&self, now: Instant) -> Option<Duration> {
        let (left, unheld_left) = {
            let state = self.state();
            (
                state.left(now, ON_ITS_WAY),
                state.left(now, ON_ITS_WAY_UNHELD),
            )
        };
        left.or_else(|| {
            unheld_left
                .filter(|_| self.is_unheld())
                .map(|left| left.min(LOOK_AGAIN))
        })
    }

    /// Whether all nodes of the device can be seen, and no process has one open.
    fn is_unheld(&self) -> bool {
        let witnesses = self.witnesses();
        !witnesses.is_empty() && witnesses.values().all(|is_unheld| is_unheld())
    }

    /// Each change leaves them whole.
    fn witnesses(&self) -> MutexGuard<'_, BTreeMap<String, Witness>> {
        self.witnesses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the file is closed, or no close is near any more.
    pub fn wait(&self) {
        loop {
            let known = self.news.count();
            let Some(left) = self.left() else { return };
            self.news.wait(known, left);
        }
    }

    fn end_flush(&self, now: Instant) {
        let mut state = self.state();
        state.flushes -= 1;
        state.flushed = Some(now);
    }

    /// Each change leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self) {
        self.being_done = false;
        self.flushed = None;
    }

    fn left(&self, now: Instant, on_its_way: Duration) -> Option<Duration> {
        if self.flushes > 0 {
            return Some(on_its_way);
        }
        let left = (self.flushed? + on_its_way).saturating_duration_since(now);
        Some(left).filter(|left| !left.is_zero())
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.end_flush(Instant::now());
        self.0.news.tell();
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;

    fn left(close: &LastClose, now: Instant) -> Option<Duration> {
        close.left_at(now)
    }

    #[test]
    fn a_close_is_near_after_a_flush_however_long_that_took() {
        let close = LastClose::new(Arc::default());
        let begin = Instant::now();
        assert_eq!(left(&close, begin), None);
        // Its end is told by hand, with a time of this test.
        mem::forget(close.flush());
        let end = begin + 100 * ON_ITS_WAY;
        assert_eq!(left(&close, end), Some(ON_ITS_WAY), "in hand");
        close.end_flush(end);
        assert_eq!(left(&close, end + ON_ITS_WAY / 2), Some(ON_ITS_WAY / 2));
        assert_eq!(left(&close, end + ON_ITS_WAY), None);
    }

    #[test]
    fn no_close_is_near_when_the_file_is_closed_or_its_program_goes_on() {
        for over in [LastClose::done, LastClose::was_none] {
            let close = LastClose::new(Arc::default());
            drop(close.flush());
            assert!(close.is_near() && !close.is_being_done());
            close.begin();
            assert!(close.is_near() && close.is_being_done());
            over(&close);
            assert!(!close.is_near() && !close.is_being_done());
        }
    }

    /// The thread that is to hear of the last close had no processor: an unload was refused, and an open was EBUSY.
    #[test]
    fn a_close_that_comes_late_is_near_while_no_process_has_the_file_open() {
        let close = LastClose::new(Arc::default());
        let end = Instant::now();
        mem::forget(close.flush());
        close.end_flush(end);
        let late = end + 10 * ON_ITS_WAY;
        assert_eq!(left(&close, late), None, "nobody can be asked");
        close.set_witness("pmtm0", || true);
        close.set_witness("npmtm0", || true);
        assert_eq!(left(&close, end), Some(ON_ITS_WAY));
        assert_eq!(left(&close, late), Some(LOOK_AGAIN));
        assert_eq!(left(&close, end + ON_ITS_WAY_UNHELD), None);
        close.set_witness("pmtm0", || false);
        assert_eq!(left(&close, late), None, "a process has it open");
        close.set_witness("pmtm0", || true);
        close.was_none();
        assert_eq!(left(&close, late), None, "nothing was closed");
    }

    #[test]
    fn two_descriptors_can_be_closed_at_a_time() {
        let close = LastClose::new(Arc::default());
        let (first, second) = (close.flush(), close.flush());
        drop(first);
        assert_eq!(
            left(&close, Instant::now() + 2 * ON_ITS_WAY),
            Some(ON_ITS_WAY)
        );
        drop(second);
        assert_eq!(left(&close, Instant::now() + 2 * ON_ITS_WAY), None);
    }

    #[test]
    fn whoever_waits_goes_on_when_the_file_is_closed() {
        let close = LastClose::new(Arc::default());
        mem::forget(close.flush());
        close.end_flush(Instant::now() + 600 * ON_ITS_WAY);
        std::thread::scope(|scope| {
            // Without `done` it waits longer than any test may take.
            let waits = scope.spawn(|| close.wait());
            close.done();
            waits.join().expect("it does not panic");
        });
    }
}
