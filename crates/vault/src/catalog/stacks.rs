//! Rows of stacked volumes and of copies.

use std::collections::HashMap;

use pseudotape_image::Uuid;
use rusqlite::{Row, params};

use super::rows::{Key, Rows, signed, unsigned};
use crate::error::Error;
use crate::label::Label;
use crate::pool::{ArchiveCopy, StackState, StackedVolume};
use crate::volume::Digest;

/// A stacked volume's number in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StackKey(i64);

const STACKED: &str = "SELECT s.id, s.label, s.identity, s.pool, s.state, s.added_ms, count(c.file), \
    coalesce(sum(c.length), 0), (SELECT max(b.sequence) FROM stacked_backup b WHERE b.stacked_volume = s.id), \
    s.place FROM stacked_volume s LEFT JOIN copy c ON c.stacked_volume = s.id";

const COPY: &str = "SELECT c.volume, s.label, s.identity, s.pool, s.state, c.file, c.generation, c.length, c.digest, \
    c.closed_ms, c.at_ms FROM copy c JOIN stacked_volume s ON s.id = c.stacked_volume";

const NEWEST_FIRST: &str = "ORDER BY c.generation DESC, s.pool, s.label, c.file";

impl Rows<'_> {
    /// All stacked volumes, by pool and label.
    pub(crate) fn stacked_volumes(&self) -> Result<Vec<StackedVolume>, Error> {
        let sql = format!("{STACKED} GROUP BY s.id ORDER BY s.pool, s.label");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(stacked(row)?.1);
        }
        Ok(all)
    }

    /// The stacked volume with a label.
    pub(crate) fn stacked_by_label(
        &self,
        label: &Label,
    ) -> Result<Option<(StackKey, StackedVolume)>, Error> {
        self.one_stacked("s.label = ?1", label.as_str())
    }

    /// The stacked volume with an identity.
    pub(crate) fn stacked_by_identity(
        &self,
        identity: Uuid,
    ) -> Result<Option<(StackKey, StackedVolume)>, Error> {
        self.one_stacked("s.identity = ?1", &identity.to_string())
    }

    /// The one that fills in a pool.
    pub(crate) fn filling(&self, pool: &Label) -> Result<Option<(StackKey, StackedVolume)>, Error> {
        self.one_stacked("s.state = 'filling' AND s.pool = ?1", pool.as_str())
    }

    fn one_stacked(
        &self,
        condition: &str,
        value: &str,
    ) -> Result<Option<(StackKey, StackedVolume)>, Error> {
        let sql = format!("{STACKED} WHERE {condition} GROUP BY s.id");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([value])?;
        rows.next()?.map(stacked).transpose()
    }

    /// Stores a stacked volume that is new.
    pub(crate) fn insert_stacked(&self, new: &StackedVolume) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO stacked_volume (label, identity, pool, state, added_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                new.label.as_str(),
                new.identity.to_string(),
                new.pool.as_str(),
                new.state.word(),
                signed(new.added_ms)?
            ],
        )?;
        Ok(())
    }

    /// What was given up is written from its beginning: nothing of what was on it is known any more.
    pub(crate) fn renew_stacked(&self, key: StackKey, new: &StackedVolume) -> Result<(), Error> {
        for table in ["copy", "stacked_backup"] {
            let sql = format!("DELETE FROM {table} WHERE stacked_volume = ?1");
            self.connection.execute(&sql, [key.0])?;
        }
        self.connection.execute(
            "UPDATE stacked_volume SET identity = ?2, state = ?3, added_ms = ?4, place = NULL WHERE id = ?1",
            params![
                key.0,
                new.identity.to_string(),
                new.state.word(),
                signed(new.added_ms)?
            ],
        )?;
        Ok(())
    }

    /// Stores a state.
    pub(crate) fn set_stack_state(&self, key: StackKey, state: StackState) -> Result<(), Error> {
        let sql = "UPDATE stacked_volume SET state = ?2 WHERE id = ?1";
        self.connection.execute(sql, params![key.0, state.word()])?;
        Ok(())
    }

    /// Stores where it is.
    pub(crate) fn set_stack_place(&self, key: StackKey, place: Option<&str>) -> Result<(), Error> {
        let sql = "UPDATE stacked_volume SET place = ?2 WHERE id = ?1";
        self.connection.execute(sql, params![key.0, place])?;
        Ok(())
    }

    /// The tape file behind the last copy or backup that the catalog knows; 1 where it knows none.
    pub(crate) fn next_stacked_file(&self, key: StackKey) -> Result<u64, Error> {
        let sql = "SELECT max((SELECT coalesce(max(file), 0) FROM copy WHERE stacked_volume = ?1), \
            (SELECT coalesce(max(file), 0) FROM stacked_backup WHERE stacked_volume = ?1)) + 1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([key.0])?;
        rows.next()?.map_or(Ok(1), |row| unsigned(row, 0))
    }

    /// The number of the next archive.
    pub(crate) fn count_archive(&self) -> Result<u64, Error> {
        let sql = "INSERT INTO archive_number DEFAULT VALUES";
        self.connection.execute(sql, [])?;
        super::rows::positive(self.connection.last_insert_rowid())
    }

    /// Stores a copy.
    pub(crate) fn insert_copy(
        &self,
        volume: Key,
        to: StackKey,
        copy: &ArchiveCopy,
    ) -> Result<(), Error> {
        // A file number that is given anew was written over.
        self.connection.execute(
            "INSERT OR REPLACE INTO copy (stacked_volume, file, volume, generation, length, digest, closed_ms, at_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                to.0,
                signed(copy.file)?,
                volume.0,
                signed(copy.generation)?,
                signed(copy.length)?,
                copy.digest.map(|digest| digest.0),
                signed(copy.closed_ms)?,
                signed(copy.at_ms)?
            ],
        )?;
        Ok(())
    }

    /// Stores where a backup of the catalog is.
    pub(crate) fn insert_stacked_backup(
        &self,
        on: StackKey,
        file: u64,
        sequence: u64,
    ) -> Result<(), Error> {
        // A file number that is given anew was written over.
        let sql = "INSERT OR REPLACE INTO stacked_backup (stacked_volume, file, sequence) VALUES (?1, ?2, ?3)";
        self.connection
            .execute(sql, params![on.0, signed(file)?, signed(sequence)?])?;
        Ok(())
    }

    /// How often volumes came or were written since the newest backup that is on a stacked volume was made.
    pub(crate) fn closes_since_backup(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM event WHERE number > (SELECT coalesce(max(b.event), 0) FROM backup b \
            JOIN stacked_backup s ON s.sequence = b.sequence) AND (subject = 'generation' \
            OR subject = 'volume' AND old IS NULL)";
        super::rows::positive(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Whether a tape file of a stacked volume is known as the copy of this generation.
    pub(crate) fn is_copy(
        &self,
        volume: Key,
        on: StackKey,
        file: u64,
        generation: u64,
    ) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM copy WHERE stacked_volume = ?1 AND file = ?2 AND volume = ?3 \
            AND generation = ?4)";
        let values = params![on.0, signed(file)?, volume.0, signed(generation)?];
        Ok(self.connection.query_row(sql, values, |row| row.get(0))?)
    }

    /// The copies of a volume, of all its generations, the newest of them first.
    pub(crate) fn copies(&self, volume: Key) -> Result<Vec<ArchiveCopy>, Error> {
        let sql = format!("{COPY} WHERE c.volume = ?1 {NEWEST_FIRST}");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([volume.0])?;
        let mut copies = Vec::new();
        while let Some(row) = rows.next()? {
            copies.push(copy(row)?);
        }
        Ok(copies)
    }

    /// The copies of each volume that has some, the newest of them first.
    pub(crate) fn all_copies(&self) -> Result<HashMap<Key, Vec<ArchiveCopy>>, Error> {
        let sql = format!("{COPY} {NEWEST_FIRST}");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut all: HashMap<Key, Vec<ArchiveCopy>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let of = all.entry(Key(row.get(0)?)).or_default();
            of.push(copy(row)?);
        }
        Ok(all)
    }
}

