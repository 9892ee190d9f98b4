//! The queues of a connection, and the threads of each.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::server::{Queue, Server};
use crate::worker::Worker;

/// Which processors the kernel has a queue for.
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// How often somebody who waits for a thread looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A connection and whoever answers its requests.
#[derive(Clone)]
struct Service {
    connection: Arc<OwnedFd>,
    server: Arc<dyn Server>,
}

/// The threads of a queue.
struct Threads {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    desks: Vec<Arc<Desk>>,
}

/// Threads with rings, before there is a connection.
pub struct Prepared {
    queues: Vec<Threads>,
    waiting: Vec<Waiting>,
}

/// A thread that waits for its connection.
struct Waiting {
    begin: SyncSender<Service>,
    registered: Receiver<io::Result<()>>,
}

/// The threads that serve a connection.
pub struct Pool {
    desks: Vec<Arc<Desk>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Prepared {
    /// Starts threads for each queue and makes their rings. An error: this machine or this process may not have them.
    pub fn new(threads_each: usize, payload_max_bytes: usize) -> io::Result<Self> {
        let count = u16::try_from(possible_processors()?).map_err(io::Error::other)?;
        let mut prepared = Prepared {
            queues: Vec::new(),
            waiting: Vec::new(),
        };
        for number in 0..count {
            let mut threads = Threads {
                queue: Arc::new(Queue::new(number)),
                threads: Vec::new(),
                desks: Vec::new(),
            };
            for _ in 0..threads_each.max(1) {
                prepared.waiting.push(threads.prepare(payload_max_bytes)?);
            }
            prepared.queues.push(threads);
        }
        Ok(prepared)
    }

    /// Offers all rings to a connection whose kernel side was told that rings would come. Until each queue has one the
    /// kernel hands no request to anybody. After an error the connection must be ended.
    pub fn serve(self, connection: OwnedFd, server: Arc<dyn Server>) -> io::Result<Pool> {
        let service = Service {
            connection: Arc::new(connection),
            server,
        };
        for thread in &self.waiting {
            thread.begin.send(service.clone()).map_err(ended)?;
        }
        for thread in self.waiting {
            thread.registered.recv().map_err(ended)??;
        }
        let (mut desks, mut threads) = (Vec::new(), Vec::new());
        for mut queue in self.queues {
            desks.append(&mut queue.desks);
            threads.append(&mut queue.threads);
        }
        Ok(Pool {
            desks,
            threads: Mutex::new(threads),
        })
    }
}

impl Pool {
    /// Waits until the kernel has every answer that was given before this call, except those of threads that are in a
    /// call; not longer than until then. Whether it has.
    #[must_use]
    pub fn hand_over(&self, until: Instant) -> bool {
        let before: Vec<_> = self.desks.iter().map(|desk| desk.rounds()).collect();
        // A thread that the kernel wakes has handed over what it had.
        self.desks.iter().for_each(|desk| desk.wake());
        for (desk, before) in self.desks.iter().zip(before) {
            while desk.rounds() == before && !desk.is_left() {
                if Instant::now() >= until {
                    return false;
                }
                thread::sleep(LOOK_EVERY);
            }
        }
        true
    }

    /// Waits until all threads have ended, which they do when the connection has, and all requests are answered.
    pub fn join(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of a ring panicked");
            }
        }
    }
}

impl Threads {
    /// Starts a thread, which makes its ring and waits for its connection.
    fn prepare(&mut self, payload_max_bytes: usize) -> io::Result<Waiting> {
        let (begin, begun) = sync_channel::<Service>(1);
        let (tell, made) = sync_channel(1);
        let (register, registered) = sync_channel(1);
        let queue = Arc::clone(&self.queue);
        let work = move || {
            let worker = match Worker::new(payload_max_bytes) {
                Ok(worker) => worker,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok(worker.desk())));
            // Nobody begins where the rings are not wanted after all.
            if let Ok(service) = begun.recv() {
                worker.run(&service.connection, &queue, &*service.server, &register);
            }
        };
        let name = format!("ring-{}", self.queue.number());
        self.threads
            .push(thread::Builder::new().name(name).spawn(work)?);
        self.desks.push(made.recv().map_err(ended)??);
        Ok(Waiting { begin, registered })
    }
}

/// Whoever should have said something has ended.
fn ended<E>(_: E) -> io::Error {
    io::Error::other("a thread of a ring has ended")
}

/// How many processors the kernel may have, present or not: `0-3` or `0,2-5`.
fn possible_processors() -> io::Result<usize> {
    let text = std::fs::read_to_string(POSSIBLE)?;
    count(text.trim())
        .ok_or_else(|| io::Error::other(format!("{POSSIBLE}: {text:?} is no list of processors")))
}

fn count(list: &str) -> Option<usize> {
    list.split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
            (last.checked_sub(first)?).checked_add(1)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-127"), Some(128));
        assert_eq!(count("0,2-5"), Some(5));
        assert_eq!(count("5-2"), None);
        assert_eq!(count(""), None);
    }

    #[test]
    fn rings_that_are_not_wanted_end() {
        // A machine may forbid rings; then there is nothing to end.
        let Ok(prepared) = Prepared::new(2, 8192) else {
            return;
        };
        let Prepared { queues, waiting } = prepared;
        drop(waiting);
        for thread in queues.into_iter().flat_map(|queue| queue.threads) {
            thread.join().expect("no panic");
        }
    }
}
