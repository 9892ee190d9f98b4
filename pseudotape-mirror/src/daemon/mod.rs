//! The daemon: a mirror behind a slave end, and the operator's hand in it.

mod attach;
mod deck;
mod event;
mod faults;
mod gate;
mod gone;
mod operator;
mod overtime;
mod public;
mod run;
mod served;
mod sink_leg;

pub use run::{Ending, run};
