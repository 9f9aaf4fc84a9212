//! The storage contract: what a place to keep objects must do for the service.
//!
//! A [`Storage`] maps [`Key`]s to values. It is an async, object-safe trait with few methods and no
//! defaults; [`StorageExt`] holds the conveniences. Writes come as a [`Batch`]: the whole effect of
//! one service operation, in steps that become visible in order, so that a backend pays one lock,
//! one thread hop or one transaction per operation.
//!
//! # The contract
//!
//! 1. **Whole values.** A read returns some value that was put, entire; never a part or a mixture.
//! 2. **Read your writes**, through any handle on the same store.
//! 3. **Batches.** Steps become visible in order; inside a step the order is free. If an expectation
//!    fails, nothing of its step or later is applied and the error names the key. On any other
//!    failure a prefix of the steps (the last of them perhaps in part) may be there, and nothing
//!    else; with [`Promises::atomic_batches`], nothing.
//! 4. **Expectations are atomic with the write they guard**, for every user the store can have:
//!    threads always, processes where [`Promises::shared_between_processes`] says so.
//! 5. **Deleting what is not there succeeds.** (What the API answers is decided in `cache`.)
//! 6. **Listing is in byte order of the whole key**, complete for keys that were there throughout,
//!    exclusive of `after`; a page may be empty and still have a next. `a-b` sorts before `a/b`.
//! 7. **Any two valid keys can live side by side**, `a/b` and `a/b/c` included. Names that differ
//!    only by case stay apart.
//! 8. **Absence is not an error; trouble is never absence.** A store that cannot answer says so.
//! 9. **A dropped call may still take effect**; nothing may depend on cancellation.
//! 10. **What was acknowledged survives**, where [`Promises::survives_restart`] says so: `kill -9`
//!     between any two system calls, a full disk, a cut write. What was not acknowledged leaves the
//!     store readable.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroUsize;

use async_trait::async_trait;

use crate::key::{Key, Namespace, Prefix};

pub mod blocking;
mod body;
#[cfg(all(unix, feature = "disk"))]
pub mod disk;
pub mod folders;
pub mod lifecycle;
pub mod memory;
#[cfg(feature = "server")]
pub mod open;
mod ordered;
pub mod presign;
#[cfg(feature = "s3")]
pub mod s3;
pub mod sorted;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod table;
pub mod walk;
#[cfg(all(unix, feature = "zip"))]
pub mod zip;

mod durability;
#[cfg(all(unix, any(feature = "disk", feature = "zip")))]
mod files;
mod version;

pub use body::{Body, Part, Render, Size};
pub use durability::Durability;
pub use version::Version;

/// The locks of the stores in this process. The battery compiles `memory` a second time with those of
/// a schedule explorer in this place.
mod sync {
    pub(super) use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
}

/// What a storage call returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place to keep objects. The module documentation is the contract that every implementation is
/// held to by the `larder-conformance` battery.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// Facts about this store, for the battery and for people; the service never branches on them.
    fn promises(&self) -> Promises;

    /// Reads a value. `None` when there is no such key.
    async fn get(&self, key: &Key) -> Result<Option<Object>>;

    /// Reads size and version of a value without the value. `None` when there is no such key.
    async fn stat(&self, key: &Key) -> Result<Option<Stat>>;

    /// Carries out a batch (sentences 3, 4 and 5 of the contract). An empty batch succeeds.
    async fn apply(&self, batch: Batch) -> Result<()>;

    /// Lists one page of a folder (sentence 6). A folder without keys is an empty page.
    async fn list(&self, query: List) -> Result<Page>;

    /// The namespaces that hold at least one key, in byte order: the first segments of all keys.
    /// Upstream: keys of the root namespace make `data` and `refs` appear here.
    async fn namespaces(&self) -> Result<Vec<Namespace>>;
}

/// Facts about a store. A false promise fails the battery, whichever way it is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promises {
    /// A batch that fails leaves nothing behind.
    pub atomic_batches: bool,
    /// What was acknowledged is there when the store is opened again.
    pub survives_restart: bool,
    /// Several processes may use the store at once, and expectations hold between them.
    pub shared_between_processes: bool,
}

