//! References to volumes of farms: which of them have copies of which files.
//!
//! A reference is written down before its capsule is committed, and becomes certain behind it. Whatever is killed
//! between, the volume itself says which capsules came: [`Vault::settle_references`].

use std::collections::HashSet;

use pseudotape_image::Uuid;

use super::Vault;
use crate::catalog::{PendingReference, Rows};
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::reference::{
    ComingReference, FarmPlace, FarmVolume, FileName, Kinds, Namesakes, Purged, ReferredFile,
    SettledReference, Unknown, WantedVolume,
};
use crate::serial::{Serial, Series};

/// Which files lose references.
#[derive(Clone, Copy, Debug)]
pub struct Purging<'a> {
    /// These: the host, and the path or the title. Where nothing is said, all.
    pub files: Option<&'a [(String, Vec<u8>)]>,
    /// Only their references to this volume.
    pub volume: Option<&'a Serial>,
}

impl Vault {
    /// Whether a volume can be written for which files get references: its serial number is the one that the catalog
    /// has, or can come into it. Nothing is changed.
    ///
    /// | condition | result |
    /// |---|---|
    /// | a tape of the vault has its name, or its serial number as label | refused: it is of another kind |
    /// | the catalog has the place with another serial number | refused |
    /// | the catalog has the serial number for another place | refused |
    /// | the catalog has its name with another serial number, and namesakes are refused | refused |
    /// | no serial number was said, and the catalog has none for the place | one of the series; refused without series |
    pub fn check_farm_volume(&self, wanted: &WantedVolume) -> Result<(), Error> {
        choose(self.catalog.rows(), wanted).map(|_| ())
    }

    /// Enters the volume where the catalog has it not, and says its serial number. A serial number of the series is
    /// given once, whatever becomes of it.
    pub fn enter_farm_volume(
        &mut self,
        wanted: &WantedVolume,
        order: &Order,
    ) -> Result<Serial, Error> {
        self.change(|_, rows, now| {
            let (serial, series) = match choose(rows, wanted)? {
                Choice::Known(serial) => return Ok(serial),
                Choice::Said(serial) => (serial, None),
                Choice::Counted(series) => (series.serial(), Some(series)),
            };
            if let Some(series) = series {
                rows.set_series(series.rest().as_ref(), Some(&serial))?;
            }
            rows.add_farm_volume(&FarmVolume {
                serial: serial.clone(),
                place: wanted.place.clone(),
                added_ms: now,
            })?;
            let words = format!("{serial} {}", wanted.place.name);
            let change = Change::new(Subject::FarmVolume, None, Some(words), order);
            rows.log(now, None, &change)?;
            Ok(serial)
        })
    }

    /// The volume with a serial number.
    pub fn farm_volume(&self, serial: &Serial) -> Result<Option<FarmVolume>, Error> {
        let found = self.catalog.rows().farm_volume(serial)?;
        Ok(found.map(|(_, volume)| volume))
    }

    /// All volumes of farms, by their serial numbers.
    pub fn farm_volumes(&self) -> Result<Vec<FarmVolume>, Error> {
        let all = self.catalog.rows().all_farm_volumes()?;
        Ok(all.into_iter().map(|(_, volume)| volume).collect())
    }

    /// The volumes of which a command was killed, or one is about to commit capsules.
    pub fn unsettled_volumes(&self) -> Result<Vec<FarmVolume>, Error> {
        let found = self.catalog.rows().unsettled()?;
        Ok(found.into_iter().map(|(_, volume)| volume).collect())
    }

    /// Writes down which files get references when their capsules are committed. The titles of those that get none:
    /// the catalog has them not, and nobody wants them entered.
    pub fn expect_references(
        &mut self,
        serial: &Serial,
        kinds: Kinds,
        unknown: Unknown,
        coming: &[ComingReference],
    ) -> Result<Vec<Vec<u8>>, Error> {
        self.change(|_, rows, _| {
            let (key, volume) = known(rows, serial)?;
            let host = &volume.place.host;
            let mut left_out = Vec::new();
            let mut pending = Vec::new();
            for reference in coming {
                let found = rows.referred_file(host, &reference.file)?;
                let named = match &reference.file {
                    FileName::Path(path) => path.clone(),
                    // A file that nobody knows any more is called as it is in the volume.
                    FileName::OfCapsule(_) => reference.title.clone(),
                };
                let mut kinds = kinds;
                if found.is_none() && unknown == Unknown::LeftOut && kinds.backup.take().is_some() {
                    left_out.push(reference.title.clone());
                }
                if kinds.backup.is_some() || kinds.archive {
                    let (host, path) = found.unwrap_or_else(|| (host.clone(), named));
                    pending.push(PendingReference {
                        host,
                        path,
                        title: reference.title.clone(),
                        capsule: reference.capsule,
                        kinds,
                    });
                }
            }
            rows.expect_references(key, &pending)?;
            Ok(left_out)
        })
    }

