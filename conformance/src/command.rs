//! The command: a store or a server that already runs, held to the contract without hurting what is
//! there.
//!
//! ```text
//! larder-conformance run --store disk:/var/lib/larder
//! larder-conformance run --http http://127.0.0.1:8080 --api-key secret --report html=page.html
//! ```
//!
//! # What a run touches
//!
//! Everything happens in namespaces made up for the run (`lc-`, six random characters, more) and these
//! are cleared in the end: after failures, on Ctrl-C and on SIGTERM as well. What could not be cleared is
//! named, with the command that clears it. A run that was killed leaves what it had; its namespaces are
//! named when it begins, and `larder-conformance clear` takes that name.
//!
//! With `--store` the battery is a guest in the store that is there: where a check asks for a new
//! store it gets namespaces that nobody has, and where it asks which namespaces there are it is told of
//! its own. Names keep all their relations, since each is the name the check chose behind one prefix.
//! What a guest cannot ask is listed as not checked: the root namespace, namespaces of the greatest
//! length, and what needs a store alone. So are the checks that kill a writer in the middle of a write,
//! if the store holds anything: a sound store takes no harm from them, but whether it is sound is
//! what is asked. `--kill` asks them as well. A memory store is made for the run.

mod cli;
mod guest;
mod interrupt;
mod place;
mod progress;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Parser as _;

use crate::api;
use crate::check::Check;
use crate::execute::{self, Told};
use crate::report::{self, Finding, Report, Target};
use crate::run::{Battery, Settings, remove_homes};
use cli::{Arguments, Clear, Command, Run};
use guest::Guests;
use interrupt::{Ending, Signals};
use place::Place;
use progress::Progress;

/// Could not run: bad usage, nothing there, a report that could not be written.
const NOT_RUN: u8 = 2;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    // Another process of the battery, which names its subject by the store's address.
    if let Some(name) = crate::worker::asked() {
        let subjects = guest::for_worker(&name);
        return crate::worker::serve_if_asked(&subjects).unwrap_or(ExitCode::from(NOT_RUN));
    }
    let outcome = match Arguments::parse().command {
        Command::Run(run) if run.list => list(&run),
        Command::Run(run) => judge(&run),
        Command::Clear(clear) => clear_run(&clear),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "larder-conformance: {problem}");
            ExitCode::from(NOT_RUN)
        }
    }
}

/// What is held to checks, either way.
enum Subject {
    Store(Battery, Arc<Guests>),
    Server(api::Battery),
}

impl Subject {
    fn run(&self, check: &Check) -> Finding {
        match self {
            Self::Store(battery, guests) => match guests.refuses(check) {
                Some(reason) => battery.not_asked(check, reason),
                None => battery.run(check),
            },
            Self::Server(battery) => battery.run(check),
        }
    }

    /// What the names of the run's namespaces begin with; a store made for the run has no others.
    fn run_name(&self) -> Option<&str> {
        match self {
            Self::Store(_, guests) if guests.place().is_private() => None,
            Self::Store(_, guests) => Some(guests.run_name()),
            Self::Server(battery) => Some(battery.run_name()),
        }
    }

    /// Ends the calls of all checks; how many are still under way after so long comes back.
    fn halt(&self, patience: Duration) -> usize {
        match self {
            Self::Store(_, guests) => guests.halt(patience),
            Self::Server(battery) => battery.halt(patience),
        }
    }

    /// Clears what the run has made; what could not be cleared comes back.
    fn clean_up(&self) -> Vec<String> {
        match self {
            Self::Store(_, guests) => guests.clean_up(),
            Self::Server(battery) => battery.clean_up(),
        }
    }

    fn report(&self, findings: Vec<Finding>, run: &Run) -> Report {
        // Checks that hang may call again.
        self.halt(Duration::from_secs(5));
        let left = self.clean_up();
        let clear = run.subject.clear(self.run_name().unwrap_or_default());
        let place = run.subject.store.as_ref().and_then(Place::note);
        let notes = place.into_iter().chain(left_behind(&left, &clear)).collect();
        match self {
            Self::Store(battery, guests) => {
                let mut report = battery.report(findings);
                report.subject = guests.place().to_string();
                report.about.insert(0, ("how", guests.manner().to_owned()));
                Report { again: run.again(), notes, ..report }
            }
            Self::Server(battery) => {
                Report { again: run.again(), notes, ..battery.report(findings) }
            }
        }
    }
}

/// What is said of namespaces that could not be cleared.
fn left_behind(left: &[String], clear: &str) -> Option<String> {
    const SHOWN: usize = 12;
    let shown = left.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = left.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!left.is_empty()).then(|| format!("left behind: {shown}{more}\nclear it with: {clear}"))
}

fn clear_run(clear: &Clear) -> Result<bool, String> {
    let run = &clear.run.0;
    let left = match (&clear.subject.store, &clear.subject.http) {
        (Some(place), _) => {
            // Whoever judges may be wrong about the address; a store is not made to be cleared.
            place.is_there().map_err(|why| format!("{place}: {why}"))?;
            Guests::of_run(place.clone(), run.clone(), false).clean_up()
        }
        (None, Some(_)) => {
            let server = clear.subject.server()?;
            api::Battery::connect_as(server, Settings::default(), run.clone())?.clean_up()
        }
        (None, None) => return Err("say --store or --http".into()),
    };
    match left_behind(&left, &clear.subject.clear(run)) {
        Some(text) => {
            let _ = writeln!(io::stderr(), "{text}");
            Ok(false)
        }
        None => Ok(true),
    }
}

