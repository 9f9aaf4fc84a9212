//! The store that all handles on one archive share: its state and how it is read.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sha2::{Digest, Sha256};

use super::commit::Ticket;
use super::index::Index;
use super::journal::Journal;
use super::member;
use super::paths::Paths;
use super::{corrupt, unavailable};
use crate::key::Key;
use crate::storage::{Durability, Object, Result, Stat, Version};

/// The store. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) paths: Paths,
    /// Whether one of the handles waits for the disk.
    syncs: AtomicBool,
    /// What [`Store::is_due`] would have said after the last write.
    pub(super) due: AtomicBool,
    /// One checkpoint at a time.
    pub(super) checkpoints: Mutex<()>,
    /// Held by whoever writes.
    journal: Mutex<Journal>,
    /// Batches that wait to be written.
    queue: Mutex<Vec<Arc<Ticket>>>,
    index: RwLock<Index>,
}

impl Store {
    pub(super) fn new(paths: Paths, journal: Journal, index: Index) -> Self {
        Self {
            paths,
            syncs: AtomicBool::new(false),
            due: AtomicBool::new(false),
            checkpoints: Mutex::default(),
            journal: Mutex::new(journal),
            queue: Mutex::default(),
            index: RwLock::new(index),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.paths.archive
    }

    /// Another handle uses the store.
    pub(super) fn used_with(&self, durability: Durability) {
        self.syncs.fetch_or(durability == Durability::Full, Ordering::Relaxed);
    }

    pub(super) fn syncs(&self) -> bool {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Whether a checkpoint seems to be due; does not wait for whoever writes.
    pub(super) fn looks_due(&self) -> bool {
        self.due.load(Ordering::Relaxed)
    }

    // What these guard is changed only when nothing can fail any more, so it is whole after a panic.

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Vec<Arc<Ticket>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Object>> {
        let Some((bytes, version)) = self.read(key)? else { return Ok(None) };
        Ok(Some(Object { bytes: bytes.into(), version }))
    }

    pub(super) fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let known = match self.index().slots().get(key) {
            None => return Ok(None),
            Some(slot) => slot.version().map(|version| Stat { size: slot.size.into(), version }),
        };
        if known.is_some() {
            return Ok(known);
        }
        let Some((bytes, version)) = self.read(key)? else { return Ok(None) };
        Ok(Some(Stat { size: (bytes.len() as u64).into(), version }))
    }

    /// The version of a value, which is read if need be.
    pub(super) fn version(&self, key: &Key) -> Result<Option<Version>> {
        Ok(self.stat(key)?.map(|stat| stat.version))
    }

    fn read(&self, key: &Key) -> Result<Option<(Vec<u8>, Version)>> {
        // Nothing is read under the lock. A file that is replaced meanwhile stays open.
        let (slot, file) = {
            let index = self.index();
            let Some(slot) = index.slots().get(key) else { return Ok(None) };
            (slot.clone(), index.file(slot.place))
        };
        let file = file.ok_or_else(|| unavailable("a part of the journal is not open"))?;
        let bytes = member::read(&file, key, &slot)?;
        let hash = Sha256::digest(&bytes).into();
        match slot.hash.get() {
            Some(known) if *known != hash => {
                return Err(corrupt(key.as_str(), "the member holds another value"));
            }
            Some(_) => {}
            None => self.learn(key, hash),
        }
        Ok(Some((bytes, Version::of_sha256(hash))))
    }

    /// Keeps the hash of a value for the next time.
    fn learn(&self, key: &Key, hash: member::Hash) {
        if let Some(slot) = self.index().slots().get(key) {
            // What this process writes has its hash from the start. So a slot without one is of the
            // archive as it was opened, as the one that was read, or someone else was faster.
            let _ = slot.hash.set(hash);
        }
    }
}
