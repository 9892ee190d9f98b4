//! Block size, density, buffering, compression (`st_int_ioctl`: MODE SELECT; `st_compression`).

use pseudotape_mtio::BLOCK_SIZE_MASK;
use pseudotape_tape::{Drive, ModeSelect};

use crate::St;
use crate::errno::Refusal;

impl St {
    /// `MTSETBLK`: 24 bits of the count; 0 is variable block mode. The tape stays where it is.
    pub(crate) fn set_block_size(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let size = count.cast_unsigned() & BLOCK_SIZE_MASK;
        self.mount.require_ready()?;
        self.require_block_size(size)?;
        self.mount.block_size_set = Some(count);
        self.select(
            drive,
            ModeSelect {
                block_size: Some(size),
                ..ModeSelect::default()
            },
        )?;
        self.mount.block_size = size;
        self.lookahead.clear();
        Ok(())
    }

    /// `MTSETDENSITY`.
    pub(crate) fn set_density(&mut self, drive: &mut dyn Drive, count: i32) -> Result<(), Refusal> {
        let [density, ..] = count.to_le_bytes();
        self.mount.require_ready()?;
        self.mount.density_set = Some(count);
        self.select(
            drive,
            ModeSelect {
                density: Some(density),
                ..ModeSelect::default()
            },
        )?;
        self.mount.density = density;
        Ok(())
    }

    /// `MTSETDRVBUFFER` with a mode: its three lowest bits.
    pub(crate) fn set_buffering(&mut self, drive: &mut dyn Drive, mode: u8) -> Result<(), Refusal> {
        let mode = mode & 7;
        self.mount.require_ready()?;
        self.select(
            drive,
            ModeSelect {
                buffering: Some(mode),
                ..ModeSelect::default()
            },
        )?;
        self.mount.buffering = mode;
        Ok(())
    }

    /// `MTCOMPRESSION`.
    pub(crate) fn set_compression(
        &mut self,
        drive: &mut dyn Drive,
        on: bool,
    ) -> Result<(), Refusal> {
        if !self.is_ready() {
            return Err(Refusal::NoPositionWithoutMedium);
        }
        let mode = drive.mode();
        match self.heard(mode) {
            Ok(mode) if mode.compression.is_none() => return Err(Refusal::NoCompression),
            Ok(_) => {}
            Err(failed) => return Err(Refusal::Drive(failed.sense)),
        }
        self.select(
            drive,
            ModeSelect {
                compression: Some(on),
                ..ModeSelect::default()
            },
        )?;
        self.mount.compression_set = true;
        Ok(())
    }

    /// Sets the mode's default block size and density where nothing else was asked in this session
    /// (`set_mode_densblk`). A refusal is an error only once modes were defined.
    pub(crate) fn set_default_mode(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let Some(mode) = self.mode() else {
            return Ok(());
        };
        let density = mode
            .default_density
            .filter(|&density| self.mount.density_set.is_none() && density != self.mount.density);
        let size = mode
            .default_block_size
            .filter(|&size| self.mount.block_size_set.is_none() && size != self.mount.block_size);
        if density.is_none() && size.is_none() {
            return Ok(());
        }
        match self.set_size_and_density(drive, size, density) {
            Err(_) if self.settings.modes_defined() => Err(Refusal::DefaultsRefused),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(crate) fn set_size_and_density(
        &mut self,
        drive: &mut dyn Drive,
        size: Option<u32>,
        density: Option<u8>,
    ) -> Result<(), Refusal> {
        let size = size.map(|size| size & BLOCK_SIZE_MASK);
        self.mount.require_ready()?;
        if let Some(size) = size {
            self.require_block_size(size)?;
        }
        self.select(
            drive,
            ModeSelect {
                block_size: size,
                density,
                ..ModeSelect::default()
            },
        )?;
        if let Some(size) = size {
            self.mount.block_size = size;
            self.lookahead.clear();
        }
        if let Some(density) = density {
            self.mount.density = density;
        }
        Ok(())
    }

    fn require_block_size(&self, size: u32) -> Result<(), Refusal> {
        match self.mount.limits {
            Some(limits) if size != 0 && !limits.contain(size.into()) => {
                Err(Refusal::OutsideLimits(size.into()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn select(&mut self, drive: &mut dyn Drive, change: ModeSelect) -> Result<(), Refusal> {
        let set = drive.set_mode(change);
        self.heard(set)
            .map_err(|failed| Refusal::Drive(failed.sense))
    }
}
