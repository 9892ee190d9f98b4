//! `DeviceDrive` on nodes: our own ones on a FUSE mount or by CUSE, and the kernel's st over an emulated drive.

mod checks;
pub mod known;
mod programs;
mod random;
mod real;
mod served;
mod steps;

pub use checks::{CHECKS, Check};
pub use programs::Programs;
pub use random::{cases_from_environment, random_operations};
pub use real::{REAL_CHECKS, RealCheck, RealSt};
pub use served::{Front, Served, end_served, make};
