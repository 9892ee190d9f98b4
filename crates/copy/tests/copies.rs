//! Copies of random tapes, whole and damaged, to targets that end early; and what comparing finds.

use std::ops::ControlFlow;

use proptest::prelude::*;
use pseudotape_copy::{
    Comparison, Copied, Ending, Error, Gap, Object, Options, Progress, Side, Unreadable, compare,
    copy, go_to, last_common_object,
};
use pseudotape_drive::Personality;
use pseudotape_tape::{Bare, Drive, ObjectNumber, Sense};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn drive_with(personality: Personality, cartridge: ModelCartridge) -> ModelDrive {
    let mut drive = ModelDrive::new(personality);
    drive.insert(cartridge);
    drive.clear_attention();
    drive
}

fn permissive() -> Personality {
    Personality {
        setmarks: true,
        ..Personality::default()
    }
}

fn tape(objects: Vec<ModelObject>) -> ModelDrive {
    let cartridge = ModelCartridge {
        partitions: vec![objects],
        ..ModelCartridge::default()
    };
    drive_with(permissive(), cartridge)
}

fn blank() -> ModelDrive {
    tape(Vec::new())
}

fn ending_at(capacity_bytes: u64, early_warning_bytes: u64) -> ModelDrive {
    let cartridge = ModelCartridge {
        capacity_bytes: Some(capacity_bytes),
        early_warning_bytes,
        ..ModelCartridge::default()
    };
    drive_with(permissive(), cartridge)
}

fn objects(drive: &ModelDrive) -> &[ModelObject] {
    &drive.cartridge().expect("a cartridge").partitions[0]
}

fn block(seed: u64, length: usize) -> ModelObject {
    ModelObject::Block(block_of(seed, length))
}

fn whole(from: &mut ModelDrive, to: &mut ModelDrive) -> Copied {
    copy(from, to, Options::default(), &mut on).expect("nothing fails")
}

fn compared(a: &mut ModelDrive, b: &mut ModelDrive) -> Comparison {
    a.rewind().unwrap();
    b.rewind().unwrap();
    compare(a, b, &mut on).expect("nothing fails")
}

fn object() -> impl Strategy<Value = ModelObject> {
    let length =
        prop_oneof![20 => 1..300_usize, 10 => 1..9000_usize, 2 => Just(65_536), 1 => Just(300_000)];
    prop_oneof![
        12 => (any::<u64>(), length).prop_map(|(seed, length)| block(seed, length)),
        4 => Just(ModelObject::Filemark),
        1 => Just(ModelObject::Setmark),
    ]
}

