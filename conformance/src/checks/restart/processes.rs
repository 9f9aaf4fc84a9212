//! Several processes on one store, or a second one that must not be.

use super::crash::ready;
use crate::bench::{Bench, Home, Random};
use crate::check::Outcome;
use crate::checks::concurrency::races::{together, until};
use crate::checks::concurrency::{Recorder, race};
use crate::ensure;
use crate::linear::Answer;
use crate::report::Failure;
use crate::worker::{Local, Seat, Task, When, Worker, numbered, place};

fn workers(bench: &Bench, home: &Home, count: usize) -> Result<Vec<Worker>, Failure> {
    let mut workers = Vec::new();
    for _ in 0..count {
        let mut worker = Worker::start(bench, home, Task::Serve)?;
        ready(&mut worker)?;
        workers.push(worker);
    }
    Ok(workers)
}

pub(super) fn processes(bench: &Bench) -> Outcome {
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
    until(u64::from(rounds), "races overlapped", |_| {
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
            overlapped += u64::from(said);
        }
        Ok(overlapped)
    })
}

pub(super) fn process_counter(bench: &Bench) -> Outcome {
    let home = bench.home();
    let workers = workers(bench, &home, 3)?;
    let seats: Vec<_> = workers.into_iter().map(std::sync::Mutex::new).collect();
    let own = bench.open(&home)?;
    let steps = bench.rounds(20);
    let mut total = 0;
    let mut conflicts = 0;
    // Processes that never meet came one after the other.
    until(u64::from(steps), "updates met another", |_| {
        let met = together(3, |nth| {
            let mut seat = seats[nth].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            steps_of(&mut seat, steps)
        })?;
        total += 3 * steps;
        own.holds(&place(0), Some(&numbered(total)))?;
        conflicts += met.iter().sum::<u64>();
        Ok(conflicts)
    })
}

/// Counts so many steps further, and says how many of them had to be taken again.
fn steps_of(seat: &mut Worker, steps: u32) -> Result<u64, Failure> {
    let (mut done, mut conflicts) = (0, 0);
    while done < steps {
        let (value, when) = match seat.read(0)? {
            Answer::Value(Some(value)) => (value + 1, When::Seen),
            Answer::Value(None) => (1, When::Absent),
            _ => return Err(Failure::new("a read in another process failed")),
        };
        match seat.write(0, Some(value), when) {
            Answer::Done => done += 1,
            Answer::Conflict if conflicts < 100_000 => conflicts += 1,
            Answer::Conflict => return Err(Failure::new("100,000 tries without an end")),
            _ => return Err(Failure::new("a write in another process failed")),
        }
    }
    Ok(conflicts)
}

pub(super) fn second_process(bench: &Bench) -> Outcome {
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
                "a second process reads what this one wrote, {seen:?}: the store is shared, though it does not promise to be"
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
