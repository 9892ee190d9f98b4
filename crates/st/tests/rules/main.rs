//! Rules of `docs/SEMANTICS.md` that no recorded scenario shows; each test carries its ids.

mod bench;
mod closing;
mod commands;
mod end_of_tape;
mod fixed;
mod loading;
mod modes;
mod opening;
mod partitions;
mod reading;
mod requests;
mod spacing;
mod witness;
mod writing;
