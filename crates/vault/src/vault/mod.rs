//! A vault: one directory, and what is done to it.

mod backups;
mod changing;
mod cloning;
mod holding;
mod inspecting;
mod loading;
mod recalling;
mod reclaiming;
mod recovering;
mod referring;
mod settling;
mod stacking;
mod taking;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pseudotape_image::{Uuid, VolumeId};

use crate::catalog::{Catalog, Counts, Key, Rows, Use};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::event::{Actor, Change, Event, Order, Subject};
use crate::label::{Label, Scheme};
use crate::layout::{CATALOG_FILE, CONFIGURATION_FILE, IMAGES, LOCK_FILE, LOG_FILE};
use crate::lock::Lock;
use crate::surroundings::Surroundings;
use crate::volume::{Listed, TapeFile, Volume};

pub use changing::Removed;
pub use cloning::{Cloning, Swapped, may_be_cloned, may_become_clone, unlike};
pub use inspecting::Inspection;
pub use loading::Granted;
pub use recalling::Recalled;
pub use reclaiming::{Emptying, Moved, WantedCopies};
pub use referring::Purging;
pub use stacking::{Cartridge, Stacked};
pub use taking::Taking;

/// An open vault.
#[derive(Debug)]
pub struct Vault {
    directory: PathBuf,
    configuration: Configuration,
    catalog: Catalog,
    surroundings: Surroundings,
    /// What this command does, for others that wait for it.
    doing: String,
}

