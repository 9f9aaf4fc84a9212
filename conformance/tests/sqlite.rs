//! The store in a SQLite database, in a file and in memory, held to the contract.
//!
//! Without waiting for the disk: whether a commit is synced cannot be seen by killing a process, and
//! the battery writes thousands of values.

use std::path::Path;

use larder::storage::Durability;
use larder::storage::sqlite::Sqlite;
use larder_conformance::{InProcess, Opened, Subject, blocking, blocking_shared};

struct InFile;

impl Subject for InFile {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(blocking(Sqlite::open(home.join("cache.sqlite"), Durability::Relaxed)?))
    }
}

/// One store per home for as long as somebody holds it.
struct InMemory(InProcess<Sqlite>);

impl Subject for InMemory {
    fn name(&self) -> &'static str {
        "sqlite-in-memory"
    }

    async fn open(&self, home: &Path) -> Opened {
        let make = || Sqlite::in_memory().expect("memory for a database");
        Ok(blocking_shared(self.0.open(home, make)))
    }
}

larder_conformance::main!(InFile, InMemory(InProcess::new()));
