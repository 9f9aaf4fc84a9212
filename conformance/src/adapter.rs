//! How blocking stores are driven: as the service does it, or in place where nothing is gained by that.
//!
//! The service's adapter runs each call on a thread of tokio's pool, and waking that thread and being
//! woken by it cost more than most calls of a store on tmpfs. A thread of the battery that does nothing
//! but wait for its answer makes the call itself. Calls that race others, are made by tasks, or are
//! dropped half way go through the service's adapter.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use larder::key::{Key, Namespace};
use larder::storage::blocking::{Blocking, BlockingStorage};
use larder::storage::{Batch, Error, List, Object, Page, Promises, Result, Stat, Storage};

use crate::bench::runtime;
use crate::execute::panic_message;

thread_local! {
    /// Whether this thread waits for one call, and for nothing else.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Waits for a call of a store, in a thread that does nothing else.
pub(crate) fn wait_for<T>(call: impl Future<Output = T>) -> T {
    /// Also when the call panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            WAITS.set(self.0);
        }
    }
    let _before = Before(WAITS.replace(true));
    runtime().block_on(call)
}

/// Makes a call the way the service makes it, though its caller only waits: where calls are to cross, the
/// change of threads is what makes them do so on a machine that is busy or has one core.
pub(crate) async fn as_the_service<T>(call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    poll_fn(|context| {
        let before = WAITS.replace(false);
        let polled = call.as_mut().poll(context);
        WAITS.set(before);
        polled
    })
    .await
}

/// A blocking store.
#[derive(Debug)]
pub(crate) struct Adapter<S>(pub(crate) Blocking<S>);

impl<S: BlockingStorage> Adapter<S> {
    /// What the store answers here and now.
    fn here<T>(&self, call: impl FnOnce(&S) -> Result<T>) -> Result<T> {
        // What the service's adapter makes of a panic.
        catch_unwind(AssertUnwindSafe(|| call(self.0.inner()))).unwrap_or_else(|panic| {
            let said = format!("panicked: {}", panic_message(&*panic));
            Err(Error::Other { backend: "blocking", source: said.into() })
        })
    }
}

#[async_trait::async_trait]
impl<S: BlockingStorage> Storage for Adapter<S> {
    fn promises(&self) -> Promises {
        self.0.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        if WAITS.get() {
            return self.here(|store| store.get(key));
        }
        self.0.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        if WAITS.get() {
            return self.here(|store| store.stat(key));
        }
        self.0.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        if WAITS.get() {
            batch.render();
            return self.here(|store| store.apply(batch));
        }
        self.0.apply(batch).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        if WAITS.get() {
            return self.here(|store| store.list(query));
        }
        self.0.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        if WAITS.get() {
            return self.here(BlockingStorage::namespaces);
        }
        self.0.namespaces().await
    }
}
