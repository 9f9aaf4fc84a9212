//! Whether what several threads saw of one key can be put in an order.
//!
//! A history is linearizable when every call can be given one moment between its start and its end,
//! so that the answers are those of a single thread doing the calls in the order of these moments.
//! Keys are independent, so each is checked alone, and values are unique, so matching is exact. A call
//! whose outcome is unknown may have its moment at any time after its start, or never.
//!
//! The search is that of Wing and Gong with the memory of Lowe: it never tries the same set of
//! calls done, in the same state, twice.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

/// What was called. Values are the numbers of the writes that made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Read the value.
    Read,
    /// Put a value, under a condition.
    Put(u32, Guard),
    /// Remove the value, under a condition.
    Delete(Guard),
}

/// A condition on the value before a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Anything.
    Any,
    /// Nothing is there.
    Absent,
    /// This value is there.
    Is(u32),
}

impl Guard {
    /// Whether it holds in a state.
    #[must_use]
    pub fn holds(self, state: Option<u32>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => state.is_none(),
            Self::Is(value) => state == Some(value),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A read's value.
    Value(Option<u32>),
    /// The write was done.
    Done,
    /// The write's condition did not hold.
    Conflict,
    /// Nothing that can be relied on: an error, or no answer.
    Unknown,
}

/// One call of one thread, with the moments before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Who called.
    pub thread: u32,
    /// What was called.
    pub call: Call,
    /// What came back.
    pub answer: Answer,
    /// Before the call.
    pub start: u64,
    /// After the answer; without meaning for [`Answer::Unknown`].
    pub end: u64,
}

/// What a single thread would be answered, and the state afterwards.
#[must_use]
pub fn step(state: Option<u32>, call: Call) -> (Option<u32>, Answer) {
    match call {
        Call::Read => (state, Answer::Value(state)),
        Call::Put(value, guard) if guard.holds(state) => (Some(value), Answer::Done),
        Call::Delete(guard) if guard.holds(state) => (None, Answer::Done),
        Call::Put(..) | Call::Delete(_) => (state, Answer::Conflict),
    }
}

/// Why a history has no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has one.
    Linearizable,
    /// It has none; these calls are enough to see it.
    Violation(Vec<Event>),
    /// The search was given up.
    TooLong,
}

/// The most sets of calls a search looks at.
const BUDGET: usize = if cfg!(test) { 20_000 } else { 2_000_000 };

/// Looks for an order of the calls on one key, which held `initial` before all of them.
#[must_use]
pub fn check(initial: Option<u32>, history: &[Event]) -> Verdict {
    match search(initial, history) {
        None => Verdict::TooLong,
        Some(true) => Verdict::Linearizable,
        Some(false) => Verdict::Violation(shrink(initial, history)),
    }
}

/// A set of calls, by their places in the history.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn has(&self, nth: usize) -> bool {
        self.0[nth / 64] >> (nth % 64) & 1 == 1
    }

    fn with(&self, nth: usize) -> Self {
        let mut more = self.clone();
        more.0[nth / 64] |= 1 << (nth % 64);
        more
    }
}

fn search(initial: Option<u32>, history: &[Event]) -> Option<bool> {
    let mut history = history.to_vec();
    // A read that failed says nothing.
    history.retain(|event| event.call != Call::Read || event.answer != Answer::Unknown);
    history.sort_by_key(|event| event.start);
    let certain = |event: &Event| event.answer != Answer::Unknown;
    let start = Done(vec![0; history.len().div_ceil(64).max(1)]);
    let mut seen = HashSet::from([(start.clone(), initial)]);
    let mut open = vec![(start, initial)];
    while let Some((done, state)) = open.pop() {
        let left = || history.iter().enumerate().filter(|(nth, _)| !done.has(*nth));
        // Only a call that started before every certain call's end can be the next.
        let earliest = left().filter(|(_, event)| certain(event)).map(|(_, event)| event.end).min();
        let Some(earliest) = earliest else { return Some(true) };
        for (nth, event) in left().filter(|(_, event)| event.start <= earliest) {
            let (after, answer) = step(state, event.call);
            let fits = !certain(event) || answer == event.answer;
            if fits {
                let next = (done.with(nth), after);
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        if seen.len() > BUDGET {
            return None;
        }
    }
    Some(false)
}

/// Leaves out what is not needed to see the violation: first what came last, then reads. A call left
/// out may have had an effect, so only those whose absence excuses nothing go: reads, conflicts, and
/// everything that started after the violation was complete.
fn shrink(initial: Option<u32>, history: &[Event]) -> Vec<Event> {
    let mut kept = history.to_vec();
    kept.sort_by_key(|event| event.start);
    let violates = |history: &[Event]| search(initial, history) == Some(false);
    let ends: BTreeSet<u64> = kept.iter().map(|event| event.end).collect();
    for end in ends {
        // What was not over by then may have had an effect, or not.
        let mut early: Vec<_> = kept.iter().filter(|event| event.start <= end).copied().collect();
        for event in early.iter_mut().filter(|event| event.end > end) {
            event.answer = Answer::Unknown;
        }
        if violates(&early) {
            kept = early;
            break;
        }
    }
    let mut nth = 0;
    while nth < kept.len() {
        let idle = kept[nth].call == Call::Read || kept[nth].answer == Answer::Conflict;
        let without: Vec<_> = [&kept[..nth], &kept[nth + 1..]].concat();
        if idle && violates(&without) {
            kept = without;
        } else {
            nth += 1;
        }
    }
    kept
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guard = |guard: Guard| match guard {
            Guard::Any => String::new(),
            Guard::Absent => " if absent".into(),
            Guard::Is(value) => format!(" if it holds #{value}"),
        };
        match self.call {
            Call::Read => f.write_str("read")?,
            Call::Put(value, condition) => write!(f, "put #{value}{}", guard(condition))?,
            Call::Delete(condition) => write!(f, "delete{}", guard(condition))?,
        }
        match self.answer {
            Answer::Value(None) => f.write_str(" -> nothing"),
            Answer::Value(Some(value)) => write!(f, " -> #{value}"),
            Answer::Done => f.write_str(" -> done"),
            Answer::Conflict => f.write_str(" -> conflict"),
            Answer::Unknown => f.write_str(" -> ?"),
        }
    }
}

/// A history as a table of overlapping intervals, one line a call.
#[must_use]
pub fn draw(history: &[Event]) -> String {
    let mut moments: Vec<_> = history.iter().flat_map(|event| [event.start, event.end]).collect();
    moments.sort_unstable();
    moments.dedup();
    let column = |moment: u64| moments.partition_point(|other| *other < moment);
    let mut lines = String::new();
    for event in history {
        let (start, end) = (column(event.start), column(event.end));
        let mut bar = " ".repeat(start);
        bar.push('|');
        if event.answer == Answer::Unknown {
            bar.push_str("-->");
        } else {
            bar.push_str(&"-".repeat((end - start).saturating_sub(1)));
            bar.push('|');
        }
        lines.push_str(&format!(
            "thread {} {bar:<width$} {event}\n",
            event.thread,
            width = moments.len() + 3
        ));
    }
    lines
}

#[cfg(test)]
mod tests;
