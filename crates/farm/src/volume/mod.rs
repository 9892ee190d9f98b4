//! A volume: a folder in the root of a farm, with a directory and capsules.

mod adding;
mod annotating;
mod arriving;
mod batch;
mod comparing;
mod current;
mod exporting;
mod extracting;
mod inspecting;
mod listed;
mod presence;
mod rebuilding;
mod registering;
mod releasing;
mod repairing;

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::capsule::{self, Opened, capsule_name, capsule_number};
use crate::directory::{Directory, HEADER_BYTES, Marks};
use crate::entry::{Entry, Number};
use crate::error::{Error, Fault};
use crate::holder::Holder;
use crate::index;
use crate::names::{
    DIRECTORY_NAME, INDEX_NAME, LOST_AND_FOUND, TEMPORARY, is_damaged_directory, is_made_by_others,
    is_of_farm,
};
use crate::place::{Place, Sought};
use crate::standing;
use crate::step::{Steps, Witness};
use crate::structure::last_of;
use crate::title::{Title, VolumeName};
use crate::waiting::Waiting;
use listed::{indexed, read_directory};

pub use adding::{Adding, Keeping, Told, Verb};
pub use annotating::{annotate, check_note};
pub use arriving::{Compared, Given, Lent, place};
pub use comparing::differences;
pub use exporting::{Archive, ExportError, Exported};
pub use extracting::{Existing, Extracted, extract, in_the_way};
pub use inspecting::{Damage, Finding, verify_capsule};
pub use presence::Looking;
pub use rebuilding::{Rebuilt, rebuild};
pub use registering::{Coming, Registrar};
pub use releasing::{After, Released, release};
pub use repairing::{Found, Remedy, Repair, repair};

/// The root of a farm: a folder with a folder for each volume.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
    steps: Steps,
    waiting: Waiting,
    marks: Marks,
}

