//! Why the daemon ends: the message of its threads to the thread that waits for the end.

/// An event that ends the daemon.
pub enum Event {
    /// A signal that asks to end.
    Signal(i32),
    /// The frontend ended by itself: a mount that someone else unmounted, a lost device.
    FrontendEnded(String),
}
