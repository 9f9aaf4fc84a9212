//! The command line.

use clap::{Args, Parser, Subcommand};

use super::place::Place;
use crate::DEFAULT_CASES;
use crate::api::Server;
use crate::check::Check;
use crate::report::Target;

const EXAMPLES: &str = "\
Examples:
  larder-conformance run --http http://127.0.0.1:8080 --api-key secret
  larder-conformance run --store disk:/var/lib/larder --report html=report.html,junit=junit.xml
  larder-conformance run --store memory N-02 concurrency
  larder-conformance run --http http://127.0.0.1:8080 --list

Everything happens in namespaces made up for the run, which are cleared in the end,
after failures, on Ctrl-C and on SIGTERM as well. Nothing else is written, changed or
deleted, and nothing is made that is not there, unless --create says so. What could not
be cleared is named, with the command that clears it.

Exit status: 0 every property that was checked holds; 1 violations were found; 2 could
not run (bad usage, nothing there, nothing that could be checked, a report that could
not be written); 130 interrupted; 143 terminated.";

const RUN: &str = "larder-conformance run <--store <URL>|--http <URL>> [OPTIONS] [FILTER]...";
const CLEAR: &str = "larder-conformance clear <--store <URL>|--http <URL>> <RUN>";

/// Holds a store or a server that already runs to the storage contract of Larder, without hurting
/// what is there.
#[derive(Debug, Parser)]
#[command(name = "larder-conformance", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the checks and reports.
    #[command(after_help = EXAMPLES, override_usage = RUN)]
    Run(Run),
    /// Clears what a run that was killed has left.
    #[command(override_usage = CLEAR)]
    Clear(Clear),
}

/// What is judged, or cleared.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// A store: disk:FOLDER, sqlite:FILE, zip:FILE, s3:BUCKET, s3:BUCKET/PREFIX, memory, or
    /// `env` for what the service's own variables say.
    #[arg(long, value_name = "URL", conflicts_with = "http")]
    pub(super) store: Option<Place>,

    /// A server that speaks the HTTP API, by its base URL.
    #[arg(long, value_name = "URL")]
    pub(super) http: Option<String>,

    /// The name of the server's key header.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "X-API-Key",
        requires = "http",
        conflicts_with = "store"
    )]
    api_key_name: String,

    /// The server's key.
    #[arg(long, value_name = "KEY", requires = "http", conflicts_with = "store")]
    api_key: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Clear {
    /// What the names of its namespaces begin with, which the run has said: `lc-abc234`.
    #[arg(value_name = "RUN")]
    pub(super) run: RunName,

    #[command(flatten)]
    pub(super) subject: Where,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Only properties with this number (`N-02`), group (`concurrency`) or words; several add up.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,

    #[command(flatten)]
    pub(super) subject: Where,

    /// Makes the store if there is none; it stays.
    #[arg(long, requires = "store", conflicts_with = "http")]
    pub(super) create: bool,

    /// Asks the checks that kill a writer in the middle of a write of a store that holds data too.
    #[arg(long, requires = "store", conflicts_with = "http")]
    pub(super) kill: bool,

    /// All randomness comes from this number; `random` draws one.
    #[arg(long, default_value = "0")]
    pub(super) seed: Seed,

    /// Cases of the drawn properties; the others scale with it.
    #[arg(long, default_value_t = DEFAULT_CASES, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) cases: u32,

    /// Seconds after which a check counts as hanging.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(super) patience: u64,

    /// How many checks run at once [default: of a server one, of a store one for each processor].
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,

    /// Writes reports: text=FILE, json=FILE, junit=FILE, html=FILE; `-` is standard output.
    #[arg(long, value_name = "FORM=FILE,…")]
    report: Vec<String>,

    /// Lists the properties and checks nothing; those of stores and of servers, unless one is given.
    #[arg(long)]
    pub(super) list: bool,

    /// Shows no progress.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl Where {
    /// The server to speak to.
    pub(super) fn server(&self) -> Result<Server, String> {
        let base = self.http.as_deref().unwrap_or_default();
        if !base.starts_with("http://") {
            return Err(format!(
                "{base}: only http:// is spoken here; put a proxy in front of TLS"
            ));
        }
        let server = Server::new(base);
        Ok(match &self.api_key {
            Some(key) => server.with_key(&self.api_key_name, key),
            None => server,
        })
    }

    /// The command that clears what a run has left; without the key.
    pub(super) fn clear(&self, run: &str) -> String {
        format!("larder-conformance clear {} {run}", self.text())
    }

    /// As it is given on the command line; without the key.
    fn text(&self) -> String {
        match (&self.store, &self.http) {
            (Some(place), _) => format!("--store {}", word(&place.to_string())),
            (None, base) => {
                let base = word(base.as_deref().unwrap_or_default());
                let key = if self.api_key.is_some() { " --api-key …" } else { "" };
                let name = match self.api_key_name.as_str() {
                    "X-API-Key" => String::new(),
                    name => format!(" --api-key-name {}", word(name)),
                };
                format!("--http {base}{name}{key}")
            }
        }
    }
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The name of a run: nothing else is cleared.
#[derive(Debug, Clone)]
pub(super) struct RunName(pub(super) String);

impl std::str::FromStr for RunName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let random = text.strip_prefix("lc-").unwrap_or_default();
        let is = random.len() == 6 && random.chars().all(|c| c.is_ascii_alphanumeric());
        is.then(|| Self(text.to_owned())).ok_or_else(|| "`lc-` and six characters".into())
    }
}

impl Run {
    pub(super) fn wants(&self, check: &Check) -> bool {
        let name = format!("{} {} {}", check.number, check.group().title(), check.sentence);
        let name = name.to_lowercase();
        self.filters.is_empty()
            || self.filters.iter().any(|filter| name.contains(&filter.to_lowercase()))
    }

    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        let all = self.report.iter().map(|text| Target::parse_all(text));
        Ok(all.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// The command that tries one property again; without the key.
    pub(super) fn again(&self) -> String {
        let kill = if self.kill { " --kill" } else { "" };
        let subject = format!("{}{kill}", self.subject.text());
        let (seed, cases) = (self.seed.0, self.cases);
        format!("larder-conformance run {subject} --seed {seed} --cases {cases} {{number}}")
    }
}

/// A seed as it is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(pub(super) u64);

impl std::str::FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use std::hash::{BuildHasher as _, RandomState};
        if text == "random" {
            return Ok(Self(RandomState::new().hash_one(std::process::id())));
        }
        text.parse().map(Self).map_err(|_| "a number, or `random`".into())
    }
}
