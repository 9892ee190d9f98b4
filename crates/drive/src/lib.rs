//! A tape drive over an image: block limits, capacity, early warning, physical end, write
//! protection, WORM, partitions, load and unload.

mod personality;

pub use personality::{AfterUnload, ErasePolicy, Personality};
