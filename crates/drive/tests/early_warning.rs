//! The early-warning zone that a drive's configuration sets: a size, or a part of the tape.

use pseudotape_drive::{Cartridge, EarlyWarning, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId};
use pseudotape_tape::Drive;

/// Capacity and zone as the drive reports them, of a cartridge for 1050 bytes with 100 of them in the zone.
fn reported(overrides: Overrides) -> (Option<u64>, u64) {
    reported_of(Some(1050), 100, overrides)
}

/// The same of any cartridge.
fn reported_of(
    capacity_bytes: Option<u64>,
    early_warning_bytes: u64,
    overrides: Overrides,
) -> (Option<u64>, u64) {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(4)), 0);
    parameters.header.capacity_bytes = capacity_bytes;
    parameters.header.early_warning_bytes = early_warning_bytes;
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
        ..Overrides::default()
    };
    assert_eq!(reported(overrides), (Some(u64::MAX), u64::MAX / 4));
}

/// A program that is not warned before the end of a tape loses its last records, or the whole volume.
#[test]
fn a_capacity_of_the_drive_has_a_zone_where_the_cartridge_has_none() {
    let capacity = |bytes, early_warning| Overrides {
        capacity_bytes: Some(bytes),
        early_warning,
        ..Overrides::default()
    };
    for cartridge in [None, Some(4096)] {
        let told = |overrides| reported_of(cartridge, 0, overrides);
        assert_eq!(told(capacity(1 << 20, None)), (Some(1 << 20), 1 << 16));
        assert_eq!(told(capacity(1 << 40, None)), (Some(1 << 40), 64 << 20));
        // Who says that there is to be none gets none.
        let none = Some(EarlyWarning::Bytes(0));
        assert_eq!(told(capacity(1 << 20, none)), (Some(1 << 20), 0));
    }
    // A zone of the cartridge's own is kept, and without a capacity of the drive nothing is changed.
    assert_eq!(reported(capacity(1 << 20, None)), (Some(1 << 20), 100));
    assert_eq!(
        reported_of(Some(4096), 0, Overrides::default()),
        (Some(4096), 0)
    );
    assert_eq!(reported_of(None, 0, Overrides::default()), (None, 0));
}
