//! Listings, beside the memory store as the model.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use larder::storage::blocking::BlockingStorage;
use larder::storage::memory::Memory;
use larder::storage::{Batch, Cursor, Depth, Expect, List, Storage};

use crate::help::{Dice, Home, announce, delete, key, keys, namespace, open, page, put};

/// Names that collide, precede and follow each other, in two levels and three.
const NAMES: [&str; 6] = ["a", "a-b", "a.b", "a0", "A", "é"];

#[test]
fn random_writes_and_listings_agree_with_memory() {
    for seed in 1..=6 {
        let (home, memory) = (Home::new(), Memory::new());
        let mut dice = Dice(seed * 0x9e37_79b9);
        for turn in 0..120 {
            let batch = random_batch(&mut dice, turn, &home);
            let (ours, models) = (home.disk.apply(batch.clone()), now(memory.apply(batch.clone())));
            assert_eq!(ours.is_ok(), models.is_ok(), "seed {seed}: {batch:?}: {ours:?}");
            for change in batch.steps().iter().flatten() {
                let (ours, model) = (home.disk.get(change.key()), now(memory.get(change.key())));
                assert_eq!(
                    ours.unwrap().map(|object| object.bytes),
                    model.unwrap().map(|object| object.bytes),
                    "seed {seed}: {batch:?}"
                );
            }
            let query = random_query(&mut dice);
            let (ours, model) = (home.disk.list(query.clone()), now(memory.list(query.clone())));
            let (ours, model) = (ours.unwrap(), model.unwrap());
            assert_eq!(ours.entries, model.entries, "seed {seed}: {query:?}");
            assert_eq!(ours.folders, model.folders, "seed {seed}: {query:?}");
            assert_eq!(ours.next, model.next, "seed {seed}: {query:?}");
            assert_eq!(home.disk.namespaces().unwrap(), now(memory.namespaces()).unwrap());
        }
    }
}

fn random_name(dice: &mut Dice) -> String {
    let path: Vec<_> = (0..=dice.below(4)).map(|_| NAMES[dice.below(NAMES.len())]).collect();
    format!("{}/{}", ["t", "t-b"][dice.below(2)], path.join("/"))
}

/// Conditions only of a kind that both stores see the same way: versions are each store's own.
fn random_batch(dice: &mut Dice, turn: u64, home: &Home) -> Batch {
    let first = key(&random_name(dice));
    let mut batch = Batch::new(&first.namespace());
    let mut used: Vec<String> = Vec::new();
    for _ in 0..=dice.below(4) {
        let key = key(&random_name(dice));
        if key.namespace() != first.namespace() || used.contains(&key.to_string()) {
            continue;
        }
        used.push(key.to_string());
        // A false expectation only alone, since what is left of a refused batch may differ.
        let is_there = home.disk.stat(&key).unwrap().is_some();
        match dice.below(5) {
            0 | 1 => batch.put(key, format!("{turn}")),
            2 if !is_there => batch.put_if(key, format!("{turn}"), Expect::Absent),
            2 => batch.put(key, "again"),
            _ => batch.delete(key),
        }
    }
    batch
}

fn random_query(dice: &mut Dice) -> List {
    let namespace = namespace(["t", "t-b"][dice.below(2)]);
    let folder = key(&random_name(dice));
    let prefix = match (dice.below(3), namespace.everything().child_towards(&folder)) {
        (0, Some(folder)) => folder,
        _ => namespace.everything(),
    };
    let other = key(&random_name(dice));
    let after = match (dice.below(3), namespace.everything().child_towards(&other)) {
        (0, _) => Some(Cursor::Key(other)),
        (1, Some(folder)) => Some(Cursor::Folder(folder)),
        _ => None,
    };
    let depth = if dice.below(2) == 0 { Depth::All } else { Depth::Children };
    List { prefix, depth, after, limit: NonZeroUsize::new(dice.below(5) + 1).unwrap() }
}

/// The memory store never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store waits"),
    }
}

#[test]
fn order_is_of_whole_keys() {
    let home = Home::new();
    for name in ["t/a/b", "t/a-b", "t/a", "t/a.b", "t/a0", "t/a/b-", "t/a/b/c"] {
        home.put(name, "");
    }
    let expected = ["t/a", "t/a-b", "t/a.b", "t/a/b", "t/a/b-", "t/a/b/c", "t/a0"];
    assert_eq!(keys(&home.disk, "t"), expected);
    let children = page(&home.disk, "t", "", Depth::Children);
    assert_eq!(children.entries.len(), 4);
    assert_eq!(children.folders.len(), 1);
}

/// On the file system of the temporary folder, and on tmpfs, where a replaced name moves.
#[test]
fn listings_beside_writers_are_complete() {
    let memory_disk = std::path::Path::new("/dev/shm");
    complete_beside_writers(tempfile::tempdir().unwrap());
    match tempfile::tempdir_in(memory_disk) {
        Ok(dir) => complete_beside_writers(dir),
        Err(_) => announce("listings beside writers on tmpfs: there is no /dev/shm"),
    }
}

fn complete_beside_writers(dir: tempfile::TempDir) {
    const STABLE: usize = 2000;
    let disk = open(dir.path());
    let mut batch = Batch::new(&namespace("t"));
    for number in 0..STABLE {
        batch.put(key(&format!("t/many/k{number:04}")), "0");
    }
    disk.apply(batch).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (disk, done) = (&disk, &done);
            scope.spawn(move || {
                let mut dice = Dice(7 + writer);
                while !done.load(Ordering::Relaxed) {
                    let number = dice.below(STABLE);
                    put(disk, &format!("t/many/k{number:04}"), "again").unwrap();
                    put(disk, &format!("t/many/passing{number}"), "").unwrap();
                    delete(disk, &format!("t/many/passing{number}")).unwrap();
                }
            });
        }
        let other = open(dir.path());
        for _ in 0..8 {
            let query = List {
                prefix: namespace("t").everything(),
                depth: Depth::All,
                after: None,
                limit: NonZeroUsize::new(STABLE * 2).unwrap(),
            };
            let page = other.list(query).unwrap();
            let found: Vec<_> =
                page.entries.iter().filter(|entry| entry.key.name().starts_with('k')).collect();
            let sorted = page.entries.is_sorted_by(|a, b| a.key < b.key);
            if found.len() != STABLE || !sorted {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(found.len(), STABLE);
            assert!(sorted, "order, and no key twice");
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_page_does_not_read_the_whole_store() {
    let home = Home::new();
    for folder in 0..30 {
        home.put(&format!("t/f{folder:02}/x"), "");
    }
    // A folder that no page may open: reading a file as a folder is no error, a link is.
    std::os::unix::fs::symlink("/nowhere", home.file("t/f20/trap")).unwrap();
    std::fs::remove_file(home.file("t/f20/trap")).unwrap();
    std::fs::remove_dir_all(home.file("t/f20")).unwrap();
    std::os::unix::fs::symlink("/nowhere", home.file("t/f20")).unwrap();
    let query = |after: Option<&str>, limit| List {
        prefix: namespace("t").everything(),
        depth: Depth::All,
        after: after.map(|name| Cursor::Key(key(name))),
        limit: NonZeroUsize::new(limit).unwrap(),
    };
    let page = home.disk.list(query(None, 5)).unwrap();
    assert_eq!(page.entries.len(), 5);
    let page = home.disk.list(query(Some("t/f25/x"), 50)).unwrap();
    assert_eq!(page.entries.len(), 4, "f26 to f29; what lies before the cursor is not entered");
}
