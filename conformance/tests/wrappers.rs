//! Wrappers around the memory store, held to the contract, with faults planted below them.

use std::path::Path;
use std::sync::Arc;

use larder::storage::memory::Memory;
use larder_conformance::faulty::Faulty;
use larder_conformance::wrappers::{Counted, ReadOnly, Retried, Split};
use larder_conformance::{InProcess, Opened, Storage, Subject};

/// Puts a wrapper around a store.
type Wrap = fn(Arc<dyn Storage>) -> Arc<dyn Storage>;

struct Wrapped {
    name: &'static str,
    homes: InProcess<Memory>,
    wrap: Wrap,
}

impl Wrapped {
    fn new(name: &'static str, wrap: Wrap) -> Self {
        Self { name, homes: InProcess::new(), wrap }
    }
}

impl Subject for Wrapped {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok((self.wrap)(self.homes.open(home, Memory::new)))
    }

    fn bounded(&self, _home: &Path, bytes: u64) -> Option<Opened> {
        Some(Ok((self.wrap)(Arc::new(Memory::bounded(bytes)))))
    }

    fn over(&self, inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>> {
        Some((self.wrap)(inner))
    }
}

larder_conformance::main!(
    Wrapped::new("faults-off", |store| Arc::new(Faulty::over(store))),
    Wrapped::new("counted", |store| Arc::new(Counted::over(store))),
    Wrapped::new("retried", |store| Arc::new(Retried::over(store, 4))),
    Wrapped::new("read-only", |store| Arc::new(Split {
        writer: Arc::clone(&store),
        reader: Arc::new(ReadOnly::over(store)),
    })),
);
