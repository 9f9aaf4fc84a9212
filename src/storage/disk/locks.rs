//! Locks between everything that writes to one store: threads, handles, processes.
//!
//! They are `flock`s on a fixed set of empty files, so the kernel releases them however a process
//! ends. Every process must agree on the files and on which key belongs to which: both are part of
//! the layout on disk, and a change of either needs a new folder name.
//!
//! A step of a batch takes, in this order, so that nobody waits in a circle:
//!
//! 1. the *shards* of its keys, in ascending order: expectations hold from check to write;
//! 2. the *tree*, shared: nobody turns a file into a folder or back meanwhile.
//!
//! Only who finds that a file must become a folder (or the reverse) takes the tree for itself. It
//! gives its share back first and keeps its shards: whoever holds a share has all its shards already
//! and will finish. The *gate* before the tree keeps new shares from overtaking who waits for all of
//! it. Nothing is synced while a lock is held, except in that rare case.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};

/// How many locks all keys share. Critical sections are short, so few suffice.
const SHARDS: u64 = 16;
const GATE: &str = "gate";
const TREE: &str = "tree";

#[derive(Debug)]
pub(super) struct Locks {
    folder: OwnedFd,
    // A lock belongs to the open file, so threads that share one exclude each other by the mutex.
    shards: Vec<Mutex<File>>,
    gate: Mutex<File>,
    // Shares are held side by side, so each needs an open file of its own; they are kept for reuse.
    trees: Mutex<Vec<File>>,
}

impl Locks {
    /// Opens the lock files in `folder`, and creates those that are not there: now rather than on
    /// first use, so that a full disk can still be locked for deleting.
    pub(super) fn open(folder: OwnedFd) -> io::Result<Self> {
        let file = |name: &str| open_lock(&folder, name).map(Mutex::new);
        let shards =
            (0..SHARDS).map(|shard| file(&format!("{shard:02x}"))).collect::<io::Result<_>>()?;
        let gate = file(GATE)?;
        let trees = Mutex::new(vec![open_lock(&folder, TREE)?]);
        Ok(Self { folder, shards, gate, trees })
    }

    /// Takes the locks of some keys, waiting as long as others hold them.
    pub(super) fn keys<'k>(
        &self,
        keys: impl Iterator<Item = &'k str>,
    ) -> io::Result<Vec<Held<'_>>> {
        let shards: BTreeSet<u64> = keys.map(|key| hash(key) % SHARDS).collect();
        shards.into_iter().map(|shard| Held::take(&self.shards[shard as usize])).collect()
    }

    /// Takes a share of the tree. The caller has taken all the key locks it needs.
    pub(super) fn tree(&self) -> io::Result<Share<'_>> {
        let spare = self.trees.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let file = spare.map_or_else(|| open_lock(&self.folder, TREE), Ok)?;
        let gate = Held::take(&self.gate)?;
        patiently(|| file.lock_shared())?;
        drop(gate);
        Ok(Share { locks: self, file: Some(file), alone: false })
    }
}

/// A lock that is held until dropped.
#[derive(Debug)]
pub(super) struct Held<'a>(MutexGuard<'a, File>);

impl<'a> Held<'a> {
    fn take(lock: &'a Mutex<File>) -> io::Result<Self> {
        // The mutex guards no data that a panic could leave half changed.
        let file = lock.lock().unwrap_or_else(PoisonError::into_inner);
        patiently(|| file.lock())?;
        Ok(Self(file))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Unlocking an open file that is locked cannot fail; if it did, others would wait for the
        // end of this process rather than do harm.
        let _ = self.0.unlock();
    }
}

/// A share of the tree, or all of it, until dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    locks: &'a Locks,
    file: Option<File>,
    alone: bool,
}

impl Share<'_> {
    /// Waits until nobody else holds a share. What was seen of the tree before must be looked at
    /// again.
    pub(super) fn alone(&mut self) -> io::Result<()> {
        if self.alone {
            return Ok(());
        }
        if let Some(file) = &self.file {
            file.unlock()?;
            let gate = Held::take(&self.locks.gate)?;
            patiently(|| file.lock())?;
            drop(gate);
        }
        self.alone = true;
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take()
            && file.unlock().is_ok()
        {
            self.locks.trees.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        }
    }
}

/// Creates a lock file, open for writing because some network file systems lock nothing else.
pub(super) fn open_lock(folder: impl AsFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?.into())
}

/// Takes a lock unless someone holds it.
pub(super) fn take_if_free(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Signals interrupt waiting for a lock.
fn patiently(mut lock: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// FNV-1a, because it is the same in every build and on every machine.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
