//! The kernel's st over an emulated drive: what it can show of a real one.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use proptest::prelude::*;
use pseudotape_device::{Access, DeviceDrive};
use pseudotape_drive::Personality;
use pseudotape_tape::{Drive, LoadKind, Mark, Motion, Sense, SpaceUnit, Stop, Transfer, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive, Operation, block_of, operation};

use super::random::{Comparison, cases_from_environment, random};
use super::steps::{expect_block, expect_stop, filemark, put, same, to};

/// One check on a real node.
#[derive(Clone, Copy, Debug)]
pub struct RealCheck {
    /// Its name, a sentence.
    pub name: &'static str,
    /// Fails where the drive is wrong.
    pub run: fn(&RealSt) -> anyhow::Result<()>,
}

/// A real node, and what puts blank media in.
#[derive(Clone, Debug)]
pub struct RealSt {
    /// The non-rewinding node.
    pub node: PathBuf,
    /// A shell command that puts a blank medium of `$MIB` mebibytes in, or, where `$MIB` is `on` or `off`, moves its
    /// write-protect switch, and resets the drive where it is `reset`.
    pub operator: String,
}

impl RealSt {
    fn ask(&self, what: &str) -> anyhow::Result<()> {
        let status = Command::new("bash")
            .args(["-c", &self.operator])
            .env("MIB", what)
            .status()
            .context("bash")?;
        ensure!(status.success(), "'{}' ended with {status}", self.operator);
        Ok(())
    }

    /// A drive with a blank medium.
    pub fn blank(&self, mib: u32) -> anyhow::Result<DeviceDrive> {
        self.ask(&mib.to_string())?;
        let mut drive = self.open()?;
        // The driver does not hear of the change before it touches the medium.
        drive.rewind()?;
        Ok(drive)
    }

    /// Opens the node.
    pub fn open(&self) -> anyhow::Result<DeviceDrive> {
        Ok(DeviceDrive::open(&self.node, Access::ReadWrite)?)
    }
}

macro_rules! checks {
    ($($name:ident)*) => {
        /// Every check.
        pub const REAL_CHECKS: &[RealCheck] = &[$(RealCheck { name: stringify!($name), run: $name }),*];
    };
}

checks!(
    early_warning_is_exact_and_all_that_was_accepted_is_on_the_tape
    fixed_blocks_are_those_that_were_counted
    closing_and_motions_add_no_filemark
    a_killed_process_leaves_no_filemark
    a_reset_loses_the_place_until_a_motion_finds_it
    a_blank_tape_stays_blank
    a_place_in_a_later_file_is_counted
    a_tape_of_many_files_is_found_again
    blocks_of_every_length_come_back
    a_protected_medium_refuses_and_reads
    a_medium_comes_back_with_a_load
    an_unloaded_medium_is_none
    random_operations_come_to_the_same_as_on_a_plain_tape
);

/// Blocks written behind early warning; the emulation has no physical end.
const BEHIND_EARLY_WARNING: u64 = 10;

/// More than the emulation keeps with each block.
const MOST_HEADER: u64 = 64;

