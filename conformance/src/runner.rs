//! The test runner behind `main!`: prints what libtest prints, and besides what was not checked.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use crate::check::Check;
use crate::report::{Finding, Report, Verdict};
use crate::run::{Battery, Settings};
use crate::subject::AnySubject;
use crate::worker;

/// The options of libtest that make sense here.
#[derive(Debug, Default)]
struct Options {
    filters: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    list: bool,
    ignored: bool,
    threads: Option<usize>,
}

impl Options {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
                _ => (arg.clone(), None),
            };
            let mut value = || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--ignored" => options.ignored = true,
                "--skip" => options.skip.push(value()?),
                "--test-threads" => {
                    options.threads = Some(value()?.parse().map_err(|_| "--test-threads needs a number")?);
                }
                "--format" | "--color" | "--logfile" | "--report-time" => drop(value()?),
                "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" | "--test" | "--bench"
                | "--include-ignored" => {}
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                _ => options.filters.push(arg),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        let is = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        (self.filters.is_empty() || self.filters.iter().any(is)) && !self.skip.iter().any(is)
    }
}

/// The whole program: a worker if another process of the battery asked for one, the tests otherwise.
#[must_use]
pub fn main(subjects: Vec<AnySubject>, folder: &str) -> ExitCode {
    if let Some(code) = worker::serve_if_asked(&subjects) {
        return code;
    }
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| {
        let settings = Settings {
            regressions: Some(Path::new(folder).join("conformance-regressions")),
            ..Settings::from_env()?
        };
        run(&subjects, &options, &settings)
    });
    match outcome {
        Ok(reports) if reports.iter().all(Report::is_clean) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(101),
        Err(problem) => {
            let _ = writeln!(io::stderr(), "error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// The name of a check as a test.
fn name(subject: &AnySubject, check: &Check) -> String {
    format!("{}::{} {}", subject.name(), check.number, check.sentence)
}

fn run(subjects: &[AnySubject], options: &Options, settings: &Settings) -> Result<Vec<Report>, String> {
    let mut names = HashSet::new();
    for subject in subjects {
        if !names.insert(subject.name()) {
            return Err(format!("two subjects are called {}", subject.name()));
        }
    }
    let checks = crate::checks::all();
    let mut out = io::stdout().lock();
    if options.list {
        for subject in subjects {
            // Nothing is ignored beforehand: what is not checked is decided, and said, when it is run.
            let listed = checks.iter().filter(|_| !options.ignored);
            for name in listed.map(|check| name(subject, check)).filter(|name| options.wants(name)) {
                let _ = writeln!(out, "{name}: test");
            }
        }
        return Ok(Vec::new());
    }
    let mut reports = Vec::new();
    for subject in subjects {
        let chosen: Vec<_> = checks
            .iter()
            .filter(|check| !options.ignored && options.wants(&name(subject, check)))
            .collect();
        if chosen.is_empty() {
            continue;
        }
        let battery = Battery::new(subject.clone(), settings.clone())
            .map_err(|failure| format!("{}: {failure}", subject.name()))?;
        let _ = writeln!(
            out,
            "\nrunning {} checks of {} ({:?}; seed {}, {} cases)",
            chosen.len(),
            subject.name(),
            battery.promises(),
            settings.seed,
            settings.cases
        );
        let threads = options.threads.or_else(|| thread::available_parallelism().ok().map(usize::from));
        let findings = in_parallel(&battery, &chosen, threads.unwrap_or(1), &mut |finding| {
            let name = format!("{}::{} {}", subject.name(), finding.number, finding.sentence);
            let _ = match &finding.verdict {
                Verdict::Pass => writeln!(out, "test {name} ... ok"),
                Verdict::Fail(_) => writeln!(out, "test {name} ... FAILED"),
                Verdict::NotChecked(reason) => writeln!(out, "test {name} ... ignored, {reason}"),
            };
        });
        let report = battery.report(findings);
        let _ = summary(&mut out, &report);
        reports.push(report);
    }
    Ok(reports)
}

/// Runs checks on several threads; the findings come back in the order of the checks.
fn in_parallel(
    battery: &Battery,
    checks: &[&Check],
    threads: usize,
    tell: &mut dyn FnMut(&Finding),
) -> Vec<Finding> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, Finding)>> = Mutex::default();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(check) = checks.get(nth) else { break };
                    if sender.send((nth, battery.run(check))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (nth, finding) in receiver {
            tell(&finding);
            found.push((nth, finding));
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(nth, _)| *nth);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Writes what failed, what was not checked, and the counts.
fn summary(out: &mut impl io::Write, report: &Report) -> io::Result<()> {
    let (mut passed, mut failed, mut not_checked) = (0, 0, Vec::new());
    for finding in &report.findings {
        match &finding.verdict {
            Verdict::Pass => passed += 1,
            Verdict::NotChecked(reason) => not_checked.push((finding, reason)),
            Verdict::Fail(failure) => {
                failed += 1;
                writeln!(out, "\n---- {} {} ({})", finding.number, finding.sentence, finding.source)?;
                writeln!(out, "{failure}")?;
                writeln!(
                    out,
                    "again: LARDER_CONFORMANCE_SEED={} LARDER_CONFORMANCE_CASES={} cargo test -- '{}::{}'",
                    report.seed, report.cases, report.subject, finding.number
                )?;
            }
        }
    }
    if !not_checked.is_empty() {
        writeln!(out, "\nnot checked:")?;
        for (finding, reason) in &not_checked {
            writeln!(out, "    {} {}: {reason}", finding.number, finding.sentence)?;
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let took: f64 = report.findings.iter().map(|finding| finding.took.as_secs_f64()).sum();
    writeln!(
        out,
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {} ignored; 0 measured; 0 filtered out; checks took {took:.2}s",
        not_checked.len()
    )
}
