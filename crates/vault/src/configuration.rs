//! `vault.toml`: what makes a directory a vault.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use pseudotape_image::Uuid;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::label::Scheme;
use crate::layout::CONFIGURATION_FILE;

/// The format of a vault's directory.
const FORMAT: u32 = 1;
const WAIT_SECONDS: u64 = 10;
const WAIT_SECONDS_MAX: u64 = 3600;
const BACKUP_EVERY: u32 = 10;
const READ_ERRORS: u32 = 3;

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Configuration {
    /// Of the directory.
    pub format: u32,
    /// The vault's own, which its catalog has too.
    #[serde(with = "as_text")]
    pub identity: Uuid,
    /// What people call the vault.
    pub name: String,
    /// What labels of new volumes look like.
    #[serde(default = "usual_labels")]
    pub labels: String,
    /// How long a command waits for another one.
    #[serde(default = "usual_wait")]
    pub wait_seconds: u64,
    /// After so many closes of volumes `vault stack` writes a backup of the catalog; 0: not because of them.
    #[serde(default = "usual_backups")]
    pub backup_every: u32,
    /// After so many failed reads in one load a volume is blocked (EN-02); 0: not because of them.
    #[serde(default = "usual_errors")]
    pub read_errors: u32,
    /// Where stacked volumes are that a load may recall from, beside the images that volumes were stacked on.
    #[serde(default)]
    pub recall_from: Vec<String>,
}

mod as_text {
    use pseudotape_image::Uuid;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(uuid: &Uuid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(uuid)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
        Uuid::parse_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

fn usual_labels() -> String {
    "PT####".to_owned()
}

fn usual_wait() -> u64 {
    WAIT_SECONDS
}

fn usual_backups() -> u32 {
    BACKUP_EVERY
}

fn usual_errors() -> u32 {
    READ_ERRORS
}

impl Configuration {
    /// Of a new vault.
    pub(crate) fn new(identity: Uuid, name: String, labels: Option<&Scheme>) -> Self {
        Configuration {
            format: FORMAT,
            identity,
            name,
            labels: labels.map_or_else(usual_labels, Scheme::to_string),
            wait_seconds: WAIT_SECONDS,
            backup_every: BACKUP_EVERY,
            read_errors: READ_ERRORS,
            recall_from: Vec::new(),
        }
    }

    /// The scheme of new labels.
    pub(crate) fn scheme(&self) -> Scheme {
        self.labels.parse().expect("checked when it was read")
    }

    /// Reads the file of a vault's directory.
    pub(crate) fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(CONFIGURATION_FILE);
        let text = match pseudotape_human::read_text_file(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoVault {
                    directory: directory.to_owned(),
                });
            }
            Err(error) => return Err(Error::host("read", path, error)),
        };
        Self::parse(&text, &path)
    }

    /// Reads the text of such a file. `path` is for messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let wrong = |cause: String| Error::Configuration {
            path: path.to_owned(),
            cause,
        };
        let configuration: Configuration =
            toml::from_str(text).map_err(|error| wrong(error.to_string().trim().to_owned()))?;
        if configuration.format != FORMAT {
            let format = configuration.format;
            return Err(wrong(format!(
                "format {format} is not known here, only {FORMAT}: another pseudotape made this vault, use that one"
            )));
        }
        if let Err(error) = configuration.labels.parse::<Scheme>() {
            return Err(wrong(format!("labels: {error}")));
        }
        if !(1..=WAIT_SECONDS_MAX).contains(&configuration.wait_seconds) {
            let seconds = configuration.wait_seconds;
            return Err(wrong(format!(
                "wait-seconds = {seconds}: from 1 to {WAIT_SECONDS_MAX}"
            )));
        }
        Ok(configuration)
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        toml::to_string(self).expect("names, numbers and texts are TOML")
    }

    /// Writes the file at one stroke, as the last thing of a new vault.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(CONFIGURATION_FILE);
        let new = directory.join("vault.toml.new");
        let text = self.text();
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(|error| Error::host("write", &path, error))
    }
}
