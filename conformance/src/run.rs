//! Running checks: one by one, with a watchdog, and what a whole battery found.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use larder::storage::Promises;

use crate::bench::{Bench, DEFAULT_CASES, Home, runtime};
use crate::check::{Check, Offers};
use crate::faulty::Faulty;
use crate::report::{Failure, Finding, Report, Verdict, chain};
use crate::subject::AnySubject;

/// How a run is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// All randomness comes from this.
    pub seed: u64,
    /// Cases of the property-based checks; the other lanes scale with it.
    pub cases: u32,
    /// How long one check may take before it counts as hanging.
    pub patience: Duration,
    /// Where programs that failed are kept, if they are.
    pub regressions: Option<PathBuf>,
    /// The directory in which stores get their homes, one of their own for each.
    pub homes: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            cases: DEFAULT_CASES,
            patience: Duration::from_secs(120),
            regressions: None,
            homes: in_memory().unwrap_or_else(std::env::temp_dir),
        }
    }
}

/// A file system in memory with room for the battery. Killing processes shows nothing of what reached
/// a disk and what did not, so the homes need none, and creating a file costs a tenth there.
#[cfg(target_os = "linux")]
fn in_memory() -> Option<PathBuf> {
    const ROOM: u64 = 1 << 30;
    let place = PathBuf::from("/dev/shm");
    let room = rustix::fs::statvfs(&place).ok()?;
    let writable = rustix::fs::access(&place, rustix::fs::Access::WRITE_OK).is_ok();
    (writable && room.f_bavail.saturating_mul(room.f_frsize) >= ROOM).then_some(place)
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> Option<PathBuf> {
    None
}

impl Settings {
    /// The defaults, changed by `LARDER_CONFORMANCE_SEED` (a number, or `random`),
    /// `LARDER_CONFORMANCE_CASES` and `LARDER_CONFORMANCE_HOMES` (a directory).
    pub fn from_env() -> Result<Self, String> {
        let mut settings = Self::default();
        let read = |name: &str| std::env::var(name).ok();
        if let Some(cases) = read("LARDER_CONFORMANCE_CASES") {
            settings.cases = cases
                .parse()
                .ok()
                .filter(|cases| *cases > 0)
                .ok_or_else(|| format!("LARDER_CONFORMANCE_CASES is not a count: {cases}"))?;
            let extra = u64::from(settings.cases / DEFAULT_CASES) * 30;
            settings.patience += Duration::from_secs(extra);
        }
        if let Some(homes) = read("LARDER_CONFORMANCE_HOMES") {
            settings.homes = homes.into();
        }
        match read("LARDER_CONFORMANCE_SEED").as_deref() {
            None => {}
            Some("random") => {
                use std::hash::{BuildHasher as _, RandomState};
                settings.seed = RandomState::new().hash_one(std::process::id());
            }
            Some(seed) => {
                settings.seed = seed
                    .parse()
                    .map_err(|_| format!("LARDER_CONFORMANCE_SEED is not a number: {seed}"))?;
            }
        }
        Ok(settings)
    }
}

/// A subject whose promises are known, ready to be held to checks.
#[derive(Debug, Clone)]
pub struct Battery {
    subject: AnySubject,
    settings: Settings,
    promises: Promises,
    offers: Offers,
}

impl Battery {
    /// Opens the subject once to learn what it promises.
    pub fn new(subject: AnySubject, settings: Settings) -> Result<Self, Failure> {
        let bench = Bench {
            subject: subject.clone(),
            promises: Promises {
                atomic_batches: false,
                survives_restart: false,
                shared_between_processes: false,
            },
            limits: subject.limits(),
            seed: settings.seed,
            cases: settings.cases,
            regressions: None,
            homes: settings.homes.clone(),
        };
        let (_home, store) = bench.fresh()?;
        let home: Home = bench.home();
        let _inside = runtime().enter();
        let offers = Offers {
            bound: subject.bounded(home.path(), 1 << 20).is_some(),
            inner: subject.over(Arc::new(Faulty::over(Arc::clone(&store.0)))).is_some(),
            damage: subject.damage().is_some(),
        };
        Ok(Self { promises: store.0.promises(), subject, settings, offers })
    }

    /// What the subject promises.
    #[must_use]
    pub fn promises(&self) -> Promises {
        self.promises
    }

    /// Why a check is not asked of this subject, if it is not.
    #[must_use]
    pub fn unmet(&self, check: &Check) -> Option<&'static str> {
        check.needs.unmet(self.promises, self.offers)
    }

    /// Holds the subject to one check.
    #[must_use]
    pub fn run(&self, check: &Check) -> Finding {
        let started = Instant::now();
        let verdict = match self.unmet(check) {
            Some(reason) => Verdict::NotChecked(reason.into()),
            None => self.attempt(check),
        };
        Finding {
            number: check.number,
            group: check.group(),
            sentence: check.sentence,
            source: check.source,
            verdict,
            took: started.elapsed(),
        }
    }

    /// Holds the subject to all checks, one after the other.
    #[must_use]
    pub fn run_all(&self) -> Report {
        self.report(crate::checks::all().iter().map(|check| self.run(check)).collect())
    }

    /// A report of findings made elsewhere.
    #[must_use]
    pub fn report(&self, findings: Vec<Finding>) -> Report {
        Report {
            subject: self.subject.name().into(),
            promises: self.promises,
            limits: self.subject.limits(),
            seed: self.settings.seed,
            cases: self.settings.cases,
            findings,
        }
    }

    fn attempt(&self, check: &Check) -> Verdict {
        let regressions = self.settings.regressions.as_ref();
        let name = format!("{}-{}.txt", self.subject.name(), check.number);
        let bench = Bench {
            subject: self.subject.clone(),
            promises: self.promises,
            limits: self.subject.limits(),
            seed: mix(self.settings.seed, check.number),
            cases: self.settings.cases,
            regressions: regressions.map(|folder| folder.join(name)),
            homes: self.settings.homes.clone(),
        };
        let run = check.run;
        let (sender, receiver) = mpsc::channel();
        let worker = thread::Builder::new()
            .name(check.number.into())
            .spawn(move || sender.send(run(&bench)));
        let worker = match worker {
            Ok(worker) => worker,
            Err(error) => {
                return Verdict::Fail(Failure::new(format!("no thread: {}", chain(&error))));
            }
        };
        match receiver.recv_timeout(self.settings.patience) {
            Ok(Ok(())) => Verdict::Pass,
            Ok(Err(failure)) => Verdict::Fail(failure),
            Err(mpsc::RecvTimeoutError::Timeout) => Verdict::Fail(Failure::new(format!(
                "a call has not come back: the check hangs after {:?}",
                self.settings.patience
            ))),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let panic = worker.join().err();
                let said = panic.as_ref().map_or("", |panic| panic_message(&**panic));
                Verdict::Fail(Failure::new(format!("panicked: {said}")))
            }
        }
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}

fn mix(seed: u64, number: &str) -> u64 {
    number.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
