//! Processes that are killed: while they write, while they open, half way through a file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use larder::storage::{Depth, Error};

use crate::bench::{Bench, Handle, Home, key, space};
use crate::check::Outcome;
use crate::ensure;
use crate::faulty::Fault;
use crate::model::{Model, Trouble};
use crate::report::Failure;
use crate::worker::{Task, Worker, churn};

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

pub(super) fn ready(worker: &mut Worker) -> Outcome {
    match worker.line() {
        Some(line) if line == "ready" => Ok(()),
        other => Err(Failure::new(format!("another process could not open the store: {other:?}"))),
    }
}

pub(super) fn killed(bench: &Bench) -> Outcome {
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
        // A run of few rounds may draw too few writes; the last makes up for it.
        let last = round + 1 == rounds;
        let missing = if last { u64::from(rounds).saturating_sub(acknowledged_at_all) } else { 0 };
        for _ in 0..(random.below(12) as u64).max(missing) {
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

pub(super) fn killed_at_calls(bench: &Bench) -> Outcome {
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

/// How often opening is interrupted, at most, for one time that is wanted.
const KILLS: u32 = 40;

pub(super) fn killed_opening(bench: &Bench) -> Outcome {
    let home = bench.home();
    let mut random = bench.random();
    let mut ledger = Ledger::new(bench);
    let wanted = bench.rounds(9);
    let (mut kills, mut opening) = (0, 0);
    let mut longest = 1000;
    while opening < wanted {
        if kills == wanted * KILLS {
            return Err(Failure::inconclusive(format!(
                "of {kills} kills only {opening} came while the store was being opened"
            )));
        }
        let mut worker = Worker::start(bench, &home, Task::Reopen)?;
        // The first words come when the process is up; the kill falls into one of its openings.
        let began = worker.line();
        std::thread::sleep(Duration::from_micros(random.next() % longest));
        worker.kill();
        let words: Vec<_> = began.into_iter().chain(worker.last_words()).collect();
        if let Some(refused) = words.iter().find(|word| word.starts_with("refused")) {
            return Err(Failure::new(format!("after {kills} kills, opening was {refused}")));
        }
        kills += 1;
        match words.last().map(String::as_str) {
            Some("opening") => {
                opening += 1;
                // Now and then the store is opened to the end; other kills follow each other.
                if opening % 3 == 0 {
                    let said = || format!("after {opening} kills while opening");
                    ledger.verify(bench, &home).map_err(|f| f.during(said()))?;
                }
            }
            Some("ready") => {}
            other => return Err(Failure::new(format!("a process that opens said {other:?}"))),
        }
        // A store that takes long to open is killed later.
        longest = (longest * 5 / 4).min(16_000);
    }
    ledger.verify(bench, &home)
}

/// The bytes of the largest file below a folder.
fn largest(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => largest(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    });
    sizes.max().unwrap_or_default()
}

pub(super) fn cut_writes(bench: &Bench) -> Outcome {
    if !cfg!(target_os = "linux") {
        return Err(Failure::not_checked("only Linux is asked to cut writes"));
    }
    let home = bench.home();
    let mut random = bench.random();
    let mut ledger = Ledger::new(bench);
    let mut ended = 0;
    let rounds = bench.rounds(12);
    for round in 0..rounds {
        // A little room behind what is there, for stores with few files; a little at all, for stores
        // with many.
        let room = if round % 3 == 2 { 0 } else { largest(home.path()) };
        let bytes = room + 1 + random.next() % 5000;
        let task = Task::Cramped { seed: ledger.seed, from: ledger.next, bytes };
        let mut worker = Worker::start(bench, &home, task)?;
        ready(&mut worker)?;
        let words = worker.last_words();
        let acknowledged = words.iter().filter(|word| word.starts_with("ack")).count();
        let whole = words.last().is_some_and(|word| word == "roomy");
        ended += u32::from(!whole);
        ledger.wrote(acknowledged as u64)?;
        let during = || format!("files of {bytes} bytes at most, {acknowledged} writes");
        ledger.verify(bench, &home).map_err(|f| f.during(during()))?;
    }
    if ended == 0 {
        return Err(Failure::not_checked("no write of the store ran into the limit of a file"));
    }
    Ok(())
}

pub(super) fn survivor_goes_on(bench: &Bench) -> Outcome {
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
