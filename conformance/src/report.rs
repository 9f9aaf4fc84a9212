//! What a run found out, as data, and its forms for people and programs.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::check::Group;
use larder::storage::Error;

#[cfg(feature = "reports")]
mod html;
#[cfg(feature = "reports")]
mod json;
#[cfg(feature = "reports")]
mod junit;
mod text;
mod write;

pub(crate) use text::summary_of;
pub use text::{findings, summary};
pub use write::{Form, Target, check, write};

/// One subject held to the contract.
#[derive(Debug, Clone)]
pub struct Report {
    /// The subject's name.
    pub subject: String,
    /// What else is known of it: what it promises, what it takes, which version it says it is.
    pub about: Vec<(&'static str, String)>,
    /// The seed of the whole run; with the same seed and case count the run is the same.
    pub seed: u64,
    /// Cases of the property-based checks.
    pub cases: u32,
    /// The command that tries one property again; `{number}` stands for its number.
    pub again: String,
    /// When the run began.
    pub started: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// One for every property of the battery, checked or not, in order.
    pub findings: Vec<Finding>,
    /// What else is to be said, such as what could not be cleaned up.
    pub notes: Vec<String>,
}

impl Report {
    /// How many properties passed, failed and were not checked.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(&self.findings)
    }

    /// The command that tries one property again.
    #[must_use]
    pub fn again(&self, number: &str) -> String {
        self.again.replace("{number}", number)
    }

    /// Whether nothing was found: every property passed or was not promised.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| !finding.verdict.is_bad())
    }
}

/// How many properties passed, failed and were not checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tried, and they hold.
    pub passed: usize,
    /// Tried, and they do not hold.
    pub failed: usize,
    /// Not tried.
    pub not_checked: usize,
}

impl Counts {
    /// Counts findings.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            *match finding.verdict {
                Verdict::Pass => &mut counts.passed,
                Verdict::Fail(_) => &mut counts.failed,
                Verdict::NotChecked(_) => &mut counts.not_checked,
            } += 1;
        }
        counts
    }
}

/// What became of one property.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The property's number, such as `K-01`.
    pub number: &'static str,
    /// Where it belongs.
    pub group: Group,
    /// What must be true.
    pub sentence: &'static str,
    /// Where the contract says so.
    pub source: &'static str,
    /// What was found.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// The answer of one check.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It was tried and holds.
    Pass,
    /// It does not hold.
    Fail(Failure),
    /// It was not tried, because the subject does not promise it or offers no way to try.
    NotChecked(String),
}

impl Verdict {
    /// Whether this is a finding against the subject (or against the run: an inconclusive check).
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}

/// A counter-example.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    /// What was expected and what came instead.
    pub what: String,
    /// The shrunk program or history that shows it.
    pub program: Option<String>,
    /// The run could not tell: what the check needs did not come up often enough.
    pub inconclusive: bool,
    /// The check found nothing to try on this store, for the reason given.
    pub not_checked: bool,
}

impl Failure {
    /// A counter-example in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    /// A run that could not tell.
    pub fn inconclusive(what: impl Into<String>) -> Self {
        Self { what: what.into(), inconclusive: true, ..Self::default() }
    }

    /// A check that found nothing to try.
    pub fn not_checked(why: impl Into<String>) -> Self {
        Self { what: why.into(), not_checked: true, ..Self::default() }
    }

    /// Says what was being done.
    #[must_use]
    pub fn during(mut self, doing: impl fmt::Display) -> Self {
        self.what = format!("{doing}: {}", self.what);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inconclusive {
            f.write_str("inconclusive: ")?;
        }
        f.write_str(&self.what)?;
        match &self.program {
            Some(program) => write!(f, "\n{program}"),
            None => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(format!("unexpected error: {}", chain(&error)))
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
