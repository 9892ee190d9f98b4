//! Faults on command: a drive in front of any other that fails when it is told to (docs/FAULTS.md).
//!
//! [`Faults`] is the list of what goes wrong, shared between whoever injects faults and the drive. [`Faulty`] is the
//! drive in front. Nothing that fails here reaches what is below: a fault is taken away, and the tape is as it was.

mod continued;
mod error;
mod fault;
mod faults;
mod faulty;
mod kind;
mod values;

pub use continued::continued;
pub use error::FaultError;
pub use fault::{After, Fault};
pub use faults::{Faults, Listed};
pub use faulty::Faulty;
pub use kind::{Key, Kind};
