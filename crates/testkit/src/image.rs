//! Images as the suite of every drive wants them.

use pseudotape_drive::{Cartridge, ImageDrive, Medium, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Rewriting, Uuid, VolumeId, WriteProtect};

use crate::suite::SuiteMedium;

/// A blank cartridge on a medium. What of it recovers errors is [`recovering`](crate::recovering)'s, around the drive.
pub fn cartridge_on<M: Medium>(medium: M, wanted: SuiteMedium) -> Cartridge<M> {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    parameters.header.capacity_bytes = wanted.capacity_bytes;
    parameters.header.early_warning_bytes = wanted.early_warning_bytes;
    if wanted.worm {
        parameters.header.rewriting = Rewriting::AppendOnly;
    }
    let mut cartridge = Cartridge::create(medium, &parameters).expect("a new image");
    if wanted.write_protected {
        cartridge
            .set_write_protect(WriteProtect::On)
            .expect("the switch moves");
    }
    cartridge
}

/// A drive with such a cartridge in memory; its attention was not fetched.
#[must_use]
pub fn image_drive(personality: Personality, wanted: SuiteMedium) -> ImageDrive<MemoryMedium> {
    let mut drive = ImageDrive::new(personality, "SUITE".into(), Overrides::default());
    let inserted = drive.insert(cartridge_on(MemoryMedium, wanted)).is_ok();
    assert!(inserted, "a new drive is empty");
    drive
}
