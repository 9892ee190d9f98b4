//! The drives of this project as targets, in process.

use pseudotape_drive::{Cartridge, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId, WriteProtect};
use pseudotape_tape::Drive;
use pseudotape_testkit::{ModelCartridge, ModelDrive};

use super::target::HookError;
use super::vfs::Medium;

/// Capacity and early warning of the cartridge that the end of the tape was recorded with.
pub const SMALL_BYTES: (u64, u64) = (1 << 20, 128 << 10);

/// Objects that fit where they are counted: three blocks of 1024 bytes and marks of one byte, up to 9,999.
pub const FEW_OBJECTS_BYTES: u64 = 3 * 1024 + 9_996;

/// Capacity and early warning where 9,999 blocks of this length fit, and the 9,981st brings the warning.
#[must_use]
pub fn units_bytes(block_bytes: u64) -> (u64, u64) {
    // Half a block of tolerance for marks, which take less room here.
    (9_999 * block_bytes, 18 * block_bytes + block_bytes / 2)
}

/// The length in a hook's words.
pub(super) fn length_of(words: &[&str], bytes: &str) -> Result<u64, HookError> {
    let wrong = |error| HookError::Failed(words.join(" "), format!("{error}"));
    bytes
        .parse()
        .map_err(|error: std::num::ParseIntError| wrong(error))
}

/// Makes a drive, and does to it what an operator could.
pub trait Workshop {
    /// Puts a new drive in place, with a new cartridge and nothing to report.
    fn new_drive(&mut self, medium: Medium) -> Result<(), HookError>;

    /// The drive.
    fn drive(&mut self) -> &mut dyn Drive;

    /// What kind of drive it is.
    fn personality(&self) -> Personality;

    /// Sets the cartridge's switch.
    fn write_protect(&mut self, on: bool) -> Result<(), HookError>;

    /// Takes the cartridge away.
    fn eject(&mut self) -> Result<(), HookError>;

    /// Takes the cartridge out and puts it in again: the drive reports a new medium.
    fn change_medium(&mut self) -> Result<(), HookError>;

    /// Resets the drive.
    fn reset(&mut self) -> Result<(), HookError>;
}

/// Makes model drives of a personality.
pub struct ModelWorkshop {
    personality: Personality,
    drive: ModelDrive,
}

impl ModelWorkshop {
    /// A workshop for drives of this personality.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        ModelWorkshop {
            personality,
            drive: ModelDrive::new(personality),
        }
    }
}

impl Workshop for ModelWorkshop {
    fn new_drive(&mut self, medium: Medium) -> Result<(), HookError> {
        let mut cartridge = ModelCartridge::default();
        match medium {
            Medium::Blank => {}
            Medium::Small => {
                cartridge.capacity_bytes = Some(SMALL_BYTES.0);
                cartridge.early_warning_bytes = SMALL_BYTES.1;
            }
            Medium::FewObjects => cartridge.capacity_bytes = Some(FEW_OBJECTS_BYTES),
            Medium::Blocks(block_bytes) => {
                let (capacity, early_warning) = units_bytes(block_bytes);
                cartridge.capacity_bytes = Some(capacity);
                cartridge.early_warning_bytes = early_warning;
            }
        }
        self.drive = ModelDrive::new(self.personality);
        self.drive.insert(cartridge);
        self.drive.clear_attention();
        Ok(())
    }

    fn drive(&mut self) -> &mut dyn Drive {
        &mut self.drive
    }

    fn personality(&self) -> Personality {
        self.personality
    }

    fn write_protect(&mut self, on: bool) -> Result<(), HookError> {
        match self.drive.cartridge_mut() {
            Some(cartridge) => {
                cartridge.write_protected = on;
                Ok(())
            }
            None => Err(HookError::Failed("wp".into(), "no cartridge".into())),
        }
    }

    fn eject(&mut self) -> Result<(), HookError> {
        match self.drive.eject() {
            Some(_) => Ok(()),
            None => Err(HookError::Failed("eject".into(), "no cartridge".into())),
        }
    }

