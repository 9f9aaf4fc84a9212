//! The one way to run checks, of whatever they are asked: under a watchdog, on several threads, told
//! of as they end, reported in order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Group, Outcome};
use crate::report::{Failure, Finding, Verdict, chain};

/// What is told of a run while it goes on.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// A check has begun.
    #[cfg_attr(
        not(feature = "command"),
        expect(dead_code, reason = "only the command shows what is under way")
    )]
    Began(&'a Check),
    /// A check has ended.
    Ended(&'a Finding),
}

/// Runs checks on so many threads; the findings come back in the order of the checks. A run that is
/// stopped begins no more checks; those that did not begin are missing from what comes back.
///
/// Where there are several threads, the checks that wait for the clock have one more, so that they wait
/// beside the others and not behind them.
pub(crate) fn all(
    hold: &(dyn Fn(&Check) -> Finding + Sync),
    checks: &[&Check],
    threads: usize,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told<'_>),
) -> Vec<Finding> {
    let waits = |nth: &usize| threads > 1 && checks[*nth].group() == Group::Time;
    let (waiting, busy): (Vec<_>, Vec<_>) = (0..checks.len()).partition(waits);
    let queues = [(threads.max(1), busy), (usize::from(!waiting.is_empty()), waiting)];
    let queues = queues.map(|(threads, queue)| (threads, queue, AtomicUsize::new(0)));
    let mut found: Vec<(usize, Finding)> = Vec::new();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let workers = queues.iter().flat_map(|queue| std::iter::repeat_n(queue, queue.0));
        for (_, queue, next) in workers {
            let sender = sender.clone();
            scope.spawn(move || {
                while let Some(&nth) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let check = checks[nth];
                    if stop.load(Ordering::Relaxed) || sender.send((nth, None)).is_err() {
                        break;
                    }
                    if sender.send((nth, Some(hold(check)))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (nth, finding) in receiver {
            match finding {
                None => tell(Told::Began(checks[nth])),
                Some(finding) => {
                    tell(Told::Ended(&finding));
                    found.push((nth, finding));
                }
            }
        }
    });
    found.sort_by_key(|(nth, _)| *nth);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// How many checks run at once unless something else is asked for.
pub(crate) fn usual_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Makes a finding of what an attempt gives.
pub(crate) fn finding(check: &Check, attempt: impl FnOnce() -> Verdict) -> Finding {
    let started = Instant::now();
    let verdict = attempt();
    Finding {
        number: check.number,
        group: check.group(),
        sentence: check.sentence,
        source: check.source,
        verdict,
        took: started.elapsed(),
    }
}

/// Runs a check in a thread of its own: one that panics or does not come back has failed.
pub(crate) fn watched(
    check: &Check,
    patience: Duration,
    run: impl FnOnce() -> Outcome + Send + 'static,
) -> Verdict {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::Builder::new().name(check.number.into()).spawn(move || sender.send(run()));
    let worker = match worker {
        Ok(worker) => worker,
        Err(error) => {
            return Verdict::Fail(Failure::new(format!("no thread: {}", chain(&error))));
        }
    };
    match receiver.recv_timeout(patience) {
        Ok(Ok(())) => Verdict::Pass,
        Ok(Err(failure)) if failure.not_checked => Verdict::NotChecked(failure.what),
        Ok(Err(failure)) => Verdict::Fail(failure),
        Err(mpsc::RecvTimeoutError::Timeout) => Verdict::Fail(Failure::new(format!(
            "a call has not come back: the check hangs after {patience:?}"
        ))),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = worker.join().err();
            let said = panic.as_ref().map_or("", |panic| panic_message(&**panic));
            Verdict::Fail(Failure::new(format!("panicked: {said}")))
        }
    }
}

/// The seed of one check, so that checks do not draw the same programs.
pub(crate) fn mix(seed: u64, number: &str) -> u64 {
    number.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}
