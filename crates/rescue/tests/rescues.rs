//! EN-08, EN-09, EN-10, EN-14. What becomes of each object of a damaged tape, in one run and in several.

mod damaged;

use std::collections::{BTreeMap, BTreeSet};

use damaged::{After, Damaged, Desk, FOREVER, Told, all_but, block, read_at, three_files};
use proptest::prelude::*;
use pseudotape_rescue::{Error, Holes, Moved, Options, Place, State, assemble, raw_file};
use pseudotape_tape::{Noted, ObjectNumber};
use pseudotape_testkit::ModelObject;

const AFTER: [After; 6] = [
    After::Behind,
    After::Stays,
    After::Lost,
    After::Lies,
    After::TooFar,
    After::Reset,
];

fn run(desk: &mut Desk, source: &mut Damaged, drive: &str) -> (pseudotape_rescue::Outcome, Told) {
    let mut told = Told::default();
    let outcome = desk
        .run(source, drive, Options::default(), &mut told)
        .expect("nothing fails but blocks");
    (outcome, told)
}

#[test]
fn a_whole_tape_is_whole_at_once_and_lies_in_the_base_as_it_is() {
    let objects = three_files();
    let mut desk = Desk::new();
    let (outcome, told) = run(&mut desk, &mut Damaged::new(&objects), "one");
    assert!(outcome.whole && told.bad.is_empty());
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
    assert_eq!(desk.map().runs().len(), 1);
    assert!(!desk.map().needs_found());
}

/// EN-08: each bad one costs itself only, wherever the drive is after the error.
#[test]
fn every_good_object_is_read_wherever_the_tape_is_after_an_error() {
    let objects = three_files();
    // At the beginning, in the middle, side by side, a filemark, the last one.
    for bad in [
        vec![0],
        vec![6],
        vec![6, 7],
        vec![4],
        vec![14],
        vec![0, 1, 4, 9, 13, 14],
    ] {
        for after in AFTER {
            let mut desk = Desk::new();
            let bad: BTreeSet<u64> = bad.iter().copied().collect();
            let mut source = Damaged::new(&objects).bad(bad.clone()).after(after);
            let (outcome, told) = run(&mut desk, &mut source, "one");
            let place = format!("{bad:?}, {after:?}");
            assert_eq!(desk.objects(), all_but(&objects, &bad), "{place}");
            assert!(!outcome.whole, "{place}");
            assert_eq!(outcome.counts.bad, bad.len() as u64, "{place}");
            let named: BTreeSet<u64> = told.bad.iter().map(|bad| bad.object.0).collect();
            assert_eq!(named, bad, "{place}: each one is told");
            for bad in &told.bad {
                assert_eq!((bad.attempt.tries, bad.attempt.errno), (3, 5), "{place}");
            }
        }
    }
}

/// EN-08: none is bad for an error that goes away below the limit.
#[test]
fn an_error_that_goes_away_is_none() {
    for after in AFTER {
        let objects = three_files();
        let mut desk = Desk::new();
        let mut source = Damaged::new(&objects).after(after);
        source.faults = BTreeMap::from([(2, 1), (8, 2), (11, 3)]);
        let (outcome, told) = run(&mut desk, &mut source, "one");
        assert_eq!(outcome.counts.bad, 1, "{after:?}");
        assert_eq!(told.bad.len(), 1);
        assert_eq!(told.bad[0].object, ObjectNumber(11));
        // The same drive has had its three tries, and is not asked again.
        let (outcome, told) = run(&mut desk, &mut source, "one");
        assert_eq!((outcome.read.objects, told.bad.len()), (0, 0));
        // With more tries, or as another drive, it is.
        let (outcome, _) = run(&mut desk, &mut source, "another");
        assert!(outcome.whole);
        assert_eq!(outcome.read.objects, 1);
        assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
    }
}

