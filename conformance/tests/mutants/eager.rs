//! A store that does not wait to be polled.

use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use larder::key::{Key, Namespace};
use larder::storage::memory::Memory;
use larder::storage::{Batch, Error, List, Object, Page, Promises, Result, Stat};
use larder_conformance::{InProcess, Opened, Storage, Subject};

pub(crate) struct Eager(InProcess<Memory>);

impl Eager {
    pub(crate) const NAME: &str = "Eager";

    pub(crate) fn new() -> Self {
        Self(InProcess::new())
    }
}

impl Subject for Eager {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(Arc::new(AtOnce(self.0.open(home, Memory::new))))
    }
}

#[derive(Debug)]
struct AtOnce(Arc<Memory>);

#[async_trait::async_trait]
impl Storage for AtOnce {
    fn promises(&self) -> Promises {
        self.0.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.0.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.0.stat(key).await
    }

    // What `async fn` would make, but for the work that is done before there is a future.
    fn apply<'a, 'b>(
        &'a self,
        batch: Batch,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let polled = pin!(self.0.apply(batch)).poll(&mut Context::from_waker(Waker::noop()));
        let answer = match polled {
            Poll::Ready(answer) => answer,
            Poll::Pending => Err(Error::Other { backend: "eager", source: "it waits".into() }),
        };
        Box::pin(std::future::ready(answer))
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.0.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.0.namespaces().await
    }
}
