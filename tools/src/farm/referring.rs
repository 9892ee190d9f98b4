//! References to the volume that a command writes, in the catalog of a vault.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use pseudotape_farm::{Coming, Entry, Origin, Registrar, Root, Volume, VolumeName};
use pseudotape_image::Uuid;
use pseudotape_vault::{
    ComingReference, FarmPlace, FileName, Kinds, Namesakes, Order, ReferenceKind, Serial, Slots,
    Surroundings, Unknown, Vault, WantedVolume,
};

use pseudotape_human::shell_word;

use super::config::Settings;
use super::this_user;
use crate::cli::{FarmOptions, Referring};

/// What a command was asked for beside its own options.
pub(super) struct Asked<'a> {
    pub(super) settings: &'a Settings,
    pub(super) root: &'a Root,
    /// The serial number that was said.
    pub(super) serial: Option<&'a Serial>,
    /// The program that is run in place of ssh.
    pub(super) rsh: &'a OsString,
}

/// Gives the volume of the command line the name of its folder, where a serial number was said (CW-12).
pub(super) fn number(options: &mut FarmOptions, settings: &Settings) -> anyhow::Result<()> {
    let Some(serial) = &options.serial else {
        return Ok(());
    };
    let Some((volume, referring)) = options.command.numbered() else {
        return Ok(());
    };
    // The folder of a volume of the archive has no serial number in its name.
    if referring.is_some_and(|referring| referring.catalog && !referring.backup) {
        return Ok(());
    }
    let is_backup = referring.is_some_and(|referring| referring.backup);
    if !is_backup && is_of_archive(volume, serial, settings) {
        return Ok(());
    }
    ensure!(
        !volume.as_str().contains(['[', ']']),
        "volume {volume} and --serial {serial}: say the name without brackets, or no --serial"
    );
    *volume = format!("{volume}[{serial}]").parse()?;
    Ok(())
}

/// Refuses a new volume with the name of one that has a serial number, where none was said: `--serial` would find it,
/// and no catalog has it.
pub(super) fn check_new_name(volume: &VolumeName, is_there: bool) -> anyhow::Result<()> {
    let text = volume.as_str();
    let parts = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once('['));
    if let Some((name, serial)) = parts
        .filter(|(name, serial)| !is_there && !name.is_empty() && serial.parse::<Serial>().is_ok())
    {
        bail!(
            "{volume} is the folder of a volume {} with the serial number {serial}: say --serial {serial} and the name without \
             brackets, or another name; nothing was changed",
            shell_word(name)
        );
    }
    Ok(())
}

/// Whether the catalog has the serial number for the folder that has the name of the volume alone.
fn is_of_archive(volume: &VolumeName, serial: &Serial, settings: &Settings) -> bool {
    let found = || {
        let root = settings.root().ok()?.canonicalize().ok()?;
        let vault = Vault::look(&settings.vault().ok()?).ok()?;
        let place = vault.farm_volume(serial).ok()??.place;
        Some(place.folder == volume.as_str() && Path::new(&place.root) == root)
    };
    found().unwrap_or(false)
}

/// Writes references as files arrive.
pub(super) struct Ledger {
    vault: Vault,
    wanted: WantedVolume,
    kinds: Kinds,
    unknown: Unknown,
    order: Order,
    /// The serial number of the volume, from [`Ledger::begin`] on.
    pub(super) serial: Serial,
    /// Titles of files that got a reference as a backup.
    pub(super) cataloged: Vec<Vec<u8>>,
    /// Titles of files that got one in the archive.
    pub(super) archived: Vec<Vec<u8>>,
    /// Titles of files that the catalog has not.
    pub(super) without_entry: Vec<Vec<u8>>,
}

impl Ledger {
    /// Opens the catalog, where references are wanted, and finds before anything is copied that they can be written.
    /// `folder` is the volume, with its serial number where that is in its name.
    pub(super) fn open(
        referring: &Referring,
        asked: &Asked<'_>,
        folder: &VolumeName,
        unknown: Unknown,
    ) -> anyhow::Result<Option<Self>> {
        if !referring.is_wanted() {
            return Ok(None);
        }
        let name = match (referring.backup, asked.serial) {
            (true, None) => bail!(
                "--backup needs the serial number of the volume: say --serial SERIAL; nothing was changed"
            ),
            (true, Some(serial)) => {
                let named = folder.as_str().strip_suffix(&format!("[{serial}]"));
                named.unwrap_or(folder.as_str()).to_owned()
            }
            (false, _) => {
                ensure!(
                    !folder.as_str().contains(['[', ']']),
                    "volume {folder}: --catalog is for volumes without brackets in their names; nothing was changed"
                );
                folder.to_string()
            }
        };
        let wanted = WantedVolume {
            place: FarmPlace {
                name,
                host: asked.settings.host().to_string(),
                root: whole(asked.root.path())?,
                folder: folder.to_string(),
            },
            serial: asked.serial.cloned(),
            namesakes: match referring.backup && !referring.namesake {
                true => Namesakes::Refused,
                false => Namesakes::Allowed,
            },
        };
        let vault = match wanted.serial {
            Some(_) => open_or_create(asked.settings)?,
            // A new vault has no series of serial numbers: nothing is made only to find that.
            None => match opened(asked.settings)? {
                Some(vault) => vault,
                None => return Err(pseudotape_vault::Error::no_serial().into()),
            },
        };
        vault.check_farm_volume(&wanted)?;
        Ok(Some(Ledger {
            vault,
            kinds: Kinds {
                backup: referring.backup.then_some(match referring.single_unit {
                    true => Slots::Both,
                    false => Slots::First,
                }),
                archive: referring.catalog,
            },
            unknown,
            order: Order::person(this_user(), "pseudotape farm"),
            serial: asked
                .serial
                .cloned()
                .map_or_else(|| "unknown".parse(), Ok)?,
            wanted,
            cataloged: Vec::new(),
            archived: Vec::new(),
            without_entry: Vec::new(),
        }))
    }

