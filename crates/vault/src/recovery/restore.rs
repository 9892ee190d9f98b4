//! A catalog comes back from its backup (VT-04).

use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pseudotape_image::Image;

use super::description::BackupDescription;
use super::payload::unpack;
use crate::catalog::{Catalog, Use, is_database};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::event::Order;
use crate::layout::{CATALOG_FILE, CONFIGURATION_FILE, IMAGES};
use crate::lock::Lock;
use crate::pending::Recovery;
use crate::rules::Refusal;
use crate::surroundings::Surroundings;

/// The catalog that comes, until it is proven.
const RESTORING: &str = "catalog.sqlite.restoring";
/// The one that was there, where it was whole; `.sqlite` comes behind it, and a number where that name is taken.
const BEFORE: &str = "catalog-before-recovery";
/// Another program that reads the catalog is waited for so long, where no `vault.toml` says it.
const WAIT: Duration = Duration::from_secs(10);

/// What is restored, and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct Restoring<'a> {
    /// What the backup says of itself.
    pub description: &'a BackupDescription,
    /// The highest number of a backup that was seen anywhere: later ones get higher numbers.
    pub highest: u64,
    /// Also where the catalog that is there is whole and newer.
    pub replace: bool,
    /// Who wants it.
    pub order: &'a Order,
}

/// How far a restore is. What is on the disk then is what a kill would leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes of the catalog are there, under a name of their own.
    Unpacking(u64),
    /// All of it is there, and is proven next.
    Unpacked,
    /// It is whole, and takes the place of the old one next.
    Proven,
    /// The old one was kept.
    Kept,
    /// It is in its place; `vault.toml` comes next.
    Replaced,
    /// All is done.
    Done,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The vault's directory.
    pub directory: PathBuf,
    /// The number of the backup.
    pub sequence: u64,
    /// Where the catalog that was there is now.
    pub kept: Option<PathBuf>,
}

/// What is at the catalog's place.
enum Old {
    Missing,
    /// A catalog of this vault.
    Whole(Catalog),
    /// One that a recovery brought, which no person has ended: all of it is on the tapes.
    Recovered(Catalog),
    /// Something that is none any more.
    Damaged,
}

/// Restores a backup into the directory of a vault, which is made where it is missing. Afterwards the vault is not in
/// service: [`Vault::set_online`](crate::Vault::set_online) says that it is.
///
/// | condition | result | after |
/// |---|---|---|
/// | the payload is the one that was described | `Ok` | the catalog of the backup; `vault.toml`, if there was none |
/// | it is torn, damaged, or of a newer schema | `Payload`, `Damaged`, `Newer` | as before |
/// | the directory is another vault's, or something else is in it | `OtherVault`, `NotEmpty` | as before |
/// | a drive has an image that is left there | `InUse` | as before |
/// | the catalog there is whole and not older | `Refused`, unless `replace` | as before |
/// | killed | – | the old catalog or the new one; the same call again goes on |
///
/// The catalog that was there is kept: as `catalog-before-recovery.sqlite` where it was whole, else as
/// `catalog-damaged-TIME.sqlite`. A name that is taken gets a number: what was kept once is never written over.
pub fn restore(
    directory: &Path,
    restoring: &Restoring<'_>,
    payload: &mut dyn Read,
    surroundings: &mut Surroundings,
    told: &mut dyn FnMut(Step),
) -> Result<Restored, Error> {
    let description = restoring.description;
    expect_its_directory(directory, description)?;
    fs::create_dir_all(directory.join(IMAGES))
        .map_err(|error| Error::host("make", directory.join(IMAGES), error))?;
    let _lock = Lock::take(directory, "vault recover", WAIT.as_secs())?;
    expect_no_drive(&directory.join(IMAGES))?;
    let now = surroundings.now_ms();
    let old = old_catalog(directory, restoring)?;
    let new = directory.join(RESTORING);
    clear(&new)?;
    unpack_to(&new, description, payload, told)?;
    told(Step::Unpacked);
    let recovery = Recovery {
        sequence: description.sequence,
        backup_ms: description.written_ms,
        at_ms: now,
        is_reported: false,
    };
    let kept = name_for(directory, &old, now)?;
    let mut saved = None;
    let proven = Catalog::prove_restored(&new, description.site, |rows| {
        saved = rows.last_configuration()?;
        let highest = restoring.highest;
        rows.begin_recovery(&recovery, highest, kept.as_deref(), restoring.order)
    });
    if let Err(error) = proven {
        clear(&new)?;
        return Err(error);
    }
    told(Step::Proven);
    let kept = kept.map(|name| directory.join(name));
    replace(directory, old, &new, kept.as_deref(), told)?;
    told(Step::Replaced);
    write_configuration(directory, description, saved)?;
    told(Step::Done);
    Ok(Restored {
        directory: directory.to_owned(),
        sequence: description.sequence,
        kept: kept.filter(|path| path.exists()),
    })
}

