//! `pseudotape vault`: volumes, their states, and what is on them.

mod add;
mod clone;
mod delivery;
mod diagnosis;
mod recalls;
mod reclaim;
mod shown;
mod stacks;
mod travel;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use nix::unistd::{User, getuid};
use pseudotape_human::{Report, Screen, shell_word};
use pseudotape_vault::{Availability, FileState, LastCopy, Order, Surroundings, Vault};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{
    InitVault, ListVault, MarkVolume, Ordered, RemoveVolume, SetVolume, ShowVault, VaultCommand,
    VaultOptions,
};
pub(crate) use recalls::before_load;
use shown::{FileList, OneVolume, Overview, ShownEvent, ShownFile, ShownVolume, VolumeList};

/// Where the vault is, when nobody says it.
pub(crate) const VARIABLE: &str = "PSEUDOTAPE_VAULT";

pub(crate) fn run(
    options: &VaultOptions,
    vault: Option<PathBuf>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let place = Place {
        said: vault,
        environment: std::env::var_os(VARIABLE),
    };
    match &options.command {
        VaultCommand::Init(init) => made(init, &place, screen),
        VaultCommand::Add(add) => add::run(add, &place, screen),
        VaultCommand::Ls(list) => listed(list, &place, screen),
        VaultCommand::Show(show) => showed(show, &place, screen),
        VaultCommand::Set(set) => set_to(set, &place, screen),
        VaultCommand::Mark(mark) => marked(mark, &place, screen),
        VaultCommand::Clone(clone) => clone::run(clone, &place, screen),
        VaultCommand::DeclareLost(declare) => delivery::declare_lost(declare, &place, screen),
        VaultCommand::Deliver(deliver) => delivery::deliver(deliver, &place, screen),
        VaultCommand::Redeliver(file) => delivery::redeliver(file, &place, screen),
        VaultCommand::ImportRecovered(files) => delivery::import_recovered(files, &place, screen),
        VaultCommand::CloseIncident(close) => delivery::close_incident(close, &place, screen),
        VaultCommand::Rm(remove) => removed(remove, &place, screen),
        VaultCommand::Stack(stack) => stacks::stack(stack, &place, screen),
        VaultCommand::Recall(recall) => recalls::recall(recall, &place, screen),
        VaultCommand::Reclaim(reclaim) => reclaim::run(reclaim, &place, screen),
        VaultCommand::Pool(pool) => stacks::pool(pool, &place, screen),
        VaultCommand::Doctor(doctor) => diagnosis::run(doctor, &place, screen),
        VaultCommand::Backup(options) => travel::back_up(options, &place, screen),
        VaultCommand::CatalogOf(options) => travel::catalog_of(options, screen),
        VaultCommand::Survey(options) => travel::survey(options, &place, screen),
        VaultCommand::Recover(options) => travel::recover(options, &place, screen),
        VaultCommand::Report => travel::report(&place, screen),
        VaultCommand::Inventory(options) => travel::inventory(options, &place, screen),
        VaultCommand::Online(options) => travel::online(options, &place, screen),
    }
}

/// Which vault is meant.
struct Place {
    said: Option<PathBuf>,
    environment: Option<OsString>,
}

impl Place {
    fn directory(&self) -> anyhow::Result<PathBuf> {
        let environment = self.environment.as_ref().filter(|value| !value.is_empty());
        let directory = self.said.clone().or_else(|| environment.map(PathBuf::from));
        let directory = directory.with_context(|| {
            format!("which vault? Say --vault DIR, or set {VARIABLE}; 'pseudotape vault init DIR' makes one")
        })?;
        ensure!(
            directory.is_dir() || !directory.exists(),
            "{} is a file, and a vault is a directory",
            directory.display()
        );
        std::path::absolute(&directory)
            .with_context(|| format!("can't make {} an absolute path", directory.display()))
    }

    fn look(&self) -> anyhow::Result<Vault> {
        Ok(Vault::look(&self.directory()?)?)
    }

    /// To change it. `doing` is what others are told that wait.
    fn open(&self, doing: &str) -> anyhow::Result<Vault> {
        let doing = format!("pseudotape vault {doing}");
        let surroundings = Surroundings::of_this_machine();
        Ok(Vault::open(&self.directory()?, &doing, surroundings)?)
    }
}

/// By whoever was said, else by this user.
fn order(ordered: &Ordered) -> Order {
    let by = ordered.by.clone().unwrap_or_else(this_user);
    Order::person(by, ordered.reason.clone().unwrap_or_default())
}

fn this_user() -> String {
    let uid = getuid();
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => format!("uid {uid}"),
    }
}

/// A volume of the vault is what copies are of, and none goes there.
fn ensure_no_volume(
    vault: &Vault,
    tape: &dyn pseudotape_tape::Volume,
    name: &str,
) -> anyhow::Result<()> {
    let found = match tape.volume_identity().id {
        Some(identity) => vault.volume_with(identity)?,
        None => None,
    };
    match found {
        Some(volume) => bail!(
            "{name} is volume {} of this vault, which programs write: name another tape ('pseudotape create' makes an \
             image, outside of the vault)",
            volume.label
        ),
        None => Ok(()),
    }
}

#[derive(Debug, Serialize)]
struct Made {
    vault: PathBuf,
    name: String,
    identity: String,
}

