//! Namespaces beside each other: emptied, written at the same time, or by somebody hostile.

use super::compare;
use crate::bench::{Bench, Random, key, space};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;
use bytes::Bytes;
use larder::key::Key;
use larder::storage::Batch;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn emptying(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let names = ["ns", "ns1", "n", "ns-1", "Ns", "data"];
    for gone in names {
        let mut all = Vec::new();
        for name in names {
            for path in ["data/a", "data/b", "refs/c/d"] {
                let (place, value) = (key(name, path), Bytes::from(format!("{name}:{path}")));
                store.put(&place, value.clone())?;
                all.push((place, value));
            }
        }
        let mut batch = Batch::new(&space(gone));
        for place in store.keys(&space(gone))? {
            batch.delete(place);
        }
        store.apply(batch)?;
        all.retain(|(place, _)| place.namespace_str() != gone);
        compare(&store, &names, &all).map_err(|f| f.during(format!("emptied {gone}")))?;
        let found = store.namespaces()?;
        ensure!(!found.contains(&space(gone)), "{gone} is empty, but still listed: {found:?}");
    }
    Ok(())
}

pub(super) fn again(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for round in 0..4 {
        let paths = ["a", "a/b", "c"];
        for path in paths {
            store.put(&key("team", path), format!("life {round}"))?;
        }
        for path in paths {
            store.delete(&key("team", path))?;
        }
        store.holds_exactly(&space("team"), &[])?;
        let only = key("team", "only");
        store.put(&only, "new")?;
        store.holds_exactly(&space("team"), &[(only.clone(), "new".into())])?;
        store.delete(&only)?;
    }
    Ok(())
}

pub(super) fn hostile_neighbour(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let hostile = bench.open(&home)?;
    let done = AtomicBool::new(false);
    let noise = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| -> Outcome {
            let mut random = Random(7);
            while !done.load(Ordering::Relaxed) {
                let name = ["tea", "team1", "team-1", "Team"][random.below(4)];
                let place = key(name, ["data/a", "data/b", "a", "refs/x"][random.below(4)]);
                if random.one_in(3) {
                    hostile.delete(&place)?
                } else {
                    hostile.put(&place, "noise")?
                }
                noise.store(true, Ordering::Relaxed);
                std::thread::yield_now();
            }
            Ok(())
        });
        let outcome = || -> Outcome {
            for round in 0..bench.rounds(30) {
                let mut all = Vec::new();
                for path in ["data/a", "data/b", "a", "refs/x"] {
                    let value = Bytes::from(format!("{round} {path}"));
                    store.put(&key("team", path), value.clone())?;
                    all.push((key("team", path), value));
                }
                // Goes on only once the neighbour did something in the meantime.
                for _ in 0..12 {
                    noise.store(false, Ordering::Relaxed);
                    for _ in 0..100 {
                        if noise.load(Ordering::Relaxed) || neighbour.is_finished() {
                            break;
                        }
                        std::thread::sleep(std::time::Duration::from_micros(50));
                    }
                }
                store.holds_exactly(&space("team"), &all)?;
                for (place, _) in &all {
                    store.delete(place)?;
                }
                store.holds_exactly(&space("team"), &[])?;
            }
            Ok(())
        }();
        done.store(true, Ordering::Relaxed);
        let theirs =
            neighbour.join().unwrap_or_else(|_| Err(Failure::new("the neighbour panicked")));
        outcome.and(theirs)
    })
}

pub(super) fn interleaved(bench: &Bench) -> Outcome {
    let mut random = bench.random();
    let names = ["ns", "ns1", "ns10", "NS", "data", ""];
    let paths = ["data/a", "data/a/b", "refs/a", "data/ab"];
    for _ in 0..bench.rounds(10) {
        let (_home, store) = bench.fresh()?;
        let mut all: std::collections::BTreeMap<Key, Bytes> = std::collections::BTreeMap::new();
        for nth in 0..40 {
            let place = key(names[random.below(names.len())], paths[random.below(paths.len())]);
            if random.one_in(4) {
                store.delete(&place)?;
                all.remove(&place);
            } else {
                let value = Bytes::from(format!("write {nth}"));
                store.put(&place, value.clone())?;
                all.insert(place, value);
            }
        }
        let all: Vec<_> = all.into_iter().collect();
        compare(&store, &names, &all)?;
    }
    Ok(())
}
