//! The seam between the drives and a vault: may this be loaded, and this was closed, with that on it.
//!
//! A drive asks at a load and tells at a close. In between it tells its keeper what it wrote, which asks nobody. A
//! drive whose volume is no vault's has none of this in its way.

mod desk;
mod digest;
mod errors;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use pseudotape_bay::Keeper;
use pseudotape_image::VolumeId;
use pseudotape_tape::{Done, Failed, Motion, Transfer};
use pseudotape_vault::{Granted, Label, Recorded};

pub use desk::Desk;
use errors::{Errors, Met};
use watch::Watch;

/// Which volume is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Volume {
        /// Its label.
        label: Label,
        /// Only to be read.
        read_only: bool,
    },
    /// Any that is free to be written.
    Scratch,
}

impl Wanted {
    /// The volume of this label, or a scratch volume where none is said.
    pub fn asked(label: Option<&str>, read_only: bool) -> Result<Self> {
        Ok(match label {
            Some(label) => Wanted::Volume {
                label: label.parse()?,
                read_only,
            },
            None => Wanted::Scratch,
        })
    }
}

/// Whoever keeps the volumes that the drives load.
pub trait Volumes: Send + Sync {
    /// May a drive load this? From here on it has it.
    fn grant(&self, wanted: &Wanted, drive: u32) -> Result<Granted>;

    /// Nothing came of a load that was granted.
    fn take_back(&self, volume: VolumeId, drive: u32);

    /// A drive had errors with a volume, for which it is to be blocked.
    fn failed(&self, volume: VolumeId, reason: String);

    /// A volume was closed, with this on it. Says what is wrong where that could not be written down.
    fn closed(&self, volume: VolumeId, drive: u32, recorded: Recorded) -> Option<String>;

    /// The volume whose image a path leads to.
    fn label_of(&self, image: &Path) -> Result<Option<Label>>;

    /// Whether a volume may lie in a library: it is said to be there, and to be usable.
    fn expect_usable(&self, label: &Label) -> Result<()>;

    /// Where the vault is.
    fn directory(&self) -> PathBuf;

    /// The program whose drives these are.
    fn program(&self) -> &'static str;
}

/// The keeper of one volume in a drive.
pub(crate) struct Kept {
    volumes: Arc<dyn Volumes>,
    volume: VolumeId,
    drive: u32,
    watch: Watch,
    errors: Errors,
}

impl Kept {
    pub(crate) fn new(volumes: Arc<dyn Volumes>, granted: &Granted, drive: u32) -> Self {
        Kept {
            volumes,
            volume: granted.listed.volume.identity,
            drive,
            watch: Watch::new(granted.files.clone()),
            errors: Errors::new(granted.read_errors),
        }
    }

    fn met(&mut self, what: Met, failed: &Failed) {
        if let Some(why) = self.errors.met(what, failed) {
            let program = self.volumes.program();
            let reason = format!("drive {} of {program}: {why}", self.drive);
            self.volumes.failed(self.volume, reason);
        }
    }
}

impl Keeper for Kept {
    fn wrote(&mut self, transfer: Transfer, data: &[u8], ended: &Result<Done, Failed>) {
        self.watch.wrote(transfer, data, ended);
        if let Err(failed) = ended {
            self.met(Met::Write, failed);
        }
    }

    fn extended(&mut self, data: &[u8], ended: &Result<Done, Failed>) {
        self.watch.extended(data, ended);
        if let Err(failed) = ended {
            self.met(Met::Write, failed);
        }
    }

    fn read_failed(&mut self, failed: &Failed) {
        self.met(Met::Read, failed);
    }

    fn moved(&mut self, motion: Motion, ended: &Result<Done, Failed>) {
        self.watch.moved(motion, ended);
        if let Err(failed) = ended {
            self.met(Met::of(motion), failed);
        }
    }

    fn closed(self: Box<Self>) -> Option<String> {
        let Kept {
            volumes,
            volume,
            drive,
            watch,
            errors: _,
        } = *self;
        volumes.closed(volume, drive, watch.finish())
    }
}
