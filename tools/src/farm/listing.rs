//! The list of a volume as a file: LIBMAINTDIR/VOLUME/DATE/SERIAL of the source of the rules.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pseudotape_farm::{Entry, VolumeName};
use pseudotape_farm_script::FileWords;
use pseudotape_human::time_words;
use pseudotape_human::{Report, json_text};
use pseudotape_vault::{Serial, Vault};
use serde::Serialize;

use super::config::Settings;

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
    files: Vec<FileWords>,
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
            files: self.entries.iter().map(FileWords::new).collect(),
        };
        let path = folder.join(format!("{}.json", self.serial));
        let making = folder.join(format!("{}.json.tmp", self.serial));
        let write = || {
            let mut text = serde_json::to_string(&listing)?;
            text.push('\n');
            put(&File::create(&making)?, &text, &making, &path)
        };
        write().with_context(|| format!("can't write {}", path.display()))?;
        Ok(path.display().to_string())
    }
}

/// Puts a text on stable storage, and in the place of the file that has the name.
fn put(mut file: &File, text: &str, making: &Path, path: &Path) -> Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(making, path)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
}

/// A report that is to be kept in a file: the old or the new one.
#[derive(Debug)]
pub(super) struct KeptReport {
    path: PathBuf,
    making: PathBuf,
    file: File,
}

impl KeptReport {
    /// Says before anything is read that it can't be written.
    pub(super) fn begin(path: Option<&Path>) -> Result<Option<Self>> {
        let Some(path) = path else {
            return Ok(None);
        };
        let mut making = path.as_os_str().to_owned();
        making.push(".tmp");
        let making = PathBuf::from(making);
        let file = File::create(&making);
        let file =
            file.with_context(|| format!("can't make {}; nothing was verified", making.display()))?;
        Ok(Some(KeptReport {
            path: path.to_owned(),
            making,
            file,
        }))
    }

    /// Keeps what was found.
    pub(super) fn keep(self, report: &impl Report) -> Result<()> {
        let text = json_text(report)?;
        put(&self.file, &text, &self.making, &self.path)
            .with_context(|| format!("can't write {}", self.path.display()))
    }
}

impl Drop for KeptReport {
    /// What was not kept goes.
    fn drop(&mut self) {
        drop(fs::remove_file(&self.making));
    }
}
