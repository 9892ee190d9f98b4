//! An encrypted block costs no allocation, neither when it is written nor when it is read.

use pseudotape_drive::{NullDrive, NullLimits, Personality};
use pseudotape_filter::{Binding, Compression, Filter, FilterDrive, Key};
use pseudotape_tape::{Drive, Mark, Sense, Transfer, Volume, WriteMode};
use pseudotape_testkit::counting::{Counting, allocations, with_no_more_than};
use pseudotape_testkit::{SuiteMedium, block_of, image_drive};

#[global_allocator]
static COUNTING: Counting = Counting;

const BLOCKS: u64 = 40;

fn filters() -> [Filter; 2] {
    [None, Some(Compression::Zstd)].map(|compression| Filter {
        compression,
        key: Some(Key::new([9; 32])),
        binding: Binding::Checked,
    })
}

fn write(drive: &mut impl Drive, block: &[u8]) {
    for _ in 0..BLOCKS {
        drive.write(Transfer::Variable, block).unwrap();
    }
    drive
        .write_marks(Mark::Filemark, 1, WriteMode::Immediate)
        .unwrap();
}

#[test]
fn an_encrypted_block_is_written_without_an_allocation() {
    for filter in filters() {
        let below = NullDrive::new(NullLimits::default());
        let mut drive = FilterDrive::new(below, filter);
        let block = block_of(1, 64 << 10);
        // Buffers and the segment's key.
        write(&mut drive, &block);
        assert_eq!(allocations(|| write(&mut drive, &block)), 0);
    }
}

#[test]
fn an_encrypted_block_is_read_without_an_allocation() {
    for filter in filters() {
        let mut below = image_drive(Personality::default(), SuiteMedium::default());
        below.clear_attention();
        let mut drive = FilterDrive::new(below, filter);
        let mut block = block_of(1, 64 << 10);
        write(&mut drive, &block);
        let mut read_all = || {
            drive.rewind().unwrap();
            for _ in 0..BLOCKS {
                let done = drive.read(Transfer::Variable, &mut block).unwrap();
                assert_eq!(done.blocks, 1);
            }
        };
        read_all();
        assert_eq!(allocations(&mut read_all), 0);
    }
}

/// Before, the process ended, and with it all drives of the daemon.
#[test]
fn a_block_for_which_there_is_no_memory_fails_alone() {
    const LITTLE: usize = 100 << 10;
    for filter in filters() {
        let mut below = image_drive(Personality::default(), SuiteMedium::default());
        below.clear_attention();
        let mut drive = FilterDrive::new(below, filter);
        let (short, long) = (block_of(1, 1 << 10), block_of(2, 1 << 20));
        drive.write(Transfer::Variable, &short).unwrap();
        let failed = with_no_more_than(LITTLE, || drive.write(Transfer::Variable, &long));
        assert_eq!(failed.unwrap_err().sense, Sense::HardwareError);
        let trouble = drive.take_trouble().unwrap();
        assert!(trouble.contains("no memory"), "{trouble}");
        drive.write(Transfer::Variable, &long).unwrap();
        drive.write(Transfer::Variable, &short).unwrap();

        // What is longer than the program's buffer has to be read whole.
        let mut buffer = [0; 1 << 10];
        drive.rewind().unwrap();
        drive.read(Transfer::Variable, &mut buffer).unwrap();
        let failed = with_no_more_than(LITTLE, || drive.read(Transfer::Variable, &mut buffer));
        assert!(failed.is_err(), "{failed:?}");
        let done = drive.read(Transfer::Variable, &mut buffer).unwrap();
        assert_eq!(done.bytes, short.len(), "the tape is behind the long one");
    }
}
