//! PT-18: volumes that disagree, that are marked, that differ, and drives of different kind.

mod support;

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, Expected, Held, LegError, MirrorOptions, Rest};
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
            let lost = mirror.trust(NAMES[trusted], Rest::MayGo).unwrap();
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

/// A copy onto a volume that was cut off leaves a mark: what the volume holds is no reason to take it for a copy, and
/// the whole one is not refused for its sake.
#[test]
fn a_marked_volume_is_out_of_step_beside_a_whole_one_however_much_it_holds() {
    let right: Vec<_> = (0..12).map(block).collect();
    let marked = [
        Vec::new(),
        right[..5].to_vec(),
        right.clone(),
        (0..30).map(block).collect(),
        (50..62).map(block).collect(),
    ];
    for (number, other) in marked.into_iter().enumerate() {
        for is_first in [true, false] {
            let case = format!("volume {number}, first: {is_first}");
            let whole = recorded(right.clone());
            let cut = recorded(other.clone()).marked(5);
            let (legs, whole_name, cut_name) = match is_first {
                true => ([cut, whole], "b", "a"),
                false => ([whole, cut], "a", "b"),
            };
            let mut mirror = mirror_of(&legs, Class::Spare);
            assert_eq!(mirror.refusal(), None, "{case}");
            assert_eq!(lost_from(&mirror, cut_name), Some(5), "{case}");
            assert_eq!(lost_from(&mirror, whole_name), None, "{case}");
            let agreed = mirror.trust(cut_name, Rest::MayGo);
            assert!(matches!(agreed, Err(LegError::Agreed)), "{case}");
            mirror.resync(cut_name).unwrap();
            for leg in &legs {
                let found = leg.partitions().unwrap();
                assert_eq!(found, std::slice::from_ref(&right), "{case}");
            }
            let cut = &legs[usize::from(!is_first)];
            assert_eq!(cut.noted().last(), Some(&None), "{case}");
        }
    }
}

#[test]
fn a_shorter_volume_is_trusted_only_where_what_others_hold_may_go() {
    let volume = |blocks: u64| recorded((0..blocks).map(block).collect());
    let legs = [volume(12), volume(5), volume(7)];
    let mut mirror = mirror_of(&legs, Class::Required);
    assert!(mirror.refusal().is_some());
    let refused = mirror.trust("b", Rest::Stays).unwrap_err().to_string();
    for told in [
        "leg a holds 7 objects more than leg b, leg c holds 2 objects more",
        "--force",
    ] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    // Nothing was decided by that.
    assert!(mirror.refusal().is_some());
    assert_eq!(write(&mut mirror, 0), Err(Sense::NotReady));
    assert_eq!(mirror.trust("b", Rest::MayGo).unwrap(), ["a", "c"]);
    mirror.resync("a").unwrap();
    assert_eq!(legs[0].contents(), blocks(0..5));
    let legs = [volume(12), volume(5), volume(7)];
    let mut mirror = mirror_of(&legs, Class::Required);
    assert_eq!(mirror.trust("a", Rest::Stays).unwrap(), ["b", "c"]);
}

#[test]
fn a_marked_volume_that_is_trusted_stays_marked() {
    let volume = |mark| recorded((0..8).map(block).collect()).marked(mark);
    let legs = [volume(2), volume(5)];
    let mut mirror = mirror_of(&legs, Class::Required);
    let refusal = mirror.refusal().map(str::to_owned).unwrap();
    assert!(
        refusal.contains("leg a from object 2 on, leg b from object 5 on"),
        "{refusal}"
    );
    let mark = |leg: &Watched| leg.noted().last().copied().flatten().map(|from| from.0);
    assert_eq!(mirror.trust("b", Rest::Stays).unwrap(), ["a"]);
    assert_eq!(lost_from(&mirror, "b"), None);
    assert_eq!(mark(&legs[1]), Some(5));
    mirror.resync("a").unwrap();
    // A copy of a volume that misses something misses the same.
    assert_eq!([mark(&legs[0]), mark(&legs[1])], [Some(5); 2]);
    assert!(mirror.test_ready().is_err(), "the report of new volumes");
    locate(&mut mirror, 5).unwrap();
    write(&mut mirror, 20).unwrap();
    assert_eq!([mark(&legs[0]), mark(&legs[1])], [Some(5); 2]);
    // What is missing lay behind what is overwritten.
    locate(&mut mirror, 4).unwrap();
    write(&mut mirror, 21).unwrap();
    assert_eq!([mark(&legs[0]), mark(&legs[1])], [None; 2]);
}

