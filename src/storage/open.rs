//! From settings to a store: the one match over backends.

use std::sync::Arc;

use super::blocking::Blocking;
use super::disk::{Disk, Durability};
use super::memory::Memory;
use super::{Error, Storage};
use crate::config::StorageConfig;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The mode is known, its store is not there yet.
    #[error(
        "CACHE__SERVICE__STORAGE_MODE={mode}: this version has no {mode} store yet; \
         it has: memory, local_disk"
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
    match config {
        StorageConfig::Memory { max_bytes: None } => Ok(Arc::new(Memory::new())),
        StorageConfig::Memory { max_bytes: Some(bytes) } => Ok(Arc::new(Memory::bounded(*bytes))),
        StorageConfig::LocalDisk { root } => match Disk::open(root, Durability::Full) {
            Ok(disk) => Ok(Arc::new(Blocking::new(disk))),
            Err(source) => Err(OpenError::Unusable { mode: config.mode(), source }),
        },
        StorageConfig::Sqlite { .. } | StorageConfig::Zip { .. } | StorageConfig::S3 { .. } => {
            Err(OpenError::NotYet { mode: config.mode() })
        }
    }
}