fn early_warning_is_exact_and_all_that_was_accepted_is_on_the_tape(
    real: &RealSt,
) -> anyhow::Result<()> {
    for (mib, length) in [
        (2, 65_536),
        (3, 10_240),
        (5, 262_144),
        (2, 100_004),
        (1, 1000),
    ] {
        let what = format!("{mib} MiB, blocks of {length}");
        let mut drive = real.blank(mib)?;
        let mut warned = None;
        let mut written = 0;
        while warned.is_none_or(|at| written < at + BEHIND_EARLY_WARNING) {
            let done = drive.write(Transfer::Variable, &block_of(written, length))?;
            written += 1;
            let place = (done.count, done.position.object.0);
            same(&what, place, (1, written))?;
            match done.stop {
                None => ensure!(warned.is_none(), "{what}: early warning was taken back"),
                Some(Stop::EarlyWarning) => {
                    warned.get_or_insert(written);
                    ensure!(
                        done.position.past_early_warning,
                        "{what}: past early warning"
                    );
                }
                other => bail!("{what}: {other:?}"),
            }
        }
        // The emulation warns with the block that comes to the size of the medium, a header for each counted.
        let size = u64::from(mib) << 20;
        let (most, least) = (length as u64, length as u64 + MOST_HEADER);
        let at = warned.unwrap_or(0);
        let expected = size / least..=size / most + 1;
        ensure!(
            expected.contains(&at),
            "{what}: early warning at {at}, not within {expected:?}"
        );
        let marks = drive.write_marks(Mark::Filemark, 1, WriteMode::Commit)?;
        same(
            &what,
            (marks.count, marks.stop),
            (1, Some(Stop::EarlyWarning)),
        )?;
        drop(drive);
        let mut drive = real.open()?;
        drive.rewind()?;
        for seed in 0..written {
            expect_block(&mut drive, seed, length).context(what.clone())?;
        }
        expect_stop(&mut drive, Stop::Filemark).context(what.clone())?;
        expect_stop(&mut drive, Stop::EndOfData).context(what.clone())?;
        same(&what, drive.position()?.object.0, written + 1)?;
    }
    Ok(())
}

fn fixed_blocks_are_those_that_were_counted(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(1)?;
    let size = NonZeroU32::new(32_768).context("not 0")?;
    let data = block_of(3, 40 * 32_768);
    let done = drive.write(Transfer::Fixed(size), &data)?;
    same(
        "written",
        (done.count, done.stop),
        (40, Some(Stop::EarlyWarning)),
    )?;
    drive.rewind()?;
    let mut buffer = vec![0; data.len() + 32_768];
    let read = drive.read(Transfer::Fixed(size), &mut buffer)?;
    same(
        "read back",
        (read.blocks, read.stop),
        (40, Some(Stop::EndOfData)),
    )?;
    ensure!(buffer[..read.bytes] == data[..read.bytes], "other bytes");
    Ok(())
}

fn closing_and_motions_add_no_filemark(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    put(&mut drive, 0, 5000)?;
    drop(drive);
    let mut drive = real.open()?;
    same("the place", drive.position()?.object.0, 1)?;
    put(&mut drive, 1, 5000)?;
    drive.rewind()?;
    drive.space_to_end_of_data()?;
    put(&mut drive, 2, 5000)?;
    drive.space(SpaceUnit::Filemarks, -1)?;
    drive.space_to_end_of_data()?;
    put(&mut drive, 3, 5000)?;
    drive.locate(to(0))?;
    for seed in 0..4 {
        expect_block(&mut drive, seed, 5000)?;
    }
    expect_stop(&mut drive, Stop::EndOfData)
}

/// As `device hold` writes.
fn a_killed_process_leaves_no_filemark(real: &RealSt) -> anyhow::Result<()> {
    drop(real.blank(20)?);
    let mut writer = Command::new(std::env::current_exe()?)
        .arg("hold")
        .arg(&real.node)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let output = writer.stdout.take().context("no output")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut said)?;
    writer.kill()?;
    writer.wait()?;
    same("what the writer said", said.trim(), "written")?;
    let mut drive = real.open()?;
    same("the place", drive.position()?.object.0, 3)?;
    same(
        "objects",
        drive.space_to_end_of_data()?.position.object.0,
        3,
    )
}

/// PT-08, PT-18.
fn a_reset_loses_the_place_until_a_motion_finds_it(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    for seed in 0..3 {
        put(&mut drive, seed, 5000)?;
    }
    filemark(&mut drive)?;
    for attempt in ["rewind", "locate", "end of data"] {
        real.ask("reset")?;
        for _ in 0..2 {
            let failed = drive
                .write(Transfer::Variable, &[1; 1000])
                .expect_err("the place is lost");
            same(
                attempt,
                (failed.sense, failed.position),
                (Sense::Reset, None),
            )?;
            let failed = drive.position().expect_err("the place is lost");
            same(
                attempt,
                (failed.sense, failed.position),
                (Sense::Reset, None),
            )?;
        }
        let at = match attempt {
            "rewind" => drive.rewind()?,
            "locate" => drive.locate(to(1))?,
            _ => drive.space_to_end_of_data()?,
        };
        match at.position.object.0 {
            seed @ 0..3 => expect_block(&mut drive, seed, 5000)?,
            end => same(attempt, end, 4)?,
        }
    }
    // Nothing of what was refused is on the tape.
    expect_stop(&mut drive, Stop::EndOfData)?;
    put(&mut drive, 7, 700)?;
    drive.locate(to(4))?;
    expect_block(&mut drive, 7, 700)
}

