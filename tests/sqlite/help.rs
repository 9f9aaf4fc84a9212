//! What the tests say often.

use std::path::{Path, PathBuf};

use larder::storage::Durability;
use larder::storage::sqlite::Sqlite;
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) use crate::stores::*;

/// A folder for a store, and a store in it that does not wait for the disk.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) store: Sqlite,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        Self { dir, store }
    }

    pub(crate) fn put(&self, name: &str, value: &str) {
        put(&self.store, name, value).unwrap();
    }

    pub(crate) fn delete(&self, name: &str) {
        delete(&self.store, name).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(&self.store, name).unwrap()
    }

    /// All keys of the namespace `team`.
    pub(crate) fn keys(&self) -> Vec<String> {
        keys(&self.store, "team")
    }

    /// The database as another program sees it.
    pub(crate) fn raw(&self) -> Connection {
        Connection::open(file(self.dir.path())).unwrap()
    }

    /// A row that someone else wrote.
    pub(crate) fn insert(&self, path: impl rusqlite::ToSql, data: impl rusqlite::ToSql) {
        let sql = "INSERT INTO memory_fs_files (path, data, created_at, updated_at) \
             VALUES (?1, ?2, 1, 1)";
        self.raw().execute(sql, rusqlite::params![path, data]).unwrap();
    }
}

pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("cache.sqlite")
}

pub(crate) fn open(folder: &Path) -> Sqlite {
    Sqlite::open(file(folder), Durability::Relaxed).unwrap()
}
