//! Entries of the service on any store.

use std::sync::Arc;

use larder::cache::ident::{CacheId, Strategy};
use larder::cache::store::NewEntry;
use larder::cache::{Cache, Prepared, Settings, pyjson};
use larder::key::Namespace;
use larder::storage::Storage;

use crate::work;

/// The service, with entries whose content is told by numbers.
pub(crate) struct Entries {
    pub(crate) cache: Cache,
    pub(crate) namespace: Namespace,
}

impl Entries {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        let namespace = Namespace::clean("bench").expect("a name");
        Self { cache: Cache::new(storage, Settings::default()), namespace }
    }

    /// Stores the entry of a number, anew each time.
    pub(crate) async fn store(&self, number: u64) -> CacheId {
        let body = work::body(number);
        let value = pyjson::parse(&body).expect("a JSON body");
        let entry = NewEntry {
            namespace: &self.namespace,
            strategy: Strategy::Direct,
            cache_key: "",
            file_id: None,
            cache_id: None,
            content: Prepared::json(&value, None, usize::MAX).expect("content"),
        };
        *self.cache.store(entry).await.expect("stored").cache_id()
    }
}
