//! PT-18: the mirror dies between two legs' writes, and the disk of a leg fails: every leg holds an exact
//! beginning of what was written, and a resync brings them together.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Error, Uuid, VolumeId};
use pseudotape_mirror::{Class, LegOptions, LegState, MirrorDrive, MirrorOptions, NewLeg, Rest};
use pseudotape_tape::{
    Address, Drive, Mark, Noted, ObjectNumber, Sense, Stop, Transfer, Volume, WriteMode,
};
use pseudotape_testkit::block_of;
use pseudotape_testkit::store::{FaultyStore, StoreFault, Survival, after_power_loss};

use support::job::{BLOCK, NAMES, blocks, commit, locate, lost_from, marks, with_legs, write};
use support::{Object, contents};

/// A medium of one partition in a store that the test looks at.
#[derive(Clone)]
struct Watchful(FaultyStore);

impl Medium for Watchful {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }
}

/// An image as a leg, with its mark.
struct ImageLeg(ImageDrive<Watchful>);

impl ImageLeg {
    fn with(cartridge: Cartridge<Watchful>) -> Self {
        let mut drive = ImageDrive::new(Personality::default(), "LEG".into(), Overrides::default());
        assert!(drive.insert(cartridge).is_ok());
        ImageLeg(drive)
    }

    fn create(store: &FaultyStore) -> Self {
        let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
        parameters.header.early_warning_bytes = 0;
        let medium = Watchful(store.clone());
        ImageLeg::with(Cartridge::create(medium, &parameters).expect("an image"))
    }

    /// What a process finds that opens the file afterwards.
    fn open(bytes: &[u8]) -> Self {
        use pseudotape_image::Store;
        let mut store = FaultyStore::default();
        store.write_at(bytes, 0).expect("memory");
        let opened = Cartridge::open(Watchful(store)).expect("an image that was written");
        ImageLeg::with(opened.0)
    }

    fn new_leg(self, name: &str, class: Class) -> NewLeg {
        NewLeg {
            options: LegOptions {
                class,
                ..LegOptions::named(name)
            },
            drive: Box::new(self.0),
        }
    }
}

/// One step of a job, and how far the stores of the legs were after it.
struct Moment {
    objects: Vec<Object>,
    actions: Vec<usize>,
}

/// Writes, marks, commits, overwrites in the middle; the moments between the operations.
fn job(stores: &[FaultyStore]) -> Vec<Moment> {
    let new = stores
        .iter()
        .zip(NAMES)
        .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Required));
    let mut mirror = with_legs(MirrorOptions::default(), new.collect());
    let mut objects = Vec::new();
    let mut moments = Vec::new();
    let mut note = |objects: &[Object]| {
        moments.push(Moment {
            objects: objects.to_vec(),
            actions: stores.iter().map(FaultyStore::log_length).collect(),
        });
    };
    note(&objects);
    for number in 0..14 {
        match number {
            3 | 7 => {
                marks(&mut mirror, 1, WriteMode::Commit).unwrap();
                objects.push(Object::Mark(Mark::Filemark));
            }
            5 | 12 => commit(&mut mirror).unwrap(),
            9 => {
                // Over what was committed.
                locate(&mut mirror, 2).unwrap();
                objects.truncate(2);
                write(&mut mirror, number).unwrap();
                objects.push(Object::Block(block_of(number, BLOCK)));
            }
            _ => {
                write(&mut mirror, number).unwrap();
                objects.push(Object::Block(block_of(number, BLOCK)));
            }
        }
        note(&objects);
    }
    // The process is gone, with nothing closed.
    std::mem::forget(mirror);
    moments
}

fn found(bytes: &[u8]) -> Vec<Object> {
    contents(&mut ImageLeg::open(bytes).0)
}

/// At every point of one leg's writes, combined with every point of the other's in the same operation.
#[test]
fn killed_at_any_point_each_leg_holds_what_was_acknowledged_and_a_resync_joins_them() {
    let stores = [FaultyStore::default(), FaultyStore::default()];
    let moments = job(&stores);
    let logs = [stores[0].log(), stores[1].log()];
    let (mut deaths, mut resyncs) = (0, 0);
    for pair in moments.windows(2) {
        let [before, after] = pair else {
            unreachable!("windows of two")
        };
        // What one operation made: nothing, all, or all it cut off.
        let mut cut = after.objects.clone();
        cut.pop();
        let points = |leg: usize| before.actions[leg]..=after.actions[leg];
        for first in points(0) {
            for second in points(1) {
                deaths += 1;
                let disks = [
                    after_power_loss(&logs[0], first, Survival::All),
                    after_power_loss(&logs[1], second, Survival::All),
                ];
                for disk in &disks {
                    let found = found(disk);
                    assert!(
                        found == before.objects || found == after.objects || found == cut,
                        "actions {first} and {second}"
                    );
                }
                resyncs += u32::from(bring_together(&disks));
            }
        }
    }
    println!("{deaths} deaths, {resyncs} resyncs");
    assert!(deaths > 50 && resyncs > 10);
}

