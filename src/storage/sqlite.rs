//! One table in a SQLite database, as the Python service has it: a row for each key.
//!
//! ```sql
//! CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT, data BLOB, created_at INTEGER, updated_at INTEGER);
//! CREATE INDEX idx__memory_fs_files__path ON memory_fs_files(path);
//! ```
//!
//! There is nothing else in the file, and `user_version` stays 0, so either service can open what the
//! other left, also at the same time. A file that is anything else (no database, other tables or
//! columns, a version that is not 0) is refused before it is changed. Nothing is kept in memory that
//! a second process could contradict.
//!
//! The path is not unique in that table: should there be several rows of one path, the one with the
//! highest id counts, and the next write or delete of the key deals with all of them.
//!
//! # Writing
//!
//! The database is written ahead (WAL), which the file remembers and any SQLite understands. While it
//! is open there are two files beside it, `-wal` and `-shm`; whoever closes it last moves all that is
//! in the log into the database and removes both. After a crash they are part of the store: whoever
//! copies it then copies all three.
//!
//! One connection writes. Batches that arrive while it is busy are carried out together, in one
//! transaction (see `group`), and answered after its commit. The transaction holds the write lock from
//! its beginning, so what the expectations find holds until it ends, whoever else uses the file. In
//! it, the expectations of a batch are looked at before any of it is written: a batch that is refused
//! leaves the others of its group alone. If anything else fails, all of the group is rolled back, and
//! each batch tried by itself.
//!
//! With [`Durability::Full`] the commit waits until the disk has the log (`synchronous=FULL`). With
//! [`Durability::Relaxed`] it does not, and only moving the log into the database does: a loss of
//! power may cost the latest batches, but never leaves part of one.
//!
//! When the disk is full, writes are refused as [`Error::Full`](super::Error::Full), deletes as well if
//! the log has no room for them, and reads go on. The room that a refused batch took is given back.
//! Once there is room again, all goes on as before. What was deleted is room for new values, but the
//! file stays as long as it is.
//!
//! Another process is waited for, but not for ever: after five seconds the call fails with
//! [`Error::Unavailable`](super::Error::Unavailable). All processes must be on one machine; SQLite does
//! not share a log over a network file system.
//!
//! # Reading
//!
//! A few connections read, each call on one of its own, at the moment it begins, and never wait for
//! who writes. Only in memory (`:memory:`) readers and writers take turns on the one connection there
//! is.
//!
//! # Versions
//!
//! The version of a value is its SHA-256: the table has nothing that would do. The times are of
//! milliseconds, the Python service moves them as it likes, and ids of deleted rows come back. So
//! [`BlockingStorage::stat`] and a guarded write read the value; a long one piece by piece, in 16 KiB
//! of memory.

use std::fmt;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::blocking::BlockingStorage;
use super::durability::{Durability, make_folder};
use super::{Batch, List, Object, Page, Promises, Result, Stat};
use crate::key::{Key, Namespace};
use connect::Readers;
use fail::failed;
use group::Group;

mod connect;
mod fail;
mod group;
mod list;
mod read;
mod schema;
mod transaction;
mod write;

/// The log is cut when it has grown to this many bytes, which it does when readers are never all done
/// at once, or by one very large batch.
const LONGEST_LOG: u64 = 64 << 20;

/// The store in a SQLite database.
pub struct Sqlite {
    // Dropped first: the connection that is closed last removes the log, and must be one that writes.
    readers: Option<Readers>,
    writer: Mutex<Connection>,
    group: Group,
    /// Where the log is; `None` in memory.
    log: Option<PathBuf>,
}

impl Sqlite {
    /// Opens the store in a file, and makes the file (and folders above it) if it is missing.
    ///
    /// Fails with a clear error when the file cannot be used, or holds something else.
    pub fn open(path: impl AsRef<Path>, durability: Durability) -> Result<Self> {
        let path = path.as_ref();
        let trouble = || failed::<std::io::Error>("open a store at", path.display().to_string());
        // A whole path also keeps SQLite from seeing more in a name than a name (`file:…`).
        let path = absolute(path).map_err(trouble())?;
        if let Some(folder) = path.parent() {
            make_folder(folder, durability).map_err(trouble())?;
        }
        let writer = Mutex::new(connect::writer(&path, durability)?);
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let log = Some(PathBuf::from(log));
        Ok(Self { readers: Some(Readers::new(path)), writer, group: Group::default(), log })
    }

    /// A new store in memory, gone when dropped. Share it by sharing the value.
    pub fn in_memory() -> Result<Self> {
        let writer = Mutex::new(connect::in_memory()?);
        Ok(Self { readers: None, writer, group: Group::default(), log: None })
    }

    /// How many batches wait for the next transaction, not counting those of the present one.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.group.waiting()
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        match &self.readers {
            Some(readers) => readers.read(read),
            None => self.write(|connection| read(connection)),
        }
    }

    fn write<T>(&self, write: impl FnOnce(&mut Connection) -> T) -> T {
        // A transaction that a panic ended was rolled back.
        write(&mut self.writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn carry_out(&self, group: &[Batch]) -> Vec<Result<()>> {
        self.write(|connection| {
            let answers = write::carry_out(connection, group);
            let length = self.log.as_deref().map(std::fs::metadata);
            if let Some(Ok(log)) = length
                && log.len() > LONGEST_LOG
            {
                // Best effort: it is tried again after the next group.
                let _ = write::empty_log(connection);
            }
            answers
        })
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.log.as_deref();
        f.debug_struct("Sqlite").field("log", &log).finish_non_exhaustive()
    }
}

impl BlockingStorage for Sqlite {
    fn promises(&self) -> Promises {
        let in_file = self.readers.is_some();
        Promises {
            atomic_batches: true,
            survives_restart: in_file,
            shared_between_processes: in_file,
        }
    }

    fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.read(|connection| read::get(connection, key))
    }

    fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.read(|connection| read::stat(connection, key))
    }

    fn apply(&self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.group.apply(batch, |group| self.carry_out(group))
    }

    fn list(&self, query: List) -> Result<Page> {
        self.read(|connection| list::page(connection, &query))
    }

    fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.read(list::namespaces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a commit waits for the disk cannot be seen from outside.
    #[test]
    fn full_durability_syncs_every_commit_and_relaxed_only_checkpoints() {
        const NORMAL: i64 = 1;
        const FULL: i64 = 2;
        let dir = tempfile::tempdir().unwrap();
        for (durability, expected) in [(Durability::Full, FULL), (Durability::Relaxed, NORMAL)] {
            let store = Sqlite::open(dir.path().join("cache.sqlite"), durability).unwrap();
            let level = store.write(|connection| {
                connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))
            });
            assert_eq!(level.unwrap(), expected);
        }
    }

    #[test]
    fn readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::open(dir.path().join("cache.sqlite"), Durability::Relaxed).unwrap();
        let written = store.read(|connection| {
            let deleted = connection.execute("DELETE FROM memory_fs_files", []);
            deleted.map_err(failed("write", "x"))
        });
        assert!(written.is_err());
    }
}
