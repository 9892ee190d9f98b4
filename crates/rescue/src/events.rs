//! What the caller of a rescue says, is told, and lends.

use std::ops::ControlFlow;

use pseudotape_tape::{ObjectNumber, Volume};

use crate::error::Error;
use crate::map::Attempt;

/// How a tape is rescued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often each object is read with one source, in all runs together.
    pub tries: u32,
    /// Another volume with another label is taken for the same tape, as far as the blocks that both have are equal.
    pub same_tape: bool,
    /// The source is known to have lost its end: where it ends says nothing of the tape.
    pub lost_its_end: bool,
    /// What was kept is read through first, and what can't be read any more is read from the source again; else images
    /// that hold less than the map says are refused.
    pub reread_lost: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            tries: 3,
            same_tape: false,
            lost_its_end: false,
            reread_lost: false,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects read now.
    pub objects: u64,
    /// Bytes of blocks among them.
    pub bytes: u64,
}

/// An object that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadObject {
    /// Which one.
    pub object: ObjectNumber,
    /// Filemarks before it, where the drive knows.
    pub file: Option<u64>,
    /// What was done about it now.
    pub attempt: Attempt,
    /// With what.
    pub drive: String,
    /// How often it was tried in all.
    pub tries: u32,
}

/// What the caller is told and asked meanwhile.
pub trait Events {
    /// The time in seconds since 1970.
    fn now(&mut self) -> u64;

    /// An object is bad. The map on the disk says so already. Nothing is read further until this returns, except what
    /// was read ahead.
    fn bad(&mut self, bad: &BadObject) -> Result<(), Error>;

    /// Something was read; whether to go on.
    fn progress(&mut self, progress: Progress) -> ControlFlow<()>;
}

/// Where the map lies, and the image of what was found later.
pub trait Workplace {
    /// Puts this text in the place of the map: when it returns, the new one is on stable storage; when it does not,
    /// the old one is there or the new one, and whole.
    fn save(&mut self, map: &str) -> Result<(), Error>;

    /// Whether there is an image of what was found later.
    fn has_found(&self) -> bool;

    /// Opens that image, or makes it.
    fn found(&mut self) -> Result<Box<dyn Volume>, Error>;
}
