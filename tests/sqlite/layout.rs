//! The table is the Python service's, row for row, and what lies in it is taken as it is.

use std::fs;

use larder::storage::blocking::BlockingStorage;
use larder::storage::sqlite::Sqlite;
use larder::storage::{Depth, Durability, Error, Expect};
use rusqlite::Connection;
use rusqlite::types::Null;

use crate::help::{
    Home, file, files, key, keys, namespace, open, page, put, put_if, told, version,
};

const GOLDEN: &[u8] = include_bytes!("../data/cache.sqlite");
const GOLDEN_FILES: &str = include_str!("../data/sqlite.files");

#[test]
fn a_database_of_the_python_service_is_served() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(dir.path()), GOLDEN).unwrap();
    let store = Sqlite::open(file(dir.path()), Durability::Full).unwrap();

    let mut expected = Vec::new();
    for line in GOLDEN_FILES.lines() {
        let [sha256, size, name] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line:?}")
        };
        let object = store.get(&key(name)).unwrap().unwrap();
        let stat = store.stat(&key(name)).unwrap().unwrap();
        assert_eq!(format!("{:?}", object.version), format!("Version({sha256})"), "{name}");
        assert_eq!((object.bytes.len() as u64).to_string(), size, "{name}");
        assert_eq!((stat.size.bytes(), stat.version), (object.bytes.len() as u64, object.version));
        expected.push(name);
    }
    assert_eq!(expected.len(), 166);
    let mut found = keys(&store, "alpha");
    found.extend(keys(&store, "beta"));
    assert_eq!(found, expected);
    assert_eq!(store.namespaces().unwrap(), [namespace("alpha"), namespace("beta")]);
}

/// What SQLite keeps of the schema, and of the format.
fn schema(connection: &Connection) -> (Vec<[String; 4]>, Vec<String>) {
    let mut statement = connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
        .unwrap();
    let objects = statement
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let pragma = |name: &str| {
        let value = connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        format!("{name} {:?}", value.unwrap())
    };
    let format = ["user_version", "application_id", "page_size", "encoding", "auto_vacuum"];
    (objects, format.into_iter().map(pragma).collect())
}

#[test]
fn a_new_database_has_the_python_services_schema() {
    let golden = tempfile::tempdir().unwrap();
    fs::write(file(golden.path()), GOLDEN).unwrap();
    let golden = schema(&Connection::open(file(golden.path())).unwrap());
    let home = Home::new();
    home.put("team/x", "value");
    assert_eq!(schema(&home.raw()), golden);
    assert_eq!(golden.0.len(), 2);
}

#[test]
fn a_value_is_a_row() {
    let home = Home::new();
    let rows = || {
        let connection = home.raw();
        let sql = "SELECT id, path, data, typeof(data), created_at, updated_at, \
             abs(unixepoch() * 1000 - updated_at) < 600000 FROM memory_fs_files ORDER BY id";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let text: (i64, String, Vec<u8>, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let times: (i64, i64, bool) = (row.get(4)?, row.get(5)?, row.get(6)?);
            Ok((text, times))
        });
        rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    home.put("team/data/x.json", "one");
    home.put("data/direct/root.json", "");
    let before = rows();
    let expected = (1, "team/data/x.json".into(), b"one".to_vec(), "blob".into());
    assert_eq!(before[0].0, expected);
    assert_eq!(before[1].0, (2, "data/direct/root.json".into(), Vec::new(), "blob".into()));
    for (_, (created, updated, is_now)) in &before {
        assert!(created == updated && *is_now);
    }

    home.raw().execute("UPDATE memory_fs_files SET created_at = 5, updated_at = 5", []).unwrap();
    home.put("team/data/x.json", "two");
    home.put("data/direct/root.json", "there");
    let after = rows();
    assert_eq!((after[0].0.0, &*after[0].0.2), (1, &b"two"[..]));
    assert_eq!((after[1].0.0, &*after[1].0.2), (2, &b"there"[..]));
    for (_, (created, updated, is_now)) in &after {
        assert!(*created == 5 && updated > created && *is_now);
    }
    home.delete("team/data/x.json");
    assert_eq!(rows().len(), 1);
}

