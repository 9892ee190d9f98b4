//! A cartridge comes, is loaded and unloaded, and goes; and what the drive forgets thereby.

mod common;

use common::{drive, filemarks, fixed, holding, named, object, parameters, read, write};
use pseudotape_drive::{
    AfterUnload, Cartridge, ErasePolicy, FileMedium, ImageDrive, Medium, MemoryMedium, Overrides,
    Personality,
};
use pseudotape_image::{Access, Error, Rewriting, WriteProtect};
use pseudotape_tape::{
    Address, Door, Drive, EraseExtent, Failed, LoadKind, Mark, ModeSelect, ObjectNumber,
    PartitionNumber, Partitioning, Sense, SpaceUnit, Stop, Transfer, Volume, Writability,
    WriteMode,
};

fn cartridge() -> Cartridge<MemoryMedium> {
    Cartridge::create(MemoryMedium, &parameters(Some(8 << 20), 0)).expect("a new image")
}

fn empty(personality: Personality) -> ImageDrive<MemoryMedium> {
    ImageDrive::new(personality, "1".into(), Overrides::default())
}

#[test]
fn an_empty_drive_has_no_medium_for_anything() {
    let mut drive = empty(Personality::default());
    assert!(!drive.is_loaded());
    assert!(drive.cartridge().is_none() && drive.cartridge_mut().is_none());
    assert_eq!(drive.known_position(), None);
    assert_eq!(drive.take_trouble(), None);
    let address = Address {
        partition: None,
        object: ObjectNumber(0),
    };
    let answers = [
        drive.test_ready(),
        drive.read(Transfer::Variable, &mut [0; 9]).map(drop),
        drive.write(Transfer::Variable, &[0; 9]).map(drop),
        drive.extend(&[0; 9]).map(drop),
        drive
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .map(drop),
        drive
            .write_marks(Mark::Filemark, 0, WriteMode::Commit)
            .map(drop),
        drive.record_unreadable(1).map(drop),
        drive.space(SpaceUnit::Blocks, 1).map(drop),
        drive.space_to_end_of_data().map(drop),
        drive.locate(address).map(drop),
        drive.rewind().map(drop),
        drive.load(LoadKind::Load).map(drop),
        drive.unload(),
        drive.erase(EraseExtent::Long).map(drop),
        drive.position().map(drop),
        drive.capacity().map(drop),
        drive.make_partitions(Partitioning::Single).map(drop),
        drive.set_mode(ModeSelect::default()),
    ];
    let expected = Err(Failed::at(Sense::NoMedium, None));
    assert_eq!(answers, [expected; 18]);
    let mode = drive.mode().expect("a mode without a medium");
    assert!(!mode.write_protected);
    assert_eq!((mode.last_partition, mode.density), (0, 0x58));
    assert!(drive.eject().is_none());
}

#[test]
fn a_drive_takes_one_cartridge_and_gives_it_back() {
    let mut drive = empty(Personality::default());
    assert!(drive.insert(cartridge()).is_ok());
    assert!(drive.is_loaded());
    let second = drive.insert(cartridge()).expect_err("it is not empty");
    assert_eq!(second.partition_count(), 1);
    drive.set_door(Door::Locked).expect("it has a door");
    assert_eq!(drive.door(), Door::Locked);
    // The operator's hand does not ask for the door, and leaves it open.
    assert!(drive.eject().is_some());
    assert_eq!(drive.door(), Door::Unlocked);
    assert!(!drive.is_loaded());
    assert!(drive.insert(second).is_ok());
}

#[test]
fn a_new_medium_is_told_once_by_whatever_comes_first() {
    let mut drive = empty(Personality::default());
    assert!(drive.insert(cartridge()).is_ok());
    let failed = drive.rewind().expect_err("the medium is new");
    assert_eq!(failed.sense, Sense::MediumChanged);
    assert_eq!(failed.position.map(|at| at.object.0), Some(0));
    drive.rewind().expect("it was told");
    // Neither mode nor door asks for the medium.
    assert!(drive.eject().is_some());
    assert!(drive.insert(cartridge()).is_ok());
    drive.mode().expect("a mode");
    drive.set_door(Door::Unlocked).expect("it has a door");
    drive.capacity().expect("it asks nobody");
    let failed = drive.load(LoadKind::Load).expect_err("the medium is new");
    assert_eq!(failed.sense, Sense::MediumChanged);
}

