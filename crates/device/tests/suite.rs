//! PT-08. The suite for all drives, run on a drive behind our st: once with positions from the drive, once with
//! counted ones.

mod common;

use common::{Call, Tape};
use nix::errno::Errno;
use pseudotape_drive::Personality;
use pseudotape_tape::Drive;
use pseudotape_testkit::{SUITE, SuiteMedium, drive_suite, suite};

fn asked(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
    Box::new(Tape::new(personality, wanted).drive())
}

/// As an emulation that refuses `MTIOCPOS` and `MTSEEK`.
fn counted(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
    let tape = Tape::new(personality, wanted);
    tape.always(Call::Object, Errno::EIO);
    tape.always(Call::Operate(pseudotape_mtio::Operation::Seek), Errno::EIO);
    let mut drive = tape.drive();
    // The position before is not known.
    drive.rewind().expect("it is loaded");
    Box::new(drive)
}

/// Cases that no request of mtio can do.
const IMPOSSIBLE: [(&str, &str); 3] = [
    (
        "only_the_block_just_written_can_be_extended",
        "no driver lengthens a block",
    ),
    (
        "capacity_counts_bytes_of_blocks_and_marks",
        "no request tells the capacity",
    ),
    (
        "what_a_drive_recovered_is_told_once",
        "nothing below this node recovers an error; transfers.rs asks it of the status itself",
    ),
];

/// Further cases that are impossible with counted positions.
const IMPOSSIBLE_COUNTED: [(&str, &str); 2] = [
    (
        "a_worm_medium_is_only_appended_to",
        "without a place, a refused write may have moved the tape",
    ),
    (
        "partitions_keep_their_own_objects",
        "st can't even open such a drive once it may use partitions",
    ),
];

macro_rules! possible_asked {
    ($($case:ident)*) => { $(possible_asked! { @one $case })* };
    (@one only_the_block_just_written_can_be_extended) => {};
    (@one capacity_counts_bytes_of_blocks_and_marks) => {};
    (@one what_a_drive_recovered_is_told_once) => {};
    (@one $case:ident) => {
        #[test]
        fn $case() {
            suite::$case(&asked);
        }
    };
}

macro_rules! possible_counted {
    ($($case:ident)*) => { $(possible_counted! { @one $case })* };
    (@one only_the_block_just_written_can_be_extended) => {};
    (@one capacity_counts_bytes_of_blocks_and_marks) => {};
    (@one what_a_drive_recovered_is_told_once) => {};
    (@one a_worm_medium_is_only_appended_to) => {};
    (@one partitions_keep_their_own_objects) => {};
    (@one $case:ident) => {
        #[test]
        fn $case() {
            suite::$case(&counted);
        }
    };
}

mod that_says_where_it_is {
    use super::*;
    drive_suite!(@list [possible_asked]);
}

mod that_is_counted {
    use super::*;
    drive_suite!(@list [possible_counted]);
}

#[test]
fn what_is_left_out_of_the_suite_is_really_impossible() {
    let left_out = |make: suite::Make<'_>, cases: &[(&str, &str)]| {
        for (name, reason) in cases {
            let case = SUITE
                .iter()
                .find(|case| case.name == *name)
                .expect("a case of the suite");
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(make)));
            assert!(run.is_err(), "{name} works, in spite of: {reason}");
        }
    };
    left_out(&asked, &IMPOSSIBLE);
    left_out(&counted, &IMPOSSIBLE);
    left_out(&counted, &IMPOSSIBLE_COUNTED);
}
