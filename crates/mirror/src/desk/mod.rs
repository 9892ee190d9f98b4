//! The operator's hand in a mirror, and what its status tells: the same in each daemon that has one.

mod deck;
mod faults;
mod gate;
mod gone;
mod holder;
mod operator;
mod overtime;
mod public;
mod served;
mod sink_leg;

pub use holder::Holder;
pub use operator::Desk;
pub use overtime::{Asked, EXIT_IMPATIENT, GivenUp, Overtime};
pub use public::{Place, Public};
pub use served::Served;