#[test]
fn a_cartridge_taken_out_in_the_middle_comes_back_at_its_beginning() {
    let mut drive = drive(named("dds"), None, 0);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("makes two");
    let second = Address {
        partition: Some(PartitionNumber(1)),
        object: ObjectNumber(0),
    };
    write(&mut drive, 10);
    write(&mut drive, 10);
    drive.locate(second).expect("there are two");
    let taken = drive.eject().expect("it holds one");
    assert!(drive.insert(taken).is_ok());
    drive.clear_attention();
    let at = drive.position().expect("loaded");
    assert_eq!((at.partition.0, at.object.0), (0, 0));
    assert_eq!(drive.known_position(), Some(at));
}

#[test]
fn unloading_goes_to_the_beginning_and_loading_brings_the_medium_back() {
    for name in ["generic", "scsi_debug", "dds"] {
        let personality = named(name);
        let mut drive = drive(personality, None, 0);
        write(&mut drive, 600);
        drive.unload().expect("nothing keeps it");
        assert!(!drive.is_loaded());
        assert!(drive.cartridge().is_some(), "it is still in the drive");
        assert_eq!(drive.known_position(), None);
        for failed in [
            drive.test_ready().expect_err("unloaded"),
            drive.rewind().expect_err("unloaded"),
            drive.unload().expect_err("unloaded"),
            drive.capacity().map(drop).expect_err("unloaded"),
        ] {
            let expected = Failed::at(personality.after_unload.sense, None);
            assert_eq!(failed, expected, "{name}");
        }
        let at = drive.load(LoadKind::Load).expect("it comes back").position;
        assert_eq!(at.object.0, 0, "{name}");
        assert!(drive.is_loaded());
        assert_eq!(read(&mut drive, 600).expect("it is there").bytes, 600);
    }
}

#[test]
fn a_drive_that_lets_go_of_its_cartridge_does_not_load_it_again() {
    let mut drive = drive(named("mhvtl"), None, 0);
    // While it is loaded, load is a rewind.
    write(&mut drive, 10);
    assert_eq!(
        drive
            .load(LoadKind::Load)
            .expect("it is loaded")
            .position
            .object
            .0,
        0
    );
    drive.unload().expect("nothing keeps it");
    let failed = drive
        .load(LoadKind::Load)
        .expect_err("it has left the drive");
    assert_eq!(failed, Failed::at(Sense::NoMedium, None));
    assert!(!drive.is_loaded());
    let gone = AfterUnload {
        sense: Sense::NotReady,
        keeps_cartridge: false,
    };
    let personality = Personality {
        after_unload: gone,
        ..named("mhvtl")
    };
    let mut drive = common::drive(personality, None, 0);
    drive.unload().expect("nothing keeps it");
    let failed = drive
        .load(LoadKind::Load)
        .expect_err("it has left the drive");
    assert_eq!(failed.sense, Sense::NotReady);
}

#[test]
fn the_mode_of_an_unloaded_drive_knows_nothing_of_the_medium() {
    let mut drive = drive(named("dds"), None, 0);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("makes two");
    let protect = drive.cartridge_mut().expect("it holds one");
    protect
        .set_write_protect(WriteProtect::On)
        .expect("the switch moves");
    let mode = drive.mode().expect("a mode");
    assert!(mode.write_protected);
    assert_eq!(mode.last_partition, 1);
    drive.unload().expect("nothing keeps it");
    let mode = drive.mode().expect("a mode");
    assert!(!mode.write_protected);
    assert_eq!(mode.last_partition, 0);
}

