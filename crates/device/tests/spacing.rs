//! Spacing through a driver that reports less than its drive does.

mod common;

use common::{Tape, at, counted, dds, filemarks, object, read, to, write};
use pseudotape_tape::{Drive, Mark, Sense, SpaceUnit, Stop, WriteMode};

#[test]
fn spacing_over_blocks_counts_what_lies_before_a_stop() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
    }
    filemarks(&mut drive, 1);
    write(&mut drive, 10);
    drop(drive);
    // A new one has seen nothing of it.
    for (from, count, done, stop, behind) in [
        (0, 2, 2, None, 2),
        (0, 3, 3, None, 3),
        (0, 4, 3, Some(Stop::Filemark), 4),
        (1, 9, 2, Some(Stop::Filemark), 4),
        (3, 1, 0, Some(Stop::Filemark), 4),
        (4, 1, 1, None, 5),
        (4, 5, 1, Some(Stop::EndOfData), 5),
        (5, 1, 0, Some(Stop::EndOfData), 5),
        (5, 0, 0, None, 5),
        (5, -1, 1, None, 4),
        (5, -2, 1, Some(Stop::Filemark), 3),
        (4, -1, 0, Some(Stop::Filemark), 3),
        (3, -3, 3, None, 0),
        (2, -5, 2, Some(Stop::BeginningOfPartition), 0),
        (0, -1, 0, Some(Stop::BeginningOfPartition), 0),
    ] {
        let mut drive = tape.known();
        drive.locate(to(from)).expect("it is there");
        let moved = drive.space(SpaceUnit::Blocks, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} from {from}"
        );
        assert_eq!(object(&mut drive), behind);
        drive.rewind().expect("rewinds");
    }
}

#[test]
fn spacing_over_filemarks_counts_what_lies_before_a_stop() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for _ in 0..3 {
        write(&mut drive, 10);
        filemarks(&mut drive, 1);
    }
    write(&mut drive, 10);
    drop(drive);
    for (from, count, done, stop, behind) in [
        (0, 1, 1, None, 2),
        (0, 3, 3, None, 6),
        (0, 5, 3, Some(Stop::EndOfData), 7),
        (2, 1, 1, None, 4),
        (6, 1, 0, Some(Stop::EndOfData), 7),
        (7, 2, 0, Some(Stop::EndOfData), 7),
        (7, -1, 1, None, 5),
        (7, -3, 3, None, 1),
        (7, -4, 3, Some(Stop::BeginningOfPartition), 0),
        (1, -1, 0, Some(Stop::BeginningOfPartition), 0),
        (0, -2, 0, Some(Stop::BeginningOfPartition), 0),
    ] {
        let mut drive = tape.known();
        drive.rewind().expect("rewinds");
        drive.locate(to(from)).expect("it is there");
        let moved = drive.space(SpaceUnit::Filemarks, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} from {from}"
        );
        assert_eq!(object(&mut drive), behind);
    }
}

#[test]
fn the_file_is_counted_as_far_as_the_tape_was_seen() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    let file = |done: pseudotape_tape::Done| done.position.file.map(|file| file.0);
    write(&mut drive, 10);
    assert_eq!(file(filemarks(&mut drive, 2)), Some(2));
    assert_eq!(file(write(&mut drive, 10)), Some(2));
    let moved = drive.space(SpaceUnit::Filemarks, -1).expect("moves");
    assert_eq!((moved.position.object.0, file(moved)), (2, Some(1)));
    assert_eq!(file(drive.rewind().expect("rewinds")), Some(0));
    let moved = drive.space(SpaceUnit::Filemarks, 2).expect("moves");
    assert_eq!((moved.position.object.0, file(moved)), (3, Some(2)));
    let moved = drive.space(SpaceUnit::Blocks, -2).expect("moves");
    assert_eq!((moved.stop, file(moved)), (Some(Stop::Filemark), Some(1)));
    assert_eq!(file(drive.locate(to(1)).expect("moves")), Some(0));
    assert_eq!(file(drive.space_to_end_of_data().expect("moves")), Some(2));
}

#[test]
fn setmarks_are_told_from_filemarks() {
    let tape = dds();
    let mut drive = tape.known();
    write(&mut drive, 10);
    let done = drive
        .write_marks(Mark::Setmark, 1, WriteMode::Commit)
        .expect("takes it");
    assert_eq!((done.count, done.position.object.0), (1, 2));
    write(&mut drive, 10);
    filemarks(&mut drive, 1);
    drop(drive);
    let mut drive = tape.known();
    drive.rewind().expect("rewinds");
    let stops: Vec<_> = (0..5)
        .map(|_| read(&mut drive, 10).expect("reads").stop)
        .collect();
    assert_eq!(
        stops,
        [
            None,
            Some(Stop::Setmark),
            None,
            Some(Stop::Filemark),
            Some(Stop::EndOfData)
        ]
    );
    for (unit, from, count, done, stop, behind) in [
        (SpaceUnit::Blocks, 0, 5, 1, Some(Stop::Setmark), 2),
        (SpaceUnit::Blocks, 3, -5, 1, Some(Stop::Setmark), 1),
        (SpaceUnit::Filemarks, 0, 1, 0, Some(Stop::Setmark), 2),
        (SpaceUnit::Filemarks, 2, 1, 1, None, 4),
        (SpaceUnit::Setmarks, 0, 1, 1, None, 2),
        (SpaceUnit::Setmarks, 0, 2, 1, Some(Stop::EndOfData), 4),
        (SpaceUnit::Setmarks, 4, -1, 1, None, 1),
        (
            SpaceUnit::Setmarks,
            4,
            -2,
            1,
            Some(Stop::BeginningOfPartition),
            0,
        ),
        (
            SpaceUnit::Setmarks,
            0,
            -1,
            0,
            Some(Stop::BeginningOfPartition),
            0,
        ),
    ] {
        drive.rewind().expect("rewinds");
        drive.locate(to(from)).expect("it is there");
        let moved = drive.space(unit, count).expect("moves");
        assert_eq!(
            (moved.count, moved.stop, moved.position.object.0),
            (done, stop, behind),
            "{count} {unit:?} from {from}"
        );
        assert_eq!(object(&mut drive), behind);
    }
}

#[test]
fn a_drive_without_setmarks_refuses_them() {
    let mut drive = Tape::generic().known();
    for failed in [
        drive
            .write_marks(Mark::Setmark, 1, WriteMode::Commit)
            .expect_err("it has none"),
        drive
            .space(SpaceUnit::Setmarks, 1)
            .expect_err("it has none"),
    ] {
        assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(0)));
    }
}

#[test]
fn going_behind_the_end_of_data_ends_there() {
    for tape in [Tape::generic(), counted()] {
        let mut drive = tape.known();
        drive.rewind().expect("rewinds");
        write(&mut drive, 10);
        write(&mut drive, 10);
        for object in [3, u64::MAX] {
            let done = drive.locate(to(object)).expect("goes as far as it can");
            assert_eq!(
                (done.count, done.stop, done.position.object.0),
                (0, Some(Stop::EndOfData), 2)
            );
        }
        let done = drive.locate(to(2)).expect("it is there");
        assert_eq!((done.stop, done.position.object.0), (None, 2));
    }
}
