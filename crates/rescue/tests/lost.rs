//! EN-08, EN-09. Images that lost what was read: they are refused, or what they lost is read again, in one run.

mod damaged;

use std::collections::BTreeSet;

use damaged::{After, Damaged, Desk, Told, all_but, open_image, store_of, three_files};
use pseudotape_rescue::{Error, Holes, Options, Outcome, Tape, assemble};
use pseudotape_testkit::ModelObject;
use pseudotape_testkit::store::FaultyStore;

const REREAD: Options = Options {
    tries: 3,
    same_tape: false,
    lost_its_end: false,
    reread_lost: true,
};

fn run(desk: &mut Desk, source: &mut Damaged, options: Options) -> Result<Outcome, Error> {
    desk.run(source, "one", options, &mut Told::default())
}

fn rot(store: &FaultyStore, objects: &[ModelObject], numbers: &[usize]) -> FaultyStore {
    let mut bytes = store.bytes();
    for number in numbers {
        let ModelObject::Block(wanted) = &objects[*number] else {
            panic!("a block")
        };
        let mut places = bytes.windows(wanted.len());
        let at = places.position(|window| window == &wanted[..]);
        bytes[at.expect("it lies in the image") + 3] ^= 4;
    }
    store_of(&bytes)
}

/// A desk whose map names objects in both images.
fn in_both(objects: &[ModelObject]) -> Desk {
    let mut desk = Desk::new();
    let mut first = Damaged::new(objects).bad([2, 3, 7]).named(1, "T");
    run(&mut desk, &mut first, Options::default()).expect("nothing fails but blocks");
    let mut second = Damaged::new(objects).bad([3]).named(2, "T");
    run(&mut desk, &mut second, Options::default()).expect("nothing fails but blocks");
    assert!(desk.map().needs_found());
    desk
}

#[test]
fn what_was_found_later_is_gone_and_nothing_is_made_in_its_place_unasked() {
    let objects = three_files();
    let mut desk = in_both(&objects);
    desk.found = FaultyStore::default();
    let before = desk.map.clone();
    let mut source = Damaged::new(&objects).named(3, "T");
    let error = run(&mut desk, &mut source, Options::default()).expect_err("it is gone");
    let expected = matches!(
        error,
        Error::Short {
            tape: Tape::Found,
            holds: 0,
            says: 4
        }
    );
    assert!(expected, "{error}");
    assert_eq!(desk.map, before);
    assert_eq!(desk.found.log_length(), 0, "nobody made one");
    let outcome = run(&mut desk, &mut source, REREAD).expect("what it held is read again");
    assert!(outcome.whole);
    assert_eq!(outcome.read.objects, 3, "and the one that was bad");
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
}

#[test]
fn an_image_of_what_was_found_later_that_holds_less_is_refused_or_read_again() {
    let objects = three_files();
    let mut desk = in_both(&objects);
    let whole = desk.found.clone();
    desk.found = FaultyStore::default();
    drop(damaged::new_image(&desk.found, 78));
    let mut source = Damaged::new(&objects).named(3, "T");
    let error = run(&mut desk, &mut source, Options::default()).expect_err("it is another");
    assert!(
        matches!(
            error,
            Error::Short {
                tape: Tape::Found,
                ..
            }
        ),
        "{error}"
    );
    // Brought back, the same command goes on.
    let empty = std::mem::replace(&mut desk.found, whole);
    let outcome = run(&mut desk, &mut source, Options::default()).expect("it is back");
    assert_eq!((outcome.whole, outcome.read.objects), (true, 1));
    let mut desk = in_both(&objects);
    desk.found = empty;
    assert!(
        run(&mut desk, &mut source, REREAD)
            .expect("read again")
            .whole
    );
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
}

#[test]
fn an_older_copy_of_the_base_is_refused_or_what_it_lacks_is_read_again() {
    let objects = three_files();
    let mut desk = Desk::new();
    let blank = desk.base.bytes();
    let mut source = Damaged::new(&objects).bad([5]).named(1, "T");
    run(&mut desk, &mut source, Options::default()).expect("nothing fails but blocks");
    desk.base = store_of(&blank);
    let error = run(&mut desk, &mut source, Options::default()).expect_err("it is an older one");
    assert!(
        matches!(
            error,
            Error::Short {
                tape: Tape::Base,
                holds: 0,
                says: 15
            }
        ),
        "{error}"
    );
    let outcome = run(&mut desk, &mut source, REREAD).expect("what it lacks is read again");
    assert_eq!(outcome.read.objects, 14);
    assert_eq!(desk.objects(), all_but(&objects, &[5].into()));
}

