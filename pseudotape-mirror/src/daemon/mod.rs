//! The daemon: a mirror behind a slave end.

mod attach;
mod event;
mod run;

pub use run::{Ending, run};
