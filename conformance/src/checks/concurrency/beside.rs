//! Lookers beside writers: listings, namespaces, versions.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use larder::storage::{Depth, Version};

use super::races::{Course, Through, in_step, together};
use crate::bench::{Bench, Handle, Random, key, space};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;
use crate::worker::{number_of, numbered};

/// Runs writers until the looker is done, on a store that holds something, and again until enough of
/// the looks crossed a write.
fn beside(
    bench: &Bench,
    course: &Course,
    write: impl Fn(&Handle, &mut Random) -> Outcome + Sync,
    look: impl Fn(&Handle) -> Outcome + Sync,
    looks: u32,
) -> Outcome {
    course.until_crossed(looks, |run| {
        let done = AtomicBool::new(false);
        let seed = bench.seed ^ u64::from(run) << 32;
        together(course.handles.len(), |nth| {
            if nth > 0 {
                let mut random = Random(seed ^ nth as u64);
                while !done.load(Ordering::Acquire) {
                    let written = write(&course.handles[nth], &mut random);
                    if written.is_err() {
                        done.store(true, Ordering::Release);
                        return written;
                    }
                    std::thread::yield_now();
                }
                return Ok(());
            }
            let outcome =
                (0..looks).take_while(|_| !done.load(Ordering::Acquire)).try_for_each(|_| {
                    std::thread::yield_now();
                    look(&course.handles[0])
                });
            done.store(true, Ordering::Release);
            outcome
        })?;
        Ok(())
    })
}

pub(super) fn listing_beside_writers(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 3, Through::OwnHandles)?;
    let store = &course.handles[0];
    let stable: Vec<_> = (0..10).map(|n| key("team", &format!("k{n}/x"))).collect();
    for place in &stable {
        store.put(place, "stays")?;
    }
    let write = |handle: &Handle, random: &mut Random| -> Outcome {
        let place = &stable[random.below(10)];
        if random.one_in(3) {
            return Ok(handle.put(place, "stays, overwritten")?);
        }
        let place = key("team", &format!("k{}/{}", random.below(10), random.below(4)));
        if random.one_in(2) {
            handle.delete(&place)?
        } else {
            handle.put(&place, "moves")?
        }
        Ok(())
    };
    let look = |handle: &Handle| -> Outcome {
        for limit in [3, 1000] {
            let found = handle.walk(&space("team").everything(), Depth::All, limit)?;
            let kept: Vec<_> =
                found.entries.into_iter().map(|e| e.key).filter(|k| stable.contains(k)).collect();
            ensure!(kept == stable, "keys that stay were listed as {kept:?}");
            let found = handle.walk(&space("team").everything(), Depth::Children, limit)?;
            ensure!(found.folders.len() == 10, "ten folders stay, but {:?}", found.folders);
        }
        Ok(())
    };
    beside(bench, &course, write, look, bench.rounds(40))
}

#[expect(clippy::mutable_key_type, reason = "what is hashed of a version never changes")]
pub(super) fn versions_beside_writers(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 4, Through::OwnHandles)?;
    let place = key("team", "a");
    let looks = bench.rounds(300) as usize;
    let mut written = 0;
    course.until_crossed(bench.rounds(900), |_| {
        // One writes, so that what it reads next is what it wrote, and every version is known.
        let known: Mutex<HashMap<Version, u32>> = Mutex::default();
        let stats: Mutex<HashSet<(Version, u64)>> = Mutex::default();
        let learn = |version: Version, number: u32| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *known.entry(version.clone()).or_insert(number);
            ensure!(
                before == number,
                "{version:?} stood for write {before} and for write {number}"
            );
            Ok(())
        };
        let first = written;
        course.handles[0].put(&place, numbered(first))?;
        learn(course.handles[0].version(&place)?, first)?;
        let rounds = in_step(4, looks, |nth, round| {
            let handle = &course.handles[nth];
            let number = first + 3 * round as u32;
            // Several looks in a row, since a wrong pair shows beside a right one.
            for look in 0..3 {
                if nth == 0 {
                    handle.put(&place, numbered(number + look))?;
                }
                if nth == 0 || look == 1 {
                    let Some(object) = handle.get(&place)? else {
                        return Err(Failure::new("a value vanished during an overwrite"));
                    };
                    let found = number_of(&object.bytes);
                    learn(object.version, found.ok_or_else(|| Failure::new("a read saw a part"))?)?;
                }
                let Some(stat) = handle.stat(&place)? else {
                    return Err(Failure::new("a value vanished during an overwrite"));
                };
                let mut stats = stats.lock().unwrap_or_else(PoisonError::into_inner);
                stats.insert((stat.version, stat.size.bytes()));
            }
            Ok(number + 3)
        })?;
        written = rounds.into_iter().flatten().max().unwrap_or(first);
        let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (version, size) in stats.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let Some(number) = known.get(&version) else {
                return Err(Failure::new(format!(
                    "stat gave {version:?}, which stood for no value"
                )));
            };
            let whole = numbered(*number).len() as u64;
            ensure!(size == whole, "stat gives the version of {whole} bytes with size {size}");
        }
        Ok(())
    })
}

pub(super) fn spaces_beside_writers(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 3, Through::OwnHandles)?;
    let store = &course.handles[0];
    for name in ["a", "m", "z"] {
        store.put(&key(name, "data/x"), "stays")?;
    }
    let write = |handle: &Handle, random: &mut Random| -> Outcome {
        if random.one_in(3) {
            return Ok(handle
                .put(&key(["a", "m", "z"][random.below(3)], "data/x"), "stays, overwritten")?);
        }
        let place = key(["b", "n", "a-", "zz"][random.below(4)], "data/x");
        if random.one_in(2) {
            handle.delete(&place)?
        } else {
            handle.put(&place, "moves")?
        }
        Ok(())
    };
    let look = |handle: &Handle| -> Outcome {
        let found = handle.namespaces()?;
        let stays = ["a", "m", "z"].iter().all(|name| found.contains(&space(name)));
        ensure!(stays && found.is_sorted_by(|a, b| a < b), "namespaces gave {found:?}");
        Ok(())
    };
    beside(bench, &course, write, look, bench.rounds(150))
}
