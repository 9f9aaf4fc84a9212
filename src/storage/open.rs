//! From settings to a store: the one match over backends.

use std::sync::Arc;

use super::blocking::{Blocking, BlockingStorage};
use super::disk::Disk;
use super::lifecycle::Lifecycle;
use super::memory::Memory;
use super::presign::Presign;
#[cfg(feature = "s3")]
use super::s3;
use super::sqlite::Sqlite;
use super::zip::Zip;
use super::{Durability, Error, Storage};
#[cfg(feature = "s3")]
use crate::config::S3Encryption;
use crate::config::{self, Aws, SqlitePath, StorageConfig, StorePlace};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The mode is known, and its store was left out of this build.
    #[error(
        "CACHE__SERVICE__STORAGE_MODE={mode}: this build has no {mode} store; \
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

/// A store, and what it can do beside.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The store.
    pub storage: Arc<dyn Storage>,
    /// Signed addresses of its values, where it can make them.
    pub presign: Option<Arc<dyn Presign>>,
    /// Rules of its server that remove what is old, where it has such.
    pub lifecycle: Option<Arc<dyn Lifecycle>>,
}

impl<S: Storage> From<S> for Opened {
    fn from(store: S) -> Self {
        Self { storage: Arc::new(store), presign: None, lifecycle: None }
    }
}

/// Opens the store that the settings name, and checks that it can be used. `aws` is looked at for S3
/// alone.
#[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "the way to buckets"))]
pub async fn open(config: &StorageConfig, aws: &Aws) -> Result<Opened, OpenError> {
    let opened = match config {
        StorageConfig::Memory { max_bytes: None } => Ok(Memory::new().into()),
        StorageConfig::Memory { max_bytes: Some(bytes) } => Ok(Memory::bounded(*bytes).into()),
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
        #[cfg(feature = "s3")]
        StorageConfig::S3 { bucket } => {
            s3::S3::open(&s3_settings(bucket, aws)).await.map(|store| Opened {
                storage: Arc::new(store.clone()),
                presign: Some(Arc::new(store.clone())),
                lifecycle: Some(Arc::new(store)),
            })
        }
        #[cfg(not(feature = "s3"))]
        StorageConfig::S3 { .. } => {
            return Err(OpenError::NotYet { mode: config.mode() });
        }
    };
    opened.map_err(|source| OpenError::Unusable { mode: config.mode(), source })
}

/// Opens the store of an address.
pub async fn open_place(place: &StorePlace) -> Result<Arc<dyn Storage>, OpenError> {
    Ok(open(&place.storage, &place.aws).await?.storage)
}

fn blocking(store: impl BlockingStorage) -> Opened {
    Blocking::new(store).into()
}

fn wait(durability: config::Durability) -> Durability {
    match durability {
        config::Durability::Full => Durability::Full,
        config::Durability::Relaxed => Durability::Relaxed,
    }
}

#[cfg(feature = "s3")]
fn s3_settings(bucket: &str, aws: &Aws) -> s3::Settings {
    let options = &aws.bucket;
    s3::Settings {
        key_prefix: options.key_prefix.clone(),
        region: aws.region.clone(),
        endpoint_url: aws.endpoint_url.clone(),
        profile: aws.profile.clone(),
        credentials: aws.credentials.as_ref().map(|key| {
            let token = key.session_token.as_ref().map(|token| token.expose().to_owned());
            let secret = key.secret_access_key.expose();
            s3::Credentials::new(&key.access_key_id, secret, token, None, "settings")
        }),
        path_style: options.path_style,
        create_bucket: options.create,
        encryption: options.encryption.map(|kind| match kind {
            S3Encryption::Aes256 => s3::Encryption::Aes256,
            S3Encryption::Kms => s3::Encryption::Kms { key_id: options.kms_key_id.clone() },
        }),
        attempt_timeout: options.attempt_timeout,
        call_deadline: options.call_deadline,
        ..s3::Settings::new(bucket)
    }
}
