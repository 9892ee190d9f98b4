//! A drive over an image keeps the attributes of programs; a drive that keeps nothing has no place for them.

use std::path::Path;

use pseudotape_drive::{
    Cartridge, FileMedium, ImageDrive, MemoryMedium, NullDrive, NullLimits, Overrides, Personality,
};
use pseudotape_image::Access;
use pseudotape_tape::{Attributes, AttributesError, Drive, PartitionNumber, Transfer, Volume};
use pseudotape_testkit::attributes_suite::{
    attributes_of, has_no_place_for_attributes, keeps_attributes, keeps_attributes_of_partitions,
    protected_it_takes_no_attributes,
};
use pseudotape_testkit::{SuiteMedium, cartridge_on, image_drive};

const FIRST: PartitionNumber = PartitionNumber(0);

fn drive(medium: SuiteMedium) -> ImageDrive<MemoryMedium> {
    image_drive(Personality::named("lto5").expect("a personality"), medium)
}

#[test]
fn an_image_keeps_attributes() {
    let generic = Personality::default();
    keeps_attributes(&mut image_drive(generic, SuiteMedium::default()));
}

#[test]
fn each_partition_keeps_its_own() {
    keeps_attributes_of_partitions(&mut drive(SuiteMedium::default()));
}

#[test]
fn a_protected_image_takes_none() {
    protected_it_takes_no_attributes(&mut drive(SuiteMedium {
        write_protected: true,
        ..SuiteMedium::default()
    }));
}

#[test]
fn a_worm_image_takes_them_as_a_cartridge_does() {
    let mut drive = drive(SuiteMedium {
        worm: true,
        ..SuiteMedium::default()
    });
    drive.clear_attention();
    drive.write(Transfer::Variable, b"block").unwrap();
    drive.rewind().unwrap();
    drive.set_attributes(FIRST, &attributes_of(1)).unwrap();
    assert_eq!(drive.attributes(FIRST).unwrap(), attributes_of(1));
}

#[test]
fn an_unloaded_or_empty_drive_has_nothing_to_tell() {
    let mut drive = drive(SuiteMedium::default());
    drive.clear_attention();
    drive.set_attributes(FIRST, &attributes_of(1)).unwrap();
    drive.unload().unwrap();
    let told = drive.attributes(FIRST);
    assert!(matches!(told, Err(AttributesError::Failed(_))), "{told:?}");
    drive.eject();
    let told = drive.set_attributes(FIRST, &Attributes::new());
    assert!(matches!(told, Err(AttributesError::Failed(_))), "{told:?}");
}

#[test]
fn a_drive_that_keeps_nothing_has_no_place() {
    let mut null = NullDrive::new(NullLimits::default());
    has_no_place_for_attributes(&mut null);
}

fn opened(path: &Path) -> ImageDrive<FileMedium> {
    let (cartridge, _) = Cartridge::open(FileMedium::new(path, Access::ReadWrite)).unwrap();
    let mut drive = ImageDrive::new(Personality::default(), "OTHER".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

#[test]
fn attributes_go_with_the_file_and_damage_of_them_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (
        directory.path().join("a.ptape"),
        directory.path().join("b.ptape"),
    );
    drop(cartridge_on(
        FileMedium::new(&path, Access::ReadWrite),
        SuiteMedium::default(),
    ));
    let mut drive = opened(&path);
    drive.set_attributes(FIRST, &attributes_of(1)).unwrap();
    Box::new(drive).finish().unwrap();
    std::fs::rename(&path, &moved).unwrap();
    let mut drive = opened(&moved);
    assert_eq!(drive.attributes(FIRST).unwrap(), attributes_of(1));
    Box::new(drive).finish().unwrap();
    let mut bytes = std::fs::read(&moved).unwrap();
    (bytes[512 + 40], bytes[12800 + 40]) = (0, 0);
    std::fs::write(&moved, bytes).unwrap();
    let mut drive = opened(&moved);
    let told = drive.attributes(FIRST);
    assert!(
        matches!(&told, Err(AttributesError::Damaged { left, .. }) if left.is_empty()),
        "{told:?}"
    );
    let trouble = drive.take_trouble().unwrap();
    assert!(
        trouble.contains("attributes of programs are damaged"),
        "{trouble}"
    );
}
