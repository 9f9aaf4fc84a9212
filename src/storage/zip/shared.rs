//! One store for all handles in the process: the lock on the archive is between processes, and two
//! stores on one archive in one process would not know of each other either.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::commit::Ticket;
use super::failed;
use super::keeper::Keeper;
use super::open::{is_blank, open};
use super::paths::Paths;
use super::store::Store;
use crate::storage::{Batch, Durability, Error, Result};

/// The archives that this process has open, or is about to open or to close.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Door>>> = LazyLock::new(Mutex::default);

/// Whoever opens or closes an archive holds its door, so that nobody finds it half closed.
type Door = Arc<Mutex<Weak<Opened>>>;

/// A handle's share of an open store. The last one closes it.
#[derive(Debug)]
pub(super) struct Shared {
    opened: Option<Arc<Opened>>,
    door: Door,
}

#[derive(Debug)]
struct Opened {
    store: Arc<Store>,
    /// Started by the first write.
    keeper: OnceLock<Keeper>,
}

impl Shared {
    pub(super) fn open(path: &Path, durability: Durability) -> Result<Arc<Self>> {
        let paths = Paths::resolve(path, durability).map_err(failed("open an archive at", path))?;
        let door = Arc::clone(doors().entry(paths.archive.clone()).or_default());
        let opened = {
            let mut inside = held(&door);
            match inside.upgrade() {
                Some(opened) => Ok(opened),
                None => Opened::new(paths, durability)
                    .inspect(|opened| *inside = Arc::downgrade(opened)),
            }
        };
        // Made even when opening failed, since dropping it tidies up.
        let mut shared = Self { opened: None, door };
        let opened = opened?;
        opened.store.used_with(durability);
        shared.opened = Some(opened);
        Ok(Arc::new(shared))
    }

    pub(super) fn store(&self) -> &Store {
        &self.opened().store
    }

    /// Carries out a batch, and sees to a checkpoint if one is due.
    pub(super) fn apply(&self, batch: Batch, durability: Durability) -> Result<()> {
        let opened = self.opened();
        opened.store.commit(Ticket::new(batch, durability))?;
        if opened.keeper.get().is_none() {
            // Without a thread the journal grows until the end, which harms nobody.
            if let Ok(keeper) = Keeper::start(Arc::clone(&opened.store)) {
                let _ = opened.keeper.set(keeper);
            }
        }
        if opened.store.looks_due()
            && let Some(keeper) = opened.keeper.get()
        {
            keeper.ring();
        }
        Ok(())
    }

    fn opened(&self) -> &Opened {
        self.opened.as_ref().expect("taken only when dropped")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let inside = held(&self.door);
        drop(self.opened.take());
        drop(inside);
        // Kept as long as someone else is at it: other handles, or whoever opens.
        doors().retain(|_, door| !Arc::ptr_eq(door, &self.door) || Arc::strong_count(door) > 2);
    }
}

impl Opened {
    fn new(paths: Paths, durability: Durability) -> Result<Arc<Self>> {
        let store = open(paths)?;
        store.used_with(durability);
        if is_blank(&store) {
            // From now on there is an archive for other programs to read. Where there is no room for
            // one, that waits.
            match store.checkpoint() {
                Ok(()) | Err(Error::Full { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Arc::new(Self { store: Arc::new(store), keeper: OnceLock::new() }))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        drop(self.keeper.take());
        if let Err(error) = self.store.checkpoint() {
            tracing::warn!(
                archive = %self.store.path().display(),
                error = &error as &dyn std::error::Error,
                "archive could not be brought up to date at the end; the journal beside it has the rest"
            );
        }
    }
}

fn doors() -> MutexGuard<'static, HashMap<PathBuf, Door>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn held(door: &Door) -> MutexGuard<'_, Weak<Opened>> {
    door.lock().unwrap_or_else(PoisonError::into_inner)
}
