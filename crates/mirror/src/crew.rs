//! Threads that each do the same borrowed work at once, while the caller does its own share.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::set::{LegNumber, LegSet, MAX_LEGS, PerLeg};

/// Work that is lent to workers, each of which gets its own number.
type Work<'a> = &'a (dyn Fn(LegNumber) + Sync + 'a);

enum Slot {
    /// Nothing to do.
    Idle,
    /// To be done. The thread that put the work here waits for `Done`.
    Called(Work<'static>),
    /// Done, perhaps by a panic.
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

    fn serve(&self, number: LegNumber) {
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

    /// Waits until the work that was put here is done, and says whether that panicked.
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
    number: LegNumber,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// One worker for each leg. The workers end with their crew.
#[derive(Default)]
pub(crate) struct Crew {
    workers: Vec<Worker>,
}

/// Waits for all workers that were called, also when the caller panics.
struct Calls<'a> {
    crew: &'a Crew,
    called: LegSet,
    panicked: bool,
}

impl Calls<'_> {
    fn wait(&mut self) {
        for worker in &self.crew.workers {
            if self.called.has(worker.number) {
                self.called = self.called.without(worker.number);
                self.panicked |= worker.desk.wait();
            }
        }
    }
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        self.wait();
    }
}

impl Crew {
    /// Starts one thread for each name; the first name is that of the first leg.
    pub(crate) fn start(names: &[String]) -> std::io::Result<Crew> {
        let numbers = LegSet::choose(names.len(), |_| true);
        let mut crew = Crew::default();
        for (number, name) in numbers.iter().zip(names) {
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
                number,
                desk,
                thread: Some(thread),
            });
        }
        Ok(crew)
    }

    /// Has work done for each leg of two sets: for the legs that are `lent` by their workers, for those that are
    /// `own` by the caller, one after the other. Returns all answers when all are there; allocates nothing.
    /// Panics where the work of some leg did.
    pub(crate) fn run<R: Send>(
        &mut self,
        lent: LegSet,
        own: LegSet,
        work: &(dyn Fn(LegNumber) -> R + Sync),
    ) -> PerLeg<R> {
        let answers: [Mutex<Option<R>>; MAX_LEGS] = std::array::from_fn(|_| Mutex::new(None));
        let answer = |number: LegNumber| {
            let answer = work(number);
            if let Some(place) = answers.get(number.index()) {
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            }
        };
        self.lend(lent, &answer, || own.iter().for_each(answer));
        PerLeg::new(answers.map(|place| {
            let answer = place.into_inner();
            answer.unwrap_or_else(PoisonError::into_inner)
        }))
    }

    /// Has the workers of a set do `work` while the caller does `own`; returns when all are done. Panics where
    /// one of them did.
    fn lend(&mut self, set: LegSet, work: Work<'_>, own: impl FnOnce()) {
        // SAFETY: only the lifetime changes. A worker uses the reference between finding `Called` and
        // setting `Done`, and has no copy of it afterwards. `calls` waits for the `Done` of every worker
        // that was called before this function returns or unwinds, that is, while `work` is borrowed;
        // it is a local that nobody else can forget. `&mut self` keeps others from the desks meanwhile.
        let work = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        let mut calls = Calls {
            crew: self,
            called: LegSet::EMPTY,
            panicked: false,
        };
        for worker in &self.workers {
            if set.has(worker.number) {
                *worker.desk.slot() = Slot::Called(work);
                calls.called = calls.called.with(worker.number);
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

    fn set(bits: u8) -> LegSet {
        LegSet::choose(MAX_LEGS, |leg| bits & (1 << leg.index()) != 0)
    }

    #[test]
    fn everyone_called_reads_the_borrowed_data_and_nobody_else() {
        let mut crew = crew(8);
        for round in 0..200_u64 {
            let data = vec![round; 100];
            let sums: Vec<_> = (0..8).map(|_| AtomicU64::new(u64::MAX)).collect();
            let called = set(round as u8);
            let mut own = 0;
            crew.lend(
                called,
                &|leg| sums[leg.index()].store(data.iter().sum(), Ordering::SeqCst),
                || own = data.len(),
            );
            drop(data);
            assert_eq!(own, 100);
            for leg in set(u8::MAX).iter() {
                let expected = if called.has(leg) {
                    round * 100
                } else {
                    u64::MAX
                };
                assert_eq!(sums[leg.index()].load(Ordering::SeqCst), expected);
            }
        }
    }

    #[test]
    fn the_answers_of_the_workers_and_of_the_caller_come_back_with_their_legs() {
        let mut crew = crew(5);
        let caller = std::thread::current().id();
        let answers = crew.run(set(0b1_0110), set(0b0_1001), &|leg| {
            (leg.index(), std::thread::current().id() == caller)
        });
        let found: Vec<_> = answers.into_iter().collect();
        let expected = [true, false, false, true, false];
        assert_eq!(found.len(), expected.len());
        for ((leg, answer), by_caller) in found.into_iter().zip(expected) {
            assert_eq!(answer, (leg.index(), by_caller));
        }
    }

    #[test]
    fn a_panic_of_the_caller_waits_for_the_workers_first() {
        let mut crew = crew(2);
        let done = AtomicU64::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let data = vec![7_u64; 1000];
            crew.lend(
                set(0b11),
                &|_| {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    done.fetch_add(data.iter().sum(), Ordering::SeqCst);
                },
                || panic!("the caller's share"),
            );
        }));
        assert!(caught.is_err());
        assert_eq!(done.load(Ordering::SeqCst), 14_000);
        crew.lend(set(0b11), &|_| {}, || {});
    }

    #[test]
    fn a_panic_of_a_worker_reaches_the_caller_and_leaves_the_crew_usable() {
        let mut crew = crew(2);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            crew.run(set(0b10), LegSet::EMPTY, &|_| panic!("the worker's share"));
        }));
        assert!(caught.is_err());
        let answers = crew.run(set(0b11), LegSet::EMPTY, &|leg| leg.index());
        assert_eq!(answers.into_iter().count(), 2);
    }
}
