//! The early-warning zone that a drive's configuration sets: a size, or a part of the tape.

use pseudotape_drive::{Cartridge, EarlyWarning, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId};
use pseudotape_tape::Drive;

/// Capacity and zone as the drive reports them, of a cartridge for 1050 bytes with 100 of them in the zone.
fn reported(overrides: Overrides) -> (Option<u64>, u64) {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(4)), 0);
    parameters.header.capacity_bytes = Some(1050);
    parameters.header.early_warning_bytes = 100;
    let cartridge = Cartridge::create(MemoryMedium, &parameters).expect("a new image");
    let personality = Personality::named("dds").expect("a personality");
    let mut drive = ImageDrive::new(personality, "1".into(), overrides);
    assert_eq!(drive.personality().name, "dds");
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    let capacity = drive.capacity().expect("loaded");
    (capacity.total_bytes, capacity.early_warning_bytes)
}

fn zone(early_warning: EarlyWarning) -> u64 {
    reported(Overrides {
        early_warning: Some(early_warning),
        ..Overrides::default()
    })
    .1
}

#[test]
fn the_zone_is_what_was_asked_and_half_of_the_tape_at_most() {
    assert_eq!(reported(Overrides::default()), (Some(1050), 100));
    for (per_cent, bytes) in [(0, 0), (1, 10), (7, 73), (33, 346), (50, 525), (90, 525)] {
        assert_eq!(zone(EarlyWarning::PerCent(per_cent)), bytes, "{per_cent}%");
    }
    for (asked, bytes) in [(0, 0), (300, 300), (525, 525), (526, 525)] {
        assert_eq!(zone(EarlyWarning::Bytes(asked)), bytes, "{asked}");
    }
}

#[test]
fn the_part_is_of_the_capacity_that_the_drive_sets() {
    let overrides = Overrides {
        capacity_bytes: Some(u64::MAX),
        early_warning: Some(EarlyWarning::PerCent(25)),
    };
    assert_eq!(reported(overrides), (Some(u64::MAX), u64::MAX / 4));
}
