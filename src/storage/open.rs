//! From settings to a store: the one match over backends.

use std::sync::Arc;

use super::blocking::Blocking;
use super::disk::{Disk, Durability};
use super::memory::Memory;
#[cfg(feature = "s3")]
use super::s3;
use super::{Error, Storage};
#[cfg(feature = "s3")]
use crate::config::S3Encryption;
use crate::config::{Aws, StorageConfig};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The mode is known, its store is not there yet.
    #[error(
        "CACHE__SERVICE__STORAGE_MODE={mode}: this version has no {mode} store yet; \
         it has: memory, local_disk, s3"
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

/// Opens the store that the settings name, and checks that it can be used. `aws` is looked at for S3
/// alone.
#[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "the way to buckets"))]
pub async fn open(config: &StorageConfig, aws: &Aws) -> Result<Arc<dyn Storage>, OpenError> {
    match config {
        StorageConfig::Memory { max_bytes: None } => Ok(Arc::new(Memory::new())),
        StorageConfig::Memory { max_bytes: Some(bytes) } => Ok(Arc::new(Memory::bounded(*bytes))),
        StorageConfig::LocalDisk { root } => match Disk::open(root, Durability::Full) {
            Ok(disk) => Ok(Arc::new(Blocking::new(disk))),
            Err(source) => Err(OpenError::Unusable { mode: config.mode(), source }),
        },
        #[cfg(feature = "s3")]
        StorageConfig::S3 { bucket } => match s3::S3::open(&s3_settings(bucket, aws)).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(source) => Err(OpenError::Unusable { mode: config.mode(), source }),
        },
        #[cfg(not(feature = "s3"))]
        StorageConfig::S3 { .. } => Err(OpenError::NotYet { mode: config.mode() }),
        StorageConfig::Sqlite { .. } | StorageConfig::Zip { .. } => {
            Err(OpenError::NotYet { mode: config.mode() })
        }
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
