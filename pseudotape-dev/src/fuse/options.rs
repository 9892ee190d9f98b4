//! How the files of a mount look, and how their calls come.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Deserialize;

/// Permissions and groups of the files, and for how many drives they are.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// Permission bits of the files.
    pub mode: u32,
    /// Group of the files; `None`: the daemon's.
    pub gid: Option<u32>,
    /// How many drives the files stand for: each drive can be busy with one call.
    pub drives: usize,
    /// Permissions and groups of files that differ in them from the rest, by the files' names.
    pub apart: BTreeMap<String, (u32, Option<u32>)>,
    /// Whether calls come over `io_uring`.
    pub uring: Uring,
}

/// Whether the calls of a mount come over `io_uring`, which is faster, or through `/dev/fuse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Uring {
    /// Over `io_uring` where the kernel offers that.
    #[default]
    Auto,
    /// Over `io_uring`, or fail.
    Always,
    /// Through `/dev/fuse`.
    Never,
}