#[test]
fn a_locked_door_keeps_the_medium_until_it_is_unlocked_or_reset() {
    let mut drive = drive(Personality::default(), None, 0);
    write(&mut drive, 10);
    drive.set_door(Door::Locked).expect("it has a door");
    let failed = drive.unload().expect_err("the door is locked");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    assert!(drive.is_loaded());
    assert_eq!(object(&mut drive), 1, "nothing moved");
    drive.reset();
    assert_eq!(drive.door(), Door::Unlocked);
    assert_eq!(
        drive.unload().expect_err("it was reset").sense,
        Sense::Reset
    );
    drive.unload().expect("nothing keeps it");
}

/// Whatever comes between, a block can no longer be lengthened.
#[test]
fn only_a_block_just_written_is_lengthened() {
    type Step = fn(&mut ImageDrive<MemoryMedium>);
    let steps: [(&str, Step); 16] = [
        ("nothing", |_| {}),
        ("space", |drive| {
            drive.space(SpaceUnit::Blocks, 0).expect("stays");
        }),
        ("end of data", |drive| {
            drive.space_to_end_of_data().expect("stays");
        }),
        ("locate", |drive| {
            let here = Address {
                partition: None,
                object: ObjectNumber(1),
            };
            drive.locate(here).expect("stays");
        }),
        ("rewind", |drive| {
            drive.rewind().expect("rewinds");
        }),
        ("load", |drive| {
            drive.load(LoadKind::Load).expect("loads");
        }),
        ("no marks", |drive| {
            filemarks(drive, 0);
        }),
        ("marks", |drive| {
            filemarks(drive, 1);
        }),
        ("read", |drive| {
            read(drive, 10).expect("the end of data");
        }),
        ("an unreadable block", |drive| {
            drive.record_unreadable(1).expect("takes it");
        }),
        ("erase", |drive| {
            drive.erase(EraseExtent::Short).expect("erases");
        }),
        ("fixed blocks", |drive| {
            drive.write(fixed(5), &[1; 10]).expect("takes two");
        }),
        ("a write that was refused", |drive| {
            drive.write(fixed(3), &[1; 10]).expect_err("refused");
        }),
        ("reset", |drive| {
            drive.reset();
            drive.clear_attention();
        }),
        ("out and in", |drive| {
            let taken = drive.eject().expect("it holds one");
            assert!(drive.insert(taken).is_ok());
            drive.clear_attention();
        }),
        ("an attention", |drive| {
            drive.reset();
            drive.test_ready().expect_err("it was reset");
        }),
    ];
    for (what, step) in steps {
        let mut drive = drive(Personality::default(), None, 0);
        write(&mut drive, 10);
        step(&mut drive);
        let extended = drive.extend(&[1; 5]);
        assert_eq!(extended.is_ok(), what == "nothing", "{what}");
        if let Err(failed) = extended {
            assert_eq!(failed.sense, Sense::IllegalRequest, "{what}");
        }
    }
}

#[test]
fn asking_leaves_the_block_to_be_lengthened() {
    let mut drive = drive(Personality::default(), None, 0);
    write(&mut drive, 10);
    drive.position().expect("loaded");
    drive.capacity().expect("loaded");
    drive.mode().expect("a mode");
    drive.test_ready().expect("it is ready");
    drive.set_mode(ModeSelect::default()).expect("no change");
    assert_eq!(drive.extend(&[1; 5]).expect("just written").count, 1);
}

#[test]
fn a_mode_is_taken_whole_or_not_at_all() {
    let good = ModeSelect {
        block_size: Some(1024),
        density: Some(7),
        buffering: Some(2),
        compression: None,
    };
    let without_compression = Personality {
        compression: false,
        ..named("scsi_debug")
    };
    let refused = [
        ModeSelect {
            block_size: Some(1022),
            ..good
        },
        ModeSelect {
            block_size: Some(508),
            ..good
        },
        ModeSelect {
            density: Some(101),
            ..good
        },
        ModeSelect {
            buffering: Some(8),
            ..good
        },
        ModeSelect {
            compression: Some(false),
            ..good
        },
    ];
    let mut drive = drive(without_compression, None, 0);
    let at_first = drive.mode().expect("a mode");
    assert_eq!(
        (at_first.block_size, at_first.density, at_first.buffering),
        (0, 0, 0)
    );
    assert_eq!(at_first.compression, None);
    for change in refused {
        let failed = drive.set_mode(change).expect_err("part of it is refused");
        assert_eq!((failed.sense, failed.count), (Sense::IllegalRequest, 0));
        assert_eq!(drive.mode().expect("a mode"), at_first, "{change:?}");
    }
    drive.set_mode(good).expect("all of it is taken");
    let mode = drive.mode().expect("a mode");
    assert_eq!(
        (mode.block_size, mode.density, mode.buffering),
        (1024, 7, 2)
    );
    let most = ModeSelect {
        buffering: Some(7),
        ..ModeSelect::default()
    };
    drive.set_mode(most).expect("the most there is");
    let mode = drive.mode().expect("a mode");
    assert_eq!(
        (mode.block_size, mode.density, mode.buffering),
        (1024, 7, 7)
    );
}

