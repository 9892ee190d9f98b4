//! Rows, as values.

use std::collections::HashMap;

use pseudotape_image::{Uuid, VolumeId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;
use crate::event::{Actor, Change, Event, Order};
use crate::label::Label;
use crate::volume::{Block, Digest, Listed, TapeFile, Volume};

/// How many volumes there are of what, and how much is on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Volumes.
    pub volumes: u64,
    /// Tape files on them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tape files that are bad or missing.
    pub faulty: u64,
    /// Volumes of each category that there is.
    pub categories: Vec<(String, u64)>,
    /// Volumes of each availability that there is.
    pub availabilities: Vec<(String, u64)>,
    /// Volumes that are open.
    pub open: u64,
}

/// A volume's number in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(super) i64);

const VOLUME: &str = "v.id, v.label, v.identity, v.category, v.availability, v.block_by, v.block_reason, v.block_ms, \
    v.opening, v.generation, v.image, v.image_generation, v.added_ms";

const LISTED: &str = "count(f.number), coalesce(sum(f.bytes), 0), count(CASE WHEN f.state IN ('bad', 'missing') THEN 1 END)";

/// The rows of a catalog, within a transaction or without one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(super) connection: &'a Connection,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Rows { connection }
    }

    /// The volume with a label.
    pub(crate) fn find(&self, label: &Label) -> Result<Option<(Key, Listed)>, Error> {
        self.one("v.label = ?1", label.as_str())
    }

    /// The volume with an identity.
    pub(crate) fn find_identity(&self, identity: VolumeId) -> Result<Option<(Key, Listed)>, Error> {
        self.one("v.identity = ?1", &identity.to_string())
    }

    /// Whether a volume has the image of this name.
    pub(crate) fn has_image(&self, name: &str) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM volume WHERE image = ?1)";
        Ok(self.connection.query_row(sql, [name], |row| row.get(0))?)
    }

    fn one(&self, condition: &str, value: &str) -> Result<Option<(Key, Listed)>, Error> {
        let sql = format!(
            "SELECT {VOLUME}, {LISTED} FROM volume v LEFT JOIN tape_file f ON f.volume = v.id WHERE {condition} \
             GROUP BY v.id"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([value])?;
        match rows.next()? {
            Some(row) => Ok(Some(listed(row)?)),
            None => Ok(None),
        }
    }

    /// All volumes, by their labels.
    pub(crate) fn all(&self) -> Result<Vec<(Key, Listed)>, Error> {
        self.several("true", "v.label")
    }

    /// The volumes that are open, by their labels.
    pub(crate) fn open_ones(&self) -> Result<Vec<(Key, Listed)>, Error> {
        self.several("v.opening = 'open'", "v.label")
    }

    /// The scratch volumes that are ok and closed: first those that no drive had for the longest time, or never.
    pub(crate) fn scratch_by_age(&self) -> Result<Vec<(Key, Listed)>, Error> {
        self.several(
            "v.category = 'scratch' AND v.availability = 'ok' AND v.opening = 'closed'",
            "coalesce((SELECT max(e.at_ms) FROM event e WHERE e.volume = v.id AND e.subject = 'opening'), v.added_ms), \
             v.label",
        )
    }

    fn several(&self, condition: &str, order: &str) -> Result<Vec<(Key, Listed)>, Error> {
        let sql = format!(
            "SELECT {VOLUME}, {LISTED} FROM volume v LEFT JOIN tape_file f ON f.volume = v.id WHERE {condition} \
             GROUP BY v.id ORDER BY {order}"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(listed(row)?);
        }
        Ok(all)
    }

    /// The last label in the order of their texts that a GLOB pattern fits.
    pub(crate) fn last_label(&self, glob: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT max(label) FROM volume WHERE label GLOB ?1";
        Ok(self.connection.query_row(sql, [glob], |row| row.get(0))?)
    }

    /// Stores a volume that is new.
    pub(crate) fn insert(&self, volume: &Volume) -> Result<Key, Error> {
        let sql = "INSERT INTO volume (label, identity, category, availability, block_by, block_reason, block_ms, \
            opening, generation, image, image_generation, added_ms) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.store(sql, volume, None)?;
        Ok(Key(self.connection.last_insert_rowid()))
    }

    /// Stores a volume that has changed.
    pub(crate) fn update(&self, key: Key, volume: &Volume) -> Result<(), Error> {
        let sql = "UPDATE volume SET label = ?1, identity = ?2, category = ?3, availability = ?4, block_by = ?5, \
            block_reason = ?6, block_ms = ?7, opening = ?8, generation = ?9, image = ?10, image_generation = ?11, \
            added_ms = ?12 WHERE id = ?13";
        self.store(sql, volume, Some(key))
    }

    fn store(&self, sql: &str, volume: &Volume, key: Option<Key>) -> Result<(), Error> {
        let block = volume.block.as_ref();
        let label = volume.label.as_str();
        let identity = volume.identity.to_string();
        let by = block.and_then(|block| block.by.name());
        let reason = block.map(|block| block.reason.as_str());
        let since = block.map(|block| signed(block.since_ms)).transpose()?;
        let generation = signed(volume.generation)?;
        let image_generation = volume.image_generation.map(signed).transpose()?;
        let added = signed(volume.added_ms)?;
        let mut statement = self.connection.prepare(sql)?;
        let (category, availability) = (volume.category.word(), volume.availability.word());
        let (opening, image) = (volume.opening.word(), volume.image.as_deref());
        let stored = params![
            label,
            identity,
            category,
            availability,
            by,
            reason,
            since,
            opening,
            generation,
            image,
            image_generation,
            added
        ];
        for (at, value) in stored.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value)?;
        }
        if let Some(Key(key)) = key {
            statement.raw_bind_parameter(stored.len() + 1, key)?;
        }
        statement.raw_execute()?;
        Ok(())
    }

    /// Forgets a volume and its tape files; its events stay.
    pub(crate) fn delete(&self, key: Key) -> Result<(), Error> {
        self.connection
            .execute("DELETE FROM volume WHERE id = ?1", [key.0])?;
        Ok(())
    }

    /// The tape files of a volume, in their order.
    pub(crate) fn files(&self, key: Key) -> Result<Vec<TapeFile>, Error> {
        let sql = "SELECT number, first_object, blocks, bytes, digest, state FROM tape_file WHERE volume = ?1 \
            ORDER BY number";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([key.0])?;
        let mut files = Vec::new();
        while let Some(row) = rows.next()? {
            files.push(TapeFile {
                number: unsigned(row, 0)?,
                first_object: unsigned(row, 1)?,
                blocks: unsigned(row, 2)?,
                bytes: unsigned(row, 3)?,
                digest: row.get::<_, Option<[u8; 32]>>(4)?.map(Digest),
                state: row.get::<_, String>(5)?.parse()?,
            });
        }
        Ok(files)
    }

    /// Stores these tape files in the place of those that were known. Only what is different is written.
    pub(crate) fn replace_files(
        &self,
        key: Key,
        known: &[TapeFile],
        files: &[TapeFile],
    ) -> Result<(), Error> {
        let mut remove = self
            .connection
            .prepare("DELETE FROM tape_file WHERE volume = ?1 AND number = ?2")?;
        let by_number = |files: &'_ [TapeFile]| -> HashMap<u64, TapeFile> {
            let entries = files.iter().map(|file| (file.number, file.clone()));
            entries.collect()
        };
        let (before, after) = (by_number(known), by_number(files));
        for old in known
            .iter()
            .filter(|old| after.get(&old.number) != Some(old))
        {
            remove.execute(params![key.0, signed(old.number)?])?;
        }
        let mut add = self.connection.prepare(
            "INSERT INTO tape_file (volume, number, first_object, blocks, bytes, digest, state) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for new in files
            .iter()
            .filter(|new| before.get(&new.number) != Some(new))
        {
            add.execute(params![
                key.0,
                signed(new.number)?,
                signed(new.first_object)?,
                signed(new.blocks)?,
                signed(new.bytes)?,
                new.digest.map(|digest| digest.0),
                new.state.word()
            ])?;
        }
        Ok(())
    }

    /// Writes down a change.
    pub(crate) fn log(
        &self,
        at_ms: u64,
        volume: Option<(Key, &Label)>,
        change: &Change,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO event (at_ms, volume, label, subject, file, old, new, who, why) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.connection.execute(
            sql,
            params![
                signed(at_ms)?,
                volume.map(|(key, _)| key.0),
                volume.map(|(_, label)| label.as_str()),
                change.subject.word(),
                change.file.map(signed).transpose()?,
                change.from,
                change.to,
                change.order.actor.name(),
                change.order.reason
            ],
        )?;
        Ok(())
    }

    /// The newest events, of one volume or of all, the oldest of them first.
    pub(crate) fn events(&self, key: Option<Key>, count: u32) -> Result<Vec<Event>, Error> {
        let condition = match key {
            Some(_) => "WHERE volume = ?1",
            None => "WHERE ?1 IS NULL",
        };
        let sql = format!(
            "SELECT number, at_ms, label, subject, file, old, new, who, why FROM event {condition} \
             ORDER BY number DESC LIMIT ?2"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params![key.map(|key| key.0), count])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(event(row)?);
        }
        events.reverse();
        Ok(events)
    }

    /// What there is of everything.
    pub(crate) fn counts(&self) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        let sql = "SELECT count(*), coalesce(sum(bytes), 0), count(CASE WHEN state IN ('bad', 'missing') THEN 1 END) \
            FROM tape_file";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        if let Some(row) = rows.next()? {
            counts.files = unsigned(row, 0)?;
            counts.bytes = unsigned(row, 1)?;
            counts.faulty = unsigned(row, 2)?;
        }
        counts.categories = self.grouped("category")?;
        counts.availabilities = self.grouped("availability")?;
        counts.volumes = counts.categories.iter().map(|(_, count)| count).sum();
        let open = self.grouped("opening")?;
        let open = open.into_iter().find(|(word, _)| word == "open");
        counts.open = open.map_or(0, |(_, count)| count);
        Ok(counts)
    }

    fn grouped(&self, column: &str) -> Result<Vec<(String, u64)>, Error> {
        let sql = format!("SELECT {column}, count(*) FROM volume GROUP BY {column}");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut groups = Vec::new();
        while let Some(row) = rows.next()? {
            groups.push((row.get(0)?, unsigned(row, 1)?));
        }
        Ok(groups)
    }

    /// Whether anything is in the catalog at all.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        let first = self
            .connection
            .query_row("SELECT 1 FROM volume LIMIT 1", [], |_| Ok(()));
        Ok(first.optional()?.is_none() && !self.has_farms()?)
    }
}

