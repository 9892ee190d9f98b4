//! A program that writes blocks of one length and marks to a mirror.

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, LegState, MirrorDrive, MirrorOptions, NewLeg};
use pseudotape_tape::{Address, Drive, Mark, ObjectNumber, Sense, Transfer, WriteMode};
use pseudotape_testkit::{SuiteMedium, block_of};

use super::{Object, Watched, image, model};

pub const BLOCK: usize = 1000;
pub const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

pub fn blank(number: usize) -> Watched {
    if number.is_multiple_of(2) {
        Watched::new(model(Personality::default(), SuiteMedium::default()))
    } else {
        Watched::new(image(Personality::default(), SuiteMedium::default()))
    }
}

pub fn with_legs(options: MirrorOptions, new: Vec<NewLeg>) -> MirrorDrive {
    let mut mirror = MirrorDrive::new(options);
    mirror.insert(new).expect("the legs can be used");
    assert!(mirror.test_ready().is_err(), "the report of new volumes");
    mirror
}

pub fn mirror_of(legs: &[Watched], class: Class) -> MirrorDrive {
    let new = legs.iter().zip(NAMES).map(|(leg, name)| {
        let mut new = leg.leg(name);
        new.options.class = class;
        new
    });
    with_legs(MirrorOptions::default(), new.collect())
}

pub fn state(mirror: &MirrorDrive, name: &str) -> LegState {
    let mut legs = mirror.legs();
    let found = legs.find(|(options, _)| options.name == name);
    found.expect("the leg is there").1.state()
}

pub fn lost_from(mirror: &MirrorDrive, name: &str) -> Option<u64> {
    match state(mirror, name) {
        LegState::InStep => None,
        LegState::OutOfStep { from, .. } | LegState::Dropped { from } => Some(from.0),
    }
}

pub fn write(mirror: &mut MirrorDrive, number: u64) -> Result<(), Sense> {
    let done = mirror.write(Transfer::Variable, &block_of(number, BLOCK));
    let done = done.map_err(|failed| failed.sense)?;
    assert_eq!((done.count, done.stop), (1, None));
    Ok(())
}

pub fn marks(mirror: &mut MirrorDrive, count: u32, mode: WriteMode) -> Result<(), Sense> {
    let done = mirror.write_marks(Mark::Filemark, count, mode);
    done.map(drop).map_err(|failed| failed.sense)
}

pub fn commit(mirror: &mut MirrorDrive) -> Result<(), Sense> {
    marks(mirror, 0, WriteMode::Commit)
}

pub fn locate(mirror: &mut MirrorDrive, object: u64) -> Result<u64, Sense> {
    let to = Address {
        partition: None,
        object: ObjectNumber(object),
    };
    let done = mirror.locate(to).map_err(|failed| failed.sense)?;
    Ok(done.position.object.0)
}

pub fn blocks(numbers: std::ops::Range<u64>) -> Vec<Object> {
    numbers
        .map(|number| Object::Block(block_of(number, BLOCK)))
        .collect()
}
