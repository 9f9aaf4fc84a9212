//! `kill -9` of a process that writes to a store in files, at a random moment, again and again.
//!
//! The process writes slots: three contents of one turn, then a reference to them, then away with the
//! contents of the turn before, all in one batch. `LARDER_KILLS` says how often it is killed (10 by
//! itself).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use larder::storage::blocking::BlockingStorage;
use tempfile::TempDir;

use crate::stores::{Dice, batch_of, child, key, say, text};

const SLOTS: usize = 8;
const SEED: &str = "LARDER_TEST_SEED";

/// What a process wrote by its own account, when it was killed.
pub(crate) struct Crash {
    /// For messages: which of all crashes it was.
    pub(crate) context: String,
    /// The last turn of each slot that was written to the end.
    acknowledged: BTreeMap<String, String>,
    /// The turn that was being written.
    attempt: Option<(String, String)>,
}

impl Crash {
    pub(crate) fn slots() -> impl Iterator<Item = String> {
        (0..SLOTS).map(|slot| slot.to_string())
    }

    /// The turn a slot is at, which is the one acknowledged last or the one being written.
    pub(crate) fn turn_of(&mut self, store: &impl BlockingStorage, slot: &str) -> Option<String> {
        let found = text(store, &reference(slot)).unwrap();
        let old = self.acknowledged.get(slot);
        let new = self.attempt.as_ref().filter(|(tried, _)| tried == slot).map(|(_, turn)| turn);
        let context = &self.context;
        assert!(
            found.as_ref() == old || (new.is_some() && found.as_ref() == new),
            "{context}: slot {slot} was {old:?} and perhaps {new:?}, is {found:?}"
        );
        if let Some(turn) = &found {
            self.acknowledged.insert(slot.to_owned(), turn.clone());
        }
        found
    }
}

/// Runs the ignored test of this name in one folder and kills it, and has the folder looked at, as
/// often as is wanted.
pub(crate) fn survive(writing_child: &str, mut check: impl FnMut(&Path, &mut Crash)) {
    let kills = std::env::var("LARDER_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let seed = u64::from(std::process::id());
    let mut dice = Dice(seed);
    let dir: TempDir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..kills {
        let (mut attempt, mut started) = (None, false);
        let mut process = child(writing_child, dir.path())
            .env(SEED, (seed + round).to_string())
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
        for line in lines {
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            match &words[..] {
                [word, slot, turn] if word == "begin" => {
                    started = true;
                    attempt = Some((slot.clone(), turn.clone()));
                }
                [word, slot, turn] if word == "done" => {
                    attempt = None;
                    acknowledged.insert(slot.clone(), turn.clone());
                }
                _ => {}
            }
        }
        killer.join().unwrap();
        let cut = if attempt.is_some() { "in a batch" } else { "between batches" };
        let context = format!("seed {seed}, kill {round} {cut}, started: {started}");
        let mut crash = Crash { context, acknowledged, attempt };
        check(dir.path(), &mut crash);
        acknowledged = crash.acknowledged;
    }
}

/// The seed of a child that is to be killed.
pub(crate) fn seed() -> u64 {
    std::env::var(SEED).unwrap().parse().unwrap()
}

/// What a child does until it is killed. `content` names the contents of a slot and a turn, `value` is
/// what is in them.
pub(crate) fn write_until_killed(
    store: &impl BlockingStorage,
    content: fn(&str, &str) -> [String; 3],
    value: fn(&str) -> String,
) {
    let mut dice = Dice(seed());
    loop {
        let slot = dice.below(SLOTS).to_string();
        let turn = dice.below(1_000_000).to_string();
        let before = text(store, &reference(&slot)).unwrap();
        say(&format!("begin {slot} {turn}"));
        let mut batch = batch_of("team/x");
        for name in content(&slot, &turn) {
            batch.put(key(&name), value(&turn));
        }
        batch.then();
        batch.put(key(&reference(&slot)), turn.clone());
        batch.then();
        if let Some(before) = before.filter(|before| *before != turn) {
            for name in content(&slot, &before) {
                batch.delete(key(&name));
            }
        }
        store.apply(batch).unwrap();
        say(&format!("done {slot} {turn}"));
    }
}

pub(crate) fn reference(slot: &str) -> String {
    format!("team/refs/{slot}")
}

/// Contents two of which are a file and a folder of one name, with those of other slots beside them.
pub(crate) fn nested(slot: &str, turn: &str) -> [String; 3] {
    let folder = format!("team/data/{turn}/{slot}");
    [format!("{folder}/a"), format!("{folder}/a/b"), folder]
}

/// Some pages of text.
pub(crate) fn pages(turn: &str) -> String {
    format!("{turn} ").repeat(2000)
}
