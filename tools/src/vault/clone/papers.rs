//! What a clone leaves on the disk of its own: the inventory of the volume before anything changed, and how far it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pseudotape_image::Uuid;
use pseudotape_vault::{Digest, FileState, TapeFile, Vault, Volume};
use serde::{Deserialize, Serialize};
use serde_json::{from_slice, to_vec_pretty};

use crate::rescue::in_place;

/// A tape file, as the catalog had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::vault) struct Filed {
    pub(in crate::vault) file: u64,
    pub(in crate::vault) first_object: u64,
    pub(in crate::vault) blocks: u64,
    pub(in crate::vault) bytes: u64,
    pub(in crate::vault) digest: Option<String>,
    pub(in crate::vault) state: String,
}

impl Filed {
    pub(in crate::vault) fn new(file: &TapeFile) -> Self {
        Filed {
            file: file.number,
            first_object: file.first_object,
            blocks: file.blocks,
            bytes: file.bytes,
            digest: file.digest.map(|digest| digest.to_string()),
            state: file.state.word().to_owned(),
        }
    }

    fn known(&self) -> Result<TapeFile> {
        let digest = self.digest.as_ref().map(|text| text.parse::<Digest>());
        Ok(TapeFile {
            number: self.file,
            first_object: self.first_object,
            blocks: self.blocks,
            bytes: self.bytes,
            digest: digest.transpose()?,
            state: self.state.parse::<FileState>()?,
        })
    }
}

/// EN-05. What was on the volume, before anything was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::vault) struct Inventory {
    pub(in crate::vault) label: String,
    pub(in crate::vault) identity: String,
    pub(in crate::vault) generation: u64,
    pub(in crate::vault) files: Vec<Filed>,
}

impl Inventory {
    pub(in crate::vault) fn files(&self) -> Result<Vec<TapeFile>> {
        self.files.iter().map(Filed::known).collect()
    }
}

/// EN-14. One try to read what was missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::vault) struct Tried {
    pub(in crate::vault) source: String,
    /// The most for each object.
    pub(in crate::vault) tries: u32,
    /// Objects that were read there.
    pub(in crate::vault) read_objects: u64,
    /// Objects that were missing still, as far as is known.
    pub(in crate::vault) missing_objects: u64,
}

/// How far the clone is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::vault) struct Progress {
    /// EN-04. The same at the beginning and at the end.
    pub(in crate::vault) incident: String,
    /// EN-01.
    pub(in crate::vault) reason: String,
    /// The hook was told of the beginning.
    pub(in crate::vault) opened: bool,
    /// And of the end.
    pub(in crate::vault) closed: bool,
    /// EN-18. Who closed the incident, when of each tape file was decided.
    #[serde(default)]
    pub(in crate::vault) settled_by: Option<String>,
    /// The identity of the volume that may be written.
    pub(in crate::vault) target: Option<String>,
    /// The tape files that are written on it; nothing where they are not all there.
    pub(in crate::vault) written: Option<Vec<u64>>,
    /// From where it was read, in this order.
    #[serde(default)]
    pub(in crate::vault) tried: Vec<Tried>,
    /// Bad tape files of which the owner was told.
    pub(in crate::vault) told: Vec<u64>,
}

/// Where they lie.
#[derive(Clone, Debug)]
pub(in crate::vault) struct Papers {
    pub(in crate::vault) directory: PathBuf,
}

impl Papers {
    pub(in crate::vault) fn of(vault: &Vault, identity: &str) -> Self {
        Papers {
            directory: vault.directory().join("clones").join(identity),
        }
    }

    pub(in crate::vault) fn inventory_path(&self) -> PathBuf {
        self.directory.join("inventory.json")
    }

    fn progress_path(&self) -> PathBuf {
        self.directory.join("progress.json")
    }

    /// What was read of the volume; `pseudotape rescue` knows it.
    pub(in crate::vault) fn work(&self) -> PathBuf {
        self.directory.join("work.ptape")
    }

    /// Makes the directory, and the inventory where there is none yet.
    pub(in crate::vault) fn begin(&self, volume: &Volume, files: &[TapeFile]) -> Result<Inventory> {
        fs::create_dir_all(&self.directory)
            .with_context(|| self.directory.display().to_string())?;
        if let Some(inventory) = read::<Inventory>(&self.inventory_path())? {
            return Ok(inventory);
        }
        let inventory = Inventory {
            label: volume.label.to_string(),
            identity: volume.identity.to_string(),
            generation: volume.generation,
            files: files.iter().map(Filed::new).collect(),
        };
        write(&self.inventory_path(), &inventory)?;
        // Their names, too.
        for directory in [Some(self.directory.as_path()), self.directory.parent()] {
            let directory = directory.context("a directory has one above it")?;
            fs::File::open(directory)
                .and_then(|directory| directory.sync_all())
                .with_context(|| directory.display().to_string())?;
        }
        Ok(inventory)
    }

    pub(in crate::vault) fn progress(&self) -> Result<Option<Progress>> {
        read(&self.progress_path())
    }

    pub(in crate::vault) fn first_progress(&self, reason: &str) -> Result<Progress> {
        match self.progress()? {
            Some(progress) => Ok(progress),
            None => {
                let progress = Progress {
                    incident: Uuid::now_v7().to_string(),
                    reason: reason.to_owned(),
                    ..Progress::default()
                };
                self.save(&progress)?;
                Ok(progress)
            }
        }
    }

    pub(in crate::vault) fn save(&self, progress: &Progress) -> Result<()> {
        write(&self.progress_path(), progress)
    }

    /// Removes what was read of the volume: it is on the clone now. The inventory stays.
    pub(in crate::vault) fn clear(&self) -> Result<()> {
        let entries = fs::read_dir(&self.directory);
        for entry in entries.with_context(|| self.directory.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with("work.ptape")) {
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(from_slice(&bytes).with_context(|| {
            format!("{}: it is no paper of a clone", path.display())
        })?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let bytes = to_vec_pretty(value)?;
    in_place(path, &bytes, None).with_context(|| format!("can't write {}", path.display()))
}
