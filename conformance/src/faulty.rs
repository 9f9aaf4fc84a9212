//! A store that fails on demand: call n fails, happens without saying so, stops half way or stalls.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use larder::key::{Key, Namespace};
use larder::storage::{Batch, Change, Error, List, Object, Page, Promises, Result, Stat, Storage};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing happened.
    Before,
    /// It happens, but is reported as failed: the reply was lost.
    After,
    /// Of a batch, the first so many steps happen, then it fails (on stores without atomic batches).
    Cut(usize),
    /// It never returns.
    Stall,
    /// The process ends at once, before the call.
    ExitBefore,
    /// The process ends at once, after the call and before its reply.
    ExitAfter,
}

/// A store around another one, whose calls are numbered from 0 and fail as planned.
pub struct Faulty {
    inner: Arc<dyn Storage>,
    calls: AtomicU64,
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    /// From which call on, how many, and what happens to them.
    faults: Vec<(u64, u64, Fault)>,
    /// Count and fail only writes.
    writes_only: bool,
}

impl Faulty {
    /// Without faults: everything is handed on.
    #[must_use]
    pub fn over(inner: Arc<dyn Storage>) -> Self {
        Self { inner, calls: AtomicU64::new(0), plan: Mutex::default() }
    }

    /// Plans a fault for call `n` alone.
    #[must_use]
    pub fn at(self, n: u64, fault: Fault) -> Self {
        self.during(n, 1, fault)
    }

    /// Plans a fault for `count` calls from `n` on.
    #[must_use]
    pub fn during(self, n: u64, count: u64, fault: Fault) -> Self {
        self.plan().faults.push((n, count, fault));
        self
    }

    /// Counts and fails only writes.
    #[must_use]
    pub fn writes_only(self) -> Self {
        self.plan().writes_only = true;
        self
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, write: bool) -> Option<Fault> {
        let plan = self.plan();
        if plan.writes_only && !write {
            return None;
        }
        let n = self.calls.fetch_add(1, Ordering::Relaxed);
        let planned = plan.faults.iter().find(|(from, count, _)| n >= *from && n - from < *count);
        planned.map(|(_, _, fault)| *fault)
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.next(false) {
            None => call.await,
            Some(Fault::Before | Fault::Cut(_)) => Err(planned()),
            Some(Fault::After) => {
                let _ = call.await;
                Err(planned())
            }
            Some(Fault::Stall) => std::future::pending().await,
            Some(Fault::ExitBefore) => exit(),
            Some(Fault::ExitAfter) => {
                let _ = call.await;
                exit()
            }
        }
    }
}

fn planned() -> Error {
    Error::Unavailable { backend: "faulty", source: "a planned fault".into() }
}

/// Ends the process without any clean-up, as a kill would.
fn exit() -> ! {
    std::process::abort()
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({:?})", self.inner)
    }
}

#[async_trait]
impl Storage for Faulty {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.call(self.inner.get(key)).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.call(self.inner.stat(key)).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        match self.next(true) {
            None => self.inner.apply(batch).await,
            Some(Fault::Before) => Err(planned()),
            Some(Fault::After) => {
                // What the store itself refuses stays refused.
                self.inner.apply(batch).await?;
                Err(planned())
            }
            Some(Fault::Cut(steps)) => {
                let mut part = Batch::new(batch.namespace());
                for step in batch.into_steps().into_iter().take(steps) {
                    part.then();
                    for change in step {
                        match change {
                            Change::Put { key, bytes, expect } => part.put_if(key, bytes, expect),
                            Change::Delete { key, expect } => part.delete_if(key, expect),
                        }
                    }
                }
                self.inner.apply(part).await?;
                Err(planned())
            }
            Some(Fault::Stall) => std::future::pending().await,
            Some(Fault::ExitBefore) => exit(),
            Some(Fault::ExitAfter) => {
                let _ = self.inner.apply(batch).await;
                exit()
            }
        }
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.call(self.inner.list(query)).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.call(self.inner.namespaces()).await
    }
}
