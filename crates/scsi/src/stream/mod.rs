//! A tape drive with all its commands, over any volume.

mod attributes;
mod command;
mod density;
mod log;
mod mode;
mod motion;
mod news;
mod operations;
mod outcome;
mod segments;
mod select;
mod state;
mod transfer;
mod unit;
mod view;

pub use command::{At, AttributeRequest, Counted, Destination, OperationsRequest, StreamCommand};
pub use operations::{Direction, Operation, changes_something, data_direction, operations};
pub use state::{TapeFeatures, TapeReply, TapeUnit};
