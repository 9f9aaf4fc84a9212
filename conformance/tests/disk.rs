//! The store on a local disk, held to the contract.
//!
//! Without waiting for the disk: what is synced, and in which order, cannot be seen by killing a
//! process, and the battery writes thousands of values.

use std::path::Path;

use larder::storage::Durability;
use larder::storage::disk::Disk;
use larder_conformance::{Opened, Subject, blocking};

struct OnDisk;

impl Subject for OnDisk {
    fn name(&self) -> &'static str {
        "disk"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(blocking(Disk::open(home, Durability::Relaxed)?))
    }
}

larder_conformance::main!(OnDisk);
