//! The store in a ZIP archive, held to the contract.
//!
//! Without waiting for the disk, as the one on disk; that full durability waits for it is seen in
//! `tests/zip`.

use std::fs;
use std::path::Path;

use larder::storage::Durability;
use larder::storage::zip::Zip;
use larder_conformance::{Damage, Opened, Subject, blocking};

struct InArchive;

impl Subject for InArchive {
    fn name(&self) -> &'static str {
        "zip"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(blocking(Zip::open(home.join("cache.zip"), Durability::Relaxed)?))
    }

    fn damage(&self) -> Option<Damage> {
        Some(|home, key| {
            // Inside of the packed data, which follows the name in the member's own header.
            let archive = home.join("cache.zip");
            let mut bytes = fs::read(&archive).expect("an archive");
            let name = key.as_str().as_bytes();
            let at = bytes.windows(name.len()).position(|part| part == name).expect("a member");
            bytes[at + name.len() + 4] ^= 0x5a;
            fs::write(&archive, bytes).expect("an archive");
        })
    }
}

larder_conformance::main!(InArchive);
