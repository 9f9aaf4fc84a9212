//! Stores that block: the synchronous twin of [`Storage`](super::Storage), and the one place that hops threads.
//!
//! Files, SQLite and archives answer by blocking the calling thread. Such a store implements
//! [`BlockingStorage`], which has the same methods and is held to the same contract, and knows
//! nothing of async. `Blocking` (with the feature `blocking`) makes a [`Storage`](super::Storage) of it: one hop to
//! tokio's pool of blocking threads per call, however many objects the call is about, since the hop
//! costs 10-15 µs and the calls behind it often less.
//!
//! ```
//! # #[cfg(feature = "blocking")] {
//! use larder::storage::{Storage, blocking::{Blocking, BlockingStorage}};
//! fn serve(store: impl BlockingStorage) -> std::sync::Arc<dyn Storage> {
//!     std::sync::Arc::new(Blocking::new(store))
//! }
//! # }
//! ```

use std::fmt;
#[cfg(feature = "blocking")]
use std::sync::Arc;

use super::{Batch, List, Object, Page, Promises, Result, Stat};
use crate::key::{Key, Namespace};

/// [`Storage`](super::Storage) for stores that block the calling thread. Every method means what the
/// method of the same name means there, and the [contract](super#the-contract) is the same.
pub trait BlockingStorage: fmt::Debug + Send + Sync + 'static {
    /// See [`Storage::promises`](super::Storage::promises). Must not block.
    fn promises(&self) -> Promises;

    /// See [`Storage::get`](super::Storage::get).
    fn get(&self, key: &Key) -> Result<Option<Object>>;

    /// See [`Storage::stat`](super::Storage::stat).
    fn stat(&self, key: &Key) -> Result<Option<Stat>>;

    /// See [`Storage::apply`](super::Storage::apply).
    fn apply(&self, batch: Batch) -> Result<()>;

    /// See [`Storage::list`](super::Storage::list).
    fn list(&self, query: List) -> Result<Page>;

    /// See [`Storage::namespaces`](super::Storage::namespaces).
    fn namespaces(&self) -> Result<Vec<Namespace>>;
}

/// A blocking store as an async one. Needs a tokio runtime around its calls.
///
/// A call that is dropped still runs to its end on its thread (sentence 9 of the contract). A panic
/// of the store becomes [`Error::Other`](super::Error::Other) for that call alone.
#[cfg(feature = "blocking")]
#[derive(Debug)]
pub struct Blocking<S>(Arc<S>);

#[cfg(feature = "blocking")]
impl<S: BlockingStorage> Blocking<S> {
    /// Adapts a store.
    pub fn new(store: S) -> Self {
        Self(Arc::new(store))
    }

    /// Adapts a store that someone else holds as well.
    #[must_use]
    pub fn shared(store: Arc<S>) -> Self {
        Self(store)
    }

    /// The store inside.
    #[must_use]
    pub fn inner(&self) -> &Arc<S> {
        &self.0
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that hops threads")]
    async fn hop<T: Send + 'static>(
        &self,
        call: impl FnOnce(&S) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        use super::Error;
        let store = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || call(&store)).await {
            Ok(answer) => answer,
            Err(lost) if lost.is_panic() => {
                Err(Error::Other { backend: "blocking", source: lost.into() })
            }
            // The runtime is shutting down and took no more work.
            Err(lost) => Err(Error::Unavailable { backend: "blocking", source: lost.into() }),
        }
    }
}

#[cfg(feature = "blocking")]
#[async_trait::async_trait]
impl<S: BlockingStorage> super::Storage for Blocking<S> {
    fn promises(&self) -> Promises {
        self.0.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let key = key.clone();
        self.hop(move |store| store.get(&key)).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let key = key.clone();
        self.hop(move |store| store.stat(&key)).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        self.hop(move |store| {
            // Here rather than under the store's locks.
            batch.render();
            store.apply(batch)
        })
        .await
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.hop(move |store| store.list(query)).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.hop(BlockingStorage::namespaces).await
    }
}
