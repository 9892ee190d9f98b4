//! Threads that each do the same borrowed work at once, while the caller does its own share.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Most workers of a crew: their set is a `u8`.
pub(crate) const MAX_WORKERS: usize = 8;

/// Work that is lent to workers, each of which gets its own number.
type Work<'a> = &'a (dyn Fn(usize) + Sync + 'a);

enum Slot {
    /// Nothing to do.
    Idle,
    /// To be done; whoever put it here waits for `Done`.
    Called(Work<'static>),
    /// Done; whether it panicked.
    Done { panicked: bool },
    /// The thread is to end.
    End,
}

struct Desk {
    slot: Mutex<Slot>,
    called: Condvar,
    done: Condvar,
}

impl Desk {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, number: usize) {
        let mut slot = self.slot();
        loop {
            match *slot {
                Slot::Idle | Slot::Done { .. } => {
                    slot = self
                        .called
                        .wait(slot)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                Slot::Called(work) => {
                    drop(slot);
                    let panicked = catch_unwind(AssertUnwindSafe(|| work(number))).is_err();
                    slot = self.slot();
                    *slot = Slot::Done { panicked };
                    self.done.notify_one();
                }
                Slot::End => return,
            }
        }
    }

    /// Waits until the work that was put here is done; says whether it panicked.
    fn wait(&self) -> bool {
        let mut slot = self.slot();
        loop {
            if let Slot::Done { panicked } = *slot {
                *slot = Slot::Idle;
                return panicked;
            }
            slot = self.done.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Worker {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Workers by number; they end with this.
#[derive(Default)]
pub(crate) struct Crew {
    workers: Vec<Worker>,
}

/// Waits for all that were called, also when the caller panics.
struct Calls<'a> {
    crew: &'a Crew,
    called: u8,
    panicked: bool,
}

impl Calls<'_> {
    fn wait(&mut self) {
        while self.called != 0 {
            let number = self.called.trailing_zeros() as usize;
            self.called &= self.called - 1;
            self.panicked |= self.crew.workers[number].desk.wait();
        }
    }
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        self.wait();
    }
}

impl Crew {
    /// Starts one thread for each name.
    pub(crate) fn start(names: &[String]) -> std::io::Result<Crew> {
        assert!(names.len() <= MAX_WORKERS, "the set of workers is a u8");
        let mut crew = Crew::default();
        for (number, name) in names.iter().enumerate() {
            let desk = Arc::new(Desk {
                slot: Mutex::new(Slot::Idle),
                called: Condvar::new(),
                done: Condvar::new(),
            });
            let served = Arc::clone(&desk);
            let thread = Builder::new()
                .name(format!("leg {name}"))
                .spawn(move || served.serve(number))?;
            crew.workers.push(Worker {
                desk,
                thread: Some(thread),
            });
        }
        Ok(crew)
    }

    /// Has the workers of `set` (bit n: worker n) do `work` while the caller does `own`; returns when all
    /// are done. Panics where one of them did.
    pub(crate) fn run(&mut self, set: u8, work: Work<'_>, own: impl FnOnce()) {
        // SAFETY: only the lifetime changes. A worker uses the reference between finding `Called` and
        // setting `Done`, and has no copy of it afterwards. `calls` waits for the `Done` of every worker
        // that was called before this function returns or unwinds, that is, while `work` is borrowed;
        // it is a local that nobody else can forget. `&mut self` keeps others from the desks meanwhile.
        let work = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        let mut calls = Calls {
            crew: self,
            called: 0,
            panicked: false,
        };
        for (number, worker) in self.workers.iter().enumerate() {
            if set & (1 << number) != 0 {
                *worker.desk.slot() = Slot::Called(work);
                calls.called |= 1 << number;
                worker.desk.called.notify_one();
            }
        }
        own();
        calls.wait();
        assert!(!calls.panicked, "the thread of a leg panicked");
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            *worker.desk.slot() = Slot::End;
            worker.desk.called.notify_one();
            if let Some(thread) = worker.thread.take()
                && thread.join().is_err()
            {
                log::error!("the thread of a leg panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn crew(count: usize) -> Crew {
        let names: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        Crew::start(&names).unwrap()
    }

    #[test]
    fn everyone_called_reads_the_borrowed_data_and_nobody_else() {
        let mut crew = crew(8);
        for round in 0..200_u64 {
            let data = vec![round; 100];
            let sums: Vec<_> = (0..8).map(|_| AtomicU64::new(u64::MAX)).collect();
            let set = round as u8;
            let mut own = 0;
            crew.run(
                set,
                &|number| sums[number].store(data.iter().sum(), Ordering::SeqCst),
                || own = data.len(),
            );
            drop(data);
            assert_eq!(own, 100);
            for (number, sum) in sums.iter().enumerate() {
                let called = set & (1 << number) != 0;
                let expected = if called { round * 100 } else { u64::MAX };
                assert_eq!(sum.load(Ordering::SeqCst), expected);
            }
        }
    }

    #[test]
    fn a_panic_of_the_caller_waits_for_the_workers_first() {
        let mut crew = crew(2);
        let done = AtomicU64::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let data = vec![7_u64; 1000];
            crew.run(
                0b11,
                &|_| {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    done.fetch_add(data.iter().sum(), Ordering::SeqCst);
                },
                || panic!("the caller's share"),
            );
        }));
        assert!(caught.is_err());
        assert_eq!(done.load(Ordering::SeqCst), 14_000);
        crew.run(0b11, &|_| {}, || {});
    }

    #[test]
    fn a_panic_of_a_worker_reaches_the_caller_and_leaves_the_crew_usable() {
        let mut crew = crew(2);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            crew.run(0b10, &|_| panic!("the worker's share"), || {});
        }));
        assert!(caught.is_err());
        let done = AtomicU64::new(0);
        crew.run(
            0b11,
            &|_| {
                done.fetch_add(1, Ordering::SeqCst);
            },
            || {},
        );
        assert_eq!(done.load(Ordering::SeqCst), 2);
    }
}
