//! PT-18. Legs whose drives are reset while a job runs.

use pseudotape_drive::Personality;
use pseudotape_mirror::{LegOptions, LegState, MirrorDrive, MirrorOptions, NewLeg};
use pseudotape_tape::{
    Address, Bare, Drive, EraseExtent, Mark, ModeSelect, ObjectNumber, Sense, SpaceUnit, Transfer,
    WriteMode,
};
use pseudotape_testkit::{ModelCartridge, ModelDrive, SharedDrive, block_of};

struct Rig {
    mirror: MirrorDrive,
    legs: Vec<SharedDrive<ModelDrive>>,
}

/// Two legs with three blocks on them.
fn rig() -> Rig {
    let mut mirror = MirrorDrive::new(MirrorOptions::default());
    let legs: Vec<_> = (0..2)
        .map(|_| {
            let mut drive = ModelDrive::new(Personality::default());
            drive.insert(ModelCartridge::default());
            drive.clear_attention();
            SharedDrive::new(drive)
        })
        .collect();
    let new = legs.iter().zip(["a", "b"]).map(|(leg, name)| NewLeg {
        options: LegOptions::named(name),
        drive: Box::new(Bare(leg.clone())),
    });
    mirror.insert(new.collect()).expect("two blank volumes");
    assert!(mirror.test_ready().is_err(), "the report of new volumes");
    for number in 0..3 {
        write(&mut mirror, number).expect("room for three blocks");
    }
    Rig { mirror, legs }
}

fn write(mirror: &mut MirrorDrive, number: u64) -> Result<(), Sense> {
    let block = block_of(number, 1000);
    let done = mirror.write(Transfer::Variable, &block);
    done.map(drop).map_err(|failed| failed.sense)
}

fn objects(leg: &SharedDrive<ModelDrive>) -> usize {
    leg.lock().cartridge().expect("a cartridge").partitions[0].len()
}

fn states(mirror: &MirrorDrive) -> Vec<LegState> {
    mirror.legs().map(|(_, board)| board.state()).collect()
}

#[test]
fn a_leg_that_was_reset_goes_back_to_its_place_and_the_job_goes_on() {
    for reset in [vec![0], vec![1], vec![0, 1]] {
        let Rig { mut mirror, legs } = rig();
        for &leg in &reset {
            legs[leg].lock().reset();
        }
        write(&mut mirror, 3).expect("the legs are back at object 3");
        for &leg in &reset {
            legs[leg].lock().reset();
        }
        let marks = mirror.write_marks(Mark::Filemark, 1, WriteMode::Commit);
        marks.expect("the legs are back at object 4");
        assert_eq!(states(&mirror), [LegState::InStep, LegState::InStep]);
        for &leg in &reset {
            legs[leg].lock().reset();
        }
        mirror.rewind().expect("a motion brings them back as well");
        let mut buffer = vec![0; 2000];
        for number in 0..4 {
            for &leg in &reset {
                legs[leg].lock().reset();
            }
            let done = mirror
                .read(Transfer::Variable, &mut buffer)
                .expect("a block");
            assert_eq!(
                buffer[..done.bytes],
                block_of(number, 1000),
                "block {number}"
            );
        }
        assert_eq!(legs.iter().map(objects).collect::<Vec<_>>(), [5, 5]);
    }
}

#[test]
fn a_leg_that_was_reset_behind_the_others_catches_up() {
    for reset in [vec![0], vec![1], vec![0, 1]] {
        let Rig { mut mirror, legs } = rig();
        mirror.rewind().expect("the beginning");
        let mut buffer = vec![0; 2000];
        for _ in 0..2 {
            mirror
                .read(Transfer::Variable, &mut buffer)
                .expect("a block of one leg");
        }
        for &leg in &reset {
            legs[leg].lock().reset();
        }
        let done = mirror.space(SpaceUnit::Blocks, -1);
        let done = done.expect("both are brought to object 2 first");
        assert_eq!(done.position.object, ObjectNumber(1), "reset: {reset:?}");
        assert_eq!(states(&mirror), [LegState::InStep, LegState::InStep]);
        write(&mut mirror, 7).expect("both write there");
        assert_eq!(legs.iter().map(objects).collect::<Vec<_>>(), [2, 2]);
    }
}

#[test]
fn a_leg_that_was_reset_is_told_its_mode_again() {
    let Rig { mut mirror, legs } = rig();
    let change = ModeSelect {
        block_size: Some(512),
        compression: Some(true),
        ..ModeSelect::default()
    };
    mirror.set_mode(change).expect("a mode both know");
    let before = mirror.mode().expect("a mode");
    for leg in &legs {
        leg.lock().reset();
    }
    assert_eq!(mirror.mode(), Ok(before), "before it is noticed");
    write(&mut mirror, 3).expect("both are back");
    assert_eq!(mirror.mode(), Ok(before));
    for leg in &legs {
        let mode = leg.lock().mode().expect("a mode");
        assert_eq!((mode.block_size, mode.compression), (512, Some(true)));
    }
}

#[test]
fn a_leg_that_lost_blocks_in_a_reset_is_out_of_step() {
    let Rig { mut mirror, legs } = rig();
    {
        let mut leg = legs[1].lock();
        // What its drive had not yet brought to the medium.
        let mut cartridge = leg.eject().expect("a cartridge");
        cartridge.partitions[0].truncate(2);
        leg.insert(cartridge);
        leg.clear_attention();
        leg.reset();
    }
    assert_eq!(
        write(&mut mirror, 3),
        Err(Sense::HardwareError),
        "a required leg failed"
    );
    let states = states(&mirror);
    // Nothing was committed before: it can't be said how much it lost.
    assert_eq!(states[0], LegState::InStep);
    assert!(
        matches!(
            states[1],
            LegState::OutOfStep {
                from: ObjectNumber(0),
                ..
            }
        ),
        "{:?}",
        states[1]
    );
    mirror.resync("b").expect("leg a has everything");
    assert_eq!(objects(&legs[0]), objects(&legs[1]));
}

/// A drive that reports late what it could not bring to the medium says how far it came.
#[test]
fn a_leg_that_tells_of_lost_blocks_is_no_copy_from_the_first_of_them() {
    for committed in [0, 2] {
        let Rig { mut mirror, legs } = rig();
        for number in 3..6 {
            write(&mut mirror, number).expect("room for it");
            if number == 3 + committed {
                let done = mirror.write_marks(Mark::Filemark, 0, WriteMode::Commit);
                done.expect("a commit");
            }
        }
        let mut leg = legs[1].lock();
        leg.locate(Address {
            partition: None,
            object: ObjectNumber(4),
        })
        .expect("an object that is there");
        leg.erase(EraseExtent::Short).expect("it can erase");
        drop(leg);
        // It stands at object 4, and the mirror believes it at 6.
        assert_eq!(write(&mut mirror, 6), Err(Sense::HardwareError));
        let lost = &states(&mirror)[1];
        let from = match lost {
            LegState::OutOfStep { from, .. } => from.0,
            LegState::InStep | LegState::Dropped { .. } => panic!("{lost:?}"),
        };
        assert_eq!(from, 4, "{lost:?}");
        mirror.resync("b").expect("leg a has everything");
        assert_eq!(objects(&legs[0]), 6);
        assert_eq!(objects(&legs[1]), 6);
    }
}
