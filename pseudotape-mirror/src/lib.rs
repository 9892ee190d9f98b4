//! The mirror: one drive that is several.
//!
//! [`MirrorDrive`] gives every leg each record from one buffer at the same time, and answers when all have it.
//! The first leg that reaches its early warning ends the volume for all, so that every copy is complete.

mod change;
pub mod cli;
pub mod command;
pub mod config;
mod crew;
pub mod daemon;
mod drive;
mod extend;
mod late;
mod leg;
pub mod messages;
mod mirror;
mod motion;
mod read;
mod resync;
mod set;
mod settle;
mod volumes;
mod write;

pub use leg::{Class, Keeps, LegBoard, LegDrive, LegOptions, LegState, NewLeg, Noted, When};
pub use mirror::{InsertError, MAX_LEGS, MirrorDrive, MirrorOptions};
pub use resync::Resynced;
pub use volumes::{EjectedLeg, LegError};
