//! `kill -9` at a random moment, checkpoints included: what was acknowledged is there, a batch is there
//! as a whole or not at all, and the archive is sound for other readers all the time.
//!
//! `LARDER_KILLS` says how often (10 by itself).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use larder::storage::Durability;
use larder::storage::blocking::BlockingStorage;
use larder::storage::zip::Zip;

use crate::help::{
    Dice, archive, batch_of, child, child_home, files, key, keys, members, open, put, say, text,
};

const SLOTS: usize = 8;

#[test]
fn acknowledged_batches_survive_kill_9() {
    let kills = std::env::var("LARDER_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let seed = std::process::id().into();
    let mut dice = Dice(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..kills {
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
                    attempts.insert(slot.clone(), turn.clone());
                }
                [word, slot, turn] if word == "done" => {
                    attempts.remove(slot);
                    acknowledged.insert(slot.clone(), turn.clone());
                }
                _ => {}
            }
        }
        killer.join().unwrap();
        if archive(dir.path()).metadata().is_ok_and(|found| found.len() > 0) {
            members(&archive(dir.path()));
        }
        let context = format!("seed {seed}, kill {round}, {:?}", files(dir.path()));
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
    let store = open(path);
    for slot in (0..SLOTS).map(|slot| slot.to_string()) {
        let reference = text(&store, &format!("team/refs/{slot}")).unwrap();
        let (old, new) = (acknowledged.get(&slot), attempts.get(&slot));
        assert!(
            reference.as_ref() == old || (new.is_some() && reference.as_ref() == new),
            "{context}: slot {slot} was {old:?} and perhaps {new:?}, is {reference:?}"
        );
        let content = keys(&store, "team")
            .into_iter()
            .filter(|name| name.starts_with(&format!("team/data/{slot}/")))
            .collect::<Vec<_>>();
        match reference {
            Some(turn) => {
                assert_eq!(content, names(&slot, &turn), "{context}: all of a batch");
                for name in content {
                    let found = text(&store, &name).unwrap();
                    assert_eq!(found, Some(value(&turn)), "{context}: {name}");
                }
                acknowledged.insert(slot, turn);
            }
            None => assert!(content.is_empty(), "{context}: a part of a batch"),
        }
    }
    put(&store, "team/after", context).unwrap();
    // Left by a crash as well, now and then, so that the next one meets a journal.
    if context.len().is_multiple_of(2) {
        store.checkpoint().unwrap();
    }
}

fn names(slot: &str, turn: &str) -> Vec<String> {
    let folder = format!("team/data/{slot}/{turn}");
    vec![folder.clone(), format!("{folder}/a"), format!("{folder}/b")]
}

fn value(turn: &str) -> String {
    let mut dice = Dice(turn.parse::<u64>().unwrap() + 1);
    dice.noise(3000)
}

#[test]
#[ignore = "a part of acknowledged_batches_survive_kill_9"]
fn writing_child() {
    let Some(home) = child_home() else { return };
    let seed: u64 = std::env::var("LARDER_TEST_SEED").unwrap().parse().unwrap();
    let durability = if seed.is_multiple_of(2) { Durability::Full } else { Durability::Relaxed };
    let store = Zip::open(archive(&home), durability).unwrap();
    let mut dice = Dice(seed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(3));
                store.checkpoint().unwrap();
            }
        });
        loop {
            let slot = dice.below(SLOTS).to_string();
            let turn = dice.below(1_000_000).to_string();
            let before = text(&store, &format!("team/refs/{slot}")).unwrap();
            say(&format!("begin {slot} {turn}"));
            let mut batch = batch_of("team/x");
            for name in names(&slot, &turn) {
                batch.put(key(&name), value(&turn));
            }
            batch.then();
            batch.put(key(&format!("team/refs/{slot}")), turn.clone());
            batch.then();
            if let Some(before) = before.filter(|before| *before != turn) {
                for name in names(&slot, &before) {
                    batch.delete(key(&name));
                }
            }
            store.apply(batch).unwrap();
            say(&format!("done {slot} {turn}"));
        }
    });
}
