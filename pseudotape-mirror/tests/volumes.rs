//! PT-18: volumes that disagree, that are marked, that differ, and drives of different kind.

mod support;

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, MirrorOptions};
use pseudotape_tape::{Drive, EraseExtent, Mark, Sense, Transfer, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, SuiteMedium, block_of};

use support::job::{
    BLOCK, NAMES, blank, blocks, commit, locate, lost_from, mirror_of, with_legs, write,
};
use support::{Faults, Watched, model};

fn recorded(objects: Vec<ModelObject>) -> Watched {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge {
        partitions: vec![objects],
        ..ModelCartridge::default()
    });
    Watched::new(drive)
}

fn block(number: u64) -> ModelObject {
    ModelObject::Block(block_of(number, BLOCK))
}

#[test]
fn reads_that_are_verified_find_what_differs_in_the_middle() {
    let volume = |odd: u64| {
        let objects = (0..20).map(|number| block(if number == 10 { odd } else { number }));
        recorded(objects.collect())
    };
    let legs = [volume(10), volume(77)];
    for verify_reads in [false, true] {
        let options = MirrorOptions {
            verify_reads,
            ..MirrorOptions::default()
        };
        let new = legs.iter().zip(NAMES).map(|(leg, name)| leg.leg(name));
        let mut mirror = with_legs(options, new.collect());
        assert_eq!(mirror.refusal(), None, "only the ends are compared");
        let mut buffer = vec![0; BLOCK];
        for number in 0..20 {
            let read = mirror.read(Transfer::Variable, &mut buffer);
            let differs = verify_reads && number == 10;
            assert_eq!(read.is_err(), differs, "block {number}");
            if let Err(failed) = read {
                assert_eq!(failed.sense, Sense::MediumError);
                assert_eq!(failed.position.unwrap().object.0, 11);
            }
        }
        for (_, _, leg) in mirror.eject() {
            leg.finish().unwrap();
        }
    }
}

#[test]
fn volumes_that_disagree_are_refused_until_one_is_trusted() {
    let right: Vec<_> = (0..12).map(block).collect();
    let with = |place: usize, object: ModelObject| {
        let mut objects = right.clone();
        objects[place] = object;
        objects
    };
    let others = [
        right[..11].to_vec(),
        [right.clone(), vec![ModelObject::Filemark]].concat(),
        with(11, block(99)),
        with(9, ModelObject::Filemark),
        // Another job's, by its first block.
        with(0, block(99)),
        with(11, ModelObject::Block(block_of(11, BLOCK - 1))),
        Vec::new(),
    ];
    for (number, other) in others.into_iter().enumerate() {
        for trusted in 0..2 {
            let case = format!("volume {number}, {} is right", NAMES[trusted]);
            let legs = [recorded(right.clone()), recorded(other.clone())];
            let mut mirror = mirror_of(&legs, Class::Required);
            let refusal = mirror.refusal().map(str::to_owned);
            assert!(
                refusal.is_some_and(|text| text.contains("disagree")),
                "{case}"
            );
            for result in [write(&mut mirror, 0), commit(&mut mirror)] {
                assert_eq!(result, Err(Sense::NotReady), "{case}");
            }
            assert!(mirror.resync(NAMES[1 - trusted]).is_err(), "{case}");
            let lost = mirror.trust(NAMES[trusted]).unwrap();
            assert_eq!(lost, [NAMES[1 - trusted]], "{case}");
            assert_eq!(mirror.test_ready().unwrap_err().sense, Sense::MediumChanged);
            mirror.resync(NAMES[1 - trusted]).unwrap();
            let expected = if trusted == 0 { &right } else { &other };
            for leg in &legs {
                let found = leg.partitions().unwrap();
                assert_eq!(found, std::slice::from_ref(expected), "{case}");
            }
            assert_eq!(mirror.position().unwrap().object.0, 0, "{case}");
        }
    }
}

#[test]
fn a_volume_that_is_marked_does_not_come_back_as_a_copy_by_itself() {
    let legs: Vec<_> = (0..2).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Spare);
    (0..3).for_each(|number| write(&mut mirror, number).unwrap());
    legs[1].set(Faults {
        commit: Some(Sense::HardwareError),
        ..Faults::default()
    });
    commit(&mut mirror).unwrap();
    assert_eq!(lost_from(&mirror, "b"), Some(0));
    for (_, _, leg) in mirror.eject() {
        leg.finish().unwrap();
    }
    // It holds the same, as far as can be seen; but its drive said that this is not sure.
    legs[1].set(Faults::default());
    let mut mirror = mirror_of(&legs, Class::Spare);
    assert_eq!(mirror.refusal(), None);
    assert_eq!(lost_from(&mirror, "b"), Some(0));
    let resynced = mirror.resync("b").unwrap();
    assert_eq!((resynced.common, resynced.copied), (3, 0));
    assert_eq!(legs[1].noted().last(), Some(&None));
}

