//! Random operations on a drive, and what they answered, so that two drives can be compared.

use std::num::NonZeroU32;

use proptest::prelude::*;
use pseudotape_tape::{
    Address, Done, Drive, EraseExtent, Failed, LoadKind, Mark, Motion, ObjectNumber,
    PartitionNumber, Partitioning, Position, ReadDone, SpaceUnit, Transfer, WriteMode,
};

use crate::block_of;

/// One operation of `trait Drive` with its values.
#[expect(
    missing_docs,
    reason = "the fields are the arguments of the trait's methods"
)]
#[derive(Clone, Debug)]
pub enum Operation {
    /// A block of this length, its bytes made from the seed.
    Write { seed: u64, length: usize },
    /// Several blocks of one size.
    WriteFixed { seed: u64, size: u32, count: usize },
    /// Lengthens the last block.
    Extend { seed: u64, length: usize },
    /// One block into a buffer of this length.
    Read { length: usize },
    /// Several blocks of one size.
    ReadFixed { size: u32, count: usize },
    /// A motion, marks among them.
    Motion(Motion),
    /// Unloads.
    Unload,
}

/// What an operation answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// Success of a motion or a write.
    Done(Done),
    /// Success of a read, with the bytes.
    Read(ReadDone, Vec<u8>),
    /// Success with nothing to tell.
    Nothing,
    /// Failure.
    Failed(Failed),
}

impl From<Result<Done, Failed>> for OperationResult {
    fn from(result: Result<Done, Failed>) -> Self {
        result.map_or_else(OperationResult::Failed, OperationResult::Done)
    }
}

impl Operation {
    /// Does it.
    pub fn run(&self, drive: &mut dyn Drive) -> OperationResult {
        let fixed =
            |size| Transfer::Fixed(NonZeroU32::new(size).expect("sizes are made from 1 up"));
        match *self {
            Operation::Write { seed, length } => drive
                .write(Transfer::Variable, &block_of(seed, length))
                .into(),
            Operation::WriteFixed { seed, size, count } => drive
                .write(fixed(size), &block_of(seed, size as usize * count))
                .into(),
            Operation::Extend { seed, length } => drive.extend(&block_of(seed, length)).into(),
            Operation::Read { length } => read(drive, Transfer::Variable, length),
            Operation::ReadFixed { size, count } => read(drive, fixed(size), size as usize * count),
            Operation::Motion(motion) => drive.execute(motion).into(),
            Operation::Unload => drive
                .unload()
                .map_or_else(OperationResult::Failed, |()| OperationResult::Nothing),
        }
    }
}

fn read(drive: &mut dyn Drive, transfer: Transfer, length: usize) -> OperationResult {
    let mut buffer = vec![0xee; length];
    match drive.read(transfer, &mut buffer) {
        Ok(done) => {
            buffer.truncate(done.bytes);
            OperationResult::Read(done, buffer)
        }
        Err(failed) => OperationResult::Failed(failed),
    }
}

/// Any operation, the ones that programs use most more often.
pub fn operation() -> impl Strategy<Value = Operation> {
    let length = prop_oneof![1..200_usize, 1..5000_usize, Just(65_536_usize)];
    let unit = prop_oneof![
        Just(SpaceUnit::Blocks),
        Just(SpaceUnit::Filemarks),
        Just(SpaceUnit::Setmarks)
    ];
    let mark = prop_oneof![9 => Just(Mark::Filemark), 1 => Just(Mark::Setmark)];
    let partitioning = prop_oneof![
        Just(Partitioning::Single),
        (1..4_u32).prop_map(Partitioning::SecondOf),
        (1..4_u32).prop_map(Partitioning::FirstOf)
    ];
    let marks = (mark, 0..4_u32).prop_map(|(mark, count)| Motion::WriteMarks {
        mark,
        count,
        mode: WriteMode::Commit,
    });
    let space = (unit, -6..7_i64).prop_map(|(unit, count)| Motion::Space { unit, count });
    let place = (prop::option::weighted(0.3, 0..3_u8), 0..40_u64);
    let locate = place.prop_map(|(partition, object)| {
        Motion::Locate(Address {
            partition: partition.map(PartitionNumber),
            object: ObjectNumber(object),
        })
    });
    let load = prop_oneof![Just(LoadKind::Load), Just(LoadKind::Retension)];
    let motion = prop_oneof![
        8 => marks,
        12 => space,
        3 => Just(Motion::SpaceToEndOfData),
        8 => locate,
        5 => Just(Motion::Rewind),
        1 => Just(Motion::Erase(EraseExtent::Short)),
        1 => load.prop_map(Motion::Load),
        1 => partitioning.prop_map(Motion::MakePartitions),
    ];
    prop_oneof![
        20 => (any::<u64>(), length.clone()).prop_map(|(seed, length)| Operation::Write { seed, length }),
        4 => (any::<u64>(), 1..600_u32, 1..9_usize)
            .prop_map(|(seed, size, count)| Operation::WriteFixed { seed, size, count }),
        4 => (any::<u64>(), length.clone()).prop_map(|(seed, length)| Operation::Extend { seed, length }),
        20 => length.prop_map(|length| Operation::Read { length }),
        4 => (1..600_u32, 1..9_usize).prop_map(|(size, count)| Operation::ReadFixed { size, count }),
        // The weights of all motions together.
        39 => motion.prop_map(Operation::Motion),
        1 => Just(Operation::Unload),
    ]
}

/// Runs the operations on both drives and says where their answers differ first.
///
/// Positions are compared after each operation, failed ones too.
pub fn compare(
    model: &mut dyn Drive,
    other: &mut dyn Drive,
    operations: &[Operation],
) -> Result<(), String> {
    for (number, operation) in operations.iter().enumerate() {
        let (expected, found) = (operation.run(model), operation.run(other));
        if expected != found {
            return Err(format!(
                "operation {number}, {operation:?}:\n model {expected:?}\n other {found:?}"
            ));
        }
        let (expected, found): (Result<Position, _>, _) = (model.position(), other.position());
        if expected != found {
            return Err(format!(
                "position after operation {number}, {operation:?}:\n model {expected:?}\n other {found:?}"
            ));
        }
    }
    Ok(())
}
