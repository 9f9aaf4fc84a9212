//! Objects in a map of this process. Never blocks, never awaits; nothing survives a restart.
//!
//! A [`Body`] made of a document is kept as the document: what nobody reads is never rendered.
//!
//! Bounded on request: a batch that would take keys and values over the bound is refused whole with
//! [`Error::Full`]; which entries then make room is the service's to decide (`cache::evict`), since
//! only it knows which objects belong together.

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;

use async_trait::async_trait;
use bytes::Bytes;

use super::folders::{Folders, new_folder_bytes};
use super::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use super::{
    Batch, Body, Change, Error, Expect, List, Object, Page, Part, Promises, Result, Size, Stat,
    Storage, sorted,
};
use crate::key::{Key, Namespace};

/// What one object is taken to cost beside its key and its value, in bytes: its places in the map and in its
/// folder, and what allocations take more than they are asked for.
const OVERHEAD: u64 = 160;

/// The store in memory.
#[derive(Default)]
pub struct Memory {
    state: RwLock<State>,
    max_bytes: Option<u64>,
}

#[derive(Default)]
struct State {
    objects: Folders<Slot>,
    last_version: u64,
    bytes: u64,
}

struct Slot {
    value: Value,
    version: u64,
}

impl Slot {
    /// Has the processor fetch what a reader of the value looks at.
    fn fetch(&self) {
        match &self.value {
            Value::Document(document) => document.fetch(),
            Value::Bytes(bytes) => {
                black_box(bytes.is_unique());
            }
        }
    }
}

enum Value {
    Bytes(Bytes),
    Document(Part),
}

impl Value {
    fn new(body: Body) -> Self {
        match body.into_document() {
            Ok(document) => Self::Document(document),
            // Copied, because a request's body shares the connection's read buffer, and keeping a
            // slice of that alive would cost many times the value.
            Err(bytes) => Self::Bytes(Bytes::copy_from_slice(&bytes)),
        }
    }

    fn body(&self) -> Body {
        match self {
            Self::Bytes(bytes) => bytes.clone().into(),
            Self::Document(document) => document.clone().into(),
        }
    }

    fn size(&self) -> Size {
        match self {
            Self::Bytes(bytes) => (bytes.len() as u64).into(),
            Self::Document(document) => Size::of(document.clone()),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Document(document) => document.weight(),
        }
    }
}

impl Memory {
    /// An empty store without a bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that holds about at most `max_bytes`: keys, values, and what finding them takes, for
    /// each object and for each folder. A value counts with what it takes here ([`Body::weight`]).
    #[must_use]
    pub fn bounded(max_bytes: u64) -> Self {
        Self { max_bytes: Some(max_bytes), ..Self::default() }
    }

    /// The bytes held, counted as the bound counts them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.read().all_bytes()
    }

    // A panic under the lock can only come from allocation, before anything was changed; the state
    // is whole, so the poison is ignored.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

// Without the objects: values do not belong into logs, and there may be millions.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read();
        f.debug_struct("Memory")
            .field("objects", &state.objects.len())
            .field("bytes", &state.all_bytes())
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}

#[async_trait]
impl Storage for Memory {
    fn promises(&self) -> Promises {
        Promises { atomic_batches: true, survives_restart: false, shared_between_processes: false }
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        Ok(self
            .read()
            .objects
            .get_with_others(key, Slot::fetch)
            .map(|slot| Object { bytes: slot.value.body(), version: slot.version.into() }))
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        Ok(self
            .read()
            .objects
            .get_fetching(key, Slot::fetch)
            .map(|slot| Stat { size: slot.value.size(), version: slot.version.into() }))
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let mut state = self.write();
        state.check(&batch)?;
        if let Some(max_bytes) = self.max_bytes {
            let after = state.bytes_after(&batch);
            // What does not grow the store is let through even when it is over the bound, so that
            // making room is always possible.
            if after > max_bytes && after > state.all_bytes() {
                let never = State::default().bytes_after(&batch) > max_bytes;
                let needed = if never { u64::MAX } else { after - max_bytes };
                return Err(Error::Full { backend: "memory", needed });
            }
        }
        batch.into_steps().into_iter().for_each(|step| state.carry_out(step));
        Ok(())
    }

