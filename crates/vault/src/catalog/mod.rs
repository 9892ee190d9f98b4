//! The catalog in SQLite. Here is all SQL, and no rule.

mod clones;
mod references;
mod removals;
mod rows;
mod schema;
mod stacks;
mod travel;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use pseudotape_image::Uuid;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::Error;
use crate::layout::{CATALOG_FILE, LOG_FILE};

pub(crate) use references::{FarmKey, PendingReference};
pub use rows::Counts;
pub(crate) use rows::{Key, Rows};
pub use schema::SCHEMA_VERSION;
pub(crate) use schema::is_database;

/// A disk with less room than this is full: SQLite needs half of it for the memory that it shares beside a log.
const ROOM: u64 = 64 << 10;

/// What a catalog is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// To look at it.
    Look,
    /// To change it.
    Change,
}

/// An open catalog.
#[derive(Debug)]
pub(crate) struct Catalog {
    connection: Connection,
}

impl Catalog {
    /// Makes an empty one in a directory that has none.
    pub(crate) fn create(directory: &Path, vault: Uuid) -> Result<(), Error> {
        let path = directory.join(CATALOG_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection, Duration::ZERO)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        schema::create(&transaction, vault)?;
        transaction.commit()?;
        // From here on the main file alone says whose it is.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error.into())
    }

    /// Opens the one of a vault. What belongs to something else is told before anything of it is touched.
    pub(crate) fn open(
        directory: &Path,
        vault: Uuid,
        wait: Duration,
        wanted: Use,
    ) -> Result<Self, Error> {
        let path = directory.join(CATALOG_FILE);
        schema::prove_file(&path)?;
        let mut writable = [directory, &path]
            .into_iter()
            .all(|path| access(path, AccessFlags::W_OK).is_ok());
        let mut connection = match (writable, wanted) {
            (true, _) => match open_writable(&path, wait) {
                Err(error) if is_full(&error, directory) => {
                    if wanted == Use::Change || has_log(directory) {
                        return Err(Error::NoRoom {
                            directory: directory.to_owned(),
                        });
                    }
                    writable = false;
                    open_immutable(&path)?
                }
                opened => opened?,
            },
            (false, Use::Change) => {
                return Err(Error::ReadOnly {
                    path: directory.to_owned(),
                    cause: "this user may not, or its disk is mounted read-only".to_owned(),
                });
            }
            (false, Use::Look) => open_unwritable(directory, &path)?,
        };
        let found = schema::version(&connection)?;
        if found > SCHEMA_VERSION {
            return Err(Error::Newer {
                path,
                found,
                known: SCHEMA_VERSION,
            });
        }
        if found < SCHEMA_VERSION {
            if !writable {
                return Err(Error::Older { path, found });
            }
            schema::migrate(&mut connection, &schema::MIGRATIONS)?;
        }
        let identity = schema::vault_identity(&connection)?;
        if identity != vault.to_string() {
            return Err(Error::OtherVault {
                path,
                found: identity,
                expected: vault.to_string(),
            });
        }
        if wanted == Use::Look && writable {
            connection.pragma_update(None, "query_only", true)?;
        }
        Ok(Catalog { connection })
    }

    /// The rows as they are now.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows::new(&self.connection)
    }

    /// Begins a change; dropped without a commit it leaves nothing behind.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        Ok(self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// What SQLite finds wrong with the file; nothing where it is whole.
    pub(crate) fn check(&self) -> Result<Option<String>, Error> {
        let mut statement = self.connection.prepare("PRAGMA quick_check(1)")?;
        let mut rows = statement.query([])?;
        let words = match rows.next()? {
            Some(row) => row.get::<_, String>(0)?,
            None => String::new(),
        };
        if words != "ok" {
            return Ok(Some(words));
        }
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        let strange = statement.query([])?.next()?.is_some();
        Ok(strange.then(|| "it has tape files of volumes that it does not have".to_owned()))
    }
}

fn prepare(connection: &Connection, wait: Duration) -> Result<(), Error> {
    connection.busy_timeout(wait)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        // A network file system can refuse the memory that the log needs.
        return Err(Error::Damaged {
            cause: format!(
                "its disk allows no write-ahead log, only '{mode}': a vault lies on a disk of its host"
            ),
        });
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn open_writable(path: &Path, wait: Duration) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&connection, wait)?;
    Ok(connection)
}

/// Whether a catalog could not be opened because there is no room for the files that SQLite needs beside it.
fn is_full(error: &Error, directory: &Path) -> bool {
    let room = || {
        let disk = statvfs(directory).ok()?;
        disk.blocks_available().checked_mul(disk.fragment_size())
    };
    match error {
        Error::Full => true,
        Error::Sql(error) => {
            let code = error.sqlite_error_code();
            let is_of_disk = matches!(
                code,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
            );
            is_of_disk && room().is_some_and(|bytes| bytes < ROOM)
        }
        _ => false,
    }
}

/// Whether something was committed that is not in the main file yet.
fn has_log(directory: &Path) -> bool {
    let log = directory.join(LOG_FILE).metadata();
    log.is_ok_and(|log| log.len() > 0)
}

/// SQLite needs files beside a catalog with a log, even to read it; without a log it needs none.
fn open_unwritable(directory: &Path, path: &Path) -> Result<Connection, Error> {
    if has_log(directory) {
        return Err(Error::Unfinished {
            path: directory.join(LOG_FILE),
        });
    }
    open_immutable(path)
}

/// As if nobody could change it: no file is made beside it.
fn open_immutable(path: &Path) -> Result<Connection, Error> {
    let path = std::path::absolute(path).map_err(|error| Error::host("find", path, error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{}?immutable=1", quoted(&path));
    Ok(Connection::open_with_flags(uri, flags)?)
}

fn quoted(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let quote = |byte: &u8| match byte {
        b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
            char::from(*byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    path.as_os_str().as_bytes().iter().map(quote).collect()
}

/// The first bytes of a file.
fn first_bytes<const N: usize>(path: &PathBuf) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut file = File::open(path)?.take(N as u64);
    let mut filled = 0;
    loop {
        match file.read(bytes.get_mut(filled..).unwrap_or_default())? {
            0 => return Ok(bytes),
            count => filled += count,
        }
    }
}
