//! Several threads, handles and processes that count in one store in files.

use std::path::Path;

use larder::storage::blocking::BlockingStorage;
use larder::storage::{Error, Expect};

use crate::stores::{child, child_home, key, keys, put, put_if, text};

const COUNT: &str = "team/count";

/// Adds one to a number in the store, however often it takes.
fn increment(store: &impl BlockingStorage) {
    loop {
        let (value, expect) = match store.get(&key(COUNT)).unwrap() {
            Some(object) => {
                let count: u64 = std::str::from_utf8(&object.bytes).unwrap().parse().unwrap();
                (count + 1, Expect::At(object.version))
            }
            None => (1, Expect::Absent),
        };
        match put_if(store, COUNT, &value.to_string(), expect) {
            Ok(()) => return,
            Err(Error::Conflict { key }) => assert_eq!(key.as_str(), COUNT),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Six threads count, half of them on a handle of their own.
pub(crate) fn by_threads_and_handles<S: BlockingStorage>(path: &Path, open: fn(&Path) -> S) {
    let shared = open(path);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let shared = &shared;
            scope.spawn(move || {
                let own = open(path);
                let store = if thread % 2 == 0 { shared } else { &own };
                for _ in 0..40 {
                    increment(store);
                }
            });
        }
    });
    assert_eq!(text(&shared, COUNT).unwrap().as_deref(), Some("240"));
}

/// Three processes count, each the ignored test `sharing::incrementing_child`.
pub(crate) fn by_processes<S: BlockingStorage>(path: &Path, open: fn(&Path) -> S) {
    let store = open(path);
    let processes: Vec<_> =
        (0..3).map(|_| child("sharing::incrementing_child", path).spawn().unwrap()).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(text(&store, COUNT).unwrap().as_deref(), Some("150"));
}

/// What each of these processes does.
pub(crate) fn in_child<S: BlockingStorage>(open: impl Fn(&Path) -> S) {
    let Some(home) = child_home() else { return };
    let store = open(&home);
    for _ in 0..50 {
        increment(&store);
    }
}

/// Twelve open a store that is not there yet, and each writes.
pub(crate) fn many_open_at_once<S: BlockingStorage>(path: &Path, open: fn(&Path) -> S) {
    std::thread::scope(|scope| {
        for thread in 0..12 {
            scope.spawn(move || put(&open(path), &format!("team/{thread:02}"), "value").unwrap());
        }
    });
    let store = open(path);
    assert_eq!(keys(&store, "team").len(), 12);
    assert_eq!(text(&store, "team/11").unwrap().as_deref(), Some("value"));
}
