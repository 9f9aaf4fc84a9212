//! Writers that remember what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::service::Client;

/// A small generator (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// An entry, and what it may hold: more than one thing where a write was cut off.
#[derive(Debug)]
pub(crate) struct Entry {
    id: String,
    hash: String,
    may: Vec<Option<String>>,
    /// Whether nothing about it is open.
    pub(crate) acknowledged: bool,
    half_deleted: bool,
}

impl Entry {
    /// Reads it back, by id and by hash; both ways lead to the same.
    pub(crate) fn check(&mut self, client: &mut Client) {
        let mut read = |path: String| {
            let answer = client.send("GET", &format!("/own/retrieve/{path}/string"), "");
            let (status, body) = answer.expect("an answer");
            match status {
                200 => Some(body),
                404 => None,
                _ => panic!("{path} gave {status}: {body}"),
            }
        };
        let found = read(self.id.clone());
        assert!(self.may.contains(&found), "{} is {found:?}, not {:?}", self.id, self.may);
        let by_hash = read(format!("hash/{}", self.hash));
        // A delete that was cut off has taken the way by hash first.
        self.half_deleted |= !self.acknowledged && self.may.contains(&None) && by_hash.is_none();
        assert!(by_hash == found || self.half_deleted, "{} is {by_hash:?} by hash", self.id);
        // What it is by now, it stays.
        self.may = vec![found];
    }
}

/// One client that stores, updates and deletes until the connection ends.
#[derive(Debug)]
pub(crate) struct Writer {
    client: Client,
    dice: Dice,
    name: String,
    answered: Arc<AtomicU64>,
    entries: Vec<Entry>,
    shared: Vec<String>,
}

const STRATEGIES: [&str; 4] = ["direct", "temporal", "temporal_latest", "temporal_versioned"];

impl Writer {
    pub(crate) fn new(client: Client, dice: Dice, name: String, answered: &Arc<AtomicU64>) -> Self {
        let answered = Arc::clone(answered);
        Self { client, dice, name, answered, entries: Vec::new(), shared: Vec::new() }
    }

    /// What was written, and the ids under which the shared content was stored.
    pub(crate) fn run(mut self) -> (Vec<Entry>, Vec<String>) {
        for nth in 0.. {
            if self.step(nth).is_err() {
                break;
            }
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        (self.entries, self.shared)
    }

    fn text(&mut self, nth: u64) -> String {
        let size = [10, 1_000, 100_000][self.dice.below(3) as usize];
        format!("{} {nth} {}", self.name, "x".repeat(size))
    }

    fn step(&mut self, nth: u64) -> std::io::Result<()> {
        let chosen = self.dice.below(10);
        let at = self.dice.below(self.entries.len().max(1) as u64) as usize;
        match chosen {
            0..2 => {
                let (status, body) =
                    self.client.send("POST", "/shared/direct/store/string", "\"the same\"")?;
                assert_eq!(status, 200, "{body}");
                self.shared.push(member(&body, "cache_id"));
            }
            2..7 => {
                let text = self.text(nth);
                let strategy = STRATEGIES[self.dice.below(4) as usize];
                let path = format!("/own/{strategy}/store/string");
                let (status, body) = self.client.send("POST", &path, &format!("{text:?}"))?;
                assert_eq!(status, 200, "{body}");
                self.entries.push(Entry {
                    id: member(&body, "cache_id"),
                    hash: member(&body, "cache_hash"),
                    may: vec![Some(text)],
                    acknowledged: true,
                    half_deleted: false,
                });
            }
            7..9 => {
                let text = self.text(nth);
                let Some(entry) = self.entries.get_mut(at) else { return Ok(()) };
                if entry.may == [None] {
                    return Ok(());
                }
                // Until it is acknowledged it may have happened or not.
                entry.may.push(Some(text.clone()));
                entry.acknowledged = false;
                let path = format!("/own/update/{}/string", entry.id);
                let (status, body) = self.client.send("POST", &path, &format!("{text:?}"))?;
                assert_eq!(status, 200, "{body}");
                entry.may = vec![Some(text)];
                entry.acknowledged = true;
            }
            _ => {
                let Some(entry) = self.entries.get_mut(at) else { return Ok(()) };
                if entry.may == [None] {
                    return Ok(());
                }
                entry.may.push(None);
                entry.acknowledged = false;
                let path = format!("/own/delete/{}", entry.id);
                let (status, body) = self.client.send("DELETE", &path, "")?;
                assert_eq!(status, 200, "{body}");
                entry.may = vec![None];
                entry.acknowledged = true;
            }
        }
        Ok(())
    }
}

fn member(body: &str, name: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}
