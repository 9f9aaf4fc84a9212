//! A disk without room: the error says so, the old values stay, and all works when there is room.

use std::fs;

use larder::storage::Durability;
use larder::storage::sqlite::Sqlite;

use crate::help::{delete, file, keys, put, text};
use crate::roomless::{fill, refuse_too_large, see_cut_off, small_disk, with_cut_off};

#[test]
fn a_full_disk_says_so_and_keeps_what_it_has() {
    let Some(small) = small_disk("4m") else { return };
    // What else lies on the disk, and is taken away in the end.
    let ballast = small.path().join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let store = Sqlite::open(file(small.path()), Durability::Full).unwrap();
    refuse_too_large(&store, "sqlite", &"x".repeat(200_000), &"x".repeat(5_000_000));

    // Everything that the refused batches took was given back, so there is room for many.
    let kept = fill(&store, || "z".repeat(4096));
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

#[test]
fn a_value_that_the_system_cuts_off_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    with_cut_off(1024, dir.path());
}

#[test]
#[ignore = "a part of a_value_that_the_system_cuts_off_is_refused_whole"]
fn cut_off_child() {
    let open = |home: &std::path::Path| Sqlite::open(file(home), Durability::Full).unwrap();
    see_cut_off(open, &"x".repeat(4 << 20));
}
