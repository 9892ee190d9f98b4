//! The mirror: one drive that is several, and the operator's hand in it.
//!
//! [`MirrorDrive`] gives every leg each record from one buffer at the same time, and answers when all have it.
//! The first leg that reaches its early warning ends the volume for all, so that every copy is complete.
//!
//! A [`Desk`] has such a drive, the volumes in its legs and the status, for whichever daemon the drive is in: programs
//! reach the drive as a [`Served`], operators by the messages of `pseudotape_control::mirror`.

mod change;
mod completion;
mod crew;
mod desk;
mod leg;
mod leg_config;
mod legs;
mod mirror;
mod set;

pub use completion::{continued_assignment, continued_leg, continued_legs};
pub use desk::{Asked, Desk, EXIT_IMPATIENT, GivenUp, Holder, Overtime, Place, Public, Served};
pub use leg::{
    Cause, Class, Keeps, LegBoard, LegFailure, LegOptions, LegState, MirrorCommand, NewLeg, When,
    words_of_drop,
};
pub use leg_config::{LegConfig, LegTable, check_leg, check_legs, parse_assignment, parse_leg};
pub use mirror::{
    Besides, EjectedLeg, Expected, Held, InsertError, LegError, MAX_LEGS, MirrorDrive,
    MirrorOptions, Rest, Resynced,
};
