//! Making room in a full store: which entries go.
//!
//! Least recently used first, by the `lru` crate. A store bounded by a cache's users is read far
//! more often than it is full, so an order that is exact and cheap to keep beats one that guesses
//! better; and an exact order can be tested.
//!
//! The unit that goes is a place: a content file with every entry that reads it, since entries that
//! were stored under one key and file id share their files, and an entry without content would be a
//! reference that points at nothing. It goes by the ordinary delete, so hash references are kept
//! right and child data goes along.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::Cache;
use super::error::Result;
use super::ident::CacheId;
use super::refs::EntryRef;
use crate::key::{Key, Namespace};

/// The entries of a bounded store in order of use.
#[derive(Debug)]
pub(super) struct Tenants(Mutex<LruCache<Key, Vec<CacheId>>>);

impl Default for Tenants {
    fn default() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Tenants {
    /// Marks a place as used just now.
    pub(super) fn touch(&self, content: &Key) {
        self.places().promote(content);
    }

    fn places(&self) -> MutexGuard<'_, LruCache<Key, Vec<CacheId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Notes that an entry lives at a place.
    pub(super) fn remember(&self, content: &Key, id: &CacheId) {
        let Some(tenants) = &self.tenants else { return };
        let mut places = tenants.places();
        let ids = places.get_or_insert_mut(content.clone(), Vec::new);
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }

    /// Notes that an entry is gone.
    pub(super) fn forget(&self, namespace: &Namespace, reference: &EntryRef, id: &CacheId) {
        let Some(tenants) = &self.tenants else { return };
        let Some(content) = reference.content_key(namespace) else { return };
        let mut places = tenants.places();
        if let Some(ids) = places.peek_mut(&content) {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                places.pop(&content);
            }
        }
    }

    /// Deletes the entries of the place that was used longest ago. `false` when there is none left.
    /// One place a call: the caller tries again, and the store knows best whether that was enough.
    pub(super) async fn make_room(&self) -> Result<bool> {
        let Some(tenants) = &self.tenants else { return Ok(false) };
        let oldest = tenants.places().pop_lru();
        let Some((content, ids)) = oldest else { return Ok(false) };
        let namespace = content.namespace();
        for id in ids {
            self.delete(&namespace, &id).await?;
        }
        Ok(true)
    }
}
