//! Faults and ambiguity: trouble is said, never taken for absence; what may have happened is allowed
//! to have happened, and nothing else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use larder::storage::memory::Memory;
use larder::storage::{Depth, Error, Expect};

use super::{check, only};
use crate::bench::{Bench, Handle, key, runtime, space};
use crate::check::{Check, Needs, Outcome};
use crate::ensure;
use crate::faulty::{Fault, Faulty};
use crate::model::{Change, Model, Trouble, Wants};
use crate::report::Failure;
use crate::worker::{batch_of, churn};

pub(super) const CHECKS: &[Check] = &[
    check("F-01", "A call that is never polled has no effect", "sentence 9", never_polled),
    check(
        "F-02",
        "A write dropped at any poll has happened, happens later, or never does; the store goes on",
        "sentence 9",
        dropped,
    ),
    check("F-03", "Dropped reads and listings leave nothing behind", "sentence 9", dropped_reads),
    check(
        "F-04",
        "A call that failed before, after or half way through leaves what the contract allows",
        "sentences 3 and 8",
        numbered_faults,
    ),
    only(
        Needs::Inner,
        "F-05",
        "What the store below cannot answer is an error, never absence",
        "sentence 8",
        trouble_is_not_absence,
    ),
    only(
        Needs::Inner,
        "F-06",
        "What the store below refuses to write is an error",
        "sentence 8",
        writes_fail_loudly,
    ),
    only(
        Needs::Inner,
        "F-07",
        "A lost reply is not turned into a conflict with oneself",
        "sentences 3 and 8",
        lost_reply,
    ),
    only(
        Needs::Inner,
        "F-08",
        "Calls of the store below are bounded, whatever fails",
        "Storage",
        bounded_calls,
    ),
    only(
        Needs::Inner,
        "F-09",
        "With every single call below failing once, answers stay within the contract",
        "sentences 3 and 8",
        each_call_fails,
    ),
    only(
        Needs::Inner,
        "F-10",
        "A call that hangs below does not hold up others",
        "Storage",
        stalled,
    ),
    only(
        Needs::Damage,
        "F-11",
        "Damage is said, never taken for absence or for another value",
        "sentence 8",
        damage,
    ),
];

/// Polls a call so many times and drops it; its answer if it came before.
fn poll_times<T>(call: impl Future<Output = T>, times: usize) -> Option<T> {
    runtime().block_on(async {
        let mut call = pin!(call);
        for _ in 0..times {
            let answer =
                std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
            if let Poll::Ready(answer) = answer {
                return Some(answer);
            }
            tokio::task::yield_now().await;
        }
        None
    })
}

fn never_polled(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    store.put(&key("team", "a"), "kept")?;
    for nth in 0..20 {
        let put = vec![vec![Change {
            key: key("team", "a"),
            value: Some("lost".into()),
            wants: Wants::Anything,
        }]];
        let delete =
            vec![vec![Change { key: key("team", "a"), value: None, wants: Wants::Anything }]];
        drop(store.0.apply(batch_of(if nth % 2 == 0 { &put } else { &delete })));
    }
    thread::sleep(Duration::from_millis(2));
    store.holds_exactly(&space("team"), &[(key("team", "a"), "kept".into())])
}

fn lost() -> Error {
    Error::Unavailable { backend: "battery", source: "the call was dropped".into() }
}

fn compare(model: &mut Model, store: &Handle) -> Outcome {
    for name in ["a", "a/b", "a-b", "ab", "data/x.json", "refs/x"] {
        let place = key("team", name);
        model.got(&place, &store.get(&place), Trouble::Never)?;
        model.statted(&place, &store.stat(&place), Trouble::Never)?;
    }
    Ok(())
}

fn dropped(bench: &Bench) -> Outcome {
    let mut random = bench.random();
    for _ in 0..bench.rounds(15) {
        let (_home, store) = bench.fresh()?;
        let mut model = Model::new(bench.promises.atomic_batches);
        for nth in 0..8 {
            let steps = churn(bench.seed, random.next() % 1_000_000);
            let batch = batch_of(&steps);
            if nth % 4 == 3 {
                match poll_times(store.0.apply(batch), random.below(3)) {
                    Some(answer) => model.applied(&steps, &answer, Trouble::Never)?,
                    None => model.applied(&steps, &Err(lost()), Trouble::Later)?,
                }
            } else {
                let answer = store.apply(batch);
                model.applied(&steps, &answer, Trouble::Never)?;
            }
            settled(&mut model, &store)?;
        }
    }
    Ok(())
}

