//! Digests of what is written, computed beside the writing.

use std::collections::HashMap;
use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use blake3::Hasher;
use pseudotape_vault::Digest;

/// What goes to the other thread at once: its waking costs more than the copying of a record.
const CHUNK_BYTES: usize = 256 << 10;
/// How far the digests may be behind.
const CHUNKS: usize = 8;

/// The digests of the tape files that are written one after the other.
///
/// BLAKE3 over a record costs about as much as all the rest of its way. So the record is copied, and another thread
/// computes. The buffers are made when the first record comes, and go round.
#[derive(Default)]
pub(super) struct Digests {
    worker: Option<Worker>,
    failed: bool,
}

struct Worker {
    orders: SyncSender<Order>,
    empty: Receiver<Vec<u8>>,
    filling: Vec<u8>,
    thread: JoinHandle<HashMap<u64, Digest>>,
}

enum Order {
    /// What follows are the first bytes of a tape file.
    Begin,
    Data(Vec<u8>),
    /// This tape file has its bytes; more may follow all the same.
    Ended(u64),
}

impl Digests {
    /// What follows are the first bytes of a tape file.
    pub(super) fn begin(&mut self) {
        self.tell(Order::Begin);
    }

    /// The next bytes of the tape file.
    pub(super) fn add(&mut self, data: &[u8]) {
        let Some(worker) = self.started() else {
            return;
        };
        if !worker.add(data) {
            self.failed = true;
        }
    }

    /// The tape file at hand has this number, and ends here as far as is known.
    pub(super) fn ended(&mut self, number: u64) {
        self.tell(Order::Ended(number));
    }

    /// The digests by the numbers of their files. One that could not be computed is not there.
    pub(super) fn finish(self) -> HashMap<u64, Digest> {
        let (false, Some(worker)) = (self.failed, self.worker) else {
            return HashMap::new();
        };
        let Worker { orders, thread, .. } = worker;
        drop(orders);
        thread.join().unwrap_or_default()
    }

    fn tell(&mut self, order: Order) {
        let Some(worker) = self.started() else {
            return;
        };
        if !worker.flush() || worker.orders.send(order).is_err() {
            self.failed = true;
        }
    }

    fn started(&mut self) -> Option<&mut Worker> {
        if self.failed {
            return None;
        }
        if self.worker.is_none() {
            match Worker::start() {
                Ok(worker) => self.worker = Some(worker),
                Err(error) => {
                    log::error!("can't start a thread that computes digests: {error}");
                    self.failed = true;
                }
            }
        }
        self.worker.as_mut()
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        // One more than there are chunks: an order without data finds a place as well.
        let (orders, coming) = sync_channel(CHUNKS + 1);
        let (done, empty) = channel();
        for _ in 1..CHUNKS {
            let buffer = Vec::with_capacity(CHUNK_BYTES);
            done.send(buffer).expect("its receiver is right here");
        }
        let thread = std::thread::Builder::new()
            .name("digest".into())
            .spawn(move || work(&coming, &done))?;
        Ok(Worker {
            orders,
            empty,
            filling: Vec::with_capacity(CHUNK_BYTES),
            thread,
        })
    }

    /// `false` where the other thread is gone.
    fn add(&mut self, mut data: &[u8]) -> bool {
        while !data.is_empty() {
            let room = CHUNK_BYTES - self.filling.len();
            let (now, later) = data.split_at(room.min(data.len()));
            self.filling.extend_from_slice(now);
            data = later;
            if self.filling.len() == CHUNK_BYTES && !self.flush() {
                return false;
            }
        }
        true
    }

    fn flush(&mut self) -> bool {
        if self.filling.is_empty() {
            return true;
        }
        let Ok(empty) = self.empty.recv() else {
            return false;
        };
        let full = mem::replace(&mut self.filling, empty);
        self.orders.send(Order::Data(full)).is_ok()
    }
}

fn work(orders: &Receiver<Order>, done: &std::sync::mpsc::Sender<Vec<u8>>) -> HashMap<u64, Digest> {
    let mut hasher = Hasher::new();
    let mut digests = HashMap::new();
    for order in orders {
        match order {
            Order::Begin => {
                hasher.reset();
            }
            Order::Data(mut data) => {
                hasher.update(&data);
                data.clear();
                if done.send(data).is_err() {
                    break;
                }
            }
            Order::Ended(number) => {
                digests.insert(number, Digest(hasher.finalize().into()));
            }
        }
    }
    digests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_bytes_in_whatever_pieces_they_come() {
        let mut digests = Digests::default();
        let mut expected = HashMap::new();
        for (number, length) in (0..).zip([1, CHUNK_BYTES - 1, CHUNK_BYTES, 10 * CHUNK_BYTES + 7]) {
            let data: Vec<u8> = (0..length)
                .map(|at| (at % 251) as u8 ^ number as u8)
                .collect();
            digests.begin();
            for piece in data.chunks(65537) {
                digests.add(piece);
            }
            digests.ended(number);
            expected.insert(number, Digest(blake3::hash(&data).into()));
        }
        assert_eq!(digests.finish(), expected);
    }

    #[test]
    fn a_file_that_goes_on_behind_its_end_has_the_digest_of_all_of_it() {
        let mut digests = Digests::default();
        digests.begin();
        digests.add(b"one");
        digests.ended(4);
        digests.add(b"two");
        digests.ended(4);
        let all = Digest(blake3::hash(b"onetwo").into());
        assert_eq!(digests.finish(), HashMap::from([(4, all)]));
    }
}
