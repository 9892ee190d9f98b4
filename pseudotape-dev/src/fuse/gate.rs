//! The way of calls to the devices, which the end of a mount closes.
//!
//! What a device has done must be told to its caller: a program that gets an error for a record that is on the tape
//! writes that record again. So the connection to the kernel is cut only when nobody is between here and the reply.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the calls that have passed it.
#[derive(Default)]
pub(super) struct Gate {
    inside: AtomicUsize,
    closed: AtomicBool,
}

/// A call that has passed the gate, until its reply is given.
pub(super) struct Inside<G: Deref<Target = Gate>>(G);

impl Gate {
    /// Lets a call in; `None` after the gate was closed.
    pub(super) fn enter<G: Deref<Target = Gate>>(gate: G) -> Option<Inside<G>> {
        // Counted first: whoever closes the gate sees this call, or this call sees the closed gate.
        gate.inside.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(gate);
        (!inside.0.closed.load(Ordering::SeqCst)).then_some(inside)
    }

    /// Lets no further call in.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether every call that was let in has its reply.
    pub(super) fn is_empty(&self) -> bool {
        self.inside.load(Ordering::SeqCst) == 0
    }
}

impl<G: Deref<Target = Gate>> Drop for Inside<G> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_lets_nobody_in_and_knows_who_is_still_inside() {
        let gate = Gate::default();
        let inside = Gate::enter(&gate).expect("it is open");
        assert!(!gate.is_empty());
        gate.close();
        assert!(Gate::enter(&gate).is_none());
        assert!(!gate.is_empty(), "the first one has no reply yet");
        drop(inside);
        assert!(gate.is_empty(), "who was refused does not count");
    }
}