/// PT-08. Whatever is asked of it, and however often it is opened.
fn a_blank_tape_stays_blank(real: &RealSt) -> anyhow::Result<()> {
    // The driver goes on with the numbers of the medium before, which ended elsewhere.
    let mut before = real.blank(20)?;
    put(&mut before, 1, 4000)?;
    put(&mut before, 2, 2000)?;
    drop(before);
    let mut drive = real.blank(20)?;
    for round in 0..3 {
        let what = format!("opened {round} times before");
        drive.rewind()?;
        drive.mode()?;
        same(&what, drive.space_to_end_of_data()?.position.object.0, 0)?;
        same(&what, drive.position()?.object.0, 0)?;
        drive.write_marks(Mark::Filemark, 0, WriteMode::Commit)?;
        same(&what, drive.locate(to(0))?.position.object.0, 0)?;
        expect_stop(&mut drive, Stop::EndOfData).context(what.clone())?;
        drop(drive);
        drive = real.open()?;
        same(&what, drive.position()?.object.0, 0)?;
    }
    Ok(())
}

fn a_place_in_a_later_file_is_counted(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    for file in 0..4 {
        for block in 0..=file {
            put(&mut drive, file * 10 + block, 3000)?;
        }
        filemark(&mut drive)?;
    }
    put(&mut drive, 99, 3000)?;
    drive.locate(to(7))?;
    drop(drive);
    // The driver knows file 2, block 2; objects before it are counted, and the tape comes back.
    let mut drive = real.open()?;
    let position = drive.position()?;
    same(
        "the place",
        (position.object.0, position.file.map(|f| f.0)),
        (7, Some(2)),
    )?;
    expect_block(&mut drive, 22, 3000)?;
    expect_stop(&mut drive, Stop::Filemark)?;
    drop(drive);
    let mut drive = real.open()?;
    same("the place", drive.position()?.object.0, 9)?;
    put(&mut drive, 50, 100)?;
    same(
        "what follows is gone",
        drive.space_to_end_of_data()?.position.object.0,
        10,
    )
}

fn a_tape_of_many_files_is_found_again(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    for file in 0..30 {
        put(&mut drive, file, 1000)?;
        filemark(&mut drive)?;
    }
    drop(drive);
    let mut drive = real.open()?;
    drive.rewind()?;
    for object in [40, 2, 58, 0, 59, 20] {
        let done = drive.locate(to(object))?;
        let got = (
            done.stop,
            done.position.object.0,
            done.position.file.map(|f| f.0),
        );
        same("located", got, (None, object, Some(object / 2)))?;
        if object % 2 == 0 {
            expect_block(&mut drive, object / 2, 1000)?;
        } else {
            expect_stop(&mut drive, Stop::Filemark)?;
        }
    }
    let done = drive.locate(to(1000))?;
    same(
        "behind the end",
        (done.stop, done.position.object.0),
        (Some(Stop::EndOfData), 60),
    )?;
    let done = drive.space(SpaceUnit::Filemarks, -31)?;
    let got = (done.count, done.stop, done.position.object.0);
    same("back", got, (30, Some(Stop::BeginningOfPartition), 0))
}