/// A value and the version it was read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The value, entire.
    pub bytes: Body,
    /// What to expect (see [`Expect::At`]) when replacing exactly this value.
    pub version: Version,
}

/// What is known of a value without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Length of the value in bytes.
    pub size: Size,
    /// As in [`Object::version`].
    pub version: Version,
}

/// What must be true of a key for a change to it to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// There is no such key.
    Absent,
    /// The key holds the value that was read at this version.
    At(Version),
}

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Creates or replaces a value.
    Put {
        /// Where.
        key: Key,
        /// The whole value.
        bytes: Body,
        /// On which condition.
        expect: Expect,
    },
    /// Removes a value; succeeds when there is none (unless `expect` says otherwise).
    Delete {
        /// Where.
        key: Key,
        /// On which condition.
        expect: Expect,
    },
}

impl Change {
    /// The key this change is about.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// The condition of this change.
    #[must_use]
    pub fn expect(&self) -> &Expect {
        match self {
            Self::Put { expect, .. } | Self::Delete { expect, .. } => expect,
        }
    }
}

/// The writes of one operation: steps that become visible in order, all in one namespace.
///
/// ```
/// # use larder::{key::{Namespace, RelPath}, storage::{Batch, Expect}};
/// # let team = Namespace::clean("team").unwrap();
/// # let key = |path| team.key(RelPath::parse(path).unwrap()).unwrap();
/// let mut batch = Batch::new(&team);
/// batch.put(key("content"), "value");
/// batch.then();
/// batch.put_if(key("reference"), "content", Expect::Absent);
/// assert_eq!(batch.steps().len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    namespace: Namespace,
    steps: Vec<Vec<Change>>,
    /// The keys of the current step, once it is large.
    taken: HashSet<Key>,
}

/// Steps of so many changes are looked through for a key; larger ones get an index.
const SMALL_STEP: usize = 32;

impl Batch {
    /// A batch without changes.
    #[must_use]
    pub fn new(namespace: &Namespace) -> Self {
        // An entry is stored in three steps.
        let mut steps = Vec::with_capacity(3);
        steps.push(Vec::new());
        Self { namespace: namespace.clone(), steps, taken: HashSet::new() }
    }

    /// Creates or replaces a value in the current step.
    pub fn put(&mut self, key: Key, bytes: impl Into<Body>) {
        self.put_if(key, bytes, Expect::Any);
    }

    /// Creates or replaces a value in the current step, on a condition.
    ///
    /// # Panics
    /// When the key is not of this batch's namespace, or the step changes it already: both are bugs
    /// of the planner, and neither can be let through.
    pub fn put_if(&mut self, key: Key, bytes: impl Into<Body>, expect: Expect) {
        self.push(Change::Put { key, bytes: bytes.into(), expect });
    }

    /// Removes a value in the current step.
    pub fn delete(&mut self, key: Key) {
        self.delete_if(key, Expect::Any);
    }

    /// Removes a value in the current step, on a condition.
    ///
    /// # Panics
    /// As [`Batch::put_if`].
    pub fn delete_if(&mut self, key: Key, expect: Expect) {
        self.push(Change::Delete { key, expect });
    }

    /// Starts the next step. Does nothing while the current one is empty.
    pub fn then(&mut self) {
        if self.steps.last().is_some_and(|step| !step.is_empty()) {
            self.steps.push(Vec::new());
            self.taken.clear();
        }
    }

    /// The namespace all keys belong to.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The steps, in order; the last may be empty.
    #[must_use]
    pub fn steps(&self) -> &[Vec<Change>] {
        &self.steps
    }

    /// Takes the steps out, in order.
    #[must_use]
    pub fn into_steps(self) -> Vec<Vec<Change>> {
        self.steps
    }

    /// About how many bytes of memory the values to put take ([`Body::weight`]).
    #[must_use]
    pub fn weight(&self) -> u64 {
        let weights = self.steps.iter().flatten().map(|change| match change {
            Change::Put { bytes, .. } => bytes.weight() as u64,
            Change::Delete { .. } => 0,
        });
        weights.sum()
    }

