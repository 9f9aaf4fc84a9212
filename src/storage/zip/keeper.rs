//! A thread that makes checkpoints while the store is in use, so that no write waits for one.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::store::Store;

/// How long the archive may be behind the journal when a checkpoint costs little.
const LEISURE: Duration = Duration::from_secs(30);
/// How long to wait after one that failed.
const RETRY: Duration = Duration::from_secs(10);

/// The thread of one store. Ends when dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    due: bool,
    end: bool,
}

impl Keeper {
    pub(super) fn start(store: Arc<Store>) -> io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let thread = std::thread::Builder::new()
            .name("larder-zip".to_owned())
            .spawn(move || keep(&store, &heard))?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Asks for a checkpoint.
    pub(super) fn ring(&self) {
        self.bell.rung().due = true;
        self.bell.changed.notify_one();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.bell.rung().end = true;
        self.bell.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic over there was reported over there.
            let _ = thread.join();
        }
    }
}

impl Bell {
    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is rung, and tells whether that was to end; `None` when it was not rung in time.
    fn wait(&self, time: Duration, due_counts: bool) -> Option<Rung> {
        let quiet = |rung: &mut Rung| !(rung.end || due_counts && rung.due);
        let waited = self.changed.wait_timeout_while(self.rung(), time, quiet);
        let (mut rung, late) = waited.unwrap_or_else(PoisonError::into_inner);
        if late.timed_out() { None } else { Some(std::mem::take(&mut *rung)) }
    }
}

fn keep(store: &Store, bell: &Bell) {
    loop {
        match bell.wait(LEISURE, true) {
            Some(rung) if rung.end => return,
            Some(_) if !store.is_due() => continue,
            None if !store.is_due_at_leisure() => continue,
            _ => {}
        }
        if let Err(error) = store.checkpoint() {
            tracing::warn!(
                archive = %store.path().display(),
                error = &error as &dyn std::error::Error,
                "archive could not be brought up to date; what was stored is safe in the journal"
            );
            if bell.wait(RETRY, false).is_some() {
                return;
            }
        }
    }
}