fn copy(row: &Row<'_>) -> Result<ArchiveCopy, Error> {
    Ok(ArchiveCopy {
        stacked_volume: label(row, 1)?,
        stacked_identity: identity(row, 2)?,
        pool: label(row, 3)?,
        state: row.get::<_, String>(4)?.parse()?,
        file: unsigned(row, 5)?,
        generation: unsigned(row, 6)?,
        length: unsigned(row, 7)?,
        digest: row.get::<_, Option<[u8; 32]>>(8)?.map(Digest),
        closed_ms: unsigned(row, 9)?,
        at_ms: unsigned(row, 10)?,
    })
}

fn label(row: &Row<'_>, column: usize) -> Result<Label, Error> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| Error::Damaged {
        cause: format!("the label of a stacked volume or a pool: {error}"),
    })
}

fn identity(row: &Row<'_>, column: usize) -> Result<Uuid, Error> {
    let text: String = row.get(column)?;
    Uuid::parse_str(&text).map_err(|error| Error::Damaged {
        cause: format!("the identity of a stacked volume: {error}"),
    })
}

fn stacked(row: &Row<'_>) -> Result<(StackKey, StackedVolume), Error> {
    let found = StackedVolume {
        label: label(row, 1)?,
        identity: identity(row, 2)?,
        pool: label(row, 3)?,
        state: row.get::<_, String>(4)?.parse()?,
        added_ms: unsigned(row, 5)?,
        copies: unsigned(row, 6)?,
        bytes: unsigned(row, 7)?,
        backup: row
            .get::<_, Option<i64>>(8)?
            .map(super::rows::positive)
            .transpose()?,
        place: row.get(9)?,
    };
    Ok((StackKey(row.get(0)?), found))
}
