//! Several threads, handles, processes and programs on one file.

use std::path::Path;

use larder::storage::blocking::BlockingStorage;
use larder::storage::sqlite::Sqlite;
use larder::storage::{Error, Expect};

use crate::help::{Home, child, child_home, key, keys, open, put, put_if, text};

/// Adds one to a number in the store, however often it takes.
fn increment(store: &Sqlite, name: &str) {
    loop {
        let (value, expect) = match store.get(&key(name)).unwrap() {
            Some(object) => {
                let count: u64 = std::str::from_utf8(&object.bytes).unwrap().parse().unwrap();
                (count + 1, Expect::At(object.version))
            }
            None => (1, Expect::Absent),
        };
        match put_if(store, name, &value.to_string(), expect) {
            Ok(()) => return,
            Err(Error::Conflict { key }) => assert_eq!(key.as_str(), name),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_increment_is_lost_between_threads_and_handles() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let home = &home;
            scope.spawn(move || {
                let own = open(home.dir.path());
                let store = if thread % 2 == 0 { &home.store } else { &own };
                for _ in 0..40 {
                    increment(store, "team/count");
                }
            });
        }
    });
    assert_eq!(home.text("team/count").as_deref(), Some("240"));
}

#[test]
fn no_increment_is_lost_between_processes() {
    let home = Home::new();
    let processes: Vec<_> = (0..3)
        .map(|_| child("sharing::incrementing_child", home.dir.path()).spawn().unwrap())
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(home.text("team/count").as_deref(), Some("150"));
}

#[test]
#[ignore = "a part of no_increment_is_lost_between_processes"]
fn incrementing_child() {
    let Some(home) = child_home() else { return };
    let store = open(Path::new(&home));
    for _ in 0..50 {
        increment(&store, "team/count");
    }
}

/// Another program keeps the database to itself: writing gives up after a while and says so, and
/// reading goes on all the time.
#[test]
fn a_lock_that_is_never_given_back_is_trouble_and_not_absence() {
    let home = Home::new();
    home.put("team/x", "value");
    let raw = home.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|name| {
                let store = &home.store;
                scope.spawn(move || put_if(store, &format!("team/{name}"), "new", Expect::Any))
            })
            .collect();
        assert_eq!(home.text("team/x").as_deref(), Some("value"));
        assert_eq!(home.keys(), ["team/x"]);
        for writer in writers {
            let answer = writer.join().unwrap();
            assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
        }
    });
    raw.execute_batch("ROLLBACK").unwrap();
    home.put("team/x", "new");
    assert_eq!(home.keys(), ["team/x"]);
}

/// What another program writes is there at once, also while it has the file open.
#[test]
fn the_python_service_may_write_at_the_same_time() {
    let home = Home::new();
    let raw = home.raw();
    for turn in 0..20 {
        let sql = "INSERT INTO memory_fs_files (path, data, created_at, updated_at) \
             VALUES (?1, ?2, 1, 1)";
        let theirs = format!("team/theirs/{turn}");
        raw.execute(sql, rusqlite::params![theirs, b"theirs"]).unwrap();
        assert_eq!(home.text(&theirs).as_deref(), Some("theirs"));
        let mine = format!("team/mine/{turn}");
        home.put(&mine, "mine");
        let sql = "SELECT count(*) FROM memory_fs_files";
        let count: i64 = raw.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, (turn + 1) * 2);
    }
}

/// Opening changes how the file is written to, which only one can do at a time.
#[test]
fn many_open_a_new_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let path = dir.path();
            scope.spawn(move || put(&open(path), &format!("team/{thread:02}"), "value").unwrap());
        }
    });
    let store = open(dir.path());
    assert_eq!(keys(&store, "team").len(), 12);
    assert_eq!(text(&store, "team/11").unwrap().as_deref(), Some("value"));
}
