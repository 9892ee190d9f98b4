//! The file of a loaded cartridge is removed or renamed: who writes, commits and unloads is told.

use std::fs;
use std::path::Path;

use pseudotape_drive::{Cartridge, FileMedium, ImageDrive, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Uuid, VolumeId};
use pseudotape_tape::{
    Address, Drive, Failed, Mark, ObjectNumber, PartitionNumber, Partitioning, Sense, Transfer,
    Volume, WriteMode,
};

fn recorded(path: &Path) -> ImageDrive<FileMedium> {
    let parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    let medium = FileMedium::new(path, Access::ReadWrite);
    let cartridge = Cartridge::create(medium, &parameters).expect("a new image");
    let personality = Personality {
        max_partitions: 2,
        ..Personality::default()
    };
    let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    write(&mut drive);
    commit(&mut drive).expect("a commit");
    drive
}

fn write(drive: &mut ImageDrive<FileMedium>) {
    drive
        .write(Transfer::Variable, &[7; 1000])
        .expect("takes a block");
}

fn commit(drive: &mut ImageDrive<FileMedium>) -> Result<(), Failed> {
    drive
        .write_marks(Mark::Filemark, 1, WriteMode::Commit)
        .map(drop)
}

fn is_told(drive: &mut ImageDrive<FileMedium>, failed: Failed, named: &str) {
    assert_eq!(failed.sense, Sense::HardwareError);
    let trouble = drive.take_trouble().expect("more than a sense says");
    assert!(
        trouble.contains(named) && trouble.contains("removed") && trouble.contains("/fd/"),
        "{trouble}"
    );
}

#[test]
fn a_commit_and_an_unload_fail_when_the_image_was_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut drive = recorded(&path);
    write(&mut drive);
    fs::remove_file(&path).expect("it goes");
    let failed = commit(&mut drive).expect_err("nobody finds it");
    is_told(&mut drive, failed, "a.ptape");
    let failed = drive.unload().expect_err("nobody finds it");
    is_told(&mut drive, failed, "a.ptape");
    // It stays loaded, so that the data can be copied.
    assert!(drive.is_loaded());
    let error = Box::new(drive).finish().expect_err("nobody finds it");
    assert!(error.to_string().contains("a.ptape"), "{error}");
}

#[test]
fn an_unload_fails_also_where_all_was_committed_before_the_image_went() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut drive = recorded(&path);
    fs::remove_file(&path).expect("it goes");
    let failed = drive.unload().expect_err("nobody finds it");
    is_told(&mut drive, failed, "a.ptape");
}

/// `mt weof 0`, and what a program does that asks whether its data are safe.
#[test]
fn a_commit_without_marks_finds_that_the_image_was_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut drive = recorded(&path);
    let flush = |drive: &mut ImageDrive<FileMedium>, mode| {
        drive.write_marks(Mark::Filemark, 0, mode).map(drop)
    };
    flush(&mut drive, WriteMode::Commit).expect("it is there");
    fs::remove_file(&path).expect("it goes");
    let failed = flush(&mut drive, WriteMode::Commit).expect_err("nobody finds it");
    is_told(&mut drive, failed, "a.ptape");
    assert_eq!(failed.position.map(|p| p.object.0), Some(2));
    // What only asks for no delay asks for no commit, and what is there can be read.
    flush(&mut drive, WriteMode::Immediate).expect("no commit");
    drive.rewind().expect("to copy what is there");
    let mut block = [0; 1000];
    drive
        .read(Transfer::Variable, &mut block)
        .expect("it can be read");

    // The same where the file was cut.
    let path = folder.path().join("b.ptape");
    let mut drive = recorded(&path);
    let file = fs::File::options().write(true).open(&path).expect("opens");
    file.set_len(1000).expect("it is cut");
    let failed = flush(&mut drive, WriteMode::Commit).expect_err("data are gone");
    assert_eq!(failed.sense, Sense::HardwareError);
}

#[test]
fn a_removed_image_is_lost_when_it_is_closed_and_a_renamed_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, new) = (folder.path().join("a.ptape"), folder.path().join("b.ptape"));
    let mut drive = recorded(&path);
    assert!(drive.lost_when_closed().is_none());
    fs::rename(&path, &new).expect("renames");
    assert!(drive.lost_when_closed().is_none());
    fs::remove_file(&new).expect("it goes");
    let lost = drive.lost_when_closed().expect("nobody finds it");
    assert!(lost.to_string().contains("/fd/"), "{lost}");
}

#[test]
fn a_commit_is_of_every_partition() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut drive = recorded(&path);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("room for two");
    let second = Address {
        partition: Some(PartitionNumber(1)),
        object: ObjectNumber(0),
    };
    drive.locate(second).expect("the second");
    write(&mut drive);
    let first = Address {
        partition: Some(PartitionNumber(0)),
        object: ObjectNumber(0),
    };
    drive.locate(first).expect("the first");
    fs::remove_file(folder.path().join("a.ptape.p1")).expect("it goes");
    let failed = drive
        .write_marks(Mark::Filemark, 0, WriteMode::Commit)
        .expect_err("the second is lost");
    is_told(&mut drive, failed, "a.ptape.p1");
}

#[test]
fn a_renamed_image_goes_on_under_its_new_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, new) = (folder.path().join("a.ptape"), folder.path().join("b.ptape"));
    let mut drive = recorded(&path);
    fs::rename(&path, &new).expect("renames");
    write(&mut drive);
    commit(&mut drive).expect("it is where it is");
    assert_eq!(drive.cartridge().expect("it holds one").path(), new);
    drive.unload().expect("unloads");
    Box::new(drive).finish().expect("closes");
    let opened = Cartridge::open(FileMedium::new(&new, Access::ReadOnly));
    opened.unwrap_or_else(|error| panic!("{error}"));
}
