//! Restart and crash: what was acknowledged is there, what was not is there whole or not at all.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use larder::storage::{Depth, Error, Expect, Version};

use super::concurrency::{Recorder, race, together};
use super::{check, only};
use crate::bench::{Bench, Handle, Home, Random, key, space};
use crate::check::{Check, Needs, Outcome};
use crate::ensure;
use crate::faulty::Fault;
use crate::linear::Answer;
use crate::model::{Model, Trouble};
use crate::report::Failure;
use crate::worker::{Local, Seat, Task, When, Worker, churn, numbered, place};

pub(super) const CHECKS: &[Check] = &[
    only(
        Needs::Durable,
        "X-01",
        "What was put is there, with its version, after all handles were dropped",
        "sentence 10",
        survives,
    ),
    only(
        Needs::NotDurable,
        "X-02",
        "A store that does not promise to survive a restart is empty after it",
        "Promises::survives_restart",
        forgets,
    ),
    check(
        "X-03",
        "A store opens and closes many times, and works each time",
        "Subject::open",
        many_cycles,
    ),
    only(
        Needs::Durable,
        "X-04",
        "After kill -9 at any moment, what was acknowledged is there and the rest is whole or absent",
        "sentence 10",
        killed,
    ),
    only(
        Needs::Durable,
        "X-05",
        "A process that ends before or after any numbered write leaves it done or not",
        "sentences 3 and 10",
        killed_at_calls,
    ),
    only(
        Needs::Durable,
        "X-06",
        "Being killed while opening, several times in a row, loses nothing",
        "sentence 10",
        killed_opening,
    ),
    only(
        Needs::Durable,
        "X-07",
        "A copy of a closed store's directory is the same store",
        "sentence 10",
        copied,
    ),
    only(
        Needs::Shared,
        "X-08",
        "What several processes see of a key can be put in an order",
        "sentences 2 and 4",
        processes,
    ),
    only(
        Needs::Shared,
        "X-09",
        "Updates of several processes at the version read lose no step",
        "sentence 4",
        process_counter,
    ),
    only(
        Needs::NotShared,
        "X-10",
        "A second process is refused, or shares nothing",
        "Promises::shared_between_processes",
        second_process,
    ),
    only(
        Needs::Shared,
        "X-11",
        "A process killed while writing does not stop the others",
        "sentence 10",
        survivor_goes_on,
    ),
    only(
        Needs::Durable,
        "X-12",
        "Deletions survive a restart as well, and nothing returns",
        "sentence 10",
        deletions_survive,
    ),
    only(
        Needs::Durable,
        "X-13",
        "Large values and awkward names survive a restart",
        "sentences 7 and 10",
        contents_survive,
    ),
    only(
        Needs::Durable,
        "X-14",
        "A version from before a restart never stands for another value after it",
        "Version; sentence 10",
        versions_stay_used,
    ),
];

fn survives(bench: &Bench) -> Outcome {
    let home = bench.home();
    let mut all = Vec::new();
    for round in 0..3 {
        let store = bench.open(&home)?;
        store.holds_exactly(&space("team"), &all)?;
        for path in ["a", "a/b", "c"] {
            let place = key("team", &format!("{round}/{path}"));
            let value = Bytes::from(format!("{round} {path}"));
            store.put(&place, value.clone())?;
            all.push((place, value));
        }
        let guarded = all[0].0.clone();
        let version = store.version(&guarded)?;
        drop(store);
        let store = bench.open(&home)?;
        ensure!(store.version(&guarded)? == version, "the version of {guarded} did not survive");
        let value = Bytes::from(format!("replaced after restart {round}"));
        store.put_if(&guarded, value.clone(), Expect::At(version.clone()))?;
        all[0].1 = value;
        let answer = store.put_if(&guarded, "stale", Expect::At(version));
        ensure!(matches!(answer, Err(Error::Conflict { .. })), "a stale version gave {answer:?}");
    }
    Ok(())
}

fn forgets(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    store.put(&key("team", "a"), "value")?;
    drop(store);
    let store = bench.open(&home)?;
    store
        .holds_exactly(&space("team"), &[])
        .map_err(|f| f.during("it survives what it does not promise to"))
}

