//! Guarded writes that race: exactly one wins, and nothing acknowledged is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use larder::key::Key;
use larder::storage::{Batch, Error, Expect, Object};

use super::races::{Course, Through, by_round, in_step, until};
use crate::bench::{Bench, Handle, key, show, space};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;

/// Whether a write was let through or refused by its guard; anything else is a failure.
fn won(result: larder::storage::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(Error::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn one_creator(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 4, Through::OwnHandles)?;
    let rounds = bench.rounds(60) as usize;
    course.until_crossed(bench.rounds(120), |run| {
        let place = |round| key("team", &format!("data/{run}/{round}"));
        let results = in_step(4, rounds, |nth, round| {
            let place = place(round);
            let value = format!("writer {nth}");
            match course.handles[nth].put_if(&place, value, Expect::Absent) {
                Err(Error::Conflict { key }) if key != place => {
                    Err(Failure::new(format!("creating {place} conflicts on {key}")))
                }
                result => won(result),
            }
        })?;
        for (round, results) in by_round(results).enumerate() {
            let winners: Vec<_> = (0..4).filter(|nth| results[*nth]).collect();
            let [winner] = winners[..] else {
                let count = winners.len();
                return Err(Failure::new(format!(
                    "round {round}: {count} writers created one key"
                )));
            };
            let value = format!("writer {winner}");
            course.handles[0].holds(&place(round), Some(value.as_bytes()))?;
        }
        Ok(())
    })
}

/// Reads, changes and writes back at the version read until it succeeds; how often it conflicted.
fn update(handle: &Handle, place: &Key, change: impl Fn(&[u8]) -> Vec<u8>) -> Result<u64, Failure> {
    for conflicts in 0..100_000 {
        let before = handle.get(place)?;
        // Somebody else's turn: updates that are not interrupted meet nobody.
        std::thread::yield_now();
        let (bytes, expect) = match before {
            Some(object) => (change(&object.bytes), Expect::At(object.version)),
            None => (change(&[]), Expect::Absent),
        };
        match handle.put_if(place, bytes, expect) {
            Ok(()) => return Ok(conflicts),
            Err(Error::Conflict { key }) if key == *place => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new("100,000 conflicts without one success"))
}

/// How often updates met another one: those that never conflict came one after the other.
fn met(conflicts: &[Vec<u64>]) -> u64 {
    conflicts.iter().flatten().sum()
}

pub(super) fn counter(bench: &Bench) -> Outcome {
    const THREADS: usize = 4;
    let course = Course::new(bench, THREADS, Through::OwnHandles)?;
    let steps = bench.rounds(60) as usize;
    course.until_crossed(bench.rounds(240), |run| {
        let place = key("team", &format!("counter/{run}"));
        course.handles[0].put(&place, "0")?;
        // All read, then all write at the version they read: one of them may.
        let read: [Mutex<Option<Object>>; THREADS] = Default::default();
        let won = in_step(THREADS, 2 * steps, |nth, round| {
            let mut read = read[nth].lock().unwrap_or_else(PoisonError::into_inner);
            if round % 2 == 0 {
                *read = course.handles[nth].get(&place)?;
                return Ok(false);
            }
            let Some(Object { bytes, version }) = read.take() else {
                return Err(Failure::new("the counter vanished"));
            };
            let text = std::str::from_utf8(&bytes).unwrap_or_default();
            let next = (text.parse::<u32>().unwrap_or_default() + 1).to_string();
            won(course.handles[nth].put_if(&place, next, Expect::At(version)))
        })?;
        let counted = won.iter().flatten().filter(|won| **won).count();
        let found = course.handles[0].read(&place)?;
        ensure!(
            found.as_deref() == Some(counted.to_string().as_bytes()) && counted >= steps,
            "{steps} rounds and {counted} acknowledged steps left the counter at {}",
            show(found.as_deref())
        );
        Ok(())
    })
}

pub(super) fn appended_list(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 8, Through::OwnHandles)?;
    let items = bench.rounds(20) as usize;
    let mut conflicts = 0;
    until(items as u64, "updates met another", |run| {
        let place = key("team", &format!("refs/by-hash/{run}"));
        let said = in_step(8, items, |nth, n| {
            let item = format!("{nth}.{n}\n");
            update(&course.handles[nth], &place, |bytes| [bytes, item.as_bytes()].concat())
        })?;
        let list = course.handles[0].read(&place)?.unwrap_or_default();
        let list = String::from_utf8_lossy(&list).into_owned();
        let mut found: Vec<_> = list.lines().collect();
        let listed = found.len();
        found.sort_unstable();
        found.dedup();
        ensure!(
            listed == 8 * items && found.len() == 8 * items,
            "of {} acknowledged items {} are there once, among {listed}",
            8 * items,
            found.len()
        );
        conflicts += met(&said);
        Ok(conflicts)
    })
}

pub(super) fn delete_race(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 2, Through::OwnHandles)?;
    let handles = &course.handles;
    let rounds = bench.rounds(100) as usize;
    course.until_crossed(bench.rounds(50), |run| {
        let place = |round| key("team", &format!("{run}/{round}"));
        let mut versions = Vec::new();
        for round in 0..rounds {
            handles[0].put(&place(round), "before")?;
            versions.push(handles[0].version(&place(round))?);
        }
        let results = in_step(2, rounds, |nth, round| {
            let expect = Expect::At(versions[round].clone());
            won(if nth == 0 {
                handles[0].delete_if(&place(round), expect)
            } else {
                handles[1].put_if(&place(round), "after", expect)
            })
        })?;
        for (round, results) in by_round(results).enumerate() {
            let expected: Option<&[u8]> = match (results[0], results[1]) {
                (true, false) => None,
                (false, true) => Some(b"after"),
                both => {
                    return Err(Failure::new(format!(
                        "round {round}: delete and put of one version: {both:?}"
                    )));
                }
            };
            handles[0].holds(&place(round), expected)?;
        }
        Ok(())
    })
}

