//! Concurrency: several threads, several handles; lost updates are counted to zero, and what was
//! seen of a key can be put in an order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use larder::key::Key;
use larder::storage::{Batch, Depth, Error, Expect, Version};

use super::check;
use crate::bench::{Bench, Handle, Home, Random, key, show, space};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::linear::{self, Answer, Call, Event, Guard};
use crate::report::{Failure, chain};
use crate::worker::{Local, Seat, When, number_of, numbered};

pub(super) const CHECKS: &[Check] = &[
    check(
        "C-01",
        "Writers of different keys all succeed and lose nothing",
        "sentence 2",
        distinct_keys,
    ),
    check("C-02", "Writers of one key leave one of their values, whole", "sentence 1", one_key),
    check(
        "C-03",
        "Readers during overwrites see a whole value, old or new",
        "sentence 1",
        whole_values,
    ),
    check(
        "C-04",
        "Readers during deletes and creations see a whole value or nothing",
        "sentence 1",
        whole_or_nothing,
    ),
    check(
        "C-05",
        "What threads see of a key can be put in an order, through one handle",
        "sentences 1, 2 and 4",
        linearizable,
    ),
    check(
        "C-06",
        "What threads see of a key can be put in an order, each with a handle of its own",
        "sentences 1, 2 and 4",
        linearizable_handles,
    ),
    check(
        "C-07",
        "Of those who create a key at once exactly one succeeds, and its value stays",
        "sentence 4",
        one_creator,
    ),
    check(
        "C-08",
        "A counter that is read and replaced at its version loses no step",
        "sentence 4",
        counter,
    ),
    check(
        "C-09",
        "A list that many append to keeps every acknowledged item once, as references must",
        "sentence 4",
        appended_list,
    ),
    check(
        "C-10",
        "A delete that races guarded writes lets them win or lose, never both",
        "sentence 4",
        delete_race,
    ),
    check(
        "C-11",
        "Keys that stay are listed once and in order beside writers",
        "sentence 6",
        listing_beside_writers,
    ),
    check("C-12", "Sixty-four tasks on one thread all finish", "Storage", one_thread),
    check("C-13", "Sixteen handles opened at once are one store", "Subject::open", opened_at_once),
    check(
        "C-14",
        "Batches that cross on the same keys finish, and one of them wins",
        "sentence 4",
        crossing_batches,
    ),
    check(
        "C-15",
        "A guarded batch that lost left nothing, however it raced",
        "sentences 3 and 4",
        losers_leave_nothing,
    ),
    check(
        "C-16",
        "Get and stat beside writers give versions that stand for one value each",
        "Version",
        versions_beside_writers,
    ),
    check(
        "C-17",
        "A namespace that is emptied beside writers ends with what was written last",
        "sentence 2",
        emptied_beside_writers,
    ),
    check(
        "C-18",
        "Namespaces are listed whole beside writers of others",
        "Storage::namespaces",
        spaces_beside_writers,
    ),
    check(
        "C-19",
        "Many references in one batch each are counted exactly under contention",
        "sentence 4",
        references,
    ),
];

/// Runs one closure per thread, all starting at once, and gathers what they say.
pub(super) fn together<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|nth| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(nth)
                })
            })
            .collect();
        let panicked = |_| Err(Failure::new("a call panicked"));
        running.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}

/// A pause that shifts threads against each other: mostly none, sometimes a turn, rarely a nap.
pub(super) fn jitter(random: &mut Random) {
    match random.below(12) {
        0..=5 => {}
        6..=10 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(random.next() % 60)),
    }
}

/// A handle for each thread, opened anew or shared.
fn handles(bench: &Bench, home: &Home, threads: usize, own: bool) -> Result<Vec<Handle>, Failure> {
    let first = bench.open(home)?;
    (0..threads).map(|_| if own { bench.open(home) } else { Ok(first.clone()) }).collect()
}

