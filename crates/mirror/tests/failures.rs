//! PT-18: what becomes of the job, of the leg and of the others when a leg fails.

mod support;

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, LegState, MirrorDrive, MirrorOptions};
use pseudotape_tape::{
    Drive, Mark, ModeSelect, ObjectNumber, Sense, SpaceUnit, Transfer, WriteMode,
};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

use support::job::{
    BLOCK, NAMES, blank, blocks, commit, locate, lost_from, marks, mirror_of, state, with_legs,
    write,
};
use support::{Faults, Object, Watched};

/// What a drive can fail with when it is written to.
const BROKEN: [Sense; 6] = [
    Sense::HardwareError,
    Sense::NoDrive,
    Sense::MediumError,
    Sense::NoMedium,
    Sense::MediumChanged,
    Sense::Reset,
];

/// Writes blocks, every fourth object a mark, until a write fails; says what was acknowledged.
fn job(mirror: &mut MirrorDrive, count: u64) -> (Vec<Object>, Option<Sense>) {
    let mut acknowledged = Vec::new();
    for number in 0..count {
        let (object, result) = if number % 4 == 3 {
            let result = marks(mirror, 1, WriteMode::Commit);
            (Object::Mark(Mark::Filemark), result)
        } else {
            let block = block_of(number, BLOCK);
            (Object::Block(block), write(mirror, number))
        };
        match result {
            Ok(()) => acknowledged.push(object),
            Err(sense) => return (acknowledged, Some(sense)),
        }
    }
    (acknowledged, None)
}

/// The first object that is not sure after the nth change failed: the fourth ones commit.
fn first_unsure(nth: u64) -> u64 {
    if nth.is_multiple_of(4) {
        nth - 4
    } else {
        nth - 1
    }
}

/// What was acknowledged before is on one copy less than the program was promised, whatever succeeds since.
#[test]
fn an_unload_fails_where_a_required_leg_was_lost_before() {
    for (class, unloads) in [(Class::Required, false), (Class::Spare, true)] {
        for is_dropped in [false, true] {
            let legs: Vec<_> = (0..2).map(blank).collect();
            let mut mirror = mirror_of(&legs, class);
            write(&mut mirror, 0).unwrap();
            legs[1].set(Faults {
                commit: Some(Sense::HardwareError),
                ..Faults::default()
            });
            assert_eq!(commit(&mut mirror).is_ok(), unloads);
            legs[1].set(Faults::default());
            // Nothing that writes goes on without it.
            assert_eq!(commit(&mut mirror).is_ok(), unloads);
            if is_dropped {
                mirror.drop_leg("b").unwrap();
            }
            let unloaded = mirror.unload().map_err(|failed| failed.sense);
            let expected = match unloads || is_dropped {
                true => Ok(()),
                false => Err(Sense::HardwareError),
            };
            assert_eq!(unloaded, expected, "{class}, dropped: {is_dropped}");
            assert!(mirror.test_ready().is_err(), "it is unloaded");
        }
    }
}

/// Whoever only reads was promised nothing of a volume that was no copy when it was put in.
#[test]
fn an_unload_succeeds_where_a_required_leg_was_no_copy_from_the_beginning() {
    let legs = [blank(0), blank(1).marked(3)];
    let mut mirror = mirror_of(&legs, Class::Required);
    assert_eq!(lost_from(&mirror, "b"), Some(3));
    assert_eq!(write(&mut mirror, 0), Err(Sense::HardwareError));
    assert!(mirror.unload().is_ok());
}

/// A volume that nobody finds once it is closed stays in, as long as a copy is missing because of it.
#[test]
fn nothing_is_unloaded_where_the_volume_of_a_required_leg_would_be_lost() {
    for class in [Class::Required, Class::Spare] {
        let legs: Vec<_> = (0..2).map(blank).collect();
        let mut mirror = mirror_of(&legs, class);
        write(&mut mirror, 0).unwrap();
        commit(&mut mirror).unwrap();
        legs[1].set(Faults {
            removed: true,
            ..Faults::default()
        });
        let unloaded = mirror.unload().map_err(|failed| failed.sense);
        assert_eq!(lost_from(&mirror, "b"), Some(1));
        if class == Class::Spare {
            assert_eq!(unloaded, Ok(()));
            continue;
        }
        assert_eq!(unloaded, Err(Sense::HardwareError));
        for _ in 0..2 {
            assert!(mirror.test_ready().is_ok(), "it is still loaded");
            assert!(mirror.unload().is_err());
        }
        // A volume whose leg the operator gives up goes.
        mirror.drop_leg("b").unwrap();
        legs[1].set(Faults::default());
        assert!(mirror.unload().is_ok());
    }
    // The last copy stays in, whatever its class.
    let legs = [blank(0).with(Faults {
        removed: true,
        ..Faults::default()
    })];
    let mut mirror = mirror_of(&legs, Class::Spare);
    assert!(mirror.unload().is_err());
}

