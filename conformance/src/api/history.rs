//! Interleaved histories on namespaces that nearly have one name, against one model each.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::Api;
use super::content::{Content, few};
use super::spaces::{STRATEGIES, Space};
use crate::check::Outcome;
use crate::ensure;

/// How a namespace's name follows from the others': what is appended to a fresh name, and other
/// spellings of it that clean to the same.
const NAMES: &[(&str, &[&str])] = &[
    ("", &["", "%20", "%09"]),
    ("1", &["1", "%31"]),
    ("10", &["10", "1%30"]),
    ("A", &["A", "%41"]),
    ("a", &["a", "%61"]),
    ("_a", &["_a", ".a", "%20a", "~a", "%C3%A9a", "%00a"]),
    ("-a", &["-a", "%2Da"]),
    ("_", &["_", ".", "~", "%3F"]),
    ("__", &["__", "..", "_."]),
    ("_data", &["_data", ".data"]),
];

/// One step of a program. Numbers choose among what there is, whatever that is.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Store {
        space: usize,
        spelling: usize,
        strategy: &'static str,
        key: usize,
        content: Content,
    },
    Update {
        entry: usize,
        content: Content,
    },
    Delete {
        entry: usize,
    },
    /// Deletes or updates an entry by way of another namespace, where it is not.
    Stray {
        entry: usize,
        space: usize,
        content: Option<Content>,
    },
    Child {
        entry: usize,
        text: usize,
    },
}

/// Which namespaces, by their numbers in [`NAMES`], and what is done with them.
pub(super) type Program = (Vec<usize>, Vec<Op>);

const KEYS: &[&str] = &["k", "k/x", "kk", "K", "data/direct", "refs/by-id"];

pub(super) fn programs() -> impl Strategy<Value = Program> {
    let all: Vec<usize> = (0..NAMES.len()).collect();
    let content = select(few());
    let op = prop_oneof![
        6 => (0..8_usize, 0..8_usize, select(&STRATEGIES[..]), 0..KEYS.len(), content.clone())
            .prop_map(|(space, spelling, strategy, key, content)| Op::Store {
                space, spelling, strategy, key, content
            }),
        2 => (0..99_usize, content.clone())
            .prop_map(|(entry, content)| Op::Update { entry, content }),
        3 => (0..99_usize).prop_map(|entry| Op::Delete { entry }),
        2 => (0..99_usize, 0..8_usize, proptest::option::of(content))
            .prop_map(|(entry, space, content)| Op::Stray { entry, space, content }),
        1 => (0..99_usize, 0..9_usize).prop_map(|(entry, text)| Op::Child { entry, text }),
    ];
    (subsequence(all, 2..5), vec(op, 4..20))
}

/// An entry as the model knows it.
#[derive(Debug, Clone)]
struct Entry {
    space: usize,
    id: String,
    hash: String,
    content: Content,
    child: Option<Content>,
}

/// Every relation that a run must have had.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Relations {
    pub(super) prefixes: u32,
    pub(super) cases: u32,
    pub(super) marks: u32,
    pub(super) spellings: u32,
    pub(super) strays: u32,
    pub(super) shared_hashes: u32,
}

impl Relations {
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let counters = [
            ("names that begin with each other", self.prefixes),
            ("names that differ by case", self.cases),
            ("names that differ by a mark", self.marks),
            ("two spellings of one name", self.spellings),
            ("an id used in the wrong namespace", self.strays),
            ("one hash in two namespaces", self.shared_hashes),
        ];
        counters.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }
}

/// Runs one program.
pub(super) fn run(api: &Api, (names, ops): &Program, seen: &mut Relations) -> Outcome {
    let first = api.fresh();
    let has = |name: &str| names.iter().any(|nth| NAMES[*nth].0 == name);
    seen.prefixes += u32::from((has("1") && has("10")) || has(""));
    seen.cases += u32::from(has("A") && has("a"));
    seen.marks += u32::from((has("_a") && has("-a")) || (has("_") && has("__")));
    let spaces: Vec<Vec<Space<'_>>> = names
        .iter()
        .map(|nth| {
            let (clean, spellings) = NAMES[*nth];
            spellings.iter().map(|spelling| first.spelled(clean, spelling)).collect()
        })
        .collect();
    let mut entries: Vec<Entry> = Vec::new();
    for (nth, op) in ops.iter().enumerate() {
        step(&spaces, op, &mut entries, seen)?;
        if nth % 4 == 3 {
            compare(&spaces, &entries)?;
        }
    }
    compare(&spaces, &entries)?;
    by_id(&spaces, &entries)
}

