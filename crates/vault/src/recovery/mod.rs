//! The catalog travels, and comes back: its backups, which of them is the newest, how one comes back, what was lost.
//!
//! A backup is a description and a payload; where they lie is the caller's affair. What is decided here ([`choose`],
//! [`loss_report`]) is decided by values alone: no clock, no file, no tape.

mod backup;
mod choice;
mod description;
pub(crate) mod loss;
pub(crate) mod payload;
mod restore;
pub(crate) mod rolled;

pub use backup::Backup;
pub use choice::{Choice, Found, NoChoice, Surveyed, Warning, choose};
pub use description::BackupDescription;
pub use loss::{
    Copy, DiskImage, Evidence, Fate, Inquiry, Known, Loss, LossReport, Medium, Place, Readable,
    loss_report,
};
pub use payload::{PayloadError, unpack};
pub use restore::{Restored, Restoring, Step, restore};
pub use rolled::{Removal, Rolled, Shelved, Survivor};
