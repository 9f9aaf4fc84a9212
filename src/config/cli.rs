//! The command line, built from the table. Values are kept as text here: they are parsed with those
//! of the environment, so that one run reports the faults of both.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command};

use super::commands::commands;
use super::table::{VARIABLES, Variable};

/// Where clap begins the lines of an explanation, and how long they may be after that.
const HELP_MARGIN: &str = "\n          ";
const HELP_WIDTH: usize = 88;

const ABOUT: &str = "\
A cache service over HTTP, with storage in memory, on disk, in SQLite, in a ZIP archive or on S3";

const USAGE: &str = "\
larder [OPTIONS]
       larder copy --from <STORE> --to <STORE>
       larder verify [--store <STORE>] [--repair]
       larder lifecycle <ACTION> [OPTIONS]";

const SOURCES: &str = "\
Every setting has a variable. A value is taken from the flag, else from the environment, else from
the file .env of the working directory or of its nearest parent that has one, else it is the
default. The first of these that mentions a setting decides; an empty value counts as unset and
gives the default.";

const WITHOUT_FLAG: &str = "\
Set by variable only (arguments show in process lists, so secrets have no flag):";

const EXAMPLES: &str = "\
Examples:
  larder --storage-mode local_disk --local-disk-path /var/lib/larder
  FAST_API__AUTH__API_KEY__VALUE=… larder --api-key-name X-API-Key --listen 0.0.0.0:10017";

/// What is given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    /// Parses a command line, the name of the program first.
    ///
    /// # Errors
    ///
    /// What clap has to say about it; also the texts of `--help` and `--version`.
    pub fn parse<I>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        Ok(Self::of(&command().try_get_matches_from(arguments)?))
    }

    /// The values of a command line that was parsed.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let given = with_flag().filter_map(|(variable, _)| {
            let value = matches.get_one::<String>(variable.name)?;
            Some((variable.name, value.clone()))
        });
        Self(given.collect())
    }

    pub(super) fn value(&self, variable: &Variable) -> Option<&str> {
        self.0.get(variable.name).map(String::as_str)
    }
}

/// The command line, one argument for each row that has a flag. Without a command it serves.
pub(super) fn command() -> Command {
    Command::new("larder")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .override_usage(USAGE)
        .args(settings())
        .subcommands(commands())
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .next_line_help(true)
        .after_help(closing())
}

/// One argument for each row of the table that has a flag.
pub(super) fn settings() -> impl Iterator<Item = Arg> {
    with_flag().map(|(variable, flag)| argument(variable, flag))
}

fn with_flag() -> impl Iterator<Item = (&'static Variable, &'static str)> {
    VARIABLES.iter().filter_map(|variable| Some((*variable, variable.flag?)))
}

fn argument(variable: &'static Variable, flag: &'static str) -> Arg {
    let argument = Arg::new(variable.name)
        .long(flag)
        .value_name(variable.placeholder)
        .help(description(variable))
        .help_heading(variable.group.title())
        // `-1` is then a value, and refused by name, rather than an option nobody knows.
        .allow_negative_numbers(true);
    if variable.switch {
        argument.num_args(0..=1).require_equals(true).default_missing_value("on")
    } else {
        argument
    }
}

/// What it is for, which values it takes, its variable and its default.
fn description(variable: &Variable) -> String {
    let default = match variable.default {
        Some(default) => format!("default {default}"),
        None => "default unset".to_owned(),
    };
    format!("{}\n[{}, {default}]", explanation(variable), variable.name)
}

fn explanation(variable: &Variable) -> String {
    let values = format!("Values: {}", variable.values);
    [wrapped(&variable.purpose()), wrapped(&values)].join("\n")
}

/// clap leaves lines as they are without its `wrap_help`, which asks the terminal for its width.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > HELP_WIDTH {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn closing() -> String {
    let mut text = WITHOUT_FLAG.to_owned();
    for variable in VARIABLES.iter().filter(|variable| variable.flag.is_none()) {
        let explanation = explanation(variable).replace('\n', HELP_MARGIN);
        text.push_str(&format!("\n  {}{HELP_MARGIN}{explanation}", variable.name));
    }
    format!("{text}\n\n{SOURCES}\n\n{EXAMPLES}")
}
