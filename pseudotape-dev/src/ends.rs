//! How a daemon knows that it is to end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Whether the daemon was asked to end: what takes long looks here.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    /// It was.
    pub once: Arc<AtomicBool>,
    /// It was told so again: legs are not waited for any more.
    pub twice: Arc<AtomicBool>,
}