/// What one kind of drive can't do, no leg does; and what can't be undone is not forgotten.
#[test]
fn legs_of_different_kind_do_what_all_of_them_can() {
    let dds = Personality::named("dds").unwrap();
    let lto = Personality::named("lto5").unwrap();
    let plain = Personality::default();
    let of = |personalities: [Personality; 2]| {
        personalities.map(|p| Watched::new(model(p, SuiteMedium::default())))
    };
    for order in [[dds, plain], [plain, dds]] {
        let legs = of(order);
        let mut mirror = mirror_of(&legs, Class::Required);
        write(&mut mirror, 0).unwrap();
        let refused = mirror.write_marks(Mark::Setmark, 1, WriteMode::Commit);
        assert_eq!(refused.unwrap_err().sense, Sense::IllegalRequest);
        write(&mut mirror, 1).unwrap();
        for leg in &legs {
            assert_eq!(leg.contents(), blocks(0..2));
        }
        assert_eq!(lost_from(&mirror, "a"), None);
        assert_eq!(lost_from(&mirror, "b"), None);
    }
    for order in [[lto, plain], [plain, lto]] {
        // Erased where it can be; on the other leg the rest goes with the next write.
        let legs = of(order);
        let mut mirror = mirror_of(&legs, Class::Required);
        (0..4).for_each(|number| write(&mut mirror, number).unwrap());
        locate(&mut mirror, 2).unwrap();
        mirror.erase(EraseExtent::Short).unwrap();
        let mut buffer = [0; BLOCK];
        let read = mirror.read(Transfer::Variable, &mut buffer).unwrap();
        assert_eq!(read.stop, Some(pseudotape_tape::Stop::EndOfData));
        write(&mut mirror, 9).unwrap();
        mirror.unload().unwrap();
        assert_eq!(mirror.eject().len(), 2);
    }
    // Unless there is none: then the leg is no copy any more.
    let legs = of([plain, lto]);
    let mut mirror = mirror_of(&legs, Class::Required);
    (0..4).for_each(|number| write(&mut mirror, number).unwrap());
    locate(&mut mirror, 2).unwrap();
    mirror.erase(EraseExtent::Short).unwrap();
    assert_eq!(mirror.unload().unwrap_err().sense, Sense::HardwareError);
    assert_eq!(lost_from(&mirror, "b"), Some(2));
}

/// A volume that was written with another key has the same length, and not one block can be read.
#[test]
fn a_volume_of_which_nothing_can_be_read_is_no_copy() {
    let legs = [(); 2].map(|()| recorded((0..12).map(block).collect()));
    legs[1].set(Faults {
        read: Some((1, Sense::MediumError)),
        ..Faults::default()
    });
    let mut mirror = mirror_of(&legs, Class::Required);
    let refusal = mirror.refusal().map(str::to_owned).unwrap();
    assert!(refusal.contains("from leg b"), "{refusal}");
    assert_eq!(write(&mut mirror, 0), Err(Sense::NotReady));
    assert_eq!(mirror.trust("a").unwrap(), ["b"]);
    legs[1].set(Faults::default());
    let resynced = mirror.resync("b").unwrap();
    assert_eq!((resynced.common, resynced.copied), (12, 0));
}

/// A block that did not fit on one leg was taken back from the other, which lost by it what it had behind.
#[test]
fn what_one_leg_alone_still_holds_is_erased_before_its_volume_leaves() {
    let of = |capacity, mute| {
        let medium = SuiteMedium {
            capacity_bytes: Some(capacity),
            ..SuiteMedium::default()
        };
        Watched::new(model(Personality::default(), medium)).with(Faults {
            mute,
            ..Faults::default()
        })
    };
    let legs = [of(80_000, false), of(20_000, true)];
    let mut mirror = mirror_of(&legs, Class::Required);
    write(&mut mirror, 0).unwrap();
    locate(&mut mirror, 0).unwrap();
    let long = block_of(1, 65_536);
    let done = mirror.write(Transfer::Variable, &long).unwrap();
    assert_eq!(
        (done.count, done.stop),
        (0, Some(pseudotape_tape::Stop::EndOfPartition))
    );
    mirror.unload().unwrap();
    assert_eq!(
        [lost_from(&mirror, "a"), lost_from(&mirror, "b")],
        [None; 2]
    );
    for leg in &legs {
        assert_eq!(leg.peek(), []);
    }
}