#[test]
fn an_lto_drive_erases_at_the_beginning_only() {
    assert_eq!(named("lto5").erase, ErasePolicy::AtBeginning);
    let mut drive = drive(named("lto5"), None, 0);
    write(&mut drive, 10);
    let failed = drive.erase(EraseExtent::Long).expect_err("not here");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    drive.rewind().expect("rewinds");
    let done = drive.erase(EraseExtent::Long).expect("here");
    assert_eq!((done.count, done.stop), (0, None));
    let read = read(&mut drive, 10).expect("it is blank");
    assert_eq!(read.stop, Some(Stop::EndOfData));
}

fn sizes(drive: &mut ImageDrive<MemoryMedium>) -> Vec<Option<u64>> {
    let last = drive.mode().expect("a mode").last_partition;
    (0..=last)
        .map(|number| {
            let address = Address {
                partition: Some(PartitionNumber(number)),
                object: ObjectNumber(0),
            };
            let at = drive.locate(address).expect("it is there").position;
            assert_eq!(at.partition.0, number);
            drive.capacity().expect("loaded").total_bytes
        })
        .collect()
}

#[test]
fn a_tape_is_cut_as_asked_and_the_rest_keeps_a_tenth() {
    const MIB: u64 = 1 << 20;
    let whole = 10 * MIB;
    for (how, expected) in [
        (Partitioning::Single, vec![Some(whole)]),
        (
            Partitioning::SecondOf(3),
            vec![Some(7 * MIB), Some(3 * MIB)],
        ),
        (Partitioning::FirstOf(3), vec![Some(3 * MIB), Some(7 * MIB)]),
        (Partitioning::SecondOf(9), vec![Some(MIB), Some(9 * MIB)]),
        (Partitioning::SecondOf(50), vec![Some(MIB), Some(9 * MIB)]),
    ] {
        let mut drive = drive(named("generic"), Some(whole), 0);
        write(&mut drive, 10);
        let done = drive.make_partitions(how).expect("it can");
        assert_eq!((done.count, done.stop), (0, None));
        assert_eq!((done.position.partition.0, done.position.object.0), (0, 0));
        assert_eq!(sizes(&mut drive), expected, "{how:?}");
        drive.rewind().expect("rewinds");
        let end = read(&mut drive, 10).expect("it is blank");
        assert_eq!(end.stop, Some(Stop::EndOfData));
        // What was cut is put together again.
        drive.make_partitions(Partitioning::Single).expect("it can");
        assert_eq!(sizes(&mut drive), [Some(whole)]);
    }
}

#[test]
fn a_partition_larger_than_the_medium_is_refused_by_drives_and_changes_nothing() {
    for name in ["lto5", "dds"] {
        let mut drive = drive(named(name), Some(10 << 20), 0);
        write(&mut drive, 10);
        for how in [
            Partitioning::SecondOf(10),
            Partitioning::FirstOf(10),
            Partitioning::SecondOf(50),
            Partitioning::FirstOf(u32::MAX),
        ] {
            let failed = drive.make_partitions(how).expect_err(name);
            assert_eq!(failed.sense, Sense::IllegalRequest, "{name} {how:?}");
            assert_eq!(failed.position.map(|at| at.object.0), Some(1));
        }
        assert_eq!(sizes(&mut drive), [Some(10 << 20)]);
        drive.rewind().expect("rewinds");
        assert_eq!(read(&mut drive, 10).expect("it is there").bytes, 10);
        // A whole number of MiB that leaves something is taken, and so is any size on an endless tape.
        drive
            .make_partitions(Partitioning::SecondOf(9))
            .expect(name);
        let mut endless = common::drive(named(name), None, 0);
        endless
            .make_partitions(Partitioning::SecondOf(500_000))
            .expect(name);
    }
}

