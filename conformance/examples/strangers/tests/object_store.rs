//! `object_store`: in memory, and on a local file system.

use std::path::Path;

use larder_conformance::{Limits, Opened, Subject};
use larder_strangers::apache::Apache;
use larder_strangers::{Adapted, Apart, Cause, Homes, share};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

struct Memory(Homes<Apache<InMemory>>);

impl Subject for Memory {
    fn name(&self) -> &'static str {
        "object_store-memory"
    }

    async fn open(&self, home: &Path) -> Opened {
        let store = || Apache { store: InMemory::new(), durable: false, updates: true };
        Ok(share(self.0.open(home, || Adapted::new(store()))))
    }
}

fn local(data: &Path) -> Result<Apache<LocalFileSystem>, Cause> {
    let store = LocalFileSystem::new_with_prefix(data)?.with_automatic_cleanup(true);
    Ok(Apache { store, durable: true, updates: false })
}

struct Local(Homes<Apache<LocalFileSystem>>);

impl Subject for Local {
    fn name(&self) -> &'static str {
        "object_store-local"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(share(self.0.try_open(home, || Adapted::alone(home, local))?))
    }

    fn limits(&self) -> Limits {
        Limits { slow: true, ..Limits::default() }
    }
}

/// The same, with names that cannot collide.
struct LocalApart(Homes<Apart<Apache<LocalFileSystem>>>);

impl Subject for LocalApart {
    fn name(&self) -> &'static str {
        "object_store-local-apart"
    }

    async fn open(&self, home: &Path) -> Opened {
        let make = |data: &Path| Ok(Apart(local(data)?));
        Ok(share(self.0.try_open(home, || Adapted::alone(home, make))?))
    }

    fn limits(&self) -> Limits {
        Limits { slow: true, key_bytes: 1000, ..Limits::default() }
    }
}

larder_conformance::main!(Memory(Homes::new()), Local(Homes::new()), LocalApart(Homes::new()),);