    /// Makes references certain whose capsules are in the volume, and forgets the others. Nobody may commit capsules
    /// of the volume meanwhile: the caller has its lock.
    pub fn settle_references(
        &mut self,
        serial: &Serial,
        in_volume: &HashSet<Uuid>,
        order: &Order,
    ) -> Result<Vec<SettledReference>, Error> {
        self.change(|_, rows, now| {
            let (key, volume) = known(rows, serial)?;
            let mut settled = Vec::new();
            for pending in rows.pending_references(key)? {
                if !in_volume.contains(&pending.capsule) {
                    continue;
                }
                rows.put_reference(key, &pending, now)?;
                settled.push(SettledReference {
                    title: pending.title,
                    kinds: pending.kinds,
                });
            }
            rows.clear_pending(key)?;
            if !settled.is_empty() {
                let words = format!("{} to {serial} {}", settled.len(), volume.place.name);
                let change = Change::new(Subject::Reference, None, Some(words), order);
                rows.log(now, None, &change)?;
            }
            Ok(settled)
        })
    }

    /// All files with references.
    pub fn referred_files(&self) -> Result<Vec<ReferredFile>, Error> {
        let files = self.catalog.rows().referred_files()?;
        Ok(files.into_iter().map(|(_, file)| file).collect())
    }

    /// Takes references away; the capsules stay. A volume that is meant as a whole leaves the catalog.
    pub fn purge_references(
        &mut self,
        purging: Purging<'_>,
        order: &Order,
    ) -> Result<Purged, Error> {
        self.change(|_, rows, now| {
            let volume = purging.volume.map(|serial| known(rows, serial));
            let volume = volume.transpose()?;
            let key = volume.as_ref().map(|(key, _)| *key);
            let mut purged = Purged::default();
            match purging.files {
                None => {
                    purged = rows.purge(None, key)?;
                    if let Some(key) = key {
                        rows.clear_pending(key)?;
                        rows.delete_farm_volume(key)?;
                    }
                }
                Some(meant) => {
                    let meant: HashSet<_> = meant.iter().collect();
                    for (file, found) in rows.referred_files()? {
                        if meant.contains(&(found.host, found.path)) {
                            let one = rows.purge(Some(file), key)?;
                            purged.references += one.references;
                            purged.files += one.files;
                        }
                    }
                }
            }
            let of = volume.map_or_else(String::new, |(_, volume)| {
                format!(" to {} {}", volume.serial, volume.place.name)
            });
            let words = Some(format!("{}{of}", purged.references));
            let change = Change::new(Subject::Reference, words, None, order);
            rows.log(now, None, &change)?;
            Ok(purged)
        })
    }

    /// Says that a file is given up for its copies, or that it is not.
    pub fn mark_released(
        &mut self,
        host: &str,
        path: &[u8],
        is_released: bool,
        order: &Order,
    ) -> Result<(), Error> {
        self.change(|_, rows, now| {
            let files = rows.referred_files()?;
            let mut files = files.into_iter();
            let found = files.find(|(_, file)| file.host == host && file.path == path);
            let Some((file, _)) = found else {
                return Err(Error::Serial(format!(
                    "the catalog has no references of {}",
                    path.escape_ascii()
                )));
            };
            rows.mark_released(file, is_released.then_some(now))?;
            let to = is_released.then(|| format!("{} released", path.escape_ascii()));
            let change = Change::new(Subject::Reference, None, to, order);
            rows.log(now, None, &change)
        })
    }

    /// The serial number that is given next, where there is a series that is not at its end: the first one that no
    /// volume has.
    pub fn series(&self) -> Result<Option<Series>, Error> {
        let rows = self.catalog.rows();
        match rows.series()?.and_then(Result::ok) {
            Some(series) => first_free(rows, series),
            None => Ok(None),
        }
    }

