//! What threads see of a key, written down with the moments before and after, and put in an order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::races::{Course, Through, jitter, together};
use crate::bench::{Bench, Random};
use crate::check::Outcome;
use crate::linear::{self, Answer, Call, Event, Guard};
use crate::report::Failure;
use crate::worker::{Local, Seat, When};

/// What threads record of their calls.
pub(in crate::checks) struct Recorder {
    clock: AtomicU64,
    events: Mutex<Vec<(usize, Event)>>,
    /// Which value a version of a key was read with.
    next_value: AtomicU32,
}

impl Recorder {
    pub(in crate::checks) fn new() -> Self {
        Self { clock: AtomicU64::new(0), events: Mutex::default(), next_value: AtomicU32::new(1) }
    }

    pub(in crate::checks) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(in crate::checks) fn value(&self) -> u32 {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::checks) fn note(&self, place: usize, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push((place, event));
    }

    /// Looks for an order of the calls on each key. Says whether calls overlapped at all.
    pub(in crate::checks) fn judge(self, places: usize) -> Result<bool, Failure> {
        let events = self.events.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut overlapped = false;
        for place in 0..places {
            let own = events.iter().filter(|(nth, _)| *nth == place).map(|(_, event)| *event);
            let history: Vec<_> = own.collect();
            overlapped |= history.iter().any(|one| {
                history.iter().any(|two| {
                    one.thread != two.thread && one.start < two.start && two.start < one.end
                })
            });
            match linear::check(None, &history) {
                linear::Verdict::Linearizable => {}
                linear::Verdict::Violation(events) => {
                    return Err(Failure {
                        what: format!("what was seen of key {place} has no order"),
                        program: Some(linear::draw(&events)),
                        ..Failure::default()
                    });
                }
                linear::Verdict::TooLong => {
                    return Err(Failure::inconclusive("a history was too long to be judged"));
                }
            }
        }
        Ok(overlapped)
    }
}

/// One seat's part in a recorded race.
pub(in crate::checks) fn race(
    recorder: &Recorder,
    seat: &mut dyn Seat,
    thread: usize,
    places: usize,
    calls: usize,
    random: &mut Random,
) -> Outcome {
    let mut seen: HashMap<usize, u32> = HashMap::new();
    for _ in 0..calls {
        let nth = random.below(places);
        jitter(random);
        let choice = random.below(10);
        let (guard, when) = match (random.below(4), seen.get(&nth)) {
            (0, _) => (Guard::Absent, When::Absent),
            (1 | 2, Some(value)) => (Guard::Is(*value), When::Seen),
            _ => (Guard::Any, When::Always),
        };
        let start = recorder.now();
        if random.one_in(6) {
            // Within the call's time, which only widens it: an alarm stays one, and calls overlap.
            std::thread::sleep(Duration::from_micros(random.next() % 80));
        }
        let (call, answer) = if choice < 4 {
            let answer = seat.read(nth)?;
            match answer {
                Answer::Value(Some(value)) => drop(seen.insert(nth, value)),
                _ => drop(seen.remove(&nth)),
            }
            (Call::Read, answer)
        } else if choice < 8 {
            let value = recorder.value();
            (Call::Put(value, guard), seat.write(nth, Some(value), when))
        } else {
            (Call::Delete(guard), seat.write(nth, None, when))
        };
        let end = recorder.now();
        recorder.note(nth, Event { thread: thread as u32, call, answer, start, end });
    }
    Ok(())
}

fn linear_rounds(bench: &Bench, through: Through) -> Outcome {
    let mut random = bench.random();
    let rounds = bench.rounds(60);
    let mut overlapped = 0;
    let mut tried = 0;
    // Goes on until enough races were races: on a busy machine most threads come one by one.
    while tried < rounds || overlapped * 4 < rounds {
        if tried == rounds * 20 {
            return Err(Failure::not_checked(format!(
                "this machine is too busy for races: only {overlapped} of {tried} overlapped"
            )));
        }
        let threads = 2 + random.below(3);
        let course = Course::new(bench, threads, through)?;
        let places = 1 + tried as usize % 2;
        let recorder = Recorder::new();
        let seed = random.next();
        together(threads, |nth| {
            let mut random = Random(seed ^ (nth as u64) << 40);
            let mut seat = Local::new(course.handles[nth].clone());
            race(&recorder, &mut seat, nth, places, 10, &mut random)
        })?;
        let said = recorder.judge(places).map_err(|f| f.during(format!("round {tried}")))?;
        overlapped += u32::from(said);
        tried += 1;
    }
    Ok(())
}

pub(super) fn linearizable(bench: &Bench) -> Outcome {
    linear_rounds(bench, Through::OneHandle)
}

pub(super) fn linearizable_handles(bench: &Bench) -> Outcome {
    linear_rounds(bench, Through::OwnHandles)
}
