//! Small wrappers around a store: what authors of wrappers start from, and what shows that the
//! battery holds through layers.

mod apart;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder::key::{Key, Namespace};
use larder::storage::{Batch, Error, Expect, List, Object, Page, Promises, Result, Stat, Storage};

pub use apart::{Apart, LongNames};

/// Counts calls and failures.
#[derive(Debug)]
pub struct Counted {
    inner: Arc<dyn Storage>,
    calls: AtomicU64,
    failures: AtomicU64,
}

impl Counted {
    /// Around a store.
    #[must_use]
    pub fn over(inner: Arc<dyn Storage>) -> Self {
        Self { inner, calls: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }

    /// Calls so far, and how many of them failed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    fn note<T>(&self, answer: Result<T>) -> Result<T> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(answer.is_err()), Ordering::Relaxed);
        answer
    }
}

#[async_trait]
impl Storage for Counted {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.note(self.inner.get(key).await)
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.note(self.inner.stat(key).await)
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        self.note(self.inner.apply(batch).await)
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.note(self.inner.list(query).await)
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.note(self.inner.namespaces().await)
    }
}

/// Tries again when a store is unavailable. A write is repeated only if it has no expectation: one
/// that has might have happened already, and would then conflict with itself.
#[derive(Debug)]
pub struct Retried {
    inner: Arc<dyn Storage>,
    tries: u32,
}

impl Retried {
    /// Around a store, with so many tries in all.
    #[must_use]
    pub fn over(inner: Arc<dyn Storage>, tries: u32) -> Self {
        Self { inner, tries }
    }

    async fn retry<T, F: Future<Output = Result<T>> + Send>(
        &self,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<T> {
        for nth in 1..self.tries {
            match call().await {
                Err(Error::Unavailable { .. }) => {
                    tokio::time::sleep(Duration::from_micros(100 << nth.min(8))).await
                }
                answer => return answer,
            }
        }
        call().await
    }
}

#[async_trait]
impl Storage for Retried {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.retry(|| self.inner.get(key)).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.retry(|| self.inner.stat(key)).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        if batch.steps().iter().flatten().any(|change| *change.expect() != Expect::Any) {
            return self.inner.apply(batch).await;
        }
        self.retry(|| self.inner.apply(batch.clone())).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.retry(|| self.inner.list(query.clone())).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.retry(|| self.inner.namespaces()).await
    }
}

/// Reads, and refuses to write.
#[derive(Debug)]
pub struct ReadOnly(Arc<dyn Storage>);

impl ReadOnly {
    /// Around a store.
    #[must_use]
    pub fn over(inner: Arc<dyn Storage>) -> Self {
        Self(inner)
    }
}

#[async_trait]
impl Storage for ReadOnly {
    fn promises(&self) -> Promises {
        self.0.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.0.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.0.stat(key).await
    }

    async fn apply(&self, _batch: Batch) -> Result<()> {
        Err(Error::Other { backend: "read-only", source: "this store is not written to".into() })
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.0.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.0.namespaces().await
    }
}

/// Writes go to one handle and reads to another on the same store: how a wrapper that only reads is
/// held to everything that can be asked of it.
#[derive(Debug)]
pub struct Split {
    /// Where writes go.
    pub writer: Arc<dyn Storage>,
    /// Where reads go.
    pub reader: Arc<dyn Storage>,
}

#[async_trait]
impl Storage for Split {
    fn promises(&self) -> Promises {
        self.reader.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.reader.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.reader.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        self.writer.apply(batch).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.reader.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.reader.namespaces().await
    }
}
