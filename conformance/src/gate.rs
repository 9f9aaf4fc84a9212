//! How a run that is ended writes nothing more: all its calls go through a gate, which can be shut.
//!
//! Clearing up what somebody still writes is a race. So a run is ended in this order: the gate is shut,
//! after which no call begins; the calls that are inside come out; then what was written is cleared, and
//! looked for again until nothing is found.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a call says that comes when the run has ended.
pub(crate) const ENDED: &str = "the run has ended; nothing more is asked";

/// How often what a run has made is looked for. A call that nobody waits for any more, as after a check
/// has dropped it, is in no gate and may write until it is done.
const PASSES: u32 = 10;

/// How long is waited between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// What every call of a run goes through.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    inside: usize,
}

/// A call that is under way; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Inside(Arc<Gate>);

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call; `None` when the gate is shut.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Inside> {
        let mut state = self.state();
        if state.shut {
            return None;
        }
        state.inside += 1;
        Some(Inside(Arc::clone(self)))
    }

    /// Lets no call begin any more, and waits for those under way; says how many have not ended when
    /// the patience is over.
    #[cfg(any(feature = "command", test))]
    pub(crate) fn shut(&self, patience: Duration) -> usize {
        let mut state = self.state();
        state.shut = true;
        let waited = self.left.wait_timeout_while(state, patience, |state| state.inside > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.left.notify_all();
    }
}

/// Repeats a pass, which clears and says what it found, until one finds nothing. What the last one found
/// comes back.
pub(crate) fn until_gone(mut pass: impl FnMut() -> Vec<String>) -> Vec<String> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let began = Instant::now();
    let mut found = pass();
    for _ in 1..PASSES {
        if found.is_empty() || began.elapsed() > PATIENCE {
            break;
        }
        thread::sleep(PAUSE);
        found = pass();
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::{Gate, until_gone};

    #[test]
    fn a_gate_that_is_shut_lets_nobody_in_and_waits_for_those_inside() {
        let gate = Arc::new(Gate::default());
        let inside = gate.enter().unwrap();
        assert_eq!(gate.shut(Duration::ZERO), 1);
        assert!(gate.enter().is_none());
        let waiting = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || gate.shut(Duration::from_secs(60)))
        };
        drop(inside);
        assert_eq!(waiting.join().unwrap(), 0);
    }

    #[test]
    fn what_comes_back_is_cleared_again() {
        let mut found = vec![vec![], vec!["late".to_owned()], vec!["first".to_owned()]];
        assert!(until_gone(|| found.pop().unwrap()).is_empty());
        assert!(found.is_empty());
    }
}
