//! The battery's own test: stores with one planted bug each, every one of which must be found by the
//! check named for it, with three seeds, at the default case count; and a store without a bug, in
//! which nothing may be found.

mod drips;
mod eager;
mod handle;
#[path = "../journal_store/mod.rs"]
mod journal_store;
mod layers;
mod listing;
mod names;
mod state;
mod store;
mod table;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use larder_conformance::report::Verdict;
use larder_conformance::run::{Battery, Settings};
use larder_conformance::{AnySubject, Damage, InProcess, Opened, Subject, checks};

use drips::Drips;
use eager::Eager;
use handle::Broken;
use journal_store::{Flaw, Journal};
use layers::{LAYERS, SloppyLayer};
use state::Core;
use table::{BUGS, Bug};

const SEEDS: [u64; 3] = [0, 1, 20_261_122];

/// A store with a bug.
struct Mutant {
    bug: Bug,
    name: &'static str,
    homes: InProcess<Core>,
    /// For the bug that remembers.
    kept: std::sync::Mutex<Vec<Arc<Core>>>,
}

impl Mutant {
    fn new(bug: Bug, name: &'static str) -> Self {
        Self { bug, name, homes: InProcess::new(), kept: std::sync::Mutex::default() }
    }
}

impl Subject for Mutant {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn open(&self, home: &Path) -> Opened {
        let home: PathBuf = match self.bug {
            // Everything up to the number that makes a home's name its own.
            Bug::HomesByPrefix => {
                let text = home.to_string_lossy();
                text.trim_end_matches(|c: char| !c.is_ascii_digit()).trim_end_matches("-old").into()
            }
            _ => home.to_owned(),
        };
        if self.bug == Bug::OpenRace {
            state::gap(20);
        }
        let apart = match self.bug {
            Bug::HandlesApart => true,
            Bug::OpenRace => {
                static OPENING: AtomicUsize = AtomicUsize::new(0);
                let others = OPENING.fetch_add(1, Ordering::SeqCst);
                state::gap(30);
                OPENING.fetch_sub(1, Ordering::SeqCst);
                others > 0
            }
            _ => false,
        };
        let make = || Core::new(self.bug, home.clone(), None);
        let core = if apart { Arc::new(make()) } else { self.homes.open(&home, make) };
        if self.bug == Bug::ReopenKeeps {
            let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if kept.len() > 50 {
                kept.remove(0);
            }
            kept.push(Arc::clone(&core));
        }
        Ok(Arc::new(Broken::new(core)))
    }

    fn bounded(&self, home: &Path, bytes: u64) -> Option<Opened> {
        let core = Core::new(self.bug, home.to_owned(), Some(bytes));
        Some(Ok(Arc::new(Broken::new(Arc::new(core)))))
    }
}

/// What became of one mutant.
struct Fate {
    name: &'static str,
    killer: &'static str,
    story: &'static str,
    /// How many of the seeds its check found it with.
    found: usize,
    said: String,
}

/// Flaws of a durable store, which need files, restarts and other processes to show.
const FLAWS: &[(Flaw, &str, &str, &str)] = &[
    (Flaw::StartsAnew, "StartsAnew", "X-01", "what was kept is removed when the store is opened"),
    (
        Flaw::ClaimsNotDurable,
        "ClaimsNotDurable",
        "X-02",
        "promises not to survive a restart, and does",
    ),
    (Flaw::DropsLast, "DropsLast", "X-03", "the last write is lost when the store is opened"),
    (Flaw::WritesLater, "WritesLater", "X-05", "writes are acknowledged first and written later"),
    (Flaw::ChangeByChange, "ChangeByChange", "X-04", "a batch is written change by change"),
    (Flaw::RewritesOnOpen, "RewritesOnOpen", "X-06", "opening rewrites the file in place"),
    (Flaw::KnowsItsPlace, "KnowsItsPlace", "X-07", "the store holds the path of its directory"),
    (Flaw::SeesOwnOnly, "SeesOwnOnly", "X-08", "a process does not see what others write"),
    (Flaw::NoLock, "NoLock", "X-09", "processes do not wait for each other"),
    (Flaw::ClaimsNotShared, "ClaimsNotShared", "X-10", "promises not to be shared, and is"),
    (Flaw::StaleLock, "StaleLock", "X-11", "a lock file outlives its process"),
    (Flaw::ForgetsDeletes, "ForgetsDeletes", "X-12", "deletions are not written"),
    (
        Flaw::CountsInUse,
        "CountsInUse",
        "X-14",
        "versions are counted from the highest in use when opened",
    ),
    (Flaw::NoSum, "NoSum", "F-11", "damaged values are given as they are"),
    (Flaw::KeepsTail, "KeepsTail", "X-15", "what a crash left of a write is written behind"),
    (Flaw::FoldsInFile, "FoldsInFile", "X-13", "names are folded in the file"),
];

/// A durable store with a flaw.
struct Flawed(Flaw, &'static str);

impl Subject for Flawed {
    fn name(&self) -> &'static str {
        self.1
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(larder_conformance::blocking(Journal::open(home, self.0)?))
    }

    fn damage(&self) -> Option<Damage> {
        Some(journal_store::damage)
    }
}

