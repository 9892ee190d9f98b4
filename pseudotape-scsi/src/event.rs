/// Why the daemon ends.
pub(crate) enum Event {
    /// A signal asks it to.
    Signal(i32),
    /// A ring can't be served any more.
    RingEnded(String),
}
