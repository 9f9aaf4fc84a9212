//! The test runner behind `main!`: prints what libtest prints, and besides what was not checked.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use crate::check::Check;
use crate::execute::{self, Told};
use crate::report::{self, Report, Target, Verdict};
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
    report_time: bool,
    threads: Option<usize>,
}

impl Options {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(value.to_owned()))
                }
                _ => (arg.clone(), None),
            };
            let mut value =
                || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--ignored" => options.ignored = true,
                "--report-time" => options.report_time = true,
                "--skip" => options.skip.push(value()?),
                "--test-threads" => {
                    options.threads =
                        Some(value()?.parse().map_err(|_| "--test-threads needs a number")?);
                }
                "--format" | "--color" | "--logfile" => drop(value()?),
                "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" | "--test"
                | "--bench" | "--include-ignored" => {}
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                _ => options.filters.push(arg),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        let is = |filter: &String| {
            if self.exact { name == filter } else { name.contains(filter.as_str()) }
        };
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
        let targets = std::env::var("LARDER_CONFORMANCE_REPORT").unwrap_or_default();
        let targets = Target::parse_all(&targets)?;
        report::check(&targets)?;
        let reports = run(&subjects, &options, &settings)?;
        report::write(&reports, &targets)?;
        Ok(reports)
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

/// Does a worker's work if another process of the battery started this one for it. A test program
/// with a `main` of its own calls this first.
#[must_use]
pub fn serve_if_asked(subjects: &[AnySubject]) -> Option<ExitCode> {
    worker::serve_if_asked(subjects)
}

/// The name of a check as a test.
fn name(subject: &AnySubject, check: &Check) -> String {
    format!("{}::{} {}", subject.name(), check.number, check.sentence)
}

fn run(
    subjects: &[AnySubject],
    options: &Options,
    settings: &Settings,
) -> Result<Vec<Report>, String> {
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
            for name in listed.map(|check| name(subject, check)).filter(|name| options.wants(name))
            {
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
        let filtered_out = checks.len() - chosen.len();
        if chosen.is_empty() {
            // What libtest says when a filter leaves nothing: tests of that name may be elsewhere.
            let _ = writeln!(
                out,
                "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; \
                 {filtered_out} filtered out; finished in 0.00s"
            );
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
        let threads = options.threads.unwrap_or_else(execute::usual_threads);
        let hold = |check: &Check| battery.run(check);
        let never = AtomicBool::new(false);
        let findings = execute::all(&hold, &chosen, threads, &never, &mut |told| {
            let Told::Ended(finding) = told else { return };
            let name = format!("{}::{} {}", subject.name(), finding.number, finding.sentence);
            let took = match options.report_time {
                true => format!(" <{:.3}s>", finding.took.as_secs_f64()),
                false => String::new(),
            };
            let _ = match &finding.verdict {
                Verdict::Pass => writeln!(out, "test {name} ... ok{took}"),
                Verdict::Fail(_) => writeln!(out, "test {name} ... FAILED{took}"),
                Verdict::NotChecked(reason) => {
                    writeln!(out, "test {name} ... ignored, {reason}{took}")
                }
            };
        });
        let report = battery.report(findings);
        let _ = report::summary_of(&mut out, &report, filtered_out);
        reports.push(report);
    }
    Ok(reports)
}
