//! The tables, and how old ones become new ones.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use pseudotape_image::Uuid;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::first_bytes;
use crate::error::Error;
use crate::layout::IMAGES;

/// "PTVC": says in the file's header that this is a catalog of ours.
const APPLICATION_ID: i32 = 0x5054_5643;

/// Where SQLite's header has it (<https://www.sqlite.org/fileformat2.html#the_database_header>).
const APPLICATION_ID_OFFSET: usize = 68;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The schema that this program writes: so many migrations were made.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Each entry makes one schema from the one before. Released entries are never edited.
pub(super) const MIGRATIONS: [&str; 9] = [
    "
    CREATE TABLE vault (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        identity TEXT NOT NULL
    ) STRICT;
    CREATE TABLE volume (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL UNIQUE,
        identity TEXT NOT NULL UNIQUE,
        category TEXT NOT NULL CHECK (category IN ('scratch', 'private', 'insert', 'error')),
        availability TEXT NOT NULL
            CHECK (availability IN ('ok', 'noaccess', 'notallowed', 'at-vendor', 'lost')),
        block_by TEXT,
        block_reason TEXT CHECK ((block_reason IS NULL) = (availability = 'ok')),
        block_ms INTEGER CHECK ((block_ms IS NULL) = (availability = 'ok')),
        opening TEXT NOT NULL CHECK (opening IN ('closed', 'open')),
        generation INTEGER NOT NULL CHECK (generation >= 0),
        image TEXT UNIQUE,
        image_generation INTEGER CHECK (image_generation >= 0),
        added_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE tape_file (
        volume INTEGER NOT NULL REFERENCES volume (id) ON DELETE CASCADE,
        number INTEGER NOT NULL CHECK (number >= 0),
        first_object INTEGER NOT NULL CHECK (first_object >= 0),
        blocks INTEGER NOT NULL CHECK (blocks >= 0),
        bytes INTEGER NOT NULL CHECK (bytes >= 0),
        digest BLOB CHECK (length(digest) = 32),
        state TEXT NOT NULL CHECK (state IN ('ok', 'bad', 'missing', 'released', 'lost')),
        PRIMARY KEY (volume, number)
    ) STRICT, WITHOUT ROWID;
    -- What was decided outlives the volume.
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        volume INTEGER,
        label TEXT,
        subject TEXT NOT NULL,
        file INTEGER,
        old TEXT,
        new TEXT,
        who TEXT,
        why TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_of_volume ON event (volume);
",
    TRAVELS,
    CLONES,
    REPORTED,
    STACKS,
    STACKED_BACKUPS,
    STACK_PLACES,
    FARM_REFERENCES,
    REMOVALS,
];

/// Backups of the catalog, and recoveries from them.
const TRAVELS: &str = "
    CREATE TABLE backup (
        sequence INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        -- What was in vault.toml: an empty machine has none.
        configuration TEXT NOT NULL
    ) STRICT;
    -- A recovery is under way until a person says that the vault is in service again.
    CREATE TABLE recovery (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        sequence INTEGER NOT NULL,
        backup_ms INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        -- Numbers of backups up to this one were seen, and are not given again.
        highest INTEGER NOT NULL CHECK (highest >= sequence),
        online_ms INTEGER
    ) STRICT;
";

/// What a volume is the clone of, and which of its files was which one there. The source may leave; this stays.
const CLONES: &str = "
    CREATE TABLE clone (
        volume INTEGER PRIMARY KEY REFERENCES volume (id) ON DELETE CASCADE,
        source TEXT NOT NULL
    ) STRICT;
    CREATE TABLE cloned_file (
        volume INTEGER NOT NULL REFERENCES clone (volume) ON DELETE CASCADE,
        number INTEGER NOT NULL CHECK (number >= 0),
        old_number INTEGER NOT NULL CHECK (old_number >= 0),
        old_first_object INTEGER NOT NULL CHECK (old_first_object >= 0),
        PRIMARY KEY (volume, number)
    ) STRICT, WITHOUT ROWID;
";

/// How far a recovery is. One of an earlier program that was not ended is repeated, which is always allowed.
const REPORTED: &str = "
    -- When it was written down what was lost.
    ALTER TABLE recovery ADD COLUMN reported_ms INTEGER;
    -- The name of the catalog that was there before.
    ALTER TABLE recovery ADD COLUMN kept TEXT;
";

/// Stacked volumes, and what is on them.
const STACKS: &str = "
    CREATE TABLE stacked_volume (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL UNIQUE,
        identity TEXT NOT NULL UNIQUE,
        pool TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN
            ('empty', 'filling', 'full', 'erase', 'read-only-recovery', 'unavailable', 'destroyed')),
        added_ms INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX one_fills ON stacked_volume (pool) WHERE state = 'filling';
    CREATE TABLE copy (
        stacked_volume INTEGER NOT NULL REFERENCES stacked_volume (id),
        file INTEGER NOT NULL CHECK (file > 0),
        volume INTEGER NOT NULL REFERENCES volume (id) ON DELETE CASCADE,
        generation INTEGER NOT NULL CHECK (generation >= 0),
        length INTEGER NOT NULL CHECK (length >= 0),
        -- Nothing where only the tape has it: the copy was met there.
        digest BLOB CHECK (length(digest) = 32),
        -- When that generation was closed, and when it was copied.
        closed_ms INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (stacked_volume, file)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX copy_of_volume ON copy (volume);
    CREATE TABLE archive_number (
        number INTEGER PRIMARY KEY AUTOINCREMENT
    ) STRICT;
";

/// Which backups of the catalog are on which stacked volume.
const STACKED_BACKUPS: &str = "
    CREATE TABLE stacked_backup (
        stacked_volume INTEGER NOT NULL REFERENCES stacked_volume (id),
        file INTEGER NOT NULL CHECK (file > 0),
        sequence INTEGER NOT NULL CHECK (sequence > 0),
        PRIMARY KEY (stacked_volume, file)
    ) STRICT, WITHOUT ROWID;
    -- The last line of the log that is in a backup.
    ALTER TABLE backup ADD COLUMN event INTEGER NOT NULL DEFAULT 0;
";

/// Where stacked volumes are that are images.
const STACK_PLACES: &str = "
    -- The specification with which it was last written, where that is an image.
    ALTER TABLE stacked_volume ADD COLUMN place TEXT;
";

/// Which volumes of farms have copies of which files.
const FARM_REFERENCES: &str = "
    CREATE TABLE farm_volume (
        id INTEGER PRIMARY KEY,
        serial TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        root TEXT NOT NULL,
        folder TEXT NOT NULL,
        added_ms INTEGER NOT NULL,
        UNIQUE (host, root, folder)
    ) STRICT;
    CREATE INDEX farm_volume_of_name ON farm_volume (name);
    CREATE TABLE referred_file (
        id INTEGER PRIMARY KEY,
        host TEXT NOT NULL,
        -- From the root of the host; without a slash at its beginning it is a title that came from elsewhere.
        path BLOB NOT NULL,
        -- When the file was given up for its copies.
        released_ms INTEGER,
        UNIQUE (host, path)
    ) STRICT;
    CREATE TABLE backup_reference (
        file INTEGER NOT NULL REFERENCES referred_file (id) ON DELETE CASCADE,
        slot INTEGER NOT NULL CHECK (slot IN (1, 2)),
        volume INTEGER NOT NULL REFERENCES farm_volume (id),
        title BLOB NOT NULL,
        capsule TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (file, slot)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX backup_of_volume ON backup_reference (volume);
    CREATE INDEX backup_of_capsule ON backup_reference (capsule);
    CREATE TABLE archive_reference (
        file INTEGER NOT NULL REFERENCES referred_file (id) ON DELETE CASCADE,
        volume INTEGER NOT NULL REFERENCES farm_volume (id),
        title BLOB NOT NULL,
        capsule TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (file, volume)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX archive_of_volume ON archive_reference (volume);
    CREATE INDEX archive_of_capsule ON archive_reference (capsule);
    -- Written before capsules are committed: whether there is one of them says the volume.
    CREATE TABLE pending_reference (
        id INTEGER PRIMARY KEY,
        volume INTEGER NOT NULL REFERENCES farm_volume (id),
        host TEXT NOT NULL,
        path BLOB NOT NULL,
        title BLOB NOT NULL,
        capsule TEXT NOT NULL,
        slots INTEGER NOT NULL CHECK (slots IN (0, 1, 2)),
        archive INTEGER NOT NULL CHECK (archive IN (0, 1))
    ) STRICT;
    CREATE INDEX pending_of_volume ON pending_reference (volume);
    CREATE TABLE serial_series (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        -- Nothing where all are given.
        next TEXT,
        last TEXT
    ) STRICT;
";

/// Which volume it was that was removed. The lines of earlier programs do not say it.
const REMOVALS: &str = "
    ALTER TABLE event ADD COLUMN identity TEXT;
    ALTER TABLE event ADD COLUMN generation INTEGER;
";

/// The tables of a new catalog.
pub(super) fn create(transaction: &Transaction<'_>, vault: Uuid) -> Result<(), Error> {
    apply(transaction, &MIGRATIONS)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute(
        "INSERT INTO vault (one, identity) VALUES (1, ?1)",
        [vault.to_string()],
    )?;
    Ok(())
}

/// Makes the schema the newest one, or leaves it as it was.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    apply(&transaction, migrations)?;
    Ok(transaction.commit()?)
}

/// Another process may have been faster: what is there is looked at within the transaction.
fn apply(transaction: &Transaction<'_>, migrations: &[&str]) -> Result<(), Error> {
    let done = usize::try_from(version(transaction)?).unwrap_or(usize::MAX);
    for migration in migrations.get(done..).unwrap_or_default() {
        transaction.execute_batch(migration)?;
    }
    let last = i64::try_from(migrations.len().max(done)).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", last)?;
    Ok(())
}

/// Proves that the tables are those that the migrations make: SQLite takes any that can be parsed for whole.
pub(super) fn prove_tables(connection: &Connection) -> Result<(), Error> {
    let mut ours = Connection::open_in_memory()?;
    migrate(&mut ours, &MIGRATIONS)?;
    let (found, expected) = (tables(connection)?, tables(&ours)?);
    let names = found.keys().chain(expected.keys());
    let mut strange = names.filter(|name| found.get(*name) != expected.get(*name));
    match strange.next() {
        None => Ok(()),
        Some((kind, name)) => Err(Error::Damaged {
            cause: format!(
                "the {} {} is not that of schema {SCHEMA_VERSION}",
                kind.escape_ascii(),
                name.escape_ascii()
            ),
        }),
    }
}

/// Kind and name of each table and index, and the text that makes it: as bytes, since it may be damaged.
type Tables = BTreeMap<(Vec<u8>, Vec<u8>), Option<Vec<u8>>>;

fn tables(connection: &Connection) -> Result<Tables, Error> {
    let sql = "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut tables = Tables::new();
    while let Some(row) = rows.next()? {
        tables.insert((row.get(0)?, row.get(1)?), row.get(2)?);
    }
    Ok(tables)
}

/// The schema of an open catalog.
pub(super) fn version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Whose catalog it is.
pub(super) fn vault_identity(connection: &Connection) -> Result<String, Error> {
    Ok(connection.query_row("SELECT identity FROM vault", [], |row| row.get(0))?)
}

/// Whether a file is a database of SQLite, by its first bytes.
pub(crate) fn is_database(path: &PathBuf) -> bool {
    first_bytes::<16>(path).is_ok_and(|bytes| bytes == *MAGIC)
}

/// Looks at the first bytes of a file, before SQLite does: that would already make files beside it.
pub(super) fn prove_file(path: &PathBuf) -> Result<(), Error> {
    let header: [u8; 100] = match first_bytes(path) {
        Ok(header) => header,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let images = path.with_file_name(IMAGES);
            return Err(Error::NoCatalog {
                path: path.clone(),
                images,
            });
        }
        Err(error) => return Err(Error::host("read", path, error)),
    };
    let foreign = |found: String| {
        Err(Error::Foreign {
            path: path.clone(),
            found,
        })
    };
    if !header.starts_with(MAGIC) {
        return foreign("it is no database of SQLite".to_owned());
    }
    let field = header.get(APPLICATION_ID_OFFSET..).unwrap_or_default();
    let application = field
        .iter()
        .take(4)
        .fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    if application != APPLICATION_ID.unsigned_abs() {
        return foreign(format!("application {application:#010x}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        Connection::open_in_memory().expect("memory")
    }

    #[test]
    fn a_migration_is_made_once_and_in_order() {
        let mut connection = open();
        let steps = ["CREATE TABLE a (x) ", "ALTER TABLE a ADD COLUMN y"];
        migrate(&mut connection, &steps[..1]).expect("the first");
        connection
            .execute("INSERT INTO a VALUES (1)", [])
            .expect("a row");
        migrate(&mut connection, &steps).expect("the second");
        migrate(&mut connection, &steps).expect("nothing more to do");
        assert_eq!(version(&connection).expect("a number"), 2);
        let row = connection.query_row("SELECT x, y FROM a", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        assert_eq!(row, Ok((1, None::<i64>)));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_schema() {
        let mut connection = open();
        migrate(&mut connection, &["CREATE TABLE a (x)"]).expect("the first");
        let steps = [
            "CREATE TABLE a (x)",
            "CREATE TABLE b (x); CREATE TABLE a (x)",
        ];
        migrate(&mut connection, &steps).expect_err("the table is there");
        assert_eq!(version(&connection).expect("a number"), 1);
        connection
            .query_row("SELECT * FROM b", [], |_| Ok(()))
            .expect_err("undone");
    }
}
