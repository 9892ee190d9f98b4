//! Rows of clones: what they were made of.

use std::collections::HashSet;

use pseudotape_image::{Uuid, VolumeId};
use rusqlite::{OptionalExtension, params};

use super::rows::{Key, Rows, signed, unsigned};
use crate::error::Error;
use crate::volume::ClonedFile;

impl Rows<'_> {
    /// Stores what a volume is the clone of.
    pub(crate) fn insert_clone(
        &self,
        key: Key,
        source: VolumeId,
        files: &[ClonedFile],
    ) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO clone (volume, source) VALUES (?1, ?2)",
            params![key.0, source.to_string()],
        )?;
        self.insert_cloned_files(key, files)
    }

    /// Stores which of its tape files are which ones of the volume that it is the clone of.
    pub(crate) fn insert_cloned_files(&self, key: Key, files: &[ClonedFile]) -> Result<(), Error> {
        let mut insert = self.connection.prepare(
            "INSERT INTO cloned_file (volume, number, old_number, old_first_object) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for file in files {
            insert.execute(params![
                key.0,
                signed(file.number)?,
                signed(file.old_number)?,
                signed(file.old_first_object)?
            ])?;
        }
        Ok(())
    }

    /// The volumes that a clone took the place of.
    pub(crate) fn replaced(&self) -> Result<HashSet<VolumeId>, Error> {
        let mut statement = self.connection.prepare("SELECT source FROM clone")?;
        let mut rows = statement.query([])?;
        let mut all = HashSet::new();
        while let Some(row) = rows.next()? {
            all.insert(source_of(&row.get::<_, String>(0)?)?);
        }
        Ok(all)
    }

    /// What a volume is the clone of.
    pub(crate) fn clone_of(&self, key: Key) -> Result<Option<(VolumeId, Vec<ClonedFile>)>, Error> {
        let sql = "SELECT source FROM clone WHERE volume = ?1";
        let source: Option<String> = self
            .connection
            .query_row(sql, [key.0], |row| row.get(0))
            .optional()?;
        let Some(source) = source else {
            return Ok(None);
        };
        let source = source_of(&source)?;
        let sql = "SELECT number, old_number, old_first_object FROM cloned_file WHERE volume = ?1 ORDER BY number";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([key.0])?;
        let mut files = Vec::new();
        while let Some(row) = rows.next()? {
            files.push(ClonedFile {
                number: unsigned(row, 0)?,
                old_number: unsigned(row, 1)?,
                old_first_object: unsigned(row, 2)?,
            });
        }
        Ok(Some((source, files)))
    }
}

fn source_of(text: &str) -> Result<VolumeId, Error> {
    let source = Uuid::parse_str(text).map_err(|error| Error::Damaged {
        cause: format!("the source of a clone: {error}"),
    })?;
    Ok(VolumeId(source))
}
