//! What an operator does with a drive: cartridges in and out, the switch, the reset.

use std::path::Path;
use std::sync::MutexGuard;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_drive::{Cartridge, CartridgeError, FileMedium};
use pseudotape_image::{Access, Error, OpenReport, WriteProtect};
use pseudotape_tape::Door;

use crate::tape_drive::{DriveState, TapeDrive};

impl TapeDrive {
    /// Puts an image into the drive and loads it.
    pub fn load(&self, image: &Path) -> Result<String> {
        let mut state = self.state_with_cartridges()?;
        ensure!(!state.ending, "the daemon is ending");
        let drive = state.held.images()?;
        if let Some(cartridge) = drive.cartridge() {
            let holds = cartridge.medium().path().display().to_string();
            bail!(
                "drive {} already holds {holds}: unload it first",
                self.number()
            );
        }
        let (cartridge, reports) = open_cartridge(image)?;
        for report in reports.iter().filter(|report| !report.is_clean()) {
            log::warn!("drive {}: {}: {report}", self.number(), image.display());
        }
        if drive.insert(cartridge).is_err() {
            bail!(
                "drive {} already holds a cartridge: unload it first",
                self.number()
            );
        }
        log::info!("drive {}: loaded {}", self.number(), image.display());
        Ok(format!(
            "loaded {} into drive {}",
            image.display(),
            self.number()
        ))
    }

    /// Takes the cartridge out: commits and closes its image.
    pub fn unload(&self, force: bool) -> Result<String> {
        let mut state = self.state_with_cartridges()?;
        if let (Some(opener), false) = (&self.seen().opener, force) {
            let program = opener.program.as_deref().unwrap_or("a program");
            bail!(
                "drive {} is open by {program} (pid {}): end it first, or use --force",
                self.number(),
                opener.pid
            );
        }
        ensure!(
            force || state.held.images()?.door() == Door::Unlocked,
            "drive {} is locked by a program ('mt lock'): 'mt unlock' unlocks it, --force takes the cartridge out all the same",
            self.number()
        );
        state
            .take_out(self.number())?
            .with_context(|| format!("drive {} holds no cartridge", self.number()))
    }

    /// Sets or clears the write-protect switch of the cartridge.
    pub fn write_protect(&self, on: bool) -> Result<String> {
        let mut state = self.state_with_cartridges()?;
        ensure!(
            state.handle.is_none(),
            "drive {} is in use: the switch can't be moved while a program has it open",
            self.number()
        );
        let drive = state.held.images()?;
        let cartridge = drive
            .cartridge_mut()
            .with_context(|| format!("drive {} holds no cartridge", self.number()))?;
        cartridge.set_write_protect(if on {
            WriteProtect::On
        } else {
            WriteProtect::Off
        })?;
        let what = if on { "write protected" } else { "writable" };
        Ok(format!(
            "the cartridge in drive {} is {what}",
            self.number()
        ))
    }

    /// Resets the drive: its position is lost until rewind.
    pub fn reset(&self) -> Result<String> {
        self.state_with_cartridges()?.held.images()?.reset();
        log::info!("drive {}: reset", self.number());
        Ok(format!(
            "drive {} was reset: its position is lost until rewind",
            self.number()
        ))
    }

    /// The lock of a drive whose cartridges are images. Another one's can last, and is not waited for.
    fn state_with_cartridges(&self) -> Result<MutexGuard<'_, DriveState>> {
        match self.slave_side() {
            Some(side) => Err(side.has_the_cartridges()),
            None => Ok(self.state()),
        }
    }
}

fn open_cartridge(image: &Path) -> Result<(Cartridge<FileMedium>, Vec<OpenReport>)> {
    // A file that can't be written is a protected cartridge, as on any drive.
    let writable = Cartridge::open(FileMedium::new(image, Access::ReadWrite));
    match writable {
        Err(error) if is_read_only(&error) => {
            Cartridge::open(FileMedium::new(image, Access::ReadOnly))
        }
        result => result,
    }
    .with_context(|| format!("can't load {}", image.display()))
}

fn is_read_only(error: &CartridgeError) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error {
        CartridgeError::Image(Error::Unopenable { source, .. }) => {
            matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
        }
        CartridgeError::Image(Error::ReadOnlyFeatures { .. }) => true,
        CartridgeError::Image(_) | CartridgeError::Mismatch { .. } => false,
    }
}

impl DriveState {
    /// Commits and closes the cartridge; says what was taken out, `None` where there was none.
    pub(crate) fn take_out(&mut self, number: u32) -> Result<Option<String>> {
        let Some(cartridge) = self.held.images()?.eject() else {
            return Ok(None);
        };
        let path = cartridge.medium().path().display().to_string();
        if let Err(error) = cartridge.finish() {
            let message = format!("{path}: {error}");
            log::error!("drive {number}: {message}");
            self.last_error = Some(message.clone());
            bail!(
                "{message}: what was written after the last commit may be lost; 'pseudotape verify' tells"
            );
        }
        log::info!("drive {number}: unloaded {path}");
        Ok(Some(format!("unloaded {path} from drive {number}")))
    }
}
