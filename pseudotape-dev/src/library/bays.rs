//! The drives of a library.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use pseudotape_bay::{Error, place_named};
use pseudotape_changer::{BayFailure, Bays, Cartridge, DriveIdentity, DriveUse, Step};
use pseudotape_human::explain;
use pseudotape_sink::Sink;

use super::delay::Delay;
use crate::tape_drive::TapeDrive;

/// The directory for images that the daemon makes for a library, in the library's folder.
pub(super) const CARTRIDGES: &str = "cartridges";

/// The drives of a library, in their order, and the folder of its cartridges.
pub(super) struct DriveBays {
    pub(super) folder: PathBuf,
    pub(super) drives: Vec<Arc<TapeDrive>>,
    pub(super) delay: Arc<Delay>,
}

impl DriveBays {
    fn drive(&self, number: u16) -> &TapeDrive {
        // A library has as many drives here as its layout says.
        &self.drives[usize::from(number)]
    }
}

/// Whether a cartridge's volume is an image in the library's folder. What begins as such a path and leads elsewhere is
/// refused.
pub(super) fn is_own(volume: &str) -> Result<bool> {
    let path = Path::new(volume);
    if !path.starts_with(CARTRIDGES) {
        return Ok(false);
    }
    let mut parts = path.components().skip(1);
    ensure!(
        matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ),
        "volume {volume} leads out of the folder {CARTRIDGES}: name it by its absolute path"
    );
    Ok(true)
}

/// Refuses an image in the library's folder that is a link: who loads or removes the link would reach a file elsewhere.
pub(super) fn check_no_link(image: &Path) -> Result<()> {
    let is_link = image
        .symlink_metadata()
        .is_ok_and(|found| found.is_symlink());
    ensure!(
        !is_link,
        "{} is a link: move what it leads to into its place, or add that by its own path",
        image.display()
    );
    Ok(())
}

/// The volume in a cartridge: a path below the library's folder, or what was named when the cartridge came.
pub(super) fn volume_of(folder: &Path, cartridge: &Cartridge) -> Result<Sink> {
    if !is_own(&cartridge.volume)? {
        return Ok(place_named(&cartridge.volume)?);
    }
    let image = folder.join(&cartridge.volume);
    check_no_link(&image)?;
    Ok(Sink::at(&image))
}

impl Bays for DriveBays {
    fn load(&mut self, drive: u16, cartridge: &Cartridge) -> Result<(), BayFailure> {
        let loaded = volume_of(&self.folder, cartridge)
            .and_then(|sink| self.drive(drive).load_cartridge(&sink));
        loaded.map_err(|error| BayFailure::Failed {
            reason: explain(error.chain()),
        })
    }

    fn unload(&mut self, drive: u16, force: bool) -> Result<(), BayFailure> {
        self.drive(drive).unload_cartridge(force)
    }

    fn await_close(&mut self, drive: u16) {
        self.drive(drive).await_close();
    }

    fn usage(&mut self, drive: u16) -> DriveUse {
        let drive = self.drive(drive);
        DriveUse {
            opened_by: drive.user(),
            // A call that has the drive belongs to a program that has it open.
            locked: drive
                .idle_state()
                .is_some_and(|state| state.slot.door() == pseudotape_tape::Door::Locked),
        }
    }

    fn identity(&mut self, drive: u16) -> Option<DriveIdentity> {
        let mut state = self.drive(drive).idle_state()?;
        let identity = state.slot.drive().identity();
        Some(DriveIdentity {
            vendor: identity.vendor.to_string(),
            product: identity.product.to_string(),
            serial: identity.serial.to_string(),
        })
    }

    fn take_time(&mut self, step: Step) {
        self.delay.take(step);
    }
}

impl TapeDrive {
    /// Loads a cartridge of the drive's library.
    fn load_cartridge(&self, sink: &Sink) -> Result<()> {
        let holds = self.state().slot.loaded();
        if let Some(loaded) = holds
            && loaded.name == Path::new(&sink.to_string())
        {
            return Ok(());
        }
        self.load_sink(sink).map(|_| ())
    }

    /// Takes a cartridge of the drive's library out. A drive that holds none has nothing to do, and that is well.
    fn unload_cartridge(&self, force: bool) -> Result<(), BayFailure> {
        self.await_close();
        if !force && let Some(by) = self.user() {
            // Without the lock: a call can take long.
            return Err(BayFailure::InUse { by });
        }
        let mut state = self.state();
        if !force {
            // A program may have opened the drive while this call waited for the lock.
            if let Some(by) = self.user() {
                return Err(BayFailure::InUse { by });
            }
            if state.slot.door() == pseudotape_tape::Door::Locked {
                return Err(BayFailure::Locked);
            }
        }
        let out = self.take_out(&mut state, force);
        out.map(|_| ()).map_err(|error| {
            let why = explain(error.chain());
            let reason = match error.downcast_ref() {
                Some(Error::Unfindable { .. }) => {
                    format!("{why}, or until the daemon ends, which loses what is not copied")
                }
                _ => why,
            };
            BayFailure::Failed { reason }
        })
    }
}