fn event(row: &Row<'_>) -> Result<Event, Error> {
    let who: Option<String> = row.get(7)?;
    Ok(Event {
        number: unsigned(row, 0)?,
        at_ms: unsigned(row, 1)?,
        label: row.get(2)?,
        change: Change {
            subject: row.get::<_, String>(3)?.parse()?,
            file: row.get::<_, Option<i64>>(4)?.map(positive).transpose()?,
            from: row.get(5)?,
            to: row.get(6)?,
            order: Order {
                actor: who.map_or(Actor::System, Actor::Person),
                reason: row.get(8)?,
            },
        },
    })
}

fn listed(row: &Row<'_>) -> Result<(Key, Listed), Error> {
    let damaged = |what: &str, cause: &dyn std::fmt::Display| Error::Damaged {
        cause: format!("a volume's {what}: {cause}"),
    };
    let label: String = row.get(1)?;
    let identity: String = row.get(2)?;
    let by: Option<String> = row.get(5)?;
    let block = match (
        row.get::<_, Option<String>>(6)?,
        row.get::<_, Option<i64>>(7)?,
    ) {
        (Some(reason), Some(since)) => Some(Block {
            by: by.map_or(Actor::System, Actor::Person),
            reason,
            since_ms: positive(since)?,
        }),
        (None, _) | (_, None) => None,
    };
    let volume = Volume {
        label: label.parse().map_err(|error| damaged("label", &error))?,
        identity: VolumeId(Uuid::parse_str(&identity).map_err(|e| damaged("identity", &e))?),
        category: row.get::<_, String>(3)?.parse()?,
        availability: row.get::<_, String>(4)?.parse()?,
        block,
        opening: row.get::<_, String>(8)?.parse()?,
        generation: unsigned(row, 9)?,
        image: row.get(10)?,
        image_generation: row.get::<_, Option<i64>>(11)?.map(positive).transpose()?,
        added_ms: unsigned(row, 12)?,
    };
    let listed = Listed {
        volume,
        files: unsigned(row, 13)?,
        bytes: unsigned(row, 14)?,
        faulty: unsigned(row, 15)?,
    };
    Ok((Key(row.get(0)?), listed))
}

/// SQLite's numbers have a sign.
pub(super) fn signed(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::TooLarge(number))
}

pub(super) fn positive(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Damaged {
        cause: format!("the number {number} can't be negative"),
    })
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, Error> {
    positive(row.get(column)?)
}
