//! How far a command is: a bar on a terminal, a line now and then elsewhere. On standard error, so
//! that what is printed can be piped.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Shows progress.
#[derive(Debug)]
pub(crate) enum Progress {
    /// On a terminal.
    Bar(ProgressBar),
    /// Elsewhere; when the last line was written.
    Lines(Instant),
}

impl Progress {
    /// Starts to show progress.
    pub(crate) fn start() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines(Instant::now());
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar(bar)
    }

    /// Says how far it is; `total` where that is known.
    #[expect(clippy::print_stderr, reason = "progress is for people, beside the result")]
    pub(crate) fn at(&mut self, doing: &str, done: u64, total: Option<u64>, detail: &str) {
        match self {
            Self::Bar(bar) => {
                if total != bar.length() {
                    set_total(bar, total);
                }
                bar.set_position(done);
                bar.set_message(format!("{doing}: {detail}"));
            }
            Self::Lines(last) => {
                if last.elapsed() >= EVERY {
                    *last = Instant::now();
                    let of = total.map_or_else(String::new, |total| format!(" of {total}"));
                    eprintln!("{doing}: {done}{of}, {detail}");
                }
            }
        }
    }

    /// Writes above the bar.
    #[expect(clippy::print_stdout, reason = "the result of a command")]
    pub(crate) fn print(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| println!("{text}")),
            Self::Lines(_) => println!("{text}"),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn set_total(bar: &ProgressBar, total: Option<u64>) {
    let template = match total {
        Some(total) => {
            bar.set_length(total);
            "{bar:30} {percent}% {pos}/{len} {msg} ({elapsed}, {eta} left)"
        }
        None => {
            bar.unset_length();
            "{spinner} {pos} {msg} ({elapsed})"
        }
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
