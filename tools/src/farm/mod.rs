//! `pseudotape farm`: single files, each in an image of its own.

mod acl;
mod adding;
mod archive_file;
pub(crate) mod config;
pub(crate) mod health;
mod lending;
mod listing;
mod originals;
mod reaching;
mod reading;
mod references;
mod referring;
mod releasing;
mod remote;
mod repairing;
mod rereferring;
mod running;
mod script;
mod shown;
mod tapes;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use nix::unistd::{Uid, User, geteuid, getuid};
use pseudotape_farm::{Marks, Root, VolumeName};
use pseudotape_human::{Screen, printable, shell_word};

use crate::Verdict;
use crate::cli::{ConfigCommand, FarmCommand, FarmOptions};
use config::Settings;

/// So many files of a kind are named where nobody asked for all.
const NAMED: usize = 20;

pub(crate) fn run(
    mut options: FarmOptions,
    vault: Option<PathBuf>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let settings = Settings::read(&options, vault)?;
    referring::number(&mut options, &settings)?;
    let volume = options.command.numbered().map(|(name, _)| name.clone());
    let options = &options;
    if let FarmCommand::Config(config) = &options.command {
        return match config.command {
            ConfigCommand::Show => config::show(&settings, screen),
        };
    }
    let serial = options.serial.as_ref();
    match &options.command {
        FarmCommand::Refs(list) => return references::list(list, serial, &settings, screen),
        FarmCommand::Purge(purge) => return references::purge(purge, serial, &settings, screen),
        FarmCommand::Serial(count) => return references::count(count, &settings, screen),
        FarmCommand::DropOriginal(files) => return originals::run(files, &settings, screen),
        FarmCommand::Autorestore(one) => return references::restore_by_itself(&one.file),
        _ => {}
    }
    let new = volume
        .as_ref()
        .filter(|_| options.command.makes() && serial.is_none());
    if let Some(place) = reaching::place(settings.root()?)? {
        new.map_or(Ok(()), |name| referring::check_new_name(name, false))?;
        return remote::run(options, &settings, &place, screen);
    }
    if let FarmCommand::Remote(_) = &options.command {
        bail!(
            "'farm remote' is for a farm of another host (--root ssh:HOST: or tls:HOST:): a command of this one is run by its name"
        );
    }
    if let FarmCommand::Acl(acl) = &options.command {
        // Who may come in is said of a root, whoever has its volumes.
        return acl::run(acl, &Root::open(settings.root()?)?, screen);
    }
    let root = settings.volumes(options.command.changes())?;
    if let Some(name) = new {
        referring::check_new_name(name, root.look(name).is_ok())?;
    }
    if let (true, Some(volume)) = (options.command.makes(), &volume) {
        warn_of_owner(&root, volume);
    }
    let root = waiting(root, settings.lock_wait());
    let marks = Marks::compressed(settings.compression.value);
    let root = root.marking(marks.with_folders(options.command.structured()));
    let asked = referring::Asked {
        settings: &settings,
        root: &root,
        serial,
        rsh: &options.rsh,
    };
    match &options.command {
        FarmCommand::Config(_)
        | FarmCommand::Acl(_)
        | FarmCommand::Remote(_)
        | FarmCommand::Refs(_)
        | FarmCommand::Purge(_)
        | FarmCommand::Serial(_)
        | FarmCommand::DropOriginal(_)
        | FarmCommand::Autorestore(_) => Ok(Verdict::Well),
        FarmCommand::Copy(add) => adding::run(add, adding::How::Copy, &asked, screen),
        FarmCommand::Add(add) => adding::run(add, adding::How::Add, &asked, screen),
        FarmCommand::CompareAdd(add) => adding::run(add, adding::How::CompareAdd, &asked, screen),
        FarmCommand::Merge(merge) => adding::merge(merge, &asked, screen),
        FarmCommand::Ls(list) => reading::list(list, &root, screen),
        FarmCommand::Show(show) => reading::show(show, &root, screen),
        FarmCommand::Annotate(annotate) => reading::annotate(annotate, root, screen),
        FarmCommand::Extract(extract) => reading::extract(extract, &root, screen),
        FarmCommand::Write(write) => tapes::write_here(write, &root, screen),
        FarmCommand::Verify(verify) => reading::verify(verify, &asked, screen),
        FarmCommand::Release(release) => releasing::run(release, root, screen),
        FarmCommand::Rebuild(rebuild) => reading::rebuild(rebuild, root, screen),
        FarmCommand::Repair(repair) => repairing::run(repair, root, screen),
        FarmCommand::Refer(refer) => rereferring::run(refer, &asked, screen),
    }
}

/// A volume that root makes in the root of another user is not that user's: a service that serves it could not change
/// it. It stays root's all the same: files that only root could read would else become that user's.
fn warn_of_owner(root: &Root, volume: &VolumeName) {
    let owner = std::fs::metadata(root.path()).map_or(0, |found| found.uid());
    let place = root.path().join(volume.as_str());
    if !geteuid().is_root() || owner == 0 || std::fs::symlink_metadata(&place).is_ok() {
        return;
    }
    let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
    let user = user.map_or_else(|| owner.to_string(), |user| user.name);
    eprintln!(
        "pseudotape: the farm {} belongs to {user}, who can't change a volume that root makes: run this as {user} \
         ('runuser -u {user} -- pseudotape farm ...'), or say afterwards: chown -R {user} {}",
        printable(&root.path().display().to_string()),
        shell_word(place.display().to_string())
    );
}

/// Who runs this command.
fn this_user() -> String {
    let uid = getuid();
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
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