#[test]
fn a_mark_at_the_beginning_goes_when_everything_is_written_anew() {
    let legs = [recorded(vec![block(0)]).marked(0)];
    let mut mirror = mirror_of(&legs, Class::Required);
    locate(&mut mirror, 1).unwrap();
    write(&mut mirror, 1).unwrap();
    assert_eq!(legs[0].noted().len(), 1);
    locate(&mut mirror, 0).unwrap();
    write(&mut mirror, 1).unwrap();
    assert_eq!(legs[0].noted().last(), Some(&None));
}

/// Another job's volume is not made a copy by mistake.
#[test]
fn a_volume_that_comes_into_a_leg_is_looked_at_for_what_only_it_holds() {
    let look = |other: Vec<ModelObject>| {
        let legs = [(); 2].map(|()| recorded((0..12).map(block).collect()));
        let mut mirror = mirror_of(&legs, Class::Required);
        mirror.drop_leg("b").unwrap();
        let new = recorded(other);
        let (_, besides) = mirror.besides("b", new.leg("b"), Expected::Any).unwrap();
        assert_eq!(new.noted(), [], "it is only looked at");
        assert_eq!(mirror.position().unwrap().object.0, 0);
        write(&mut mirror, 0).unwrap();
        besides.map(|besides| besides.held)
    };
    assert_eq!(look(Vec::new()), None);
    assert_eq!(look((0..5).map(block).collect()), None);
    assert_eq!(look((0..12).map(block).collect()), None);
    let longer = look((0..30).map(block).collect());
    assert_eq!(longer, Some(Held::More(18)));
    let others = |object| Held::Others {
        objects: 6,
        partition: 0,
        object,
    };
    assert_eq!(look((50..56).map(block).collect()), Some(others(0)));
    let mut last = (0..6).map(block).collect::<Vec<_>>();
    last[5] = ModelObject::Filemark;
    assert_eq!(look(last), Some(others(5)));
}

/// A cartridge may be another one when the leg of its drive returns.
#[test]
fn the_tape_that_was_in_a_leg_is_known_by_what_the_leg_held() {
    let look = |dropped_at: u64, other: Vec<ModelObject>| {
        let legs = [(); 2].map(|()| recorded((0..12).map(block).collect()));
        let mut mirror = mirror_of(&legs, Class::Required);
        locate(&mut mirror, dropped_at).unwrap();
        mirror.drop_leg("b").unwrap();
        write(&mut mirror, 99).unwrap();
        let new = recorded(other);
        let (_, besides) = mirror.besides("b", new.leg("b"), Expected::Former).unwrap();
        assert_eq!(new.noted(), [], "it is only looked at");
        besides.map(|besides| besides.to_string())
    };
    // What the leg holds behind the place up to which it was a copy is known to be old.
    assert_eq!(look(7, (0..12).map(block).collect()), None);
    assert_eq!(look(7, (0..7).map(block).collect()), None);
    // A new tape loses nothing.
    assert_eq!(look(7, Vec::new()), None);
    let other = look(7, (50..62).map(block).collect()).expect("another tape");
    assert!(
        other.starts_with(
            "is not known to be what was in leg b (it held the first 7 objects of the mirror, and began with a block of"
        ) && other.contains("it is a tape that begins with a block of")
            && other.ends_with("and holds 4 objects more than the mirror"),
        "{other}"
    );
    // Another one that begins alike, as tapes of one job do.
    let mut alike: Vec<_> = (0..12).map(block).collect();
    alike[5] = block(77);
    assert!(look(7, alike).is_some());
    // Everything that the leg held was written anew: nothing tells whether it is that tape.
    let unknown = look(0, (0..12).map(block).collect()).expect("nothing is known");
    assert!(
        unknown.contains("nothing of what it held is in the mirror any more"),
        "{unknown}"
    );
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
    assert_eq!(mirror.trust("a", Rest::Stays).unwrap(), ["b"]);
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
