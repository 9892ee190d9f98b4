//! A cartridge of two partitions in files: what is kept of it, and files that don't belong together.

use std::path::Path;

use pseudotape_drive::{
    Cartridge, CartridgeError, FileMedium, ImageDrive, MemoryMedium, Overrides, Personality,
};
use pseudotape_image::{Access, CachePolicy, CreateParameters, Uuid, VolumeId};
use pseudotape_tape::{Drive, Partitioning, Transfer};

/// Makes a cartridge of two partitions with a block in the first one.
fn make(path: &Path, label: &str) {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(9)), 0);
    parameters.header.capacity_bytes = Some(4 << 20);
    parameters.header.early_warning_bytes = 2 << 20;
    parameters.label = label.into();
    parameters.barcode = "PT0009L5".into();
    let medium = FileMedium::new(path, Access::ReadWrite);
    let cartridge = Cartridge::create(medium, &parameters).expect("a new image");
    let mut drive = ImageDrive::new(Personality::default(), "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("room for two");
    drive
        .write(Transfer::Variable, &[7; 1000])
        .expect("takes a block");
    drive
        .eject()
        .expect("it holds one")
        .finish()
        .expect("closes");
}

fn open(path: &Path) -> Result<Cartridge<FileMedium>, CartridgeError> {
    Cartridge::open(FileMedium::new(path, Access::ReadWrite)).map(|(cartridge, _)| cartridge)
}

#[test]
fn a_partitioned_cartridge_keeps_its_names_and_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    make(&path, "monday");
    let cartridge = open(&path).expect("opens again");
    assert_eq!(
        (cartridge.label(), cartridge.barcode()),
        ("monday", "PT0009L5")
    );
    assert_eq!(cartridge.partition_count(), 2);
    // What all files hold, and not only the first one.
    let first = std::fs::metadata(&path).expect("a file").len();
    assert!(
        cartridge.host_bytes() > first.min(17_000),
        "{}",
        cartridge.host_bytes()
    );
    // Early warning is half of a partition at most: of 3 MiB and of 1 MiB.
    let mut drive = ImageDrive::new(Personality::default(), "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    let capacity = drive.capacity().expect("loaded");
    assert_eq!(
        (capacity.total_bytes, capacity.early_warning_bytes),
        (Some(3 << 20), 3 << 19)
    );
}

#[test]
fn a_partition_of_another_volume_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (folder.path().join("a.ptape"), folder.path().join("b.ptape"));
    make(&one, "a");
    make(&other, "b");
    let second = |path: &Path| FileMedium::new(path, Access::ReadWrite).path_of(1);
    std::fs::rename(second(&other), second(&one)).expect("renames");
    let error = open(&one).err().expect("they don't belong together");
    assert!(
        matches!(error, CartridgeError::Mismatch { expected: 1, found: 1, volume, found_volume } if volume != found_volume),
        "{error}"
    );
    // Nor is a second partition a first one.
    std::fs::copy(second(&one), &other).expect("copies");
    let error = open(&other).err().expect("it is not the first");
    assert!(
        matches!(
            error,
            CartridgeError::Mismatch {
                expected: 0,
                found: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_drive_makes_as_many_partitions_as_it_can_and_no_more() {
    for (most, asked, made) in [
        (1, Partitioning::Single, true),
        (1, Partitioning::SecondOf(1), false),
        (2, Partitioning::FirstOf(1), true),
        (4, Partitioning::SecondOf(1), true),
    ] {
        let personality = Personality {
            max_partitions: most,
            ..Personality::default()
        };
        let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(9)), 0);
        let cartridge = Cartridge::create(MemoryMedium, &parameters).expect("a new image");
        let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
        assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
        drive.clear_attention();
        let answer = drive.make_partitions(asked);
        assert_eq!(answer.is_ok(), made, "{asked:?} where {most} are possible");
    }
}

#[test]
fn a_cartridge_follows_the_cache_policy_of_its_drive_where_it_has_none_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    make(&path, "monday");
    let overrides = Overrides {
        cache: Some(CachePolicy::Drop),
        ..Overrides::default()
    };
    let loaded = |cartridge| {
        let mut drive = ImageDrive::new(Personality::default(), "1".into(), overrides);
        assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
        drive.clear_attention();
        drive
    };
    let policy = |drive: &ImageDrive<FileMedium>| drive.cartridge().map(Cartridge::cache);
    let mut own = open(&path).expect("opens");
    assert_eq!(own.cache(), CachePolicy::Auto);
    own.set_cache(CachePolicy::Keep);
    assert_eq!(policy(&loaded(own)), Some(CachePolicy::Keep));

    let mut drive = loaded(open(&path).expect("opens"));
    assert_eq!(policy(&drive), Some(CachePolicy::Drop));
    // The files of a partitioned cartridge are new ones.
    let made = drive.make_partitions(Partitioning::SecondOf(1));
    made.expect("room for two");
    assert_eq!(policy(&drive), Some(CachePolicy::Drop));
}