#[test]
fn a_required_leg_that_fails_fails_the_operation_and_the_others_lose_nothing() {
    for sense in BROKEN {
        for faulty in 0..3 {
            for nth in 1..9 {
                let legs: Vec<_> = (0..3).map(blank).collect();
                let mut mirror = mirror_of(&legs, Class::Required);
                legs[faulty].set(Faults {
                    change: Some((nth, sense)),
                    ..Faults::default()
                });
                let case = format!("{sense}, leg {faulty}, change {nth}");
                let (acknowledged, failed) = job(&mut mirror, 12);
                assert_eq!(failed, Some(Sense::HardwareError), "{case}");
                assert_eq!(acknowledged.len() as u64, nth - 1, "{case}");
                // Refused until somebody does something about it, and the tape stays where it is.
                assert_eq!(write(&mut mirror, 99), Err(Sense::HardwareError), "{case}");
                let at = mirror.position().unwrap().object.0;
                assert_eq!(at, nth - 1, "{case}");
                assert_eq!(
                    lost_from(&mirror, NAMES[faulty]),
                    Some(first_unsure(nth)),
                    "{case}"
                );
                let noted = legs[faulty].noted();
                assert_eq!(noted, [Some(ObjectNumber(first_unsure(nth)))], "{case}");
                // Reading and positioning go on.
                assert!(mirror.rewind().is_ok(), "{case}");
                for (number, leg) in legs.iter().enumerate() {
                    if number == faulty {
                        assert!(acknowledged.starts_with(&leg.contents()), "{case}");
                    } else {
                        assert_eq!(leg.contents(), acknowledged, "{case}, leg {number}");
                    }
                }
                mirror.rewind().unwrap();
                locate(&mut mirror, nth - 1).unwrap();
                mirror.resync(NAMES[faulty]).unwrap();
                assert_eq!(legs[faulty].noted().last(), Some(&None), "{case}");
                write(&mut mirror, 100).unwrap();
                let (first, again) = (legs[0].contents(), legs[faulty].contents());
                assert_eq!(first.len() as u64, nth, "{case}");
                assert_eq!(first, again, "{case}");
            }
        }
    }
}

#[test]
fn a_spare_leg_that_fails_is_dropped_and_marked_and_the_job_goes_on() {
    for sense in BROKEN {
        for nth in 1..9 {
            let legs: Vec<_> = (0..3).map(blank).collect();
            let mut mirror = mirror_of(&legs, Class::Spare);
            // The leg that reads, of all.
            legs[0].set(Faults {
                change: Some((nth, sense)),
                ..Faults::default()
            });
            let case = format!("{sense}, change {nth}");
            let (acknowledged, failed) = job(&mut mirror, 12);
            assert_eq!((acknowledged.len(), failed), (12, None), "{case}");
            assert_eq!(lost_from(&mirror, "a"), Some(first_unsure(nth)), "{case}");
            assert_eq!(
                legs[0].noted(),
                [Some(ObjectNumber(first_unsure(nth)))],
                "{case}"
            );
            assert_eq!(legs[1].contents(), acknowledged, "{case}");
            assert_eq!(legs[2].contents(), acknowledged, "{case}");
            // What is there is compared, and only the rest is copied.
            let there = legs[0].contents().len() as u64;
            locate(&mut mirror, 12).unwrap();
            let resynced = mirror.resync("a").unwrap();
            assert_eq!(
                (resynced.common, resynced.copied),
                (there, 12 - there),
                "{case}"
            );
            assert_eq!(legs[0].contents(), acknowledged, "{case}");
            assert_eq!(lost_from(&mirror, "a"), None, "{case}");
        }
    }
}