/// What the daemon's operator does afterwards. Says whether there was something to do.
fn bring_together(disks: &[Vec<u8>; 2]) -> bool {
    let expected = found(&disks[0]);
    let new = disks
        .iter()
        .zip(NAMES)
        .map(|(disk, name)| ImageLeg::open(disk).new_leg(name, Class::Required));
    let mut mirror = with_legs(MirrorOptions::default(), new.collect());
    let differ = mirror.refusal().is_some();
    assert_eq!(differ, found(&disks[1]) != expected);
    if differ {
        assert_eq!(mirror.trust("a", Rest::MayGo).unwrap(), ["b"]);
        assert!(mirror.test_ready().is_err(), "the report of new volumes");
        mirror.resync("b").unwrap();
    }
    let mut both = both(mirror);
    assert_eq!(both.pop().as_ref(), Some(&expected));
    assert_eq!(both.pop().as_ref(), Some(&expected));
    differ
}

/// What the legs of a mirror hold, by reading one after the other.
fn both(mut mirror: MirrorDrive) -> Vec<Vec<Object>> {
    let names: Vec<_> = mirror.legs().map(|(o, _)| o.name.clone()).collect();
    assert!(names.iter().all(|name| lost_from(&mirror, name).is_none()));
    let first = contents(&mut mirror);
    mirror.drop_leg(&names[0]).unwrap();
    let second = contents(&mut mirror);
    vec![first, second]
}

#[test]
fn after_the_power_went_each_leg_holds_a_beginning_with_all_that_was_committed() {
    let stores = [FaultyStore::default(), FaultyStore::default()];
    let new = stores
        .iter()
        .zip(NAMES)
        .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Required));
    let mut mirror = with_legs(MirrorOptions::default(), new.collect());
    let mut committed = vec![(stores.each_ref().map(FaultyStore::log_length), 0)];
    for number in 0..12 {
        write(&mut mirror, number).unwrap();
        if number % 4 == 3 {
            commit(&mut mirror).unwrap();
            committed.push((stores.each_ref().map(FaultyStore::log_length), number + 1));
        }
    }
    std::mem::forget(mirror);
    let whole = blocks(0..12);
    for (leg, store) in stores.iter().enumerate() {
        let log = store.log();
        for count in committed[0].0[leg]..=log.len() {
            let sure = committed.iter().rev().find(|(at, _)| at[leg] <= count);
            let sure = usize::try_from(sure.unwrap().1).unwrap();
            let survivals = (0..6).map(Survival::Any);
            for survival in [Survival::None, Survival::Torn(100)]
                .into_iter()
                .chain(survivals)
            {
                let found = found(&after_power_loss(&log, count, survival));
                assert!(
                    whole.starts_with(&found),
                    "leg {leg}, {count}, {survival:?}"
                );
                assert!(found.len() >= sure, "leg {leg}, {count}, {survival:?}");
            }
        }
    }
}

/// The disk of a leg fails: an image says on itself since where it is no copy, until it is one again.
#[test]
fn an_image_whose_disk_fails_is_marked_until_it_is_resynced() {
    for fault in [StoreFault::Write(5), StoreFault::Sync] {
        let stores = [FaultyStore::default(), FaultyStore::default()];
        let new = stores
            .iter()
            .zip(NAMES)
            .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
        let mut mirror = with_legs(MirrorOptions::default(), new.collect());
        write(&mut mirror, 0).unwrap();
        commit(&mut mirror).unwrap();
        stores[1].set_fault(Some(fault));
        (1..9).for_each(|number| write(&mut mirror, number).unwrap());
        commit(&mut mirror).unwrap();
        let from = lost_from(&mirror, "b").expect("it is out of step");
        assert!((1..9).contains(&from), "{fault:?}: {from}");
        let mut legs = mirror.legs();
        let LegState::OutOfStep { reason, .. } = legs.nth(1).unwrap().1.state() else {
            panic!("it is out of step");
        };
        drop(legs);
        assert!(reason.contains("injected"), "{reason}");
        stores[1].set_fault(None);
        // An image that could not commit is opened anew: what it holds is looked at, and not believed.
        let medium = Watchful(stores[1].clone());
        let again = ImageLeg::with(Cartridge::open(medium).unwrap().0);
        let again = again.new_leg("b", Class::Spare);
        let resynced = mirror.return_leg("b", Some(again)).unwrap();
        assert!(resynced.common >= from, "{resynced:?}");
        for (_, _, leg) in mirror.eject() {
            leg.finish().unwrap();
        }
        for store in &stores {
            let mut leg = ImageLeg::open(&store.bytes());
            assert_eq!(leg.0.noted(), Noted::Mirrored);
            assert_eq!(contents(&mut leg.0), blocks(0..9));
        }
    }
}

