//! Running checks: one by one, with a watchdog, and what a whole battery found.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder::storage::Promises;

use crate::bench::{Bench, DEFAULT_CASES, Home, runtime};
use crate::check::{Check, Offers, Run};
use crate::execute::{finding, mix, watched};
use crate::faulty::Faulty;
use crate::report::{Failure, Finding, Report, Verdict};
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
    /// Whether counter-examples of servers are made smaller, which takes many calls.
    pub shrink: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            cases: DEFAULT_CASES,
            patience: Duration::from_secs(120),
            regressions: None,
            homes: in_memory().unwrap_or_else(std::env::temp_dir),
            shrink: true,
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

/// Removes the homes that this process has made and not removed, as those of checks that hang.
#[cfg(feature = "command")]
pub(crate) fn remove_homes(homes: &std::path::Path) {
    let own = format!("larder-conformance-{}-", std::process::id());
    let Ok(all) = std::fs::read_dir(homes) else { return };
    for home in all.flatten().filter(|home| home.file_name().to_string_lossy().starts_with(&own)) {
        let _ = std::fs::remove_dir_all(home.path());
    }
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
    started: SystemTime,
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
            ..Offers::default()
        };
        let promises = store.0.promises();
        Ok(Self { promises, subject, settings, offers, started: SystemTime::now() })
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
        finding(check, || match self.unmet(check) {
            Some(reason) => Verdict::NotChecked(reason.into()),
            None => self.attempt(check),
        })
    }

    /// A finding of a check that the caller does not ask, and why.
    #[cfg(feature = "command")]
    pub(crate) fn not_asked(&self, check: &Check, reason: &str) -> Finding {
        finding(check, || Verdict::NotChecked(reason.into()))
    }

    /// Holds the subject to all checks, one after the other.
    #[must_use]
    pub fn run_all(&self) -> Report {
        self.report(crate::checks::all().iter().map(|check| self.run(check)).collect())
    }

    /// A report of findings made elsewhere.
    #[must_use]
    pub fn report(&self, findings: Vec<Finding>) -> Report {
        let Promises { atomic_batches, survives_restart, shared_between_processes } = self.promises;
        let promised = [
            ("atomic batches", atomic_batches),
            ("survives a restart", survives_restart),
            ("shared between processes", shared_between_processes),
        ];
        let promised: Vec<_> =
            promised.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        let limits = self.subject.limits();
        let promised = if promised.is_empty() {
            "nothing beyond the contract".into()
        } else {
            promised.join(", ")
        };
        Report {
            subject: self.subject.name().into(),
            about: vec![
                ("promises", promised),
                (
                    "takes",
                    format!(
                        "keys of {} bytes; the largest value tried has {} bytes",
                        limits.key_bytes, limits.value_bytes
                    ),
                ),
            ],
            seed: self.settings.seed,
            cases: self.settings.cases,
            again: format!(
                "LARDER_CONFORMANCE_SEED={} LARDER_CONFORMANCE_CASES={} cargo test -- '{}::{{number}}'",
                self.settings.seed,
                self.settings.cases,
                self.subject.name()
            ),
            started: self.started,
            took: self.started.elapsed().unwrap_or_default(),
            findings,
            notes: Vec::new(),
        }
    }

    fn attempt(&self, check: &Check) -> Verdict {
        let run = match check.run {
            Run::Store(run) => run,
            #[cfg(feature = "http")]
            Run::Api(_) => return Verdict::NotChecked("is a property of servers".into()),
        };
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
        // A store that is slow may take its time.
        let patience = self.settings.patience * if bench.limits.slow { 3 } else { 1 };
        watched(check, patience, move || run(&bench))
    }
}
