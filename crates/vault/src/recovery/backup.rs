//! A backup of the catalog is made while others use it.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path;

use super::description::BackupDescription;
use super::payload::pack;
use crate::catalog::{Catalog, SCHEMA_VERSION};
use crate::error::Error;
use crate::vault::Vault;

/// A backup of the catalog, not yet anywhere else than here.
#[derive(Debug)]
pub struct Backup {
    /// What is said of it.
    pub description: BackupDescription,
    /// Its bytes, from their beginning. The file has no name: it goes with this value.
    pub payload: File,
}

impl Vault {
    /// Makes a backup of the catalog as it is now, with the next number. Others may change the catalog meanwhile; the
    /// backup is of one moment.
    ///
    /// Needs room on the vault's disk for a second catalog and for the backup. A number whose backup was not
    /// made in the end is missing, and is not given again.
    pub fn back_up(&mut self) -> Result<Backup, Error> {
        let directory = self.directory().to_owned();
        let (sequence, written_ms) = self.count_backup()?;
        let copy_path = directory.join(format!("backup-{sequence}.sqlite.new"));
        let mut copy = nameless(&copy_path, |path| self.copy_catalog(path))?;
        let path = directory.join(format!("backup-{sequence}.zst.new"));
        let mut payload = nameless(&path, |_| Ok(()))?;
        let host = |error| Error::host("write", &path, error);
        let (packed, catalog) = pack(&mut copy, &mut payload).map_err(host)?;
        payload.seek(SeekFrom::Start(0)).map_err(host)?;
        let configuration = self.configuration();
        let description = BackupDescription {
            site: configuration.identity,
            site_name: configuration.name.clone(),
            sequence,
            written_ms,
            schema: SCHEMA_VERSION,
            volumes: self.counts()?.volumes,
            length: packed.bytes,
            digest: packed.digest,
            catalog_length: catalog.bytes,
            catalog_digest: catalog.digest,
        };
        Ok(Backup {
            description,
            payload,
        })
    }

    fn copy_catalog(&self, to: &Path) -> Result<(), Error> {
        let wait = self.patience();
        let identity = self.configuration().identity;
        Catalog::copy(self.directory(), identity, wait, to)
    }
}

/// A new file that only this process has, and that ends with it. What it is filled by still knows it by its name.
fn nameless(path: &Path, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<File, Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(|error| Error::host("make", path, error))?;
    let filled = fill(path);
    let removed = fs::remove_file(path);
    filled?;
    removed.map_err(|error| Error::host("remove", path, error))?;
    Ok(file)
}