#[test]
fn the_mark_of_an_image_outlives_the_mirror() {
    let stores = [FaultyStore::default(), FaultyStore::default()];
    let new = stores
        .iter()
        .zip(NAMES)
        .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
    let mut mirror = with_legs(MirrorOptions::default(), new.collect());
    (0..3).for_each(|number| write(&mut mirror, number).unwrap());
    mirror.drop_leg("b").unwrap();
    write(&mut mirror, 3).unwrap();
    std::mem::forget(mirror);
    let mut leg = ImageLeg::open(&stores[1].bytes());
    assert_eq!(leg.0.noted(), Noted::NotMirroredFrom(ObjectNumber(3)));
    assert_eq!(contents(&mut leg.0), blocks(0..3));
}

/// A full disk is an end of the tape like any other: for all legs, and nothing is lost.
#[test]
fn a_disk_that_is_full_ends_the_volume_for_all() {
    for full in 0..2 {
        let stores = [FaultyStore::default(), FaultyStore::default()];
        let new = stores
            .iter()
            .zip(NAMES)
            .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Required));
        let mut mirror = with_legs(MirrorOptions::default(), new.collect());
        stores[full].set_fault(Some(StoreFault::FullAt(40_000)));
        let mut count = 0;
        loop {
            let block = block_of(count, BLOCK);
            let done = mirror.write(Transfer::Variable, &block);
            let done = done.map_err(|failed: pseudotape_tape::Failed| failed.sense);
            let done = done.unwrap_or_else(|sense: Sense| panic!("{sense}"));
            count += done.count;
            if done.count == 0 {
                assert_eq!(done.stop, Some(Stop::EndOfPartition));
                break;
            }
            assert!(count < 100, "the disk is full");
        }
        stores[full].set_fault(None);
        assert!(count > 10);
        let both = both(mirror);
        assert_eq!(both[0], blocks(0..count));
        assert_eq!(both[1], both[0]);
    }
}

/// A resync that ends in the middle leaves a beginning, still marked, from which the next one goes on.
#[test]
fn a_resync_that_fails_can_be_done_again() {
    for failing in 0..12 {
        let stores = [FaultyStore::default(), FaultyStore::default()];
        let new = stores
            .iter()
            .zip(NAMES)
            .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
        let mut mirror = with_legs(MirrorOptions::default(), new.collect());
        (0..3).for_each(|number| write(&mut mirror, number).unwrap());
        mirror.drop_leg("b").unwrap();
        (3..9).for_each(|number| write(&mut mirror, number).unwrap());
        stores[1].set_fault(Some(StoreFault::Write(failing)));
        let first = mirror.resync("b");
        stores[1].set_fault(None);
        if first.is_err() {
            assert!(lost_from(&mirror, "b").is_some(), "write {failing}");
            let mut half = ImageLeg::open(&stores[1].bytes());
            assert_eq!(half.0.noted(), Noted::NotMirroredFrom(ObjectNumber(3)));
            assert!(blocks(0..9).starts_with(&contents(&mut half.0)));
        } else {
            assert!(failing > 5, "write {failing} is needed");
        }
        if first.is_err() {
            let medium = Watchful(stores[1].clone());
            let again = ImageLeg::with(Cartridge::open(medium).unwrap().0);
            let again = again.new_leg("b", Class::Spare);
            mirror.return_leg("b", Some(again)).unwrap();
        }
        write(&mut mirror, 9).unwrap();
        let both = both(mirror);
        assert_eq!(both, [blocks(0..10), blocks(0..10)], "write {failing}");
    }
}

