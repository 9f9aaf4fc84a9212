//! A stranger's durable store that only implements the blocking twin, held to the contract.

#[path = "journal_store/mod.rs"]
mod journal_store;

use std::path::Path;

use journal_store::{Flaw, Journal};
use larder_conformance::{Damage, Limits, Opened, Subject, blocking};

struct Appended;

impl Subject for Appended {
    fn name(&self) -> &'static str {
        "journal"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(blocking(Journal::open(home, Flaw::None)?))
    }

    fn limits(&self) -> Limits {
        Limits { slow: true, ..Limits::default() }
    }

    fn damage(&self) -> Option<Damage> {
        Some(journal_store::damage)
    }
}

larder_conformance::main!(Appended);
