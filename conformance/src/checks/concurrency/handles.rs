//! Many tasks and many handles: all of them work, and all see one store.

use std::time::Duration;

use bytes::Bytes;
use larder::storage::{Batch, Error};

use super::races::{Course, Through, Traffic, in_step, together, until_crossed};
use crate::bench::{Bench, key, space};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;

pub(super) fn distinct_keys(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 4, Through::OwnHandles)?;
    let rounds = bench.rounds(10);
    let place = |run: u32, nth, n| key("team", &format!("{run}/d{}/t{nth}/{n}", n % 3));
    let mut all = Vec::new();
    course.until_crossed(bench.rounds(100), |run| {
        for round in run * rounds..(run + 1) * rounds {
            in_step(4, 12, |nth, n| {
                Ok(course.handles[nth].put(&place(round, nth, n), format!("{nth}.{n}"))?)
            })?;
            for (nth, n) in (0..4).flat_map(|nth| (0..12).map(move |n| (nth, n))) {
                all.push((place(round, nth, n), Bytes::from(format!("{nth}.{n}"))));
            }
        }
        course.handles[0].holds_exactly(&space("team"), &all)
    })
}

pub(super) fn one_thread(bench: &Bench) -> Outcome {
    let home = bench.home();
    let store = bench.open(&home)?;
    let alone = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let alone = alone.map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    alone.block_on(async {
        let mut tasks = Vec::new();
        for nth in 0..64 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let place = key("team", &format!("{}", nth % 8));
                for n in 0..4 {
                    let mut batch = Batch::new(&space("team"));
                    batch.put(place.clone(), format!("{nth}.{n}"));
                    store.0.apply(batch).await?;
                    store.0.get(&place).await?;
                    tokio::task::yield_now().await;
                }
                Ok::<_, Error>(())
            }));
        }
        for task in tasks {
            let joined = tokio::time::timeout(Duration::from_secs(30), task).await;
            let Ok(joined) = joined else {
                return Err(Failure::new("64 tasks on one thread do not finish"));
            };
            joined.map_err(|_| Failure::new("a call panicked"))??;
        }
        Ok(())
    })?;
    let keys = store.keys(&space("team"))?.len();
    ensure!(keys == 8, "64 tasks left {keys} keys");
    Ok(())
}

pub(super) fn opened_at_once(bench: &Bench) -> Outcome {
    // Here it is the openings that must cross.
    let traffic = Traffic::default();
    let rounds = bench.rounds(3);
    until_crossed(&traffic, rounds * 2, |_| {
        for _ in 0..rounds {
            let home = bench.home();
            let handles = together(16, |nth| {
                let opening = traffic.enter(true);
                let handle = bench.open(&home)?;
                drop(opening);
                handle.put(&key("team", &format!("{nth:02}")), format!("{nth}"))?;
                Ok(handle)
            })?;
            for handle in &handles {
                let keys = handle.keys(&space("team"))?.len();
                ensure!(keys == 16, "16 handles opened at once wrote a key each; one sees {keys}");
            }
        }
        Ok(())
    })
}

pub(super) fn emptied_beside_writers(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 2, Through::OwnHandles)?;
    let handles = &course.handles;
    course.until_crossed(bench.rounds(50), |_| {
        for _ in 0..bench.rounds(10) {
            in_step(2, 20, |nth, n| {
                if nth == 0 {
                    handles[0].put(&key("team", &format!("d/{}", n % 5)), format!("{n}"))?;
                } else {
                    for place in handles[1].keys(&space("team"))? {
                        handles[1].delete(&place)?;
                    }
                }
                Ok(())
            })?;
            // Whatever is left is whole, seen alike by both, and can be removed.
            let left = handles[0].keys(&space("team"))?;
            ensure!(left == handles[1].keys(&space("team"))?, "two handles list different keys");
            for place in left {
                let value = handles[0].read(&place)?;
                ensure!(value.is_some(), "{place} is listed, but absent");
                handles[1].delete(&place)?;
            }
            handles[0].holds_exactly(&space("team"), &[])?;
        }
        Ok(())
    })
}