fn distinct_keys(bench: &Bench) -> Outcome {
    for round in 0..bench.rounds(10) {
        let home = bench.home();
        let handles = handles(bench, &home, 4, true)?;
        together(4, |nth| {
            for n in 0..12 {
                let place = key("team", &format!("d{}/t{nth}/{n}", n % 3));
                handles[nth].put(&place, format!("{nth}.{n}"))?;
            }
            Ok(())
        })?;
        let mut all = Vec::new();
        for nth in 0..4 {
            for n in 0..12 {
                let place = key("team", &format!("d{}/t{nth}/{n}", n % 3));
                all.push((place, Bytes::from(format!("{nth}.{n}"))));
            }
        }
        handles[0]
            .holds_exactly(&space("team"), &all)
            .map_err(|f| f.during(format!("round {round}")))?;
    }
    Ok(())
}

/// A value that shows when it is torn: every eight bytes name its writer and its length.
fn woven(mark: u64, len: usize) -> Bytes {
    let len = len / 8 * 8;
    (mark << 24 | len as u64).to_be_bytes().repeat(len / 8).into()
}

/// Who wrote a value, if it is whole.
fn writer_of(bytes: &[u8]) -> Option<u64> {
    let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    let word = u64::from_be_bytes(first);
    let whole =
        bytes.chunks(8).all(|chunk| chunk == first) && bytes.len() as u64 == word & 0xff_ffff;
    whole.then_some(word >> 24)
}

fn one_key(bench: &Bench) -> Outcome {
    for _ in 0..bench.rounds(20) {
        let home = bench.home();
        let handles = handles(bench, &home, 4, true)?;
        let place = key("team", "data/x");
        together(4, |nth| {
            for n in 0..6 {
                handles[nth].put(&place, woven((nth * 100 + n) as u64, 800 * (nth + 1)))?;
            }
            Ok(())
        })?;
        let value = handles[0].read(&place)?;
        // Only the last write of some thread can have been the last of all.
        let writer = value.as_deref().and_then(writer_of);
        ensure!(
            writer.is_some_and(|writer| writer % 100 == 5),
            "four writers left {}",
            show(value.as_deref())
        );
    }
    Ok(())
}

fn readers_see(bench: &Bench, deletes: bool) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 4, true)?;
    let place = key("team", "data/x");
    handles[0].put(&place, woven(0, 4096))?;
    let done = AtomicBool::new(false);
    let reads = AtomicU32::new(0);
    let wanted = bench.rounds(400);
    together(4, |nth| {
        let handle = &handles[nth];
        if nth == 0 {
            let mut round = 0_u64;
            let outcome = loop {
                round += 1;
                let len = [4096, 64_000, 8, 800][round as usize % 4];
                let write = if deletes && round.is_multiple_of(2) {
                    handle.delete(&place)
                } else {
                    handle.put(&place, woven(round, len))
                };
                let enough =
                    round >= u64::from(wanted) / 2 && reads.load(Ordering::Relaxed) >= wanted;
                if write.is_err() || enough || done.load(Ordering::Acquire) || round > 200_000 {
                    break write;
                }
            };
            done.store(true, Ordering::Release);
            return Ok(outcome?);
        }
        let mut last = 0;
        while !done.load(Ordering::Acquire) {
            let seen = handle.read(&place);
            let verdict = match &seen {
                Ok(Some(bytes)) => match writer_of(bytes) {
                    Some(round) => {
                        let forwards = round >= last;
                        last = round;
                        if forwards {
                            None
                        } else {
                            Some(format!("a reader went back to write {round}"))
                        }
                    }
                    None => {
                        Some(format!("a reader saw a part or a mixture: {}", show(Some(bytes))))
                    }
                },
                Ok(None) if deletes => None,
                Ok(None) => Some("a reader saw nothing during an overwrite".into()),
                Err(error) => Some(format!("a reader failed: {}", chain(error))),
            };
            reads.fetch_add(1, Ordering::Relaxed);
            if let Some(wrong) = verdict {
                done.store(true, Ordering::Release);
                return Err(Failure::new(wrong));
            }
            std::thread::yield_now();
        }
        Ok(())
    })?;
    Ok(())
}

