//! Reads a damaged tape object by object, as often as it takes, and loses nothing that was read once.
//!
//! What is known of each object stands in a [`Map`]: good, bad (with every attempt), or not tried. Good objects lie in
//! the *base*, an image in which each object of the tape has the number that it has there; what can't be read is a note
//! in it. What is found later, in the middle, goes into a second image, *found*. [`assemble`] makes one of both.
//! `docs/RESCUE.md` has the model, `docs/decisions/0013-rescue.md` the reasons.

mod assemble;
mod error;
mod events;
mod found;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod map;
mod picture;
mod raw;
mod reader;
mod rescue;
mod same;
mod text;
mod writer;

pub use assemble::{Assembled, Holes, Moved, assemble};
pub use error::{Error, Tape};
pub use events::{BadObject, Events, Options, Progress, Workplace};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_map;
pub use map::{Attempt, Bad, Counts, Map, Place, Run, SourceName, State};
pub use picture::{Cell, Picture, Stretch};
pub use raw::{Hole, RawFile, raw_file};
pub use rescue::{Outcome, rescue};
pub use text::MapError;
