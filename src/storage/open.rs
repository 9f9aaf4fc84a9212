//! From settings to a store: the one match over backends.

use std::sync::Arc;

use super::Storage;
use super::memory::Memory;
use crate::config::StorageConfig;

/// A mode that this build has no store for.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The mode is known, its store is not there yet.
    #[error(
        "CACHE__SERVICE__STORAGE_MODE={mode}: this version has no {mode} store yet; \
         it has: memory"
    )]
    NotYet {
        /// The mode.
        mode: &'static str,
    },
}

/// Opens the store that the settings name, and checks that it can be used.
pub fn open(config: &StorageConfig) -> Result<Arc<dyn Storage>, OpenError> {
    match config {
        StorageConfig::Memory { max_bytes: None } => Ok(Arc::new(Memory::new())),
        StorageConfig::Memory { max_bytes: Some(bytes) } => Ok(Arc::new(Memory::bounded(*bytes))),
        StorageConfig::LocalDisk { .. }
        | StorageConfig::Sqlite { .. }
        | StorageConfig::Zip { .. }
        | StorageConfig::S3 { .. } => Err(OpenError::NotYet { mode: config.mode() }),
    }
}
