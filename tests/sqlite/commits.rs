//! Batches that wait share a transaction. Counted in the log, where every commit leaves a mark.

use std::fs;
use std::thread;

use larder::storage::blocking::BlockingStorage;
use larder::storage::{Error, Expect};

use crate::help::{Home, batch_of, file, key, put};

/// The commits in the log: frames that say how large the database is after them.
fn commits(home: &Home) -> usize {
    let mut name = file(home.dir.path()).into_os_string();
    name.push("-wal");
    let log = fs::read(name).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = 24 + number(8) as usize;
    (32..log.len())
        .step_by(frame)
        .filter(|at| log[at + 8..at + 16] == log[16..24] && number(at + 4) != 0)
        .count()
}

/// Holds everyone up until `count` batches are under way, then lets go.
fn at_once(home: &Home, count: usize, write: impl Fn(usize) -> Result<(), Error> + Sync) {
    let raw = home.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        for number in 0..count {
            let write = &write;
            scope.spawn(move || write(number).unwrap());
        }
        // One is being tried, all others wait.
        while home.store.waiting() < count - 1 {
            thread::yield_now();
        }
        raw.execute_batch("ROLLBACK").unwrap();
    });
}

#[test]
fn those_who_wait_share_a_commit() {
    let home = Home::new();
    home.put("team/first", "value");
    let before = commits(&home);
    at_once(&home, 20, |number| put(&home.store, &format!("team/{number:02}"), "value"));
    assert_eq!(commits(&home) - before, 2, "the first by itself, then all others");
    assert_eq!(home.keys().len(), 21);
}

#[test]
fn one_at_a_time_is_a_commit_each() {
    let home = Home::new();
    home.put("team/first", "value");
    let before = commits(&home);
    for number in 0..5 {
        home.put(&format!("team/{number}"), "value");
    }
    assert_eq!(commits(&home) - before, 5);
}

/// A batch that is refused takes nothing of its group with it, and leaves nothing of its own, also
/// of steps before the one that failed.
#[test]
fn a_refused_batch_does_not_harm_those_beside_it() {
    let home = Home::new();
    home.put("team/taken", "value");
    let before = commits(&home);
    at_once(&home, 12, |number| {
        if number % 3 != 0 {
            return put(&home.store, &format!("team/{number:02}"), "value");
        }
        let mut batch = batch_of("team/x");
        batch.put(key(&format!("team/refused/{number}")), "value");
        batch.delete(key("team/taken"));
        batch.then();
        batch.put_if(key("team/guarded"), "value", Expect::At("no".into()));
        match home.store.apply(batch) {
            Err(Error::Conflict { key }) => assert_eq!(key.as_str(), "team/guarded"),
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    assert!(commits(&home) - before <= 2);
    assert_eq!(home.keys().len(), 9);
    assert_eq!(home.text("team/taken").as_deref(), Some("value"));
}

/// Of those who wait to create a key one does, though they share a transaction.
#[test]
fn expectations_hold_within_a_group() {
    let home = Home::new();
    home.put("team/first", "value");
    let created = std::sync::atomic::AtomicUsize::new(0);
    at_once(&home, 10, |number| {
        let mut batch = batch_of("team/x");
        batch.put_if(key("team/one"), number.to_string(), Expect::Absent);
        match home.store.apply(batch) {
            Ok(()) => {
                created.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            Err(Error::Conflict { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        Ok(())
    });
    assert_eq!(created.into_inner(), 1);
}
