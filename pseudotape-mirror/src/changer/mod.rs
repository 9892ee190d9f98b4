//! Several changers that are one (PT-14): the daemon's side, and its socket.
//!
//! The moves are those of `MirrorChanger`. Here they are joined with the tapes: before a cartridge leaves a drive, the
//! mirror that is this drive gives its volumes up, and when one has come, it takes them.

mod desk;
pub(crate) mod messages;
mod tapes;

pub(crate) use desk::ServedChanger;
