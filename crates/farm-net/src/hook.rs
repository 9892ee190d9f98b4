//! What a server does beside the commands of its clients.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use pseudotape_farm::{Entry, VolumeName};

use crate::access::Person;

/// Somebody at the farm's host who hears of what clients have stored.
pub trait Hook: Debug + Send + Sync {
    /// Hears of files that are in a volume now, which is free again: other commands can change it meanwhile. `Err` says
    /// why it failed, which undoes nothing: the client hears of it.
    fn stored(&self, stored: &Stored<'_>) -> Result<(), String>;
}

/// What the command of a client has stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Who had it stored.
    pub person: &'a Person,
    /// The root that has the volume.
    pub root: &'a Path,
    /// The volume.
    pub volume: &'a VolumeName,
    /// Its folder.
    pub path: &'a Path,
    /// The files that are new in it, and where their capsules are; at least one.
    pub files: &'a [(Entry, PathBuf)],
}