fn blocks_of_every_length_come_back(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    let limits = drive.block_limits();
    println!("block limits: {limits:?}");
    let granularity = limits.granularity_bytes;
    let lengths = [
        1,
        3,
        4,
        511,
        512,
        513,
        4096,
        65_535,
        65_536,
        65_537,
        1 << 20,
    ]
    .map(|length: u32| {
        length
            .clamp(limits.min_bytes, limits.max_bytes)
            .next_multiple_of(granularity) as usize
    });
    for (seed, length) in lengths.into_iter().enumerate() {
        put(&mut drive, seed as u64, length).with_context(|| format!("{length} bytes"))?;
    }
    drive.rewind()?;
    for (seed, length) in lengths.into_iter().enumerate() {
        let mut small = [0; 2];
        let done = drive.read(Transfer::Variable, &mut small)?;
        same("the length", done.block_length as usize, length)?;
        drive.space(SpaceUnit::Blocks, -1)?;
        expect_block(&mut drive, seed as u64, length)?;
    }
    expect_stop(&mut drive, Stop::EndOfData)
}

fn a_protected_medium_refuses_and_reads(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    put(&mut drive, 1, 1000)?;
    filemark(&mut drive)?;
    drop(drive);
    real.ask("on")?;
    let mut drive = real.open()?;
    ensure!(drive.mode()?.write_protected, "not protected");
    drive.rewind()?;
    let failed = drive
        .write(Transfer::Variable, &[1; 1000])
        .expect_err("protected");
    same("write", failed.sense, Sense::WriteProtected)?;
    let failed = drive
        .write_marks(Mark::Filemark, 1, WriteMode::Commit)
        .expect_err("protected");
    same("marks", failed.sense, Sense::WriteProtected)?;
    expect_block(&mut drive, 1, 1000)?;
    drop(drive);
    real.ask("off")
}

fn a_medium_comes_back_with_a_load(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    put(&mut drive, 1, 1000)?;
    drive.unload()?;
    same("loaded", drive.load(LoadKind::Load)?.position.object.0, 0)?;
    drive.test_ready()?;
    expect_block(&mut drive, 1, 1000)?;
    expect_stop(&mut drive, Stop::EndOfData)
}

fn an_unloaded_medium_is_none(real: &RealSt) -> anyhow::Result<()> {
    let mut drive = real.blank(20)?;
    put(&mut drive, 1, 1000)?;
    drive.unload()?;
    let failed = drive
        .read(Transfer::Variable, &mut [0; 100])
        .expect_err("unloaded");
    same(
        "unloaded",
        (failed.sense, failed.position),
        (Sense::NoMedium, None),
    )?;
    drive.load(LoadKind::Load)?;
    expect_block(&mut drive, 1, 1000)
}

fn random_operations_come_to_the_same_as_on_a_plain_tape(real: &RealSt) -> anyhow::Result<()> {
    let strategy = prop::collection::vec(operation(), 1..60);
    // A blank medium takes a second.
    random(cases_from_environment(8), &strategy, 30, |operations| {
        let mut model = ModelDrive::new(Personality {
            max_partitions: 1,
            ..Personality::default()
        });
        model.insert(ModelCartridge::default());
        model.clear_attention();
        let mut node = real.blank(60).map_err(|error| format!("{error:#}"))?;
        let operations: Vec<_> = operations.into_iter().filter_map(emulated).collect();
        let mut comparison = Comparison {
            marks_are_quiet: false,
            early_warning_known: true,
        };
        comparison.run(&mut model, &mut node, &operations, false)
    })
}

/// The operation as far as the emulation does it as a drive does: see the head of `tests/device/known.toml`.
fn emulated(operation: Operation) -> Option<Operation> {
    const SMALLEST: usize = 4;
    Some(match operation {
        Operation::Motion(Motion::Erase(_) | Motion::MakePartitions(_))
        | Operation::Extend { .. }
        | Operation::Unload => return None,
        Operation::Write { seed, length } => Operation::Write {
            seed,
            length: length.max(SMALLEST),
        },
        Operation::WriteFixed { seed, size, count } => Operation::WriteFixed {
            seed,
            size: size.max(SMALLEST as u32),
            count,
        },
        Operation::Read { length } => Operation::Read {
            length: if length % 2 == 0 { 2 } else { 1 << 20 },
        },
        other => other,
    })
}
