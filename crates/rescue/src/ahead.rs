//! Reading in a thread of its own, so that a drive never waits for a disk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::Error;
use crate::reader::{Batch, Reader};

/// Batches between the two threads: one being filled, one being emptied, one to even out.
const BATCHES: usize = 3;

/// Batches that come from a tape, in order.
pub(crate) struct Ahead {
    full: Receiver<Batch>,
    free: SyncSender<Batch>,
}

impl Ahead {
    /// The next batch; `None` behind the one that is the last.
    pub(crate) fn next(&self) -> Option<Batch> {
        self.full.recv().ok()
    }

    /// Gives a batch back, to be filled again.
    pub(crate) fn give_back(&self, batch: Batch) {
        // Behind the end nobody fills it any more.
        drop(self.free.send(batch));
    }
}

/// Runs `work` on what is read meanwhile.
pub(crate) fn read_ahead<R>(
    mut reader: Reader<'_>,
    work: impl FnOnce(Ahead) -> Result<R, Error>,
) -> Result<R, Error> {
    let (fill, full) = sync_channel(BATCHES);
    let (free, empty) = sync_channel(BATCHES);
    for _ in 0..BATCHES {
        drop(free.try_send(Batch::default()));
    }
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(mut batch) = empty.recv() {
                reader.fill(&mut batch);
                let finished = batch.finish.is_some();
                if fill.send(batch).is_err() || finished {
                    break;
                }
            }
        });
        work(Ahead { full, free })
    })
}