fn many_cycles(bench: &Bench) -> Outcome {
    let home = bench.home();
    for round in 0..30 {
        let store = bench.open(&home)?;
        if bench.promises.survives_restart && round > 0 {
            store.holds(&key("team", "a"), Some(format!("{}", round - 1).as_bytes()))?;
        }
        store.put(&key("team", "a"), format!("{round}"))?;
        store.holds(&key("team", "a"), Some(format!("{round}").as_bytes()))?;
    }
    Ok(())
}

/// What a churn's writes must have left, checked against a store just opened.
struct Ledger {
    seed: u64,
    next: u64,
    model: Model,
}

impl Ledger {
    fn new(bench: &Bench) -> Self {
        Self { seed: bench.seed, next: 0, model: Model::new(bench.promises.atomic_batches) }
    }

    /// Takes note of so many acknowledged writes and one that may have been on its way.
    fn wrote(&mut self, acknowledged: u64) -> Outcome {
        for nth in self.next..self.next + acknowledged {
            self.model.applied(&churn(self.seed, nth), &Ok(()), Trouble::NowOrNever)?;
        }
        self.next += acknowledged;
        let lost = Error::Unavailable { backend: "worker", source: "the process is gone".into() };
        self.model.applied(&churn(self.seed, self.next), &Err(lost), Trouble::NowOrNever)?;
        self.next += 1;
        Ok(())
    }

    fn compare(&mut self, store: &Handle) -> Outcome {
        for name in ["a", "a/b", "a-b", "ab", "data/x.json", "refs/x"] {
            let place = key("team", name);
            self.model.got(&place, &store.get(&place), Trouble::Never)?;
            self.model.statted(&place, &store.stat(&place), Trouble::Never)?;
        }
        let everything = space("team").everything();
        for depth in [Depth::All, Depth::Children] {
            let walked = store.walk(&everything, depth, 4)?;
            self.model.walked(&everything, depth, &walked)?;
        }
        self.model.spaces(&store.namespaces(), Trouble::Never)
    }

    /// Opens the store, compares, and writes to it.
    fn verify(&mut self, bench: &Bench, home: &Home) -> Outcome {
        let store = bench.open(home)?;
        self.compare(&store)?;
        let steps = churn(self.seed, self.next);
        let answer = store.apply(crate::worker::batch_of(&steps));
        self.model.applied(&steps, &answer, Trouble::Never)?;
        self.next += 1;
        self.compare(&store)
    }
}

fn ready(worker: &mut Worker) -> Outcome {
    match worker.line() {
        Some(line) if line == "ready" => Ok(()),
        other => Err(Failure::new(format!("another process could not open the store: {other:?}"))),
    }
}

fn killed(bench: &Bench) -> Outcome {
    let home = bench.home();
    let mut random = bench.random();
    let mut ledger = Ledger::new(bench);
    let rounds = bench.rounds(12);
    let mut acknowledged_at_all = 0;
    for round in 0..rounds {
        let task = Task::Churn { seed: ledger.seed, from: ledger.next, exit: None };
        let mut worker = Worker::start(bench, &home, task)?;
        ready(&mut worker)?;
        let mut acknowledged = 0;
        for _ in 0..random.below(12) {
            acknowledged += u64::from(worker.line().is_some_and(|line| line.starts_with("ack")));
        }
        std::thread::sleep(Duration::from_micros(random.next() % 2000));
        worker.kill();
        acknowledged += worker.drain();
        acknowledged_at_all += acknowledged;
        ledger.wrote(acknowledged)?;
        let during = || format!("kill {round}, after {acknowledged} acknowledged writes");
        ledger.verify(bench, &home).map_err(|f| f.during(during()))?;
    }
    if acknowledged_at_all < u64::from(rounds) {
        return Err(Failure::inconclusive("hardly a write was acknowledged before the kills"));
    }
    Ok(())
}

fn killed_at_calls(bench: &Bench) -> Outcome {
    for fault in [Fault::ExitBefore, Fault::ExitAfter] {
        let home = bench.home();
        let mut ledger = Ledger::new(bench);
        for at in 0..u64::from(bench.rounds(5)) {
            let task =
                Task::Churn { seed: ledger.seed, from: ledger.next, exit: Some((at, fault)) };
            let mut worker = Worker::start(bench, &home, task)?;
            ready(&mut worker)?;
            let acknowledged = worker.drain();
            ensure!(
                acknowledged == at,
                "{acknowledged} writes were acknowledged before number {at} ended the process"
            );
            ledger.wrote(acknowledged)?;
            ledger
                .verify(bench, &home)
                .map_err(|f| f.during(format!("{fault:?} at write {at}")))?;
        }
    }
    Ok(())
}

