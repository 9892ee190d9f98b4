//! The device daemon: joins frontends, the st driver's behaviour, drives and the control socket.
//!
//! Nothing here knows how a tape behaves: an `if` about tape belongs in `st` or `drive`.

pub mod cli;
pub mod config;
pub mod control;
mod frontend;
pub mod fuse;
pub mod run;
pub mod tape_drive;
pub mod tape_node;

/// Longest block that the daemon serves, whatever the personality says.
pub const MAX_BLOCK_BYTES: u32 = 16 << 20;
