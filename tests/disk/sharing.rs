//! Several threads, handles and processes on one store.

use std::collections::BTreeMap;
use std::path::Path;

use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;
use larder::storage::{Durability, Error, Expect};

use crate::counting;
use crate::help::{Dice, Home, batch_of, delete, key, open, put, put_if, text, version};
use crate::layout::{files_in_making, names_in};

#[test]
fn no_increment_is_lost_between_threads_and_handles() {
    let dir = tempfile::tempdir().unwrap();
    counting::by_threads_and_handles(dir.path(), open);
}

#[test]
fn no_increment_is_lost_between_processes() {
    let dir = tempfile::tempdir().unwrap();
    counting::by_processes(dir.path(), open);
    assert_eq!(names_in(&dir.path().join(".larder/tmp")), [""; 0], "all have tidied up");
}

#[test]
#[ignore = "a part of no_increment_is_lost_between_processes"]
fn incrementing_child() {
    counting::in_child(|home| Disk::open(home, Durability::Full).unwrap());
}

#[test]
fn one_of_many_creates() {
    for round in 0..20 {
        let home = Home::new();
        let name = format!("team/deep/{round}");
        let wins: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4)
                .map(|racer: usize| {
                    let (home, name) = (&home, &name);
                    scope.spawn(move || {
                        let created = put_if(&home.disk, name, &racer.to_string(), Expect::Absent);
                        usize::from(created.is_ok())
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(wins, 1);
    }
}

/// Writers and deleters of keys that are each other's folders, on the same names, from two handles;
/// each key has one writer, who always knows what must be there.
#[test]
fn folders_that_come_and_go_lose_no_write() {
    let names = ["t/a", "t/a/b", "t/a/b/c", "t/a/b/c/d", "t/a/b-", "t/a/x/y"];
    let home = Home::new();
    std::thread::scope(|scope| {
        for (number, name) in names.into_iter().enumerate() {
            let path = home.dir.path();
            scope.spawn(move || come_and_go(path, name, number as u64 + 1));
        }
    });
    let mut last = BTreeMap::new();
    for name in names {
        last.insert(name, home.text(name));
    }
    for name in names {
        home.delete(name);
    }
    assert!(last.values().all(Option::is_some), "{last:?}");
    assert_eq!(names_in(home.dir.path()), [".larder"]);
    assert_eq!(files_in_making(home.dir.path()), 0);
}

fn come_and_go(path: &Path, name: &str, seed: u64) {
    let disk = open(path);
    let mut dice = Dice(seed);
    for turn in 0..250 {
        if dice.below(2) == 0 {
            put(&disk, name, &format!("{turn}")).unwrap();
            assert_eq!(text(&disk, name).unwrap(), Some(format!("{turn}")), "{name}");
        } else {
            delete(&disk, name).unwrap();
            assert_eq!(text(&disk, name).unwrap(), None, "{name}");
        }
    }
    put(&disk, name, "last").unwrap();
}

#[test]
fn readers_see_whole_values() {
    let home = Home::new();
    let value = |letter: char| String::from(letter).repeat(200_000);
    home.put("team/x", &value('a'));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for letter in ('a'..='z').cycle().take(60) {
                home.put("team/x", &value(letter));
            }
        });
        while !writer.is_finished() {
            let text = home.text("team/x").unwrap();
            assert_eq!(text.len(), 200_000);
            assert!(text.bytes().all(|byte| byte == text.as_bytes()[0]));
        }
    });
}

#[test]
fn a_conflict_names_its_key_and_stops_there() {
    let home = Home::new();
    home.put("team/guarded", "1");
    let stale = version(&home.disk, "team/guarded");
    home.put("team/guarded", "2");
    let mut batch = batch_of("team/x");
    batch.put(key("team/with it"), "no");
    batch.put_if(key("team/guarded"), "3", Expect::At(stale));
    batch.then();
    batch.put(key("team/later"), "no");
    match home.disk.apply(batch) {
        Err(Error::Conflict { key }) => assert_eq!(key.as_str(), "team/guarded"),
        other => panic!("{other:?}"),
    }
    assert_eq!(home.keys(), ["team/guarded"]);
    assert_eq!(files_in_making(home.dir.path()), 0);
}

#[test]
fn many_handles_open_at_once() {
    let dir = tempfile::tempdir().unwrap();
    counting::many_open_at_once(&dir.path().join("new"), open);
}
