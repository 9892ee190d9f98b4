//! A tape drive over an image: block limits, capacity, early warning, physical end, write
//! protection, WORM, partitions, load and unload.

mod cartridge;
mod host;
mod image_drive;
mod making;
mod medium;
mod motion;
mod names;
mod null;
mod personality;
mod replacing;
#[cfg(test)]
mod replacing_test;
mod sense;
mod state;
mod transfer;
mod volume;

pub use cartridge::{Cartridge, CartridgeError, Change, Medium};
pub use image_drive::{EarlyWarning, ImageDrive, Overrides};
pub use making::{
    MakingError, Replaceable, ReplacingError, default_early_warning_bytes, fresh_volume,
    make_volume, replace_volume,
};
pub use medium::{FileMedium, MemoryMedium};
pub use null::{NullDrive, NullLimits};
pub use personality::{
    AfterUnload, ErasePolicy, MARKS_AT_END_MAX, OversizedPartition, Personality,
};