/// Compares while a dropped write may still be on its way: one that lands between two reads of a
/// comparison fails it, and not the next one. What stays wrong is wrong.
fn settled(model: &mut Model, store: &Handle) -> Outcome {
    for _ in 0..100 {
        let mut seen = model.clone();
        if compare(&mut seen, store).is_ok() {
            *model = seen;
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    compare(model, store)
}

fn dropped_reads(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "value")?;
    for times in [0, 1, 0, 1, 2].repeat(10) {
        let _ = poll_times(store.0.get(&place), times);
        let _ = poll_times(store.0.stat(&place), times);
        let _ = poll_times(store.0.namespaces(), times);
    }
    store.holds_exactly(&space("team"), &[(place, "value".into())])
}

fn numbered_faults(bench: &Bench) -> Outcome {
    let mut faults = vec![Fault::Before, Fault::After];
    if !bench.promises.atomic_batches {
        faults.push(Fault::Cut(1));
    }
    for fault in faults {
        for at in 0..8 {
            let (_home, sound) = bench.fresh()?;
            let faulty = Handle::new(Arc::new(
                Faulty::over(Arc::clone(&sound.0)).writes_only().at(at, fault),
            ));
            let mut model = Model::new(bench.promises.atomic_batches);
            for nth in 0..8 {
                let steps = churn(bench.seed, nth);
                let answer = faulty.apply(batch_of(&steps));
                ensure!(answer.is_err() == (nth == at), "write {nth} gave {answer:?}");
                model.applied(&steps, &answer, Trouble::NowOrNever)?;
                compare(&mut model, &sound).map_err(|f| f.during(format!("{fault:?} at {at}")))?;
            }
        }
    }
    Ok(())
}

/// The wrapper around a store with faults, and the store below them.
fn over(
    bench: &Bench,
    plan: impl FnOnce(Faulty) -> Faulty,
) -> Result<(Handle, Arc<Faulty>, Handle), Failure> {
    let below: Arc<dyn larder::storage::Storage> = Arc::new(Memory::new());
    let faulty = Arc::new(plan(Faulty::over(Arc::clone(&below))));
    let _inside = runtime().enter();
    let wrapped = bench.subject.over(Arc::clone(&faulty) as Arc<dyn larder::storage::Storage>);
    let wrapped = wrapped.ok_or_else(|| Failure::new("the subject no longer wraps a store"))?;
    Ok((Handle::new(wrapped), faulty, Handle::new(below)))
}

fn trouble_is_not_absence(bench: &Bench) -> Outcome {
    let (store, ..) = over(bench, |faulty| faulty.during(0, u64::MAX, Fault::Before))?;
    let place = key("team", "a");
    let everything = space("team").everything();
    ensure!(
        store.get(&place).is_err(),
        "get: trouble below was answered as {:?}",
        store.get(&place)
    );
    ensure!(
        store.stat(&place).is_err(),
        "stat: trouble below was answered as {:?}",
        store.stat(&place)
    );
    ensure!(store.namespaces().is_err(), "namespaces: trouble below was answered");
    let walked = store.walk(&everything, Depth::All, 10);
    ensure!(walked.is_err(), "list: trouble below was answered as {walked:?}");
    // On a later page as well.
    for page in 1..4 {
        let (store, faulty, below) =
            over(bench, |faulty| faulty.during(page, u64::MAX, Fault::Before))?;
        for nth in 0..10 {
            below.put(&key("team", &format!("{nth}")), "value")?;
        }
        let walked = store.walk(&everything, Depth::All, 2);
        let whole = walked.as_ref().is_ok_and(|walked| walked.entries.len() == 10);
        ensure!(
            walked.is_err() || (whole && faulty.calls() <= page),
            "a failing page {page} made {walked:?}"
        );
    }
    Ok(())
}

fn writes_fail_loudly(bench: &Bench) -> Outcome {
    let (store, _, below) = over(bench, |faulty| faulty.during(0, u64::MAX, Fault::Before))?;
    let answer = store.put(&key("team", "a"), "value");
    ensure!(
        matches!(answer, Err(Error::Unavailable { .. } | Error::Other { .. })),
        "a write that failed below gave {answer:?}"
    );
    ensure!(store.delete(&key("team", "a")).is_err(), "a delete that failed below succeeded");
    below.holds_exactly(&space("team"), &[])
}

fn lost_reply(bench: &Bench) -> Outcome {
    for expect in [Expect::Absent, Expect::Any] {
        let (store, _, below) = over(bench, |faulty| faulty.writes_only().at(0, Fault::After))?;
        let place = key("team", "a");
        let answer = store.put_if(&place, "value", expect.clone());
        ensure!(
            !matches!(answer, Err(Error::Conflict { .. })),
            "a write whose reply was lost conflicts with itself ({expect:?})"
        );
        below.holds(&place, Some(b"value"))?;
        store.holds(&place, Some(b"value"))?;
    }
    Ok(())
}

fn bounded_calls(bench: &Bench) -> Outcome {
    let (store, faulty, _) = over(bench, |faulty| faulty.during(0, u64::MAX, Fault::Before))?;
    let _ = store.get(&key("team", "a"));
    let _ = store.put(&key("team", "a"), "value");
    ensure!(faulty.calls() <= 100, "two calls became {} below", faulty.calls());
    Ok(())
}

fn each_call_fails(bench: &Bench) -> Outcome {
    for fault in [Fault::Before, Fault::After] {
        for at in 0..40 {
            let (store, _, below) = over(bench, |faulty| faulty.at(at, fault))?;
            let mut model = Model::new(true);
            let place = key("team", "a/b");
            for nth in 0..6 {
                let steps = churn(bench.seed, nth);
                model.applied(&steps, &store.apply(batch_of(&steps)), Trouble::NowOrNever)?;
                model.got(&place, &store.get(&place), Trouble::NowOrNever)?;
                model.statted(&place, &store.stat(&place), Trouble::NowOrNever)?;
                model.spaces(&store.namespaces(), Trouble::NowOrNever)?;
            }
            compare(&mut model, &below).map_err(|f| f.during(format!("{fault:?} at call {at}")))?;
        }
    }
    Ok(())
}

fn stalled(bench: &Bench) -> Outcome {
    let (store, faulty, below) = over(bench, |faulty| faulty.at(0, Fault::Stall))?;
    below.put(&key("team", "a"), "value")?;
    let hanging = Arc::clone(&store.0);
    let task = runtime().spawn(async move {
        let _ = hanging.get(&key("team", "slow")).await;
    });
    // The fault is for the first call below, so that one must be on its way.
    for _ in 0..2000 {
        if faulty.calls() > 0 {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let other = Arc::clone(&store.0);
    let answer = runtime().block_on(async move {
        let place = key("team", "a");
        tokio::time::timeout(Duration::from_secs(10), other.get(&place)).await
    });
    task.abort();
    ensure!(matches!(answer, Ok(Ok(Some(_)))), "beside a call that hangs, another gave {answer:?}");
    Ok(())
}

fn damage(bench: &Bench) -> Outcome {
    let Some(damage) = bench.subject.damage() else {
        return Err(Failure::new("the subject no longer damages its medium"));
    };
    let (home, store) = bench.fresh()?;
    let (hurt, well) = (key("team", "data/hurt"), key("other", "data/well"));
    store.put(&hurt, vec![b'h'; 5000])?;
    store.put(&well, "well")?;
    drop(store);
    damage(home.path(), &hurt);
    // A store that says so when it is opened has said so.
    let Ok(store) = bench.open(&home) else { return Ok(()) };
    match store.get(&hurt) {
        Err(Error::Corrupt { .. }) => Ok(()),
        Ok(Some(object)) if *object.bytes == [b'h'; 5000] => Ok(()),
        other => Err(Failure::new(format!("a damaged value reads as {other:?}"))),
    }
}
