//! Media that come and go, and opens.

use std::path::Path;
use std::process::Command;

use anyhow::{anyhow, ensure};
use pseudotape_device::{Access, DeviceDrive, Error};
use pseudotape_drive::Personality;
use pseudotape_tape::{Drive, EraseExtent, LoadKind, Mark, Sense, Stop, Transfer, WriteMode};
use pseudotape_testkit::SuiteMedium;

use super::generic;
use crate::device::programs::Programs;
use crate::device::served::{Front, Served};
use crate::device::steps::{expect_block, expect_stop, put, same};

pub(super) fn another_medium_is_told_once(programs: &Programs, front: Front) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut drive = served.open()?;
    for seed in 0..3 {
        put(&mut drive, seed, 1000)?;
    }
    for (read, name) in [(true, "other"), (false, "one more")] {
        let other = served.new_image(name, SuiteMedium::default())?;
        served.take_out()?;
        served.put_in(&other)?;
        let failed = if read {
            drive.read(Transfer::Variable, &mut [0; 1000]).map(drop)
        } else {
            drive.write(Transfer::Variable, b"not here").map(drop)
        };
        let failed = failed.expect_err("the medium is another one");
        let object = failed.position.map(|at| at.object.0);
        same(
            "another medium",
            (failed.sense, object),
            (Sense::MediumChanged, Some(0)),
        )?;
        expect_stop(&mut drive, Stop::EndOfData)?;
        put(&mut drive, 7, 70)?;
        drive.rewind()?;
        expect_block(&mut drive, 7, 70)?;
        // Back to a blank medium, away from its beginning.
        drive.rewind()?;
        drive.erase(EraseExtent::Short)?;
        put(&mut drive, 8, 80)?;
        put(&mut drive, 9, 90)?;
    }
    Ok(())
}

pub(super) fn an_empty_drive_is_opened_and_ready_when_loaded(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut drive = served.open()?;
    put(&mut drive, 1, 100)?;
    drive.unload()?;
    drop(drive);
    let mut drive = served.open()?;
    for _ in 0..2 {
        let failed = drive.test_ready().expect_err("unloaded");
        same(
            "unloaded",
            (failed.sense, failed.position),
            (Sense::NoMedium, None),
        )?;
    }
    ensure!(drive.rewind().is_err(), "rewound without a medium");
    drive.load(LoadKind::Load)?;
    drive.test_ready()?;
    expect_block(&mut drive, 1, 100)
}

pub(super) fn a_medium_put_in_later_is_told_once(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    served.take_out()?;
    let mut drive = served.open()?;
    let failed = drive.write(Transfer::Variable, b"x").expect_err("empty");
    same("empty", failed.sense, Sense::NoMedium)?;
    let image = served.new_image("later", SuiteMedium::default())?;
    served.put_in(&image)?;
    let failed = drive
        .write(Transfer::Variable, b"x")
        .expect_err("a new medium");
    same("put in", failed.sense, Sense::MediumChanged)?;
    put(&mut drive, 1, 100)?;
    served.take_out()?;
    let failed = drive.write(Transfer::Variable, b"x").expect_err("empty");
    same(
        "taken out",
        (failed.sense, failed.position),
        (Sense::NoMedium, None),
    )
}

pub(super) fn a_drive_opened_to_read_refuses_to_write(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let mut drive = served.open()?;
    put(&mut drive, 1, 100)?;
    drop(drive);
    let mut drive = DeviceDrive::open(&served.node(), Access::ReadOnly)?;
    ensure!(
        drive.mode()?.write_protected,
        "a drive opened to read is protected"
    );
    let sense = |failed: Option<pseudotape_tape::Failed>| failed.map(|failed| failed.sense);
    let refused = Some(Sense::WriteProtected);
    same(
        "write",
        sense(drive.write(Transfer::Variable, b"x").err()),
        refused,
    )?;
    let marks = drive.write_marks(Mark::Filemark, 1, WriteMode::Commit);
    same("marks", sense(marks.err()), refused)?;
    same(
        "erase",
        sense(drive.erase(EraseExtent::Long).err()),
        refused,
    )?;
    drive.rewind()?;
    expect_block(&mut drive, 1, 100)?;
    expect_stop(&mut drive, Stop::EndOfData)
}

pub(super) fn a_protected_medium_is_opened(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let medium = SuiteMedium {
        write_protected: true,
        ..SuiteMedium::default()
    };
    let served = Served::start(programs, front, Personality::default(), medium)?;
    let mut drive = served.open()?;
    ensure!(drive.mode()?.write_protected, "not protected");
    let failed = drive
        .write(Transfer::Variable, b"x")
        .expect_err("protected");
    same("write", failed.sense, Sense::WriteProtected)
}

pub(super) fn what_is_no_free_tape_is_refused_with_a_way_out(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let open = |path: &Path| DeviceDrive::open(path, Access::ReadWrite).map(drop);
    let missing = served.nodes().join("npmtm77");
    ensure!(
        matches!(open(&missing), Err(Error::Missing { .. })),
        "a node that is not there: {:?}",
        open(&missing)
    );
    ensure!(
        matches!(open(Path::new("/dev/null")), Err(Error::NotATape { .. })),
        "no tape"
    );
    match open(&served.nodes().join("pmtm0")) {
        Err(Error::Rewinds { instead, .. }) => same("the sister", instead, served.node())?,
        other => return Err(anyhow!("the rewinding node: {other:?}")),
    }
    let _first = served.open()?;
    match open(&served.node()) {
        Err(error @ Error::Busy { .. }) => ensure!(
            error.to_string().contains("fuser -v"),
            "no way out in '{error}'"
        ),
        other => return Err(anyhow!("a second open: {other:?}")),
    }
    Ok(())
}

pub(super) fn the_block_size_of_the_node_is_left_as_it_was(
    programs: &Programs,
    front: Front,
) -> anyhow::Result<()> {
    let served = generic(programs, front)?;
    let node = served.node();
    let mt = |words: &[&str]| -> anyhow::Result<String> {
        let output = Command::new("mt-st")
            .arg("-f")
            .arg(&node)
            .args(words)
            .output()?;
        ensure!(output.status.success(), "mt-st {words:?}: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    mt(&["setblk", "2048"])?;
    let mut drive = served.open()?;
    same("the host's block size", drive.mode()?.block_size, 0)?;
    put(&mut drive, 1, 777)?;
    drive.rewind()?;
    expect_block(&mut drive, 1, 777)?;
    drop(drive);
    // The close of a file of a mount may still be on its way.
    crate::device::served::wait_for(|| mt(&["status"]).is_ok())?;
    let status = mt(&["status"])?;
    ensure!(status.contains("Tape block size 2048 bytes"), "{status}");
    Ok(())
}