pub(super) fn crossing_batches(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 2, Through::OwnHandles)?;
    let rounds = bench.rounds(60) as usize;
    course.until_crossed(bench.rounds(30), |run| {
        let place = |round, name| key("team", &format!("{run}/{round}/{name}"));
        let results = in_step(2, rounds, |nth, round| {
            let mut batch = Batch::new(&space("team"));
            for name in if nth == 0 { ["one", "two"] } else { ["two", "one"] } {
                batch.put_if(place(round, name), format!("{nth}"), Expect::Absent);
            }
            won(course.handles[nth].apply(batch))
        })?;
        for (round, results) in by_round(results).enumerate() {
            let winners = results.iter().filter(|won| **won).count();
            ensure!(winners == 1, "round {round}: {winners} of two crossing batches succeeded");
            let expected = if results[0] { b"0" } else { b"1" };
            course.handles[0].holds(&place(round, "one"), Some(expected))?;
            course.handles[0].holds(&place(round, "two"), Some(expected))?;
        }
        Ok(())
    })
}

pub(super) fn losers_leave_nothing(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 3, Through::OwnHandles)?;
    let rounds = bench.rounds(50) as usize;
    course.until_crossed(bench.rounds(50), |run| {
        let place = |round, name: &str, nth| key("team", &format!("{run}/{round}/{name}{nth}"));
        let results = in_step(3, rounds, |nth, round| {
            let mut batch = Batch::new(&space("team"));
            batch.put(place(round, "side", nth), "side");
            batch.put_if(place(round, "guard", 0), format!("{nth}"), Expect::Absent);
            batch.then();
            batch.put(place(round, "last", nth), "last");
            won(course.handles[nth].apply(batch))
        })?;
        for (round, results) in by_round(results).enumerate() {
            for (nth, won) in results.into_iter().enumerate() {
                for (name, value) in [("side", &b"side"[..]), ("last", b"last")] {
                    let expected = won.then_some(value);
                    course.handles[0].holds(&place(round, name, nth), expected)?;
                }
            }
        }
        Ok(())
    })
}

pub(super) fn references(bench: &Bench) -> Outcome {
    // What the service does: content and its own reference, then the shared reference, guarded.
    let course = Course::new(bench, 4, Through::OwnHandles)?;
    let handles = &course.handles;
    let items = bench.rounds(20) as usize;
    let mut met = 0;
    until(items as u64, "batches met another", |run| {
        let shared = key("team", &format!("refs/by-hash/{run}"));
        let data = |nth, n| (format!("{nth}-{n}"), key("team", &format!("data/{run}/{nth}-{n}")));
        let conflicts = AtomicU64::new(0);
        in_step(4, items, |nth, n| {
            let (id, place) = data(nth, n);
            loop {
                let before = handles[nth].get(&shared)?;
                std::thread::yield_now();
                let (mut list, expect) = match before {
                    Some(object) => (object.bytes.to_vec(), Expect::At(object.version)),
                    None => (Vec::new(), Expect::Absent),
                };
                list.extend_from_slice(format!("{id}\n").as_bytes());
                let mut batch = Batch::new(&space("team"));
                batch.put(place.clone(), id.clone());
                batch.then();
                batch.put_if(shared.clone(), list, expect);
                if won(handles[nth].apply(batch))? {
                    return Ok(());
                }
                conflicts.fetch_add(1, Ordering::Relaxed);
                std::thread::yield_now();
            }
        })?;
        let list = handles[0].read(&shared)?.unwrap_or_default();
        let mut lost = 0;
        for (nth, n) in (0..4).flat_map(|nth| (0..items).map(move |n| (nth, n))) {
            let (id, place) = data(nth, n);
            handles[0].holds(&place, Some(id.as_bytes()))?;
            let count = list.split(|b| *b == b'\n').filter(|line| *line == id.as_bytes()).count();
            lost += u32::from(count != 1);
        }
        ensure!(lost == 0, "{lost} of {} acknowledged references are lost or doubled", 4 * items);
        met += conflicts.into_inner();
        Ok(met)
    })
}
