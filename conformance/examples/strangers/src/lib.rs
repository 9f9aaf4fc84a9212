//! Published storage libraries as [`Storage`], to hold them to Larder's contract.
//!
//! Neither `object_store` nor OpenDAL knows batches, and not all of their stores can replace a value on
//! a condition. [`Adapted`] adds what a careful user would: writes of one process wait for each other,
//! expectations are checked before the store is asked (and handed on where it takes them), and a second
//! process is refused. What is left is what the library promises itself: values, names, listings,
//! overwriting, versions, durability. `tests/` runs the battery on that, and `../../FINDINGS.md` says
//! what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use larder_conformance::Storage;
use larder_conformance::larder::key::{Key, Namespace, Prefix};
use larder_conformance::larder::storage::{
    Batch, Change, Cursor, Depth, Entry, Error, Expect, List, Object, Page, Promises, Result, Stat,
    Version,
};

pub mod apache;
mod apart;
pub mod dal;

pub use apart::Apart;

/// A cause, of any type.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a write may hand on to a store that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Whatever is there.
    Overwrite,
    /// Only if nothing is there.
    Create,
    /// Only if this version is there.
    Replace(Version),
}

/// A foreign store: one name, one value.
#[async_trait]
pub trait Flat: Send + Sync + 'static {
    /// Whether values outlive the process.
    fn durable(&self) -> bool;

    /// Reads a value.
    async fn read(&self, name: &str) -> Result<Option<Object>, Cause>;

    /// Reads length and version of a value.
    async fn stat(&self, name: &str) -> Result<Option<Stat>, Cause>;

    /// Writes a value. False when the mode forbids it.
    async fn write(&self, name: &str, bytes: Bytes, mode: Mode) -> Result<bool, Cause>;

    /// Removes a value, if it is there.
    async fn delete(&self, name: &str) -> Result<(), Cause>;

    /// Names with lengths, and folders, in a folder (`""` is all there is), in any order.
    async fn list(
        &self,
        folder: &str,
        depth: Depth,
    ) -> Result<(Vec<(String, u64)>, Vec<String>), Cause>;
}

/// A foreign store with what it lacks.
pub struct Adapted<F> {
    store: F,
    writing: tokio::sync::Mutex<()>,
    /// Held as long as the store is open: the lock that keeps other processes out.
    _alone: Option<File>,
}

impl<F: Flat> Adapted<F> {
    /// Adapts a store in memory.
    pub fn new(store: F) -> Self {
        Self { store, writing: tokio::sync::Mutex::default(), _alone: None }
    }

    /// Adapts a store in a directory, which no other process may use meanwhile.
    pub fn alone(home: &Path, make: impl FnOnce(&Path) -> Result<F, Cause>) -> Result<Self, Cause> {
        let lock = File::create(home.join("lock"))?;
        // A handle that is just being dropped has let go of its home before it lets go of the lock.
        for _ in 0..50 {
            if lock.try_lock().is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        lock.try_lock()?;
        let data = home.join("data");
        std::fs::create_dir_all(&data)?;
        Ok(Self { store: make(&data)?, writing: tokio::sync::Mutex::default(), _alone: Some(lock) })
    }

    async fn holds(&self, change: &Change) -> Result<bool> {
        let name = change.key().as_str();
        Ok(match change.expect() {
            Expect::Any => true,
            Expect::Absent => self.store.stat(name).await.map_err(failed)?.is_none(),
            Expect::At(version) => {
                let stat = self.store.stat(name).await.map_err(failed)?;
                stat.is_some_and(|stat| stat.version == *version)
            }
        })
    }
}

impl<F> fmt::Debug for Adapted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adapted")
    }
}

fn failed(source: Cause) -> Error {
    Error::Other { backend: "foreign", source }
}