    /// Renders every value that is still a document, so that it costs nothing when it is used.
    pub fn render(&self) {
        for change in self.steps.iter().flatten() {
            if let Change::Put { bytes, .. } = change {
                let _ = bytes.bytes();
            }
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(Vec::is_empty)
    }

    fn push(&mut self, change: Change) {
        assert!(
            change.key().namespace_str() == self.namespace.as_str(),
            "planner bug: a batch of {:?} names {:?}",
            self.namespace,
            change.key()
        );
        if self.steps.is_empty() {
            self.steps.push(Vec::new());
        }
        if let Some(step) = self.steps.last_mut() {
            let key = change.key();
            let is_new = if step.len() < SMALL_STEP {
                step.iter().all(|other| other.key() != key)
            } else {
                if self.taken.is_empty() {
                    self.taken.extend(step.iter().map(|other| other.key().clone()));
                }
                self.taken.insert(key.clone())
            };
            assert!(is_new, "planner bug: one step changes {key:?} twice");
            step.push(change);
        }
    }
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The folder.
    pub prefix: Prefix,
    /// How deep.
    pub depth: Depth,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// The most entries and folders together that the page may hold.
    pub limit: NonZeroUsize,
}

/// How deep a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The keys directly in the folder, and the folders directly below it.
    Children,
    /// All keys below the folder.
    All,
}

/// Where a page ended: everything up to and including this place has been listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// After this key. It need not exist.
    Key(Key),
    /// After all keys in this folder.
    Folder(Prefix),
}

impl Cursor {
    /// Whether a key lies behind this cursor, and is not to be listed again.
    #[must_use]
    pub fn passed(&self, key: &Key) -> bool {
        match self {
            Self::Key(last) => key <= last,
            Self::Folder(last) => {
                key.as_str() < last.as_str() || key.as_str().starts_with(last.as_str())
            }
        }
    }
}

/// One page of a listing. Entries and folders are each in byte order, and every one of them lies
/// before everything of the next page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The keys found.
    pub entries: Vec<Entry>,
    /// The folders found ([`Depth::Children`] only).
    pub folders: Vec<Prefix>,
    /// Where to go on; `None` when this was the last page.
    pub next: Option<Cursor>,
}

/// A key found by a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Length of its value in bytes, at some moment during the listing.
    pub size: u64,
}

/// Trouble, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An expectation did not hold: read again, plan again.
    #[error("someone else changed {key} first")]
    Conflict {
        /// The key whose expectation failed.
        key: Key,
    },
    /// The store has no room for the write; nothing of it was kept. Making room helps.
    #[error("{backend} store {}", no_room(.needed))]
    Full {
        /// Which kind of store.
        backend: &'static str,
        /// How many bytes are missing, as far as the store can tell; `u64::MAX` when the write is
        /// larger than the store may ever be, so that making room is no use.
        needed: u64,
    },
    /// The store cannot answer now; trying again later may help.
    #[error("{backend} store is unavailable")]
    Unavailable {
        /// Which kind of store.
        backend: &'static str,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// What lies in the store is not what this program wrote.
    #[error("{backend} store is damaged at {at}")]
    Corrupt {
        /// Which kind of store.
        backend: &'static str,
        /// Where.
        at: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Anything else.
    #[error("{backend} store failed")]
    Other {
        /// Which kind of store.
        backend: &'static str,
        /// The cause.
        #[source]
        source: BoxError,
    },
}

/// Why there is no room.
fn no_room(needed: &u64) -> String {
    match *needed {
        u64::MAX => "may never be as large as this write".to_owned(),
        needed => format!("is full ({needed} more bytes needed)"),
    }
}

/// A cause, of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Conveniences over any [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// Lists a whole folder, page by page. For folders whose size is bounded, or whose whole content
    /// is the answer.
    async fn list_all(&self, prefix: &Prefix, depth: Depth) -> Result<(Vec<Entry>, Vec<Prefix>)> {
        let (mut entries, mut folders) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let query = List { prefix: prefix.clone(), depth, after, limit: PAGE };
            let mut page = self.list(query).await?;
            entries.append(&mut page.entries);
            folders.append(&mut page.folders);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((entries, folders)),
            }
        }
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}

/// Entries a page when the caller wants all of them: what S3 gives at most.
const PAGE: NonZeroUsize = NonZeroUsize::new(1000).expect("1000 is not zero");

#[cfg(test)]
mod tests;
