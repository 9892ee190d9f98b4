use pseudotape_drive::Personality;
use pseudotape_mtio::{Booleans, Operation};
use pseudotape_st::Errno;
use pseudotape_testkit::ModelCartridge;

use crate::bench::{Bench, NON_REWINDING, READ_WRITE, SET, personality};

fn allowed(mut bench: Bench) -> Bench {
    let partitions = i32::try_from(Booleans::CAN_PARTITIONS.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, SET | partitions);
    bench
}

/// ST-PART-06
#[test]
fn a_drive_without_partitions_makes_none() {
    let single = Personality {
        max_partitions: 1,
        ..personality("generic")
    };
    let mut bench = Bench::with(single, ModelCartridge::default());
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    let mut bench = allowed(bench);
    assert_eq!(bench.op(Operation::MakePartitions, 100), Err(Errno::Io));
    assert_eq!(bench.op(Operation::SetPartition, 1), Err(Errno::Invalid));
    bench.does(Operation::SetPartition, 0);
}

/// ST-PART-04
#[test]
fn sizes_that_can_not_be_sent_are_invalid() {
    let mut bench = allowed(Bench::open_blank("generic"));
    bench.does(Operation::MakePartitions, 65_533);
    bench.does(Operation::MakePartitions, -65_534_000);
    assert_eq!(
        bench.op(Operation::MakePartitions, 65_535_000),
        Err(Errno::Invalid)
    );
    assert_eq!(
        bench.op(Operation::MakePartitions, i32::MIN),
        Err(Errno::Invalid)
    );
}

/// ST-PART-02
#[test]
fn a_partition_is_found_where_it_was_left_also_after_a_close() {
    let mut bench = allowed(Bench::open_blank("scsi_debug"));
    bench.does(Operation::MakePartitions, 100);
    bench.write_blocks(3);
    bench.does(Operation::WriteFilemarks, 1);
    bench.does(Operation::SetPartition, 1);
    bench.write_blocks(2);
    bench.reopen();
    assert_eq!(bench.get().residual, 1);
    bench.does(Operation::SetPartition, 0);
    assert_eq!(bench.pos(), 4);
    bench.does(Operation::SetPartition, 1);
    assert_eq!(bench.pos(), 3);
}
