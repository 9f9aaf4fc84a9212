//! The subject's law and the promises: a battery on a wrong harness proves nothing.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::storage::{Batch, Error, Expect};

use super::concurrency::races::{Course, Through, in_step, until};
use super::{check, only};
use crate::bench::{Bench, key, space};
use crate::check::{Check, Needs, Outcome};
use crate::ensure;
use crate::report::Failure;
use crate::worker::{number_of, numbered};

pub(super) const CHECKS: &[Check] = &[
    check("P-01", "A new home is empty", "Subject::open", new_is_empty),
    check("P-02", "Two handles on one home are one store", "Subject::open", one_home),
    check(
        "P-03",
        "Two homes share nothing, also when one's name begins the other's",
        "Subject::open",
        two_homes,
    ),
    check(
        "P-04",
        "Promises are the same for every handle and at every time",
        "Storage::promises",
        steady,
    ),
    check("P-05", "Printing a store for people shows none of its values", "Storage: Debug", debug),
    check(
        "P-06",
        "A dropped handle takes nothing with it while another is held",
        "sentence 2",
        dropped_handle,
    ),
    only(
        Needs::NotAtomic,
        "P-07",
        "A store whose batches never leave a part of themselves promises so",
        "Promises::atomic_batches",
        parts_show,
    ),
];

fn new_is_empty(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    ensure!(store.namespaces()?.is_empty(), "a new store has namespaces");
    for name in ["team", "data", "", "ns"] {
        store.holds_exactly(&space(name), &[])?;
    }
    Ok(())
}

fn one_home(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    one.put(&key("team", "a"), "one")?;
    let two = bench.open(&home)?;
    two.holds(&key("team", "a"), Some(b"one"))?;
    two.put(&key("team", "b"), "two")?;
    one.holds(&key("team", "b"), Some(b"two"))?;
    let three = bench.open(&home)?;
    three.delete(&key("team", "a"))?;
    one.holds_exactly(&space("team"), &[(key("team", "b"), "two".into())])
}

fn two_homes(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let (_other, two) = bench.fresh()?;
    one.put(&key("team", "a"), "one")?;
    two.holds_exactly(&space("team"), &[])?;
    two.put(&key("team", "a"), "two")?;
    one.holds(&key("team", "a"), Some(b"one"))?;
    // Sibling homes whose names begin with this one's.
    for suffix in ["0", "-old", ".bak"] {
        let mut path = home.path().as_os_str().to_owned();
        path.push(suffix);
        fs::create_dir_all(&path).map_err(|error| Failure::new(error.to_string()))?;
        let opened = crate::bench::runtime().block_on(bench.subject.open(path.as_ref()));
        let sibling = opened
            .map(crate::bench::Handle::new)
            .map_err(|error| Failure::new(error.to_string()))?;
        sibling.holds_exactly(&space("team"), &[])?;
        sibling.put(&key("team", "b"), "sibling")?;
    }
    one.holds_exactly(&space("team"), &[(key("team", "a"), "one".into())])
}

fn steady(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    one.put(&key("team", "a"), "value")?;
    for handle in [&one, &two] {
        let promises = handle.0.promises();
        ensure!(
            promises == bench.promises,
            "promises were {:?} and are {promises:?}",
            bench.promises
        );
    }
    Ok(())
}

fn debug(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    store.put(&key("team", "a"), "a-secret-value")?;
    let shown = format!("{:?}", store.0);
    ensure!(!shown.contains("a-secret-value"), "printing the store shows its values");
    ensure!(!shown.is_empty(), "printing the store shows nothing at all");
    Ok(())
}

fn dropped_handle(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    for round in 0..5 {
        let two = bench.open(&home)?;
        two.put(&key("team", &format!("{round}")), "value")?;
        drop(two);
        one.holds(&key("team", &format!("{round}")), Some(b"value"))?;
    }
    ensure!(one.keys(&space("team"))?.len() == 5, "keys are missing after handles were dropped");
    Ok(())
}

/// That a part of a batch never stays cannot be shown by trying; but a store that could leave one
/// shows it when a later step is refused, or to a reader beside a writer.
fn parts_show(bench: &Bench) -> Outcome {
    let course = Course::new(bench, 2, Through::OwnHandles)?;
    let step = |nth| key("team", &format!("step/{nth}"));
    let store = &course.handles[0];
    store.put(&key("team", "taken"), "before")?;
    let mut batch = Batch::new(&space("team"));
    batch.put(key("team", "first"), "value");
    batch.then();
    batch.put_if(key("team", "taken"), "value", Expect::Absent);
    let answer = store.apply(batch);
    ensure!(matches!(answer, Err(Error::Conflict { .. })), "a taken key gave {answer:?}");
    if store.get(&key("team", "first"))?.is_some() {
        return Ok(());
    }
    const STEPS: u32 = 20;
    let rounds = bench.rounds(100) as usize;
    let shown = AtomicBool::new(false);
    let raced = until(u64::from(bench.rounds(100)), "calls crossed another", |run| {
        in_step(2, rounds, |nth, round| {
            if shown.load(Ordering::Relaxed) {
                return Ok(());
            }
            if nth == 0 {
                let value = run * rounds as u32 + round as u32;
                let mut batch = Batch::new(&space("team"));
                for nth in 0..STEPS {
                    batch.then();
                    batch.put(step(nth), numbered(value));
                }
                return Ok(course.handles[0].apply(batch)?);
            }
            for _ in 0..STEPS / 2 {
                let number = |nth| -> Result<Option<u32>, Failure> {
                    let bytes = course.handles[1].read(&step(nth))?;
                    Ok(bytes.as_deref().and_then(number_of))
                };
                let (first, last) = (number(0)?, number(STEPS - 1)?);
                // What is read later is not older, unless the batch was there in part.
                shown.fetch_or(last < first, Ordering::Relaxed);
            }
            Ok(())
        })?;
        // One part that was seen is enough.
        Ok(if shown.load(Ordering::Relaxed) { u64::MAX } else { course.crossed() })
    });
    if shown.into_inner() {
        return Ok(());
    }
    raced?;
    let tried = "no batch was there in part, when a later step was refused or beside a reader";
    if bench.promises.survives_restart {
        return Err(Failure::not_checked(format!("{tried}; that none ever is cannot be shown")));
    }
    Err(Failure::new(format!("{tried}: batches are atomic, though the store does not promise it")))
}