    /// Begins a series of serial numbers.
    pub fn set_series(&mut self, series: &Series, order: &Order) -> Result<(), Error> {
        self.change(|_, rows, now| {
            let before = rows.series()?.and_then(Result::ok);
            rows.set_series(Some(series), None)?;
            let words = |series: &Series| format!("series {series}");
            let (from, to) = (before.as_ref().map(words), Some(words(series)));
            rows.log(
                now,
                None,
                &Change::new(Subject::FarmVolume, from, to, order),
            )
        })
    }
}

/// The serial number of a volume that is to be written.
enum Choice {
    /// The catalog has it.
    Known(Serial),
    /// It was said.
    Said(Serial),
    /// The next one of the series.
    Counted(Series),
}

fn choose(rows: Rows<'_>, wanted: &WantedVolume) -> Result<Choice, Error> {
    let name = &wanted.place.name;
    let refused = |words: String| Err(Error::Serial(words));
    if rows.is_label_of_tape(name)? {
        return refused(format!(
            "{name} is a tape of this vault, and no volume of a farm: give the volume another name"
        ));
    }
    let namesakes = rows.farm_namesakes(name)?;
    let there = |volume: &FarmVolume| is_same(&volume.place, &wanted.place);
    let here = namesakes.iter().find(|(_, volume)| there(volume));
    let Some(said) = &wanted.serial else {
        return match here {
            Some((_, volume)) => Ok(Choice::Known(volume.serial.clone())),
            None => counted(rows),
        };
    };
    if rows.is_label_of_tape(said.as_str())? {
        return refused(format!(
            "{said} is the label of a tape of this vault: a volume of a farm has a serial number of its own"
        ));
    }
    if let Some((_, volume)) = here {
        return match volume.serial == *said {
            true => Ok(Choice::Known(said.clone())),
            false => refused(format!(
                "volume {name} has the serial number {} and not {said}: say --serial {}",
                volume.serial, volume.serial
            )),
        };
    }
    if let Some((_, volume)) = rows.farm_volume(said)? {
        let place = &volume.place;
        return refused(format!(
            "{said} is the serial number of volume {} in {} on {}: each volume has one of its own",
            place.name, place.root, place.host
        ));
    }
    match (namesakes.first(), wanted.namesakes) {
        (Some((_, volume)), Namesakes::Refused) => refused(format!(
            "volume {name} is in the catalog with the serial number {}, and not {said}: say --serial {}, or --namesake for a \
             second volume of this name",
            volume.serial, volume.serial
        )),
        (Some(_), Namesakes::Allowed) | (None, _) => Ok(Choice::Said(said.clone())),
    }
}

fn is_same(one: &FarmPlace, other: &FarmPlace) -> bool {
    (&one.host, &one.root, &one.folder) == (&other.host, &other.root, &other.folder)
}

/// The next serial number that no volume has.
fn counted(rows: Rows<'_>) -> Result<Choice, Error> {
    let refused = |words: &str| Err(Error::Serial(words.to_owned()));
    let series = match rows.series()? {
        Some(Ok(series)) => series,
        Some(Err(last)) => {
            return Err(Error::Serial(format!(
                "all serial numbers are given, of which {last} was the last: 'pseudotape farm serial DF0001' begins another series, \
                 --serial SERIAL says one"
            )));
        }
        None => {
            return Err(Error::no_serial());
        }
    };
    match first_free(rows, series)? {
        Some(series) => Ok(Choice::Counted(series)),
        None => refused(
            "all serial numbers that are left are in use: 'pseudotape farm serial DF0001' begins another series, --serial \
             SERIAL says one",
        ),
    }
}

/// The series from its first serial number on that neither a volume of a farm nor a tape has.
fn first_free(rows: Rows<'_>, series: Series) -> Result<Option<Series>, Error> {
    let mut next = Some(series);
    while let Some(series) = next {
        let serial = series.serial();
        if rows.farm_volume(&serial)?.is_none() && !rows.is_label_of_tape(serial.as_str())? {
            return Ok(Some(series));
        }
        next = series.rest();
    }
    Ok(None)
}

fn known(rows: Rows<'_>, serial: &Serial) -> Result<(crate::catalog::FarmKey, FarmVolume), Error> {
    rows.farm_volume(serial)?
        .ok_or_else(|| Error::Serial(format!("the catalog has no volume {serial} of a farm")))
}
