//! Repairing: what helps against what is wrong with a volume. It is shown first, and done when somebody says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::inspecting::{expect_number, foreign, read_whole};
use super::listed::read_directory;
use super::rebuilding::{Rebuilt, Through, rebuild_in};
use super::{
    DIRECTORY_NAME, Damage, Finding, Root, Volume, arranged, is_damaged_directory, is_left_over,
    is_of_file_system, is_of_volume, now_ms,
};
use crate::capsule::{self, capsule_name, capsule_number};
use crate::directory::DirectoryError;
use crate::entry::{Entry, Number, State};
use crate::error::{Error, Fault};
use crate::place::Place;
use crate::title::{Title, VolumeName};

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Remedies are applied, and not only told.
    pub apply: bool,
    /// Capsules with files go whose successors are whole: see [`Remedy::Drop`].
    pub drop_replaced: bool,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The directory is made anew from the capsules.
    Rebuild,
    /// The folder goes: no volume was made in it.
    RemoveFolder,
    /// The file goes: a killed command left it, and no file of the volume is in it.
    Clear,
    /// A capsule without the file takes the place of the one that is gone.
    Fill,
    /// The capsule gets into the directory.
    List,
    /// The capsule goes. The one that the directory has for its title took its place, and is whole, or says that the
    /// file was released.
    Drop,
    /// Nothing here does.
    Nothing,
}

/// Something wrong.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// The name of the file in the volume's folder, or of that folder.
    pub file: String,
    /// What is wrong.
    pub damage: Damage,
    /// What helps.
    pub remedy: Remedy,
    /// Whether it was done.
    pub done: bool,
}

/// Looks for all that is wrong with a volume, tells what helps, and does it where that is asked for. A capsule that
/// has a file goes only where another one took its place, and only with [`Repair::drop_replaced`].
pub fn repair(
    root: &Root,
    name: &VolumeName,
    how: Repair,
    tell: &mut dyn FnMut(Found),
) -> Result<(), Error> {
    let place = match how.apply {
        true => root.locked(name)?,
        false => root.place(name)?,
    };
    let directory = match read_directory(&place, name) {
        Ok(Some(directory)) => Ok(directory),
        Ok(None) => return repair_folder(&place, &place.names()?, how, tell),
        Err(Error::NoDirectory { .. }) => Err("there is none".to_owned()),
        Err(Error::Directory {
            cause: cause @ (DirectoryError::Foreign | DirectoryError::Damaged(_)),
            ..
        }) => Err(cause.to_string()),
        Err(error) => return Err(error),
    };
    let place = match &directory {
        Ok(directory) => arranged(place, directory),
        Err(_) => place,
    };
    let mut names = place.names()?;
    let mut volume = match directory {
        Ok(directory) if how.apply => Volume::to_change(name, place, directory)?,
        Ok(directory) => Volume::of(name, place, directory),
        Err(why) => {
            let mut kept: Option<(String, Fault)> = None;
            let (rebuilt, mut left) = match how.apply {
                true => {
                    let mut note = |told| kept = kept.take().or(kept_directory(told));
                    (Some(rebuild_in(place, name, &mut note)?), Vec::new())
                }
                false => (None, Through::of(place, None)?.unusable),
            };
            tell(Found {
                file: DIRECTORY_NAME.to_owned(),
                damage: Damage::Directory(why),
                remedy: Remedy::Rebuild,
                done: how.apply,
            });
            if let Some((file, fault)) = kept {
                tell(Found {
                    file,
                    damage: Damage::Unlisted(Err(fault)),
                    remedy: Remedy::Nothing,
                    done: false,
                });
            }
            match rebuilt {
                Some(volume) => {
                    if volume.place.is_structured() {
                        names = volume.place.names()?;
                    }
                    volume
                }
                None => {
                    // What will not be in the directory that is made.
                    left.drain(..).for_each(|(file, fault)| {
                        tell(Found {
                            file,
                            damage: Damage::Unlisted(Err(fault)),
                            remedy: Remedy::Nothing,
                            done: false,
                        });
                    });
                    return Ok(());
                }
            }
        }
    };
    if !how.apply {
        names = volume.settled(names)?.names;
    }
    let plan = Plan::of(&volume, &names, how);
    if how.apply {
        plan.apply(&mut volume)?;
    }
    plan.found.into_iter().for_each(tell);
    Ok(())
}

/// The damaged directory that a rebuild kept; what else it could not use is looked at behind it.
fn kept_directory(told: Rebuilt) -> Option<(String, Fault)> {
    match told {
        Rebuilt::Unusable(file, fault @ Fault::DamagedDirectory) => Some((file, fault)),
        _ => None,
    }
}

