use pseudotape_mtio::{Booleans, Operation};
use pseudotape_st::Errno;

use crate::bench::{Bench, CLEAR};

/// A tape of blocks of 512 bytes, a number for each file, rewound.
fn files(blocks: &[usize]) -> Bench {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    for &blocks in blocks {
        assert_eq!(bench.write(512 * blocks), Ok(512 * blocks));
        bench.does(Operation::WriteFilemarks, 1);
    }
    bench.does(Operation::Rewind, 1);
    bench
}

fn clear(bench: &mut Bench, switch: Booleans) {
    bench.does(
        Operation::SetDriveBuffer,
        CLEAR | i32::try_from(switch.bits()).unwrap(),
    );
}

/// ST-FIXED-05
#[test]
fn a_part_of_a_block_can_not_be_read_with_read_ahead_off() {
    let mut bench = files(&[2]);
    clear(&mut bench, Booleans::READ_AHEAD);
    assert_eq!(bench.read(100), Err(Errno::Invalid));
    assert_eq!(bench.at(), (0, 0));
    assert_eq!(bench.read_length(512), Ok(512));
}

/// ST-FIXED-08
#[test]
fn blocks_before_one_of_another_length_are_read_and_the_tape_stops_before_it() {
    let mut bench = Bench::open_blank("generic");
    for length in [512, 512, 100, 512] {
        assert_eq!(bench.write(length), Ok(length));
    }
    bench.does(Operation::Rewind, 1);
    bench.does(Operation::SetBlockSize, 512);
    assert_eq!(bench.read_length(2048), Ok(1024));
    assert_eq!(bench.at(), (0, 2));
    assert_eq!(bench.pos(), 2);
    assert_eq!(bench.read(2048), Err(Errno::Io));
    assert_eq!(bench.pos(), 2);
}

/// ST-FIXED-10
#[test]
fn without_can_bsr_a_close_leaves_the_tape_where_reading_ahead_stopped() {
    let mut bench = files(&[8, 1]);
    clear(&mut bench, Booleans::CAN_BSR);
    assert_eq!(bench.read_length(100), Ok(100));
    bench.reopen();
    // The filemark was passed, and given back.
    assert_eq!(bench.pos(), 8);

    let mut bench = files(&[100]);
    clear(&mut bench, Booleans::CAN_BSR);
    assert_eq!(bench.read_length(100), Ok(100));
    bench.reopen();
    assert_eq!(bench.pos(), 64, "32 KiB are read ahead");
}

/// ST-FIXED-11
#[test]
fn blocks_before_the_end_of_data_are_lost_to_a_read_that_wants_more() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    assert_eq!(bench.write(1024), Ok(1024));
    bench.does(Operation::Lock, 1);
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read(2048), Err(Errno::Io));
    assert_eq!(bench.at(), (0, -1));
    assert_eq!(bench.pos(), 2);
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read_length(1024), Ok(1024));
}

/// ST-FIXED-12
#[test]
fn a_filemark_passed_untold_counts_when_spacing_forward() {
    let mut bench = files(&[2, 1, 1]);
    assert_eq!(bench.read_length(2048), Ok(1024));
    bench.does(Operation::ForwardFilemarks, 1);
    assert_eq!(bench.pos(), 3);
    assert_eq!(bench.at(), (2, 0), "st counts the filemark twice");
    assert_eq!(bench.read_length(512), Ok(512));
}

/// ST-FIXED-13
#[test]
fn a_filemark_passed_untold_is_gone_back_over_too() {
    let mut bench = files(&[1, 2, 1]);
    bench.does(Operation::ForwardFilemarks, 1);
    assert_eq!(bench.read_length(2048), Ok(1024));
    bench.does(Operation::BackFilemarks, 1);
    assert_eq!(bench.pos(), 1);
}

/// ST-FIXED-15
#[test]
fn a_write_takes_the_place_of_blocks_that_were_read_ahead() {
    let mut bench = files(&[8]);
    assert_eq!(bench.read_length(700), Ok(700));
    assert_eq!(bench.write(512), Ok(512));
    // Two blocks were begun, so the write made the third one.
    assert_eq!(bench.pos(), 3);
    assert_eq!(bench.at(), (0, 3));
    bench.close().unwrap();
    assert_eq!(bench.tape(), "bbbf");
}

