//! A library that the daemon serves. Its drives are drives of this daemon, its operator comes by the control socket.

mod all;
mod bays;
mod changers;
mod delay;
mod operator;
mod served;
mod show;
mod taken;

pub use all::{Libraries, ServesNodes};
pub use changers::Changers;
pub use delay::Times;
pub use served::ServedLibrary;
pub use taken::{TakenLibrary, take_libraries};
