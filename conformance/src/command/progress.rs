//! How far a run is: a bar on a terminal, a line for each check elsewhere.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::Check;
use crate::report::{Finding, Verdict};

#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    under_way: Mutex<BTreeSet<&'static str>>,
    failed: Mutex<usize>,
}

impl Progress {
    pub(super) fn new(checks: usize, quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(checks as u64);
            // The template is one of ours: if it were wrong, the bar would be a plain one.
            if let Ok(style) =
                ProgressStyle::with_template("{bar:32} {pos}/{len} {elapsed} {wide_msg}")
            {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar
        });
        Self { bar, quiet, under_way: Mutex::default(), failed: Mutex::default() }
    }

    pub(super) fn began(&self, check: &Check) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(check.number);
        self.show();
    }

    pub(super) fn ended(&self, finding: &Finding) {
        let (mark, reason) = match &finding.verdict {
            Verdict::Pass => ("ok", String::new()),
            Verdict::Fail(_) => ("FAILED", String::new()),
            Verdict::NotChecked(reason) => ("not checked", format!(": {reason}")),
        };
        let line = format!("{} {} ... {mark}{reason}", finding.number, finding.sentence);
        match &self.bar {
            None if self.quiet => {}
            None => {
                let _ = writeln!(io::stderr(), "{line}");
            }
            Some(bar) => {
                if finding.verdict.is_bad() {
                    bar.println(line);
                }
                bar.inc(1);
            }
        }
        if finding.verdict.is_bad() {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(finding.number);
        self.show();
    }

    fn show(&self) {
        let Some(bar) = &self.bar else { return };
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> = under_way.iter().copied().collect();
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = if failed > 0 { format!("{failed} failed · ") } else { String::new() };
        bar.set_message(format!("{failed}{}", now.join(" ")));
    }

    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