/// A mutant, its name, the check that must find it, and its story.
type Planted = (AnySubject, &'static str, &'static str, &'static str);

/// All mutants; made anew for each seed, so that none remembers.
fn all_mutants() -> Vec<Planted> {
    let plain = BUGS.iter().map(|&(bug, name, killer, story)| {
        (AnySubject::new(Mutant::new(bug, name)), name, killer, story)
    });
    let layers = LAYERS.iter().map(|&(sloppy, name, killer, story)| {
        (
            AnySubject::new(SloppyLayer { sloppy, name, homes: InProcess::new() }),
            name,
            killer,
            story,
        )
    });
    let flawed = FLAWS.iter().map(|&(flaw, name, killer, story)| {
        (AnySubject::new(Flawed(flaw, name)), name, killer, story)
    });
    let eager = std::iter::once((
        AnySubject::new(Eager::new()),
        Eager::NAME,
        "F-01",
        "writes when it is called, not when it is polled",
    ));
    plain.chain(layers).chain(flawed).chain(eager).collect()
}

fn try_mutant((subject, name, killer, story): &Planted) -> Fate {
    let (name, killer, story) = (*name, *killer, *story);
    let check = checks::all().into_iter().find(|check| check.number == killer);
    let mut fate =
        Fate { name, killer, story, found: 0, said: format!("there is no check {killer}") };
    let Some(check) = check else { return fate };
    for seed in SEEDS {
        let settings = Settings { seed, patience: Duration::from_secs(4), ..Settings::default() };
        let verdict = match Battery::new(subject.clone(), settings) {
            Ok(battery) => battery.run(&check).verdict,
            Err(failure) => Verdict::Fail(failure),
        };
        match verdict {
            Verdict::Fail(failure) if !failure.inconclusive => {
                fate.found += 1;
                fate.said = failure.to_string();
            }
            other => fate.said = format!("{other:?}"),
        }
    }
    fate
}

/// Stores without a bug, in which nothing may be found.
fn sound_stores() -> [AnySubject; 3] {
    [
        AnySubject::new(Mutant::new(Bug::None, "no bug")),
        AnySubject::new(Mutant::new(Bug::NoneNotAtomic, "no bug, not atomic")),
        AnySubject::new(Drips::new()),
    ]
}

/// All checks on the stores without a bug, each with a seed of its own.
fn try_sound() -> Vec<String> {
    let found = sound_stores().into_iter().zip(SEEDS).map(|(subject, seed)| {
        let name = subject.name();
        let settings = Settings { seed, ..Settings::default() };
        match Battery::new(subject, settings) {
            Err(failure) => vec![failure.to_string()],
            Ok(battery) => {
                let findings = battery.run_all().findings.into_iter();
                let bad = findings.filter_map(|finding| match finding.verdict {
                    Verdict::Fail(failure) => {
                        Some(format!("{name}: {} (seed {seed}): {failure}", finding.number))
                    }
                    _ => None,
                });
                bad.collect()
            }
        }
    });
    found.flatten().collect()
}

fn main() -> ExitCode {
    // Other processes of the durable mutants.
    let mut subjects: Vec<_> = all_mutants().into_iter().map(|(subject, ..)| subject).collect();
    subjects.extend(sound_stores());
    if let Some(code) = larder_conformance::runner::serve_if_asked(&subjects) {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut out = io::stdout().lock();
    if args.iter().any(|arg| arg == "--list") {
        let ignored = args.iter().any(|arg| arg == "--ignored");
        let _ = if ignored { Ok(()) } else { writeln!(out, "mutants: test") };
        return ExitCode::SUCCESS;
    }
    let wanted = args.iter().find(|arg| !arg.starts_with('-') && *arg != "mutants");
    let chosen: Vec<_> = all_mutants()
        .into_iter()
        .filter(|(_, name, killer, _)| {
            wanted.is_none_or(|wanted| wanted == name || wanted == killer)
        })
        .collect();
    let next = AtomicUsize::new(0);
    let mut fates: Vec<(usize, Fate)> = Vec::new();
    let mut sound = Vec::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..2 {
            let (sender, next, chosen) = (sender.clone(), &next, &chosen);
            scope.spawn(move || {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(bug) = chosen.get(nth) else { break };
                    if sender.send((nth, try_mutant(bug))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        fates.extend(receiver);
        if wanted.is_none_or(|wanted| wanted == "sound") {
            sound = try_sound();
        }
    });
    fates.sort_by_key(|(nth, _)| *nth);
    let survivors: Vec<_> = fates.iter().filter(|(_, fate)| fate.found < SEEDS.len()).collect();
    for (_, fate) in &fates {
        let mark = if fate.found == SEEDS.len() { "killed" } else { "SURVIVED" };
        let _ = writeln!(
            out,
            "{mark} {:24} by {} with {} of 3 seeds: {}",
            fate.name, fate.killer, fate.found, fate.story
        );
        if fate.found < SEEDS.len() || wanted.is_some() {
            let said: String = fate.said.chars().take(1500).collect();
            let _ = writeln!(out, "    {said}");
        }
    }
    for finding in &sound {
        let _ = writeln!(out, "FALSE ALARM {finding}");
    }
    let killers: std::collections::BTreeSet<_> =
        fates.iter().map(|(_, fate)| fate.killer).collect();
    let idle: Vec<_> = checks::all()
        .iter()
        .map(|check| check.number)
        .filter(|number| !killers.contains(number))
        .collect();
    if wanted.is_none() {
        let _ = writeln!(out, "\nchecks that are named for no mutant: {}", idle.join(" "));
    }
    let failed = !survivors.is_empty() || !sound.is_empty();
    let verdict = if failed { "FAILED" } else { "ok" };
    let _ = writeln!(
        out,
        "\ntest result: {verdict}. {} of {} mutants killed; {} false alarms",
        fates.len() - survivors.len(),
        fates.len(),
        sound.len()
    );
    if failed { ExitCode::from(101) } else { ExitCode::SUCCESS }
}
