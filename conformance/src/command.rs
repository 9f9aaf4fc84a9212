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
//! are cleared in the end: after failures and on Ctrl-C as well. What could not be cleared is named.
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
mod place;
mod progress;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser as _;

use crate::api;
use crate::bench::runtime;
use crate::check::Check;
use crate::execute::{self, Told};
use crate::report::{self, Finding, Report};
use crate::run::{Battery, Settings};
use cli::{Arguments, Command, Run};
use guest::Guests;
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
    let Command::Run(run) = Arguments::parse().command;
    let outcome = if run.list { list(&run) } else { judge(&run) };
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

    /// Clears what the run has made; what could not be cleared comes back.
    fn clean_up(&self) -> Vec<String> {
        match self {
            Self::Store(_, guests) => guests.clean_up(),
            Self::Server(battery) => battery.clean_up(),
        }
    }

    fn report(&self, findings: Vec<Finding>, run: &Run) -> Report {
        match self {
            Self::Store(battery, guests) => {
                let left = guests.clean_up();
                let mut report = battery.report(findings);
                report.subject = guests.place().to_string();
                report.about.insert(0, ("how", guests.manner().to_owned()));
                report.again = run.again();
                if !left.is_empty() {
                    report.notes.push(format!("left behind: {}", left.join(", ")));
                }
                report
            }
            Self::Server(battery) => Report { again: run.again(), ..battery.report(findings) },
        }
    }
}

fn all(run: &Run) -> Vec<Check> {
    if run.http.is_some() { api::all() } else { crate::checks::all() }
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
    let targets = run.targets()?;
    let checks = all(run);
    let chosen = chosen(run, &checks)?;
    let subject = Arc::new(open(run)?);
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Arc::new(Progress::new(chosen.len(), run.quiet));
    on_interrupt(&subject, &stop, &progress);
    // A server is asked one thing at a time: what two checks do to each other is neither's finding.
    let usual = if run.http.is_some() { 1 } else { execute::usual_threads() };
    let threads = run.threads.unwrap_or(usual);
    let hold = |check: &Check| subject.run(check);
    let findings = execute::all(&hold, &chosen, threads, &stop, &mut |told| match told {
        Told::Began(check) => progress.began(check),
        Told::Ended(finding) => progress.ended(finding),
    });
    if stop.load(Ordering::Relaxed) {
        // The interrupt clears up and ends the process.
        std::thread::sleep(Duration::from_secs(60));
    }
    progress.done();
    let report = subject.report(findings, run);
    let mut out = io::stdout().lock();
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
    Ok(clean)
}

fn open(run: &Run) -> Result<Subject, String> {
    let settings = settings(run);
    match (&run.store, &run.http) {
        (Some(place), _) => {
            let guests = Guests::new(place.clone(), run.kill)?;
            let subject = guest::subject(&guests);
            let battery =
                Battery::new(subject, settings).map_err(|failure| format!("{place}: {failure}"))?;
            Ok(Subject::Store(battery, guests))
        }
        (None, Some(base)) => {
            if !base.starts_with("http://") {
                return Err(format!(
                    "{base}: only http:// is spoken here; put a proxy in front of TLS"
                ));
            }
            let server = api::Server::new(base);
            let server = match &run.api_key {
                Some(key) => server.with_key(&run.api_key_name, key),
                None => server,
            };
            api::Battery::connect(server, settings).map(Subject::Server)
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

/// On Ctrl-C: begin nothing more, clear up, say what is left, end.
fn on_interrupt(subject: &Arc<Subject>, stop: &Arc<AtomicBool>, progress: &Arc<Progress>) {
    let (subject, stop, progress) = (Arc::clone(subject), Arc::clone(stop), Arc::clone(progress));
    runtime().spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        stop.store(true, Ordering::Relaxed);
        // A thread that may wait for answers, which this one may not.
        let _ = std::thread::spawn(move || {
            progress.done();
            let mut out = io::stderr().lock();
            let _ = writeln!(out, "interrupted; clearing up …");
            // Checks under way still write: twice, with a pause, catches what they leave.
            subject.clean_up();
            std::thread::sleep(Duration::from_millis(500));
            let left = subject.clean_up();
            if !left.is_empty() {
                let _ = writeln!(out, "left behind: {}", left.join(", "));
            }
            std::process::exit(130);
        });
    });
}
