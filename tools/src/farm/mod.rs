//! `pseudotape farm`: single files, each in an image of its own.

mod adding;
mod reading;
mod releasing;
mod repairing;
mod shown;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use pseudotape_farm::Root;
use pseudotape_human::Screen;

use crate::Verdict;
use crate::cli::{FarmCommand, FarmOptions, LockWait};

/// Where the farm is, when nobody says it.
const VARIABLE: &str = "PSEUDOTAPE_FARM";
/// So many files of a kind are named where nobody asked for all.
const NAMED: usize = 20;

pub(crate) fn run(options: &FarmOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let root = root(options.root.as_ref(), std::env::var_os(VARIABLE))?;
    match &options.command {
        FarmCommand::Copy(add) => adding::run(add, adding::How::Copy, root, screen),
        FarmCommand::Add(add) => adding::run(add, adding::How::Add, root, screen),
        FarmCommand::CompareAdd(add) => adding::run(add, adding::How::CompareAdd, root, screen),
        FarmCommand::Merge(merge) => adding::merge(merge, root, screen),
        FarmCommand::Ls(list) => reading::list(list, &root, screen),
        FarmCommand::Show(show) => reading::show(show, &root, screen),
        FarmCommand::Annotate(annotate) => reading::annotate(annotate, root, screen),
        FarmCommand::Extract(extract) => reading::extract(extract, &root, screen),
        FarmCommand::Verify(verify) => reading::verify(verify, &root, screen),
        FarmCommand::Release(release) => releasing::run(release, root, screen),
        FarmCommand::Rebuild(rebuild) => reading::rebuild(rebuild, root, screen),
        FarmCommand::Repair(repair) => repairing::run(repair, root, screen),
    }
}

fn root(said: Option<&PathBuf>, environment: Option<OsString>) -> anyhow::Result<Root> {
    let environment = environment
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    let root = said.cloned().or(environment);
    let root = root.with_context(|| format!("which farm? Say --root DIR, or set {VARIABLE}"))?;
    Ok(Root::open(&root)?)
}

/// The root, for a command that waits for volumes.
fn waiting(root: Root, wait: &LockWait) -> Root {
    let longest = Duration::from_secs(wait.lock_wait);
    root.waiting(longest, move |volume, holder| {
        let holder = holder.map_or_else(|| "another command".to_owned(), ToString::to_string);
        let seconds = longest.as_secs();
        eprintln!(
            "pseudotape: {holder} is changing volume {volume}: waiting for it, {seconds} s at most"
        );
    })
}
