//! How the files of a mount look.

use std::collections::BTreeMap;

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
}
