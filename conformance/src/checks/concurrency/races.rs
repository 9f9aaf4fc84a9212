//! Races worth the name. Threads set off at the same moment, calls that cross are counted, and a race
//! in which too few crossed is run again; what stays too poor is said not to be checked, and is never
//! a pass.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use larder::key::{Key, Namespace};
use larder::storage::{Batch, List, Object, Page, Promises, Result, Stat, Storage};

use crate::adapter::as_the_service;
use crate::bench::{Bench, Handle, Home, Random};
use crate::check::Outcome;
use crate::report::Failure;

/// How often, and at least how long, a race that was too poor is run again: on a busy machine most
/// threads come one by one.
const TRIES: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(1);

/// The calls of all handles on one store, and how many of them crossed.
#[derive(Debug, Default)]
pub(in crate::checks) struct Traffic {
    reading: AtomicUsize,
    writing: AtomicUsize,
    crossed: AtomicU64,
}

impl Traffic {
    /// A call begins. It crosses what is under way, if one of the two writes.
    pub(in crate::checks) fn enter(&self, writes: bool) -> Passing<'_> {
        let beside = self.writing.load(Ordering::SeqCst)
            + if writes { self.reading.load(Ordering::SeqCst) } else { 0 };
        self.crossed.fetch_add(u64::from(beside > 0), Ordering::Relaxed);
        let way = if writes { &self.writing } else { &self.reading };
        way.fetch_add(1, Ordering::SeqCst);
        Passing(way)
    }

    /// How many calls began while another was under way, one of the two being a write.
    pub(in crate::checks) fn crossed(&self) -> u64 {
        self.crossed.load(Ordering::Relaxed)
    }
}

/// A call under way.
#[derive(Debug)]
pub(in crate::checks) struct Passing<'a>(&'a AtomicUsize);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A store whose calls are counted.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn Storage>,
    traffic: Arc<Traffic>,
}

#[async_trait]
impl Storage for Watched {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let _passing = self.traffic.enter(false);
        as_the_service(self.inner.get(key)).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let _passing = self.traffic.enter(false);
        as_the_service(self.inner.stat(key)).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let _passing = self.traffic.enter(true);
        as_the_service(self.inner.apply(batch)).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        let _passing = self.traffic.enter(false);
        as_the_service(self.inner.list(query)).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        let _passing = self.traffic.enter(false);
        as_the_service(self.inner.namespaces()).await
    }
}

/// Whose handles a race is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::checks) enum Through {
    /// All threads share one.
    OneHandle,
    /// Each thread opens its own.
    OwnHandles,
}

/// Where a race is run: a handle for each thread, on one new store.
#[derive(Debug)]
pub(in crate::checks) struct Course {
    pub(in crate::checks) handles: Vec<Handle>,
    traffic: Arc<Traffic>,
    _home: Home,
}

impl Course {
    pub(in crate::checks) fn new(
        bench: &Bench,
        threads: usize,
        through: Through,
    ) -> std::result::Result<Self, Failure> {
        let home = bench.home();
        let traffic = Arc::new(Traffic::default());
        let watch = |handle: Handle| {
            Handle::new(Arc::new(Watched { inner: handle.0, traffic: Arc::clone(&traffic) }))
        };
        let first = watch(bench.open(&home)?);
        let open = |nth| match through {
            Through::OwnHandles if nth > 0 => bench.open(&home).map(watch),
            _ => Ok(first.clone()),
        };
        let handles = (0..threads).map(open).collect::<std::result::Result<_, _>>()?;
        Ok(Self { handles, traffic, _home: home })
    }

    /// How many calls crossed another, in all races here.
    pub(in crate::checks) fn crossed(&self) -> u64 {
        self.traffic.crossed()
    }

    /// Runs a race, and runs it again until so many calls crossed since the first. The number of the
    /// run is for names that no other run had.
    pub(in crate::checks) fn until_crossed(
        &self,
        wanted: u32,
        race: impl FnMut(u32) -> Outcome,
    ) -> Outcome {
        until_crossed(&self.traffic, wanted, race)
    }
}

/// As [`Course::until_crossed`], for traffic that the caller counts.
pub(in crate::checks) fn until_crossed(
    traffic: &Traffic,
    wanted: u32,
    mut race: impl FnMut(u32) -> Outcome,
) -> Outcome {
    until(u64::from(wanted), "calls crossed another", |nth| {
        race(nth)?;
        Ok(traffic.crossed())
    })
}

/// Runs a race again until so much has come up in all runs together, by a count of its own.
pub(in crate::checks) fn until(
    wanted: u64,
    what: &str,
    mut race: impl FnMut(u32) -> std::result::Result<u64, Failure>,
) -> Outcome {
    let began = Instant::now();
    let (mut tries, mut seen) = (0, 0);
    while tries < TRIES || began.elapsed() < PATIENCE {
        seen = race(tries)?;
        if seen >= wanted {
            return Ok(());
        }
        tries += 1;
    }
    Err(Failure::not_checked(format!(
        "this machine is too busy for races: in {tries} of them only {seen} {what}, and {wanted} must"
    )))
}

/// Threads that wait for each other before every round.
#[derive(Debug)]
struct Line {
    threads: usize,
    /// How many can run at the same moment.
    abreast: usize,
    arrived: Mutex<usize>,
    all: Condvar,
    awake: AtomicUsize,
    broken: AtomicBool,
}