/// A folder that has neither directory nor capsules.
fn repair_folder(
    place: &Place,
    names: &[String],
    how: Repair,
    tell: &mut dyn FnMut(Found),
) -> Result<(), Error> {
    let foreign: Vec<&String> = names
        .iter()
        .filter(|name| {
            let is_known = is_of_volume(name) && !is_damaged_directory(name);
            !is_left_over(place, name) && !is_known && !is_of_file_system(place, name)
        })
        .collect();
    // A mount point, or what a link leads to, is nobody's to remove.
    let standing = place.standing();
    let is_own = !standing.is_redirected && !standing.is_elsewhere;
    let remedy = match foreign.is_empty() && is_own {
        true => Remedy::RemoveFolder,
        false => Remedy::Nothing,
    };
    let done = how.apply && remedy == Remedy::RemoveFolder;
    if done {
        for name in names {
            place.remove(name)?;
        }
        place.remove_folder()?;
    }
    for name in foreign {
        tell(Found {
            file: name.clone(),
            damage: super::inspecting::foreign(place, name),
            remedy: Remedy::Nothing,
            done: false,
        });
    }
    tell(Found {
        file: place.path().display().to_string(),
        damage: Damage::NeverMade,
        remedy,
        done,
    });
    Ok(())
}

/// What was found, and what is to be done.
struct Plan {
    how: Repair,
    found: Vec<Found>,
    fill: Vec<Entry>,
    list: Vec<Entry>,
    drop: BTreeSet<Number>,
}

impl Plan {
    fn of(volume: &Volume, names: &[String], how: Repair) -> Self {
        let mut plan = Plan {
            how,
            found: Vec::new(),
            fill: Vec::new(),
            list: Vec::new(),
            drop: BTreeSet::new(),
        };
        let mut faults = BTreeMap::new();
        for entry in volume.directory.entries() {
            volume.verify(std::slice::from_ref(entry), &mut |finding| {
                if let Finding::Wrong(_, Damage::Capsule(_, fault)) = finding {
                    faults.insert(entry.number, fault);
                }
            });
        }
        plan.look_at_others(volume, names, &faults);
        let listed: BTreeSet<Title> = plan.list.iter().map(|entry| entry.title.clone()).collect();
        for entry in volume.directory.entries() {
            let Some(fault) = faults.remove(&entry.number) else {
                continue;
            };
            let is_gone = matches!(fault, Fault::Absent);
            let damage = Damage::Capsule(entry.title.clone(), fault);
            let file = capsule_name(entry.number);
            if is_gone && !listed.contains(&entry.title) {
                plan.fill.push(stub(entry));
                plan.found(file, damage, Remedy::Fill);
            } else if is_gone {
                // Its successor is told.
                plan.found(file, damage, Remedy::List);
            } else {
                plan.found(file, damage, Remedy::Nothing);
            }
        }
        plan
    }

    fn found(&mut self, file: String, damage: Damage, remedy: Remedy) {
        let done = self.how.apply && remedy != Remedy::Nothing;
        self.found.push(Found {
            file,
            damage,
            remedy,
            done,
        });
    }

    /// What is in the folder and not in the directory.
    fn look_at_others(
        &mut self,
        volume: &Volume,
        names: &[String],
        faults: &BTreeMap<Number, Fault>,
    ) {
        let entries = volume.directory.entries().iter();
        let listed: BTreeSet<Number> = entries.map(|entry| entry.number).collect();
        let mut capsules = Vec::new();
        for name in names {
            match capsule_number(name) {
                Some(number) if listed.contains(&number) => {}
                Some(number) => match volume.open_unlisted(number) {
                    Ok(entry) => capsules.push(entry),
                    Err(fault) => {
                        let damage = Damage::Unlisted(Err(fault));
                        self.found(name.clone(), damage, Remedy::Nothing);
                    }
                },
                None if is_left_over(&volume.place, name) => {
                    self.found(name.clone(), Damage::Leftover, Remedy::Clear);
                }
                None if is_of_volume(name) || is_of_file_system(&volume.place, name) => {}
                None => {
                    let damage = foreign(&volume.place, name);
                    self.found(name.clone(), damage, Remedy::Nothing);
                }
            }
        }
        // The one with the highest number first: of several with one title it gets into the directory.
        capsules.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        let mut taken: HashMap<Title, Entry> = HashMap::new();
        for entry in capsules {
            let listed = volume.directory.find(&entry.title);
            let remedy = match (taken.get(&entry.title), listed) {
                (Some(_), _) => Remedy::Drop,
                (None, Some(listed)) => beside(&entry, listed, faults.get(&listed.number)),
                (None, None) => Remedy::List,
            };
            self.capsule(volume, entry, remedy, &mut taken);
        }
    }

