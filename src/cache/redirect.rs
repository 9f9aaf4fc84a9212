//! Sending readers of large contents to the store itself.

use std::sync::Arc;
use std::time::Duration;

use super::ident::FileType;
use super::retrieve::Lookup;
use super::{Cache, Result};
use crate::key::Namespace;
use crate::storage::presign::Presign;

/// On which terms readers are sent to the store.
#[derive(Debug, Clone)]
pub struct Redirects {
    /// Signs addresses.
    pub presign: Arc<dyn Presign>,
    /// The smallest content for which it is worth it, in bytes.
    pub least_bytes: u64,
    /// How long an address is good for.
    pub valid: Duration,
}

impl Cache {
    /// Sends readers that ask for it to the store, on these terms.
    #[must_use]
    pub fn with_redirects(self, redirects: Option<Redirects>) -> Self {
        Self { redirects, ..self }
    }

    /// A signed address from which the bytes of an entry's content can be read. `None` when they
    /// should be read here: the store signs nothing, the content is not there or not large, or it is
    /// kept compressed and would arrive so.
    pub async fn address(
        &self,
        namespace: &Namespace,
        lookup: Lookup<'_>,
    ) -> Result<Option<String>> {
        let Some(redirects) = &self.redirects else { return Ok(None) };
        let Some(entry) = self.find(namespace, lookup).await? else { return Ok(None) };
        let is_binary = entry.file_type() == FileType::Binary;
        let Some(key) = entry.content_key(namespace).filter(|_| is_binary) else {
            return Ok(None);
        };
        let large = |size| size >= redirects.least_bytes;
        if !self.storage.stat(&key).await?.is_some_and(|stat| large(stat.size.bytes())) {
            return Ok(None);
        }
        let metadata = self.metadata_of(namespace, &entry).await?;
        if metadata.is_some_and(|stored| stored.content_encoding.is_some()) {
            return Ok(None);
        }
        let address =
            redirects.presign.presign(&key, "application/octet-stream", redirects.valid).await?;
        Ok(Some(address))
    }
}
