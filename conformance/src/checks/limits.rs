//! Limits: large values, many objects, and nothing held or given up without being asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use larder::storage::{Batch, Depth, Error};

use super::{check, only};
use crate::bench::{Bench, Handle, key, runtime, show, space};
use crate::check::{Check, Needs, Outcome};
use crate::ensure;
use crate::ops::Value;
use crate::report::{Failure, chain};

pub(super) const CHECKS: &[Check] = &[
    check("Q-01", "Nothing vanishes without being asked: 5,000 objects stay", "sentence 1", nothing_evicted),
    check("Q-02", "Values of megabytes are exact, one byte around round sizes", "sentence 1", large),
    check("Q-03", "A value kept does not keep alive the larger buffer it was cut from", "Storage::apply", no_pinning),
    check("Q-04", "A thousand overwrites of one key leave one object", "sentence 2", overwrites),
    check("Q-05", "Large values of many keys stay apart", "sentence 1", many_large),
    only(Needs::Bound, "Q-06", "A full store refuses a write as full, whole, and keeps what it had", "Error::Full", full),
    only(Needs::Bound, "Q-07", "A full store takes deletes, smaller values and, after room was made, new ones", "Error::Full", make_room),
    only(Needs::Bound, "Q-08", "Overwriting and deleting give their room back", "Error::Full", room_comes_back),
];

fn nothing_evicted(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let count = bench.many(5000);
    let namespace = space("team");
    for start in (0..count).step_by(500) {
        let mut batch = Batch::new(&namespace);
        for n in start..(start + 500).min(count) {
            batch.put(key("team", &format!("data/{n}")), format!("value {n}"));
        }
        store.apply(batch)?;
    }
    for n in (0..count).step_by(7).chain([0, 1, count - 1]) {
        let found = store.read(&key("team", &format!("data/{n}")))?;
        let expected = format!("value {n}");
        ensure!(
            found.as_deref() == Some(expected.as_bytes()),
            "of {count} objects, number {n} holds {}",
            show(found.as_deref())
        );
    }
    let listed = store.walk(&namespace.everything(), Depth::All, 1000)?.entries.len();
    ensure!(listed == count, "{listed} of {count} objects are listed");
    Ok(())
}

fn large(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/large");
    for size in [1 << 20, 4 << 20, 5 << 20, 8 << 20] {
        for len in [size - 1, size, size + 1] {
            if len > bench.limits.value_bytes + 1 || (size > 1 << 20 && len != size + 1) {
                continue;
            }
            let value = Value { kind: 6, len: len as u32, mark: 3 }.bytes();
            store.put(&place, value.clone())?;
            let found = store.read(&place)?;
            let same = found.as_ref() == Some(&value);
            ensure!(same, "{len} bytes came back as {}", show(found.as_deref()));
        }
    }
    store.put(&place, "small")?;
    store.holds(&place, Some(b"small"))
}

/// A buffer that tells when it is freed.
struct Watched(Vec<u8>, Arc<AtomicBool>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Release);
    }
}

fn no_pinning(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let freed = Arc::new(AtomicBool::new(false));
    let buffer = Bytes::from_owner(Watched(vec![7; 1 << 20], Arc::clone(&freed)));
    let place = key("team", "data/slice");
    store.put(&place, buffer.slice(1000..1010))?;
    drop(buffer);
    // A store may copy on a thread of its own that is about to end.
    for _ in 0..200 {
        if freed.load(Ordering::Acquire) {
            return store.holds(&place, Some(&[7; 10]));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Err(Failure::new("a value of 10 bytes keeps a buffer of a megabyte alive"))
}

fn overwrites(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    for round in 0..bench.many(1000) {
        store.put(&place, format!("round {round}"))?;
    }
    let last = format!("round {}", bench.many(1000) - 1);
    store.holds_exactly(&space("team"), &[(place, last.into())])
}

fn many_large(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let values: Vec<_> = (0..12)
        .map(|n| (key("team", &format!("data/{n}")), Value { kind: 6, len: 400_000 + n, mark: n }.bytes()))
        .collect();
    for (place, value) in &values {
        store.put(place, value.clone())?;
    }
    for (place, value) in &values {
        store.holds(place, Some(value))?;
    }
    Ok(())
}

const ROOM: u64 = 64 * 1024;

fn bounded(bench: &Bench) -> Result<(crate::bench::Home, Handle), Failure> {
    let home = bench.home();
    // Opened on the runtime, which the stores of some subjects need around them.
    let _inside = runtime().enter();
    match bench.subject.bounded(home.path(), ROOM) {
        Some(Ok(store)) => Ok((home, Handle::new(store))),
        Some(Err(error)) => Err(Failure::new(format!("failed to open with a bound: {}", chain(&*error)))),
        None => Err(Failure::new("the subject no longer opens stores with a bound")),
    }
}

/// Fills a store with values of 4 KiB and says how many went in.
fn fill(store: &Handle) -> Result<usize, Failure> {
    for n in 0..1000 {
        match store.put(&key("team", &format!("fill/{n}")), vec![n as u8; 4096]) {
            Ok(()) => {}
            Err(Error::Full { .. }) if n > 0 => return Ok(n),
            Err(error) => return Err(Failure::new(format!("write {n} failed: {}", chain(&error)))),
        }
    }
    Err(Failure::new(format!("a store of {ROOM} bytes took 1,000 values of 4 KiB")))
}

fn intact(store: &Handle, count: usize) -> Outcome {
    for n in 0..count {
        store.holds(&key("team", &format!("fill/{n}")), Some(&[n as u8; 4096]))?;
    }
    let keys = store.keys(&space("team"))?.len();
    ensure!(keys == count, "the store holds {keys} keys, not {count}");
    Ok(())
}

fn full(bench: &Bench) -> Outcome {
    let (_home, store) = bounded(bench)?;
    let count = fill(&store)?;
    intact(&store, count)?;
    let mut batch = Batch::new(&space("team"));
    batch.put(key("team", "fill/0"), "smaller");
    batch.then();
    batch.put(key("team", "huge"), vec![0; ROOM as usize]);
    let answer = store.apply(batch);
    ensure!(matches!(answer, Err(Error::Full { .. })), "a batch beyond the bound gave {answer:?}");
    intact(&store, count)
}

fn make_room(bench: &Bench) -> Outcome {
    let (_home, store) = bounded(bench)?;
    let count = fill(&store)?;
    store.put(&key("team", "fill/0"), vec![0; 100])?;
    store.delete(&key("team", "fill/1"))?;
    store.delete(&key("team", "not there"))?;
    store.put(&key("team", "new"), vec![1; 4096])?;
    store.holds(&key("team", "new"), Some(&[1; 4096]))?;
    let keys = store.keys(&space("team"))?.len();
    ensure!(keys == count, "the store holds {keys} keys, not {count}");
    Ok(())
}

fn room_comes_back(bench: &Bench) -> Outcome {
    let (_home, store) = bounded(bench)?;
    let first = fill(&store)?;
    for round in 0..5 {
        for n in 0..first {
            let place = key("team", &format!("fill/{n}"));
            store.put(&place, vec![9; 1000])?;
            store.put(&place, vec![9; 4096])?;
        }
        for n in 0..first {
            store.delete(&key("team", &format!("fill/{n}")))?;
        }
        let again = fill(&store)?;
        ensure!(again == first, "round {round}: {again} values fit where {first} did at first");
    }
    Ok(())
}
