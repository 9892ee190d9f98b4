//! A rescue that ends at any write or sync, by a kill or by a loss of power, goes on to the same tape. Nothing that was
//! read is lost by a kill, and nothing is called good that is not on the disk.

mod damaged;

use std::collections::BTreeSet;

use damaged::{Damaged, Desk, Told, all_but, store_of, three_files};
use pseudotape_rescue::{Options, State};
use pseudotape_testkit::ModelObject;
use pseudotape_testkit::store::{FaultyStore, StoreAction, Survival, after_power_loss};

/// Three runs with three damaged copies: the first one in order, the others fill holes. The desk holds the logs.
fn rescued(objects: &[ModelObject]) -> Desk {
    let mut desk = Desk::new();
    desk.saved
        .push((desk.map.clone(), desk.base.log_length(), 0));
    for (number, bad) in [vec![2, 3, 6, 9], vec![3, 11], vec![0]]
        .into_iter()
        .enumerate()
    {
        let mut source = Damaged::new(objects).bad(bad).named(number as u128, "T");
        let drive = number.to_string();
        let told = &mut Told::default();
        let run = desk.run(&mut source, &drive, Options::default(), told);
        run.expect("nothing fails but blocks");
    }
    assert!(desk.map().is_whole());
    desk
}

fn is_there(log: &[StoreAction], count: usize, survival: Survival) -> FaultyStore {
    match count {
        0 => FaultyStore::default(),
        count => store_of(&after_power_loss(log, count, survival)),
    }
}

/// What is on the disk is a state of the rescue: what is good is right. Then it is done, with a whole copy.
fn goes_on(mut desk: Desk, objects: &[ModelObject], place: &str) {
    let known = desk.map();
    let good_before: BTreeSet<u64> = (0..known.frontier())
        .filter(|object| matches!(known.state(*object).unwrap().state, State::Good(_)))
        .collect();
    for (number, kept) in (0..).zip(desk.objects()) {
        if let Some(kept) = kept {
            assert_eq!(&kept, &objects[number], "{place}: object {number}");
        }
    }
    let mut source = Damaged::new(objects).named(99, "T");
    let options = Options {
        same_tape: true,
        ..Options::default()
    };
    let outcome = desk
        .run(&mut source, "last", options, &mut Told::default())
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(outcome.whole, "{place}: {outcome:?}");
    assert_eq!(
        desk.objects(),
        all_but(objects, &BTreeSet::new()),
        "{place}"
    );
    let missing = objects.len() - good_before.len();
    assert!(outcome.read.objects <= missing as u64, "{place}");
}

#[test]
fn a_rescue_that_ends_at_any_write_or_sync_goes_on_to_the_whole_tape() {
    let objects = three_files();
    let desk = rescued(&objects);
    let (base, found) = (desk.base.log(), desk.found.log());
    assert!(desk.saved.len() > 8, "{} checkpoints", desk.saved.len());
    let mut places = 0;
    // A map is replaced as a whole: between two, the disk has the first one.
    for (at, (map, base_then, found_then)) in desk.saved.iter().enumerate() {
        let next = desk.saved.get(at + 1);
        let base_next = next.map_or(base.len(), |next| next.1);
        let found_next = next.map_or(found.len(), |next| next.2);
        for base_count in *base_then..=base_next {
            for found_count in BTreeSet::from([*found_then, found_next]) {
                let ways = [
                    Survival::All,
                    Survival::None,
                    Survival::Torn(20),
                    Survival::Any((at * 31 + base_count) as u64),
                ];
                // Of what tears, every place once is enough.
                let ways = &ways[..if found_count == *found_then { 4 } else { 2 }];
                for &survival in ways {
                    let there = Desk {
                        base: is_there(&base, base_count, survival),
                        found: is_there(&found, found_count, survival),
                        map: map.clone(),
                        ..Desk::default()
                    };
                    let place =
                        format!("map {at}, {base_count} and {found_count} actions, {survival:?}");
                    goes_on(there, &objects, &place);
                    places += 1;
                }
            }
        }
        for found_count in *found_then..=found_next {
            // While the image itself is made, its maker clears away what a kill leaves (the command's own test).
            if found_count > 0 && found_count < made() {
                continue;
            }
            for survival in [Survival::All, Survival::None, Survival::Torn(70)] {
                let there = Desk {
                    base: is_there(&base, base_next, Survival::All),
                    found: is_there(&found, found_count, survival),
                    map: map.clone(),
                    ..Desk::default()
                };
                let place = format!("map {at}, all and {found_count} actions, {survival:?}");
                goes_on(there, &objects, &place);
                places += 1;
            }
        }
    }
    assert!(places > 200, "{places}");
}

/// Actions that make an image.
fn made() -> usize {
    let store = FaultyStore::default();
    drop(damaged::new_image(&store, 1));
    store.log_length()
}

/// What a kill leaves, all of it in the hands of the system, is taken up: not one object is read twice.
#[test]
fn a_kill_loses_nothing_that_was_read() {
    let objects = three_files();
    let desk = rescued(&objects);
    let base = desk.base.log();
    // The source is noted before anything is read with it.
    let (first, made, _) = &desk.saved[2];
    let mut adopted = BTreeSet::new();
    for count in *made..=desk.saved[3].1 {
        let mut there = Desk {
            base: is_there(&base, count, Survival::All),
            map: first.clone(),
            ..Desk::default()
        };
        let mut source = Damaged::new(&objects).named(0, "T");
        let reads = source.reads.clone();
        let outcome = there
            .run(&mut source, "0", Options::default(), &mut Told::default())
            .expect("nothing fails");
        assert!(outcome.whole);
        let reads = reads.lock().unwrap().clone();
        assert!(reads.values().all(|reads| *reads == 1), "{reads:?}");
        adopted.insert(objects.len() - reads.len());
        assert_eq!(outcome.read.objects, reads.len() as u64);
    }
    assert!(adopted.len() > 2, "{adopted:?}");
}