#[test]
fn of_rows_of_one_path_the_newest_counts_and_a_write_leaves_one() {
    let home = Home::new();
    let rows = || {
        let sql = "SELECT count(*) FROM memory_fs_files WHERE path = 'team/x'";
        home.raw().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let double = || {
        home.insert("team/x", b"older");
        home.insert("team/y", b"beside");
        home.insert("team/x", b"new");
    };
    double();
    assert_eq!(home.text("team/x").as_deref(), Some("new"));
    let all = page(&home.store, "team", "", Depth::All);
    let listed: Vec<_> = all.entries.iter().map(|entry| (entry.key.as_str(), entry.size)).collect();
    assert_eq!(listed, [("team/x", 3), ("team/y", 6)]);
    let version = version(&home.store, "team/x");
    put_if(&home.store, "team/x", "newest", Expect::At(version)).unwrap();
    assert_eq!((home.text("team/x").as_deref(), rows()), (Some("newest"), 1));

    double();
    assert_eq!(home.text("team/x").as_deref(), Some("new"));
    home.delete("team/x");
    assert_eq!((home.text("team/x"), rows()), (None, 0));
}

#[test]
fn a_full_page_ends_behind_all_rows_of_its_last_path() {
    let home = Home::new();
    for name in ["team/a", "team/b", "team/c", "team/c", "team/c", "team/d"] {
        home.insert(name, name.as_bytes());
    }
    assert_eq!(home.keys(), ["team/a", "team/b", "team/c", "team/d"]);
    home.delete("team/d");
    assert_eq!(home.keys(), ["team/a", "team/b", "team/c"]);
}

/// The times and the size may be the same: the version is not.
#[test]
fn what_others_write_has_a_version_of_its_own() {
    let home = Home::new();
    home.put("team/x", "mine");
    let mine = version(&home.store, "team/x");
    home.raw().execute("UPDATE memory_fs_files SET data = CAST('them' AS BLOB)", []).unwrap();
    assert_eq!(home.text("team/x").as_deref(), Some("them"));
    let refused = put_if(&home.store, "team/x", "new", Expect::At(mine.clone()));
    assert!(matches!(refused, Err(Error::Conflict { .. })));

    home.raw().execute("DELETE FROM memory_fs_files", []).unwrap();
    home.insert("team/x", b"mine");
    assert_eq!(version(&home.store, "team/x"), mine, "equal bytes");
    put_if(&home.store, "team/x", "new", Expect::At(mine)).unwrap();
}

#[test]
fn long_values_are_whole_and_their_versions_one() {
    let home = Home::new();
    for length in [65_535, 65_536, 65_537, 3 << 20] {
        let value: String = ('a'..='z').cycle().take(length).collect();
        home.put("team/x", &value);
        assert_eq!(home.text("team/x"), Some(value));
        let stat = home.store.stat(&key("team/x")).unwrap().unwrap();
        assert_eq!(
            (stat.size.bytes(), stat.version),
            (length as u64, version(&home.store, "team/x"))
        );
        let again = version(&home.store, "team/x");
        put_if(&home.store, "team/x", "short", Expect::At(again)).unwrap();
    }
}

#[test]
fn text_is_bytes_and_anything_else_is_damage() {
    let home = Home::new();
    home.insert("team/text", "é");
    assert_eq!(home.text("team/text").as_deref(), Some("é"));
    assert_eq!(home.store.stat(&key("team/text")).unwrap().unwrap().size.bytes(), 2);
    home.insert("team/nothing", Null);
    home.insert("team/number", 5);
    for name in ["team/nothing", "team/number"] {
        for error in
            [home.store.get(&key(name)).unwrap_err(), home.store.stat(&key(name)).unwrap_err()]
        {
            assert!(matches!(&error, Error::Corrupt { at, .. } if at == name), "{error:?}");
        }
        let taken = put_if(&home.store, name, "new", Expect::Absent);
        assert!(matches!(taken, Err(Error::Conflict { .. })));
    }
    assert_eq!(home.keys().len(), 3);
    home.put("team/nothing", "mended");
    home.delete("team/number");
    assert_eq!(home.text("team/nothing").as_deref(), Some("mended"));
}

#[test]
fn closing_leaves_one_file_with_everything_in_it() {
    let Home { dir, store } = Home::new();
    for name in 0..50 {
        put(&store, &format!("team/{name}"), &"x".repeat(10_000)).unwrap();
    }
    assert_eq!(keys(&store, "team").len(), 50);
    let second = open(dir.path());
    assert_eq!(files(dir.path()), ["cache.sqlite", "cache.sqlite-shm", "cache.sqlite-wal"]);
    drop(store);
    assert_eq!(keys(&second, "team").len(), 50);
    drop(second);
    assert_eq!(files(dir.path()), ["cache.sqlite"]);
    // Only what is in the file itself.
    let copy = tempfile::tempdir().unwrap();
    fs::copy(file(dir.path()), file(copy.path())).unwrap();
    let raw = Connection::open(file(copy.path())).unwrap();
    let sql = "SELECT count(*) || ' ' || sum(length(data)) FROM memory_fs_files";
    assert_eq!(raw.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap(), "50 500000");
    let sound = raw.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(sound.unwrap(), "ok");
}

#[test]
fn missing_folders_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not/yet/there/cache.sqlite");
    let store = Sqlite::open(&path, Durability::Full).unwrap();
    put(&store, "team/x", "value").unwrap();
    assert!(path.try_exists().unwrap());
}

/// To SQLite these would be an address, a database in memory, and one in a file of no name.
#[test]
fn a_name_is_a_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["file:x?mode=memory", ":memory:", "a%20b#c?d"] {
        let path = dir.path().join(name);
        put(&Sqlite::open(&path, Durability::Full).unwrap(), "team/x", "value").unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 0, "{name}");
    }
    let error = Sqlite::open("", Durability::Full).unwrap_err();
    assert!(told(&error).contains("failed to open a store at"), "{}", told(&error));
}

#[test]
fn in_memory_every_store_is_its_own() {
    let (one, other) = (Sqlite::in_memory().unwrap(), Sqlite::in_memory().unwrap());
    put(&one, "team/x", "value").unwrap();
    assert_eq!(keys(&one, "team"), ["team/x"]);
    assert_eq!(keys(&other, "team"), [""; 0]);
    let promises = one.promises();
    assert!(!promises.survives_restart && !promises.shared_between_processes);
    assert!(promises.atomic_batches);
}
