//! The mirror: one drive that is several.
//!
//! [`MirrorDrive`] gives every leg each record from one buffer at the same time, and answers when all have it.
//! The first leg that reaches its early warning ends the volume for all, so that every copy is complete.

mod change;
mod changer;
pub mod cli;
pub mod command;
pub mod completion;
pub mod config;
mod crew;
pub mod daemon;
mod leg;
mod legs;
pub mod messages;
mod mirror;
mod set;

pub use leg::{Cause, Class, Keeps, LegBoard, LegFailure, LegOptions, LegState, NewLeg, When};
pub use mirror::{
    Besides, EjectedLeg, Expected, Held, InsertError, LegError, MAX_LEGS, MirrorDrive,
    MirrorOptions, Rest, Resynced,
};
