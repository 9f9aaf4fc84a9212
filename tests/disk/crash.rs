//! `kill -9` at a random moment: what was acknowledged is there, the rest is old or new, references
//! lead to content, and nothing is left lying about.
//!
//! `LARDER_KILLS` says how often (10 by itself).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use larder::storage::Durability;
use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;

use crate::help::{Dice, batch_of, child, child_home, key, keys, open, put, say, text};
use crate::layout::{files_in_making, names_in};

const SLOTS: usize = 8;

#[test]
fn acknowledged_batches_survive_kill_9() {
    let kills = std::env::var("LARDER_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let seed = std::process::id().into();
    let mut dice = Dice(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..kills {
        let (mut mid_batch, mut started) = (false, false);
        let mut process = child("crash::writing_child", dir.path())
            .env("LARDER_TEST_SEED", (seed + round).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let delay = Duration::from_micros(dice.below(60_000) as u64 + 10_000);
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(delay);
            process.kill().unwrap();
            process.wait().unwrap();
        });
        let mut attempts = BTreeMap::new();
        for line in lines {
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            match &words[..] {
                [word, slot, turn] if word == "begin" => {
                    (mid_batch, started) = (true, true);
                    attempts.insert(slot.clone(), turn.clone());
                }
                [word, slot, turn] if word == "done" => {
                    mid_batch = false;
                    attempts.remove(slot);
                    acknowledged.insert(slot.clone(), turn.clone());
                }
                _ => {}
            }
        }
        killer.join().unwrap();
        let cut = if mid_batch { "in a batch" } else { "between batches" };
        let context = format!("seed {seed}, kill {round} {cut}, started: {started}");
        check(dir.path(), &mut acknowledged, &attempts, &context);
    }
}

/// What must be so after a crash; takes over what turned out to have been written.
fn check(
    path: &Path,
    acknowledged: &mut BTreeMap<String, String>,
    attempts: &BTreeMap<String, String>,
    context: &str,
) {
    let disk = open(path);
    assert_eq!(files_in_making(path), 0, "{context}");
    assert_eq!(names_in(&path.join(".larder/tmp")), [""; 0], "{context}");
    for slot in (0..SLOTS).map(|slot| slot.to_string()) {
        let reference = text(&disk, &format!("team/refs/{slot}")).unwrap();
        let (old, new) = (acknowledged.get(&slot), attempts.get(&slot));
        assert!(
            reference.as_ref() == old || (new.is_some() && reference.as_ref() == new),
            "{context}: slot {slot} was {old:?} and perhaps {new:?}, is {reference:?}"
        );
        // A reference leads to its content, all of it.
        if let Some(turn) = reference {
            for name in content(&slot, &turn) {
                let found = text(&disk, &name).unwrap();
                assert_eq!(found, Some(value(&turn)), "{context}: {name}");
            }
            acknowledged.insert(slot, turn);
        }
    }
    for name in keys(&disk, "team") {
        let size = disk.stat(&key(&name)).unwrap().unwrap().size.bytes();
        assert_eq!(disk.get(&key(&name)).unwrap().unwrap().bytes.len() as u64, size, "{context}");
    }
    put(&disk, "team/after", context).unwrap();
}

/// Three files of one turn, two of which are a file and a folder of one name, with the content of
/// other slots beside and below them.
fn content(slot: &str, turn: &str) -> [String; 3] {
    let folder = format!("team/data/{turn}/{slot}");
    [format!("{folder}/a"), format!("{folder}/a/b"), folder]
}

fn value(turn: &str) -> String {
    format!("{turn} ").repeat(2000)
}

#[test]
#[ignore = "a part of acknowledged_batches_survive_kill_9"]
fn writing_child() {
    let Some(home) = child_home() else { return };
    let disk = Disk::open(home, Durability::Full).unwrap();
    let seed: u64 = std::env::var("LARDER_TEST_SEED").unwrap().parse().unwrap();
    let mut dice = Dice(seed);
    loop {
        let slot = dice.below(SLOTS).to_string();
        let turn = dice.below(1_000_000).to_string();
        let before = text(&disk, &format!("team/refs/{slot}")).unwrap();
        say(&format!("begin {slot} {turn}"));
        let mut batch = batch_of("team/x");
        for name in content(&slot, &turn) {
            batch.put(key(&name), value(&turn));
        }
        batch.then();
        batch.put(key(&format!("team/refs/{slot}")), turn.clone());
        batch.then();
        if let Some(before) = before.filter(|before| *before != turn) {
            for name in content(&slot, &before) {
                batch.delete(key(&name));
            }
        }
        disk.apply(batch).unwrap();
        say(&format!("done {slot} {turn}"));
    }
}
