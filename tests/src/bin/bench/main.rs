//! The measurements: a table on standard output, and `target/bench.json`.
//!
//! Each figure is the median of several runs, taken in turn with what it is held against. A missed goal
//! is marked; it fails nothing, since machines differ.

mod empty_fuse;
mod in_process;
mod mounted;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mounted::Placement;
use report::Report;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, directory] = arguments.as_slice()
        && flag == "--empty"
    {
        return empty_fuse::serve(Path::new(directory));
    }
    let program = std::env::current_exe()?;
    let programs = program
        .parent()
        .context("the program lies in a directory")?;
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let scratch = scratch(&target)?;
    let mut report = Report::default();
    let measured = in_process::run(&mut report, &scratch)
        .and_then(|()| mounted::run(&mut report, programs, &scratch, Placement::Free))
        .and_then(|()| mounted::run(&mut report, programs, &scratch, Placement::OneProcessor))
        .and_then(|()| in_process::run_index(&mut report, &scratch));
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
