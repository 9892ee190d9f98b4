//! The daemon whose drives are SCSI devices of the kernel: joins the ring of the target core, the commands of crate
//! `scsi`, and the drives of `pseudotape-dev`.
//!
//! Nothing here knows what a command means, beyond what has to be known to do it once: what it is when a daemon that
//! was killed comes back.

mod answering;
mod changer_note;
mod chap;
pub mod cli;
pub mod completion;
pub mod config;
mod event;
mod fabrics;
mod held;
mod left;
pub mod manual;
mod note;
mod operator;
pub mod run;
mod served;
mod served_changer;
mod system;
mod trees;
