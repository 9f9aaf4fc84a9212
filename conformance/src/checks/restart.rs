//! Restart and crash: what was acknowledged is there, what was not is there whole or not at all.

mod crash;
mod processes;

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use larder::storage::{Error, Expect, Version};

use super::{check, only};
use crate::bench::{Bench, key, space};
use crate::check::{Check, Needs, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    only(
        Needs::Durable,
        "X-01",
        "What was put is there, with its version, after all handles were dropped",
        "sentence 10",
        survives,
    ),
    only(
        Needs::NotDurable,
        "X-02",
        "A store that does not promise to survive a restart is empty after it",
        "Promises::survives_restart",
        forgets,
    ),
    check(
        "X-03",
        "A store opens and closes many times, and works each time",
        "Subject::open",
        many_cycles,
    ),
    only(
        Needs::Durable,
        "X-04",
        "After kill -9 at any moment, what was acknowledged is there and the rest is whole or absent",
        "sentence 10",
        crash::killed,
    ),
    only(
        Needs::Durable,
        "X-05",
        "A process that ends before or after any numbered write leaves it done or not",
        "sentences 3 and 10",
        crash::killed_at_calls,
    ),
    only(
        Needs::Durable,
        "X-06",
        "Being killed while opening, several times in a row, loses nothing",
        "sentence 10",
        crash::killed_opening,
    ),
    only(
        Needs::Durable,
        "X-07",
        "A copy of a closed store's directory is the same store",
        "sentence 10",
        copied,
    ),
    only(
        Needs::Shared,
        "X-08",
        "What several processes see of a key can be put in an order",
        "sentences 2 and 4",
        processes::processes,
    ),
    only(
        Needs::Shared,
        "X-09",
        "Updates of several processes at the version read lose no step",
        "sentence 4",
        processes::process_counter,
    ),
    only(
        Needs::NotShared,
        "X-10",
        "A second process is refused, or shares nothing",
        "Promises::shared_between_processes",
        processes::second_process,
    ),
    only(
        Needs::Shared,
        "X-11",
        "A process killed while writing does not stop the others",
        "sentence 10",
        crash::survivor_goes_on,
    ),
    only(
        Needs::Durable,
        "X-12",
        "Deletions survive a restart as well, and nothing returns",
        "sentence 10",
        deletions_survive,
    ),
    only(
        Needs::Durable,
        "X-13",
        "Large values and awkward names survive a restart",
        "sentences 7 and 10",
        contents_survive,
    ),
    only(
        Needs::Durable,
        "X-14",
        "A version from before a restart never stands for another value after it",
        "Version; sentence 10",
        versions_stay_used,
    ),
    only(
        Needs::Durable,
        "X-15",
        "After a write that was cut within a file, what was acknowledged is there, and the store goes on",
        "sentence 10",
        crash::cut_writes,
    ),
];

fn survives(bench: &Bench) -> Outcome {
    let home = bench.home();
    let mut all = Vec::new();
    for round in 0..3 {
        let store = bench.open(&home)?;
        store.holds_exactly(&space("team"), &all)?;
        for path in ["a", "a/b", "c"] {
            let place = key("team", &format!("{round}/{path}"));
            let value = Bytes::from(format!("{round} {path}"));
            store.put(&place, value.clone())?;
            all.push((place, value));
        }
        let guarded = all[0].0.clone();
        let version = store.version(&guarded)?;
        drop(store);
        let store = bench.open(&home)?;
        ensure!(store.version(&guarded)? == version, "the version of {guarded} did not survive");
        let value = Bytes::from(format!("replaced after restart {round}"));
        store.put_if(&guarded, value.clone(), Expect::At(version.clone()))?;
        all[0].1 = value;
        let answer = store.put_if(&guarded, "stale", Expect::At(version));
        ensure!(matches!(answer, Err(Error::Conflict { .. })), "a stale version gave {answer:?}");
    }
    Ok(())
}

