//! `a/b` and `a/b/c` side by side: a file and a folder of one name.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::storage::blocking::BlockingStorage;
use larder::storage::{Depth, Expect};

use crate::help::{Home, batch_of, delete, key, keys, open, page, put, put_if, text, version};
use crate::layout::{files_in_making, names_in};

#[test]
fn value_first_or_folder_first() {
    for names in [["team/a/b", "team/a/b/c"], ["team/a/b/c", "team/a/b"]] {
        let home = Home::new();
        for name in names {
            home.put(name, name);
        }
        for disk in [&home.disk, &open(home.dir.path())] {
            for name in names {
                assert_eq!(text(disk, name).unwrap().as_deref(), Some(name));
                assert_eq!(disk.stat(&key(name)).unwrap().unwrap().size.bytes(), name.len() as u64);
            }
            assert_eq!(keys(disk, "team"), ["team/a/b", "team/a/b/c"]);
        }
        let folder = page(&home.disk, "team", "a", Depth::Children);
        assert_eq!(folder.entries.len(), 1, "the value b");
        assert_eq!(folder.folders.len(), 1, "the folder b");
        assert_eq!(folder.entries[0].size, "team/a/b".len() as u64);
        assert_eq!(files_in_making(home.dir.path()), 0);
    }
}

#[test]
fn the_value_is_plain_again_when_the_folder_is_empty() {
    let home = Home::new();
    home.put("team/a/b", "value");
    home.put("team/a/b/c/d", "below");
    home.put("team/a/b/e", "below");
    home.delete("team/a/b/c/d");
    assert_eq!(home.text("team/a/b").as_deref(), Some("value"));
    home.delete("team/a/b/e");
    assert_eq!(fs::read_to_string(home.file("team/a/b")).unwrap(), "value");
    assert_eq!(names_in(&home.file("team/a")), ["b"]);
    assert_eq!(files_in_making(home.dir.path()), 0);
}

#[test]
fn the_folder_stays_when_the_value_goes() {
    let home = Home::new();
    home.put("team/a/b", "value");
    home.put("team/a/b/c", "below");
    home.delete("team/a/b");
    assert_eq!(home.text("team/a/b"), None);
    assert_eq!(home.keys(), ["team/a/b/c"]);
    assert_eq!(names_in(&home.file("team/a/b")), ["c"]);
    assert_eq!(fs::read_to_string(home.file("team/a/b/c")).unwrap(), "below");
}

#[test]
fn a_chain_of_values_each_in_the_next() {
    let home = Home::new();
    let chain: Vec<String> = (1..=6).map(|depth| format!("team{}", "/a".repeat(depth))).collect();
    for (turn, start) in [0, 3, 5, 1, 4, 2].into_iter().enumerate() {
        for step in 0..chain.len() {
            let name = &chain[(start + step * 5) % chain.len()];
            home.put(name, &format!("{turn} {name}"));
        }
        assert_eq!(home.keys(), chain);
        for name in &chain {
            assert_eq!(home.text(name), Some(format!("{turn} {name}")));
        }
        for step in 0..chain.len() {
            let gone = &chain[(start + step) % chain.len()];
            home.delete(gone);
            assert_eq!(home.text(gone), None);
            assert_eq!(home.keys().len(), chain.len() - step - 1);
        }
        assert_eq!(names_in(home.dir.path()), [".larder"]);
    }
}

#[test]
fn expectations_hold_on_both_sides() {
    let home = Home::new();
    home.put("team/a/b/c", "below");
    put_if(&home.disk, "team/a/b", "1", Expect::Absent).unwrap();
    assert!(put_if(&home.disk, "team/a/b", "2", Expect::Absent).is_err());
    let before = version(&home.disk, "team/a/b");
    put_if(&home.disk, "team/a/b", "2", Expect::At(before.clone())).unwrap();
    assert!(put_if(&home.disk, "team/a/b", "3", Expect::At(before)).is_err());
    let now = version(&home.disk, "team/a/b");
    home.delete("team/a/b/c");
    assert_eq!(version(&home.disk, "team/a/b"), now, "folding changes no version");
    home.put("team/a/b/c", "below again");
    put_if(&home.disk, "team/a/b", "3", Expect::At(now)).unwrap();
    assert_eq!(home.text("team/a/b").as_deref(), Some("3"));
}

#[test]
fn one_step_may_do_both() {
    let home = Home::new();
    let mut batch = batch_of("team/x");
    batch.put(key("team/a/b/c"), "below");
    batch.put(key("team/a/b"), "value");
    batch.put(key("team/a"), "above");
    batch.then();
    batch.delete(key("team/a/b"));
    batch.put(key("team/a/b/d"), "beside");
    batch.delete(key("team/a/b/c"));
    batch.then();
    batch.delete(key("team/a"));
    home.disk.apply(batch).unwrap();
    assert_eq!(home.keys(), ["team/a/b/d"]);
    assert_eq!(names_in(&home.file("team/a/b")), ["d"]);
}

#[test]
fn empty_folders_left_by_others_do_not_hide_a_value() {
    let home = Home::new();
    fs::create_dir_all(home.file("team/a/b/data/notes")).unwrap();
    fs::create_dir_all(home.file("team/a/b/more")).unwrap();
    assert_eq!(home.text("team/a/b"), None);
    home.put("team/a/b", "value");
    assert_eq!(fs::read_to_string(home.file("team/a/b")).unwrap(), "value");
}

/// The value stays while its folder comes and goes: each time it moves in and out of the folder.
#[test]
fn readers_never_miss_a_value_that_moves() {
    let home = Home::new();
    home.put("team/a/b", "stays");
    home.put("team/z", "stays too");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let disk = open(home.dir.path());
                    let mut rounds = 0;
                    while !done.load(Ordering::Relaxed) {
                        assert_eq!(text(&disk, "team/a/b").unwrap().as_deref(), Some("stays"));
                        let listed = keys(&disk, "team");
                        assert!(listed.contains(&"team/a/b".to_owned()), "{listed:?}");
                        assert_eq!(listed.last().unwrap(), "team/z");
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        let disk = &home.disk;
        let writers: Vec<_> = ["team/a/b/c", "team/a/b/c/d"]
            .map(|name| {
                scope.spawn(move || {
                    for _ in 0..200 {
                        put(disk, name, "comes and goes").unwrap();
                        delete(disk, name).unwrap();
                    }
                })
            })
            .into();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let rounds: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(rounds > 10, "the readers hardly ran: {rounds}");
    });
    assert_eq!(fs::read_to_string(home.file("team/a/b")).unwrap(), "stays");
    assert_eq!(files_in_making(home.dir.path()), 0);
}
