//! A disk without room: the error says so, the old values stay, and all works when there is room.

use std::fs;

use larder::storage::blocking::BlockingStorage;
use larder::storage::sqlite::Sqlite;
use larder::storage::{Durability, Error};

use crate::help::{
    SmallDisk, announce, batch_of, child_home, delete, file, key, keys, limited_child, put, say,
    text,
};

#[test]
fn a_full_disk_says_so_and_keeps_what_it_has() {
    let Some(small) = SmallDisk::mount("4m") else {
        announce(
            "a disk that is really full: only root can mount a small one; \
             the limit on file sizes stands in for it",
        );
        return;
    };
    // What else lies on the disk, and is taken away in the end.
    let ballast = small.path().join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let store = Sqlite::open(file(small.path()), Durability::Full).unwrap();
    put(&store, "team/old", "old").unwrap();
    put(&store, "team/big", &"x".repeat(200_000)).unwrap();

    for _ in 0..5 {
        let mut batch = batch_of("team/x");
        batch.put(key("team/old"), "new");
        batch.put(key("team/fits/in"), "y");
        batch.then();
        batch.put(key("team/too/big"), "x".repeat(5_000_000));
        match store.apply(batch) {
            Err(Error::Full { backend: "sqlite", needed }) => assert_eq!(needed, 5_000_004),
            other => panic!("{other:?}"),
        }
        assert_eq!(text(&store, "team/old").unwrap().as_deref(), Some("old"));
        assert_eq!(keys(&store, "team"), ["team/big", "team/old"]);
    }

    let fill = |from: usize| {
        let mut kept = from;
        loop {
            match put(&store, &format!("team/many/{kept:05}"), &"z".repeat(4096)) {
                Ok(()) => kept += 1,
                Err(Error::Full { .. }) => return kept,
                Err(other) => panic!("{other:?}"),
            }
        }
    };
    // Everything that the refused batches took was given back, so there is room for many.
    let kept = fill(0);
    assert!(kept > 100, "{kept}");
    assert_eq!(keys(&store, "team").len(), kept + 2);
    let last = format!("team/many/{:05}", kept - 1);
    assert_eq!(text(&store, &last).unwrap(), Some("z".repeat(4096)));

    // Room is made by someone else.
    fs::remove_file(&ballast).unwrap();
    put(&store, "team/old", &"n".repeat(100_000)).unwrap();
    delete(&store, "team/big").unwrap();
    let before = keys(&store, "team").len();
    drop(store);
    let again = Sqlite::open(file(small.path()), Durability::Full).unwrap();
    assert_eq!(keys(&again, "team").len(), before);
    assert_eq!(text(&again, "team/old").unwrap().unwrap().len(), 100_000);
    assert_eq!(text(&again, &last).unwrap(), Some("z".repeat(4096)));
}

/// Needs no privilege, but is no full disk: the system refuses to let a file grow.
#[test]
fn a_value_that_the_system_cuts_off_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let limit = "trap '' XFSZ; ulimit -f 1024";
    let output = limited_child(limit, "full::cut_off_child", dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("cut off: all seen"), "{output:?}");
}

#[test]
#[ignore = "a part of a_value_that_the_system_cuts_off_is_refused_whole"]
fn cut_off_child() {
    let Some(home) = child_home() else { return };
    let store = Sqlite::open(file(&home), Durability::Full).unwrap();
    put(&store, "team/x", "old").unwrap();
    let too_big = "x".repeat(4 << 20);
    for _ in 0..3 {
        assert!(put(&store, "team/x", &too_big).is_err());
        assert!(put(&store, "team/new/y", &too_big).is_err());
        assert_eq!(keys(&store, "team"), ["team/x"]);
        assert_eq!(text(&store, "team/x").unwrap().as_deref(), Some("old"));
    }
    put(&store, "team/x", "new").unwrap();
    drop(store);
    let again = Sqlite::open(file(&home), Durability::Full).unwrap();
    assert_eq!(text(&again, "team/x").unwrap().as_deref(), Some("new"));
    say("cut off: all seen");
}