impl Vault {
    /// Makes a vault in a directory, which is made where it is missing, and is empty where it is there.
    ///
    /// `vault.toml` comes last: what was interrupted before is no vault, and is made anew by the next call.
    pub fn create(
        directory: &Path,
        name: &str,
        labels: Option<&Scheme>,
        order: &Order,
        mut surroundings: Surroundings,
    ) -> Result<Self, Error> {
        let host = |what, error| Error::host(what, directory, error);
        fs::create_dir_all(directory).map_err(|error| host("make", error))?;
        let lock = Lock::take(directory, "vault init", 0)?;
        clear_leftovers(directory)?;
        let now = surroundings.now_ms();
        let identity = surroundings.identity(now).0;
        let images = directory.join(IMAGES);
        match fs::create_dir(&images) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::host("make", images, error));
            }
            Ok(()) | Err(_) => {}
        }
        Catalog::create(directory, identity)?;
        let configuration = Configuration::new(identity, name.to_owned(), labels);
        configuration.write(directory)?;
        drop(lock);
        let mut vault = Self::opened(directory, "vault init", surroundings, Use::Change)?;
        let change = Change::new(Subject::Vault, None, Some(name.to_owned()), order);
        vault.change(|_, rows, now| rows.log(now, None, &change))?;
        Ok(vault)
    }

    /// Opens a vault to change it. `doing` names the command for others that wait for it.
    pub fn open(directory: &Path, doing: &str, surroundings: Surroundings) -> Result<Self, Error> {
        Self::opened(directory, doing, surroundings, Use::Change)
    }

    /// Opens a vault to look at it, also one that this user may not write. Waits for nobody.
    pub fn look(directory: &Path) -> Result<Self, Error> {
        let surroundings = Surroundings::of_this_machine();
        Self::opened(directory, "", surroundings, Use::Look)
    }

    fn opened(
        directory: &Path,
        doing: &str,
        surroundings: Surroundings,
        wanted: Use,
    ) -> Result<Self, Error> {
        let configuration = match Configuration::read(directory) {
            Err(error @ Error::NoVault { .. }) => {
                return Err(match left_of_vault(directory)? {
                    Some(identity) => no_configuration(directory, identity),
                    None => error,
                });
            }
            read => read?,
        };
        let wait = Duration::from_secs(configuration.wait_seconds);
        let catalog = Catalog::open(directory, configuration.identity, wait, wanted)?;
        Ok(Vault {
            directory: directory.to_owned(),
            configuration,
            catalog,
            surroundings,
            doing: doing.to_owned(),
        })
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the images of its volumes are.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.directory.join(IMAGES)
    }

    /// The names in the directory of images; nothing where that itself is gone.
    fn image_names(&self) -> Result<Option<Vec<PathBuf>>, Error> {
        match entries(&self.images()) {
            Err(Error::Host { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            names => names.map(Some),
        }
    }

    /// What `vault.toml` says.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Where the image of a volume is, or was to be.
    #[must_use]
    pub fn image_of(&self, volume: &Volume) -> Option<PathBuf> {
        volume.image.as_ref().map(|name| self.images().join(name))
    }

    /// The volume with a label.
    pub fn volume(&self, label: &Label) -> Result<Listed, Error> {
        Ok(found(self.catalog.rows(), label)?.1)
    }

    /// The volume with an identity, where the vault has it.
    pub fn volume_with(&self, identity: VolumeId) -> Result<Option<Volume>, Error> {
        let found = self.catalog.rows().find_identity(identity)?;
        Ok(found.map(|(_, listed)| listed.volume))
    }

    /// All volumes, by their labels.
    pub fn volumes(&self) -> Result<Vec<Listed>, Error> {
        let all = self.catalog.rows().all()?;
        Ok(all.into_iter().map(|(_, listed)| listed).collect())
    }

    /// The tape files of a volume, in their order.
    pub fn files(&self, label: &Label) -> Result<Vec<TapeFile>, Error> {
        let rows = self.catalog.rows();
        let (key, _) = found(rows, label)?;
        rows.files(key)
    }

    /// The newest events of one volume or of all, the oldest of them first.
    pub fn events(&self, label: Option<&Label>, count: u32) -> Result<Vec<Event>, Error> {
        let rows = self.catalog.rows();
        let key = label.map(|label| found(rows, label)).transpose()?;
        rows.events(key.map(|(key, _)| key), count)
    }

    /// What there is of everything.
    pub fn counts(&self) -> Result<Counts, Error> {
        self.catalog.rows().counts()
    }

    /// One change: under the lock, in one transaction. Where the work fails, nothing of it is left.
    fn change<T>(
        &mut self,
        work: impl FnOnce(&Place, Rows<'_>, u64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let wait = self.configuration.wait_seconds;
        let _lock = Lock::take(&self.directory, &self.doing, wait)?;
        let now = self.surroundings.now_ms();
        let place = Place {
            images: self.images(),
        };
        let transaction = self.catalog.begin()?;
        let done = work(&place, Rows::new(&transaction), now)?;
        transaction.commit()?;
        Ok(done)
    }

    /// One change of one volume, with its line in the log for each thing that became another one.
    fn change_volume(
        &mut self,
        label: &Label,
        work: impl FnOnce(&mut Volume, &mut Vec<TapeFile>, u64) -> Result<Vec<Change>, Error>,
    ) -> Result<Listed, Error> {
        self.change(|_, rows, now| {
            let (key, listed) = found(rows, label)?;
            changed(rows, key, listed.volume, now, work)
        })
    }
}

/// Where things are, for what is done within a change.
#[derive(Debug)]
struct Place {
    images: PathBuf,
}

fn found(rows: Rows<'_>, label: &Label) -> Result<(Key, Listed), Error> {
    rows.find(label)?.ok_or_else(|| Error::NoVolume {
        label: label.clone(),
    })
}

/// Does the work on a volume, and stores what became of it.
fn changed(
    rows: Rows<'_>,
    key: Key,
    mut volume: Volume,
    now: u64,
    work: impl FnOnce(&mut Volume, &mut Vec<TapeFile>, u64) -> Result<Vec<Change>, Error>,
) -> Result<Listed, Error> {
    let known = rows.files(key)?;
    let mut files = known.clone();
    let changes = work(&mut volume, &mut files, now)?;
    rows.update(key, &volume)?;
    rows.replace_files(key, &known, &files)?;
    for change in &changes {
        rows.log(now, Some((key, &volume.label)), change)?;
    }
    Ok(found(rows, &volume.label)?.1)
}

/// A decision of a person has a name and a reason.
fn expect_reason(order: &Order) -> Result<(), Error> {
    let named = match &order.actor {
        Actor::System => true,
        Actor::Person(name) => !name.trim().is_empty(),
    };
    match named && !order.reason.trim().is_empty() {
        true => Ok(()),
        false => Err(Error::NoReason),
    }
}

/// Makes room for a new vault: what an interrupted making left is removed, and nothing else.
fn clear_leftovers(directory: &Path) -> Result<(), Error> {
    if directory.join(CONFIGURATION_FILE).exists() {
        return Err(Error::Exists {
            directory: directory.to_owned(),
        });
    }
    let ours = [
        LOCK_FILE,
        IMAGES,
        "vault.toml.new",
        CATALOG_FILE,
        LOG_FILE,
        "catalog.sqlite-shm",
        "catalog.sqlite-journal",
    ];
    let not_empty = |found: &Path| Error::NotEmpty {
        directory: directory.to_owned(),
        found: found.display().to_string(),
    };
    for name in entries(directory)? {
        if !ours.iter().any(|ours| Path::new(ours) == name) {
            return Err(not_empty(&name));
        }
    }
    let images = directory.join(IMAGES);
    if images.exists()
        && let Some(image) = entries(&images)?.first()
    {
        return Err(not_empty(&Path::new(IMAGES).join(image)));
    }
    if let Some(identity) = left_of_vault(directory)? {
        return Err(no_configuration(directory, identity));
    }
    for name in ours.iter().filter(|name| name.starts_with(CATALOG_FILE)) {
        let path = directory.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::host("remove", path, error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// A catalog without a `vault.toml` is what an interrupted making left, or the last that is left of a vault. Says of
/// which vault it is in that case.
fn left_of_vault(directory: &Path) -> Result<Option<String>, Error> {
    let length = fs::metadata(directory.join(CATALOG_FILE)).map_or(0, |file| file.len());
    if length == 0 {
        return Ok(None);
    }
    // Whichever vault it is of: it says so itself.
    let opened = Catalog::open(directory, Uuid::nil(), Duration::ZERO, Use::Look);
    match opened {
        Err(Error::OtherVault { found, .. }) => {
            let identity = Uuid::parse_str(&found).map_err(|error| Error::Damaged {
                cause: error.to_string(),
            })?;
            let opened = Catalog::open(directory, identity, Duration::ZERO, Use::Look)?;
            Ok((!opened.rows().is_empty()?).then_some(found))
        }
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    }
}

fn no_configuration(directory: &Path, identity: String) -> Error {
    Error::NoConfiguration {
        directory: directory.to_owned(),
        identity,
    }
}

/// The names in a directory.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let host = |error| Error::host("read", directory, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(host)? {
        names.push(PathBuf::from(entry.map_err(host)?.file_name()));
    }
    names.sort();
    Ok(names)
}
