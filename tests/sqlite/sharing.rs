//! Several threads, handles, processes and programs on one file.

use larder::storage::{Error, Expect};

use crate::counting;
use crate::help::{Home, open, put_if};

#[test]
fn no_increment_is_lost_between_threads_and_handles() {
    let dir = tempfile::tempdir().unwrap();
    counting::by_threads_and_handles(dir.path(), open);
}

#[test]
fn no_increment_is_lost_between_processes() {
    let dir = tempfile::tempdir().unwrap();
    counting::by_processes(dir.path(), open);
}

#[test]
#[ignore = "a part of no_increment_is_lost_between_processes"]
fn incrementing_child() {
    counting::in_child(open);
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
    counting::many_open_at_once(dir.path(), open);
}
