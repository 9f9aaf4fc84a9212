//! `kill -9` at a random moment: what was acknowledged is there, the rest is old or new, references
//! lead to content, and nothing is left lying about.

use std::path::Path;

use larder::storage::Durability;
use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;

use crate::help::{child_home, key, keys, open, put, text};
use crate::killed::{Crash, nested, pages, survive, write_until_killed};
use crate::layout::{files_in_making, names_in};

#[test]
fn acknowledged_batches_survive_kill_9() {
    survive("crash::writing_child", check);
}

/// What must be so after a crash.
fn check(path: &Path, crash: &mut Crash) {
    let disk = open(path);
    assert_eq!(files_in_making(path), 0, "{}", crash.context);
    assert_eq!(names_in(&path.join(".larder/tmp")), [""; 0], "{}", crash.context);
    for slot in Crash::slots() {
        // A reference leads to its content, all of it.
        if let Some(turn) = crash.turn_of(&disk, &slot) {
            for name in nested(&slot, &turn) {
                let found = text(&disk, &name).unwrap();
                assert_eq!(found, Some(pages(&turn)), "{}: {name}", crash.context);
            }
        }
    }
    for name in keys(&disk, "team") {
        let size = disk.stat(&key(&name)).unwrap().unwrap().size.bytes();
        let found = disk.get(&key(&name)).unwrap().unwrap().bytes;
        assert_eq!(found.len() as u64, size, "{}", crash.context);
    }
    put(&disk, "team/after", &crash.context).unwrap();
}

#[test]
#[ignore = "a part of acknowledged_batches_survive_kill_9"]
fn writing_child() {
    let Some(home) = child_home() else { return };
    write_until_killed(&Disk::open(home, Durability::Full).unwrap(), nested, pages);
}
