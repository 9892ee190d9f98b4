//! The list of a volume as a file: LIBMAINTDIR/VOLUME/DATE/SERIAL of the source of the rules.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pseudotape_farm::{Entry, VolumeName};
use pseudotape_vault::{Serial, Vault, time_words};
use serde::Serialize;

use super::config::Settings;
use super::shown::ShownFile;

/// The name in lists of volumes that the catalog has not.
const UNKNOWN: &str = "NULL";
/// Where lists lie in their folder.
const FOLDER: &str = "libmaintdir";
/// The first part of an RFC 3339 time.
const DATE_BYTES: usize = 10;

/// What is in the file.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    volume: &'a str,
    serial: &'a str,
    created: &'a str,
    files: Vec<ShownFile>,
}

/// A list that is to be written.
#[derive(Debug)]
pub(super) struct ListFile {
    folder: PathBuf,
    volume: String,
    serial: Serial,
    created: String,
    entries: Vec<Entry>,
}

impl ListFile {
    /// Says before anything is read what the list is called: as the catalog has the volume with this serial number,
    /// else as the volume `of` that is written, and else as one that is called NULL (CW-30).
    pub(super) fn of(
        folder: Option<&Path>,
        serial: Option<&Serial>,
        of: Option<&VolumeName>,
        settings: &Settings,
    ) -> Result<Option<Self>> {
        let Some(folder) = folder else {
            return Ok(None);
        };
        let Some(serial) = serial else {
            bail!(
                "--list needs the serial number of the volume: say --serial SERIAL; nothing was done"
            );
        };
        let known = match settings.vault() {
            Ok(vault) => Vault::look(&vault)?.farm_volume(serial)?,
            // Who has no vault has no catalog.
            Err(_) => None,
        };
        let (volume, created) = match known {
            Some(volume) => (volume.place.name, time_words(volume.added_ms)),
            None => {
                if of.is_none() {
                    eprintln!(
                        "pseudotape: the catalog has no volume {serial} of a farm: the list is made for a volume called \
                         {UNKNOWN}"
                    );
                }
                let now = std::time::SystemTime::now();
                let now = now.duration_since(std::time::UNIX_EPOCH)?;
                let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                {
                    let name = of.map_or_else(|| UNKNOWN.to_owned(), ToString::to_string);
                    (name, time_words(now))
                }
            }
        };
        // It becomes the name of a folder, as that of a volume does.
        let _checked: VolumeName = volume.parse()?;
        Ok(Some(ListFile {
            folder: folder.to_owned(),
            volume,
            serial: serial.clone(),
            created,
            entries: Vec::new(),
        }))
    }

    /// Adds a file whose capsule is whole, or was committed.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.entries.push(entry.clone());
    }

    /// Writes it, in the place of one with its name; where it is.
    pub(super) fn write(mut self) -> Result<String> {
        let date = self.created.get(..DATE_BYTES).unwrap_or(&self.created);
        let folder = self.folder.join(FOLDER).join(&self.volume).join(date);
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        self.entries.sort_by_key(|entry| entry.number);
        let listing = Listing {
            volume: &self.volume,
            serial: self.serial.as_str(),
            created: &self.created,
            files: self.entries.iter().map(ShownFile::new).collect(),
        };
        let path = folder.join(format!("{}.json", self.serial));
        let making = folder.join(format!("{}.json.tmp", self.serial));
        let write = || -> Result<()> {
            let mut file = File::create(&making)?;
            serde_json::to_writer(&mut file, &listing)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&making, &path)?;
            Ok(File::open(&folder)?.sync_all()?)
        };
        write().with_context(|| format!("can't write {}", path.display()))?;
        Ok(path.display().to_string())
    }
}
