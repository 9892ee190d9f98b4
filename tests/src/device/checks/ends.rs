//! Ends of the tape, and places that are lost.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Context, ensure};
use pseudotape_drive::Personality;
use pseudotape_tape::{Drive, Sense, Stop, Transfer};
use pseudotape_testkit::{SuiteMedium, block_of};

use super::generic;
use crate::device::programs::Programs;
use crate::device::served::{Front, Served};
use crate::device::steps::{expect_block, expect_stop, filemark, fill, object, put, same, to};

/// Longer calls come to a daemon in pieces.
const PIECE: usize = 128 << 10;

pub(super) fn early_warning_and_the_physical_end_are_exact(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    for (capacity, early_warning, length) in [
        (100_000, 30_000, 1000),
        (100_000, 30_000, 999),
        (1 << 20, 1 << 17, 65_536),
        (1 << 20, 0, 10_240),
        (1_000_000, 500_000, 4096),
        (3 << 20, 1 << 20, 100_000),
        (3 << 20, 1 << 20, 300_000),
    ] {
        if length > PIECE && front == Front::Cuse && !Path::new("/proc/self/syscall").exists() {
            println!(
                "excluded cuse: blocks of {length} bytes at the physical end: this kernel does not say how long a \
                 call in pieces is, so the first piece of a block that does not fit is on the tape"
            );
            continue;
        }
        let what =
            format!("capacity {capacity}, early warning {early_warning}, blocks of {length}");
        let medium = SuiteMedium {
            capacity_bytes: Some(capacity),
            early_warning_bytes: early_warning,
            ..SuiteMedium::default()
        };
        let served = Served::start(programs, front, Personality::default(), medium)?;
        let mut drive = served.open()?;
        let bytes = length as u64;
        let fits = capacity / bytes;
        let warning = (capacity - early_warning).div_ceil(bytes);
        let expected = (Some(warning).filter(|at| *at <= fits), fits);
        same(&what, fill(&mut drive, length)?, expected)?;
        // A shorter block may still fit, and the driver's turns don't count as early warning.
        let rest = usize::try_from(capacity - fits * bytes)?;
        if rest > 0 {
            let seed = fits;
            same(
                "a full tape",
                put(&mut drive, seed, rest)?,
                Some(Stop::EarlyWarning),
            )?;
        }
        let done = drive.write(Transfer::Variable, &[1])?;
        let got = (done.count, done.stop);
        same("one byte more", got, (0, Some(Stop::EndOfPartition)))?;
        filemark(&mut drive)?;
        drop(drive);
        let mut drive = served.open()?;
        drive.rewind()?;
        for seed in 0..fits {
            expect_block(&mut drive, seed, length).with_context(|| what.clone())?;
        }
        if rest > 0 {
            expect_block(&mut drive, fits, rest)?;
        }
        expect_stop(&mut drive, Stop::Filemark)?;
        expect_stop(&mut drive, Stop::EndOfData)?;
    }
    Ok(())
}

pub(super) fn fixed_blocks_are_counted_to_the_last_one_that_fits(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let medium = SuiteMedium {
        capacity_bytes: Some(50_000),
        early_warning_bytes: 10_000,
        ..SuiteMedium::default()
    };
    let served = Served::start(programs, front, Personality::default(), medium)?;
    let mut drive = served.open()?;
    let size = NonZeroU32::new(1024).context("not 0")?;
    let data = block_of(1, 60 * 1024);
    let done = drive.write(Transfer::Fixed(size), &data[..30 * 1024])?;
    same("before early warning", (done.count, done.stop), (30, None))?;
    let done = drive.write(Transfer::Fixed(size), &data[30 * 1024..])?;
    let got = (done.count, done.stop, done.position.object.0);
    same("to the end", got, (18, Some(Stop::EndOfPartition), 48))?;
    drive.rewind()?;
    let mut buffer = vec![0; data.len()];
    let done = drive.read(Transfer::Fixed(size), &mut buffer)?;
    same(
        "read back",
        (done.blocks, done.stop),
        (48, Some(Stop::EndOfData)),
    )?;
    ensure!(
        buffer[..48 * 1024] == data[..48 * 1024],
        "the blocks are different"
    );
    Ok(())
}

pub(super) fn a_reset_loses_the_place_until_a_motion_finds_it(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut drive = served.open()?;
    for seed in 0..5 {
        put(&mut drive, seed, 3000)?;
    }
    for attempt in ["rewind", "locate", "end of data"] {
        served.reset()?;
        for _ in 0..2 {
            let failed = drive
                .write(Transfer::Variable, b"lost")
                .expect_err("the place is lost");
            same(
                attempt,
                (failed.sense, failed.position),
                (Sense::Reset, None),
            )?;
        }
        let failed = drive.position().expect_err("the place is lost");
        same(
            attempt,
            (failed.sense, failed.position),
            (Sense::Reset, None),
        )?;
        let at = match attempt {
            "rewind" => drive.rewind()?,
            "locate" => drive.locate(to(3))?,
            _ => drive.space_to_end_of_data()?,
        };
        let seed = at.position.object.0;
        same(attempt, object(&mut drive)?, seed)?;
        if seed < 5 {
            expect_block(&mut drive, seed, 3000)?;
        } else {
            expect_stop(&mut drive, Stop::EndOfData)?;
        }
    }
    same(
        "objects",
        drive.space_to_end_of_data()?.position.object.0,
        5,
    )
}

pub(super) fn a_killed_daemon_is_no_drive_and_loses_nothing(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let mut served = generic(programs, front)?;
    let mut drive = served.open()?;
    for seed in 0..4 {
        put(&mut drive, seed, 5000)?;
    }
    filemark(&mut drive)?;
    put(&mut drive, 4, 5000)?;
    served.kill()?;
    for _ in 0..2 {
        let failed = drive
            .write(Transfer::Variable, b"gone")
            .expect_err("nobody is there");
        same(
            "after the kill",
            (failed.sense, failed.position),
            (Sense::NoDrive, None),
        )?;
    }
    served.start_again()?;
    let failed = drive
        .write(Transfer::Variable, b"lost")
        .expect_err("the place is lost");
    same(
        "when it is back",
        (failed.sense, failed.position),
        (Sense::Reset, None),
    )?;
    drive.rewind()?;
    for seed in 0..4 {
        expect_block(&mut drive, seed, 5000)?;
    }
    expect_stop(&mut drive, Stop::Filemark)?;
    expect_block(&mut drive, 4, 5000)?;
    expect_stop(&mut drive, Stop::EndOfData)?;
    put(&mut drive, 5, 100)?;
    same("objects", object(&mut drive)?, 7)
}