/// What a drive writes would be told to a catalog that knows nothing of it. None begins now: a load waits for the lock,
/// and is refused while the recovery is under way.
fn expect_no_drive(images: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(images).map_err(|error| Error::host("read", images, error))? {
        let entry = entry.map_err(|error| Error::host("read", images, error))?;
        let path = entry.path();
        if Image::view(&path).is_ok_and(|(image, _)| image.is_in_use()) {
            return Err(Error::InUse { path });
        }
    }
    Ok(())
}

/// What the catalog that is there will be called, or was called when the recovery under way began.
fn name_for(directory: &Path, old: &Old, now: u64) -> Result<Option<String>, Error> {
    let stem = match old {
        Old::Missing => return Ok(None),
        Old::Recovered(old) => return old.rows().kept_by_recovery(),
        Old::Whole(_) => BEFORE.to_owned(),
        Old::Damaged => format!("catalog-damaged-{now}"),
    };
    let is_free = |name: &String| fs::symlink_metadata(directory.join(name)).is_err();
    let numbered = (2_u32..).map(|number| format!("{stem}-{number}.sqlite"));
    Ok(std::iter::once(format!("{stem}.sqlite"))
        .chain(numbered)
        .find(is_free))
}

/// Nothing else than this vault, or what is left of it, may be in the directory.
fn expect_its_directory(directory: &Path, description: &BackupDescription) -> Result<(), Error> {
    if !directory.join(CONFIGURATION_FILE).exists() {
        return expect_vault_or_nothing(directory);
    }
    let configuration = Configuration::read(directory)?;
    match configuration.identity == description.site {
        true => Ok(()),
        false => Err(Error::OtherVault {
            path: format!("backup {}", description.sequence).into(),
            found: description.site.to_string(),
            expected: configuration.identity.to_string(),
        }),
    }
}

/// Writes `vault.toml` where there is none, as the last thing: it makes the directory a vault.
fn write_configuration(
    directory: &Path,
    description: &BackupDescription,
    saved: Option<String>,
) -> Result<(), Error> {
    let path = directory.join(CONFIGURATION_FILE);
    if path.exists() {
        return Ok(());
    }
    let usual = || {
        let (identity, name) = (description.site, description.site_name.clone());
        Configuration::new(identity, name, None)
    };
    // One that this program does not understand is no reason to stay without the catalog.
    let configuration = saved
        .and_then(|text| Configuration::parse(&text, &path).ok())
        .filter(|saved| saved.identity == description.site)
        .unwrap_or_else(usual);
    configuration.write(directory)
}

