//! A volume takes the place of another one: every call to the host fails once, the program dies before every call,
//! and others put files in its way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pseudotape_image::{Access, CreateParameters, Uuid, VolumeId};
use pseudotape_tape::{Drive, Failed, Mark, Partitioning, Sense, Transfer, Volume, WriteMode};

use crate::host::hook;
use crate::{Cartridge, FileMedium, ImageDrive, Overrides, Personality};

/// What happens before a call to the host.
enum Fate {
    Fails,
    Dies,
    Meets(Box<dyn FnOnce()>),
}

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static FATE: RefCell<Option<(usize, Fate)>> = const { RefCell::new(None) };
}

/// Lets happen what a test wants to happen before this call.
fn before_call() -> io::Result<()> {
    let number = CALLS.replace(CALLS.get() + 1);
    let due = FATE.take_if(|(at, _)| *at == number);
    match due {
        None => Ok(()),
        Some((_, Fate::Fails)) => Err(io::ErrorKind::StorageFull.into()),
        Some((_, Fate::Dies)) => panic!("dies before call {number}"),
        Some((_, Fate::Meets(act))) => {
            act();
            Ok(())
        }
    }
}

trait TakeIf<T> {
    fn take_if(&'static self, due: impl FnOnce(&T) -> bool) -> Option<T>;
}

impl<T> TakeIf<T> for std::thread::LocalKey<RefCell<Option<T>>> {
    fn take_if(&'static self, due: impl FnOnce(&T) -> bool) -> Option<T> {
        self.with_borrow_mut(|kept| match kept.as_ref().is_some_and(due) {
            true => kept.take(),
            false => None,
        })
    }
}

fn plan(at: usize, fate: Fate) {
    CALLS.set(0);
    hook::set(before_call);
    FATE.set(Some((at, fate)));
}

/// Whether what was planned has happened; forgets it.
fn happened() -> bool {
    FATE.take().is_none()
}

/// From how many partitions to what.
const CHANGES: [(u8, Partitioning); 3] = [
    (1, Partitioning::SecondOf(1)),
    (2, Partitioning::SecondOf(1)),
    (2, Partitioning::Single),
];

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Place { folder }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("a.ptape")
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        entries
            .map(|entry| {
                let name = entry.expect("an entry").file_name();
                name.into_string().expect("names of tests are text")
            })
            .collect()
    }
}

