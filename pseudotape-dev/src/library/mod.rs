//! The daemon's side of a library: its drives are bays of this daemon, its operator comes by the control socket.

mod bays;
mod changers;
mod delay;
mod operator;
mod served;
mod show;

pub use changers::Changers;
pub use delay::Times;
pub use served::ServedLibrary;