impl Line {
    fn new(threads: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads,
            abreast: threads.min(cores),
            arrived: Mutex::new(0),
            all: Condvar::new(),
            awake: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Waits until all have come so often; `false` when one of them will not come any more.
    fn wait(&self, round: usize) -> bool {
        let full = (round + 1) * self.threads;
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived += 1;
        if *arrived == full {
            self.all.notify_all();
        }
        while *arrived < full && !self.broken.load(Ordering::SeqCst) {
            arrived = self.all.wait(arrived).unwrap_or_else(PoisonError::into_inner);
        }
        drop(arrived);
        // Who sleeps is woken late: for a moment those who are awake wait for as many as can run at
        // once. On a busy machine they may not come.
        let abreast = round * self.threads + self.abreast;
        self.awake.fetch_add(1, Ordering::SeqCst);
        for _ in 0..2000 {
            if self.awake.load(Ordering::SeqCst) >= abreast {
                break;
            }
            std::hint::spin_loop();
        }
        !self.broken.load(Ordering::SeqCst)
    }

    fn break_up(&self) {
        let _arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        self.broken.store(true, Ordering::SeqCst);
        self.all.notify_all();
    }
}

/// What threads in step said, by round instead of by thread.
pub(super) fn by_round(said: Vec<Vec<bool>>) -> impl Iterator<Item = Vec<bool>> {
    let rounds = said.first().map_or(0, Vec::len);
    (0..rounds).map(move |round| said.iter().map(|thread| thread[round]).collect())
}

/// Runs one closure per thread for so many rounds, all beginning each round at once, and gathers what
/// they say by thread and round.
pub(in crate::checks) fn in_step<T: Send>(
    threads: usize,
    rounds: usize,
    work: impl Fn(usize, usize) -> std::result::Result<T, Failure> + Sync,
) -> std::result::Result<Vec<Vec<T>>, Failure> {
    let line = Line::new(threads);
    let run = |nth: usize| {
        let mut said = Vec::with_capacity(rounds);
        for round in 0..rounds {
            if !line.wait(round) {
                break;
            }
            // A few turns of nothing shift the threads against each other, another way each round.
            for _ in 0..(round * 7 + nth * 13) % 31 * 8 {
                std::hint::spin_loop();
            }
            match catch_unwind(AssertUnwindSafe(|| work(nth, round))) {
                Ok(Ok(one)) => said.push(one),
                Ok(Err(failure)) => {
                    line.break_up();
                    return Err(failure);
                }
                Err(panic) => {
                    line.break_up();
                    resume_unwind(panic);
                }
            }
        }
        Ok(said)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|nth| scope.spawn(move || run(nth))).collect();
        let panicked = |_| Err(Failure::new("a call panicked"));
        let ended: Vec<_> =
            running.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect();
        ended.into_iter().collect()
    })
}

/// Runs one closure per thread, all beginning at once, and gathers what they say.
pub(in crate::checks) fn together<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> std::result::Result<T, Failure> + Sync,
) -> std::result::Result<Vec<T>, Failure> {
    let said = in_step(threads, 1, |nth, _| work(nth))?;
    Ok(said.into_iter().flatten().collect())
}

/// A pause that shifts threads against each other: mostly none, sometimes a turn, rarely a nap.
pub(in crate::checks) fn jitter(random: &mut Random) {
    match random.below(12) {
        0..=5 => {}
        6..=10 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(random.next() % 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Traffic, in_step, until_crossed};
    use crate::report::Failure;

    #[test]
    fn calls_cross_when_one_of_them_writes() {
        let traffic = Traffic::default();
        let one = traffic.enter(false);
        let two = traffic.enter(false);
        assert_eq!(traffic.crossed(), 0, "readers do not cross readers");
        let three = traffic.enter(true);
        assert_eq!(traffic.crossed(), 1);
        drop((one, two));
        drop(traffic.enter(false));
        assert_eq!(traffic.crossed(), 2);
        drop(three);
        drop(traffic.enter(true));
        assert_eq!(traffic.crossed(), 2, "what is over crosses nothing");
    }

    #[test]
    fn a_race_in_which_nothing_crosses_is_not_checked() {
        let traffic = Traffic::default();
        let mut runs = 0;
        let said = until_crossed(&traffic, 1, |nth| {
            assert_eq!(nth, runs);
            runs += 1;
            drop(traffic.enter(true));
            Ok(())
        });
        assert!(said.is_err_and(|failure| failure.not_checked));
        assert!(runs >= super::TRIES, "given up after {runs}");
    }

    #[test]
    fn a_race_goes_on_until_enough_crossed() {
        let traffic = Traffic::default();
        let mut runs = 0;
        let said = until_crossed(&traffic, 3, |_| {
            runs += 1;
            let _one = traffic.enter(true);
            drop(traffic.enter(true));
            Ok(())
        });
        assert!(said.is_ok());
        assert_eq!(runs, 3);
    }

    #[test]
    fn rounds_begin_when_all_have_ended_the_one_before() {
        let ended = std::sync::atomic::AtomicUsize::new(0);
        let said = in_step(3, 200, |nth, round| {
            let before = ended.load(std::sync::atomic::Ordering::SeqCst);
            assert!((round * 3..round * 3 + 3).contains(&before));
            ended.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok((nth, round))
        });
        let said = said.expect("no thread fails");
        let expected = |nth| (0..200).map(|round| (nth, round)).collect::<Vec<_>>();
        assert_eq!(said, [expected(0), expected(1), expected(2)]);
    }

    #[test]
    fn who_fails_or_panics_does_not_keep_the_others() {
        let failed = in_step(3, 50, |nth, round| {
            if nth == 1 && round == 20 { Err(Failure::new("enough")) } else { Ok(()) }
        });
        assert_eq!(failed.expect_err("one fails").what, "enough");
        let panicked = in_step(3, 50, |nth, round| {
            assert!(nth != 1 || round != 20, "a planned panic");
            Ok(())
        });
        assert_eq!(panicked.expect_err("one panics").what, "a call panicked");
    }
}