#[test]
fn resync_trusts_content_and_no_count() {
    let legs: Vec<_> = (0..2).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Spare);
    (0..3).for_each(|number| write(&mut mirror, number).unwrap());
    mirror.drop_leg("b").unwrap();
    (3..6).for_each(|number| write(&mut mirror, number).unwrap());
    // Somebody writes as many other blocks on the volume meanwhile, of the same lengths.
    legs[1].work(|drive| {
        for number in [50, 51, 52, 53] {
            drive
                .write(Transfer::Variable, &block_of(number, BLOCK))
                .unwrap();
        }
    });
    let resynced = mirror.resync("b").unwrap();
    assert_eq!((resynced.common, resynced.copied), (3, 3));
    assert_eq!(resynced.bytes, 3 * BLOCK as u64);
    write(&mut mirror, 6).unwrap();
    assert_eq!(legs[1].contents(), blocks(0..7));
    assert_eq!(legs[0].contents(), blocks(0..7));
}

#[test]
fn a_leg_that_comes_back_with_another_volume_gets_all_of_it() {
    let legs: Vec<_> = (0..2).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Required);
    (0..5).for_each(|number| write(&mut mirror, number).unwrap());
    legs[1].set(Faults {
        change: Some((1, Sense::NoDrive)),
        ..Faults::default()
    });
    assert_eq!(write(&mut mirror, 5), Err(Sense::HardwareError));
    let other = blank(1);
    let resynced = mirror.return_leg("b", Some(other.leg("b"))).unwrap();
    assert_eq!((resynced.common, resynced.copied), (0, 5));
    write(&mut mirror, 5).unwrap();
    assert_eq!(other.contents(), blocks(0..6));
    assert_eq!(legs[0].contents(), blocks(0..6));
}

#[test]
fn fewer_legs_than_wanted_end_the_job() {
    let legs: Vec<_> = (0..3).map(blank).collect();
    let options = MirrorOptions {
        min_legs: 2,
        ..MirrorOptions::default()
    };
    let new = legs.iter().zip(NAMES).map(|(leg, name)| leg.spare(name));
    let mut mirror = with_legs(options, new.collect());
    let dies = |nth| Faults {
        change: Some((nth, Sense::NoDrive)),
        ..Faults::default()
    };
    legs[0].set(dies(3));
    legs[1].set(dies(5));
    (0..4).for_each(|number| write(&mut mirror, number).unwrap());
    for _ in 0..2 {
        assert_eq!(write(&mut mirror, 4), Err(Sense::HardwareError));
    }
    assert_eq!(legs[2].contents(), blocks(0..4));
    legs[0].set(Faults::default());
    mirror.resync("a").unwrap();
    write(&mut mirror, 4).unwrap();
    assert_eq!(legs[2].contents(), blocks(0..5));
    assert_eq!(legs[0].contents(), blocks(0..5));
}

#[test]
fn a_leg_that_says_that_it_is_elsewhere_is_out_of_step() {
    for class in [Class::Required, Class::Spare] {
        for faulty in 0..3 {
            let legs: Vec<_> = (0..3).map(blank).collect();
            let mut mirror = mirror_of(&legs, class);
            legs[faulty].set(Faults {
                lies: Some(3),
                ..Faults::default()
            });
            write(&mut mirror, 0).unwrap();
            write(&mut mirror, 1).unwrap();
            let third = write(&mut mirror, 2);
            let expected = match class {
                Class::Required => Err(Sense::HardwareError),
                Class::Spare => Ok(()),
            };
            assert_eq!(third, expected);
            assert_eq!(lost_from(&mirror, NAMES[faulty]), Some(2));
        }
    }
}

