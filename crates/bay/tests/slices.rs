//! Long work ends with whoever asked for it, and blocks nobody who only wants to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use nix::errno::Errno;
use pseudotape_bay::{SLICE_MARKS, Sliced, StTape};
use pseudotape_drive::Personality;
use pseudotape_mtio::Operation;
use pseudotape_st::{AccessMode, OpenFlags};
use pseudotape_tape::{Bare, Door, Drive, Mark, Sense, Stop, Transfer, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive};

const READ_WRITE: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: false,
};

fn drive(capacity_bytes: Option<u64>) -> ModelDrive {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge {
        capacity_bytes,
        ..ModelCartridge::default()
    });
    drive.clear_attention();
    drive
}

/// Says yes so many times, and then no.
fn patience(times: u32) -> impl Fn() -> bool + Send + Sync + 'static {
    let asked = AtomicU32::new(0);
    move || asked.fetch_add(1, Ordering::SeqCst) < times
}

#[test]
fn a_count_that_is_wanted_to_the_end_is_written_to_the_end() {
    for count in [1, SLICE_MARKS, SLICE_MARKS + 1, 2 * SLICE_MARKS + 7] {
        let (mut drive, wanted) = (drive(None), patience(9));
        let done = Sliced::new(&mut drive, &wanted)
            .write_marks(Mark::Filemark, count, WriteMode::Commit)
            .unwrap();
        assert_eq!((done.count, done.stop), (count.into(), None), "{count}");
        assert_eq!(done.position.object.0, u64::from(count));
    }
}

#[test]
fn one_slice_asks_nobody_and_the_next_one_does() {
    for (count, written) in [
        (SLICE_MARKS, SLICE_MARKS),
        (SLICE_MARKS + 1, SLICE_MARKS),
        (u32::MAX, SLICE_MARKS),
    ] {
        let (mut drive, wanted) = (drive(None), patience(0));
        let done = Sliced::new(&mut drive, &wanted)
            .write_marks(Mark::Filemark, count, WriteMode::Commit)
            .unwrap();
        assert_eq!((done.count, done.stop), (written.into(), None), "{count}");
    }
}

#[test]
fn the_end_of_the_tape_ends_any_count() {
    let capacity = 64 * u64::from(SLICE_MARKS) * 2;
    let (mut drive, wanted) = (drive(Some(capacity)), patience(99));
    let done = Sliced::new(&mut drive, &wanted)
        .write_marks(Mark::Filemark, 0x00ff_ffff, WriteMode::Commit)
        .unwrap();
    assert_eq!(done.stop, Some(Stop::EndOfPartition));
    assert_eq!(done.count, 2 * u64::from(SLICE_MARKS) + 1024);
}

#[test]
fn a_client_that_hangs_up_ends_its_marks_and_the_position_is_right() {
    let tape = StTape::new("tape", Box::new(Bare(drive(None))));
    let client = tape.clone().for_client("a client", Arc::new(patience(2)));
    let open = client.open(false, READ_WRITE).unwrap();
    open.operate(Operation::Rewind, 1).unwrap();
    let failed = open.operate(Operation::WriteFilemarks, i32::MAX);
    assert_eq!(failed, Err(Errno::EIO));
    let status = open.status().unwrap();
    assert_eq!(
        (status.file, status.block),
        (3 * SLICE_MARKS.cast_signed(), 0)
    );
    assert_eq!(open.object().unwrap(), 3 * u64::from(SLICE_MARKS));
    open.close().unwrap();
    // The drive is free for the next one.
    let open = tape.open(false, READ_WRITE).unwrap();
    assert_eq!(open.operate(Operation::WriteFilemarks, 1), Ok(()));
}

#[test]
fn while_one_client_is_at_work_another_one_is_told_busy_and_does_not_wait() {
    let tape = StTape::new("tape", Box::new(Bare(drive(None))));
    let (began, has_begun) = channel();
    let (go_on, may_go_on) = channel();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let client = tape.clone().for_client(
        "a client",
        Arc::new(move || {
            began.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap()
        }),
    );
    let open = client.open(false, READ_WRITE).unwrap();
    let work = std::thread::spawn(move || {
        let result = open.operate(Operation::WriteFilemarks, i32::MAX);
        open.close().unwrap();
        result
    });
    has_begun.recv().unwrap();
    let refused = tape.open(false, READ_WRITE).map(drop);
    assert_eq!(refused, Err(Errno::EBUSY));
    go_on.send(false).unwrap();
    assert_eq!(work.join().unwrap(), Err(Errno::EIO));
    tape.open(false, READ_WRITE).unwrap().close().unwrap();
}

/// All but long counts goes to the drive as it is.
#[test]
fn what_is_not_sliced_is_handed_on() {
    let mut empty = ModelDrive::new(Personality::default());
    let wanted = patience(0);
    let failed = Sliced::new(&mut empty, &wanted).test_ready().unwrap_err();
    assert_eq!(failed.sense, Sense::NoMedium);

    let mut drive = drive(Some(1 << 20));
    drive.recover();
    drive.recover();
    let mut sliced = Sliced::new(&mut drive, &wanted);
    sliced.test_ready().unwrap();
    assert_eq!(sliced.take_recovered(), 2);
    sliced.set_door(Door::Locked).unwrap();
    sliced.write(Transfer::Variable, &[1; 1000]).unwrap();
    let capacity = sliced.capacity().unwrap();
    assert_eq!(capacity.used_bytes, 1000);
    assert_eq!(drive.door(), Door::Locked);
}

#[test]
fn a_client_is_told_how_much_of_its_block_was_written() {
    let tape = StTape::new("tape", Box::new(Bare(drive(None))));
    let client = tape.for_client("a client", Arc::new(patience(2)));
    let open = client.open(false, READ_WRITE).unwrap();
    open.operate(Operation::Rewind, 1).unwrap();
    assert_eq!(open.write(&[7; 2000]), Ok(2000));
}