/// PT-18: a mirror that is told to end gives a resync up. What is on the leg then is a beginning that says so, and the
/// next resync copies the rest.
#[test]
fn a_resync_ends_with_the_mirror() {
    let stores = [FaultyStore::default(), FaultyStore::default()];
    let new = stores
        .iter()
        .zip(NAMES)
        .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
    let mut mirror = with_legs(MirrorOptions::default(), new.collect());
    let ending = Arc::new(AtomicBool::new(false));
    mirror.ends_with(Arc::clone(&ending));
    (0..6).for_each(|number| write(&mut mirror, number).unwrap());
    mirror.drop_leg("b").unwrap();
    // More than is copied between two looks at whether to end.
    (6..2000).for_each(|number| write(&mut mirror, number).unwrap());
    ending.store(true, Ordering::SeqCst);
    let error = mirror.resync("b").unwrap_err().to_string();
    assert!(
        error.contains("the mirror ends before the resync"),
        "{error}"
    );
    assert_eq!(lost_from(&mirror, "b"), Some(6));
    let mut half = ImageLeg::open(&stores[1].bytes());
    assert_eq!(half.0.noted(), Noted::NotMirroredFrom(ObjectNumber(6)));
    let held = contents(&mut half.0);
    assert!(held.len() >= 6 && held.len() < 2000 && blocks(0..2000).starts_with(&held));
    ending.store(false, Ordering::SeqCst);
    let resynced = mirror.resync("b").unwrap();
    assert_eq!(resynced.common, held.len() as u64);
    assert_eq!(both(mirror), [blocks(0..2000), blocks(0..2000)]);
}

/// A resync that ends before it copied anything took nothing away. One that took something says so in the leg, too,
/// not only on the volume.
#[test]
fn a_resync_that_ends_says_what_it_took() {
    let stores = [FaultyStore::default(), FaultyStore::default()];
    let new = stores
        .iter()
        .zip(NAMES)
        .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
    let mut mirror = with_legs(MirrorOptions::default(), new.collect());
    let ending = Arc::new(AtomicBool::new(true));
    mirror.ends_with(Arc::clone(&ending));
    (0..4).for_each(|number| write(&mut mirror, number).unwrap());
    mirror.drop_leg("b").unwrap();
    // The same four objects, and a mark that says that all of them are right, though one is not.
    let other = FaultyStore::default();
    let mut leg = ImageLeg::create(&other);
    leg.0.clear_attention();
    for number in [0, 7, 2, 3] {
        let block = block_of(number, BLOCK);
        leg.0.write(Transfer::Variable, &block).unwrap();
    }
    leg.0.note_not_mirrored(Some(ObjectNumber(4))).unwrap();
    mirror
        .return_leg("b", Some(leg.new_leg("b", Class::Spare)))
        .unwrap_err();
    assert_eq!(lost_from(&mirror, "b"), Some(1));
    let noted = ImageLeg::open(&other.bytes()).0.noted();
    assert_eq!(noted, Noted::NotMirroredFrom(ObjectNumber(1)));
}

/// A volume whose mark says less than what a resync takes from it: whatever moment it is killed in, the mark covers
/// what was taken.
#[test]
fn a_resync_marks_what_it_takes_before_it_takes_it() {
    let mut taken = 0;
    for failing in 0..10 {
        let stores = [FaultyStore::default(), FaultyStore::default()];
        let new = stores
            .iter()
            .zip(NAMES)
            .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
        let mut mirror = with_legs(MirrorOptions::default(), new.collect());
        (0..6).for_each(|number| write(&mut mirror, number).unwrap());
        mirror.drop_leg("b").unwrap();
        let other = FaultyStore::default();
        let mut leg = ImageLeg::create(&other);
        leg.0.clear_attention();
        for number in [0, 101, 102, 103, 104, 105] {
            let block = block_of(number, BLOCK);
            leg.0.write(Transfer::Variable, &block).unwrap();
        }
        leg.0.note_not_mirrored(Some(ObjectNumber(5))).unwrap();
        let before = contents(&mut ImageLeg::open(&other.bytes()).0);
        other.set_fault(Some(StoreFault::Write(failing)));
        let returned = mirror.return_leg("b", Some(leg.new_leg("b", Class::Spare)));
        other.set_fault(None);
        let mut half = ImageLeg::open(&other.bytes());
        match returned {
            Ok(_) => assert_eq!(half.0.noted(), Noted::Mirrored, "write {failing}"),
            Err(_) if contents(&mut half.0) == before => {}
            Err(_) => {
                taken += 1;
                let noted = half.0.noted();
                assert_eq!(noted, Noted::NotMirroredFrom(ObjectNumber(1)), "{failing}");
            }
        }
    }
    assert!(taken > 1, "no resync ended in the middle");
}