/// Of two legs the one that is where it was to go is believed, whichever it is; where that is not known
/// beforehand, most of the legs are.
#[test]
fn a_leg_that_strays_is_out_of_step_and_no_guess_is_made() {
    for count in [2, 3, 8] {
        for faulty in 0..count {
            let legs: Vec<_> = (0..count).map(blank).collect();
            let mut mirror = mirror_of(&legs, Class::Spare);
            (0..6).for_each(|number| write(&mut mirror, number).unwrap());
            legs[faulty].set(Faults {
                strays: Some(1),
                ..Faults::default()
            });
            assert_eq!(locate(&mut mirror, 2), Ok(2), "leg {faulty} of {count}");
            for (number, name) in NAMES[..count].iter().enumerate() {
                let lost = lost_from(&mirror, name).is_some();
                assert_eq!(lost, number == faulty, "leg {faulty} of {count}");
            }
        }
    }
    for faulty in 0..3 {
        let legs: Vec<_> = (0..3).map(blank).collect();
        let mut mirror = mirror_of(&legs, Class::Spare);
        (0..6).for_each(|number| write(&mut mirror, number).unwrap());
        legs[faulty].set(Faults {
            strays: Some(1),
            ..Faults::default()
        });
        let done = mirror.space(SpaceUnit::Blocks, -3).unwrap();
        assert_eq!(done.position.object.0, 3);
        assert_eq!(lost_from(&mirror, NAMES[faulty]), Some(0));
    }
}

#[test]
fn a_commit_that_fails_makes_unsure_what_was_not_committed_before_and_harms_nobody_else() {
    let legs: Vec<_> = (0..3).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Required);
    (0..3).for_each(|number| write(&mut mirror, number).unwrap());
    commit(&mut mirror).unwrap();
    (3..8).for_each(|number| write(&mut mirror, number).unwrap());
    legs[1].set(Faults {
        commit: Some(Sense::HardwareError),
        ..Faults::default()
    });
    assert_eq!(commit(&mut mirror), Err(Sense::HardwareError));
    assert_eq!(lost_from(&mirror, "b"), Some(3));
    assert_eq!(legs[1].noted(), [Some(ObjectNumber(3))]);
    assert_eq!(legs[0].contents(), blocks(0..8));

    // In the middle of a volume nothing behind it goes either.
    let legs: Vec<_> = (0..3).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Required);
    (0..8).for_each(|number| write(&mut mirror, number).unwrap());
    locate(&mut mirror, 2).unwrap();
    legs[2].set(Faults {
        commit: Some(Sense::HardwareError),
        ..Faults::default()
    });
    assert_eq!(commit(&mut mirror), Err(Sense::HardwareError));
    for leg in &legs {
        assert_eq!(leg.contents(), blocks(0..8));
    }
}

#[test]
fn a_damaged_block_is_read_from_the_next_leg_and_the_repair_is_reported() {
    let damaged = |places: &[usize]| {
        let mut drive = ModelDrive::new(Personality::default());
        let objects = (0..6).map(|number| {
            if places.contains(&number) {
                ModelObject::Damaged(BLOCK as u32)
            } else {
                ModelObject::Block(block_of(number as u64, BLOCK))
            }
        });
        drive.insert(ModelCartridge {
            partitions: vec![objects.collect()],
            ..ModelCartridge::default()
        });
        Watched::new(drive)
    };
    let legs = [damaged(&[1, 2, 4]), damaged(&[2, 3])];
    let mut mirror = mirror_of(&legs, Class::Required);
    let mut buffer = vec![0; BLOCK];
    for number in 0..6 {
        let read = mirror.read(Transfer::Variable, &mut buffer);
        if number == 2 {
            let failed = read.unwrap_err();
            assert_eq!(failed.sense, Sense::MediumError);
            assert_eq!(failed.position.unwrap().object.0, 3);
            continue;
        }
        let read = read.unwrap();
        assert_eq!(read.position.object.0, number + 1);
        assert_eq!(buffer, block_of(number, BLOCK));
    }
    assert_eq!(mirror.take_recovered(), 2, "objects 1 and 4");
    assert_eq!(mirror.take_recovered(), 0);
    // In one transfer of blocks of one size, of which each leg has only some.
    locate(&mut mirror, 3).unwrap();
    let mut three = vec![0; 3 * BLOCK];
    let size = (BLOCK as u32).try_into().unwrap();
    let read = mirror.read(Transfer::Fixed(size), &mut three).unwrap();
    assert_eq!((read.blocks, read.position.object.0), (3, 6));
    assert_eq!(three[BLOCK..2 * BLOCK], block_of(4, BLOCK));
    let repairs: Vec<_> = mirror
        .legs()
        .map(|(_, board)| board.repairs.load(std::sync::atomic::Ordering::Relaxed))
        .collect();
    assert!(repairs[0] >= 2, "{repairs:?}");
    assert_eq!(state(&mirror, "a"), LegState::InStep);
}