/// A copy that was cut off, or an older state of the tape, ends before the tape does, and nothing shows that.
#[test]
fn a_longer_copy_moves_the_end() {
    let objects = three_files();
    let all = objects.len() as u64;
    for length in [0, 1, 7, objects.len() - 1] {
        // What lies at the old end can be read, or can't, or is the last object.
        for bad in [BTreeSet::new(), [length as u64].into(), [1, 6].into()] {
            let mut desk = Desk::new();
            let (outcome, _) = run(&mut desk, &mut Damaged::new(&objects[..length]), "short");
            assert!(outcome.whole, "as far as anybody can see");
            let mut longer = Damaged::new(&objects).bad(bad.clone());
            let (outcome, _) = run(&mut desk, &mut longer, "longer");
            let lost: BTreeSet<u64> = bad
                .into_iter()
                .filter(|bad| *bad >= length as u64)
                .collect();
            let place = format!("{length}, {lost:?}");
            assert_eq!(outcome.whole, lost.is_empty(), "{place}");
            assert_eq!(desk.objects(), all_but(&objects, &lost), "{place}");
            assert_eq!(desk.map().end, Some(all), "{place}");
            // And a shorter one does not move it back.
            if length > 0 {
                run(&mut desk, &mut Damaged::new(&objects[..length]), "short");
            }
            let (outcome, _) = run(&mut desk, &mut Damaged::new(&objects), "whole");
            assert!(outcome.whole, "{place}");
            assert_eq!(
                desk.objects(),
                all_but(&objects, &BTreeSet::new()),
                "{place}"
            );
        }
    }
}

#[test]
fn a_known_volume_that_was_written_over_since_is_another_tape() {
    let objects = three_files();
    let other: Vec<_> = (0..15).map(|number| block(100 + number, 30)).collect();
    let mut desk = Desk::new();
    let mut source = Damaged::new(&objects).bad([6]).named(7, "T");
    source.identity.generation = Some(3);
    run(&mut desk, &mut source, "one");
    let before = desk.objects();
    let mut over = Damaged::new(&other).named(7, "T");
    over.identity.generation = Some(4);
    let options = Options {
        tries: 20,
        ..Options::default()
    };
    let refused = desk.run(&mut over, "one", options, &mut Told::default());
    assert!(matches!(refused, Err(Error::OtherTape(_))), "{refused:?}");
    assert_eq!(desk.objects(), before);
}

/// A file whose end may be cut off is not whole, and where the data end there is no file.
#[test]
fn a_raw_file_of_a_tape_that_lost_its_end_is_not_whole() {
    let objects = [block(1, 10), block(2, 10)];
    let read = |lost_its_end, file| {
        let options = Options {
            lost_its_end,
            ..Options::default()
        };
        raw_file(&mut Damaged::new(&objects), file, options, &mut |_, _| {
            Ok(())
        })
    };
    assert!(read(false, 0).expect("it is there").is_whole());
    let cut = read(true, 0).expect("it is there");
    assert_eq!((cut.is_whole(), cut.length), (false, 20));
    let objects = [block(1, 10), pseudotape_testkit::ModelObject::Filemark];
    let mut source = Damaged::new(&objects);
    let behind = raw_file(&mut source, 1, Options::default(), &mut |_, _| Ok(()));
    assert!(
        matches!(behind, Err(Error::NoFile { file: 1, found: 1 })),
        "{behind:?}"
    );
    let before = raw_file(
        &mut source,
        0,
        Options {
            lost_its_end: true,
            ..Options::default()
        },
        &mut |_, _| Ok(()),
    );
    assert!(
        before.expect("it is there").is_whole(),
        "a filemark ends it"
    );
}

/// Longer than the reader's buffers: its length is met first, and then it is read whole.
#[test]
fn a_block_longer_than_any_buffer_is_kept_whole() {
    let objects = [
        block(1, 40),
        block(2, 5 << 20),
        block(3, 9 << 20),
        block(4, 7),
    ];
    let mut desk = Desk::new();
    let (outcome, _) = run(&mut desk, &mut Damaged::new(&objects), "one");
    assert!(outcome.whole);
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
}

#[test]
fn more_tries_are_those_that_are_left() {
    let objects = three_files();
    let mut desk = Desk::new();
    let mut source = Damaged::new(&objects);
    source.faults = BTreeMap::from([(6, 4)]);
    run(&mut desk, &mut source, "one");
    let mut told = Told::default();
    let options = Options {
        tries: 5,
        ..Options::default()
    };
    let outcome = desk.run(&mut source, "one", options, &mut told).unwrap();
    assert!(outcome.whole, "the fifth one reads it");
}

