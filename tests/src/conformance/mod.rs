//! Replays recorded scenarios of the real st driver and compares every step.
//!
//! A scenario is a list of system calls (`tests/conformance/scenarios/*.tc`), a trace what each of them
//! answered (`tests/conformance/reference/*.jsonl`, recorded from the kernel's st). [`run`](run::run)
//! drives any [`Target`](target::Target) with a scenario and makes the same kind of trace.

pub mod compare;
pub mod daemon;
pub mod device;
pub mod in_process;
pub mod kernel;
pub mod mirrored;
pub mod pattern;
pub mod run;
pub mod runs;
pub mod scenario;
pub mod suite;
pub mod target;
pub mod vfs;
