//! The path of a record allocates nothing, whatever the memory of the record is cut into.

mod common;

use common::{ME, features, told};
use pseudotape_drive::{NullDrive, NullLimits, Personality};
use pseudotape_scsi::TapeUnit;
use pseudotape_tape::Volume;
use pseudotape_testkit::counting::{Counting, allocations};
use pseudotape_testkit::{SuiteMedium, image_drive};

#[global_allocator]
static COUNTING: Counting = Counting;

const BYTES: usize = 65_536;
const WRITE: [u8; 6] = [0x0a, 0, 1, 0, 0, 0];
const READ: [u8; 6] = [0x08, 0, 1, 0, 0, 0];

/// A record in one piece, and one in two.
fn both_ways(unit: &mut TapeUnit, cdb: [u8; 6], memory: &mut [u8], volume: &mut dyn Volume) {
    let reply = unit.execute(ME, &cdb, &mut [memory], volume);
    assert_eq!((told(&reply), reply.transferred), (None, BYTES));
    let (first, second) = memory.split_at_mut(4096);
    let reply = unit.execute(ME, &cdb, &mut [first, second], volume);
    assert_eq!((told(&reply), reply.transferred), (None, BYTES));
}

#[test]
fn nothing_is_allocated_for_a_record() {
    assert!(allocations(|| drop(vec![1; 10])) > 0, "the counter counts");
    let mut unit = TapeUnit::new(features(&Personality::default()));
    unit.greet(ME);
    let mut memory = vec![7; BYTES];

    let mut null = NullDrive::new(NullLimits::default());
    // Made once: the buffer for records in pieces, and what the drive keeps of records of one length.
    both_ways(&mut unit, WRITE, &mut memory, &mut null);
    let written = allocations(|| both_ways(&mut unit, WRITE, &mut memory, &mut null));
    assert_eq!(written, 0, "writing");

    let mut image = image_drive(Personality::default(), SuiteMedium::default());
    image.clear_attention();
    for _ in 0..2 {
        both_ways(&mut unit, WRITE, &mut memory, &mut image);
    }
    let rewound = unit.execute(ME, &[1, 0, 0, 0, 0, 0], &mut [], &mut image);
    assert_eq!(told(&rewound), None);
    both_ways(&mut unit, READ, &mut memory, &mut image);
    let read = allocations(|| both_ways(&mut unit, READ, &mut memory, &mut image));
    assert_eq!(read, 0, "reading");
}
