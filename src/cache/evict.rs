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

use std::borrow::Borrow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::delete::{Listed, Shared};
use super::error::Result;
use super::facts::Facts;
use super::ident::CacheId;
use super::refs::EntryRef;
use super::{ATTEMPTS, Cache, layout};
use crate::key::{Key, Namespace};
use crate::storage::{self, Batch, Expect};

/// The places of a bounded store in order of use.
#[derive(Debug)]
pub(super) struct Tenants(Mutex<LruCache<Key, Place>>);

/// What is known of a place.
#[derive(Debug, Default)]
struct Place {
    entries: Vec<Tenant>,
    /// What storing there took, in bytes: about what evicting it gives.
    bytes: u64,
}

/// An entry, and the hash reference that lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tenant {
    id: CacheId,
    hash_key: Key,
}

impl Default for Tenants {
    fn default() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Tenants {
    fn places(&self) -> MutexGuard<'_, LruCache<Key, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Marks the place of an entry as used just now. `content` names its content.
    pub(super) fn touch<K: Borrow<Key>>(&self, content: impl FnOnce() -> Option<K>) {
        let Some(tenants) = &self.tenants else { return };
        if let Some(content) = content() {
            tenants.places().promote(content.borrow());
        }
    }

    /// Notes that an entry lives at a place, where so many bytes were stored for it.
    pub(super) fn remember(&self, facts: &Facts, bytes: u64) {
        let Some(tenants) = &self.tenants else { return };
        let tenant = Tenant { id: facts.id, hash_key: facts.hash_key.clone() };
        let mut places = tenants.places();
        let place = places.get_or_insert_mut(facts.copy.content.clone(), Place::default);
        place.bytes += bytes;
        if !place.entries.contains(&tenant) {
            place.entries.push(tenant);
        }
    }

    /// Notes that an entry is gone.
    pub(super) fn forget(&self, namespace: &Namespace, reference: &EntryRef, id: &CacheId) {
        let Some(tenants) = &self.tenants else { return };
        let Some(content) = reference.content_key(namespace) else { return };
        let mut places = tenants.places();
        if let Some(place) = places.peek_mut(&content) {
            place.entries.retain(|other| other.id != *id);
            if place.entries.is_empty() {
                places.pop(&content);
            }
        }
    }

    /// Notes that everything in a namespace is gone.
    pub(super) fn forget_all(&self, namespace: &Namespace) {
        let Some(tenants) = &self.tenants else { return };
        let mut places = tenants.places();
        let all = namespace.everything();
        let gone: Vec<Key> = places
            .iter()
            .filter(|(key, _)| all.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            places.pop(&key);
        }
    }

    /// Deletes the entries of the places that were used longest ago, until about `needed` bytes are
    /// free. `false` when nothing can be given up, or when no room would be enough.
    pub(super) async fn make_room(&self, needed: u64) -> Result<bool> {
        let Some(tenants) = &self.tenants else { return Ok(false) };
        if needed == u64::MAX {
            return Ok(false);
        }
        let mut freed = 0;
        while freed < needed {
            let oldest = tenants.places().pop_lru();
            let Some((content, place)) = oldest else { return Ok(freed > 0) };
            self.evict(&content, &place.entries).await?;
            freed += place.bytes;
        }
        Ok(true)
    }

    async fn evict(&self, content: &Key, entries: &[Tenant]) -> Result<()> {
        let namespace = content.namespace();
        let ids: Vec<CacheId> = entries.iter().map(|entry| entry.id).collect();
        for entry in entries {
            self.delete_with(&namespace, &entry.id, Shared::SpareUnless(&ids)).await?;
            self.unlist_gone(&namespace, entry).await?;
        }
        // The storage browser may have deleted the reference alone; then the files are left.
        let owner = self.owner_of(&namespace, content.as_str()).await?;
        if owner.is_some_and(|owner| ids.iter().any(|id| id.as_str() == owner)) {
            let mut batch = Batch::new(&namespace);
            for suffix in ["", ".config", ".metadata"] {
                let key = namespace.key_from_physical(&format!("{content}{suffix}"));
                key.into_iter().for_each(|key| batch.delete(key));
            }
            self.storage.apply(batch).await?;
        }
        Ok(())
    }

    /// Takes an entry that is gone out of its hash reference: what deleted its own reference alone has left
    /// it there, and nobody else would ever find it.
    async fn unlist_gone(&self, namespace: &Namespace, entry: &Tenant) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let mut batch = Batch::new(namespace);
            match self.unlist(&mut batch, &entry.hash_key, &entry.id).await? {
                None | Some(Listed::Not) => return Ok(()),
                Some(Listed::Alone | Listed::WithOthers) => {}
            }
            batch.then();
            // Somebody may be storing it again, under the id it had.
            batch.delete_if(layout::id_reference(namespace, &entry.id)?, Expect::Absent);
            match self.storage.apply(batch).await {
                Ok(()) => return Ok(()),
                Err(storage::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
