//! What counts against the capacity, and where early warning and the physical end are.

mod common;

use common::{drive, filemarks, fixed, holding, named, object, parameters, read, write};
use pseudotape_drive::{Cartridge, EarlyWarning, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::WriteProtect;
use pseudotape_tape::{
    Address, Capacity, Drive, Mark, ObjectNumber, PartitionNumber, Partitioning, Sense, Stop,
    Transfer, Volume, WriteMode,
};

#[test]
fn a_block_fits_up_to_the_last_byte_and_the_next_one_does_not() {
    let mut drive = drive(Personality::default(), Some(1000), 0);
    assert_eq!(write(&mut drive, 600).stop, None);
    let last = write(&mut drive, 400);
    assert_eq!((last.count, last.stop), (1, Some(Stop::EarlyWarning)));
    let none = write(&mut drive, 1);
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
    assert_eq!(none.position.object.0, 2);
}

#[test]
fn a_block_longer_than_the_room_is_not_written_at_all() {
    let mut drive = drive(Personality::default(), Some(1000), 0);
    write(&mut drive, 600);
    let none = write(&mut drive, 401);
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
    assert_eq!(drive.capacity().expect("loaded").used_bytes, 600);
}

#[test]
fn the_zone_begins_at_its_first_byte() {
    let mut drive = drive(Personality::default(), Some(1000), 300);
    let before = write(&mut drive, 699);
    assert_eq!(before.stop, None);
    assert!(!before.position.past_early_warning);
    let inside = write(&mut drive, 1);
    assert_eq!(inside.stop, Some(Stop::EarlyWarning));
    assert!(inside.position.past_early_warning);
    assert!(!drive.rewind().expect("rewinds").position.past_early_warning);
}

#[test]
fn what_is_used_is_counted_at_the_end_of_data_and_the_room_from_here() {
    let mut drive = drive(Personality::default(), Some(1000), 100);
    write(&mut drive, 300);
    write(&mut drive, 200);
    let told = |room_bytes| Capacity {
        total_bytes: Some(1000),
        early_warning_bytes: 100,
        used_bytes: 500,
        room_bytes: Some(room_bytes),
    };
    assert_eq!(drive.capacity(), Ok(told(500)));
    drive.locate(to(1)).expect("there is one");
    assert_eq!(drive.capacity(), Ok(told(700)));
    drive.rewind().expect("rewinds");
    assert_eq!(drive.capacity(), Ok(told(1000)));
}

fn to(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

#[test]
fn an_endless_tape_has_no_room_to_tell_and_never_warns() {
    let mut drive = drive(Personality::default(), None, 100);
    assert_eq!(write(&mut drive, 5000).stop, None);
    let capacity = drive.capacity().expect("loaded");
    assert_eq!((capacity.total_bytes, capacity.room_bytes), (None, None));
    assert_eq!(capacity.used_bytes, 5000);
}

#[test]
fn of_fixed_blocks_as_many_are_written_as_fit() {
    let mut drive = drive(Personality::default(), Some(350), 0);
    let done = drive.write(fixed(100), &[1; 500]).expect("takes three");
    assert_eq!((done.count, done.stop), (3, Some(Stop::EndOfPartition)));
    assert_eq!(done.position.object.0, 3);
    // Those are whole, and nothing of the fourth is there.
    drive.rewind().expect("rewinds");
    let mut buffer = [0; 500];
    let back = drive.read(fixed(100), &mut buffer).expect("reads");
    assert_eq!((back.blocks, back.bytes), (3, 300));
    assert_eq!(back.stop, Some(Stop::EndOfData));
    assert_eq!(buffer[..300], [1; 300]);
}

#[test]
fn fixed_blocks_that_fit_exactly_are_all_written() {
    let mut drive = drive(Personality::default(), Some(300), 0);
    let done = drive.write(fixed(100), &[1; 300]).expect("takes all");
    assert_eq!((done.count, done.stop), (3, Some(Stop::EarlyWarning)));
}

#[test]
fn half_a_fixed_block_and_a_size_outside_the_limits_are_refused() {
    let mut drive = drive(named("scsi_debug"), None, 0);
    for (size, length) in [(512, 700), (511, 511), (2 << 20, 2 << 20)] {
        let failed = drive
            .write(fixed(size), &vec![0; length])
            .expect_err("refused");
        assert_eq!((failed.sense, failed.count), (Sense::IllegalRequest, 0));
    }
    assert_eq!(object(&mut drive), 0);
}

#[test]
fn a_block_is_lengthened_by_exactly_what_is_left() {
    let mut drive = drive(Personality::default(), Some(1000), 0);
    write(&mut drive, 600);
    let none = drive.extend(&[8; 401]).expect("an answer");
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
    let done = drive.extend(&[8; 300]).expect("it fits");
    assert_eq!((done.count, done.stop), (1, None));
    // It can be lengthened again and again.
    let done = drive.extend(&[9; 100]).expect("it fits exactly");
    assert_eq!((done.count, done.stop), (1, Some(Stop::EarlyWarning)));
    assert_eq!(done.position.object.0, 1);
    drive.rewind().expect("rewinds");
    let mut buffer = [0; 2000];
    let back = drive
        .read(Transfer::Variable, &mut buffer)
        .expect("one block");
    assert_eq!(back.block_length, 1000);
    let expected = [vec![7; 600], vec![8; 300], vec![9; 100]].concat();
    assert_eq!(buffer[..1000], expected);
}

#[test]
fn a_block_is_not_lengthened_over_the_limit_of_the_drive() {
    let mut drive = drive(named("scsi_debug"), None, 0);
    write(&mut drive, (1 << 20) - 10);
    let failed = drive.extend(&[8; 11]).expect_err("too long");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    assert_eq!(
        drive.extend(&[8; 10]).expect("as long as it may be").count,
        1
    );
    let failed = drive.extend(&[8; 1]).expect_err("too long");
    assert_eq!(failed.sense, Sense::IllegalRequest);
}

/// A drive whose marks cost this much, with so much room on its tape.
fn with_marks(mark_bytes: u64, mark_fits_at_end: bool, room: u64) -> ImageDrive<MemoryMedium> {
    let personality = Personality {
        mark_bytes,
        mark_fits_at_end,
        ..Personality::default()
    };
    drive(personality, Some(room), 0)
}

#[test]
fn marks_are_written_as_far_as_they_fit() {
    for (cost, room, wanted, fitting) in [
        (3, 10, 5, 3),
        (3, 9, 3, 3),
        (3, 9, 4, 3),
        (3, 2, 1, 0),
        (1, 4, 5, 4),
        // They cost nothing, and fit as long as there is any room at all.
        (0, 1, 5, 5),
    ] {
        let mut drive = with_marks(cost, false, room);
        let done = filemarks(&mut drive, wanted);
        let what = format!("{wanted} marks of {cost} in {room}");
        assert_eq!(done.count, u64::from(fitting), "{what}");
        assert_eq!(object(&mut drive), u64::from(fitting), "{what}");
        let is_cut = fitting < wanted;
        assert_eq!(done.stop == Some(Stop::EndOfPartition), is_cut, "{what}");
        let used = drive.capacity().expect("loaded").used_bytes;
        assert_eq!(used, cost * u64::from(fitting), "{what}");
    }
}

#[test]
fn at_the_very_end_a_mark_fits_where_the_drive_says_so() {
    for (fits, count, stop) in [
        (true, 2, Stop::EarlyWarning),
        (false, 0, Stop::EndOfPartition),
    ] {
        let mut drive = with_marks(0, fits, 100);
        write(&mut drive, 100);
        let done = filemarks(&mut drive, 2);
        assert_eq!((done.count, done.stop), (count, Some(stop)));
        assert_eq!(object(&mut drive), 1 + count);
    }
}

/// The tape of 1 MiB on which no number of marks fills the host's disk.
#[test]
fn marks_end_where_their_bytes_end_and_a_few_fit_behind() {
    for name in ["generic", "lto5", "dds"] {
        let mut drive = drive(named(name), Some(1 << 20), 0);
        let done = filemarks(&mut drive, 0x00ff_ffff);
        let fitting = (1 << 20) / 64 + 1024;
        assert_eq!(done.count, fitting, "{name}");
        assert_eq!(done.stop, Some(Stop::EndOfPartition), "{name}");
        let none = filemarks(&mut drive, 1);
        assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
        let host = drive.cartridge().expect("loaded").host_bytes();
        assert!(host < 16384 + 64 * fitting, "{name}: {host} bytes");
    }
}

/// Programs write one or two of them when they are told of the end.
#[test]
fn behind_the_last_block_there_is_room_for_the_marks_that_end_a_tape() {
    let mut drive = drive(Personality::default(), Some(1000), 0);
    write(&mut drive, 1000);
    let done = filemarks(&mut drive, 1024);
    assert_eq!((done.count, done.stop), (1024, Some(Stop::EarlyWarning)));
    let none = filemarks(&mut drive, 1);
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
    assert_eq!(write(&mut drive, 1).count, 0);
}

#[test]
fn marks_before_this_place_count_against_the_room() {
    let mut drive = with_marks(10, false, 100);
    filemarks(&mut drive, 3);
    let capacity = drive.capacity().expect("loaded");
    assert_eq!((capacity.used_bytes, capacity.room_bytes), (30, Some(70)));
    assert_eq!(write(&mut drive, 71).count, 0);
    assert_eq!(write(&mut drive, 70).count, 1);
}

#[test]
fn setmarks_are_for_drives_that_have_them() {
    let mut dds = drive(named("dds"), None, 0);
    let done = dds
        .write_marks(Mark::Setmark, 2, WriteMode::Commit)
        .expect("it has them");
    assert_eq!((done.count, done.stop), (2, None));
    dds.rewind().expect("rewinds");
    assert_eq!(read(&mut dds, 10).expect("reads").stop, Some(Stop::Setmark));
    let moved = dds
        .space(pseudotape_tape::SpaceUnit::Setmarks, 1)
        .expect("it has them");
    assert_eq!((moved.count, moved.position.object.0), (1, 2));

    let mut generic = drive(Personality::default(), None, 0);
    let failed = generic
        .write_marks(Mark::Setmark, 1, WriteMode::Commit)
        .expect_err("it has none");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    let failed = generic
        .space(pseudotape_tape::SpaceUnit::Setmarks, 1)
        .expect_err("it has none");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    // None at all is a commit, whatever the mark.
    let done = generic
        .write_marks(Mark::Setmark, 0, WriteMode::Commit)
        .expect("a commit");
    assert_eq!((done.count, done.stop), (0, None));
}

#[test]
fn a_block_recorded_as_unreadable_counts_with_its_length() {
    let mut drive = drive(Personality::default(), Some(1000), 0);
    let done = drive.record_unreadable(600).expect("there is room");
    assert_eq!((done.count, done.stop), (1, None));
    let none = drive.record_unreadable(1001).expect("an answer");
    assert_eq!((none.count, none.stop), (0, Some(Stop::EndOfPartition)));
    assert_eq!(object(&mut drive), 1);
    drive.rewind().expect("rewinds");
    let failed = read(&mut drive, 1000).expect_err("it is unreadable");
    assert_eq!(failed.sense, Sense::MediumError);
    assert_eq!(failed.position.map(|p| p.object.0), Some(1));
    let trouble = drive.take_trouble().expect("more than a sense says");
    assert!(trouble.contains("already unreadable"), "{trouble}");
    assert!(
        trouble.ends_with("; the tape is now before object 1 of partition 0"),
        "{trouble}"
    );
    assert_eq!(drive.take_trouble(), None, "it is told once");
}

#[test]
fn an_unreadable_block_is_recorded_up_to_the_last_byte() {
    let mut drive = drive(Personality::default(), Some(1000), 0);
    let done = drive.record_unreadable(1000).expect("there is room");
    assert_eq!(done.count, 1);
    assert_eq!(
        drive.record_unreadable(0).expect("costs nothing").count,
        1,
        "a length that nobody knows counts nothing"
    );
}

#[test]
fn a_protected_tape_takes_no_unreadable_block() {
    let mut drive = drive(Personality::default(), None, 0);
    let cartridge = drive.cartridge_mut().expect("it holds one");
    cartridge
        .set_write_protect(WriteProtect::On)
        .expect("the switch moves");
    let failed = drive.record_unreadable(10).expect_err("protected");
    assert_eq!((failed.sense, failed.count), (Sense::WriteProtected, 0));
}

#[test]
fn the_drive_sets_the_limits_of_an_undivided_tape_only() {
    let overrides = Overrides {
        capacity_bytes: Some(8 << 20),
        early_warning: Some(EarlyWarning::Bytes(1 << 20)),
        ..Overrides::default()
    };
    let cartridge =
        Cartridge::create(MemoryMedium, &parameters(Some(4 << 20), 0)).expect("a new image");
    let mut drive = ImageDrive::new(Personality::default(), "1".into(), overrides);
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    let told = drive.capacity().expect("loaded");
    assert_eq!(
        (told.total_bytes, told.early_warning_bytes),
        (Some(8 << 20), 1 << 20)
    );
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("room for two");
    let told = drive.capacity().expect("loaded");
    assert_eq!(
        (told.total_bytes, told.early_warning_bytes),
        (Some(3 << 20), 0)
    );
    drive
        .locate(Address {
            partition: Some(PartitionNumber(1)),
            object: ObjectNumber(0),
        })
        .expect("there are two");
    assert_eq!(drive.capacity().expect("loaded").total_bytes, Some(1 << 20));
}

#[test]
fn a_zone_of_the_cartridge_is_no_longer_than_the_tape() {
    let overrides = Overrides {
        capacity_bytes: Some(100),
        early_warning: None,
        ..Overrides::default()
    };
    let cartridge =
        Cartridge::create(MemoryMedium, &parameters(Some(1000), 500)).expect("a new image");
    let mut drive = ImageDrive::new(Personality::default(), "1".into(), overrides);
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    let told = drive.capacity().expect("loaded");
    assert_eq!(told.early_warning_bytes, 100);
    drive.clear_attention();
    assert_eq!(write(&mut drive, 1).stop, Some(Stop::EarlyWarning));
}

#[test]
fn only_the_end_of_a_worm_tape_takes_data() {
    let mut parameters = parameters(None, 0);
    parameters.header.rewriting = pseudotape_image::Rewriting::AppendOnly;
    let cartridge = Cartridge::create(MemoryMedium, &parameters).expect("a new image");
    assert!(cartridge.is_worm());
    let mut drive = holding(Personality::default(), cartridge);
    write(&mut drive, 10);
    drive.rewind().expect("rewinds");
    let failed = drive.record_unreadable(10).expect_err("not at its end");
    assert_eq!(failed.sense, Sense::WormOverwrite);
    drive.space_to_end_of_data().expect("goes there");
    assert_eq!(write(&mut drive, 10).count, 1);
}
