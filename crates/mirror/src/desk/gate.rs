//! The lock around the mirror. The program's calls come one after another without a pause, so that an operator
//! would hardly ever get it: whoever comes with an operator's hand goes first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) struct Gate<T> {
    inside: Mutex<T>,
    /// Operators that wait; the number itself is in `queue`.
    waiting: AtomicUsize,
    queue: Mutex<()>,
    gone_in: Condvar,
}

impl<T> Gate<T> {
    pub(crate) fn new(inside: T) -> Self {
        Gate {
            inside: Mutex::new(inside),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(()),
            gone_in: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a call of the program: after every operator who waits.
    pub(crate) fn for_program(&self) -> MutexGuard<'_, T> {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            while self.waiting.load(Ordering::SeqCst) > 0 {
                queue = self
                    .gone_in
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        self.lock()
    }

    /// For an operator: after the program's call in hand.
    pub(crate) fn for_operator(&self) -> MutexGuard<'_, T> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let inside = self.lock();
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        drop(queue);
        self.gone_in.notify_all();
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// A call may be in hand when the operator comes, and one may be past looking for him.
    #[test]
    fn an_operator_waits_for_two_calls_at_most() {
        let gate = Arc::new(Gate::new(0_u64));
        let ends = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicUsize::new(0));
        let (calls, over, counted) = (gate.clone(), ends.clone(), begun.clone());
        let program = std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                *calls.for_program() += 1;
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        while begun.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        for _ in 0..200 {
            // As the operator does, with a look in between.
            gate.waiting.fetch_add(1, Ordering::SeqCst);
            let before = begun.load(Ordering::SeqCst) as u64;
            std::thread::sleep(std::time::Duration::from_micros(50));
            let after = *gate.lock();
            gate.waiting.fetch_sub(1, Ordering::SeqCst);
            assert!(after <= before + 2, "{before} {after}");
            drop(gate.for_operator());
        }
        ends.store(true, Ordering::SeqCst);
        program.join().unwrap();
        assert_eq!(gate.waiting.load(Ordering::SeqCst), 0);
        drop(gate.for_program());
    }

    #[test]
    fn the_program_goes_on_after_operators_that_come_at_once() {
        let gate = Arc::new(Gate::new(0_u64));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| *gate.for_operator() += 1));
            }
            scope.spawn(|| (0..500).for_each(|_| *gate.for_program() += 1));
        });
        assert_eq!(*gate.for_operator(), 2500);
    }
}