#[test]
fn an_endless_tape_is_cut_in_one_of_that_size_and_an_endless_one() {
    let mut drive = drive(named("dds"), None, 0);
    drive
        .make_partitions(Partitioning::FirstOf(3))
        .expect("it can");
    assert_eq!(sizes(&mut drive), [Some(3 << 20), None]);
    // One endless part makes the whole endless.
    drive.make_partitions(Partitioning::Single).expect("it can");
    assert_eq!(sizes(&mut drive), [None]);
}

#[test]
fn a_partition_of_nothing_is_refused_and_loses_nothing() {
    let mut drive = drive(named("dds"), Some(10 << 20), 0);
    write(&mut drive, 10);
    for how in [Partitioning::SecondOf(0), Partitioning::FirstOf(0)] {
        drive.space_to_end_of_data().expect("goes there");
        let failed = drive.make_partitions(how).expect_err("nothing to make");
        assert_eq!(failed.sense, Sense::IllegalRequest);
        assert_eq!(failed.position.map(|at| at.object.0), Some(1));
    }
    drive.rewind().expect("rewinds");
    assert_eq!(read(&mut drive, 10).expect("it is there").bytes, 10);
}

#[test]
fn a_partition_that_is_not_there_is_refused() {
    let mut drive = drive(named("dds"), None, 0);
    write(&mut drive, 10);
    let address = |partition| Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(0),
    };
    for partition in [1, 2, 255] {
        let failed = drive.locate(address(partition)).expect_err("there is one");
        assert_eq!(failed.sense, Sense::IllegalRequest);
        assert_eq!(failed.position.map(|at| at.partition.0), Some(0));
    }
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("makes two");
    drive.locate(address(1)).expect("there are two");
    drive.locate(address(2)).expect_err("there are two");
    // Rewinding stays in the partition, loading goes to the first.
    let at = drive.rewind().expect("rewinds").position;
    assert_eq!(at.partition.0, 1);
    let at = drive.load(LoadKind::Load).expect("loads").position;
    assert_eq!(at.partition.0, 0);
    drive.locate(address(1)).expect("there are two");
    drive.unload().expect("nothing keeps it");
    let at = drive.load(LoadKind::Load).expect("loads").position;
    assert_eq!(at.partition.0, 0);
}

#[test]
fn one_protected_partition_protects_the_cartridge() {
    let mut drive = drive(named("dds"), None, 0);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("makes two");
    let cartridge = drive.cartridge_mut().expect("it holds one");
    assert_eq!(cartridge.writability(), Writability::Writable);
    assert!(!cartridge.is_worm());
    cartridge
        .set_write_protect(WriteProtect::On)
        .expect("the switch moves");
    assert_eq!(cartridge.writability(), Writability::Protected);
    for operate in [
        (|drive| drive.write(Transfer::Variable, &[1]).map(drop))
            as fn(&mut ImageDrive<MemoryMedium>) -> Result<(), Failed>,
        |drive| drive.erase(EraseExtent::Short).map(drop),
        |drive| {
            drive
                .write_marks(Mark::Filemark, 1, WriteMode::Commit)
                .map(drop)
        },
        |drive| drive.make_partitions(Partitioning::Single).map(drop),
    ] {
        let failed = operate(&mut drive).expect_err("protected");
        assert_eq!(failed.sense, Sense::WriteProtected);
    }
    drive.rewind().expect("reading goes on");
    filemarks(&mut drive, 0);
}

