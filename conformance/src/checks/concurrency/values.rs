//! Whole values: writers of one key beside each other, and readers beside them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bytes::Bytes;
use larder::key::Key;

use super::races::{Course, Through, in_step, together};
use crate::bench::{Bench, Handle, key, show};
use crate::check::Outcome;
use crate::ensure;
use crate::report::{Failure, chain};

/// A value that shows when it is torn: every eight bytes name its writer and its length.
fn woven(mark: u64, len: usize) -> Bytes {
    let len = len / 8 * 8;
    (mark << 24 | len as u64).to_be_bytes().repeat(len / 8).into()
}

/// Who wrote a value, if it is whole.
fn writer_of(bytes: &[u8]) -> Option<u64> {
    let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    let word = u64::from_be_bytes(first);
    let whole =
        bytes.chunks(8).all(|chunk| chunk == first) && bytes.len() as u64 == word & 0xff_ffff;
    whole.then_some(word >> 24)
}

pub(super) fn one_key(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 4, Through::OwnHandles)?;
    let rounds = bench.rounds(20) as usize;
    course.until_crossed(bench.rounds(60), |run| {
        for round in 0..rounds {
            let place = key("team", &format!("{run}/{round}"));
            in_step(4, 6, |nth, n| {
                let value = woven((nth * 100 + n) as u64, 800 * (nth + 1));
                Ok(course.handles[nth].put(&place, value)?)
            })?;
            let value = course.handles[0].read(&place)?;
            // Only the last write of some thread can have been the last of all.
            let writer = value.as_deref().and_then(writer_of);
            ensure!(
                writer.is_some_and(|writer| writer % 100 == 5),
                "four writers left {}",
                show(value.as_deref())
            );
        }
        Ok(())
    })
}

fn readers_see(bench: &Bench, deletes: bool) -> Outcome {
    let course = Course::new(bench, 4, Through::OwnHandles)?;
    course.until_crossed(bench.rounds(100), |run| {
        let place = key("team", &format!("data/{run}"));
        readers_of(bench, &course.handles, &place, deletes)
    })
}

fn readers_of(bench: &Bench, handles: &[Handle], place: &Key, deletes: bool) -> Outcome {
    handles[0].put(place, woven(0, 4096))?;
    let done = AtomicBool::new(false);
    let reads = AtomicU32::new(0);
    let wanted = bench.rounds(400);
    together(4, |nth| {
        let handle = &handles[nth];
        if nth == 0 {
            let mut round = 0_u64;
            let outcome = loop {
                round += 1;
                let len = [4096, 64_000, 8, 800][round as usize % 4];
                let write = if deletes && round.is_multiple_of(2) {
                    handle.delete(place)
                } else {
                    handle.put(place, woven(round, len))
                };
                let enough =
                    round >= u64::from(wanted) / 2 && reads.load(Ordering::Relaxed) >= wanted;
                if write.is_err() || enough || done.load(Ordering::Acquire) || round > 200_000 {
                    break write;
                }
            };
            done.store(true, Ordering::Release);
            return Ok(outcome?);
        }
        let mut last = 0;
        while !done.load(Ordering::Acquire) {
            let seen = handle.read(place);
            let verdict = match &seen {
                Ok(Some(bytes)) => match writer_of(bytes) {
                    Some(round) => {
                        let forwards = round >= last;
                        last = round;
                        if forwards {
                            None
                        } else {
                            Some(format!("a reader went back to write {round}"))
                        }
                    }
                    None => {
                        Some(format!("a reader saw a part or a mixture: {}", show(Some(bytes))))
                    }
                },
                Ok(None) if deletes => None,
                Ok(None) => Some("a reader saw nothing during an overwrite".into()),
                Err(error) => Some(format!("a reader failed: {}", chain(error))),
            };
            reads.fetch_add(1, Ordering::Relaxed);
            if let Some(wrong) = verdict {
                done.store(true, Ordering::Release);
                return Err(Failure::new(wrong));
            }
            std::thread::yield_now();
        }
        Ok(())
    })?;
    Ok(())
}

pub(super) fn whole_values(bench: &Bench) -> Outcome {
    readers_see(bench, false)
}

pub(super) fn whole_or_nothing(bench: &Bench) -> Outcome {
    readers_see(bench, true)
}
