//! Lengths of blocks, and marks.

use anyhow::{Context, ensure};
use pseudotape_drive::Personality;
use pseudotape_tape::{Drive, Mark, SpaceUnit, Stop, Transfer, WriteMode};
use pseudotape_testkit::{SuiteMedium, block_of};

use super::generic;
use crate::device::programs::Programs;
use crate::device::served::{Front, Served};
use crate::device::steps::{expect_block, expect_stop, put, same};

pub(super) fn blocks_longer_than_the_buffer_have_their_length(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut drive = served.open()?;
    let lengths = [100_000, 7, 3_000_000, 50];
    for (seed, length) in lengths.into_iter().enumerate() {
        put(&mut drive, seed as u64, length)?;
    }
    drive.rewind()?;
    for (seed, length) in lengths.into_iter().enumerate() {
        for room in [0, 1, 40] {
            let mut buffer = vec![0; room];
            let done = drive.read(Transfer::Variable, &mut buffer)?;
            let bytes = room.min(length);
            let got = (
                done.blocks,
                done.bytes,
                done.block_length as usize,
                done.stop,
            );
            same("a small buffer", got, (1, bytes, length, None))?;
            same("the place", done.position.object.0, seed as u64 + 1)?;
            ensure!(
                buffer[..bytes] == block_of(seed as u64, length)[..bytes],
                "other bytes"
            );
            drive.space(SpaceUnit::Blocks, -1)?;
        }
        expect_block(&mut drive, seed as u64, length)?;
    }
    Ok(())
}

pub(super) fn limits_are_those_of_the_drive(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    for personality in Personality::ALL {
        let served = Served::start(programs, front, *personality, SuiteMedium::default())?;
        let drive = served.open()?;
        let mut expected = personality.limits;
        // What fixed sizes are multiples of is all that a driver lets one find out.
        expected.granularity_bytes = personality.block_size_multiple;
        // MTSETBLK has 24 bits: what takes the largest of them may take 16 MiB.
        if expected.max_bytes == (1 << 24) - 1 {
            expected.max_bytes = 1 << 24;
        }
        same(personality.name, drive.block_limits(), expected)?;
    }
    Ok(())
}

pub(super) fn setmarks_are_told_from_filemarks(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let dds = Personality::named("dds").context("a personality of ours")?;
    let served = Served::start(programs, front, dds, SuiteMedium::default())?;
    let mut drive = served.open()?;
    let marks = [Mark::Setmark, Mark::Filemark, Mark::Filemark, Mark::Setmark];
    for mark in marks {
        put(&mut drive, 1, 100)?;
        same(
            "a mark",
            drive.write_marks(mark, 1, WriteMode::Commit)?.count,
            1,
        )?;
    }
    let stop = |mark| match mark {
        Mark::Setmark => Stop::Setmark,
        Mark::Filemark => Stop::Filemark,
    };
    drive.rewind()?;
    for mark in marks {
        expect_block(&mut drive, 1, 100)?;
        expect_stop(&mut drive, stop(mark))?;
    }
    for mark in marks.into_iter().rev() {
        let done = drive.space(SpaceUnit::Blocks, -5)?;
        same(
            "back over blocks",
            (done.count, done.stop),
            (0, Some(stop(mark))),
        )?;
        drive.space(SpaceUnit::Blocks, -1)?;
    }
    for mark in marks {
        let done = drive.space(SpaceUnit::Blocks, 5)?;
        same(
            "over blocks",
            (done.count, done.stop),
            (1, Some(stop(mark))),
        )?;
    }
    drive.rewind()?;
    let done = drive.space(SpaceUnit::Setmarks, 3)?;
    let got = (done.count, done.stop, done.position.object.0);
    same("over setmarks", got, (2, Some(Stop::EndOfData), 8))?;
    let done = drive.space(SpaceUnit::Filemarks, -1)?;
    let got = (done.count, done.stop, done.position.object.0);
    same("back over filemarks", got, (0, Some(Stop::Setmark), 7))
}
