//! Whole jobs of unmodified programs, until everything is on the disk: tar and dd to a drive, and to a file, which is
//! what people would have without one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::mounted::{Placement, Server, Way, create_image, rewind};
use crate::report::{Report, mib_per_second};

/// What tar packs: so many files of so many bytes, in the page cache.
const FILES: u64 = 64;
const FILE_BYTES: u64 = 4 << 20;
/// What dd writes: more than an image keeps in the page cache, and than a small machine has memory.
const LARGE_MIB: u64 = 3 << 10;
/// Counted runs of each side, after one that warms up.
const RUNS: usize = 3;
/// A machine that takes longer than this for the first run of both sides gets one counted run.
const PATIENCE: Duration = Duration::from_secs(15);

/// A drive on a mount, and a file beside it.
struct Places {
    node: PathBuf,
    file: PathBuf,
}

/// Of tar's job and of dd's.
const GOALS: (f64, f64) = (0.6, 1.2);

pub fn run(report: &mut Report, programs: &Path, scratch: &Path, way: Way) -> Result<()> {
    Placement::Free.apply()?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
    let image = scratch.join("jobs.ptape");
    create_image(programs, &image)?;
    let mount = scratch.join("jobs");
    let arguments = [
        "--drive",
        &text(&image)?,
        "--fuse",
        &text(&mount)?,
        "--control",
        &text(&scratch.join("control"))?,
        "--uring",
        way.option(),
    ];
    let daemon = programs.join("pseudotape-dev");
    let daemon = Server::start(&daemon, &arguments, &mount, "npmtm0")?;
    let places = Places {
        node: mount.join("npmtm0"),
        file: scratch.join("plain"),
    };
    let tree = scratch.join("tree");
    make_tree(&tree)?;
    let (tree, bytes) = (text(&tree)?, FILES * FILE_BYTES);
    let tar = |to: &Path| {
        let mut tar = Command::new("tar");
        tar.args(["-b", "20", "-C", &tree, "-cf"]).arg(to).arg(".");
        tar
    };
    let name = format!("tar -b 20, {}", way.name());
    compare(report, &name, GOALS.0, bytes, &places, &tar)?;
    let dd = |to: &Path| {
        let mut dd = Command::new("dd");
        dd.args(["if=/dev/zero", "bs=1M", "status=none"]);
        dd.arg(format!("count={LARGE_MIB}"));
        dd.arg(format!("of={}", to.display()));
        dd
    };
    let name = format!("dd bs=1M, {LARGE_MIB} MiB, {}", way.name());
    let commits = compare(report, &name, GOALS.1, LARGE_MIB << 20, &places, &dd)?;
    report.at_most(&format!("{name}: the commit"), "s", 0.1, commits);
    drop(daemon);
    std::fs::remove_file(&image)?;
    std::fs::remove_file(&places.file)?;
    Ok(())
}

fn make_tree(tree: &Path) -> Result<()> {
    std::fs::create_dir_all(tree)?;
    let data = vec![0x5a; usize::try_from(FILE_BYTES)?];
    (0..FILES).try_for_each(|number| std::fs::write(tree.join(number.to_string()), &data))?;
    Ok(())
}

/// A program that writes to the drive, and to a file which is then brought to the disk, in turn. Gives how long each of
/// the drive's runs took from the program's end on.
fn compare(
    report: &mut Report,
    name: &str,
    goal: f64,
    bytes: u64,
    places: &Places,
    program: &dyn Fn(&Path) -> Command,
) -> Result<Vec<f64>> {
    let (mut runs, mut commits) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for run in 0..=RUNS {
        let (ours, commit) = to_drive(program, &places.node)?;
        let plain = to_file(program, &places.file)?;
        if run > 0 {
            runs.push((mib_per_second(bytes, ours), mib_per_second(bytes, plain)));
            commits.push(commit.as_secs_f64());
        }
        if run == 1 && start.elapsed() > 2 * PATIENCE {
            break;
        }
    }
    report.pair_of(&format!("{name}, and the commit"), goal, &runs);
    Ok(commits)
}

/// The program's last close begins the commit and does not wait for it; the next open does.
fn to_drive(program: &dyn Fn(&Path) -> Command, node: &Path) -> Result<(Duration, Duration)> {
    let start = Instant::now();
    end_well(&mut program(node))?;
    let ended = Instant::now();
    rewind(&File::open(node)?)?;
    Ok((start.elapsed(), ended.elapsed()))
}

fn to_file(program: &dyn Fn(&Path) -> Command, file: &Path) -> Result<Duration> {
    // As the drive drops what an earlier run recorded, within its time.
    let start = Instant::now();
    end_well(&mut program(file))?;
    File::open(file)?.sync_data()?;
    Ok(start.elapsed())
}

fn end_well(program: &mut Command) -> Result<()> {
    let status = program.stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{program:?}: {status}");
    Ok(())
}
