//! A second opinion: a small model of a tape and of what st counts, written from the facts about the
//! kernel's driver and its recorded traces, without a look at `crates/st` and `crates/drive`.
//!
//! [`Driver`] answers calls as a program sees them. The test `reference` plays random calls on it and on the
//! stack, and compares every answer.
//!
//! It models one drive, `Deck`, whose tape is a list of objects, and it sends that drive the commands that st
//! sends; so it is wrong where both, it and the stack, share an error about what a command does.

mod driver;
mod motion;
mod operation;
mod session;
mod tape;
mod transfer;

pub mod calls;
pub mod play;

pub use driver::Driver;
pub use tape::{Cartridge, Object, Partition};
