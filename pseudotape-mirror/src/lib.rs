//! The mirror daemon: a mirror of legs behind a slave end, mirrors of changers, and the operator's hand in them.

mod changer;
pub mod cli;
pub mod command;
pub mod completion;
pub mod config;
pub mod daemon;