/// Where nothing leads over a bad block, its file is given up behind it, and the next one is read.
#[test]
fn file_by_file_where_spacing_over_a_block_does_not_work() {
    let objects = three_files();
    for after in [After::Stays, After::Lost, After::Behind] {
        let mut desk = Desk::new();
        let mut source = Damaged::new(&objects).bad([6]).after(after);
        source.passes = false;
        // A drive that is behind it has passed it.
        let passed = after == After::Behind;
        let (outcome, told) = run(&mut desk, &mut source, "one");
        assert_eq!(told.bad.len(), 1, "{after:?}");
        let lost: BTreeSet<u64> = if passed {
            [6].into()
        } else {
            (6..=9).collect()
        };
        let expected = all_but(&objects, &lost);
        assert_eq!(desk.objects(), expected, "{after:?}");
        assert_eq!(outcome.counts.not_tried, lost.len() as u64 - 1, "{after:?}");
        assert!(!outcome.whole);
        // Another copy fills what is missing, and nothing else.
        let mut other = Damaged::new(&objects);
        let (outcome, _) = run(&mut desk, &mut other, "two");
        assert!(outcome.whole, "{after:?}: {outcome:?}");
        assert_eq!(outcome.read.objects, lost.len() as u64);
        assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
    }
}

/// EN-14: two copies with different bad blocks are one whole tape.
#[test]
fn two_copies_with_different_bad_blocks_are_a_whole_one() {
    for after in AFTER {
        two_copies(after);
    }
}

fn two_copies(after: After) {
    let objects = three_files();
    let mut desk = Desk::new();
    let mut one = Damaged::new(&objects)
        .bad([0, 5, 6, 14])
        .named(1, "MON")
        .after(after);
    let mut two = Damaged::new(&objects)
        .bad([1, 7, 13])
        .named(2, "MON")
        .after(after);
    assert!(!run(&mut desk, &mut one, "one").0.whole);
    let (outcome, told) = run(&mut desk, &mut two, "two");
    assert!(outcome.whole && told.bad.is_empty());
    assert_eq!(outcome.read.objects, 4);
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));

    // One of both, in the order of the tape, and settled.
    let mut map = desk.map();
    let target = pseudotape_testkit::store::FaultyStore::default();
    let mut to = damaged::new_image(&target, 5);
    let done = assemble(
        &mut map,
        &mut damaged::open_image(&desk.base),
        Some(&mut damaged::open_image(&desk.found)),
        &mut to,
        Holes::Noted,
        &mut |_| {},
    )
    .expect("all is there");
    for (number, object) in (0..).zip(&objects) {
        assert_eq!(read_at(&mut to, number).as_ref(), Some(object));
    }
    let all = Moved {
        from: 0,
        to: 0,
        objects: 15,
    };
    assert_eq!(done.moved, [all]);
}

/// EN-09: only good ones, in their order; the list says which is which.
#[test]
fn what_is_bad_can_be_left_out_and_the_rest_has_a_list() {
    let objects = three_files();
    let mut desk = Desk::new();
    run(&mut desk, &mut Damaged::new(&objects).bad([3, 7]), "one");
    let mut map = desk.map();
    let target = pseudotape_testkit::store::FaultyStore::default();
    let mut to = damaged::new_image(&target, 5);
    let base = &mut damaged::open_image(&desk.base);
    let done = assemble(&mut map, base, None, &mut to, Holes::LeftOut, &mut |_| {}).unwrap();
    let moved = |from, to, objects| Moved { from, to, objects };
    assert_eq!(done.moved, [moved(0, 0, 3), moved(4, 3, 3), moved(8, 6, 7)]);
    let good: Vec<_> = all_but(&objects, &[3, 7].into())
        .into_iter()
        .flatten()
        .collect();
    for (number, object) in (0..).zip(&good) {
        assert_eq!(read_at(&mut to, number).as_ref(), Some(object));
    }
    assert_eq!(read_at(&mut to, good.len() as u64), None);
}