impl Root {
    /// The root in a folder that is there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Root {
                path: path.to_owned(),
                steps: Steps::default(),
                waiting: Waiting::default(),
                marks: Marks::default(),
            }),
            Ok(_) => Err(Error::NoRoot {
                root: path.to_owned(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::NoRoot {
                root: path.to_owned(),
            }),
            Err(error) => Err(Error::host("look at", path, error)),
        }
    }

    /// The same, with a witness of each step.
    #[must_use]
    pub fn watched(mut self, witness: impl Witness + 'static) -> Self {
        self.steps = Steps::to(witness);
        self
    }

    /// Waits so long for a volume that another command changes. `tell` hears once which one, and who holds it.
    #[must_use]
    pub fn waiting(
        mut self,
        longest: Duration,
        tell: impl Fn(&VolumeName, Option<&Holder>) + Send + Sync + 'static,
    ) -> Self {
        self.waiting = Waiting::new(longest, tell);
        self
    }

    /// Waits no longer than until `is_over` says that nobody waits any more.
    #[must_use]
    pub fn waiting_until(mut self, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.waiting = self.waiting.until(is_over);
        self
    }

    /// Volumes that are made get these marks.
    #[must_use]
    pub fn marking(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root of a host's private volumes: its folder in this root, which is made where `making` says so.
    pub fn of_host(mut self, host: &VolumeName, making: bool) -> Result<Self, Error> {
        let folder = self.path.join(host.as_str());
        let failed = |error| Error::host("look at", &folder, error);
        let mut found = fs::symlink_metadata(&folder);
        if making
            && found
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        {
            Place::make(&folder)?;
            found = fs::symlink_metadata(&folder);
        }
        match found {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(Error::NotOfHost { path: folder }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NoHost {
                    host: host.clone(),
                    root: self.path,
                });
            }
            Err(error) => return Err(failed(error)),
        }
        if !standing::is_of_host(&folder) {
            let is_empty = fs::read_dir(&folder).map_err(failed)?.next().is_none();
            if !making || !is_empty {
                return Err(Error::NotOfHost { path: folder });
            }
            standing::flag_host(&folder).map_err(|error| Error::host("mark", &folder, error))?;
        }
        self.path = folder;
        Ok(self)
    }

    /// The names of all folders that can be volumes.
    pub fn volumes(&self) -> Result<Vec<VolumeName>, Error> {
        let failed = |error| Error::host("list", &self.path, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            // Also those to which links lead, and links to what is not there: its disk can be mounted.
            let is_folder = match fs::metadata(&path) {
                Ok(found) => found.is_dir() && !standing::is_of_host(&path),
                Err(_) => path.is_symlink(),
            };
            // The root can be the top folder of a file system.
            let is_folder = is_folder
                && (!entry.file_name().to_str().is_some_and(is_made_by_others)
                    || path.join(DIRECTORY_NAME).exists());
            let name = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            names.extend(name.filter(|_| is_folder));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn seek(&self, name: &VolumeName) -> Result<Sought, Error> {
        Place::seek(&self.path.join(name.as_str()), self.steps.clone())
    }

    fn place(&self, name: &VolumeName) -> Result<Place, Error> {
        self.found(name)?.ok_or_else(|| Error::NoVolume {
            volume: name.clone(),
            root: self.path.clone(),
        })
    }

    /// The folder of a volume, where there is one. It is that of the volume: nothing is missing on it that was mounted,
    /// and it has no volumes itself.
    fn found(&self, name: &VolumeName) -> Result<Option<Place>, Error> {
        let place = match self.seek(name)? {
            Sought::Found(place) => Some(place),
            Sought::Absent => None,
        };
        let path = self.path.join(name.as_str());
        let is_elsewhere = |place: &Place| place.standing().is_elsewhere;
        let flag = standing::mounted_flag(&self.path, name);
        if !place.as_ref().is_some_and(is_elsewhere) && fs::symlink_metadata(&flag).is_ok() {
            return Err(Error::NotMounted {
                volume: name.clone(),
                path,
                flag,
            });
        }
        if place.is_some() && standing::is_of_host(&path) {
            return Err(Error::OfHost {
                volume: name.clone(),
                path,
            });
        }
        Ok(place)
    }

    /// The folder of a volume, with its lock. Of one that is in another file system the root remembers that.
    fn locked(&self, name: &VolumeName) -> Result<Place, Error> {
        let place = self.waiting.lock(name, || self.place(name))?;
        if place.standing().is_elsewhere {
            let flagged = standing::flag_mounted(&self.path, name);
            flagged.map_err(|error| Error::host("mark a volume of", &self.path, error))?;
        }
        Ok(place)
    }

    /// Looks at a volume.
    pub fn look(&self, name: &VolumeName) -> Result<Volume, Error> {
        let place = self.place(name)?;
        let directory = read_directory(&place, name)?;
        let directory = directory.ok_or_else(|| no_volume(&place))?;
        Ok(Volume::of(name, place, directory))
    }

    /// Looks at a volume for the files with these titles, and for those in the folders with these names; for all where
    /// none is said. Where the index of the volume leads to them, its directory has no other files here.
    pub fn look_for(&self, name: &VolumeName, titles: &[Title]) -> Result<Volume, Error> {
        let place = self.place(name)?;
        match (titles, indexed(&place, titles)) {
            ([_, ..], Some(directory)) => Ok(Volume::of(name, place, directory)),
            _ => self.look(name),
        }
    }

    /// Opens a volume to change it; nobody else does so meanwhile.
    pub fn open_volume(&self, name: &VolumeName) -> Result<Volume, Error> {
        let place = self.locked(name)?;
        let directory = read_directory(&place, name)?;
        let directory = directory.ok_or_else(|| no_volume(&place))?;
        Volume::to_change(name, place, directory)
    }

    /// Makes a volume, which must not be there.
    pub fn create(&self, name: &VolumeName) -> Result<Volume, Error> {
        self.found(name)?;
        let path = self.path.join(name.as_str());
        expect_free(name, &path)?;
        if !Place::make(&path)? {
            return Err(Error::Exists(name.clone()));
        }
        let place = self.locked(name)?;
        // Whoever was faster than the lock has made the volume.
        match read_directory(&place, name)? {
            Some(_) => Err(Error::Exists(name.clone())),
            None => Volume::begin(name, place, self.marks).inspect_err(|_| remove_empty(&path)),
        }
    }

    /// Opens a volume to change it, and makes it where it is not there.
    pub fn open_or_create(&self, name: &VolumeName) -> Result<Volume, Error> {
        self.found(name)?;
        let path = self.path.join(name.as_str());
        expect_free(name, &path)?;
        let (place, is_made) = loop {
            // Whether it made the folder or somebody else did: it is there.
            let is_made = Place::make(&path)?;
            match self.locked(name) {
                // Somebody deleted it again.
                Err(Error::NoVolume { .. }) => {}
                locked => break (locked?, is_made),
            }
        };
        match read_directory(&place, name)? {
            Some(directory) => Volume::to_change(name, place, directory),
            None if standing::has_volumes(&path, DIRECTORY_NAME) => Err(Error::Unflagged { path }),
            None => Volume::begin(name, place, self.marks).inspect_err(|_| {
                if is_made {
                    remove_empty(&path);
                }
            }),
        }
    }
}

/// Refuses to make a volume whose folder others would take for theirs, or whose name is that of a file of farms.
fn expect_free(name: &VolumeName, path: &Path) -> Result<(), Error> {
    let why = match name.as_str() {
        text if is_made_by_others(text) => {
            "file systems and disks make folders of that name themselves"
        }
        text if is_of_farm(text) => "a farm calls its own files so",
        _ => return Ok(()),
    };
    match path.join(DIRECTORY_NAME).exists() {
        // An earlier program made it.
        true => Ok(()),
        false => Err(Error::Reserved {
            volume: name.clone(),
            why,
        }),
    }
}

/// The folder of a volume that has this directory: it knows where capsules lie.
fn arranged(mut place: Place, directory: &Directory) -> Place {
    if directory.marks().structured && !place.is_structured() {
        place.structure();
        for entry in directory.entries() {
            place.lies_in(&capsule_name(entry.number), &entry.title);
        }
    }
    place
}

/// Why a folder without directory and capsules is no volume. What it has is nothing to be removed.
fn no_volume(place: &Place) -> Error {
    let path = place.path().to_owned();
    if standing::has_volumes(&path, DIRECTORY_NAME) {
        return Error::Unflagged { path };
    }
    let is_nothing =
        |name: &str| name == INDEX_NAME || is_temporary(name) || is_of_file_system(place, name);
    let is_other = |entry: fs::DirEntry| !entry.file_name().to_str().is_some_and(is_nothing);
    // Where it can't be read, nobody knows that it is empty.
    let has_others = fs::read_dir(&path).map_or(true, |found| {
        found.into_iter().any(|entry| entry.map_or(true, is_other))
    });
    match has_others {
        true => Error::OtherThings { path },
        false => Error::NeverMade { path },
    }
}

/// Removes the folder that was made for a volume which could not be begun.
fn remove_empty(path: &Path) {
    // With anything in it, it stays.
    drop(fs::remove_dir(path));
}

/// Which file is the directory: its number, and when it was changed.
type Seen = (u64, i64, i64);

/// A volume.
#[derive(Debug)]
pub struct Volume {
    name: VolumeName,
    place: Place,
    directory: Directory,
    /// This command made it.
    is_new: bool,
    /// Capsules in the folder whose numbers are not used yet, as the directory has it.
    strays: Vec<Number>,
    /// By the directory that another command put in the place of this one.
    latest: Mutex<Option<(Seen, Arc<Volume>)>>,
}

impl Volume {
    fn of(name: &VolumeName, place: Place, directory: Directory) -> Self {
        Volume {
            name: name.clone(),
            place: arranged(place, &directory),
            directory,
            is_new: false,
            strays: Vec::new(),
            latest: Mutex::default(),
        }
    }

    /// An empty one, in a folder that has no directory.
    fn begin(name: &VolumeName, place: Place, marks: Marks) -> Result<Self, Error> {
        let directory = Directory::default().marked(marks);
        let mut volume = Volume::to_change(name, place, directory)?;
        volume.write_directory()?;
        volume.is_new = true;
        Ok(volume)
    }

    /// Removes the volume again, where this command made it and nothing came into it.
    pub fn discard_if_new(self) -> Result<(), Error> {
        if !self.is_new || !self.directory.entries().is_empty() {
            return Ok(());
        }
        self.place.remove(DIRECTORY_NAME)?;
        self.place.remove_folder()
    }

    /// Clears what a command left over that was killed, and passes the numbers that it used.
    fn to_change(name: &VolumeName, place: Place, mut directory: Directory) -> Result<Self, Error> {
        let place = arranged(place, &directory);
        let next = directory.next();
        let mut strays = Vec::new();
        for found in place.names()? {
            // A folder in the place of the next directory is refused before anything is done; others are in no way.
            if is_temporary(&found) && (is_next_directory(&found) || !place.is_folder(&found)) {
                place.remove(&found)?;
            }
            // Wherever it lies: its number is in use.
            if let Some(number) = capsule_number(last_of(&found)) {
                directory.use_numbers_before(number.next());
                let is_stray = number >= next && !found.contains('/');
                strays.extend(is_stray.then_some(number));
            }
        }
        Ok(Volume {
            strays,
            ..Volume::of(name, place, directory)
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &VolumeName {
        &self.name
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Where a capsule is.
    #[must_use]
    pub fn capsule_path(&self, number: Number) -> PathBuf {
        self.place.path_of(&capsule_name(number))
    }

    /// What is in it.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The files that are meant: each title is that of a file, or of a folder with files. All where none is said.
    pub fn chosen(&self, titles: &[Title]) -> Result<Vec<Entry>, Error> {
        if titles.is_empty() {
            return Ok(self.directory.entries().to_vec());
        }
        let mut numbers = HashSet::new();
        for title in titles {
            let before = numbers.len();
            match self.directory.find(title) {
                Some(entry) => drop(numbers.insert(entry.number)),
                None => {
                    let entries = self.directory.entries().iter();
                    let within = entries.filter(|entry| entry.title.is_within(title));
                    numbers.extend(within.map(|entry| entry.number));
                    if numbers.len() == before {
                        return Err(Error::NoTitle {
                            title: title.clone(),
                            volume: self.name.clone(),
                        });
                    }
                }
            }
        }
        let entries = self.directory.entries().iter();
        let chosen = entries.filter(|entry| numbers.contains(&entry.number));
        Ok(chosen.cloned().collect())
    }

    /// The files with these titles, of which none may be a folder's. All where none is said.
    pub(crate) fn chosen_files(&self, titles: &[Title]) -> Result<Vec<Entry>, Error> {
        for title in titles {
            if self.directory.find(title).is_none() {
                // Says so where nothing has the title.
                self.chosen(std::slice::from_ref(title))?;
                return Err(Error::Folder {
                    title: title.clone(),
                    volume: self.name.clone(),
                });
            }
        }
        self.chosen(titles)
    }

    /// Opens the capsule of a file, which must be the one that the directory says.
    pub(crate) fn open_capsule(&self, entry: &Entry) -> Result<Opened, Fault> {
        let opened = capsule::open(self.place.open(&capsule_name(entry.number))?)?;
        opened.expect(entry)?;
        Ok(opened)
    }

    /// Puts the directory on stable storage, in the place of the one before: old or new, never between.
    fn write_directory(&mut self) -> Result<(), Error> {
        self.stage_directory()?;
        self.put_directory()
    }

    /// Writes it beside the one before, which is the directory still. Where that fails, nothing of it is left.
    fn stage_directory(&mut self) -> Result<(), Error> {
        let name = format!("{DIRECTORY_NAME}{TEMPORARY}");
        let (bytes, spots) = self.directory.encode_with_spots();
        let file = self.place.create(&name)?;
        let written = batch::write_all(&self.place, &name, &file, &bytes);
        let synced = written.and_then(|()| self.place.sync_file(&name, &file));
        let named = synced.and_then(|()| self.place.sync_names());
        named.inspect_err(|_| drop(self.place.remove(&name)))?;
        if self.directory.entries().len() >= index::LEAST_FILES {
            self.stage_index(&index::encode(
                &self.directory,
                bytes.get(..HEADER_BYTES).unwrap_or_default(),
                &spots,
            ));
        }
        Ok(())
    }

    /// Writes the index beside the one before. Without one, or with one that was lost in a crash, the directory is read
    /// whole: so it is not put on stable storage, and where it can't be written nothing is wrong.
    fn stage_index(&self, bytes: &[u8]) {
        let name = format!("{INDEX_NAME}{TEMPORARY}");
        let file = self.place.create(&name);
        let written = file.and_then(|file| batch::write_all(&self.place, &name, &file, bytes));
        if written.is_err() {
            drop(self.place.remove(&name));
        }
    }

    /// Puts what was written in the place of the one before.
    fn put_directory(&mut self) -> Result<(), Error> {
        let name = format!("{DIRECTORY_NAME}{TEMPORARY}");
        self.place.rename_over(&name, DIRECTORY_NAME)?;
        if self.directory.entries().len() >= index::LEAST_FILES {
            // Where it could not be written there is none, and the one before fits no more.
            drop(
                self.place
                    .rename_over(&format!("{INDEX_NAME}{TEMPORARY}"), INDEX_NAME),
            );
        }
        self.place.sync_names()
    }
}

/// Whether a file is no farm's and belongs there nevertheless: what a file system has in its top folder.
fn is_of_file_system(place: &Place, name: &str) -> bool {
    place.standing().is_elsewhere && name == LOST_AND_FOUND
}

/// Whether a file is the directory or its index, or a directory that was here before.
fn is_of_volume(name: &str) -> bool {
    matches!(name, DIRECTORY_NAME | INDEX_NAME) || is_damaged_directory(name)
}

/// Whether a file is what a command leaves over that is killed.
fn is_temporary(name: &str) -> bool {
    name.ends_with(TEMPORARY) && is_of_farm(name)
}

/// Whether a new directory has this name before it takes the place of the one before.
fn is_next_directory(name: &str) -> bool {
    name.strip_suffix(TEMPORARY) == Some(DIRECTORY_NAME)
}

/// Whether it is there for that reason. A folder is not: no farm makes one of such a name.
fn is_left_over(place: &Place, name: &str) -> bool {
    is_temporary(name) && !place.is_folder(name)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is wrong, whatever it says.
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
