//! From settings to a store: the one match over backends.

use std::sync::Arc;

use super::blocking::{Blocking, BlockingStorage};
use super::disk::Disk;
use super::memory::Memory;
use super::sqlite::Sqlite;
use super::zip::Zip;
use super::{Durability, Error, Storage};
use crate::config::{self, SqlitePath, StorageConfig, StorePlace};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The mode is known, its store is not there yet.
    #[error(
        "CACHE__SERVICE__STORAGE_MODE={mode}: this version has no {mode} store yet; \
         it has: memory, local_disk, sqlite, zip"
    )]
    NotYet {
        /// The mode.
        mode: &'static str,
    },
    /// The store is there and cannot be used.
    #[error("CACHE__SERVICE__STORAGE_MODE={mode}")]
    Unusable {
        /// The mode.
        mode: &'static str,
        /// Why.
        #[source]
        source: Error,
    },
}

/// Opens the store that the settings name, and checks that it can be used.
pub fn open(config: &StorageConfig) -> Result<Arc<dyn Storage>, OpenError> {
    let opened = match config {
        StorageConfig::Memory { max_bytes: None } => Ok(Arc::new(Memory::new()) as _),
        StorageConfig::Memory { max_bytes: Some(bytes) } => {
            Ok(Arc::new(Memory::bounded(*bytes)) as _)
        }
        StorageConfig::LocalDisk { root, durability } => {
            Disk::open(root, wait(*durability)).map(blocking)
        }
        StorageConfig::Sqlite { path: SqlitePath::InMemory, .. } => {
            Sqlite::in_memory().map(blocking)
        }
        StorageConfig::Sqlite { path: SqlitePath::File(path), durability } => {
            Sqlite::open(path, wait(*durability)).map(blocking)
        }
        StorageConfig::Zip { path, durability } => Zip::open(path, wait(*durability)).map(blocking),
        StorageConfig::S3 { .. } => {
            return Err(OpenError::NotYet { mode: config.mode() });
        }
    };
    opened.map_err(|source| OpenError::Unusable { mode: config.mode(), source })
}

/// Opens the store of an address.
pub async fn open_place(place: &StorePlace) -> Result<Arc<dyn Storage>, OpenError> {
    open(&place.storage)
}

fn blocking(store: impl BlockingStorage) -> Arc<dyn Storage> {
    Arc::new(Blocking::new(store))
}

fn wait(durability: config::Durability) -> Durability {
    match durability {
        config::Durability::Full => Durability::Full,
        config::Durability::Relaxed => Durability::Relaxed,
    }
}
