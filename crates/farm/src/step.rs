//! What is done to the disk, step by step, for a witness: a test stops there, makes it fail, or looks at what would be
//! left.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::title::Title;

/// One step.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A file is read from this byte on; told before.
    Reading {
        /// Its title.
        title: &'a Title,
        /// Where.
        offset: u64,
    },
    /// So many bytes go into a new file; told before.
    Writing {
        /// Its name in the volume.
        name: &'a str,
        /// How many.
        bytes: u64,
    },
    /// A new file has all its bytes, on no stable storage yet.
    Wrote {
        /// Its name in the volume.
        name: &'a str,
    },
    /// One file is on stable storage.
    SyncedFile {
        /// Its name in the volume.
        name: &'a str,
    },
    /// All files that were written are on stable storage.
    SyncedFiles,
    /// A file has another name, and what had that name is gone.
    Renamed {
        /// The old name.
        from: &'a str,
        /// The new name.
        to: &'a str,
    },
    /// All names are on stable storage.
    SyncedNames,
    /// A file is gone.
    Removed {
        /// Its name.
        name: &'a str,
    },
}

/// Who is told of each step. An error is taken for one of the disk.
pub trait Witness: Send {
    /// One step was done, or is about to be.
    fn step(&mut self, step: Step<'_>) -> io::Result<()>;
}

struct Nobody;

impl Witness for Nobody {
    fn step(&mut self, _: Step<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// A witness in several hands.
#[derive(Clone)]
pub(crate) struct Steps(Arc<Mutex<dyn Witness>>);

impl Default for Steps {
    fn default() -> Self {
        Steps(Arc::new(Mutex::new(Nobody)))
    }
}

impl Steps {
    pub(crate) fn to(witness: impl Witness + 'static) -> Self {
        Steps(Arc::new(Mutex::new(witness)))
    }

    pub(crate) fn tell(&self, step: Step<'_>) -> io::Result<()> {
        let mut witness = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        witness.step(step)
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}
