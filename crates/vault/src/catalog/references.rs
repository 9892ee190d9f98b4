//! The rows of references to volumes of farms.

use pseudotape_image::Uuid;
use rusqlite::{OptionalExtension, Row, params};

use super::Rows;
use super::rows::{signed, unsigned};
use crate::error::Error;
use crate::reference::{
    FarmPlace, FarmVolume, FileName, Kinds, Purged, Reference, ReferenceKind, ReferredFile, Slots,
};
use crate::serial::{Serial, Series};

/// A volume's number in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FarmKey(i64);

/// A file's number in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileKey(i64);

/// A reference that is not certain yet: its capsule is about to be committed.
pub(crate) struct PendingReference {
    pub(crate) host: String,
    pub(crate) path: Vec<u8>,
    pub(crate) title: Vec<u8>,
    pub(crate) capsule: Uuid,
    pub(crate) kinds: Kinds,
}

const VOLUME: &str = "v.id, v.serial, v.name, v.host, v.root, v.folder, v.added_ms";
/// All references of all files, as rows of one shape.
const REFERENCES: &str = "SELECT file, slot, volume, title, capsule, at_ms FROM backup_reference \
    UNION ALL SELECT file, 0, volume, title, capsule, at_ms FROM archive_reference";

impl Rows<'_> {
    /// The volume with a serial number.
    pub(crate) fn farm_volume(
        &self,
        serial: &Serial,
    ) -> Result<Option<(FarmKey, FarmVolume)>, Error> {
        let found = self.farm_volumes("v.serial = ?1", serial.as_str())?;
        Ok(found.into_iter().next())
    }

    /// The volumes with a name.
    pub(crate) fn farm_namesakes(&self, name: &str) -> Result<Vec<(FarmKey, FarmVolume)>, Error> {
        self.farm_volumes("v.name = ?1", name)
    }

    /// The volumes with references that are not certain yet.
    pub(crate) fn unsettled(&self) -> Result<Vec<(FarmKey, FarmVolume)>, Error> {
        let condition = "?1 = '' AND v.id IN (SELECT volume FROM pending_reference)";
        self.farm_volumes(condition, "")
    }

    /// All volumes of farms.
    pub(crate) fn all_farm_volumes(&self) -> Result<Vec<(FarmKey, FarmVolume)>, Error> {
        self.farm_volumes("?1 = ''", "")
    }

    fn farm_volumes(
        &self,
        condition: &str,
        value: &str,
    ) -> Result<Vec<(FarmKey, FarmVolume)>, Error> {
        let sql = format!("SELECT {VOLUME} FROM farm_volume v WHERE {condition} ORDER BY v.serial");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([value])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((FarmKey(row.get(0)?), volume_at(row, 1)?));
        }
        Ok(found)
    }

    /// Stores a volume that is new.
    pub(crate) fn add_farm_volume(&self, volume: &FarmVolume) -> Result<(), Error> {
        let place = &volume.place;
        self.connection.execute(
            "INSERT INTO farm_volume (serial, name, host, root, folder, added_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                volume.serial.as_str(),
                place.name,
                place.host,
                place.root,
                place.folder,
                signed(volume.added_ms)?
            ],
        )?;
        Ok(())
    }

    /// Forgets a volume that nothing refers to.
    pub(crate) fn delete_farm_volume(&self, key: FarmKey) -> Result<(), Error> {
        self.connection
            .execute("DELETE FROM farm_volume WHERE id = ?1", [key.0])?;
        Ok(())
    }

    /// Whether a tape of this vault has this label.
    pub(crate) fn is_label_of_tape(&self, label: &str) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM volume WHERE label = ?1 \
            UNION ALL SELECT 1 FROM stacked_volume WHERE label = ?1)";
        Ok(self.connection.query_row(sql, [label], |row| row.get(0))?)
    }

    /// The series of serial numbers: nothing where nobody set one, and `Some(Err(last))` where all are given.
    pub(crate) fn series(&self) -> Result<Option<Result<Series, String>>, Error> {
        let sql = "SELECT next, last FROM serial_series";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(Option<String>, Option<String>)> =
            self.connection.query_row(sql, [], read).optional()?;
        Ok(match found {
            None => None,
            Some((Some(next), _)) => Some(Ok(next.parse().map_err(damaged)?)),
            Some((None, last)) => Some(Err(last.unwrap_or_default())),
        })
    }

    /// Sets the series; nothing says that all are given, of which `last` was the last.
    pub(crate) fn set_series(
        &self,
        next: Option<&Series>,
        last: Option<&Serial>,
    ) -> Result<(), Error> {
        let next = next.map(ToString::to_string);
        self.connection.execute(
            "INSERT OR REPLACE INTO serial_series (one, next, last) VALUES (1, ?1, ?2)",
            params![next, last.map(Serial::as_str)],
        )?;
        Ok(())
    }

    /// The file that is meant, as the catalog has it; which of several that refer to one capsule is no matter.
    pub(crate) fn referred_file(
        &self,
        host: &str,
        file: &FileName,
    ) -> Result<Option<(String, Vec<u8>)>, Error> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found = match file {
            FileName::Path(path) => self.connection.query_row(
                "SELECT host, path FROM referred_file WHERE host = ?1 AND path = ?2",
                params![host, path],
                read,
            ),
            FileName::OfCapsule(capsule) => self.connection.query_row(
                &format!(
                    "SELECT f.host, f.path FROM referred_file f JOIN ({REFERENCES}) r ON r.file = f.id \
                     WHERE r.capsule = ?1 ORDER BY f.id LIMIT 1"
                ),
                [capsule.to_string()],
                read,
            ),
        };
        Ok(found.optional()?)
    }

    /// Writes down references that become certain when their capsules are committed.
    pub(crate) fn expect_references<'r>(
        &self,
        volume: FarmKey,
        references: impl IntoIterator<Item = &'r PendingReference>,
    ) -> Result<(), Error> {
        let mut add = self.connection.prepare(
            "INSERT INTO pending_reference (volume, host, path, title, capsule, slots, archive) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for pending in references {
            let slots = match pending.kinds.backup {
                None => 0,
                Some(Slots::First) => 1,
                Some(Slots::Both) => 2,
            };
            add.execute(params![
                volume.0,
                pending.host,
                pending.path,
                pending.title,
                pending.capsule.to_string(),
                slots,
                pending.kinds.archive
            ])?;
        }
        Ok(())
    }

    /// What is not certain yet, in the order in which it was written down.
    pub(crate) fn pending_references(
        &self,
        volume: FarmKey,
    ) -> Result<Vec<PendingReference>, Error> {
        let sql = "SELECT host, path, title, capsule, slots, archive FROM pending_reference WHERE volume = ?1 ORDER BY id";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([volume.0])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            pending.push(PendingReference {
                host: row.get(0)?,
                path: row.get(1)?,
                title: row.get(2)?,
                capsule: capsule_at(row, 3)?,
                kinds: Kinds {
                    backup: match row.get(4)? {
                        0 => None,
                        1 => Some(Slots::First),
                        _ => Some(Slots::Both),
                    },
                    archive: row.get(5)?,
                },
            });
        }
        Ok(pending)
    }

    /// Nothing of a volume is uncertain any more.
    pub(crate) fn clear_pending(&self, volume: FarmKey) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM pending_reference WHERE volume = ?1",
            [volume.0],
        )?;
        Ok(())
    }

    /// Gives a file its references. One that was given up and has a new copy is there again.
    pub(crate) fn put_reference(
        &self,
        volume: FarmKey,
        reference: &PendingReference,
        at_ms: u64,
    ) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO referred_file (host, path) VALUES (?1, ?2) \
             ON CONFLICT (host, path) DO UPDATE SET released_ms = NULL",
            params![reference.host, reference.path],
        )?;
        let file = self.connection.query_row(
            "SELECT id FROM referred_file WHERE host = ?1 AND path = ?2",
            params![reference.host, reference.path],
            |row| row.get(0),
        )?;
        let file = FileKey(file);
        if let Some(slots) = reference.kinds.backup {
            self.put_backup(file, volume, reference, slots, at_ms)?;
        }
        if reference.kinds.archive {
            self.insert_reference(file, volume, reference, None, at_ms)?;
        }
        Ok(())
    }

    /// The first reference is the new one, and the second one the newest that is to another volume.
    fn put_backup(
        &self,
        file: FileKey,
        volume: FarmKey,
        reference: &PendingReference,
        slots: Slots,
        at_ms: u64,
    ) -> Result<(), Error> {
        let of_volume = "DELETE FROM backup_reference WHERE file = ?1 AND volume = ?2";
        self.connection
            .execute(of_volume, params![file.0, volume.0])?;
        let first: bool = self.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM backup_reference WHERE file = ?1 AND slot = 1)",
            [file.0],
            |row| row.get(0),
        )?;
        if first || slots == Slots::Both {
            self.connection.execute(
                "DELETE FROM backup_reference WHERE file = ?1 AND slot = 2",
                [file.0],
            )?;
        }
        let (older, places): (&str, &[u8]) = match slots {
            Slots::First => (
                "UPDATE backup_reference SET slot = 2 WHERE file = ?1 AND slot = 1",
                &[1],
            ),
            Slots::Both => ("DELETE FROM backup_reference WHERE file = ?1", &[1, 2]),
        };
        self.connection.execute(older, [file.0])?;
        for slot in places {
            self.insert_reference(file, volume, reference, Some(*slot), at_ms)?;
        }
        Ok(())
    }

    /// Stores a reference in its table: one for a backup has a slot.
    fn insert_reference(
        &self,
        file: FileKey,
        volume: FarmKey,
        reference: &PendingReference,
        slot: Option<u8>,
        at_ms: u64,
    ) -> Result<(), Error> {
        let (table, column, value) = match slot {
            None => ("archive_reference", "", String::new()),
            Some(slot) => ("backup_reference", "slot, ", format!("{slot}, ")),
        };
        let sql = format!(
            "INSERT OR REPLACE INTO {table} ({column}file, volume, title, capsule, at_ms) \
             VALUES ({value}?1, ?2, ?3, ?4, ?5)"
        );
        let capsule = reference.capsule.to_string();
        let values = params![file.0, volume.0, reference.title, capsule, signed(at_ms)?];
        self.connection.execute(&sql, values)?;
        Ok(())
    }

    /// All files with references, in the order of hosts and paths.
    pub(crate) fn referred_files(&self) -> Result<Vec<(FileKey, ReferredFile)>, Error> {
        let sql = format!(
            "SELECT f.id, f.host, f.path, f.released_ms, r.slot, r.title, r.capsule, r.at_ms, {VOLUME} \
             FROM referred_file f LEFT JOIN ({REFERENCES}) r ON r.file = f.id \
             LEFT JOIN farm_volume v ON v.id = r.volume \
             ORDER BY f.host, f.path, r.slot = 0, r.slot, r.at_ms DESC, v.serial"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut files: Vec<(FileKey, ReferredFile)> = Vec::new();
        while let Some(row) = rows.next()? {
            let key = FileKey(row.get(0)?);
            if files.last().map(|(last, _)| *last) != Some(key) {
                let released: Option<i64> = row.get(3)?;
                let file = ReferredFile {
                    host: row.get(1)?,
                    path: row.get(2)?,
                    released_ms: released.map(super::rows::positive).transpose()?,
                    references: Vec::new(),
                };
                files.push((key, file));
            }
            let slot: Option<u8> = row.get(4)?;
            if let (Some(slot), Some((_, file))) = (slot, files.last_mut()) {
                file.references.push(Reference {
                    kind: match slot {
                        0 => ReferenceKind::Archive,
                        slot => ReferenceKind::Backup(slot),
                    },
                    title: row.get(5)?,
                    capsule: capsule_at(row, 6)?,
                    at_ms: unsigned(row, 7)?,
                    volume: volume_at(row, 9)?,
                });
            }
        }
        Ok(files)
    }

    /// Says that a file was given up for its copies.
    pub(crate) fn mark_released(&self, file: FileKey, at_ms: Option<u64>) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE referred_file SET released_ms = ?1 WHERE id = ?2",
            params![at_ms.map(signed).transpose()?, file.0],
        )?;
        Ok(())
    }

    /// Takes references away: of a file, of a volume, or of a file to a volume. Files without any go, too.
    pub(crate) fn purge(
        &self,
        file: Option<FileKey>,
        volume: Option<FarmKey>,
    ) -> Result<Purged, Error> {
        let (file, volume) = (file.map(|key| key.0), volume.map(|key| key.0));
        let mut references = 0;
        for table in ["backup_reference", "archive_reference"] {
            let sql = format!(
                "DELETE FROM {table} WHERE (?1 IS NULL OR file = ?1) AND (?2 IS NULL OR volume = ?2)"
            );
            references += self.connection.execute(&sql, params![file, volume])?;
        }
        // Where the newest one went, the one before is the newest.
        self.connection.execute(
            "UPDATE backup_reference SET slot = 1 WHERE slot = 2 AND NOT EXISTS \
             (SELECT 1 FROM backup_reference b WHERE b.file = backup_reference.file AND b.slot = 1)",
            [],
        )?;
        let files = self.connection.execute(
            "DELETE FROM referred_file WHERE id NOT IN (SELECT file FROM backup_reference) \
             AND id NOT IN (SELECT file FROM archive_reference)",
            [],
        )?;
        Ok(Purged {
            references: references as u64,
            files: files as u64,
        })
    }

    /// Whether anything of farms is in the catalog.
    pub(super) fn has_farms(&self) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM farm_volume)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

fn volume_at(row: &Row<'_>, at: usize) -> Result<FarmVolume, Error> {
    let serial: String = row.get(at)?;
    Ok(FarmVolume {
        serial: serial.parse().map_err(damaged)?,
        place: FarmPlace {
            name: row.get(at + 1)?,
            host: row.get(at + 2)?,
            root: row.get(at + 3)?,
            folder: row.get(at + 4)?,
        },
        added_ms: unsigned(row, at + 5)?,
    })
}

fn capsule_at(row: &Row<'_>, at: usize) -> Result<Uuid, Error> {
    let text: String = row.get(at)?;
    Uuid::parse_str(&text).map_err(damaged)
}

fn damaged(cause: impl std::fmt::Display) -> Error {
    Error::Damaged {
        cause: cause.to_string(),
    }
}
