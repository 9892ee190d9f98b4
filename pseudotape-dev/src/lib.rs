//! The device daemon: joins frontends, the st driver's behaviour, drives and the control socket.
//!
//! Nothing here knows how a tape behaves: an `if` about tape belongs in `st` or `drive`.

#[cfg(test)]
mod caller_test;
mod changer_node;
#[cfg(test)]
mod changer_node_test;
mod chio;
pub mod cli;
pub mod completion;
pub mod config;
pub mod drive_options;
mod drive_status;
mod dying;
pub mod ends;
mod event;
mod faults;
mod frontend;
pub mod fuse;
mod legs_side;
#[cfg(test)]
mod legs_test;
pub mod library;
pub mod listening;
mod loading;
pub mod manual;
mod one_load;
mod opener;
mod operator;
pub mod run;
mod scsi_here;
mod sg;
pub mod slave_end;
mod slave_node;
pub mod tape_drive;
pub mod tape_node;
#[cfg(test)]
mod tape_node_test;
mod tape_view;
pub mod vault;

pub use frontend::slave_sockets;

/// Longest block that the daemon serves, whatever the personality says.
pub const MAX_BLOCK_BYTES: u32 = 16 << 20;
