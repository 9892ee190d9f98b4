use pseudotape_drive::Personality;
use pseudotape_mtio::{GeneralStatus, Operation};
use pseudotape_st::{EndOfTape, Errno, Options, St};
use pseudotape_tape::Drive;
use pseudotape_testkit::ModelCartridge;

use crate::bench::{Bench, NON_REWINDING, READ_WRITE, personality};

/// A tape for 4 KiB where also marks need room.
fn marks_need_room() -> Bench {
    let personality = Personality {
        mark_bytes: 512,
        ..personality("scsi_debug")
    };
    let cartridge = ModelCartridge {
        capacity_bytes: Some(4096),
        ..ModelCartridge::default()
    };
    let mut bench = Bench::with(personality, cartridge);
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    bench
}

/// ST-EOM-04
#[test]
fn in_fixed_block_mode_the_blocks_that_fit_are_written() {
    let mut bench = Bench::open_small("generic", 4096, 0);
    bench.does(Operation::SetBlockSize, 512);
    assert_eq!(bench.write(3072), Ok(3072));
    assert_eq!(bench.write(3072), Ok(1024));
    assert_eq!(bench.at(), (0, 8));
    assert!(bench.flag(GeneralStatus::EOT));
    for _ in 0..4 {
        assert_eq!(bench.write(3072), Err(Errno::NoSpace));
    }
    assert_eq!(bench.at(), (0, 8));
}

/// ST-EOM-06
#[test]
fn spacing_in_the_early_warning_zone_lets_the_turns_begin_anew() {
    let mut bench = Bench::open_small("generic", 10_240, 8192);
    bench.write_blocks(2);
    bench.does(Operation::BackBlocks, 1);
    assert!(!bench.flag(GeneralStatus::EOT));
    assert_eq!(bench.write(1024), Ok(1024));
    assert_eq!(bench.write(1024), Err(Errno::NoSpace));
    assert_eq!(bench.write(1024), Ok(1024));
}

/// ST-EOM-09
#[test]
fn a_filemark_that_does_not_fit_is_eio_and_not_counted() {
    let mut bench = marks_need_room();
    bench.write_blocks(4);
    assert_eq!(bench.op(Operation::WriteFilemarks, 1), Err(Errno::Io));
    assert_eq!(bench.at(), (0, 0));
    assert!(bench.flag(GeneralStatus::EOT));
    assert_eq!(bench.pos(), 4);
}

/// ST-EOM-10
#[test]
fn a_close_whose_filemark_does_not_fit_is_eio() {
    let mut bench = marks_need_room();
    bench.write_blocks(4);
    assert_eq!(bench.close(), Err(Errno::Io));
    assert!(!bench.st.in_use());
    assert_eq!(bench.tape(), "bbbb");
    let last_error = bench.st.snapshot().last_error;
    assert_eq!(
        last_error.as_deref(),
        Some("filemarks do not fit before the physical end")
    );
}

/// ST-EOM-08
#[test]
fn filemarks_of_which_a_part_fits_are_counted_as_far_as_they_do() {
    let mut bench = marks_need_room();
    bench.write_blocks(3);
    assert_eq!(bench.op(Operation::WriteFilemarks, 5), Err(Errno::Io));
    assert_eq!(bench.at(), (2, 0));
    assert!(!bench.flag(GeneralStatus::EOT));
    assert_eq!(bench.tape(), "bbbff");
    assert_eq!(bench.op(Operation::WriteFilemarks, 1), Err(Errno::Io));
    assert_eq!(bench.at(), (2, 0));
    assert!(bench.flag(GeneralStatus::EOT));
    // For a negative count st never finds that nothing was written.
    assert_eq!(bench.op(Operation::WriteFilemarks, -1), Err(Errno::Io));
    assert!(!bench.flag(GeneralStatus::EOT));
    assert_eq!(bench.at(), (2 - 1 - 0xff_ffff, 0));
}

/// ST-EOM-08
#[test]
fn a_file_number_that_is_not_known_stays_so() {
    let mut bench = marks_need_room();
    bench.write_blocks(1);
    bench.does(Operation::Seek, 1);
    bench.does(Operation::WriteFilemarks, 1);
    assert_eq!(bench.at(), (-1, 0));
    assert_eq!(bench.op(Operation::WriteFilemarks, 10), Err(Errno::Io));
    assert_eq!(bench.at(), (-1, 0));
}

/// ST-EOM-14
#[test]
fn a_bsd_program_hears_of_early_warning_by_a_count_of_0() {
    for block_size in [0, 512] {
        let mut bench = Bench::open_small("generic", 4096, 1536);
        bench.st = St::new(&Options {
            end_of_tape: EndOfTape::Bsd,
            ..Options::default()
        });
        bench.open(NON_REWINDING, READ_WRITE).unwrap();
        bench.does(Operation::SetBlockSize, block_size);
        let mut answers = (0..13).map(|_| bench.write(512));
        assert!(answers.by_ref().take(5).all(|answer| answer == Ok(512)));
        for expected in [0, 512, 0, 512, 0, 512, 0] {
            assert_eq!(answers.next(), Some(Ok(expected)));
        }
        assert_eq!(answers.next(), Some(Err(Errno::NoSpace)), "physical end");
        assert_eq!(bench.drive.position().unwrap().object.0, 8);
        // Who asks before the data is there is told the same.
        let asked = [(); 2].map(|()| bench.st.check_write(&mut bench.drive, 512));
        assert_eq!(asked, [Ok(0), Err(Errno::NoSpace)]);
    }
}
