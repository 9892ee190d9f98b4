//! Reading ahead in a thread of its own, so that a drive never waits for a disk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Batches between the two threads: one being filled, one being emptied, one to even out.
const BATCHES: usize = 3;

/// Batches that come from a tape, in order.
#[derive(Debug)]
pub struct Ahead<B> {
    full: Receiver<B>,
    free: SyncSender<B>,
}

impl<B> Ahead<B> {
    /// The next batch; `None` behind the one that is the last.
    #[must_use]
    pub fn next_batch(&self) -> Option<B> {
        self.full.recv().ok()
    }

    /// Gives a batch back, to be filled again.
    pub fn give_back(&self, batch: B) {
        // Behind the end nobody fills it any more.
        drop(self.free.send(batch));
    }
}

/// Runs `work` on what is read meanwhile. When it returns, the tape may be further than what it took.
///
/// `fill` reads the next batch, and says whether it is the last one.
pub fn read_ahead<B: Default + Send, R>(
    mut fill: impl FnMut(&mut B) -> bool + Send,
    work: impl FnOnce(Ahead<B>) -> R,
) -> R {
    let (filled, full) = sync_channel(BATCHES);
    let (free, empty) = sync_channel(BATCHES);
    for _ in 0..BATCHES {
        drop(free.try_send(B::default()));
    }
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(mut batch) = empty.recv() {
                let is_last = fill(&mut batch);
                if filled.send(batch).is_err() || is_last {
                    break;
                }
            }
        });
        work(Ahead { full, free })
    })
}
