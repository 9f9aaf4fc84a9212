//! What is not a store of this format is refused, with its name and the reason, and stays as it was.

use std::fs;

use larder::storage::sqlite::Sqlite;
use larder::storage::{Durability, Error};
use rstest::rstest;
use rusqlite::Connection;

use crate::help::{Home, file, files, key, put, text, told};
use larder::storage::blocking::BlockingStorage;

const TABLE: &str = "CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT, data BLOB, \
     created_at INTEGER, updated_at INTEGER);";
const INDEX: &str = "CREATE INDEX idx__memory_fs_files__path ON memory_fs_files(path);";

#[track_caller]
fn refused(contents: impl FnOnce(&std::path::Path), reason: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path());
    contents(&path);
    let (before, names) = (fs::read(&path).unwrap(), files(dir.path()));
    for durability in [Durability::Full, Durability::Relaxed] {
        let error = Sqlite::open(&path, durability).unwrap_err();
        assert!(matches!(error, Error::Corrupt { backend: "sqlite", .. }), "{error:?}");
        let told = told(&error);
        assert!(told.contains(reason) && told.contains("cache.sqlite"), "{told}");
    }
    assert!(before == fs::read(&path).unwrap(), "changed");
    assert_eq!(files(dir.path()), names);
}

#[rstest]
#[case("x")]
#[case("not a database at all")]
#[case(&"long ".repeat(10_000))]
#[case("PK\u{3}\u{4} an archive")]
#[case("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
fn a_file_that_is_no_database(#[case] contents: &str) {
    refused(|path| fs::write(path, contents).unwrap(), "file is not a database");
}

#[rstest]
#[case("CREATE TABLE notes (id INTEGER PRIMARY KEY)", "table \"notes\"")]
#[case("CREATE TABLE memory_fs_files (key TEXT PRIMARY KEY, value BLOB)", "has other columns")]
#[case(
    "CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT, data BLOB, \
        created_at INTEGER, updated_at INTEGER, hash TEXT)",
    "has other columns"
)]
#[case(
    "CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT NOT NULL, data BLOB, \
        created_at INTEGER, updated_at INTEGER)",
    "has other columns"
)]
#[case(
    "CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT, data BLOB, \
        created_at INTEGER, updated_at INTEGER) STRICT",
    "has other columns"
)]
#[case(
    "CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT COLLATE NOCASE, data BLOB, \
        created_at INTEGER, updated_at INTEGER)",
    "index on \"path\""
)]
#[case("CREATE VIEW memory_fs_files AS SELECT 1 AS id", "view \"memory_fs_files\"")]
#[case(&format!("{TABLE} CREATE TABLE more (id INTEGER)"), "table \"more\"")]
#[case(&format!("{TABLE} CREATE UNIQUE INDEX one ON memory_fs_files(path)"), "index \"one\"")]
#[case(&format!("{TABLE} CREATE INDEX idx__memory_fs_files__path ON memory_fs_files(path DESC)"),
    "index on \"path\"")]
#[case(&format!("{TABLE}{INDEX} CREATE TRIGGER t AFTER INSERT ON memory_fs_files \
        BEGIN DELETE FROM memory_fs_files; END"), "trigger \"t\"")]
#[case(&format!("{TABLE}{INDEX} PRAGMA user_version = 1"), "user_version is 1")]
#[case("PRAGMA user_version = 7", "user_version is 7")]
#[case(&format!("{TABLE}{INDEX} PRAGMA application_id = 42"), "application_id is 42")]
#[case(&format!("PRAGMA encoding = 'UTF-16le'; {TABLE}{INDEX}"), "text is in UTF-16le")]
fn a_database_of_another_kind(#[case] sql: &str, #[case] reason: &str) {
    refused(|path| Connection::open(path).unwrap().execute_batch(sql).unwrap(), reason);
}

#[test]
fn an_empty_file_is_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(dir.path()), "").unwrap();
    let store = Sqlite::open(file(dir.path()), Durability::Full).unwrap();
    put(&store, "team/x", "value").unwrap();
    assert_eq!(text(&store, "team/x").unwrap().as_deref(), Some("value"));
}

#[test]
fn a_table_without_its_index_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let sql = format!("{TABLE} INSERT INTO memory_fs_files (path, data) VALUES ('team/x', 'old')");
    Connection::open(file(dir.path())).unwrap().execute_batch(&sql).unwrap();
    let store = Sqlite::open(file(dir.path()), Durability::Full).unwrap();
    assert_eq!(text(&store, "team/x").unwrap().as_deref(), Some("old"));
    let raw = Connection::open(file(dir.path())).unwrap();
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'index'";
    let index: String = raw.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(format!("{index};"), INDEX);
}

/// Statistics are SQLite's own.
#[test]
fn an_analysed_database_is_one() {
    let home = Home::new();
    home.put("team/x", "value");
    home.raw().execute_batch("ANALYZE").unwrap();
    let again = Sqlite::open(file(home.dir.path()), Durability::Full).unwrap();
    assert_eq!(text(&again, "team/x").unwrap().as_deref(), Some("value"));
}

#[test]
fn what_cannot_be_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(file(dir.path())).unwrap();
    assert!(Sqlite::open(file(dir.path()), Durability::Full).is_err());
    let plain = dir.path().join("plain");
    fs::write(&plain, "text").unwrap();
    assert!(Sqlite::open(plain.join("below.sqlite"), Durability::Full).is_err());
    assert_eq!(fs::read_to_string(&plain).unwrap(), "text");
}

/// Pages overwritten beneath the store, as a failing disk does.
#[test]
fn damage_is_no_absence() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(file(dir.path()), Durability::Full).unwrap();
    for name in 0..200 {
        put(&store, &format!("team/{name}"), &"x".repeat(1000)).unwrap();
    }
    drop(store);
    let mut bytes = fs::read(file(dir.path())).unwrap();
    // All pages but the first, which holds the schema.
    bytes[4096..].fill(0xa5);
    fs::write(file(dir.path()), bytes).unwrap();
    let store = Sqlite::open(file(dir.path()), Durability::Full).unwrap();
    let is_damage = |error: Error| matches!(error, Error::Corrupt { .. });
    assert!(is_damage(store.get(&key("team/5")).unwrap_err()));
    assert!(is_damage(store.stat(&key("team/none")).unwrap_err()));
    assert!(is_damage(store.namespaces().unwrap_err()));
    assert!(is_damage(put(&store, "team/5", "new").unwrap_err()));
}
