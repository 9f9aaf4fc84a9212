//! The service: one method per operation, each of them *read, plan, apply*.
//!
//! An operation reads what it needs, a pure function turns that into a [`Batch`] and a reply, and
//! one call of the store carries the batch out. Where a guard of the batch fails, someone else got
//! there first: read and plan again. Time and ids are arguments of every plan.
//!
//! The order inside a batch makes a crash harmless on stores without transactions: content and its
//! side files first, then the entry reference, then the hash reference, guarded; deletes in reverse.
//! So no reference ever points at nothing.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::key::Namespace;
use crate::storage::{self, Batch, Storage};

pub mod admin;
pub mod archive;
pub(crate) mod content;
pub mod data;
pub mod delete;
pub mod digest;
pub mod document;
mod error;
mod evict;
mod facts;
pub mod ident;
mod known;
pub mod layout;
pub mod pyjson;
pub mod redirect;
pub mod refs;
pub mod retrieve;
pub mod samples;
mod served;
pub mod short;
pub mod spaces;
pub mod store;
pub mod update;
pub mod versions;

pub use content::{Content, Prepared};
pub use error::{Error, Result};

use archive::ArchiveLimits;
use evict::Tenants;
use ident::CacheId;
use known::Known;
use redirect::Redirects;

/// How often an operation plans again when others get there first. Every round somebody succeeds, so
/// this bounds the number of writers of one content, not the time one of them waits.
const ATTEMPTS: usize = 256;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> u64;
}

/// Makes ids.
pub trait Ids: fmt::Debug + Send + Sync {
    /// An id that was never given before: a random UUID of version 4.
    fn next(&self) -> CacheId;
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for the time")]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Random ids.
#[derive(Debug)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
    fn next(&self) -> CacheId {
        uuid::Uuid::new_v4().into()
    }
}

/// What the service needs to know beside its store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most bytes a compressed body may grow to.
    pub max_inflated_bytes: usize,
    /// Whether entries give way to new ones when the store is full, the least recently used first.
    pub evict_when_full: bool,
    /// Whether content that this process has not met is stored without a look at its hash reference:
    /// one request less where each is a journey, and the work done twice where others have stored it.
    pub create_first: bool,
    /// What an archive may ask for.
    pub archive: ArchiveLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_inflated_bytes: 256 << 20,
            evict_when_full: false,
            create_first: false,
            archive: ArchiveLimits::default(),
        }
    }
}

/// The cache service over one store.
#[derive(Debug)]
pub struct Cache {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    settings: Settings,
    tenants: Option<Tenants>,
    known: Known,
    redirects: Option<Redirects>,
}

impl Cache {
    /// The service over a store, with the clock of the machine and random ids.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, settings: Settings) -> Self {
        Self::with(storage, settings, Arc::new(SystemClock), Arc::new(RandomIds))
    }

    /// The service over a store, with a clock and ids of the caller's, so that a run can be repeated.
    #[must_use]
    pub fn with(
        storage: Arc<dyn Storage>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let tenants = settings.evict_when_full.then(Tenants::default);
        Self { storage, clock, ids, settings, tenants, known: Known::default(), redirects: None }
    }

    /// The time of the service's clock, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// A new id of the service's making.
    #[must_use]
    pub fn next_id(&self) -> CacheId {
        self.ids.next()
    }

    /// What the service was set up with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks the store a cheap question, to know whether it answers.
    pub async fn check(&self) -> Result<()> {
        let key = layout::hash_reference(&Namespace::root(), "0000000000")?;
        self.storage.stat(&key).await?;
        Ok(())
    }

    /// Carries a batch out. `Ok(false)` means: plan again, someone else was first, or room had to be
    /// made in a full store.
    async fn apply(&self, batch: Batch) -> Result<bool> {
        match self.storage.apply(batch).await {
            Ok(()) => Ok(true),
            Err(storage::Error::Conflict { .. }) => Ok(false),
            Err(storage::Error::Full { backend, needed }) => {
                if self.make_room(needed).await? {
                    return Ok(false);
                }
                Err(storage::Error::Full { backend, needed }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