    /// The references that the catalog has to the volume, of the kinds that are written: the capsules of files that
    /// need no other ones.
    pub(super) fn known(&self) -> anyhow::Result<HashSet<Uuid>> {
        let files = self.vault.referred_files()?;
        let all = files.iter().flat_map(|file| &file.references);
        let (mut backup, mut archive) = (HashSet::new(), HashSet::new());
        for reference in all.filter(|reference| reference.volume.serial == self.serial) {
            match reference.kind {
                ReferenceKind::Backup(_) => backup.insert(reference.capsule),
                ReferenceKind::Archive => archive.insert(reference.capsule),
            };
        }
        Ok(match (self.kinds.backup, self.kinds.archive) {
            (Some(_), true) => backup.intersection(&archive).copied().collect(),
            (Some(_), false) => backup,
            (None, _) => archive,
        })
    }

    /// The volume is there and locked: it gets into the catalog, and what a killed command left is mended.
    pub(super) fn begin(&mut self, volume: &mut Volume) -> anyhow::Result<()> {
        self.serial = self.vault.enter_farm_volume(&self.wanted, &self.order)?;
        settle(&mut self.vault, &self.serial, volume, &self.order)?;
        Ok(())
    }
}

impl Registrar for Ledger {
    fn expect(&mut self, coming: &[Coming<'_>]) -> Result<(), String> {
        let references: Vec<ComingReference> = coming.iter().map(reference_of).collect();
        let left_out = self
            .vault
            .expect_references(&self.serial, self.kinds, self.unknown, &references)
            .map_err(|error| error.to_string())?;
        self.without_entry.extend(left_out);
        Ok(())
    }

    fn settle(&mut self, committed: &[&Entry]) -> Result<(), String> {
        let there: HashSet<_> = committed.iter().map(|entry| entry.capsule).collect();
        let settled = self
            .vault
            .settle_references(&self.serial, &there, &self.order)
            .map_err(|error| {
                format!(
                    "{error}; the files are in the volume, and the next 'farm add' with the same words writes their references"
                )
            })?;
        for reference in settled {
            if reference.kinds.backup.is_some() {
                self.cataloged.push(reference.title.clone());
            }
            if reference.kinds.archive {
                self.archived.push(reference.title);
            }
        }
        Ok(())
    }
}

fn reference_of(coming: &Coming<'_>) -> ComingReference {
    let title = coming.entry.title.bytes().to_vec();
    ComingReference {
        file: match coming.origin {
            Origin::Path(path) => FileName::Path(path.as_os_str().as_bytes().to_vec()),
            Origin::Capsule(capsule) => FileName::OfCapsule(*capsule),
            _ => FileName::Path(title.clone()),
        },
        title,
        capsule: coming.entry.capsule,
    }
}

/// Makes references certain that a killed command left, as the volume says; how many. The directory decides which are
/// forgotten: so it gets before that what was committed before the kill.
pub(super) fn settle(
    vault: &mut Vault,
    serial: &Serial,
    volume: &mut Volume,
    order: &Order,
) -> anyhow::Result<usize> {
    volume.adopt()?;
    let entries = volume.directory().entries().iter();
    let with_files = entries.filter(|entry| entry.state.has_file());
    let there = with_files.map(|entry| entry.capsule).collect();
    Ok(vault.settle_references(serial, &there, order)?.len())
}

/// The vault, where there is one.
fn opened(settings: &Settings) -> anyhow::Result<Option<Vault>> {
    let doing = "pseudotape farm";
    match Vault::open(&settings.vault()?, doing, Surroundings::of_this_machine()) {
        Err(pseudotape_vault::Error::NoVault { .. }) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// The vault, which is made at its first use (CW-16). The folder in which it is has to be there.
pub(super) fn open_or_create(settings: &Settings) -> anyhow::Result<Vault> {
    if let Some(vault) = opened(settings)? {
        return Ok(vault);
    }
    let directory = settings.vault()?;
    let parent = directory.parent().filter(|parent| parent.is_dir());
    parent.with_context(|| {
        format!(
            "there is no folder for the vault {}: make it, or mount its disk",
            directory.display()
        )
    })?;
    let host = settings.host().as_str();
    let order = Order::person(this_user(), "the first reference of a farm");
    let surroundings = Surroundings::of_this_machine();
    let vault = Vault::create(&directory, host, None, &order, surroundings)?;
    eprintln!(
        "pseudotape: made a vault for references in {}",
        directory.display()
    );
    Ok(vault)
}

/// The whole path of a root, by which it is known in the catalog.
fn whole(root: &Path) -> anyhow::Result<String> {
    let whole = root
        .canonicalize()
        .with_context(|| format!("can't find {}", root.display()))?;
    let text = whole.to_str().map(str::to_owned);
    text.with_context(|| {
        format!(
            "{}: the path of a root with references is text",
            whole.display()
        )
    })
}

#[cfg(test)]
#[path = "referring_test.rs"]
mod tests;
