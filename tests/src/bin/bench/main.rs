//! The measurements: a table on standard output, and `target/bench.json`.
//!
//! Each figure is the median of several runs, taken in turn with what it is held against. A missed goal
//! is marked; it fails nothing, since machines differ. Arguments choose parts of it: `process`, `mount`, `jobs`,
//! `slave`, `mirror`, `index`, `library`.

mod empty_fuse;
mod in_process;
mod jobs;
mod library;
mod mirror;
mod mounted;
mod report;
mod slave;
mod slow;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mounted::{Placement, Way};
use report::Report;

type Part = fn(&mut Report, programs: &Path, scratch: &Path) -> Result<()>;

const PARTS: [(&str, Part); 7] = [
    ("process", |report, _, scratch| {
        in_process::run(report, scratch)
    }),
    ("mount", |report, programs, scratch| {
        for way in Way::all() {
            mounted::run(report, programs, scratch, Placement::Free, *way)?;
        }
        mounted::run(
            report,
            programs,
            scratch,
            Placement::OneProcessor,
            Way::Fuse,
        )
    }),
    ("jobs", |report, programs, scratch| {
        (Way::all().iter()).try_for_each(|way| jobs::run(report, programs, scratch, *way))
    }),
    ("slave", |report, programs, scratch| {
        slave::run(report, programs, scratch, Placement::Free)?;
        slave::run(report, programs, scratch, Placement::OneProcessor)
    }),
    ("mirror", |report, programs, scratch| {
        mirror::run(report, scratch)?;
        mirror::run_mounted(report, programs, scratch)
    }),
    ("index", |report, _, scratch| {
        in_process::run_index(report, scratch)
    }),
    ("library", library::run),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, directory] = arguments.as_slice()
        && flag == "--empty"
    {
        return empty_fuse::serve(Path::new(directory));
    }
    if let Some(other) = arguments
        .iter()
        .find(|a| !PARTS.iter().any(|(name, _)| a == name))
    {
        let names = PARTS.map(|(name, _)| name).join(", ");
        anyhow::bail!("'{other}' is no part of the measurements: they are {names}");
    }
    let program = std::env::current_exe()?;
    let programs = program
        .parent()
        .context("the program lies in a directory")?;
    if mounted::has_priority() {
        println!(
            "(a real-time priority moves a program to another processor with each call over io_uring: \
             what is measured of mounts is too low)"
        );
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let scratch = scratch(&target)?;
    let mut report = Report::default();
    let measured = PARTS
        .iter()
        .filter(|(name, _)| arguments.is_empty() || arguments.iter().any(|a| a == name))
        .try_for_each(|(_, run)| run(&mut report, programs, &scratch));
    std::fs::remove_dir_all(&scratch)?;
    measured?;
    let missed = report.finish(&target.join("bench.json"))?;
    if missed > 0 {
        println!("{missed} goals were missed on this machine");
    }
    Ok(())
}

fn scratch(target: &Path) -> Result<PathBuf> {
    let directory = target.join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("can't make {}", directory.display()))?;
    Ok(directory.canonicalize()?)
}