fn forgets(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    store.put(&key("team", "a"), "value")?;
    drop(store);
    let store = bench.open(&home)?;
    store
        .holds_exactly(&space("team"), &[])
        .map_err(|f| f.during("it survives what it does not promise to"))
}

fn many_cycles(bench: &Bench) -> Outcome {
    let home = bench.home();
    for round in 0..30 {
        let store = bench.open(&home)?;
        if bench.promises.survives_restart && round > 0 {
            store.holds(&key("team", "a"), Some(format!("{}", round - 1).as_bytes()))?;
        }
        store.put(&key("team", "a"), format!("{round}"))?;
        store.holds(&key("team", "a"), Some(format!("{round}").as_bytes()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn copied(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let mut all = Vec::new();
    for path in ["a", "a/b", "data/x.json", "é", "a b"] {
        let value = Bytes::from(format!("value of {path}"));
        store.put(&key("team", path), value.clone())?;
        all.push((key("team", path), value));
    }
    drop(store);
    if fs::read_dir(home.path()).is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(Failure::not_checked("the store keeps nothing in its directory"));
    }
    let other = bench.home();
    copy(home.path(), other.path())
        .map_err(|error| Failure::new(format!("failed to copy: {error}")))?;
    let store = bench.open(&other)?;
    store.holds_exactly(&space("team"), &all)?;
    store.put(&key("team", "new"), "only in the copy")?;
    drop(store);
    bench.open(&home)?.holds_exactly(&space("team"), &all)
}

fn deletions_survive(bench: &Bench) -> Outcome {
    let home = bench.home();
    for round in 0..3 {
        let store = bench.open(&home)?;
        for path in ["a", "a/b", "c"] {
            store.put(&key("team", path), format!("{round}"))?;
        }
        store.delete(&key("team", "a"))?;
        store.delete(&key("team", "c"))?;
        drop(store);
        let store = bench.open(&home)?;
        store.holds_exactly(&space("team"), &[(key("team", "a/b"), format!("{round}").into())])?;
        store.delete(&key("team", "a/b"))?;
        drop(store);
        let store = bench.open(&home)?;
        store.holds_exactly(&space("team"), &[])?;
        ensure!(store.namespaces()?.is_empty(), "an emptied namespace returned with a restart");
    }
    Ok(())
}

fn versions_stay_used(bench: &Bench) -> Outcome {
    let (home, mut store) = bench.fresh()?;
    let place = key("team", "a");
    let mut seen: Vec<(Version, String)> = Vec::new();
    for round in 0..12 {
        let value = format!("{round}");
        store.put(&place, value.clone())?;
        let version = store.version(&place)?;
        if let Some((_, other)) = seen.iter().find(|(old, _)| *old == version) {
            return Err(Failure::new(format!(
                "after a restart {version:?}, which stood for {other:?}, stands for {value:?}"
            )));
        }
        seen.push((version, value));
        // What counts versions may count what is there, or what was done last.
        match round % 4 {
            0 => store.delete(&place)?,
            1 => {
                store.put(&key("team", "b"), "other")?;
                store.delete(&place)?;
            }
            2 => store.delete(&key("team", "b"))?,
            _ => {}
        }
        drop(store);
        store = bench.open(&home)?;
    }
    Ok(())
}

fn contents_survive(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let mut all = Vec::new();
    let long = "x".repeat(250);
    for (nth, path) in
        ["a", "a/b", "A", "a b ", "é", "e\u{301}", "%41", "a%2Fb", ".x", "x.tmp", "a:b", &long]
            .into_iter()
            .enumerate()
    {
        let value = crate::ops::Value {
            kind: nth as u8 % 8,
            len: [0, 3, 70_000][nth % 3],
            mark: nth as u32,
        }
        .bytes();
        store.put(&key("team", path), value.clone())?;
        all.push((key("team", path), value));
    }
    drop(store);
    bench.open(&home)?.holds_exactly(&space("team"), &all)
}