/// Spoils a block on the disk of a leg.
fn spoil(store: &FaultyStore, number: u64) {
    use pseudotape_image::Store;
    let block = block_of(number, BLOCK);
    let bytes = store.bytes();
    let at = bytes.windows(BLOCK).position(|window| window == block);
    let at = at.expect("blocks stand in an image as they are") as u64;
    store
        .clone()
        .write_at(&[0x55; 16], at + 100)
        .expect("memory");
}

fn place(object: u64) -> Address {
    Address {
        partition: None,
        object: ObjectNumber(object),
    }
}

fn two_images() -> ([FaultyStore; 2], MirrorDrive) {
    let stores = [FaultyStore::default(), FaultyStore::default()];
    let new = stores
        .iter()
        .zip(NAMES)
        .map(|(store, name)| ImageLeg::create(store).new_leg(name, Class::Spare));
    let mirror = with_legs(MirrorOptions::default(), new.collect());
    (stores, mirror)
}

/// A leg that lacks the end has a block that the leg in step can't read: to copy from that block on would leave it
/// nowhere. Where the leg in step can read all that the other one holds, the end is copied.
#[test]
fn a_resync_leaves_what_the_leg_in_step_can_not_read() {
    for (spoilt, is_kept) in [(4, true), (9, true), (0, true), (10, false), (12, false)] {
        let (stores, mut mirror) = two_images();
        (0..10).for_each(|number| write(&mut mirror, number).unwrap());
        commit(&mut mirror).unwrap();
        mirror.drop_leg("b").unwrap();
        (10..13).for_each(|number| write(&mut mirror, number).unwrap());
        commit(&mut mirror).unwrap();
        spoil(&stores[0], spoilt);
        let error = mirror.resync("b").unwrap_err().to_string();
        assert!(error.contains(&format!("object {spoilt}")), "{error}");
        let mut after = ImageLeg::open(&stores[1].bytes());
        let held = contents(&mut after.0);
        if is_kept {
            assert!(error.contains("can't be read from leg a"), "{error}");
            assert!(error.contains("copy --damaged record"), "{error}");
            assert_eq!(held, blocks(0..10), "object {spoilt}");
            assert_eq!(after.0.noted(), Noted::NotMirroredFrom(ObjectNumber(10)));
            assert_eq!(lost_from(&mirror, "b"), Some(10));
        } else {
            assert_eq!(held, blocks(0..spoilt), "object {spoilt}");
        }
    }
}

/// Each block is whole on one of two legs: to copy from the damaged block of one on would drop what only that one has.
#[test]
fn a_leg_that_returns_keeps_what_only_it_has() {
    for (on_a, on_b) in [(4, Some(1)), (1, Some(4)), (4, None)] {
        let (stores, mut mirror) = two_images();
        (0..10).for_each(|number| write(&mut mirror, number).unwrap());
        commit(&mut mirror).unwrap();
        mirror.drop_leg("b").unwrap();
        spoil(&stores[0], on_a);
        if let Some(on_b) = on_b {
            spoil(&stores[1], on_b);
        }
        let medium = Watchful(stores[1].clone());
        let again = ImageLeg::with(Cartridge::open(medium).unwrap().0);
        let again = again.new_leg("b", Class::Spare);
        let error = mirror.return_leg("b", Some(again)).unwrap_err().to_string();
        assert!(error.contains(&format!("object {on_a} ")), "{error}");
        // Up to its own damage as before, and whole behind it.
        let mut after = ImageLeg::open(&stores[1].bytes());
        after.0.clear_attention();
        for number in (0..10).filter(|number| Some(*number) != on_b) {
            after.0.locate(place(number)).unwrap();
            let mut buffer = vec![0; BLOCK];
            after.0.read(Transfer::Variable, &mut buffer).unwrap();
            assert!(
                buffer == block_of(number, BLOCK),
                "object {number}: {error}"
            );
        }
    }
    // What is damaged on the one that returns alone is copied.
    let (stores, mut mirror) = two_images();
    (0..10).for_each(|number| write(&mut mirror, number).unwrap());
    commit(&mut mirror).unwrap();
    mirror.drop_leg("b").unwrap();
    spoil(&stores[1], 4);
    let resynced = mirror.resync("b").unwrap();
    assert_eq!((resynced.common, resynced.copied), (4, 6));
    assert_eq!(both(mirror), [blocks(0..10), blocks(0..10)]);
}
