//! What a mirror writes to and a copy reads from, by its specification: an image, a device, a remote
//! tape, nothing at all, or one of these behind a filter.
//!
//! | text | what it is |
//! |---|---|
//! | `PATH` | the image or the tape node that is there |
//! | `image:PATH[,create][,ro][,capacity=SIZE][,early-warning=SIZE]` | an image; `ro`: opened for reading only |
//! | `device:PATH[,ro]` | a tape node |
//! | `rmt:[USER@]HOST:PATH[,ro][,server=PROGRAM][,rsh=PROGRAM]` | a tape behind an rmt server, over ssh (or that program) |
//! | `rmt:NAME:PATH,command=COMMAND` | the same over any command, its words between blanks |
//! | `null[:capacity=SIZE][,early-warning=SIZE]` | nothing: blocks are counted and forgotten |
//! | `zstd+…`, `lz4+…` | one of these, its blocks compressed |
//! | `aes=KEYFILE+…` | one of these, its blocks encrypted; compression, if any, goes before it |
//! | `aes-anywhere=KEYFILE+…` | the same, to read blocks of the key wherever they lie; nothing is written |
//!
//! A backslash before a comma, a plus or a backslash in a path takes its meaning away.

mod continued;
mod error;
mod host;
mod image;
mod lent;
mod notice;
mod open;
mod sink;
mod text;

pub use continued::Continued;
pub use error::{Error, SpecificationError};
pub use host::{host_room_bytes, left_on_both};
pub use lent::{Lent, NotLent};
pub use notice::{START_BYTES, notice_of_block};
pub use open::Opened;
pub use pseudotape_filter::Compression;
pub use pseudotape_image::Access;
pub use sink::{ImageSink, Limits, Location, RmtSink, Sink};