    async fn list(&self, query: List) -> Result<Page> {
        Ok(sorted::page(&self.read().objects, &query, |slot| slot.value.size().bytes()))
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        Ok(sorted::namespaces(&self.read().objects))
    }
}

impl State {
    /// Checks every expectation against the state each step will find.
    fn check(&self, batch: &Batch) -> Result<()> {
        for (index, step) in batch.steps().iter().enumerate() {
            for change in step {
                if *change.expect() == Expect::Any {
                    continue;
                }
                let earlier = batch.steps()[..index]
                    .iter()
                    .rev()
                    .find_map(|step| step.iter().find(|other| other.key() == change.key()));
                let holds = match (change.expect(), earlier) {
                    (Expect::Any, _) => true,
                    (Expect::Absent, None) => self.objects.get(change.key()).is_none(),
                    (Expect::Absent, Some(Change::Delete { .. })) => true,
                    (Expect::Absent, Some(Change::Put { .. })) => false,
                    (Expect::At(version), None) => self
                        .objects
                        .get(change.key())
                        .is_some_and(|slot| version.as_number() == Some(slot.version)),
                    // A step before this one made a new version, which nobody can have read.
                    (Expect::At(_), Some(_)) => false,
                };
                if !holds {
                    return Err(Error::Conflict { key: change.key().clone() });
                }
            }
        }
        Ok(())
    }

    fn all_bytes(&self) -> u64 {
        self.bytes + self.objects.folder_bytes()
    }

    /// At most so many; folders that a batch leaves empty count as if they stayed.
    fn bytes_after(&self, batch: &Batch) -> u64 {
        let mut sizes: BTreeMap<&Key, Option<usize>> = BTreeMap::new();
        for change in batch.steps().iter().flatten() {
            let size = match change {
                Change::Put { bytes, .. } => Some(bytes.weight()),
                Change::Delete { .. } => None,
            };
            sizes.insert(change.key(), size);
        }
        let put = sizes.iter().filter(|(_, size)| size.is_some()).map(|(key, _)| *key);
        let folders = new_folder_bytes(put, |path| self.objects.has_folder(path));
        let mut bytes = self.all_bytes() + folders;
        for (key, size) in sizes {
            bytes += size.map_or(0, |size| weight(key, size));
            bytes -= self.objects.get(key).map_or(0, |slot| weight(key, slot.value.weight()));
        }
        bytes
    }

    fn carry_out(&mut self, step: Vec<Change>) {
        let mut changes = step.into_iter();
        while let Some(change) = changes.next() {
            let (key, bytes) = match change {
                Change::Put { key, bytes, .. } => (key, bytes),
                Change::Delete { key, .. } => {
                    if let Some(before) = self.objects.remove(&key) {
                        self.bytes -= weight(&key, before.value.weight());
                    }
                    continue;
                }
            };
            let mut folder = self.objects.enter(&key);
            // Content and its side files come one after the other, and lie in one folder.
            let beside = |next: &&Change| {
                matches!(next, Change::Put { .. }) && folder.is_place_of(next.key())
            };
            let run = changes.as_slice().iter().take_while(beside).count();
            folder.reserve(1 + run);
            let mut put = |key: Key, bytes: Body| {
                self.last_version += 1;
                let value = Value::new(bytes);
                self.bytes += weight(&key, value.weight());
                let slot = Slot { value, version: self.last_version };
                let length = key.as_str().len();
                if let Some(before) = folder.insert(key, slot) {
                    self.bytes -= OVERHEAD + (length + before.value.weight()) as u64;
                }
            };
            put(key, bytes);
            for next in changes.by_ref().take(run) {
                if let Change::Put { key, bytes, .. } = next {
                    put(key, bytes);
                }
            }
        }
    }
}

fn weight(key: &Key, value: usize) -> u64 {
    OVERHEAD + (key.as_str().len() + value) as u64
}
