//! Copies and compares what is on tapes, object by object.
//!
//! Everything goes from where the two drives are to the end of the recorded data of one partition; who
//! wants all of it rewinds both first. One thread reads ahead while another works with what was read, in
//! buffers that are made once and grow only for longer blocks.

mod ahead;
mod compare;
mod copy;
mod error;
mod object;
mod reading;
mod ready;

pub use ahead::{Ahead, read_ahead};
pub use compare::{Comparison, Difference, compare, last_common_object};
pub use copy::{Copied, Ending, Options, Unreadable, copy};
pub use error::{Error, Side};
pub use object::{Gap, Object, Progress};
pub use ready::go_to;
