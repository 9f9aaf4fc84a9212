//! What the tests say often.

use std::path::{Path, PathBuf};

use larder::storage::Durability;
use larder::storage::disk::Disk;
use tempfile::TempDir;

pub(crate) use crate::stores::*;

/// A folder for a store, and a store in it that does not wait for the disk.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) disk: Disk,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        Self { dir, disk }
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn put(&self, name: &str, value: &str) {
        put(&self.disk, name, value).unwrap();
    }

    pub(crate) fn delete(&self, name: &str) {
        delete(&self.disk, name).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(&self.disk, name).unwrap()
    }

    /// All keys of the namespace `team`.
    pub(crate) fn keys(&self) -> Vec<String> {
        keys(&self.disk, "team")
    }
}

pub(crate) fn open(path: &Path) -> Disk {
    Disk::open(path, Durability::Relaxed).unwrap()
}
