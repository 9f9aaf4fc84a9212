//! The memory store, held to the contract.

use std::path::Path;
use std::sync::Arc;

use larder::storage::memory::Memory;
use larder_conformance::{InProcess, Opened, Subject};

/// One store per home for as long as somebody holds it.
struct InMemory(InProcess<Memory>);

impl Subject for InMemory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(self.0.open(home, Memory::new))
    }

    fn bounded(&self, _home: &Path, bytes: u64) -> Option<Opened> {
        Some(Ok(Arc::new(Memory::bounded(bytes))))
    }
}

larder_conformance::main!(InMemory(InProcess::new()));