fn tape_of(size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<ModelObject>> {
    prop::collection::vec(object(), size)
}

/// Puts unreadable blocks in place of some.
fn damaged(mut objects: Vec<ModelObject>, places: &[prop::sample::Index]) -> Vec<ModelObject> {
    for place in places {
        if !objects.is_empty() {
            let at = place.index(objects.len());
            objects[at] = ModelObject::Damaged(100);
        }
    }
    objects
}

fn first_damaged(objects: &[ModelObject]) -> Option<usize> {
    objects
        .iter()
        .position(|object| matches!(object, ModelObject::Damaged(_)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_copy_is_the_same_and_is_found_to_be(objects_of_it in tape_of(0..60)) {
        let (mut from, mut to) = (tape(objects_of_it.clone()), blank());
        let copied = whole(&mut from, &mut to);
        prop_assert_eq!(copied.ending, Ending::Complete);
        prop_assert_eq!(copied.next.0, objects_of_it.len() as u64);
        prop_assert_eq!(objects(&to), &objects_of_it[..]);
        let found = compared(&mut from, &mut to);
        prop_assert!(found.is_identical(), "{:?}", found);
        prop_assert_eq!(found.objects, copied.next.0);
        prop_assert_eq!((found.blocks, found.bytes), (copied.blocks, copied.bytes));
        let last = last_common_object(&mut from, &mut to, &mut on).unwrap();
        prop_assert_eq!(last.continue_value().unwrap().map_or(0, |last| last.0 + 1), copied.next.0);
    }

    #[test]
    fn what_can_not_be_read_ends_is_recorded_or_is_left_out(
        objects_of_it in tape_of(1..40),
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        let source = damaged(objects_of_it, &places);
        let stop = copy(&mut tape(source.clone()), &mut blank(), Options::default(), &mut on).unwrap();
        prop_assert_eq!(stop.ending, Ending::Unreadable);
        prop_assert_eq!(Some(stop.next.0 as usize), first_damaged(&source));
        prop_assert_eq!(stop.target.object, stop.next);

        let mut skipped = blank();
        let options = Options { unreadable: Unreadable::Skip };
        let copied = copy(&mut tape(source.clone()), &mut skipped, options, &mut on).unwrap();
        prop_assert_eq!(copied.ending, Ending::Complete);
        let readable: Vec<_> = source.iter().filter(|o| !matches!(o, ModelObject::Damaged(_))).cloned().collect();
        prop_assert_eq!(objects(&skipped), &readable[..]);
        let lost: u64 = copied.unreadable.iter().map(|gap| gap.objects).sum();
        prop_assert_eq!(lost as usize, source.len() - readable.len());

        let mut recorded = blank();
        let options = Options { unreadable: Unreadable::Record };
        let copied = copy(&mut tape(source.clone()), &mut recorded, options, &mut on).unwrap();
        prop_assert_eq!(copied.ending, Ending::Complete);
        let same_places = |a: &ModelObject, b: &ModelObject| match (a, b) {
            (ModelObject::Damaged(_), ModelObject::Damaged(_)) => true,
            (a, b) => a == b,
        };
        prop_assert!(source.len() == objects(&recorded).len()
            && source.iter().zip(objects(&recorded)).all(|(a, b)| same_places(a, b)));
        let found = compared(&mut tape(source.clone()), &mut recorded);
        prop_assert!(found.difference.is_none() && !found.is_identical());
        prop_assert_eq!(&found.unreadable, &copied.unreadable);
        let common = last_common_object(&mut tape(source.clone()), &mut recorded, &mut on).unwrap();
        let common = common.continue_value().unwrap();
        prop_assert_eq!(common.map_or(0, |last| last.0 as usize + 1), first_damaged(&source).unwrap());
    }

    /// PT-11: what does not fit is told, and goes onto a second tape; both together are the source.
    #[test]
    fn a_copy_over_two_tapes_joined_is_the_source(
        objects_of_it in tape_of(1..40),
        capacity in 1_000..200_000_u64,
        zone in 0..999_u64,
    ) {
        let mut from = tape(objects_of_it.clone());
        let mut first = ending_at(capacity, zone);
        let copied = whole(&mut from, &mut first);
        prop_assert_eq!(objects(&first), &objects_of_it[..copied.next.0 as usize]);
        let used = first.capacity().unwrap().used_bytes;
        match copied.ending {
            Ending::Complete => prop_assert_eq!(copied.next.0, objects_of_it.len() as u64),
            Ending::EarlyWarning => prop_assert!(used >= capacity - zone),
            Ending::PhysicalEnd => {
                let ModelObject::Block(next) = &objects_of_it[copied.next.0 as usize] else {
                    return Err(TestCaseError::fail("a mark always fits"));
                };
                prop_assert!(used + next.len() as u64 > capacity);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        // At early warning it stops with the very object that reached it.
        if copied.ending == Ending::EarlyWarning {
            let before: u64 = objects_of_it[..copied.next.0 as usize - 1].iter().map(|o| match o {
                ModelObject::Block(data) => data.len() as u64,
                _ => 0,
            }).sum();
            prop_assert!(before < capacity - zone);
        }
        let mut second = blank();
        go_to(&mut from, Side::First, None, copied.next).unwrap();
        let rest = whole(&mut from, &mut second);
        prop_assert_eq!(rest.ending, Ending::Complete);
        let joined: Vec<_> = objects(&first).iter().chain(objects(&second)).cloned().collect();
        prop_assert_eq!(joined, objects_of_it);
    }

    #[test]
    fn the_first_difference_is_found_wherever_it_is(
        objects_of_it in tape_of(1..40),
        other in object(),
        place in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
    ) {
        let at = place.index(objects_of_it.len());
        let mut changed = objects_of_it.clone();
        changed[at] = other.clone();
        let mut a = tape(objects_of_it.clone());
        let found = compared(&mut a, &mut tape(changed));
        prop_assert_eq!(found.difference.map(|d| d.object.0 as usize), (other != objects_of_it[at]).then_some(at));
        let mut cut = objects_of_it.clone();
        cut.truncate(at);
        let found = compared(&mut a, &mut tape(cut)).difference.expect("one is shorter");
        prop_assert_eq!((found.object.0 as usize, found.second), (at, Object::EndOfData));
        if let ModelObject::Block(data) = &objects_of_it[at] {
            let byte = byte.index(data.len());
            let mut changed = objects_of_it.clone();
            let ModelObject::Block(data) = &mut changed[at] else { unreachable!("it was a block") };
            data[byte] ^= 1;
            let found = compared(&mut a, &mut tape(changed)).difference.expect("a byte differs");
            prop_assert_eq!((found.object.0 as usize, found.byte), (at, Some(byte as u64)));
        }
    }
}

#[test]
fn each_kind_of_difference_is_told() {
    let one = || {
        vec![
            block(1, 10),
            ModelObject::Filemark,
            block(2, 20),
            block(3, 30),
        ]
    };
    for (changed, first, second, byte) in [
        (
            ModelObject::Filemark,
            Object::Block { length: 20 },
            Object::Filemark,
            None,
        ),
        (
            ModelObject::Setmark,
            Object::Block { length: 20 },
            Object::Setmark,
            None,
        ),
        (
            block(2, 15),
            Object::Block { length: 20 },
            Object::Block { length: 15 },
            Some(15),
        ),
        (
            ModelObject::Damaged(20),
            Object::Block { length: 20 },
            Object::Unreadable,
            None,
        ),
    ] {
        let mut other = one();
        other[2] = changed;
        let found = compared(&mut tape(one()), &mut tape(other));
        let difference = found.difference.expect("they differ");
        assert_eq!((difference.first, difference.second), (first, second));
        assert_eq!(
            (difference.object.0, difference.file, difference.byte),
            (2, 1, byte)
        );
        assert_eq!((found.objects, found.blocks, found.bytes), (2, 1, 10));
    }
}

#[test]
fn blocks_of_16_mib_and_of_one_byte_are_copied() {
    let lengths = [1, 16 << 20, 3, 5 << 20, 70_000, 1];
    let objects_of_it: Vec<_> = lengths
        .iter()
        .zip(0..)
        .map(|(n, seed)| block(seed, *n))
        .collect();
    let (mut from, mut to) = (tape(objects_of_it.clone()), blank());
    assert_eq!(whole(&mut from, &mut to).ending, Ending::Complete);
    assert!(objects(&to) == objects_of_it);
    assert!(compared(&mut from, &mut to).is_identical());
}

#[test]
fn a_block_that_the_target_does_not_take_is_named() {
    let small = Personality::named("scsi_debug").expect("a personality of ours");
    let mut to = drive_with(small, ModelCartridge::default());
    let mut from = tape(vec![block(1, 512), block(2, 1 << 21), block(3, 512)]);
    let error = copy(&mut from, &mut to, Options::default(), &mut on).unwrap_err();
    assert!(
        matches!(error, Error::BlockLength { object: ObjectNumber(1), length, max, .. } if length == 1 << 21 && max == 1 << 20),
        "{error}"
    );
    assert_eq!(objects(&to), [block(1, 512)]);
}

#[test]
fn a_drive_that_fails_is_named_with_the_object() {
    let protected = ModelCartridge {
        write_protected: true,
        ..ModelCartridge::default()
    };
    let mut to = drive_with(permissive(), protected);
    let mut from = tape(vec![block(1, 100)]);
    let error = copy(&mut from, &mut to, Options::default(), &mut on).unwrap_err();
    let Error::Drive {
        side,
        object,
        failed,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (side, object.0, failed.sense),
        (Side::Second, 0, Sense::WriteProtected)
    );
    let mut empty = ModelDrive::new(permissive());
    let error = copy(&mut empty, &mut blank(), Options::default(), &mut on).unwrap_err();
    assert!(error.to_string().starts_with("the first tape: "), "{error}");
    let mut plain = Bare(blank());
    let mut damaged = tape(vec![ModelObject::Damaged(10)]);
    let options = Options {
        unreadable: Unreadable::Record,
    };
    let error = copy(&mut damaged, &mut plain, options, &mut on).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotRecordable {
                object: ObjectNumber(0),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn the_caller_can_end_it_and_what_was_copied_is_a_prefix() {
    let objects_of_it: Vec<_> = (0..100).map(|seed| block(seed, 100_000)).collect();
    let (mut from, mut to) = (tape(objects_of_it.clone()), blank());
    let mut calls = 0;
    let copied = copy(&mut from, &mut to, Options::default(), &mut |_| {
        calls += 1;
        if calls == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .unwrap();
    assert_eq!(copied.ending, Ending::Cancelled);
    let count = objects(&to).len();
    assert!(0 < count && count < 100);
    assert_eq!(objects(&to), &objects_of_it[..count]);
    assert_eq!(copied.next.0 as usize, count);
    let mut ended = |_| ControlFlow::Break(());
    from.rewind().unwrap();
    to.rewind().unwrap();
    assert!(compare(&mut from, &mut to, &mut ended).unwrap().cancelled);
    let last = last_common_object(&mut from, &mut to, &mut ended).unwrap();
    assert_eq!(last, ControlFlow::Break(()), "nobody knows how far");
}

/// Marks have no bytes: a comparison of many must be told to end, too.
#[test]
fn the_caller_is_asked_between_marks() {
    let marks = vec![ModelObject::Filemark; 5000];
    let (mut from, mut to) = (tape(marks.clone()), tape(marks));
    let mut ended = |_| ControlFlow::Break(());
    let found = compare(&mut from, &mut to, &mut ended).unwrap();
    assert!(found.cancelled && found.objects < 5000);
}

#[test]
fn unreadable_places_in_a_row_are_one_gap() {
    let objects_of_it = vec![
        ModelObject::Damaged(1),
        ModelObject::Damaged(1),
        block(1, 1),
        ModelObject::Damaged(1),
    ];
    let options = Options {
        unreadable: Unreadable::Skip,
    };
    let copied = copy(&mut tape(objects_of_it), &mut blank(), options, &mut on).unwrap();
    let gap = |first, objects| Gap {
        first: ObjectNumber(first),
        objects,
    };
    assert_eq!(copied.unreadable, [gap(0, 2), gap(3, 1)]);
}