#[test]
fn the_buffer_for_parts_of_blocks_holds_also_a_block_larger_than_itself() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 100_000);
    assert_eq!(bench.write(200_000), Ok(200_000));
    bench.does(Operation::Rewind, 1);
    assert_eq!(bench.read_length(99_999), Ok(99_999));
    assert_eq!(bench.read_length(2), Ok(2));
    assert_eq!(bench.at(), (0, 2));
}

/// ST-FIXED-02
#[test]
fn a_filemark_passed_untold_is_given_back_before_other_operations() {
    let mut bench = files(&[2, 1]);
    assert_eq!(bench.read_length(2048), Ok(1024));
    bench.does(Operation::Nothing, 1);
    assert_eq!(bench.at(), (0, 2));
    assert_eq!(bench.pos(), 2);
    assert_eq!(bench.read_length(2048), Ok(0));
    assert_eq!(bench.at(), (1, 0));
}

/// ST-FIXED-12
#[test]
fn an_unknown_file_number_stays_so_when_an_untold_filemark_counts() {
    let mut bench = files(&[2, 1, 1]);
    bench.does(Operation::Seek, 1);
    assert_eq!(bench.read_length(2048), Ok(512));
    bench.does(Operation::ForwardFilemarks, 1);
    assert_eq!(bench.at(), (-1, 0));
    assert_eq!(bench.pos(), 3);
}

/// ST-FIXED-09
#[test]
fn only_what_needs_the_place_gives_back_blocks_that_were_read_ahead() {
    use crate::witness::Told;
    use pseudotape_tape::SpaceUnit;
    let back = Told::Space(SpaceUnit::Blocks, -62);
    let spaced = |bench: &mut Bench| {
        bench
            .drive
            .told
            .drain(..)
            .filter(|told| matches!(told, Told::Space(..)))
            .collect::<Vec<_>>()
    };
    for (operation, count, expected) in [
        (Operation::Nothing, 1, vec![back]),
        (Operation::SetBlockSize, 512, vec![back]),
        (Operation::Rewind, 1, vec![]),
        (Operation::Seek, 5, vec![]),
        (Operation::Retension, 1, vec![]),
        (Operation::Lock, 1, vec![]),
        (Operation::Compression, 1, vec![]),
        (Operation::Load, 1, vec![]),
        (Operation::Offline, 1, vec![]),
        (Operation::Unlock, 1, vec![back]),
    ] {
        let mut bench = files(&[100]);
        assert_eq!(bench.read_length(700), Ok(700));
        bench.drive.told.clear();
        bench.does(operation, count);
        assert_eq!(spaced(&mut bench), expected, "{operation:?}");
    }
    // Where partitions are allowed, a seek in the same one needs the place.
    let mut bench = files(&[100]);
    let partitions = i32::try_from(Booleans::CAN_PARTITIONS.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, crate::bench::SET | partitions);
    assert_eq!(bench.read_length(700), Ok(700));
    bench.drive.told.clear();
    bench.does(Operation::Seek, 5);
    assert_eq!(spaced(&mut bench), [back]);
}

/// ST-FIXED-04
#[test]
fn a_status_that_can_not_give_back_a_filemark_is_eio() {
    use pseudotape_tape::{Failed, Sense};
    let mut bench = files(&[2, 1]);
    assert_eq!(bench.read_length(2048), Ok(1024));
    bench.drive.fails = Some(Failed::at(Sense::HardwareError, None));
    assert_eq!(bench.st.get(&mut bench.drive), Err(Errno::Io));
    assert_eq!(bench.at(), (1, 0));
}

/// ST-FIXED-03
#[test]
fn parts_of_blocks_come_one_after_the_other() {
    let mut bench = Bench::open_blank("generic");
    bench.does(Operation::SetBlockSize, 512);
    let data: Vec<u8> = (0..1024_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(bench.st.write(&mut bench.drive, &data), Ok(1024));
    bench.does(Operation::Rewind, 1);
    let mut back = Vec::new();
    for length in [100, 300, 200, 424] {
        back.extend(bench.read(length).unwrap());
    }
    assert_eq!(back, data);
}
