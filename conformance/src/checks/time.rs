//! Time: nothing about a store depends on the clock.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder::storage::Expect;

use super::check;
use crate::bench::{Bench, conflict_on, key, space};
use crate::check::{Check, Outcome};
use crate::ensure;

pub(super) const CHECKS: &[Check] = &[
    check("T-01", "Versions of quick overwrites differ, however coarse the clock", "Version", quick),
    check("T-02", "Value and version are the same after a second has passed", "Object::version", later),
    check("T-03", "A version read before a pause still guards after it", "Expect::At", guard_later),
    check("T-04", "Overwrites within one tick of the clock are visible", "sentence 2", same_tick),
    check("T-05", "What was deleted stays deleted as time passes", "sentence 2", stays_deleted),
];

/// Waits until the clock shows another second.
fn next_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    thread::sleep(Duration::from_millis(1020) - Duration::from_nanos(now.subsec_nanos().into()).min(Duration::from_secs(1)));
}

fn quick(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    let mut before = None;
    for round in 0..bench.many(300) {
        store.put(&place, format!("{round:06}"))?;
        let version = store.version(&place)?;
        ensure!(before.as_ref() != Some(&version), "write {round} kept the version {version:?}");
        if let Some(old) = before {
            let answer = store.put_if(&place, "stale", Expect::At(old));
            ensure!(conflict_on(&answer, &place), "a stale write in the same tick gave {answer:?}");
        }
        before = Some(version);
    }
    Ok(())
}

fn later(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "value")?;
    let before = (store.get(&place)?, store.stat(&place)?);
    next_second();
    let after = (store.get(&place)?, store.stat(&place)?);
    ensure!(before == after, "a second later {before:?} became {after:?}");
    store.holds_exactly(&space("team"), &[(place, "value".into())])
}

fn guard_later(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "value")?;
    let version = store.version(&place)?;
    next_second();
    store.put_if(&place, "new", Expect::At(version))?;
    store.holds(&place, Some(b"new"))
}

fn same_tick(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let place = key("team", "a");
    for round in 0..bench.many(200) {
        let value = format!("{round:06}");
        one.put(&place, value.clone())?;
        two.holds(&place, Some(value.as_bytes()))?;
    }
    Ok(())
}

fn stays_deleted(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "value")?;
    store.delete(&place)?;
    next_second();
    store.holds(&place, None)?;
    store.holds_exactly(&space("team"), &[])
}
