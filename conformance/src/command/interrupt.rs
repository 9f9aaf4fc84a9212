//! Ctrl-C and SIGTERM: begin nothing more, end what is under way, clear up, say what is left, end.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Subject;
use super::progress::Progress;
use crate::bench::runtime;
use crate::run::remove_homes;

/// How long calls under way may take to end: longer than a call of a server may take.
const CALLS: Duration = Duration::from_secs(35);

/// How long checks may take to notice that their calls fail.
const CHECKS: Duration = Duration::from_secs(10);

/// The signals that end a run.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// What is needed to end a run.
pub(super) struct Ending {
    pub(super) subject: Arc<Subject>,
    /// Set when nothing more is to begin.
    pub(super) stop: Arc<AtomicBool>,
    /// Tells that no check is under way any more.
    pub(super) over: Receiver<()>,
    pub(super) progress: Arc<Progress>,
    pub(super) homes: PathBuf,
    /// The command that clears what is left.
    pub(super) clear: String,
}

impl Signals {
    /// From now on these signals end nothing by themselves.
    pub(super) fn catch() -> Result<Self, String> {
        let _inside = runtime().enter();
        let caught = |kind| signal(kind).map_err(|error| format!("no signals: {error}"));
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: caught(interrupt)?, terminate: caught(terminate)? })
    }

    /// The exit status that belongs to the next one.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }

    /// Ends the run when one comes; a second one does not wait for the clearing up.
    pub(super) fn watch(mut self, ending: Ending) {
        let name = ending.subject.run_name().map(str::to_owned);
        let clear = ending.clear.clone();
        runtime().spawn(async move {
            let status = self.next().await;
            ending.stop.store(true, Ordering::Relaxed);
            // A thread that may wait for answers, which this one may not.
            let _ = thread::spawn(move || end(&ending, status));
            let status = self.next().await;
            if let Some(name) = name {
                say(&format!("interrupted again; namespaces that begin with {name}- may be left"));
                say(&format!("clear them with: {clear}"));
            }
            process::exit(status);
        });
    }
}

fn end(ending: &Ending, status: i32) -> ! {
    ending.progress.done();
    say("interrupted; clearing up …");
    let under_way = ending.subject.halt(CALLS);
    if under_way > 0 {
        say(&format!("calls that have not come back: {under_way}; they may still write"));
    }
    // A check that hangs does not end; it cannot write any more either.
    let _ = ending.over.recv_timeout(CHECKS);
    let left = ending.subject.clean_up();
    remove_homes(&ending.homes);
    match super::left_behind(&left, &ending.clear) {
        Some(text) => say(&text),
        None => say("everything that the run has made is cleared"),
    }
    process::exit(status);
}

fn say(line: &str) {
    // Nobody may be reading any more.
    let _ = writeln!(io::stderr(), "{line}");
}
