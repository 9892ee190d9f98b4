//! The mode, the door, loading, and the state in which a node is left.

mod common;

use common::{Call, Tape, at, object, read, write};
use nix::errno::Errno;
use pseudotape_drive::Personality;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Door, Drive, Failed, LoadKind, ModeSelect, Sense, Stop};
use pseudotape_testkit::SuiteMedium;

#[test]
fn every_close_is_quiet_and_the_node_is_given_back_as_it_was() {
    let tape = Tape::generic();
    tape.world()
        .drive
        .set_mode(ModeSelect {
            block_size: Some(512),
            ..ModeSelect::default()
        })
        .expect("a mode it knows");
    let mut drive = tape.drive();
    assert_eq!(drive.mode().expect("a mode").block_size, 0);
    drive.set_door(Door::Locked).expect("it has a door");
    write(&mut drive, 10);
    tape.take_operations();
    drop(drive);
    assert_eq!(
        tape.take_operations(),
        [
            (Operation::WriteFilemarks, 0),
            (Operation::SetBlockSize, 512),
            (Operation::Unlock, 1),
            (Operation::Tell, 0),
        ]
    );
    let mode = tape.world().drive.mode().expect("a mode");
    assert_eq!(mode.block_size, 512);
    // A drive that changed nothing restores nothing.
    tape.world()
        .drive
        .set_mode(ModeSelect {
            block_size: Some(0),
            ..ModeSelect::default()
        })
        .expect("a mode it knows");
    let drive = tape.known();
    drop(drive);
    assert_eq!(tape.take_operations(), [(Operation::Tell, 0)]);
}

#[test]
fn no_write_leaves_a_filemark_to_the_close() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    drop(drive);
    let mut drive = tape.known();
    assert_eq!(object(&mut drive), 1, "no filemark behind the block");
    drive.rewind().expect("rewinds");
    read(&mut drive, 10).expect("the block");
    assert_eq!(
        read(&mut drive, 10).expect("reads").stop,
        Some(Stop::EndOfData)
    );
}

#[test]
fn a_mode_is_taken_whole_or_not_at_all() {
    let tape = Tape::new(
        Personality::named("scsi_debug").expect("a personality"),
        SuiteMedium::default(),
    );
    let mut drive = tape.drive();
    let good = ModeSelect {
        block_size: Some(1024),
        density: Some(7),
        buffering: Some(2),
        compression: Some(true),
    };
    let before = drive.mode().expect("a mode");
    assert_eq!((before.block_size, before.buffering), (0, 1));
    assert_eq!(before.compression, None);
    let refused = [
        ModeSelect {
            block_size: Some(510),
            ..good
        },
        ModeSelect {
            block_size: Some(u32::MAX),
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
    ];
    for change in refused {
        let failed = drive.set_mode(change).expect_err("a part is refused");
        assert_eq!(failed.sense, Sense::IllegalRequest, "{change:?}");
        assert_eq!(drive.mode().expect("a mode"), before, "{change:?}");
    }
    tape.refuse(Call::Operate(Operation::Compression), Errno::EIO);
    let failed = drive.set_mode(good).expect_err("a part is refused");
    assert_eq!(failed.sense, Sense::IllegalRequest);
    assert_eq!(drive.mode().expect("a mode"), before);
    drive.set_mode(good).expect("all of it is taken");
    let mode = drive.mode().expect("a mode");
    assert_eq!(
        (
            mode.block_size,
            mode.density,
            mode.buffering,
            mode.compression
        ),
        (1024, 7, 2, Some(true))
    );
    // The node itself stays in variable block mode.
    assert_eq!(tape.world().drive.mode().expect("a mode").block_size, 0);
    drive
        .set_mode(ModeSelect {
            buffering: Some(7),
            ..ModeSelect::default()
        })
        .expect("the most there is");
    let mode = drive.mode().expect("a mode");
    assert_eq!((mode.block_size, mode.buffering), (1024, 7));
}

#[test]
fn a_locked_door_keeps_the_medium() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    write(&mut drive, 10);
    drive.set_door(Door::Locked).expect("it has a door");
    assert_eq!(tape.world().drive.door(), Door::Locked);
    let failed = drive.unload().expect_err("the door is locked");
    assert_eq!((failed.sense, at(failed)), (Sense::IllegalRequest, Some(1)));
    drive.set_door(Door::Unlocked).expect("it has a door");
    assert_eq!(tape.world().drive.door(), Door::Unlocked);
    drive.unload().expect("nothing keeps it");
    tape.refuse(Call::Operate(Operation::Lock), Errno::EINVAL);
    let failed = drive.set_door(Door::Locked).expect_err("refused");
    assert_eq!(failed.sense, Sense::IllegalRequest);
}

#[test]
fn loading_and_retensioning_end_at_the_beginning() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    for (kind, asked) in [
        (LoadKind::Load, Operation::Load),
        (LoadKind::Retension, Operation::Retension),
    ] {
        write(&mut drive, 10);
        tape.take_operations();
        let done = drive.load(kind).expect("it is loaded");
        assert_eq!((done.count, done.position.object.0), (0, 0));
        assert_eq!(tape.take_operations().first().map(|op| op.0), Some(asked));
    }
    // A medium that is not loaded is loaded by either kind of load.
    drive.unload().expect("nothing keeps it");
    tape.take_operations();
    drive.load(LoadKind::Retension).expect("it comes back");
    assert_eq!(
        tape.take_operations().first().map(|op| op.0),
        Some(Operation::Load)
    );
    tape.refuse(Call::Operate(Operation::Load), Errno::ENOMEDIUM);
    let failed = drive.load(LoadKind::Load).expect_err("nothing to load");
    assert_eq!(failed, Failed::at(Sense::NoMedium, None));
}

#[test]
fn recovered_errors_are_counted_until_they_are_told() {
    let tape = Tape::generic();
    let mut drive = tape.known();
    assert_eq!(drive.take_recovered(), 0);
    tape.world().status = Some(|status| status.recovered_errors = 2);
    drive.mode().expect("a mode");
    drive.mode().expect("a mode");
    assert_eq!(drive.take_recovered(), 4);
    tape.mend();
    drive.mode().expect("a mode");
    assert_eq!(drive.take_recovered(), 0);
}
