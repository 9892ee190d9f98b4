use pseudotape_drive::Personality;
use pseudotape_mtio::{Booleans, Operation};
use pseudotape_st::{Errno, Options, St};
use pseudotape_tape::{Address, Drive, ObjectNumber, PartitionNumber};
use pseudotape_testkit::ModelCartridge;

use crate::bench::{Bench, CLEAR, NON_REWINDING, READ_WRITE, ROOT, SET, personality};

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

/// ST-PART-02 ST-PART-04
#[test]
fn a_driver_that_meets_a_partitioned_medium_finds_out_where_it_is() {
    let cartridge = ModelCartridge {
        partitions: vec![Vec::new(), Vec::new()],
        ..ModelCartridge::default()
    };
    let mut bench = Bench::with(personality("scsi_debug"), cartridge);
    bench.drive.clear_attention();
    let there = Address {
        partition: Some(PartitionNumber(1)),
        object: ObjectNumber(0),
    };
    bench.drive.locate(there).unwrap();
    bench.st = St::new(&Options {
        booleans: Options::default().booleans | Booleans::CAN_PARTITIONS,
        ..Options::default()
    });
    bench.open(NON_REWINDING, READ_WRITE).unwrap();
    assert_eq!(bench.get().residual, 1);
    bench.does(Operation::SetPartition, 0);
    bench.drive.reset();
    bench.get();
    assert_eq!(bench.read_length(1024), Err(Errno::Io));
    assert_eq!(bench.get().residual, 0);
    bench.does(Operation::Rewind, 0);
    bench.does(Operation::SetPartition, 1);
    bench.write_blocks(1);
    assert_eq!(bench.partition(1), "b");
    bench.drive.reset();
    assert_eq!(bench.write(1024), Err(Errno::Io));
    assert_eq!(bench.get().residual, 1);
    bench.does(Operation::Erase, 0);
    assert_eq!(bench.get().residual, 1);
}

/// ST-PART-01
#[test]
fn a_seek_in_a_partition_is_invalid_once_partitions_are_forbidden() {
    let mut bench = allowed(Bench::open_blank("scsi_debug"));
    bench.does(Operation::MakePartitions, 100);
    bench.does(Operation::SetPartition, 1);
    bench.write_blocks(1);
    let partitions = i32::try_from(Booleans::CAN_PARTITIONS.bits()).unwrap();
    bench.does(Operation::SetDriveBuffer, CLEAR | partitions);
    assert_eq!(bench.op(Operation::Seek, 0), Err(Errno::Invalid));
    assert_eq!(bench.pos(), 2, "behind the filemark that came first");
}

/// ST-OP-05: st changes the partition before it looks what is asked.
#[test]
fn a_request_of_another_device_changes_the_partition_first() {
    let mut bench = allowed(Bench::open_blank("generic"));
    bench.does(Operation::MakePartitions, 100);
    bench.does(Operation::SetPartition, 1);
    let place = |bench: &mut Bench| bench.drive.position().map(|at| at.partition.0);
    assert_eq!(place(&mut bench), Ok(0));
    let answer = bench.st.other_ioctl(&mut bench.drive, 0x1234, ROOT);
    assert_eq!(answer, Errno::Invalid);
    assert_eq!(place(&mut bench), Ok(1));
    // A medium that has no such partition any more: that comes first.
    bench.does(Operation::SetPartition, 0);
    bench.st.other_ioctl(&mut bench.drive, 0x1234, ROOT);
    bench.does(Operation::SetPartition, 1);
    bench.drive.eject();
    bench.drive.insert(ModelCartridge::default());
    bench.drive.clear_attention();
    let answer = bench.st.other_ioctl(&mut bench.drive, 0x1234, ROOT);
    assert_eq!(answer, Errno::Io);
}

/// ST-PART-02 ST-CLOSE-05: what was written last in a partition is remembered as long as the head comes back to it.
#[test]
fn a_partition_that_is_come_back_to_still_gets_its_filemark_unless_the_head_moved() {
    for moves in [false, true] {
        let mut bench = allowed(Bench::open_blank("generic"));
        bench.does(Operation::MakePartitions, 100);
        bench.does(Operation::SetPartition, 1);
        bench.write_blocks(2);
        bench.does(Operation::SetPartition, 0);
        assert_eq!(bench.pos(), 0);
        bench.does(Operation::SetPartition, 1);
        if moves {
            bench.does(Operation::Seek, 1);
        }
        assert_eq!(bench.pos(), if moves { 1 } else { 2 });
        bench.close().unwrap();
        assert_eq!(bench.partition(1), if moves { "bb" } else { "bbf" });
    }
}
