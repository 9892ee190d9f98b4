//! A drive behind another tape device node: a real `/dev/nst0`, or the node of another pseudo tape.
//!
//! st is a driver with a state of its own. It writes filemarks at close. It reports early warning one call late
//! and only at every other call. After a failure it drops the count of what was done. [`DeviceDrive`] recovers
//! what the drive reported:
//!
//! | information | source |
//! |---|---|
//! | position | `MTIOCPOS` if the drive supports it, otherwise counted from the beginning of the tape |
//! | early warning | `GMT_EOT` after each write; st's own ENOSPC for the next write is prevented |
//! | physical end | ENOSPC of a write that reached the drive, and the position after it |
//! | counts of motions | the difference of two positions, the flags and the file number of `MTIOCGET` |
//! | length of a block longer than the buffer | spacing back, and reading the block again into a buffer for the longest block |
//! | reset | `MTNOP` fails after an EIO: the position is unknown until a rewind or locate |
//! | medium changed | the tape is at its beginning after an EIO, though no operation sent it there |
//!
//! The node is kept in variable block mode; [`Transfer::Fixed`](pseudotape_tape::Transfer::Fixed) is done block
//! by block. No close writes a filemark: each write is followed by a request that cancels st's pending
//! filemark. So even a process that is killed leaves only what it wrote, unless it is killed during a write.
//! docs/DEVICE.md has all the rules, and the functions of st that they come from.

mod aligned;
mod answer;
mod ask;
mod change;
mod count;
mod drive;
mod errno;
mod error;
mod files;
mod limits;
mod local;
mod look;
mod mode;
mod motion;
mod node;
mod open;
mod read;
#[allow(unsafe_code, reason = "the three ioctls of a tape")]
mod request;
mod space;
mod state;
mod volume;
mod write;

pub use error::Error;
pub use local::LocalNode;
pub use node::{Opener, TapeNode};
pub use pseudotape_tape::Access;
pub use state::DeviceDrive;
