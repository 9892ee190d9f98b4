//! What a close, or an end without one, leaves on the tape.

use std::process::{Command, Stdio};

use anyhow::Context;

use pseudotape_tape::{Drive, LoadKind, SpaceUnit};

use super::generic;
use crate::device::programs::Programs;
use crate::device::served::{Front, spawn};
use crate::device::steps::{expect_block, object, put, same, to};

/// `device hold NODE`: writes three blocks, says so, and waits to be killed.
pub(super) fn a_killed_writer_leaves_no_filemark(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut command = Command::new(programs.directory.join("device"));
    command.arg("hold").arg(served.node());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writer = spawn(&mut command).context("the program 'device'")?;
    let mut said = String::new();
    let output = writer.stdout.take().context("no output")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut said)?;
    writer.kill()?;
    writer.wait()?;
    same("what the writer said", said.trim(), "written")?;
    let mut drive = served.open()?;
    same("the place", object(&mut drive)?, 3)?;
    same(
        "objects",
        drive.space_to_end_of_data()?.position.object.0,
        3,
    )
}

pub(super) fn closing_adds_nothing_and_keeps_the_place(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut drive = served.open()?;
    put(&mut drive, 0, 100)?;
    put(&mut drive, 1, 200_000)?;
    drop(drive);
    let mut drive = served.open()?;
    same("the place", object(&mut drive)?, 2)?;
    // Motions after writing add nothing either.
    put(&mut drive, 2, 300)?;
    drive.space(SpaceUnit::Blocks, -1)?;
    put(&mut drive, 3, 400)?;
    same(
        "one filemark back",
        drive.space(SpaceUnit::Filemarks, -1)?.count,
        0,
    )?;
    drive.locate(to(2))?;
    drop(drive);
    let mut drive = served.open()?;
    expect_block(&mut drive, 3, 400)?;
    put(&mut drive, 4, 500)?;
    drive.unload()?;
    drive.load(LoadKind::Load)?;
    same(
        "objects",
        drive.space_to_end_of_data()?.position.object.0,
        4,
    )
}
