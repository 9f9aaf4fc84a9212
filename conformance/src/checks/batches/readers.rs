//! Readers beside writers of batches: whole ones, or whole steps.

use super::super::concurrency::races::{Course, Through, together};
use crate::bench::{Bench, Handle, key, space};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;
use larder::storage::{Batch, Result};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Writes one round after the other while readers look; each look must satisfy `sane`.
fn watched(
    bench: &Bench,
    rounds: u32,
    write: impl Fn(&Handle, u32) -> Result<()> + Sync,
    look: impl Fn(&Handle) -> Outcome + Sync,
) -> Outcome {
    let course = Course::new(bench, 3, Through::OwnHandles)?;
    let mut next = 0;
    course.until_crossed(rounds, |_| {
        let done = AtomicBool::new(false);
        let looks = AtomicU32::new(0);
        let written = together(3, |nth| {
            let handle = &course.handles[nth];
            let outcome = if nth == 0 {
                let mut round = next;
                // Goes on until the readers had a fair chance to see something.
                let going = |round: u32| {
                    let few = looks.load(Ordering::Relaxed) < rounds && round < next + rounds * 10;
                    (round < next + rounds || few) && !done.load(Ordering::Acquire)
                };
                loop {
                    if !going(round) {
                        break Ok(round);
                    }
                    if let Err(error) = write(handle, round) {
                        break Err(Failure::from(error));
                    }
                    round += 1;
                }
            } else {
                loop {
                    if done.load(Ordering::Acquire) {
                        return Ok(next);
                    }
                    if let Err(failure) = look(handle) {
                        break Err(failure);
                    }
                    looks.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            };
            done.store(true, Ordering::Release);
            outcome
        })?;
        next = written.into_iter().max().unwrap_or(next);
        Ok(())
    })
}

pub(super) fn readers_see_all(bench: &Bench) -> Outcome {
    let namespace = space("team");
    let write = |store: &Handle, round: u32| {
        let mut batch = Batch::new(&namespace);
        for n in 0..6 {
            if n == 3 {
                batch.then();
            }
            let place = key("team", &format!("k{n}"));
            if round.is_multiple_of(2) { batch.put(place, "v") } else { batch.delete(place) }
        }
        store.apply(batch)
    };
    watched(bench, bench.rounds(300), write, |store| {
        // One page is one look at the store, if pages of this size are not cut by it.
        let limit = std::num::NonZeroUsize::new(1000).unwrap_or(std::num::NonZeroUsize::MIN);
        let query = larder::storage::List {
            prefix: space("team").everything(),
            depth: larder::storage::Depth::All,
            after: None,
            limit,
        };
        let seen = store.list(query)?.entries.len();
        ensure!(seen == 0 || seen == 6, "a reader saw {seen} of the 6 keys that one batch writes");
        Ok(())
    })
}

pub(super) fn readers_see_order(bench: &Bench) -> Outcome {
    let write = |store: &Handle, round: u32| {
        let mut batch = Batch::new(&space("team"));
        for path in ["content", "by-id", "by-hash"] {
            batch.then();
            batch.put(key("team", path), round.to_be_bytes().to_vec());
        }
        store.apply(batch)
    };
    let round_of = |store: &Handle, path: &str| -> std::result::Result<i64, Failure> {
        let value = store.read(&key("team", path))?;
        let bytes = value.as_deref().map(<[u8; 4]>::try_from);
        match bytes {
            None => Ok(-1),
            Some(Ok(bytes)) => Ok(i64::from(u32::from_be_bytes(bytes))),
            Some(Err(_)) => Err(Failure::new(format!("{path} holds a part: {value:?}"))),
        }
    };
    watched(bench, bench.rounds(300), write, |store| {
        // Read in the reverse order, so that whatever was seen first must still be seen.
        let last = round_of(store, "by-hash")?;
        let middle = round_of(store, "by-id")?;
        let first = round_of(store, "content")?;
        ensure!(
            last <= middle && middle <= first,
            "a reader saw the third step of round {last}, then the second of {middle}, then the first of {first}"
        );
        Ok(())
    })
}