fn held(cartridge: Cartridge<FileMedium>) -> ImageDrive<FileMedium> {
    let personality = Personality {
        max_partitions: 4,
        ..Personality::default()
    };
    let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

/// A new cartridge of so many partitions with three blocks and a mark in the first one, all committed.
fn recorded(path: &Path, partitions: u8) -> ImageDrive<FileMedium> {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    parameters.header.capacity_bytes = Some(8 << 20);
    let medium = FileMedium::new(path, Access::ReadWrite);
    let mut drive = held(Cartridge::create(medium, &parameters).expect("a new image"));
    if partitions == 2 {
        drive
            .make_partitions(Partitioning::SecondOf(1))
            .expect("room for two");
    }
    for block in [[1; 500], [2; 500], [3; 500]] {
        drive.write(Transfer::Variable, &block).expect("a block");
    }
    drive
        .write_marks(Mark::Filemark, 1, WriteMode::Commit)
        .expect("a mark");
    drive
}

fn opened(path: &Path, access: Access) -> ImageDrive<FileMedium> {
    let opened = Cartridge::open(FileMedium::new(path, access));
    held(opened.unwrap_or_else(|error| panic!("{error}")).0)
}

/// Whether the three blocks are there; else the tape must be blank.
fn has_old_blocks(drive: &mut ImageDrive<FileMedium>) -> bool {
    drive.rewind().expect("rewinds");
    let mut buffer = [0; 500];
    for number in 1..=3 {
        let read = drive
            .read(Transfer::Variable, &mut buffer)
            .expect("a block or the end");
        if number == 1 && read.bytes == 0 {
            return false;
        }
        assert_eq!(buffer, [number; 500]);
    }
    true
}

fn partition_count(drive: &mut ImageDrive<FileMedium>) -> u8 {
    drive.mode().expect("a mode").last_partition + 1
}

fn count_after(partitioning: Partitioning) -> u8 {
    match partitioning {
        Partitioning::Single => 1,
        Partitioning::SecondOf(_) | Partitioning::FirstOf(_) => 2,
    }
}

fn names_of(count: u8) -> BTreeSet<String> {
    let names = ["a.ptape", "a.ptape.p1"];
    names[..count.into()]
        .iter()
        .map(|name| (*name).into())
        .collect()
}

/// The tape takes records, keeps them, and can be partitioned; nothing else lies beside it then.
fn is_sound(place: &Place) {
    let mut drive = opened(&place.image(), Access::ReadWrite);
    drive
        .write(Transfer::Variable, &[9; 100])
        .expect("takes a block");
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("can be partitioned");
    Box::new(drive).finish().expect("closes");
    assert_eq!(place.names(), names_of(2));
    assert_eq!(
        partition_count(&mut opened(&place.image(), Access::ReadOnly)),
        2
    );
}

#[test]
fn a_call_that_fails_changes_nothing_or_harms_nothing() {
    for (before, partitioning) in CHANGES {
        let mut refused = 0;
        for call in 0.. {
            let place = Place::new();
            let mut drive = recorded(&place.image(), before);
            let names = place.names();
            plan(call, Fate::Fails);
            let answer = drive.make_partitions(partitioning);
            if !happened() {
                answer.expect("nothing failed");
                assert_eq!(place.names(), names_of(count_after(partitioning)));
                assert!(refused >= 5, "{refused}");
                break;
            }
            let is_old = answer.is_err();
            if let Err(failed) = answer {
                refused += 1;
                assert_eq!(failed.sense, Sense::HardwareError);
                let trouble = drive.take_trouble().expect("more than a sense says");
                assert!(trouble.contains("a.ptape"), "{trouble}");
                assert_eq!(place.names(), names, "call {call}");
            }
            let count = if is_old {
                before
            } else {
                count_after(partitioning)
            };
            assert_eq!(partition_count(&mut drive), count, "call {call}");
            assert_eq!(has_old_blocks(&mut drive), is_old, "call {call}");
            // It goes on where it is.
            drive.space_to_end_of_data().expect("moves");
            drive.write(Transfer::Variable, &[8; 50]).expect("a block");
            Box::new(drive).finish().expect("closes");
            let mut again = opened(&place.image(), Access::ReadOnly);
            assert_eq!(partition_count(&mut again), count, "call {call}");
            if is_old {
                assert!(has_old_blocks(&mut again), "call {call}");
            }
            drop(again);
            is_sound(&place);
        }
    }
}

#[test]
fn who_dies_at_a_call_leaves_the_old_volume_or_the_new_one() {
    for (before, partitioning) in CHANGES {
        let (mut old, mut new) = (0, 0);
        for call in 0.. {
            let place = Place::new();
            let mut drive = recorded(&place.image(), before);
            plan(call, Fate::Dies);
            let died = catch_unwind(AssertUnwindSafe(|| drive.make_partitions(partitioning)));
            // What a dead program leaves: nothing is finished.
            drop(drive);
            if !happened() {
                died.expect("it lives").expect("nothing failed");
                assert!(old >= 4 && new >= 2, "{old} {new}");
                break;
            }
            // A reader finds what a writer finds, and moves nothing.
            let names = place.names();
            let mut reader = opened(&place.image(), Access::ReadOnly);
            let is_old = has_old_blocks(&mut reader);
            let count = if is_old {
                before
            } else {
                count_after(partitioning)
            };
            assert_eq!(partition_count(&mut reader), count, "call {call}");
            drop(reader);
            assert_eq!(place.names(), names, "call {call}");
            let mut drive = opened(&place.image(), Access::ReadWrite);
            assert_eq!(has_old_blocks(&mut drive), is_old, "call {call}");
            assert_eq!(partition_count(&mut drive), count, "call {call}");
            old += u32::from(is_old);
            new += u32::from(!is_old);
            drop(drive);
            is_sound(&place);
        }
    }
}

#[test]
fn a_file_that_comes_under_the_name_at_any_moment_stays() {
    for (before, partitioning) in CHANGES {
        for call in 0.. {
            let place = Place::new();
            let mut drive = recorded(&place.image(), before);
            let (image, away) = (place.image(), place.folder.path().join("away"));
            plan(
                call,
                Fate::Meets(Box::new(move || {
                    fs::rename(&image, &away).expect("renames");
                    fs::write(&image, "somebody else's").expect("a file");
                })),
            );
            let answer = drive.make_partitions(partitioning);
            if !happened() {
                answer.expect("nothing was in the way");
                break;
            }
            let found = fs::read(place.image()).expect("a file");
            assert_eq!(found, b"somebody else's", "call {call}");
            assert!(place.folder.path().join("away").exists());
        }
    }
}

fn refused(drive: &mut ImageDrive<FileMedium>, partitioning: Partitioning, named: &str) {
    let Err(Failed { sense, .. }) = drive.make_partitions(partitioning) else {
        panic!("{named} is not of this volume")
    };
    assert_eq!(sense, Sense::HardwareError);
    let trouble = drive.take_trouble().expect("more than a sense says");
    assert!(
        trouble.contains(named) && trouble.contains("not of the volume"),
        "{trouble}"
    );
    assert!(has_old_blocks(drive));
}

#[test]
fn a_partition_of_another_volume_is_left_alone() {
    let place = Place::new();
    let mut drive = recorded(&place.image(), 1);
    let second = place.folder.path().join("a.ptape.p1");
    fs::write(&second, "somebody else's").expect("a file");
    refused(&mut drive, Partitioning::SecondOf(1), "a.ptape.p1");
    assert_eq!(fs::read(&second).expect("a file"), b"somebody else's");
    assert_eq!(place.names(), names_of(2));
    // Without a second partition nothing is in the way.
    drive.make_partitions(Partitioning::Single).expect("blank");
    assert_eq!(fs::read(&second).expect("a file"), b"somebody else's");
}

#[test]
fn a_second_partition_that_was_replaced_is_left_alone() {
    let place = Place::new();
    let mut drive = recorded(&place.image(), 2);
    let second = place.folder.path().join("a.ptape.p1");
    fs::rename(&second, place.folder.path().join("away")).expect("renames");
    fs::write(&second, "somebody else's").expect("a file");
    refused(&mut drive, Partitioning::Single, "a.ptape.p1");
    assert_eq!(fs::read(&second).expect("a file"), b"somebody else's");
}

#[test]
fn another_volume_under_the_old_name_is_left_alone() {
    let place = Place::new();
    let mut drive = recorded(&place.image(), 1);
    fs::rename(place.image(), place.folder.path().join("away")).expect("renames");
    let other = recorded(&place.image(), 1);
    let bytes = fs::read(place.image()).expect("a file");
    refused(&mut drive, Partitioning::SecondOf(1), "a.ptape");
    drop(other);
    assert_eq!(fs::read(place.image()).expect("a file"), bytes);
}

#[test]
fn a_folder_that_was_swapped_is_left_alone() {
    let top = tempfile::tempdir().expect("a folder");
    let (real, other) = (top.path().join("real"), top.path().join("other"));
    let link = top.path().join("link");
    for folder in [&real, &other] {
        fs::create_dir(folder).expect("a folder");
    }
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    let mut drive = recorded(&link.join("a.ptape"), 1);
    for name in ["a.ptape", "a.ptape.p1"] {
        fs::write(other.join(name), "root's").expect("a file");
    }
    fs::remove_file(&link).expect("the link goes");
    std::os::unix::fs::symlink(&other, &link).expect("a link");
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("room for two");
    for name in ["a.ptape", "a.ptape.p1"] {
        assert_eq!(fs::read(other.join(name)).expect("a file"), b"root's");
    }
    Box::new(drive).finish().expect("closes");
    assert_eq!(
        partition_count(&mut opened(&real.join("a.ptape"), Access::ReadOnly)),
        2
    );
}

#[test]
fn a_link_to_an_image_stays_a_link() {
    let place = Place::new();
    Box::new(recorded(&place.image(), 1))
        .finish()
        .expect("closes");
    let shelf = tempfile::tempdir().expect("a folder");
    let link = shelf.path().join("monday");
    std::os::unix::fs::symlink(place.image(), &link).expect("a link");
    let mut drive = opened(&link, Access::ReadWrite);
    drive
        .make_partitions(Partitioning::SecondOf(1))
        .expect("room for two");
    Box::new(drive).finish().expect("closes");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(place.names(), names_of(2));
    for path in [&link, &place.image()] {
        assert_eq!(partition_count(&mut opened(path, Access::ReadWrite)), 2);
    }
}