impl Report for Made {
    fn text(&self, screen: &Screen) -> String {
        let (name, vault) = (shown::printable(&self.name), self.vault.display());
        let title = screen.paint(pseudotape_human::Paint::Heading, &name);
        format!("made vault {title} in {vault}\n")
    }
}

fn made(init: &InitVault, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    let directory = match (&init.directory, &place.said) {
        (Some(one), Some(other)) if one != other => {
            bail!("'init DIR' and --vault DIR name two directories: say one")
        }
        (Some(directory), _) => directory.clone(),
        (None, _) => place.directory()?,
    };
    ensure!(
        directory.is_dir() || !directory.exists(),
        "{} is a file, and a vault is a directory",
        directory.display()
    );
    let directory = std::path::absolute(&directory)
        .with_context(|| format!("can't make {} an absolute path", directory.display()))?;
    let name = match &init.name {
        Some(name) => name.clone(),
        None => {
            let name = directory.file_name().and_then(|name| name.to_str());
            name.context("the directory has no name: say one with --name")?
                .to_owned()
        }
    };
    let order = Order::person(this_user(), "");
    let surroundings = Surroundings::of_this_machine();
    let vault = Vault::create(
        &directory,
        &name,
        init.labels.as_ref(),
        &order,
        surroundings,
    )?;
    screen.show(&Made {
        vault: directory,
        name,
        identity: vault.configuration().identity.to_string(),
    })?;
    Ok(Verdict::Well)
}

fn listed(list: &ListVault, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    let vault = place.look()?;
    match &list.label {
        Some(label) => {
            let files = vault.files(label)?;
            screen.show(&FileList {
                label: label.to_string(),
                files: files.iter().map(ShownFile::new).collect(),
            })?;
        }
        None => {
            let volumes = vault.volumes()?;
            let wanted = volumes.iter().filter(|listed| {
                let volume = &listed.volume;
                list.category.is_none_or(|wanted| wanted == volume.category)
                    && list
                        .availability
                        .is_none_or(|wanted| wanted == volume.availability)
            });
            screen.show(&VolumeList {
                volumes: wanted
                    .map(|listed| ShownVolume::new(&vault, listed))
                    .collect(),
            })?;
        }
    }
    Ok(Verdict::Well)
}

fn showed(show: &ShowVault, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    let vault = place.look()?;
    let events = vault.events(show.label.as_ref(), show.events)?;
    let events = events.iter().map(ShownEvent::new).collect();
    match &show.label {
        Some(label) => screen.show(&OneVolume::new(&vault, &vault.volume(label)?, events))?,
        None => screen.show(&Overview::new(&vault, events)?)?,
    }
    Ok(Verdict::Well)
}

fn set_to(set: &SetVolume, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    let mut vault = place.open("set")?;
    let order = order(&set.order);
    let mut label = set.label.clone();
    let mut listed = None;
    if let Some(category) = set.category {
        listed = Some(vault.set_category(&label, category, &order)?);
    }
    if let Some(new) = &set.new_label {
        listed = Some(vault.set_label(&label, new, &order)?);
        label = new.clone();
    }
    let listed = match listed {
        Some(listed) => listed,
        None => vault.volume(&label)?,
    };
    screen.show(&ShownVolume::new(&vault, &listed))?;
    Ok(Verdict::Well)
}

fn marked(mark: &MarkVolume, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    let mut vault = place.open("mark")?;
    let decided = || match (&mark.by, &mark.reason) {
        (Some(by), Some(reason)) => Ok(Order::person(by, reason)),
        (None, _) | (_, None) => Err(pseudotape_vault::Error::NoReason),
    };
    let listed = match mark.file {
        None => {
            let state: Availability = mark.state.parse()?;
            vault.set_availability(&mark.label, state, &decided()?)?
        }
        Some(number) => {
            let state: FileState = mark.state.parse()?;
            ensure!(
                state != FileState::Lost,
                "only 'pseudotape vault declare-lost {word} --file {number} --by NAME --reason TEXT' declares a tape file \
                 lost",
                word = shell_word(mark.label.as_str())
            );
            let files = vault.files(&mark.label)?;
            let known = files.iter().find(|file| file.number == number);
            match (known.is_some_and(|file| file.state.is_faulty()), state) {
                (true, FileState::Ok) => vault.reread(&mark.label, number)?,
                (_, state) => vault.set_file_state(&mark.label, number, state, &decided()?)?,
            }
        }
    };
    screen.show(&ShownVolume::new(&vault, &listed))?;
    Ok(Verdict::Well)
}

#[derive(Debug, Serialize)]
struct Gone {
    label: String,
    identity: String,
    deleted: Option<PathBuf>,
}

impl Report for Gone {
    fn text(&self, _: &Screen) -> String {
        let label = shown::printable(&self.label);
        match &self.deleted {
            Some(image) => format!("removed {label}, and deleted {}\n", image.display()),
            None => format!("removed {label}, which had no image here\n"),
        }
    }
}

fn removed(remove: &RemoveVolume, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    let last_copy = match remove.lose_last_copy {
        true => LastCopy::MayGo,
        false => LastCopy::Kept,
    };
    let mut vault = place.open("rm")?;
    let removed = vault.remove(&remove.label, last_copy, &order(&remove.order))?;
    screen.show(&Gone {
        label: removed.volume.label.to_string(),
        identity: removed.volume.identity.to_string(),
        deleted: removed.image,
    })?;
    Ok(Verdict::Well)
}