    fn capsule(
        &mut self,
        volume: &Volume,
        entry: Entry,
        remedy: Remedy,
        taken: &mut HashMap<Title, Entry>,
    ) {
        let file = capsule_name(entry.number);
        let damage = Damage::Unlisted(Ok(entry.title.clone()));
        match remedy {
            Remedy::List => {
                let opened = volume.open_capsule(&entry);
                if let Err(fault) = opened.and_then(|opened| read_whole(opened, &entry)) {
                    let damage = Damage::Unlisted(Err(fault));
                    return self.found(file, damage, Remedy::Nothing);
                }
                if let Some(before) = volume.directory.find(&entry.title) {
                    // It has no file, or is gone.
                    self.drop.insert(before.number);
                }
                taken.insert(entry.title.clone(), entry.clone());
                self.list.push(entry);
                self.found(file, damage, remedy);
            }
            Remedy::Drop => {
                let goes = !entry.state.has_file() || self.how.drop_replaced;
                if goes {
                    self.drop.insert(entry.number);
                }
                self.found.push(Found {
                    file,
                    damage,
                    remedy,
                    done: goes && self.how.apply,
                });
            }
            other => self.found(file, damage, other),
        }
    }

    /// The directory first: whatever comes between, it is the old or the new one, and the same repair goes on.
    fn apply(&self, volume: &mut Volume) -> Result<(), Error> {
        if !self.fill.is_empty() || !self.list.is_empty() {
            let entries = self.fill.iter().chain(&self.list);
            volume.directory.put(entries.cloned());
            volume.write_directory()?;
        }
        for stub in &self.fill {
            let archive = volume.begin_capsule(stub.number, stub.capsule, &stub.title, None)?;
            let (temporary, file) = volume.end_capsule(archive, &mut stub.clone())?;
            volume.place.sync_file(&temporary, &file)?;
            let name = capsule_name(stub.number);
            volume.place.rename_new(&temporary, &name)?;
        }
        for number in &self.drop {
            volume.place.remove(&capsule_name(*number))?;
        }
        volume.place.sync_names()
    }
}

/// What helps for a capsule whose title the directory has, with another capsule, which perhaps is not whole.
fn beside(entry: &Entry, listed: &Entry, fault: Option<&Fault>) -> Remedy {
    match (listed.state, fault) {
        // It was released, and is to go; with a higher number its adding was killed.
        (State::Released, _) if listed.number > entry.number => Remedy::Drop,
        (State::Released | State::Missing, _) if entry.state.has_file() => Remedy::List,
        (State::Released | State::Missing, _) => Remedy::Drop,
        (State::Ok | State::Changed, None) => Remedy::Drop,
        (State::Ok | State::Changed, Some(Fault::Absent)) if entry.state.has_file() => Remedy::List,
        (State::Ok | State::Changed, Some(_)) => Remedy::Nothing,
    }
}

/// What takes the place of a capsule that is gone.
fn stub(gone: &Entry) -> Entry {
    let (state, why) = match gone.state {
        State::Released => (State::Released, gone.why.clone()),
        _ => (State::Missing, Some("its capsule was gone".to_owned())),
    };
    Entry {
        capsule: Uuid::now_v7(),
        state,
        stored: None,
        why,
        added_ms: now_ms(),
        ..gone.clone()
    }
}

impl Volume {
    /// What a capsule says that the directory has not.
    fn open_unlisted(&self, number: Number) -> Result<Entry, Fault> {
        let opened = self.place.open(&capsule_name(number));
        let entry = opened.and_then(capsule::open)?.entry;
        expect_number(&entry, number)?;
        match self.place.misplaced(&capsule_name(number), &entry.title) {
            Some(fault) => Err(fault),
            None => Ok(entry),
        }
    }

    /// Takes files in that a killed command had committed, and not written into the directory yet: else the same
    /// command again would make second capsules of them. Only whole ones come in, whose titles the directory has not.
    pub fn adopt(&mut self) -> Result<Vec<Entry>, Error> {
        let mut adopted: BTreeMap<Title, Entry> = BTreeMap::new();
        for number in std::mem::take(&mut self.strays) {
            let Ok(entry) = self.open_unlisted(number) else {
                continue;
            };
            let is_wanted = entry.state.has_file() && self.directory.find(&entry.title).is_none();
            let opened = is_wanted.then(|| self.open_capsule(&entry));
            let read = opened.map(|opened| opened.and_then(|opened| read_whole(opened, &entry)));
            if let Some(Ok(())) = read {
                adopted.insert(entry.title.clone(), entry);
            }
        }
        let mut adopted: Vec<Entry> = adopted.into_values().collect();
        adopted.sort_by_key(|entry| entry.number);
        if !adopted.is_empty() {
            self.directory.put(adopted.iter().cloned());
            self.write_directory()?;
        }
        Ok(adopted)
    }

    /// All readable capsules that the directory has not.
    pub(super) fn unlisted(&self) -> Result<Vec<Entry>, Error> {
        let entries = self.directory.entries().iter();
        let listed: BTreeSet<Number> = entries.map(|entry| entry.number).collect();
        let names = self.place.names()?;
        let numbers = names.iter().filter_map(|name| capsule_number(name));
        let others = numbers.filter(|number| !listed.contains(number));
        Ok(others
            .filter_map(|number| self.open_unlisted(number).ok())
            .collect())
    }
}
