//! What the daemon waits for.

/// What ends the daemon.
pub(crate) enum Event {
    /// A signal that asks to end.
    Signal(i32),
    /// The thread at the slave end ended, which is an error of this program.
    ServingEnded,
}