fn killed_opening(bench: &Bench) -> Outcome {
    let home = bench.home();
    let mut random = bench.random();
    let mut ledger = Ledger::new(bench);
    for _ in 0..bench.rounds(3) {
        for _ in 0..3 {
            let mut worker = Worker::start(bench, &home, Task::Serve)?;
            std::thread::sleep(Duration::from_micros(random.next() % 8000));
            worker.kill();
            worker.drain();
        }
        ledger.verify(bench, &home).map_err(|f| f.during("after kills while opening"))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn copied(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let mut all = Vec::new();
    for path in ["a", "a/b", "data/x.json", "é", "a b"] {
        let value = Bytes::from(format!("value of {path}"));
        store.put(&key("team", path), value.clone())?;
        all.push((key("team", path), value));
    }
    drop(store);
    if fs::read_dir(home.path()).is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(Failure::not_checked("the store keeps nothing in its directory"));
    }
    let other = bench.home();
    copy(home.path(), other.path())
        .map_err(|error| Failure::new(format!("failed to copy: {error}")))?;
    let store = bench.open(&other)?;
    store.holds_exactly(&space("team"), &all)?;
    store.put(&key("team", "new"), "only in the copy")?;
    drop(store);
    bench.open(&home)?.holds_exactly(&space("team"), &all)
}

fn workers(bench: &Bench, home: &Home, count: usize) -> Result<Vec<Worker>, Failure> {
    let mut workers = Vec::new();
    for _ in 0..count {
        let mut worker = Worker::start(bench, home, Task::Serve)?;
        ready(&mut worker)?;
        workers.push(worker);
    }
    Ok(workers)
}

fn processes(bench: &Bench) -> Outcome {
    let home = bench.home();
    let mut random = bench.random();
    let workers = workers(bench, &home, 2)?;
    let own = bench.open(&home)?;
    let seats: Vec<std::sync::Mutex<Box<dyn Seat + Send>>> = workers
        .into_iter()
        .map(|worker| Box::new(worker) as Box<dyn Seat + Send>)
        .chain([Box::new(Local::new(own.clone())) as Box<dyn Seat + Send>])
        .map(std::sync::Mutex::new)
        .collect();
    let mut overlapped = 0;
    let rounds = bench.rounds(20);
    for round in 0..rounds {
        for nth in 0..2 {
            own.delete(&place(nth))?;
        }
        let recorder = Recorder::new();
        let seed = random.next();
        together(3, |nth| {
            let mut seat = seats[nth].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            race(&recorder, &mut **seat, nth, 2, 10, &mut Random(seed ^ (nth as u64) << 40))
        })?;
        let said = recorder.judge(2).map_err(|f| f.during(format!("round {round}")))?;
        overlapped += u32::from(said);
    }
    if overlapped * 4 < rounds {
        return Err(Failure::inconclusive(format!(
            "only {overlapped} of {rounds} races overlapped"
        )));
    }
    Ok(())
}

fn process_counter(bench: &Bench) -> Outcome {
    let home = bench.home();
    let workers = workers(bench, &home, 3)?;
    let seats: Vec<_> = workers.into_iter().map(std::sync::Mutex::new).collect();
    let steps = bench.rounds(20);
    together(3, |nth| {
        let mut seat = seats[nth].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut done = 0;
        for _ in 0..100_000 {
            if done == steps {
                return Ok(());
            }
            let (value, when) = match seat.read(0)? {
                Answer::Value(Some(value)) => (value + 1, When::Seen),
                Answer::Value(None) => (1, When::Absent),
                _ => return Err(Failure::new("a read in another process failed")),
            };
            match seat.write(0, Some(value), when) {
                Answer::Done => done += 1,
                Answer::Conflict => {}
                _ => return Err(Failure::new("a write in another process failed")),
            }
        }
        Err(Failure::new("100,000 tries without an end"))
    })?;
    let expected = numbered(3 * steps);
    bench.open(&home)?.holds(&place(0), Some(&expected))
}

fn second_process(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    store.put(&place(0), numbered(1))?;
    let mut worker = Worker::start(bench, &home, Task::Serve)?;
    match worker.line() {
        Some(line) if line.starts_with("refused ") => {
            ensure!(line.len() > "refused ".len(), "a second process is refused without a word");
        }
        Some(line) if line == "ready" => {
            let seen = worker.read(0)?;
            ensure!(
                seen == Answer::Value(None),
                "a second process sees {seen:?}: the store is shared, though it does not promise to be"
            );
            ensure!(
                worker.write(1, Some(2), When::Always) == Answer::Done,
                "a second process cannot write"
            );
            store.holds(&place(1), None)?;
        }
        other => return Err(Failure::new(format!("a second process said {other:?}"))),
    }
    store.holds(&place(0), Some(&numbered(1)))
}

fn survivor_goes_on(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let mut random = bench.random();
    let mut ledger = Ledger::new(bench);
    for round in 0..bench.rounds(5) {
        let task = Task::Churn { seed: ledger.seed, from: ledger.next, exit: None };
        let mut worker = Worker::start(bench, &home, task)?;
        ready(&mut worker)?;
        let first = worker.line().is_some();
        std::thread::sleep(Duration::from_micros(random.next() % 2000));
        worker.kill();
        ledger.wrote(u64::from(first) + worker.drain())?;
        ledger
            .compare(&store)
            .map_err(|f| f.during(format!("kill {round}, seen by the survivor")))?;
        let steps = churn(ledger.seed, ledger.next);
        let answer = store.apply(crate::worker::batch_of(&steps));
        ledger.model.applied(&steps, &answer, Trouble::Never)?;
        ledger.next += 1;
    }
    Ok(())
}

fn deletions_survive(bench: &Bench) -> Outcome {
    let home = bench.home();
    for round in 0..3 {
        let store = bench.open(&home)?;
        for path in ["a", "a/b", "c"] {
            store.put(&key("team", path), format!("{round}"))?;
        }
        store.delete(&key("team", "a"))?;
        store.delete(&key("team", "c"))?;
        drop(store);
        let store = bench.open(&home)?;
        store.holds_exactly(&space("team"), &[(key("team", "a/b"), format!("{round}").into())])?;
        store.delete(&key("team", "a/b"))?;
        drop(store);
        let store = bench.open(&home)?;
        store.holds_exactly(&space("team"), &[])?;
        ensure!(store.namespaces()?.is_empty(), "an emptied namespace returned with a restart");
    }
    Ok(())
}

fn versions_stay_used(bench: &Bench) -> Outcome {
    let (home, mut store) = bench.fresh()?;
    let place = key("team", "a");
    let mut seen: Vec<(Version, String)> = Vec::new();
    for round in 0..12 {
        let value = format!("{round}");
        store.put(&place, value.clone())?;
        let version = store.version(&place)?;
        if let Some((_, other)) = seen.iter().find(|(old, _)| *old == version) {
            return Err(Failure::new(format!(
                "after a restart {version:?}, which stood for {other:?}, stands for {value:?}"
            )));
        }
        seen.push((version, value));
        // What counts versions may count what is there, or what was done last.
        match round % 4 {
            0 => store.delete(&place)?,
            1 => {
                store.put(&key("team", "b"), "other")?;
                store.delete(&place)?;
            }
            2 => store.delete(&key("team", "b"))?,
            _ => {}
        }
        drop(store);
        store = bench.open(&home)?;
    }
    Ok(())
}

fn contents_survive(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let mut all = Vec::new();
    let long = "x".repeat(250);
    for (nth, path) in
        ["a", "a/b", "A", "a b ", "é", "e\u{301}", "%41", "a%2Fb", ".x", "x.tmp", "a:b", &long]
            .into_iter()
            .enumerate()
    {
        let value = crate::ops::Value {
            kind: nth as u8 % 8,
            len: [0, 3, 70_000][nth % 3],
            mark: nth as u32,
        }
        .bytes();
        store.put(&key("team", path), value.clone())?;
        all.push((key("team", path), value));
    }
    drop(store);
    bench.open(&home)?.holds_exactly(&space("team"), &all)
}