fn step(
    spaces: &[Vec<Space<'_>>],
    op: &Op,
    entries: &mut Vec<Entry>,
    seen: &mut Relations,
) -> Outcome {
    let chosen = |nth: usize, entries: &[Entry]| {
        if entries.is_empty() { None } else { Some(nth % entries.len()) }
    };
    match op {
        Op::Store { space, spelling, strategy, key, content } => {
            let space = space % spaces.len();
            let spelling = spelling % spaces[space].len();
            seen.spellings += u32::from(spelling > 0);
            let at = &spaces[space][spelling];
            let stored = at.store_at(strategy, &format!("/{}", KEYS[*key]), content)?;
            let elsewhere = |entry: &Entry| entry.space != space && entry.hash == stored.hash;
            seen.shared_hashes += u32::from(entries.iter().any(elsewhere));
            let content = content.clone();
            entries.push(Entry { space, id: stored.id, hash: stored.hash, content, child: None });
        }
        Op::Update { entry, content } => {
            let Some(nth) = chosen(*entry, entries) else { return Ok(()) };
            let entry = &mut entries[nth];
            // Bytes keep their file, so that another kind written there reads differently.
            if content.kind() == entry.content.kind() {
                spaces[entry.space][0].update(&entry.id, content)?.is(200)?;
                entry.content = content.clone();
            }
        }
        Op::Delete { entry } => {
            let Some(nth) = chosen(*entry, entries) else { return Ok(()) };
            let entry = entries.remove(nth);
            spaces[entry.space][0].delete(&entry.id)?.has("cache_id", entry.id.as_str())?;
        }
        Op::Stray { entry, space, content } => {
            let Some(nth) = chosen(*entry, entries) else { return Ok(()) };
            let (entry, space) = (&entries[nth], space % spaces.len());
            if space == entry.space {
                return Ok(());
            }
            seen.strays += 1;
            let at = &spaces[space][0];
            match content {
                Some(content) => {
                    let reply = at.update(&entry.id, content)?;
                    ensure!(reply.status >= 400, "{reply}, of an entry of another namespace");
                }
                None => {
                    at.delete(&entry.id)?.has("status", "not_found")?;
                }
            }
        }
        Op::Child { entry, text } => {
            let Some(nth) = chosen(*entry, entries) else { return Ok(()) };
            let entry = &mut entries[nth];
            let content = Content::text(&format!("child {text}"));
            let rest = format!("cache/{}/data/store/string/child", entry.id);
            spaces[entry.space][0].post(&rest, content.body())?.is(200)?;
            entry.child = Some(content);
        }
    }
    Ok(())
}

/// Compares what every namespace lists, and what each hash gives in it.
fn compare(spaces: &[Vec<Space<'_>>], entries: &[Entry]) -> Outcome {
    for (nth, space) in spaces.iter().enumerate() {
        let mine: Vec<_> = entries.iter().filter(|entry| entry.space == nth).collect();
        space[0].holds_ids(mine.iter().map(|entry| &entry.id))?;
        let mut hashes: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &mine {
            hashes.entry(&entry.hash).or_default().push(entry);
        }
        let found = space[0].hashes()?;
        let expected: Vec<_> = hashes.keys().map(|hash| (*hash).to_owned()).collect();
        ensure!(
            found == expected,
            "{} lists the hashes {found:?}, not {expected:?}",
            space[0].clean
        );
        for (hash, versions) in hashes {
            let ids: Vec<_> = versions.iter().map(|entry| entry.id.clone()).collect();
            let found = space[0].versions(hash)?;
            ensure!(found == ids, "{}: {hash} has {found:?}, not {ids:?}", space[0].clean);
            if let Some(last) = versions.last() {
                space[0].reads_hash(hash, &last.content)?;
            }
        }
    }
    Ok(())
}

/// Every entry reads back in its namespace, in every spelling, and in no other.
fn by_id(spaces: &[Vec<Space<'_>>], entries: &[Entry]) -> Outcome {
    for entry in entries {
        for (nth, space) in spaces.iter().enumerate() {
            if nth != entry.space {
                space[0].lacks(&entry.id)?;
                let child = format!("cache/{}/data/string/child", entry.id);
                space[0].get(&child)?.is(404)?;
                continue;
            }
            for spelling in space {
                spelling.reads(&entry.id, &entry.content)?;
            }
            if let Some(child) = &entry.child {
                let rest = format!("cache/{}/data/string/child", entry.id);
                child.is_in(&space[0].get(&rest)?.is(200)?)?;
            }
        }
    }
    Ok(())
}
