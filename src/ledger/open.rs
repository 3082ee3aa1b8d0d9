//! Opening the database: the lock, the settings, the version.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::is_for_want_of_space;
use super::lock::StateLock;
use super::{LEDGER_FILE, LOCK_FILE, Ledger, LedgerError};
use crate::files;

/// "glnr" in ASCII: tells a ledger from any other SQLite database (`PRAGMA application_id`).
const APPLICATION: i64 = 0x676c_6e72;

/// Each script brings a ledger from the version of its index to the next (`PRAGMA user_version`). Append, never edit.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("centroids.sql"),
    include_str!("suspects.sql"),
    include_str!("duplicates.sql"),
    include_str!("steps.sql"),
    include_str!("failure.sql"),
];

/// How long to wait for another program that holds the database.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn writer(folder: &Path) -> Result<Ledger, LedgerError> {
    fs::create_dir_all(folder).map_err(LedgerError::io(folder, "cannot be made"))?;
    let lock = StateLock::take(&folder.join(LOCK_FILE))?;
    // With the lock held, a temporary file can only be a dead process's.
    files::sweep(folder).map_err(LedgerError::io(folder, "cannot be cleared of temporary files"))?;
    let path = folder.join(LEDGER_FILE);
    let is_new = !path.exists();
    let mut connection = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(LedgerError::sqlite(&path, "cannot be opened"))?;
    let opening = || LedgerError::sqlite(&path, "cannot be opened");
    connection.busy_timeout(PATIENCE).map_err(opening())?;
    // Before anything is changed: what is not ours, or newer than we are, is left exactly as it is.
    let version = pragma(&connection, "user_version").map_err(opening())?;
    check_version(version, &connection, &path)?;
    set_up(&connection).map_err(opening())?;
    migrate(&mut connection, version).map_err(LedgerError::sqlite(&path, "cannot be brought to this version"))?;
    check(&connection, &path)?;
    if is_new {
        files::sync_folder(folder).map_err(LedgerError::io(folder, "cannot be flushed to the disk"))?;
    }
    let ledger = Ledger { folder: folder.to_owned(), path, connection, _lock: Some(lock) };
    ledger.recover_samples()?;
    Ok(ledger)
}

pub(super) fn reader(folder: &Path) -> Result<Ledger, LedgerError> {
    let path = folder.join(LEDGER_FILE);
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(LedgerError::Missing { path }),
        other => other.map_err(LedgerError::io(&path, "cannot be read"))?,
    };
    let (connection, version) = match read_version(&path, false) {
        // In a folder where we may not write, or on a full disk, SQLite cannot make the small files that it keeps beside the
        // database; without a log beside it, the database alone is all there is, and nobody is writing.
        Err(error) if cannot_open(&error) && !has_log(&path) => read_version(&path, true),
        other => other,
    }
    .map_err(LedgerError::sqlite(&path, "cannot be opened for reading"))?;
    let ledger = Ledger { folder: folder.to_owned(), path, connection, _lock: None };
    check_version(version, &ledger.connection, &ledger.path)?;
    if version == 0 {
        // The service is just making it.
        return Err(LedgerError::Missing { path: ledger.path });
    }
    Ok(ledger)
}

fn read_version(path: &Path, immutable: bool) -> rusqlite::Result<(Connection, i64)> {
    let connection = if immutable {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(immutable_uri(path), flags)?
    } else {
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?
    };
    connection.busy_timeout(PATIENCE)?;
    let version = pragma(&connection, "user_version")?;
    Ok((connection, version))
}

fn immutable_uri(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("file:{escaped}?immutable=1")
}

fn cannot_open(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly))
        || is_for_want_of_space(error)
}

/// Whether a log with something in it stands beside the database.
fn has_log(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(name).is_ok_and(|log| log.len() > 0)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    // The log lets readers read while the service writes; FULL makes a commit outlast a power failure.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)
}

fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(version).unwrap_or_default();
    if done >= MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for script in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", newest())?;
    transaction.commit()
}

/// Refuses what a newer gleaner wrote, and what another program wrote.
fn check_version(version: i64, connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let reading = || LedgerError::sqlite(path, "cannot be read");
    let application = pragma(connection, "application_id").map_err(reading())?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(reading())?;
    let empty = tables == 0 && version == 0 && application == 0;
    if !empty && application != APPLICATION {
        return Err(LedgerError::Corrupt {
            path: path.to_owned(),
            problem: "is another program's database".to_owned(),
        });
    }
    if version > newest() {
        return Err(LedgerError::Newer { path: path.to_owned(), found: version, known: newest() });
    }
    Ok(())
}

/// Looks through the database for damage: it is small, and damage found now is cheaper than damage found in a commit.
fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(LedgerError::sqlite(path, "cannot be checked"))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(LedgerError::Corrupt { path: path.to_owned(), problem: format!("is damaged ({verdict})") })
    }
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
