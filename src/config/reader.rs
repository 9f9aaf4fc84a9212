//! Reads single settings by their row of the table, and collects what is wrong with them.

use super::cli::Flags;
use super::errors::{Problem, Setting};
use super::table::Variable;

/// Longest piece of a value that a message repeats.
const SHOWN: usize = 80;

/// A problem that is already in [`Reader::problems`]; all that is left to do is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported;

/// What a parser says of a value it refuses, to be read after the value: "is not a number".
pub(super) type Wrong = &'static str;

/// A value that someone set, and where.
pub(super) struct Given {
    pub value: String,
    pub setting: Setting,
}

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    flags: &'a Flags,
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>, flags: &'a Flags) -> Self {
        Self { lookup, flags, problems: Vec::new(), notes: Vec::new() }
    }

    /// The value as written: a flag hides the environment, and an empty value is none.
    pub(super) fn given(&self, variable: &Variable) -> Option<Given> {
        let (value, flag) = match self.flags.value(variable) {
            Some(value) => (value.to_owned(), variable.flag),
            None => ((self.lookup)(variable.name)?, None),
        };
        let setting = Setting { flag, ..Setting::of(variable) };
        (!value.is_empty()).then_some(Given { value, setting })
    }

    /// How a message names the variable: with its flag, if that is where the value came from.
    pub(super) fn setting(&self, variable: &Variable) -> Setting {
        self.given(variable).map_or_else(|| Setting::of(variable), |given| given.setting)
    }

    /// The parsed value, if one is set. The default does not enter here.
    pub(super) fn optional<T>(
        &mut self,
        variable: &Variable,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Reported> {
        let Some(Given { value, setting }) = self.given(variable) else {
            return Ok(None);
        };
        let parsed =
            if value.trim().is_empty() { Err("is only white space") } else { parse(&value) };
        parsed.map(Some).map_err(|wrong| {
            // The one place where a value could get into a message.
            let wrong = if variable.secret {
                format!("the value (not shown) {wrong}")
            } else {
                format!("{} {wrong}", shown(&value))
            };
            self.report(setting, wrong, variable.values)
        })
    }

    /// The parsed value, or else the parsed default.
    ///
    /// # Panics
    ///
    /// When the row has no default, or one that does not parse: a bug in the table.
    pub(super) fn required<T>(
        &mut self,
        variable: &Variable,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<T, Reported> {
        let given = self.optional(variable, &parse)?;
        Ok(given.unwrap_or_else(|| {
            let default = variable.default.expect("a required setting has a default");
            parse(default).expect("the default in the table is a value it accepts")
        }))
    }

    /// Records a problem, once however often it is met.
    pub(super) fn report(
        &mut self,
        setting: Setting,
        wrong: impl Into<String>,
        accepted: impl Into<String>,
    ) -> Reported {
        let problem = Problem::Value { setting, wrong: wrong.into(), accepted: accepted.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Reported
    }

    /// Records a remark.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }
}

/// A value in quotes, control characters escaped, not longer than a message can bear.
fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}
