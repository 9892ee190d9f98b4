//! What can be told of a drive while a call has its lock, for as long as that call lasts.

use pseudotape_st::Snapshot;
use pseudotape_tape::{Capacity, Identity, Noted, Position, VolumeIdentity};

use crate::slot::Loaded;

/// What is known of a drive without its lock. `O` is how the holder of the bay names whoever has the drive open.
#[derive(Debug)]
pub struct Seen<O> {
    /// Who has the drive open, or is opening it.
    pub opener: Option<O>,
    /// What the last look showed.
    pub(crate) look: Option<Look>,
}

/// What a look at a drive showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The driver's view.
    pub driver: Snapshot,
    /// What kind of drive of ours it is; `None` where the drive is another hand's.
    pub personality: Option<&'static str>,
    /// What the drive says that it is.
    pub identity: Identity,
    /// Where the tape is, as far as that is known without asking.
    pub position: Option<Position>,
    /// The volume; `None` where there is none, or where only another hand knows.
    pub volume: Option<LoadedVolume>,
    /// What was moved.
    pub transferred: Transferred,
    /// The last trouble of the drive with this volume, in words.
    pub trouble: Option<String>,
}

/// What a look at a drive showed of the volume in it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedVolume {
    /// How it is loaded.
    pub loaded: Loaded,
    /// Which volume it is.
    pub identity: VolumeIdentity,
    /// What it says of its being a copy.
    pub noted: Noted,
    /// Space on the current partition; `None` where the drive would have to ask another program or host.
    pub capacity: Option<Capacity>,
    /// Bytes that the host's disk still takes.
    pub host_room_bytes: Option<u64>,
}

/// Calls and bytes since the drive is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Writes that succeeded.
    pub writes: u64,
    /// Reads that succeeded.
    pub reads: u64,
}

/// A look at a drive, now or earlier.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting<O> {
    /// What was seen.
    pub look: Look,
    /// Who has the drive open now.
    pub opener: Option<O>,
    /// Whether a call has the drive, so that the look is an earlier one.
    pub busy: bool,
}

impl<O> Default for Seen<O> {
    fn default() -> Self {
        Seen {
            opener: None,
            look: None,
        }
    }
}
