//! Why the daemon ends: what its threads tell the one that waits for the end.

/// What ends the daemon.
pub enum Event {
    /// A signal that asks to end.
    Signal(i32),
    /// The frontend ended by itself: a mount that someone else unmounted, a lost device.
    FrontendEnded(String),
}
