//! SCSI commands from the kernel's target core: its userspace backstore (`target_core_user`, TCMU).
//!
//! The kernel puts commands into a ring in memory that a device `/dev/uioN` maps; [`Ring`] takes them out and answers
//! them, [`Device`] is that device. [`Backstore`] and [`Export`] are the directories of configfs that make the
//! device, and that let somebody reach it by a [`Fabric`]: as a SCSI host of this machine, where the kernel's own `st`
//! serves it as `/dev/nstN`, over iSCSI, or in a guest.
//!
//! A command that a killed process did not answer stays in the ring. Whoever opens the device next gets it again, if
//! he looks at the ring before he waits.

// What the kernel's side wrote must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod backstore;
mod configfs;
mod device;
mod fabric;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod iscsi;
mod kept;
mod layout;
mod memory;
mod ring;

pub use backstore::{Backstore, Settings, left_backstores};
pub use configfs::{ConfigFs, Kernel, TreeError};
pub use device::{Device, DeviceError, Found, Woken, find};
pub use fabric::{Export, Fabric, Kind, Seat, exports_of};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_ring;
pub use iscsi::{Account, Chap, Iscsi};
pub use kept::{KEPT_BYTES, Kept};
pub use ring::{Command, Entry, Outcome, Ring, RingError, Task, Way};
