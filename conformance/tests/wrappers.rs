//! Wrappers around the memory store, held to the contract, with faults planted below them.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use larder::key::MAX_KEY_BYTES;
use larder::storage::memory::Memory;
use larder_conformance::faulty::Faulty;
use larder_conformance::wrappers::{Apart, Counted, LongNames, ReadOnly, Retried, Split};
use larder_conformance::{InProcess, Limits, Opened, Storage, Subject};

/// Puts a wrapper around a store.
type Wrap = fn(Arc<dyn Storage>) -> Arc<dyn Storage>;

struct Wrapped {
    name: &'static str,
    homes: InProcess<Memory>,
    wrap: Wrap,
    limits: Limits,
    /// Whether what is below has the same names.
    same_names: bool,
}

impl Wrapped {
    fn new(name: &'static str, wrap: Wrap) -> Self {
        Self { name, homes: InProcess::new(), wrap, limits: Limits::default(), same_names: true }
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

    fn limits(&self) -> Limits {
        self.limits
    }

    fn over(&self, inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>> {
        self.same_names.then(|| (self.wrap)(inner))
    }
}

/// What stands in front of the names below.
const TENANT: &str = "tenant";

/// One of several stores in one.
fn apart(store: Arc<dyn Storage>) -> Arc<dyn Storage> {
    static LONG: LazyLock<Arc<LongNames>> = LazyLock::new(Arc::default);
    Arc::new(Apart::new(store, TENANT, Arc::clone(&LONG)))
}

larder_conformance::main!(
    Wrapped {
        same_names: false,
        limits: Limits { key_bytes: MAX_KEY_BYTES - 2 * TENANT.len(), ..Limits::default() },
        ..Wrapped::new("apart", apart)
    },
    Wrapped::new("faults-off", |store| Arc::new(Faulty::over(store))),
    Wrapped::new("counted", |store| Arc::new(Counted::over(store))),
    Wrapped::new("retried", |store| Arc::new(Retried::over(store, 4))),
    Wrapped::new("read-only", |store| Arc::new(Split {
        writer: Arc::clone(&store),
        reader: Arc::new(ReadOnly::over(store)),
    })),
);
