//! PT-18. Faults on command in the legs of a mirror: what a program sees is what the mirror makes of a leg that fails.

mod support;

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, LegState, MirrorDrive, MirrorOptions, NewLeg};
use pseudotape_tape::{Drive, Mark, ObjectNumber, Sense, Transfer, WriteMode};
use pseudotape_testkit::{SuiteMedium, block_of};

use support::image_leg;

const BLOCK: usize = 1000;

/// Two legs, the second one a spare, whose faults are these; five blocks are on them, and the tape is at its beginning.
struct Rig {
    mirror: MirrorDrive,
    faults: [pseudotape_fault::Faults; 2],
}

impl Rig {
    fn new() -> Self {
        let leg = |name| image_leg(name, Personality::default(), SuiteMedium::default());
        let mut legs: Vec<NewLeg> = ["a", "b"].map(leg).into();
        legs[1].options.class = Class::Spare;
        let faults = [0, 1].map(|leg: usize| legs[leg].options.faults.clone());
        let mut mirror = MirrorDrive::new(MirrorOptions::default());
        mirror.insert(legs).expect("two blank volumes");
        assert!(mirror.test_ready().is_err(), "the report of new volumes");
        let mut rig = Rig { mirror, faults };
        for number in 0..5 {
            rig.write(number).expect("there is room");
        }
        rig.mirror.rewind().expect("volumes are in");
        rig
    }

    fn inject(&self, leg: usize, text: &str) {
        let fault = text.parse().expect("a fault");
        self.faults[leg].inject(vec![fault]).expect("there is room");
    }

    fn write(&mut self, number: u64) -> Result<(), Sense> {
        let done = self
            .mirror
            .write(Transfer::Variable, &block_of(number, BLOCK));
        done.map(drop).map_err(|failed| failed.sense)
    }

    fn expect_blocks(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let mut buffer = vec![0; 2 * BLOCK];
            let read = self.mirror.read(Transfer::Variable, &mut buffer);
            let read = read.expect("one leg has the block");
            assert_eq!(buffer[..read.bytes], block_of(number, BLOCK));
        }
    }

    fn states(&self) -> Vec<LegState> {
        self.mirror.legs().map(|(_, board)| board.state()).collect()
    }
}

#[test]
fn a_block_that_one_leg_can_not_read_comes_from_the_other() {
    for position in ["behind", "kept", "lost"] {
        let mut rig = Rig::new();
        rig.inject(0, &format!("read-error,at=2,position={position}"));
        rig.expect_blocks(0..5);
        assert_eq!(rig.faults[0].listed()[0].met, 1, "{position}");
    }
}

#[test]
fn a_block_that_no_leg_can_read_is_a_medium_error() {
    let mut rig = Rig::new();
    rig.inject(0, "read-error,at=1");
    rig.inject(1, "read-error,at=1");
    rig.expect_blocks(0..1);
    let failed = rig.mirror.read(Transfer::Variable, &mut [0; BLOCK]);
    assert_eq!(
        failed.map_err(|failed| failed.sense),
        Err(Sense::MediumError)
    );
    rig.expect_blocks(2..5);
}

#[test]
fn a_spare_leg_that_can_not_write_is_dropped_and_a_resync_brings_it_back() {
    let mut rig = Rig::new();
    rig.mirror.space_to_end_of_data().expect("volumes are in");
    rig.inject(1, "write-error,at=6");
    rig.write(5).expect("both legs take it");
    assert_eq!(rig.states(), [LegState::InStep, LegState::InStep]);
    rig.write(6).expect("the other leg takes it");
    let [LegState::InStep, LegState::OutOfStep { from, .. }] = &rig.states()[..] else {
        panic!("{:?}", rig.states());
    };
    assert_eq!(*from, ObjectNumber(6));
    rig.faults[1].remove(&["all".into()]).expect("it is listed");
    rig.mirror.resync("b").expect("nothing fails any more");
    assert_eq!(rig.states(), [LegState::InStep, LegState::InStep]);
    rig.inject(0, "read-error,every=1");
    rig.mirror.rewind().expect("volumes are in");
    rig.expect_blocks(0..7);
}

#[test]
fn a_leg_that_is_reset_goes_back_to_its_place() {
    let mut rig = Rig::new();
    rig.expect_blocks(0..2);
    rig.inject(0, "reset");
    rig.inject(1, "reset");
    rig.expect_blocks(2..5);
    assert_eq!(rig.states(), [LegState::InStep, LegState::InStep]);
}

#[test]
fn a_commit_that_fails_in_a_required_leg_is_told() {
    let mut rig = Rig::new();
    rig.mirror.space_to_end_of_data().expect("volumes are in");
    rig.inject(0, "commit-failure");
    rig.write(5).expect("nothing is promised yet");
    let marks = rig.mirror.write_marks(Mark::Filemark, 1, WriteMode::Commit);
    assert_eq!(
        marks.map_err(|failed| failed.sense),
        Err(Sense::HardwareError)
    );
}
