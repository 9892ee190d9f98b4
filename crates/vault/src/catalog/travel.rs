//! The catalog's own travels: copies of it, its backups, and where it came from.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_image::Uuid;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::rows::{positive, signed, unsigned};
use super::{Catalog, Rows, Use, open_immutable, prepare, schema};
use crate::error::Error;
use crate::event::{Change, Subject};
use crate::label::Label;
use crate::pending::Recovery;

/// Between two tries where another program has the catalog.
const PAUSE: Duration = Duration::from_millis(10);
/// After a recovery from an older backup, the numbers of newer ones that nobody has seen may still lie somewhere.
const NUMBERS_LEFT_OUT: u64 = 1000;

impl Catalog {
    /// Copies the catalog of a vault into an empty file, as it is at one moment.
    pub(crate) fn copy(
        directory: &Path,
        vault: Uuid,
        wait: Duration,
        to: &Path,
    ) -> Result<(), Error> {
        let source = Catalog::open(directory, vault, wait, Use::Look)?;
        let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // What is not whole is not used: nothing has to be undone in it.
        copy.pragma_update(None, "synchronous", "OFF")?;
        copy.pragma_update(None, "journal_mode", "OFF")?;
        transfer(&source.connection, &mut copy, wait)?;
        close(copy)
    }

    /// Proves a restored catalog: whole, of this vault, and of a schema that is known here; makes its schema
    /// the newest. `then` changes it further, in one transaction.
    pub(crate) fn prove_restored(
        path: &Path,
        vault: Uuid,
        then: impl FnOnce(Rows<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        schema::prove_file(&path.to_owned())?;
        let looked = open_immutable(path)?;
        let found = schema::version(&looked)?;
        if found > schema::SCHEMA_VERSION {
            return Err(Error::Newer {
                path: path.to_owned(),
                found,
                known: schema::SCHEMA_VERSION,
            });
        }
        let words: String = looked.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if words != "ok" {
            return Err(Error::Damaged { cause: words });
        }
        let strange = looked
            .query_row("PRAGMA foreign_key_check", [], |_| Ok(()))
            .optional()?;
        if strange.is_some() {
            return Err(Error::Damaged {
                cause: "it has tape files of volumes that it does not have".to_owned(),
            });
        }
        let identity = schema::vault_identity(&looked)?;
        if identity != vault.to_string() {
            return Err(Error::OtherVault {
                path: path.to_owned(),
                found: identity,
                expected: vault.to_string(),
            });
        }
        close(looked)?;
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        prepare(&connection, Duration::ZERO)?;
        schema::migrate(&mut connection, &schema::MIGRATIONS)?;
        schema::prove_tables(&connection)?;
        let transaction = connection.transaction()?;
        then(Rows::new(&transaction))?;
        transaction.commit()?;
        settle(&connection)?;
        close(connection)?;
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|error| Error::host("write", path, error))
    }

    /// Puts another catalog in the place of a vault's one, in one transaction. Who reads meanwhile reads the old one.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | the old one can be written | `Ok` | the other one |
    /// | another program has it | `Busy`, after `wait` | as before |
    /// | killed | – | the old one or the other one |
    pub(crate) fn replace(path: &Path, by: &Path, wait: Duration) -> Result<(), Error> {
        let source = Connection::open_with_flags(by, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut old = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        prepare(&old, wait)?;
        transfer(&source, &mut old, wait)?;
        settle(&old)?;
        close(old)?;
        close(source)
    }

    /// Keeps what a vault's catalog is now in another file, which is replaced.
    pub(crate) fn keep(path: &Path, to: &Path, wait: Duration) -> Result<(), Error> {
        let making = to.with_extension("making");
        let host = |error| Error::host("write", &making, error);
        File::create(&making).map_err(host)?;
        let source = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        prepare(&source, wait)?;
        let mut copy = Connection::open_with_flags(&making, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        copy.pragma_update(None, "synchronous", "OFF")?;
        copy.pragma_update(None, "journal_mode", "OFF")?;
        transfer(&source, &mut copy, wait)?;
        close(copy)?;
        close(source)?;
        File::open(&making)
            .and_then(|file| file.sync_all())
            .map_err(host)?;
        fs::rename(&making, to).map_err(|error| Error::host("write", to, error))
    }
}

/// All pages at once: what is copied is of one moment.
fn transfer(from: &Connection, to: &mut Connection, wait: Duration) -> Result<(), Error> {
    let backup = Backup::new(from, to)?;
    let until = Instant::now() + wait;
    loop {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            StepResult::Busy | StepResult::Locked if Instant::now() >= until => {
                return Err(Error::Busy);
            }
            _ => thread::sleep(PAUSE),
        }
    }
}

/// Brings what is committed into the main file.
fn settle(connection: &Connection) -> Result<(), Error> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

fn close(connection: Connection) -> Result<(), Error> {
    connection.close().map_err(|(_, error)| error.into())
}

impl Rows<'_> {
    /// Gives a backup its number.
    pub(crate) fn count_backup(&self, at_ms: u64, configuration: &str) -> Result<u64, Error> {
        let next = self.last_backup()? + 1;
        self.connection.execute(
            "INSERT INTO backup (sequence, at_ms, configuration, event) VALUES (?1, ?2, ?3, \
             (SELECT coalesce(max(number), 0) FROM event))",
            params![signed(next)?, signed(at_ms)?, configuration],
        )?;
        Ok(next)
    }

