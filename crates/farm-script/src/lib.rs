//! The script of a farm: a command that is told of new capsules (docs/FARM.md, "A script for new capsules").
//!
//! Two hosts can have one: that of a command, as its configuration says, and that of the farm, where it serves others.
//! Both are told in the same words, which are also those of `pseudotape farm`.

mod guard;
mod running;
mod words;

pub use guard::Guard;
pub use running::{At, Failed, Names, NoScript, Script, Served};
pub use words::{FileWords, TitleWords, file_time_words};