    fn change_medium(&mut self) -> Result<(), HookError> {
        match self.drive.eject() {
            Some(cartridge) => {
                self.drive.insert(cartridge);
                Ok(())
            }
            None => Err(HookError::Failed("newtape".into(), "no cartridge".into())),
        }
    }

    fn reset(&mut self) -> Result<(), HookError> {
        self.drive.reset();
        Ok(())
    }
}

/// Makes drives over images in memory.
pub struct ImageWorkshop {
    personality: Personality,
    drive: ImageDrive<MemoryMedium>,
}

impl ImageWorkshop {
    /// A workshop for drives of this personality.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        ImageWorkshop {
            personality,
            drive: empty(personality),
        }
    }
}

fn empty(personality: Personality) -> ImageDrive<MemoryMedium> {
    ImageDrive::new(personality, "CONFORM".into(), Overrides::default())
}

/// A drive with a cartridge that is as much larger than usual, and nothing to report.
pub(super) fn image_drive(
    personality: Personality,
    medium: Medium,
    larger_bytes: u64,
) -> Result<ImageDrive<MemoryMedium>, HookError> {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
    match medium {
        Medium::Blank => {}
        Medium::Small => {
            parameters.header.capacity_bytes = Some(SMALL_BYTES.0 + larger_bytes);
            parameters.header.early_warning_bytes = SMALL_BYTES.1;
        }
        Medium::FewObjects => {
            parameters.header.capacity_bytes = Some(FEW_OBJECTS_BYTES + larger_bytes);
        }
        Medium::Blocks(block_bytes) => {
            let (capacity, early_warning) = units_bytes(block_bytes);
            parameters.header.capacity_bytes = Some(capacity + larger_bytes);
            parameters.header.early_warning_bytes = early_warning;
        }
    }
    let failed = |why: &dyn std::fmt::Display| HookError::Failed("fresh".into(), why.to_string());
    let cartridge = Cartridge::create(MemoryMedium, &parameters).map_err(|error| failed(&error))?;
    let mut drive = empty(personality);
    if drive.insert(cartridge).is_err() {
        return Err(failed(&"a new drive holds a cartridge"));
    }
    drive.clear_attention();
    Ok(drive)
}

/// Sets the switch of the cartridge in a drive.
pub(super) fn protect(drive: &mut ImageDrive<MemoryMedium>, on: bool) -> Result<(), HookError> {
    let failed = |why: String| HookError::Failed("wp".into(), why);
    let protection = if on {
        WriteProtect::On
    } else {
        WriteProtect::Off
    };
    match drive.cartridge_mut() {
        Some(cartridge) => cartridge
            .set_write_protect(protection)
            .map_err(|error| failed(error.to_string())),
        None => Err(failed("no cartridge".into())),
    }
}

impl Workshop for ImageWorkshop {
    fn new_drive(&mut self, medium: Medium) -> Result<(), HookError> {
        self.drive = image_drive(self.personality, medium, 0)?;
        Ok(())
    }

    fn drive(&mut self) -> &mut dyn Drive {
        &mut self.drive
    }

    fn personality(&self) -> Personality {
        self.personality
    }

    fn write_protect(&mut self, on: bool) -> Result<(), HookError> {
        protect(&mut self.drive, on)
    }

    fn eject(&mut self) -> Result<(), HookError> {
        match self.drive.eject() {
            Some(_) => Ok(()),
            None => Err(HookError::Failed("eject".into(), "no cartridge".into())),
        }
    }

    fn change_medium(&mut self) -> Result<(), HookError> {
        let failed = |why: &str| HookError::Failed("newtape".into(), why.into());
        let cartridge = self.drive.eject().ok_or_else(|| failed("no cartridge"))?;
        self.drive
            .insert(cartridge)
            .map_err(|_| failed("the drive holds a cartridge"))
    }

    fn reset(&mut self) -> Result<(), HookError> {
        self.drive.reset();
        Ok(())
    }
}
