//! A drive that is another tape device node: a real `/dev/nst0`, or another pseudo tape's.
//!
//! st is a driver with a state of its own: it writes filemarks at close, tells early warning one call late
//! and in turns, and drops the counts of what it did when it fails. [`DeviceDrive`] gets back what the drive
//! said:
//!
//! | news | from |
//! |---|---|
//! | position | `MTIOCPOS` where the drive answers it, else counted from the beginning of the tape |
//! | early warning | `GMT_EOT` after each write; st's turns of ENOSPC are undone before the next one |
//! | physical end | ENOSPC for a write that was tried, the position after it |
//! | counts of motions | the difference of positions, the flags and the file number of `MTIOCGET` |
//! | length of a block longer than the buffer | stepping back, and reading it again into a buffer that holds any block |
//! | reset | `MTNOP` fails after an EIO: the position is unknown until a rewind or locate |
//! | medium changed | the tape is at its beginning after an EIO, without having been sent there |
//!
//! The node is kept in variable block mode; [`Transfer::Fixed`](pseudotape_tape::Transfer::Fixed) is done
//! block by block. No close writes a filemark: after each write st is made to forget that it owes one, so that
//! also a process that is killed leaves only what it wrote, unless it is killed inside of a write.
//! docs/DEVICE.md has all the rules, and where st has its own.

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
