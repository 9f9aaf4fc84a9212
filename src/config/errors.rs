//! What can be wrong with the settings, in sentences that name the variable. Values of secrets
//! never reach this module; see `Reader`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thiserror::Error;

use super::address::AddressError;
use super::table::Variable;

/// Status of the process when the settings are wrong; the same as for a command line that does not
/// parse.
const EXIT_USAGE: u8 = 2;

/// A variable and, when that is where the value came from, its flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Name of the environment variable.
    pub variable: &'static str,
    /// The flag without its dashes, if the value came from the command line.
    pub flag: Option<&'static str>,
}

impl Setting {
    /// The variable itself, whatever its value came from.
    pub(super) fn of(variable: &Variable) -> Self {
        Self { variable: variable.name, flag: None }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flag {
            Some(flag) => write!(f, "--{flag} ({})", self.variable),
            None => f.write_str(self.variable),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// A value that is not accepted, on its own or beside others.
    #[error("{setting}: {wrong}; accepted: {accepted}")]
    Value {
        /// Where it stands.
        setting: Setting,
        /// What is wrong with it.
        wrong: String,
        /// What would be right.
        accepted: String,
    },
    /// A value in the environment that is not Unicode.
    #[error("{setting}: not valid UTF-8; accepted: UTF-8 text")]
    NotText {
        /// Where it stands.
        setting: Setting,
    },
    /// A line of the `.env` file that says nothing a `.env` file can say. The line itself is not
    /// shown: it may hold a secret.
    #[error(
        "{}{}, line {line}: {wrong}; accepted: NAME=value, with optional export, quotes and \
         # comment",
        .variable.iter().map(|name| format!("{name} in ")).collect::<String>(),
        .path.display()
    )]
    DotEnvLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The variable, if the line got as far as naming one.
        variable: Option<String>,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A `.env` file that is there and cannot be read.
    #[error("{}: {wrong}; accepted: a readable file of UTF-8 text, or none", .path.display())]
    DotEnvFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        wrong: String,
    },
}

impl Problem {
    /// The variable concerned, if it is one of ours.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Value { setting, .. } | Self::NotText { setting } => Some(setting.variable),
            Self::DotEnvLine { variable, .. } => variable.as_deref(),
            Self::DotEnvFile { .. } => None,
        }
    }
}

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", self.listed())]
pub struct ConfigErrors {
    problems: Vec<Problem>,
    file: Option<PathBuf>,
}

impl ConfigErrors {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems, file: None }
    }

    /// Adds the `.env` file that was read, where a value at fault may stand.
    pub(super) fn with_file(mut self, read: Option<&Path>) -> Self {
        self.file = read.map(Path::to_owned);
        self
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.problems
    }

    /// The problems, one or more.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn listed(&self) -> String {
        let mut text = match self.problems.len() {
            1 => "the configuration has a problem:".to_owned(),
            count => format!("the configuration has {count} problems:"),
        };
        for problem in &self.problems {
            text.push_str("\n  ");
            text.push_str(&problem.to_string());
        }
        if let Some(file) = &self.file {
            text.push_str(&format!("\n(variables were also read from {})", file.display()));
        }
        text
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The command line does not parse, or asked for `--help` or `--version`.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    /// An argument of a command is wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl LoadError {
    /// Prints what there is to say, to the right stream, and returns the status `main` ends with: 0
    /// after `--help` and `--version`, otherwise 2.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Arguments(error) => {
                // With both streams closed nobody is left to tell.
                let _ = error.print();
                match error.exit_code() {
                    0 => ExitCode::SUCCESS,
                    _ => ExitCode::from(EXIT_USAGE),
                }
            }
            Self::Settings(_) | Self::Address(_) => {
                eprintln!("larder: {self}");
                ExitCode::from(EXIT_USAGE)
            }
        }
    }
}
