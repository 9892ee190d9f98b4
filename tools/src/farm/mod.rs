//! `pseudotape farm`: single files, each in an image of its own.

mod acl;
mod adding;
pub(crate) mod config;
mod reading;
mod releasing;
mod remote;
mod repairing;
mod script;
mod shown;
mod tapes;

use std::time::Duration;

use pseudotape_farm::{Marks, Root};
use pseudotape_human::Screen;

use crate::Verdict;
use crate::cli::{ConfigCommand, FarmCommand, FarmOptions};
use config::Settings;

/// So many files of a kind are named where nobody asked for all.
const NAMED: usize = 20;

pub(crate) fn run(options: &FarmOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let settings = Settings::read(options)?;
    if let FarmCommand::Config(config) = &options.command {
        return match config.command {
            ConfigCommand::Show => config::show(&settings, screen),
        };
    }
    if let Some(host) = remote::host(settings.root()?)? {
        return remote::run(options, &settings, &host, screen);
    }
    if let FarmCommand::Acl(acl) = &options.command {
        // Who may come in is said of a root, whoever has its volumes.
        return acl::run(acl, &Root::open(settings.root()?)?, screen);
    }
    let root = settings.volumes(options.command.changes())?;
    let root = waiting(root, settings.lock_wait());
    let root = root.marking(Marks::compressed(settings.compression.value));
    match &options.command {
        FarmCommand::Config(_) | FarmCommand::Acl(_) => Ok(Verdict::Well),
        FarmCommand::Copy(add) => adding::run(add, adding::How::Copy, &settings, &root, screen),
        FarmCommand::Add(add) => adding::run(add, adding::How::Add, &settings, &root, screen),
        FarmCommand::CompareAdd(add) => {
            adding::run(add, adding::How::CompareAdd, &settings, &root, screen)
        }
        FarmCommand::Merge(merge) => adding::merge(merge, &settings, &root, screen),
        FarmCommand::Ls(list) => reading::list(list, &root, screen),
        FarmCommand::Show(show) => reading::show(show, &root, screen),
        FarmCommand::Annotate(annotate) => reading::annotate(annotate, root, screen),
        FarmCommand::Extract(extract) => reading::extract(extract, &root, screen),
        FarmCommand::Write(write) => tapes::write(write, &root, screen),
        FarmCommand::Verify(verify) => reading::verify(verify, &root, screen),
        FarmCommand::Release(release) => releasing::run(release, root, screen),
        FarmCommand::Rebuild(rebuild) => reading::rebuild(rebuild, root, screen),
        FarmCommand::Repair(repair) => repairing::run(repair, root, screen),
    }
}

/// The root, for a command that waits for volumes.
fn waiting(root: Root, longest: Duration) -> Root {
    root.waiting(longest, move |volume, holder| {
        let holder = holder.map_or_else(|| "another command".to_owned(), ToString::to_string);
        let seconds = longest.as_secs();
        eprintln!(
            "pseudotape: {holder} is changing volume {volume}: waiting for it, {seconds} s at most"
        );
    })
}