/// A drive that says so may have another tape in it: nothing of that is taken for a part of this one, also where both
/// begin alike, as tapes with the same label do.
#[test]
fn a_medium_that_was_changed_meanwhile_ends_the_run() {
    let objects = three_files();
    for alike in [0, 1, 6] {
        let mut other = objects.clone();
        for object in other.iter_mut().skip(alike) {
            if let ModelObject::Block(block) = object {
                block[0] ^= 1;
            }
        }
        let mut desk = Desk::new();
        let changed = || {
            let source = Damaged::new(&objects).bad([7]).named(1, "T");
            let mut source = source.after(After::Changed);
            source.other.clone_from(&other);
            source
        };
        let error = run(&mut desk, &mut changed(), Options::default()).expect_err("another tape");
        assert!(matches!(error, Error::Drive { .. }), "{error}");
        assert_eq!(desk.objects(), all_but(&objects[..7], &BTreeSet::new()));
        // Also where this run has read nothing yet.
        run(&mut desk, &mut changed(), Options::default()).expect_err("another tape");
        assert_eq!(desk.objects(), all_but(&objects[..7], &BTreeSet::new()));
        let mut good = Damaged::new(&objects).named(2, "T");
        let done = run(&mut desk, &mut good, Options::default()).expect("nothing fails");
        assert!(done.whole);
        assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
    }
}

/// Damage of our own images, in as many places as there may be, costs one run.
#[test]
fn what_rots_in_both_images_is_read_again_in_one_run() {
    let objects = three_files();
    let mut desk = in_both(&objects);
    desk.base = rot(&desk.base, &objects, &[0, 6, 10]);
    desk.found = rot(&desk.found, &objects, &[7]);
    let mut source = Damaged::new(&objects).named(1, "T");
    let reads = source.reads.clone();
    let outcome = run(&mut desk, &mut source, REREAD).expect("nothing fails");
    assert_eq!(outcome.counts.not_tried, 0);
    // It has tried object 3 as often as it may.
    let read: BTreeSet<u64> = reads.lock().unwrap().keys().copied().collect();
    assert_eq!(read, BTreeSet::from([0, 6, 7, 10]), "and nothing else");
    assert_eq!(desk.objects(), all_but(&objects, &[3].into()));
}

/// A sample of the comparison with an unknown source is met first; that ends nothing.
#[test]
fn a_rotten_object_that_was_to_be_compared_is_read_again_in_the_same_run() {
    let objects = three_files();
    let mut desk = Desk::new();
    let mut source = Damaged::new(&objects).named(1, "T");
    run(&mut desk, &mut source, Options::default()).expect("nothing fails");
    desk.base = rot(&desk.base, &objects, &[0]);
    let mut other = Damaged::new(&objects).named(2, "T");
    let outcome = run(&mut desk, &mut other, Options::default()).expect("nothing fails");
    assert_eq!((outcome.whole, outcome.read.objects), (true, 1));
    assert_eq!(desk.objects(), all_but(&objects, &BTreeSet::new()));
}

#[test]
fn putting_together_says_of_each_object_that_was_lost() {
    let objects = three_files();
    let mut desk = Desk::new();
    let mut source = Damaged::new(&objects).named(1, "T");
    run(&mut desk, &mut source, Options::default()).expect("nothing fails");
    desk.base = rot(&desk.base, &objects, &[1, 8, 12]);
    let mut map = desk.map();
    let target = FaultyStore::default();
    let error = assemble(
        &mut map,
        &mut open_image(&desk.base),
        None,
        &mut damaged::new_image(&target, 5),
        Holes::Noted,
        &mut |_| {},
    )
    .expect_err("they can't be read");
    assert!(
        matches!(error, Error::Lost { object, objects: 3, .. } if object.0 == 1),
        "{error}"
    );
    assert_eq!(map.counts().not_tried, 3);
    desk.map = map.to_text().into_bytes();
    let outcome = run(&mut desk, &mut source, Options::default()).expect("nothing fails");
    assert_eq!((outcome.whole, outcome.read.objects), (true, 3));
}