fn expect_vault_or_nothing(directory: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::host("read", directory, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::host("read", directory, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = ["catalog", "vault.toml.new", "backup-", "lock", IMAGES];
        if !ours.iter().any(|ours| name.starts_with(ours)) {
            return Err(Error::NotEmpty {
                directory: directory.to_owned(),
                found: name,
            });
        }
    }
    Ok(())
}

fn old_catalog(directory: &Path, restoring: &Restoring<'_>) -> Result<Old, Error> {
    let site = restoring.description.site;
    let old = match Catalog::open(directory, site, WAIT, Use::Look) {
        Ok(catalog) => catalog,
        Err(Error::NoCatalog { .. }) => return Ok(Old::Missing),
        // What another program has put there is not ours to move; what is no database at all was one of ours.
        Err(Error::Foreign { path, .. }) if !is_database(&path) => return Ok(Old::Damaged),
        Err(Error::Damaged { .. } | Error::Sql(_)) => return Ok(Old::Damaged),
        Err(error) => return Err(error),
    };
    match old.check() {
        Ok(None) => {}
        Ok(Some(_)) | Err(Error::Damaged { .. } | Error::Sql(_)) => return Ok(Old::Damaged),
        Err(error) => return Err(error),
    }
    let rows = old.rows();
    if rows.pending_recovery()?.is_some() {
        return Ok(Old::Recovered(old));
    }
    let number = rows.last_backup()?;
    if !restoring.replace && number >= restoring.description.sequence {
        return Err(Refusal::CatalogIsNewer {
            number,
            backup: restoring.description.sequence,
        }
        .into());
    }
    Ok(Old::Whole(old))
}

fn unpack_to(
    new: &Path,
    description: &BackupDescription,
    payload: &mut dyn Read,
    told: &mut dyn FnMut(Step),
) -> Result<(), Error> {
    let host = |error| Error::host("write", new, error);
    let mut file = BufWriter::new(File::create(new).map_err(host)?);
    let mut progress = |bytes| told(Step::Unpacking(bytes));
    match unpack(description, payload, &mut file, &mut progress) {
        Ok(()) => {}
        Err(super::PayloadError::Write(error)) => {
            clear(new)?;
            return Err(host(error));
        }
        Err(source) => {
            clear(new)?;
            return Err(Error::Payload {
                sequence: description.sequence,
                source,
            });
        }
    }
    let file = file
        .into_inner()
        .map_err(|error| host(error.into_error()))?;
    file.sync_all().map_err(host)
}

/// Puts the new catalog in its place, and the old one where it is kept.
fn replace(
    directory: &Path,
    old: Old,
    new: &Path,
    kept: Option<&Path>,
    told: &mut dyn FnMut(Step),
) -> Result<(), Error> {
    let path = directory.join(CATALOG_FILE);
    let synced = || {
        let done = File::open(directory).and_then(|directory| directory.sync_all());
        done.map_err(|error| Error::host("write", directory, error))
    };
    let in_place = |told: &mut dyn FnMut(Step)| {
        told(Step::Kept);
        Catalog::replace(&path, new, WAIT)?;
        clear(new)
    };
    match (old, kept) {
        (Old::Whole(old), kept) => {
            drop(old);
            if let Some(kept) = kept {
                Catalog::keep(&path, kept, WAIT)?;
                synced()?;
            }
            return in_place(told);
        }
        (Old::Recovered(old), _) => {
            drop(old);
            return in_place(told);
        }
        (Old::Damaged, Some(kept)) => {
            for ending in ["-wal", "-shm", "-journal", ""] {
                let from = with_ending(&path, ending);
                match fs::rename(&from, with_ending(kept, ending)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::host("move", from, error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
        (Old::Damaged | Old::Missing, _) => {}
    }
    // A log without its catalog would be taken for one of the new catalog.
    for ending in ["-wal", "-shm", "-journal"] {
        remove(&with_ending(&path, ending))?;
    }
    synced()?;
    told(Step::Kept);
    fs::rename(new, &path).map_err(|error| Error::host("write", &path, error))?;
    synced()
}

fn clear(new: &Path) -> Result<(), Error> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        remove(&with_ending(new, ending))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::host("remove", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