fn all(run: &Run) -> Vec<Check> {
    match (&run.subject.store, &run.subject.http) {
        (Some(_), _) => crate::checks::all(),
        (None, Some(_)) => api::all(),
        (None, None) => [crate::checks::all(), api::all()].concat(),
    }
}

fn list(run: &Run) -> Result<bool, String> {
    let checks = all(run);
    let mut out = io::stdout().lock();
    for check in chosen(run, &checks)? {
        let Check { number, sentence, .. } = check;
        // A reader that has seen enough closes the pipe.
        let _ = writeln!(out, "{number}  {}: {sentence}", check.group().title());
    }
    Ok(true)
}

fn chosen<'a>(run: &Run, checks: &'a [Check]) -> Result<Vec<&'a Check>, String> {
    let chosen: Vec<_> = checks.iter().filter(|check| run.wants(check)).collect();
    if chosen.is_empty() {
        return Err("no property has such a number, group or word; --list shows all".into());
    }
    Ok(chosen)
}

fn judge(run: &Run) -> Result<bool, String> {
    if run.subject.store.is_none() && run.subject.http.is_none() {
        return Err("say --store or --http; --help shows how".into());
    }
    let targets = run.targets()?;
    report::check(&targets)?;
    let checks = all(run);
    let chosen = chosen(run, &checks)?;
    let signals = Signals::catch()?;
    let settings = settings(run);
    let homes = settings.homes.clone();
    let subject = Arc::new(open(run, settings)?);
    let stop = Arc::new(AtomicBool::new(false));
    if let Some(name) = subject.run_name().filter(|_| !run.quiet) {
        let _ = writeln!(io::stderr(), "all namespaces of this run begin with {name}-");
    }
    let progress = Arc::new(Progress::new(chosen.len(), run.quiet));
    let (ended, over) = mpsc::channel();
    signals.watch(Ending {
        subject: Arc::clone(&subject),
        stop: Arc::clone(&stop),
        over,
        progress: Arc::clone(&progress),
        homes: homes.clone(),
        clear: run.subject.clear(subject.run_name().unwrap_or_default()),
    });
    // A server is asked one thing at a time: what two checks do to each other is neither's finding.
    let usual = if run.subject.http.is_some() { 1 } else { execute::usual_threads() };
    let threads = run.threads.unwrap_or(usual);
    let hold = |check: &Check| subject.run(check);
    let findings = execute::all(&hold, &chosen, threads, &stop, &mut |told| match told {
        // What fails since it may call no more says nothing.
        _ if stop.load(Ordering::Relaxed) => {}
        Told::Began(check) => progress.began(check),
        Told::Ended(finding) => progress.ended(finding),
    });
    if stop.load(Ordering::Relaxed) {
        // The interrupt clears up and ends the process.
        let _ = ended.send(());
        loop {
            thread::park();
        }
    }
    progress.done();
    let report = subject.report(findings, run);
    remove_homes(&homes);
    // Where a report is standard output, nothing else is.
    let mut out: Box<dyn io::Write> = if targets.iter().any(Target::is_stdout) {
        Box::new(io::stderr().lock())
    } else {
        Box::new(io::stdout().lock())
    };
    let counts = report.counts();
    let _ = report::findings(&mut out, &report);
    let _ = writeln!(
        out,
        "\n{}: {} hold, {} failed, {} not checked; {:.1} s",
        report.subject,
        counts.passed,
        counts.failed,
        counts.not_checked,
        report.took.as_secs_f64()
    );
    drop(out);
    let clean = report.is_clean();
    report::write(&[report], &targets)?;
    if counts.passed + counts.failed == 0 {
        return Err("nothing was checked, for the reasons above".into());
    }
    Ok(clean)
}

fn open(run: &Run, settings: Settings) -> Result<Subject, String> {
    match (&run.subject.store, &run.subject.http) {
        (Some(place), _) => {
            if !run.create {
                let refused = |why| format!("{place}: {why}; --create makes it");
                place.is_there().map_err(refused)?;
            }
            let guests = Guests::new(place.clone(), run.kill)?;
            let subject = guest::subject(&guests);
            let battery =
                Battery::new(subject, settings).map_err(|failure| format!("{place}: {failure}"))?;
            Ok(Subject::Store(battery, guests))
        }
        (None, Some(_)) => {
            api::Battery::connect(run.subject.server()?, settings).map(Subject::Server)
        }
        (None, None) => Err("say --store or --http".into()),
    }
}

fn settings(run: &Run) -> Settings {
    let defaults = Settings::default();
    let extra = Duration::from_secs(u64::from(run.cases / crate::DEFAULT_CASES) * 30);
    Settings {
        seed: run.seed.0,
        cases: run.cases,
        patience: defaults.patience.max(Duration::from_secs(run.patience)) + extra,
        ..defaults
    }
}
