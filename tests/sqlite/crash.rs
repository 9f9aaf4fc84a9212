//! `kill -9` at a random moment: what was acknowledged is there, the rest is all there or not at all.

use std::path::Path;

use larder::storage::Durability;
use larder::storage::sqlite::Sqlite;

use crate::help::{child_home, file, files, keys, open, put, text};
use crate::killed::{Crash, nested, pages, reference, survive, write_until_killed};

#[test]
fn acknowledged_batches_survive_kill_9() {
    survive("crash::writing_child", check);
}

/// What must be so after a crash.
fn check(path: &Path, crash: &mut Crash) {
    let store = open(path);
    let mut expected = vec!["team/after".to_owned()];
    put(&store, "team/after", &crash.context).unwrap();
    for slot in Crash::slots() {
        if let Some(turn) = crash.turn_of(&store, &slot) {
            for name in nested(&slot, &turn) {
                let found = text(&store, &name).unwrap();
                assert_eq!(found, Some(pages(&turn)), "{}: {name}", crash.context);
                expected.push(name);
            }
            expected.push(reference(&slot));
        }
    }
    // A batch is there or not: nothing of an attempt, or of what it replaced, is left.
    expected.sort();
    assert_eq!(keys(&store, "team"), expected, "{}", crash.context);
    drop(store);
    assert_eq!(files(path), ["cache.sqlite"], "{}", crash.context);
}

#[test]
#[ignore = "a part of acknowledged_batches_survive_kill_9"]
fn writing_child() {
    let Some(home) = child_home() else { return };
    write_until_killed(&Sqlite::open(file(&home), Durability::Full).unwrap(), nested, pages);
}