#[test]
fn another_tape_is_refused_and_nothing_is_changed() {
    let objects = three_files();
    let mut other = objects.clone();
    other[2] = block(99, 114);
    let mut longer = objects.clone();
    longer[1] = block(1, 900);
    let mut marks = objects.clone();
    marks[0] = ModelObject::Filemark;
    let refused = |source: &mut Damaged, words: &str| {
        let mut desk = Desk::new();
        run(
            &mut desk,
            &mut Damaged::new(&objects).bad([3]).named(1, "MON"),
            "one",
        );
        let before = desk.clone();
        let error = desk.run(source, "two", Options::default(), &mut Told::default());
        let error = error.expect_err("it is another tape");
        assert!(matches!(error, Error::OtherTape(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(desk.map(), before.map());
        assert_eq!(desk.objects(), before.objects());
    };
    refused(
        &mut Damaged::new(&other),
        "object 2 is a block of 114 bytes there, and another block",
    );
    refused(
        &mut Damaged::new(&marks),
        "object 0 is a filemark there, and another block of 100",
    );
    refused(
        &mut Damaged::new(&longer).bad([0]),
        "object 1 is a block of 900 bytes",
    );
    refused(
        &mut Damaged::new(&objects).named(2, "TUE"),
        "its label is 'TUE', and the rescue is of 'MON'",
    );
    refused(&mut Damaged::new(&objects).bad(0..15), "not one block");
    refused(&mut Damaged::new(&[]), "not one block");
}

#[test]
fn a_copy_with_another_label_is_taken_where_the_user_says_so() {
    let objects = three_files();
    let mut desk = Desk::new();
    run(
        &mut desk,
        &mut Damaged::new(&objects).bad([3]).named(1, "MON"),
        "one",
    );
    let options = Options {
        same_tape: true,
        ..Options::default()
    };
    let mut copy = Damaged::new(&objects).named(2, "copy of MON");
    let outcome = desk.run(&mut copy, "two", options, &mut Told::default());
    assert!(outcome.expect("it is the same").whole);
}

#[test]
fn a_source_that_is_no_copy_from_some_object_on_is_not_read_from_there() {
    let objects = three_files();
    let mut desk = Desk::new();
    let mut torn = objects.clone();
    torn[10] = block(5, 5);
    torn.truncate(12);
    let mut source = Damaged::new(&torn);
    source.noted = Noted::NotMirroredFrom(ObjectNumber(10));
    let (outcome, _) = run(&mut desk, &mut source, "one");
    assert!(!outcome.whole && desk.map().end.is_none());
    assert_eq!(desk.objects(), all_but(&objects[..10], &BTreeSet::new()));
    assert!(run(&mut desk, &mut Damaged::new(&objects), "two").0.whole);
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
}

#[test]
fn a_shorter_copy_does_not_shorten_the_tape() {
    let objects = three_files();
    let mut desk = Desk::new();
    run(&mut desk, &mut Damaged::new(&objects).bad([2, 13]), "one");
    let (outcome, _) = run(&mut desk, &mut Damaged::new(&objects[..8]), "two");
    assert_eq!(outcome.ended_early, Some(8));
    assert_eq!(desk.map().end, Some(15));
    assert_eq!(desk.objects(), all_but(&objects, &[13].into()));
}

#[test]
fn a_drive_that_dies_ends_the_run_and_what_was_read_stays() {
    let objects = three_files();
    let mut desk = Desk::new();
    let mut source = Damaged::new(&objects);
    source.dies_at = Some(7);
    let error = desk.run(&mut source, "one", Options::default(), &mut Told::default());
    let error = error.expect_err("the drive is gone");
    assert!(matches!(error, Error::Drive { .. }), "{error}");
    assert_eq!(desk.objects(), all_but(&objects[..7], &BTreeSet::new()));
    assert!(run(&mut desk, &mut Damaged::new(&objects), "two").0.whole);
}

/// What rots in our own image is not called good.
#[test]
fn an_image_that_lost_an_object_says_so_and_reads_it_again() {
    let objects = three_files();
    let mut desk = Desk::new();
    run(&mut desk, &mut Damaged::new(&objects), "one");
    let bytes = desk.base.bytes();
    let ModelObject::Block(wanted) = &objects[6] else {
        panic!("a block")
    };
    let at = bytes
        .windows(wanted.len())
        .position(|window| window == &wanted[..])
        .expect("it lies in the image");
    let mut rotten = bytes.clone();
    rotten[at + 3] ^= 4;
    desk.base = damaged::store_of(&rotten);
    let mut map = desk.map();
    let target = pseudotape_testkit::store::FaultyStore::default();
    let error = assemble(
        &mut map,
        &mut damaged::open_image(&desk.base),
        None,
        &mut damaged::new_image(&target, 5),
        Holes::Noted,
        &mut |_| {},
    )
    .expect_err("it can't be read");
    assert!(
        matches!(error, Error::Lost { object, .. } if object.0 == 6),
        "{error}"
    );
    desk.map = map.to_text().into_bytes();
    assert!(run(&mut desk, &mut Damaged::new(&objects), "one").0.whole);
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
}

fn object() -> impl Strategy<Value = ModelObject> {
    let length = prop_oneof![20 => 1..300_usize, 5 => 1..9000_usize];
    prop_oneof![
        12 => (any::<u64>(), length).prop_map(|(seed, length)| block(seed, length)),
        4 => Just(ModelObject::Filemark),
        1 => Just(ModelObject::Setmark),
    ]
}

fn pick(places: &[prop::sample::Index], objects: usize) -> BTreeSet<u64> {
    places
        .iter()
        .map(|place| place.index(objects) as u64)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// No good block is ever lost, no bad one ever called good; and a block that was read once is never read again.
    #[test]
    fn several_runs_over_damaged_copies_know_exactly_what_was_readable(
        objects in prop::collection::vec(object(), 1..50),
        copies in prop::collection::vec(
            (prop::collection::vec(any::<prop::sample::Index>(), 0..8), 0..5_usize, 0..4_u32),
            1..4,
        ),
    ) {
        let mut desk = Desk::new();
        let mut never: BTreeSet<u64> = (0..objects.len() as u64).collect();
        let mut had: BTreeSet<u64> = BTreeSet::new();
        for (number, (places, after, passing)) in copies.iter().enumerate() {
            let bad = pick(places, objects.len());
            let id = 1 + number as u128;
            let mut source = Damaged::new(&objects).bad(bad.clone()).after(AFTER[*after]).named(id, "T");
            // Some errors go away, before the limit or behind it.
            if let Some(first) = bad.first() {
                source.faults.insert(*first, if *passing == 3 { FOREVER } else { *passing });
            }
            let readable = |object: &u64| {
                !bad.contains(object) || (Some(object) == bad.first() && *passing < 3)
            };
            let mut told = Told::default();
            let options = Options { same_tape: true, ..Options::default() };
            desk.run(&mut source, "drive", options, &mut told).expect("nothing fails but blocks");
            never.retain(|object| !readable(object));
            prop_assert_eq!(desk.objects(), all_but(&objects, &never));
            let new: BTreeSet<u64> = source.reads.lock().unwrap().iter()
                .filter(|(_, reads)| **reads > 0).map(|(object, _)| *object).collect();
            if number == 0 {
                prop_assert!(source.reads.lock().unwrap().values().all(|reads| *reads == 1));
            }
            // Of another volume some are compared; the volume itself in the same drive is not read again at all.
            had.extend(new);
            let mut again = Damaged::new(&objects).named(id, "T");
            desk.run(&mut again, "drive", options, &mut told).expect("nothing fails");
            let missing: BTreeSet<u64> = again.reads.lock().unwrap().keys().copied().collect();
            prop_assert!(missing.is_disjoint(&had), "{:?} were read again", missing);
            never.retain(|object| !missing.contains(object));
            had.extend(missing);
        }
        let map = desk.map();
        prop_assert_eq!(map.counts().bad, never.len() as u64);
        prop_assert_eq!(map.is_whole(), never.is_empty());
        for run in map.runs() {
            if let State::Good(Place::Found(at)) = run.state {
                prop_assert_eq!(at % 2, 1);
            }
        }
    }

    /// Where a drive can't pass a bad block, no object is called good that is not, and no file without one loses any.
    #[test]
    fn file_by_file_loses_no_file_that_is_whole(
        objects in prop::collection::vec(object(), 1..50),
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        lost in any::<bool>(),
    ) {
        let bad = pick(&places, objects.len());
        let mut desk = Desk::new();
        let after = if lost { After::Lost } else { After::Stays };
        let mut source = Damaged::new(&objects).bad(bad.clone()).after(after);
        source.passes = false;
        let (outcome, _) = run(&mut desk, &mut source, "one");
        let ours = desk.objects();
        let mut blocked = false;
        for (number, object) in (0..).zip(&objects) {
            let here = bad.contains(&number);
            let kept = ours.get(number as usize).cloned().flatten();
            match &kept {
                // Behind a mark that can't be read, the drive finds the next file by its own way.
                Some(kept) => prop_assert!(!here && kept == object, "object {} is not good", number),
                None => prop_assert!(here || blocked, "object {} is lost", number),
            }
            blocked = here || (blocked && *object != ModelObject::Filemark);
        }
        prop_assert!(!outcome.whole);
        // Where only marks are good, nothing shows that it is the same tape.
        let options = Options { same_tape: true, ..Options::default() };
        let mut copy = Damaged::new(&objects);
        let outcome = desk.run(&mut copy, "two", options, &mut Told::default()).expect("it is the same");
        prop_assert!(outcome.whole);
        prop_assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
    }
}