fn whole_values(bench: &Bench) -> Outcome {
    readers_see(bench, false)
}

fn whole_or_nothing(bench: &Bench) -> Outcome {
    readers_see(bench, true)
}

/// What threads record of their calls.
pub(super) struct Recorder {
    clock: AtomicU64,
    events: Mutex<Vec<(usize, Event)>>,
    /// Which value a version of a key was read with.
    next_value: AtomicU32,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self { clock: AtomicU64::new(0), events: Mutex::default(), next_value: AtomicU32::new(1) }
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn value(&self) -> u32 {
        self.next_value.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn note(&self, place: usize, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push((place, event));
    }

    /// Looks for an order of the calls on each key. Says whether calls overlapped at all.
    pub(super) fn judge(self, places: usize) -> Result<bool, Failure> {
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
pub(super) fn race(
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

fn linear_rounds(bench: &Bench, own: bool) -> Outcome {
    let mut random = bench.random();
    let rounds = bench.rounds(60);
    let mut overlapped = 0;
    let mut tried = 0;
    // Goes on until enough races were races: on a busy machine most threads come one by one.
    for round in 0..rounds * 10 {
        if round >= rounds && overlapped * 10 >= rounds {
            break;
        }
        tried += 1;
        let home = bench.home();
        let threads = 2 + random.below(3);
        let handles = handles(bench, &home, threads, own)?;
        let places = 1 + round as usize % 2;
        let recorder = Recorder::new();
        let seed = random.next();
        together(threads, |nth| {
            let mut random = Random(seed ^ (nth as u64) << 40);
            race(&recorder, &mut Local::new(handles[nth].clone()), nth, places, 10, &mut random)
        })?;
        let said = recorder.judge(places).map_err(|f| f.during(format!("round {round}")))?;
        overlapped += u32::from(said);
    }
    if overlapped * 10 < rounds {
        return Err(Failure::inconclusive(format!(
            "only {overlapped} of {tried} races overlapped"
        )));
    }
    Ok(())
}

fn linearizable(bench: &Bench) -> Outcome {
    linear_rounds(bench, false)
}

fn linearizable_handles(bench: &Bench) -> Outcome {
    linear_rounds(bench, true)
}

fn one_creator(bench: &Bench) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 4, true)?;
    for round in 0..bench.rounds(60) {
        let place = key("team", &format!("data/{round}"));
        let results = together(4, |nth| {
            let result = handles[nth].put_if(&place, format!("writer {nth}"), Expect::Absent);
            match result {
                Ok(()) => Ok(true),
                Err(Error::Conflict { key }) if key == place => Ok(false),
                Err(error) => Err(error.into()),
            }
        })?;
        let winners: Vec<_> = (0..4).filter(|nth| results[*nth]).collect();
        let [winner] = winners[..] else {
            return Err(Failure::new(format!(
                "round {round}: {} writers created one key",
                winners.len()
            )));
        };
        handles[0].holds(&place, Some(format!("writer {winner}").as_bytes()))?;
    }
    Ok(())
}

/// Reads, changes and writes back at the version read until it succeeds.
pub(super) fn update(handle: &Handle, place: &Key, change: impl Fn(&[u8]) -> Vec<u8>) -> Outcome {
    for _ in 0..100_000 {
        let before = handle.get(place)?;
        let (bytes, expect) = match before {
            Some(object) => (change(&object.bytes), Expect::At(object.version)),
            None => (change(&[]), Expect::Absent),
        };
        match handle.put_if(place, bytes, expect) {
            Ok(()) => return Ok(()),
            Err(Error::Conflict { key }) if key == *place => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new("100,000 conflicts without one success"))
}

fn counter(bench: &Bench) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 4, true)?;
    let place = key("team", "counter");
    let steps = bench.rounds(60);
    together(4, |nth| {
        for _ in 0..steps {
            update(&handles[nth], &place, |bytes| {
                let text = std::str::from_utf8(bytes).unwrap_or_default();
                (text.parse::<u32>().unwrap_or_default() + 1).to_string().into_bytes()
            })?;
        }
        Ok(())
    })?;
    let found = handles[0].read(&place)?;
    let expected = (4 * steps).to_string();
    ensure!(
        found.as_deref() == Some(expected.as_bytes()),
        "{expected} steps left the counter at {}",
        show(found.as_deref())
    );
    Ok(())
}

fn appended_list(bench: &Bench) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 8, true)?;
    let place = key("team", "refs/by-hash/x");
    let items = bench.rounds(20);
    together(8, |nth| {
        for n in 0..items {
            let item = format!("{nth}.{n}\n");
            update(&handles[nth], &place, |bytes| [bytes, item.as_bytes()].concat())?;
        }
        Ok(())
    })?;
    let list = handles[0].read(&place)?.unwrap_or_default();
    let list = String::from_utf8_lossy(&list).into_owned();
    let mut found: Vec<_> = list.lines().collect();
    let lost = (8 * items as usize).checked_sub(found.len());
    found.sort_unstable();
    found.dedup();
    ensure!(
        lost == Some(0) && found.len() == 8 * items as usize,
        "of {} acknowledged items {} are there once",
        8 * items,
        found.len()
    );
    Ok(())
}

