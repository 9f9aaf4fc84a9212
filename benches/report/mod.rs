//! A table for people as it grows, and the same figures as JSON for the picture.

use std::io::Write as _;

use serde_json::{Value, json};

/// A measured pair.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) operation: &'static str,
    /// Operations a second.
    pub(crate) ours: f64,
    /// Operations a second of what it is compared with.
    pub(crate) ceiling: f64,
    /// The median of the ratios of turns, which is not the ratio of the medians.
    pub(crate) ratio: f64,
}

/// The rows so far, and what the command line asked for.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<Value>,
    only: Option<String>,
}

/// The value of `--name VALUE` on the command line.
pub(crate) fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

/// Writes a line to standard output.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

impl Report {
    pub(crate) fn new(ours: &str, ceiling: &str) -> Self {
        let (a, b) = (format!("{ours}/s"), format!("{ceiling}/s"));
        say(&format!("{:<18}{:<24}{a:>12}{b:>12}  ratio", "", "operation"));
        Self { rows: Vec::new(), only: argument("--only") }
    }

    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, name: &str, operation: &str) -> bool {
        self.only.as_ref().is_none_or(|word| format!("{name} {operation}").contains(word.as_str()))
    }

    /// Whether any row of this name may be.
    pub(crate) fn wants_any(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|word| {
            let first = word.split([' ', ',']).next().unwrap_or_default();
            name.contains(first) || !["memory", "disk", "sqlite", "zip", "s3"].contains(&first)
        })
    }

    pub(crate) fn add(&mut self, row: Row) {
        let Row { name, operation, ours, ceiling, ratio } = row;
        say(&format!("{name:<18}{operation:<24}{ours:>12.0}{ceiling:>12.0}  {ratio:.2}"));
        self.rows.push(json!({
            "name": name,
            "operation": operation,
            "ours": ours.round(),
            "ceiling": ceiling.round(),
            "ratio": (ratio * 100.0).round() / 100.0,
        }));
    }

    /// Writes the file, if one was asked for.
    pub(crate) fn finish(self) {
        write(&self.rows);
    }
}

/// Writes rows to the file that `--json FILE` names, if it does.
pub(crate) fn write(rows: &[Value]) {
    if let Some(file) = argument("--json") {
        let text = serde_json::to_string_pretty(rows).expect("JSON") + "\n";
        std::fs::write(&file, text).expect("written");
    }
}