#[test]
fn a_worm_cartridge_with_data_is_not_cut_into_partitions() {
    let mut worm = parameters(Some(8 << 20), 0);
    worm.header.rewriting = Rewriting::AppendOnly;
    let cartridge = Cartridge::create(MemoryMedium, &worm).expect("a new image");
    assert_eq!(cartridge.writability(), Writability::AppendOnly);
    let mut drive = holding(named("dds"), cartridge);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("it is blank");
    write(&mut drive, 10);
    // At the end of data a write would be taken, but this drops all that is before.
    for partitioning in [Partitioning::Single, Partitioning::SecondOf(2)] {
        let failed = drive.make_partitions(partitioning).expect_err("it is WORM");
        assert_eq!(failed.sense, Sense::WormOverwrite);
    }
    assert_eq!(object(&mut drive), 1);
}

#[test]
fn a_copy_that_misses_something_says_so() {
    let mut cartridge = cartridge();
    assert_eq!(cartridge.incomplete_from(), None);
    cartridge
        .set_incomplete_from(Some(ObjectNumber(9)))
        .expect("a note");
    assert_eq!(cartridge.incomplete_from(), Some(ObjectNumber(9)));
    cartridge.set_incomplete_from(None).expect("a note");
    assert_eq!(cartridge.incomplete_from(), None);
}

#[test]
fn a_cartridge_in_files_is_where_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut medium = FileMedium::new(&path, Access::ReadOnly);
    assert_eq!(medium.path(), path);
    assert_eq!(medium.access(), Access::ReadOnly);
    assert_eq!(medium.path_of(0), path);
    assert_eq!(medium.path_of(3), folder.path().join("a.ptape.p3"));
    // What is there is not made anew.
    std::fs::write(&path, "old").expect("a file");
    let error = medium.create(0).expect_err("a file is there");
    assert!(
        matches!(&error, Error::Unopenable { path: named, action: "create", .. } if *named == path),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).expect("a file"), b"old");
    std::fs::remove_file(&path).expect("it goes");
    let cartridge = Cartridge::create(medium, &parameters(None, 0)).expect("a new image");
    assert_eq!(cartridge.medium().path(), path);
    assert!(cartridge.host_bytes() > 0);
    let held = holding(Personality::default(), cartridge);
    assert_eq!(held.cartridge().expect("it holds one").label(), "");
}

#[test]
fn a_tape_opened_for_reading_takes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let medium = FileMedium::new(&path, Access::ReadWrite);
    let cartridge = Cartridge::create(medium, &parameters(None, 0)).expect("a new image");
    cartridge.finish().expect("closes");
    let (cartridge, reports) =
        Cartridge::open(FileMedium::new(&path, Access::ReadOnly)).expect("opens");
    assert_eq!(reports.len(), 1);
    assert_eq!(cartridge.writability(), Writability::OpenedReadOnly);
    let mut drive = holding(Personality::default(), cartridge);
    assert_eq!(drive.writability(), Writability::OpenedReadOnly);
    assert!(drive.mode().expect("always told").write_protected);
    type Operate = fn(&mut ImageDrive<FileMedium>) -> Result<(), Failed>;
    let refused: [Operate; 5] = [
        |drive| drive.write(Transfer::Variable, &[1]).map(drop),
        |drive| {
            drive
                .write_marks(Mark::Filemark, 1, WriteMode::Commit)
                .map(drop)
        },
        |drive| drive.make_partitions(Partitioning::Single).map(drop),
        |drive| drive.erase(EraseExtent::Short).map(drop),
        |drive| drive.record_unreadable(1).map(drop),
    ];
    for operate in refused {
        let failed = operate(&mut drive).expect_err("only for reading");
        assert_eq!((failed.sense, failed.count), (Sense::WriteProtected, 0));
        let trouble = drive.take_trouble().expect("more than a sense says");
        assert_eq!(trouble, "the cartridge is opened for reading only");
    }
}

#[test]
fn a_reset_keeps_the_place_and_is_told_once() {
    let mut drive = drive(Personality::default(), None, 0);
    write(&mut drive, 10);
    drive.reset();
    let failed = drive.position().expect_err("it was reset");
    assert_eq!(failed.sense, Sense::Reset);
    assert_eq!(object(&mut drive), 1);
}
