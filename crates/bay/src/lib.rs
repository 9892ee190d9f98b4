//! A bay: a drive behind `st`, its lock, and the loading and unloading of volumes by specification.
//!
//! The device daemon has one for each drive, the rmt server one for each tape that is no node. A [`Slot`] is the part
//! that holds the volume: any sink (an image, a filtered image, a tape node, a remote tape) can be in it.

mod bay;
mod contents;
mod error;
mod guest;
mod keeper;
mod kept;
mod opened;
mod place;
mod seen;
mod sliced;
mod slot;
mod st_tape;

pub use bay::{Bay, BayGuard, BayState};
pub use error::Error;
pub use keeper::Keeper;
pub use opened::{Opened, is_plain_image};
pub use place::{absolute_name, asked_name, place_named};
pub use seen::{LoadedVolume, Look, Seen, Sighting, Transferred};
pub use sliced::{SLICE_MARKS, Sliced};
pub use slot::{Loaded, Slot};
pub use st_tape::{Cut, StTape, Wanted};