#[async_trait]
impl<F: Flat> Storage for Adapted<F> {
    fn promises(&self) -> Promises {
        Promises {
            atomic_batches: false,
            survives_restart: self.store.durable(),
            shared_between_processes: false,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.store.read(key.as_str()).await.map_err(failed)
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.store.stat(key.as_str()).await.map_err(failed)
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let _alone = self.writing.lock().await;
        for step in batch.into_steps() {
            for change in &step {
                if !self.holds(change).await? {
                    return Err(Error::Conflict { key: change.key().clone() });
                }
            }
            for change in step {
                match change {
                    Change::Put { key, bytes, expect } => {
                        let mode = match expect {
                            Expect::Any => Mode::Overwrite,
                            Expect::Absent => Mode::Create,
                            Expect::At(version) => Mode::Replace(version),
                        };
                        let written = self.store.write(key.as_str(), bytes.into(), mode).await;
                        if !written.map_err(failed)? {
                            return Err(Error::Conflict { key });
                        }
                    }
                    Change::Delete { key, .. } => {
                        self.store.delete(key.as_str()).await.map_err(failed)?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn list(&self, query: List) -> Result<Page> {
        let prefix = &query.prefix;
        let (found, inside) =
            self.store.list(prefix.as_str(), query.depth).await.map_err(failed)?;
        enum Item {
            Entry(Key, u64),
            Folder(Prefix),
        }
        // The foreign store's answer in the order of the contract, with nothing left out or put right.
        let mut items = BTreeMap::new();
        for (name, size) in found {
            if let Some(key) = prefix.key_from_physical(&name) {
                items.insert(name, Item::Entry(key, size));
            }
        }
        for name in inside {
            let Some(folder) = prefix.folder_from_physical(&name) else { continue };
            // The contract's cursors may point into a folder, which is listed if it goes on behind; and
            // a folder may be shared by the root namespace and one that is called like it.
            let into = matches!(&query.after, Some(Cursor::Key(key)) if folder.contains(key));
            if into || prefix.namespace().is_root() {
                let (within, _) = self.store.list(&name, Depth::All).await.map_err(failed)?;
                let mut keys = within.iter().filter_map(|(name, _)| prefix.key_from_physical(name));
                let passed =
                    |key: &Key| query.after.as_ref().is_some_and(|after| after.passed(key));
                if keys.all(|key| passed(&key)) {
                    continue;
                }
            }
            items.insert(name, Item::Folder(folder));
        }
        let mut page = Page::default();
        let mut last = None;
        for item in items.into_values() {
            let passed = match (&item, &query.after) {
                (_, None) => false,
                (Item::Entry(key, _), Some(after)) => after.passed(key),
                (Item::Folder(folder), Some(Cursor::Key(key))) => {
                    folder.as_str() <= key.as_str() && !folder.contains(key)
                }
                (Item::Folder(folder), Some(Cursor::Folder(after))) => {
                    folder.as_str() <= after.as_str()
                }
            };
            if passed {
                continue;
            }
            if page.entries.len() + page.folders.len() == query.limit.get() {
                page.next = last;
                break;
            }
            last = Some(match item {
                Item::Entry(key, size) => {
                    page.entries.push(Entry { key: key.clone(), size });
                    Cursor::Key(key)
                }
                Item::Folder(folder) => {
                    page.folders.push(folder.clone());
                    Cursor::Folder(folder)
                }
            });
        }
        Ok(page)
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        let (_, folders) = self.store.list("", Depth::Children).await.map_err(failed)?;
        let mut found = BTreeSet::new();
        for folder in folders {
            let Some(namespace) = Namespace::parse(folder.trim_end_matches('/')) else { continue };
            // Directories that deletes left empty are no namespaces.
            let (names, _) = self.store.list(&folder, Depth::All).await.map_err(failed)?;
            if !names.is_empty() {
                found.insert(namespace);
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// Keeps one [`Adapted`] store per home for as long as somebody holds it.
pub type Homes<F> = larder_conformance::InProcess<Adapted<F>>;

/// A version for stores that have none: the hash of the value.
pub fn hash(bytes: &[u8]) -> Version {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes);
    let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Version::from(text.as_str())
}

/// A handle on a store that another handle may hold as well.
pub fn share<F: Flat>(store: Arc<Adapted<F>>) -> Arc<dyn Storage> {
    store
}