fn delete_race(bench: &Bench) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 2, true)?;
    for round in 0..bench.rounds(100) {
        let place = key("team", &format!("{}", round % 5));
        handles[0].put(&place, "before")?;
        let version = handles[0].version(&place)?;
        let results = together(2, |nth| {
            let expect = Expect::At(version.clone());
            let result = if nth == 0 {
                handles[0].delete_if(&place, expect)
            } else {
                handles[1].put_if(&place, "after", expect)
            };
            match result {
                Ok(()) => Ok(true),
                Err(Error::Conflict { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })?;
        let expected: Option<&[u8]> = match results[..] {
            [true, false] => None,
            [false, true] => Some(b"after"),
            _ => {
                return Err(Failure::new(format!(
                    "round {round}: delete and put of one version: {results:?}"
                )));
            }
        };
        handles[0].holds(&place, expected)?;
    }
    Ok(())
}

/// Runs writers until the looker is done.
fn beside(
    bench: &Bench,
    write: impl Fn(&Handle, &mut Random) -> Outcome + Sync,
    look: impl Fn(&Handle) -> Outcome + Sync,
    home: &Home,
    looks: u32,
) -> Outcome {
    let handles = handles(bench, home, 3, true)?;
    let done = AtomicBool::new(false);
    let seed = bench.seed;
    together(3, |nth| {
        if nth > 0 {
            let mut random = Random(seed ^ nth as u64);
            while !done.load(Ordering::Acquire) {
                write(&handles[nth], &mut random)?;
                std::thread::yield_now();
            }
            return Ok(());
        }
        let outcome = (0..looks).try_for_each(|_| {
            std::thread::yield_now();
            look(&handles[0])
        });
        done.store(true, Ordering::Release);
        outcome
    })?;
    Ok(())
}

fn listing_beside_writers(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let stable: Vec<_> = (0..10).map(|n| key("team", &format!("k{n}/x"))).collect();
    for place in &stable {
        store.put(place, "stays")?;
    }
    let write = |handle: &Handle, random: &mut Random| -> Outcome {
        let place = &stable[random.below(10)];
        if random.one_in(3) {
            return Ok(handle.put(place, "stays, overwritten")?);
        }
        let place = key("team", &format!("k{}/{}", random.below(10), random.below(4)));
        if random.one_in(2) {
            handle.delete(&place)?
        } else {
            handle.put(&place, "moves")?
        }
        Ok(())
    };
    let look = |handle: &Handle| -> Outcome {
        for limit in [3, 1000] {
            let found = handle.walk(&space("team").everything(), Depth::All, limit)?;
            let kept: Vec<_> =
                found.entries.into_iter().map(|e| e.key).filter(|k| stable.contains(k)).collect();
            ensure!(kept == stable, "keys that stay were listed as {kept:?}");
            let found = handle.walk(&space("team").everything(), Depth::Children, limit)?;
            ensure!(found.folders.len() == 10, "ten folders stay, but {:?}", found.folders);
        }
        Ok(())
    };
    beside(bench, write, look, &home, bench.rounds(40))
}

fn one_thread(bench: &Bench) -> Outcome {
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

fn opened_at_once(bench: &Bench) -> Outcome {
    for _ in 0..bench.rounds(3) {
        let home = bench.home();
        let handles = together(16, |nth| {
            let handle = bench.open(&home)?;
            handle.put(&key("team", &format!("{nth:02}")), format!("{nth}"))?;
            Ok(handle)
        })?;
        for handle in &handles {
            let keys = handle.keys(&space("team"))?.len();
            ensure!(keys == 16, "16 handles opened at once wrote a key each; one sees {keys}");
        }
    }
    Ok(())
}

fn crossing_batches(bench: &Bench) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 2, true)?;
    for round in 0..bench.rounds(60) {
        let (one, two) =
            (key("team", &format!("{round}/one")), key("team", &format!("{round}/two")));
        let won = together(2, |nth| {
            let mut batch = Batch::new(&space("team"));
            let order = if nth == 0 { [&one, &two] } else { [&two, &one] };
            for place in order {
                batch.put_if(place.clone(), format!("{nth}"), Expect::Absent);
            }
            match handles[nth].apply(batch) {
                Ok(()) => Ok(true),
                Err(Error::Conflict { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })?;
        let winners = won.iter().filter(|won| **won).count();
        ensure!(winners == 1, "round {round}: {winners} of two crossing batches succeeded");
        let expected = if won[0] { b"0" } else { b"1" };
        handles[0].holds(&one, Some(expected))?;
        handles[0].holds(&two, Some(expected))?;
    }
    Ok(())
}

fn losers_leave_nothing(bench: &Bench) -> Outcome {
    let home = bench.home();
    let handles = handles(bench, &home, 3, true)?;
    for round in 0..bench.rounds(50) {
        let guard = key("team", &format!("{round}/guard"));
        let won = together(3, |nth| {
            let mut batch = Batch::new(&space("team"));
            batch.put(key("team", &format!("{round}/side{nth}")), "side");
            batch.put_if(guard.clone(), format!("{nth}"), Expect::Absent);
            batch.then();
            batch.put(key("team", &format!("{round}/last{nth}")), "last");
            match handles[nth].apply(batch) {
                Ok(()) => Ok(true),
                Err(Error::Conflict { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })?;
        for (nth, won) in won.into_iter().enumerate() {
            for (name, value) in [("side", &b"side"[..]), ("last", b"last")] {
                let place = key("team", &format!("{round}/{name}{nth}"));
                handles[0].holds(&place, won.then_some(value))?;
            }
        }
    }
    Ok(())
}

fn versions_beside_writers(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, numbered(0))?;
    let next = AtomicU32::new(1);
    let seen: Mutex<HashMap<Version, u32>> = Mutex::default();
    let write = |handle: &Handle, _: &mut Random| -> Outcome {
        Ok(handle.put(&place, numbered(next.fetch_add(1, Ordering::Relaxed)))?)
    };
    let look = |handle: &Handle| -> Outcome {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Several looks at each version, since a wrong pair shows beside a right one.
        for _ in 0..4 {
            let Some(object) = handle.get(&place)? else {
                return Err(Failure::new("a value vanished during an overwrite"));
            };
            let number =
                number_of(&object.bytes).ok_or_else(|| Failure::new("a read saw a part"))?;
            let before = *seen.entry(object.version.clone()).or_insert(number);
            ensure!(
                before == number,
                "{:?} stood for write {before} and for write {number}",
                object.version
            );
        }
        if let Some(stat) = handle.stat(&place)?
            && let Some(number) = seen.get(&stat.version)
        {
            let size = numbered(*number).len() as u64;
            ensure!(
                stat.size.bytes() == size,
                "stat gives the version of {size} bytes with size {}",
                stat.size.bytes()
            );
        }
        Ok(())
    };
    beside(bench, write, look, &home, bench.rounds(300))
}

fn emptied_beside_writers(bench: &Bench) -> Outcome {
    for _ in 0..bench.rounds(10) {
        let home = bench.home();
        let handles = handles(bench, &home, 2, true)?;
        together(2, |nth| {
            for n in 0..20 {
                let place = key("team", &format!("d/{}", n % 5));
                if nth == 0 {
                    handles[0].put(&place, format!("{n}"))?;
                } else {
                    for place in handles[1].keys(&space("team"))? {
                        handles[1].delete(&place)?;
                    }
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
}

fn spaces_beside_writers(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    for name in ["a", "m", "z"] {
        store.put(&key(name, "data/x"), "stays")?;
    }
    let write = |handle: &Handle, random: &mut Random| -> Outcome {
        if random.one_in(3) {
            return Ok(handle
                .put(&key(["a", "m", "z"][random.below(3)], "data/x"), "stays, overwritten")?);
        }
        let place = key(["b", "n", "a-", "zz"][random.below(4)], "data/x");
        if random.one_in(2) {
            handle.delete(&place)?
        } else {
            handle.put(&place, "moves")?
        }
        Ok(())
    };
    let look = |handle: &Handle| -> Outcome {
        let found = handle.namespaces()?;
        let stays = ["a", "m", "z"].iter().all(|name| found.contains(&space(name)));
        ensure!(stays && found.is_sorted_by(|a, b| a < b), "namespaces gave {found:?}");
        Ok(())
    };
    beside(bench, write, look, &home, bench.rounds(150))
}

fn references(bench: &Bench) -> Outcome {
    // What the service does: content and its own reference, then the shared reference, guarded.
    let home = bench.home();
    let handles = handles(bench, &home, 4, true)?;
    let shared = key("team", "refs/by-hash/h");
    let items = bench.rounds(20);
    let lost = AtomicU32::new(0);
    together(4, |nth| {
        for n in 0..items {
            let id = format!("{nth}-{n}");
            loop {
                let before = handles[nth].get(&shared)?;
                let (mut list, expect) = match before {
                    Some(object) => (object.bytes.to_vec(), Expect::At(object.version)),
                    None => (Vec::new(), Expect::Absent),
                };
                list.extend_from_slice(format!("{id}\n").as_bytes());
                let mut batch = Batch::new(&space("team"));
                batch.put(key("team", &format!("data/{id}")), id.clone());
                batch.then();
                batch.put_if(shared.clone(), list, expect);
                match handles[nth].apply(batch) {
                    Ok(()) => break,
                    Err(Error::Conflict { .. }) => std::thread::yield_now(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    })?;
    let list = handles[0].read(&shared)?.unwrap_or_default();
    for nth in 0..4 {
        for n in 0..items {
            let id = format!("{nth}-{n}");
            handles[0].holds(&key("team", &format!("data/{id}")), Some(id.as_bytes()))?;
            let count = list.split(|b| *b == b'\n').filter(|line| *line == id.as_bytes()).count();
            lost.fetch_add(u32::from(count != 1), Ordering::Relaxed);
        }
    }
    let lost = lost.into_inner();
    ensure!(lost == 0, "{lost} of {} acknowledged references are lost or doubled", 4 * items);
    Ok(())
}