    /// The last number that was given, or is not to be given any more; 0 where there is none.
    pub(crate) fn last_backup(&self) -> Result<u64, Error> {
        let sql = "SELECT max((SELECT coalesce(max(sequence), 0) FROM backup), \
            (SELECT coalesce(max(highest), 0) FROM recovery))";
        positive(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// What was in `vault.toml` at the last backup.
    pub(crate) fn last_configuration(&self) -> Result<Option<String>, Error> {
        let sql = "SELECT configuration FROM backup ORDER BY sequence DESC LIMIT 1";
        let text = self.connection.query_row(sql, [], |row| row.get(0));
        Ok(text.optional()?)
    }

    /// The recovery that no person has ended yet.
    pub(crate) fn pending_recovery(&self) -> Result<Option<Recovery>, Error> {
        let sql = "SELECT sequence, backup_ms, at_ms, reported_ms IS NOT NULL FROM recovery \
            WHERE online_ms IS NULL ORDER BY number DESC LIMIT 1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(Recovery {
            sequence: unsigned(row, 0)?,
            backup_ms: unsigned(row, 1)?,
            at_ms: unsigned(row, 2)?,
            is_reported: row.get(3)?,
        }))
    }

    /// The name of the catalog that was there before the recovery that no person has ended yet.
    pub(crate) fn kept_by_recovery(&self) -> Result<Option<String>, Error> {
        let sql = "SELECT kept FROM recovery WHERE online_ms IS NULL ORDER BY number DESC LIMIT 1";
        let name = self.connection.query_row(sql, [], |row| row.get(0));
        Ok(name.optional()?.flatten())
    }

    /// Writes down where this catalog came from. It is not in service until [`Rows::end_recovery`], which needs
    /// [`Rows::report_recovery`] first. `kept` is the name of the catalog that was there.
    pub(crate) fn begin_recovery(
        &self,
        recovery: &Recovery,
        highest: u64,
        kept: Option<&str>,
        order: &crate::event::Order,
    ) -> Result<(), Error> {
        let highest = highest
            .max(recovery.sequence)
            .saturating_add(NUMBERS_LEFT_OUT);
        self.connection.execute(
            "INSERT INTO recovery (sequence, backup_ms, at_ms, highest, kept) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                signed(recovery.sequence)?,
                signed(recovery.backup_ms)?,
                signed(recovery.at_ms)?,
                signed(highest)?,
                kept
            ],
        )?;
        let to = format!("backup {}", recovery.sequence);
        let change = Change::new(Subject::Recovery, None, Some(to), order);
        self.log(recovery.at_ms, None::<(super::Key, &Label)>, &change)
    }

    /// Says that it is written down what was lost.
    pub(crate) fn report_recovery(&self, at_ms: u64) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE recovery SET reported_ms = ?1 WHERE online_ms IS NULL",
            [signed(at_ms)?],
        )?;
        Ok(())
    }

    /// Says that the vault is in service again.
    pub(crate) fn end_recovery(&self, at_ms: u64) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE recovery SET online_ms = ?1 WHERE online_ms IS NULL",
            [signed(at_ms)?],
        )?;
        Ok(())
    }

    /// When a volume was written last.
    pub(crate) fn written_at(&self, volume: super::Key) -> Result<Option<u64>, Error> {
        let sql = "SELECT max(at_ms) FROM event WHERE volume = ?1 AND subject IN ('generation', 'volume')";
        let at: Option<i64> = self
            .connection
            .query_row(sql, [volume.0], |row| row.get(0))?;
        at.map(positive).transpose()
    }

    /// When each volume was written last, as the log has it: number in the catalog and milliseconds after 1970.
    pub(crate) fn written(&self) -> Result<Vec<(super::Key, u64)>, Error> {
        let sql = "SELECT volume, max(at_ms) FROM event WHERE volume IS NOT NULL \
            AND subject IN ('generation', 'volume') GROUP BY volume";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut written = Vec::new();
        while let Some(row) = rows.next()? {
            written.push((super::Key(row.get(0)?), unsigned(row, 1)?));
        }
        Ok(written)
    }
}