#[test]
fn the_reader_that_dies_is_replaced_by_the_next_leg_in_step() {
    for sense in [Sense::HardwareError, Sense::NoDrive, Sense::NoMedium] {
        let legs: Vec<_> = (0..3).map(blank).collect();
        let mut mirror = mirror_of(&legs, Class::Spare);
        (0..4).for_each(|number| write(&mut mirror, number).unwrap());
        mirror.rewind().unwrap();
        legs[0].set(Faults {
            read: Some((2, sense)),
            ..Faults::default()
        });
        let mut buffer = vec![0; BLOCK];
        for number in 0..4 {
            mirror.read(Transfer::Variable, &mut buffer).unwrap();
            assert_eq!(buffer, block_of(number, BLOCK), "{sense}");
        }
        assert!(lost_from(&mirror, "a").is_some(), "{sense}");
        assert_eq!(legs[2].reads(), 0, "one leg is enough");
    }
}

#[test]
fn a_leg_that_fails_when_the_mode_is_changed_fails_as_in_any_operation() {
    let change = ModeSelect {
        block_size: Some(512),
        ..ModeSelect::default()
    };
    for class in [Class::Required, Class::Spare] {
        for faulty in 0..2 {
            let legs: Vec<_> = (0..2).map(blank).collect();
            let mut mirror = mirror_of(&legs, class);
            (0..3).for_each(|number| write(&mut mirror, number).unwrap());
            legs[faulty].set(Faults {
                mode: Some(Sense::NoDrive),
                ..Faults::default()
            });
            let changed = mirror.set_mode(change).map_err(|failed| failed.sense);
            assert_eq!(changed.is_err(), class == Class::Required);
            assert_eq!(lost_from(&mirror, NAMES[faulty]), Some(3));
            assert_eq!(lost_from(&mirror, NAMES[1 - faulty]), None);
            if class == Class::Spare {
                assert_eq!(mirror.mode().unwrap().block_size, 512);
            }
        }
    }
}

/// What one drive can't do, no leg does.
#[test]
fn a_mode_that_one_leg_refuses_is_set_on_none() {
    let legs: Vec<_> = (0..2).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Spare);
    legs[1].set(Faults {
        mode: Some(Sense::IllegalRequest),
        ..Faults::default()
    });
    let before = mirror.mode().unwrap();
    let change = ModeSelect {
        block_size: Some(512),
        ..ModeSelect::default()
    };
    let refused = mirror.set_mode(change).unwrap_err();
    assert_eq!(refused.sense, Sense::IllegalRequest);
    assert_eq!(mirror.mode().unwrap(), before);
    assert_eq!(
        [lost_from(&mirror, "a"), lost_from(&mirror, "b")],
        [None; 2]
    );
}

/// Another volume holds nothing of the job, whatever the one before it held.
#[test]
fn a_volume_that_could_not_be_brought_in_step_is_no_copy_from_its_beginning() {
    let legs: Vec<_> = (0..2).map(blank).collect();
    let mut mirror = mirror_of(&legs, Class::Required);
    (0..5).for_each(|number| write(&mut mirror, number).unwrap());
    legs[1].set(Faults {
        change: Some((1, Sense::NoDrive)),
        ..Faults::default()
    });
    assert_eq!(write(&mut mirror, 5), Err(Sense::HardwareError));
    assert_eq!(lost_from(&mirror, "b"), Some(5));
    let other = blank(1).with(Faults {
        change: Some((3, Sense::HardwareError)),
        ..Faults::default()
    });
    mirror.return_leg("b", Some(other.leg("b"))).unwrap_err();
    assert_eq!(lost_from(&mirror, "b"), Some(0));
    assert_eq!(other.noted().last(), Some(&Some(ObjectNumber(0))));
    other.set(Faults::default());
    mirror.resync("b").unwrap();
    assert_eq!(other.noted().last(), Some(&None));
    assert_eq!(other.contents(), blocks(0..5));
}
