//! Attributes of programs on legs: on each that has a place, and never given where the legs do not agree.

mod support;

use pseudotape_mirror::{Class, LegState, MirrorDrive};
use pseudotape_tape::{Attributes, AttributesError, Drive, PartitionNumber};
use pseudotape_testkit::attributes_suite::attributes_of;

use support::job::{NAMES, blank, mirror_of, state, with_legs, write};
use support::{Faults, Watched};

const FIRST: PartitionNumber = PartitionNumber(0);

fn pair() -> [Watched; 2] {
    [blank(0), blank(1)]
}

fn set(mirror: &mut MirrorDrive, number: u8) -> Result<(), AttributesError> {
    mirror.set_attributes(FIRST, &attributes_of(number))
}

fn no_place<T>(result: &Result<T, AttributesError>) -> bool {
    matches!(result, Err(AttributesError::NoPlace))
}

#[test]
fn every_leg_keeps_them() {
    let legs = pair();
    let mut mirror = mirror_of(&legs, Class::Required);
    write(&mut mirror, 0).unwrap();
    set(&mut mirror, 1).unwrap();
    for leg in &legs {
        assert_eq!(leg.kept(), Some(attributes_of(1)));
    }
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(1));
    assert_eq!(mirror.position().unwrap().object.0, 1);
}

#[test]
fn where_a_required_leg_has_no_place_there_is_none() {
    let legs = [blank(0), blank(1).without_attributes()];
    let mut mirror = mirror_of(&legs, Class::Required);
    assert!(no_place(&set(&mut mirror, 1)));
    assert_eq!(legs[0].kept(), Some(Attributes::new()), "nothing was kept");
    assert!(no_place(&mirror.attributes(FIRST)));
}

#[test]
fn a_spare_leg_without_a_place_keeps_nobody_from_it() {
    let legs = [blank(0), blank(1).without_attributes()];
    let new = legs.iter().zip(NAMES).map(|(leg, name)| leg.leg(name));
    let mut new: Vec<_> = new.collect();
    new[1].options.class = Class::Spare;
    let mut mirror = with_legs(pseudotape_mirror::MirrorOptions::default(), new);
    set(&mut mirror, 1).unwrap();
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(1));
    assert_eq!(state(&mirror, "b"), LegState::InStep);
}

#[test]
fn legs_that_disagree_give_no_answer_until_a_program_writes_one() {
    let mut other = attributes_of(1);
    let changed = attributes_of(2).get(0x080c).unwrap().clone();
    other.insert(0x080c, changed);
    let legs = [
        blank(0).keeping(&attributes_of(1)),
        blank(1).keeping(&other),
    ];
    let mut mirror = mirror_of(&legs, Class::Required);
    let told = mirror.attributes(FIRST).unwrap_err();
    let AttributesError::Damaged { left, error } = told else {
        panic!("{told:?}");
    };
    assert_eq!(error.to_string(), "attributes of legs a and b differ");
    assert_eq!(left, attributes_of(1).common(&other));
    assert!(left.get(0x0803).is_some() && left.get(0x080c).is_none());
    set(&mut mirror, 3).unwrap();
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(3));
}

#[test]
fn a_leg_that_lost_its_own_does_not_hide_those_of_another() {
    let legs = pair();
    let mut mirror = mirror_of(&legs, Class::Required);
    set(&mut mirror, 1).unwrap();
    let lost = Faults {
        lost_attributes: true,
        ..Faults::default()
    };
    legs[0].set(lost);
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(1));
    legs[1].set(lost);
    let told = mirror.attributes(FIRST);
    assert!(
        matches!(told, Err(AttributesError::Damaged { .. })),
        "{told:?}"
    );
    set(&mut mirror, 2).unwrap();
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(2));
}

#[test]
fn a_leg_that_does_not_keep_them_fails_the_program_or_is_left_behind() {
    for class in [Class::Required, Class::Spare] {
        let legs = pair();
        let new = legs.iter().zip(NAMES).map(|(leg, name)| leg.leg(name));
        let mut new: Vec<_> = new.collect();
        new[1].options.class = class;
        let mut mirror = with_legs(pseudotape_mirror::MirrorOptions::default(), new);
        set(&mut mirror, 1).unwrap();
        legs[1].set(Faults {
            no_attributes: true,
            ..Faults::default()
        });
        let done = set(&mut mirror, 2);
        match class {
            Class::Required => {
                assert!(matches!(done, Err(AttributesError::Failed(_))), "{done:?}");
                // One leg has the new ones, the other one the old ones: neither is given.
                let told = mirror.attributes(FIRST);
                assert!(
                    matches!(told, Err(AttributesError::Damaged { .. })),
                    "{told:?}"
                );
            }
            Class::Spare => {
                done.unwrap();
                assert_ne!(state(&mirror, "b"), LegState::InStep);
                assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(2));
                legs[1].set(Faults::default());
                mirror.resync("b").unwrap();
                assert_eq!(legs[1].kept(), Some(attributes_of(2)));
            }
        }
    }
}

#[test]
fn a_leg_that_comes_back_gets_those_of_the_leg_in_step() {
    let legs = [
        blank(0).keeping(&attributes_of(1)),
        blank(1).keeping(&attributes_of(7)).marked(0),
    ];
    let mut mirror = mirror_of(&legs, Class::Spare);
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(1));
    write(&mut mirror, 0).unwrap();
    set(&mut mirror, 2).unwrap();
    assert_eq!(legs[1].kept(), Some(attributes_of(7)), "it is out of step");
    mirror.resync("b").unwrap();
    assert_eq!(legs[1].kept(), Some(attributes_of(2)));
    assert_eq!(mirror.attributes(FIRST).unwrap(), attributes_of(2));
}

#[test]
fn a_volume_without_attributes_is_made_like_a_leg_that_has_no_place() {
    let legs = [
        blank(0).without_attributes(),
        blank(1).keeping(&attributes_of(7)).marked(0),
    ];
    let mut mirror = mirror_of(&legs, Class::Spare);
    mirror.resync("b").unwrap();
    assert_eq!(legs[1].kept(), Some(Attributes::new()));
}
