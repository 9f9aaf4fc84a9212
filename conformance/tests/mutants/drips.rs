//! A store without a bug whose writes take their time between steps, and go on when nobody waits for
//! them any more: what stores on disks and behind networks do.

use std::path::Path;
use std::time::Duration;

use larder::key::{Key, Namespace};
use larder::storage::memory::Memory;
use larder::storage::{Batch, Change, Error, List, Object, Page, Promises, Result, Stat};
use larder_conformance::{InProcess, Opened, Storage, Subject};
use std::sync::Arc;

pub(crate) struct Drips(InProcess<Memory>);

impl Drips {
    pub(crate) const NAME: &str = "no bug, step by step";

    pub(crate) fn new() -> Self {
        Self(InProcess::new())
    }
}

impl Subject for Drips {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(Arc::new(Dripping(self.0.open(home, Memory::new))))
    }
}

#[derive(Debug)]
struct Dripping(Arc<Memory>);

async fn step_by_step(memory: Arc<Memory>, batch: Batch) -> Result<()> {
    for step in batch.steps() {
        let mut one = Batch::new(batch.namespace());
        for change in step.clone() {
            match change {
                Change::Put { key, bytes, expect } => one.put_if(key, bytes, expect),
                Change::Delete { key, expect } => one.delete_if(key, expect),
            }
        }
        memory.apply(one).await?;
        if batch.steps().len() > 1 {
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl Storage for Dripping {
    fn promises(&self) -> Promises {
        Promises { atomic_batches: false, ..self.0.promises() }
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.0.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.0.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        tokio::spawn(step_by_step(Arc::clone(&self.0), batch))
            .await
            .unwrap_or_else(|lost| Err(Error::Other { backend: "drips", source: lost.into() }))
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.0.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.0.namespaces().await
    }
}
