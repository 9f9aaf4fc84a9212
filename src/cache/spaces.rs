//! Questions about whole namespaces.

use super::Cache;
use super::document::{Document, Writer};
use super::error::Result;
use crate::key::{Namespace, Prefix, RelPath};
use crate::storage::{Batch, Depth, Entry, StorageExt};

/// The number of files of a namespace, by what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    namespace: Namespace,
    ttl_hours: u32,
    direct: u64,
    temporal: u64,
    temporal_latest: u64,
    temporal_versioned: u64,
    refs_hash: u64,
    refs_id: u64,
    total: u64,
}

impl Document for Stats {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("namespace").string(self.namespace.as_str());
            json.name("ttl_hours").number(self.ttl_hours.into());
            json.name("direct_files").number(self.direct);
            json.name("temporal_files").number(self.temporal);
            json.name("temporal_latest_files").number(self.temporal_latest);
            json.name("temporal_versioned_files").number(self.temporal_versioned);
            json.name("refs_hash_files").number(self.refs_hash);
            json.name("refs_id_files").number(self.refs_id);
            json.name("total_files").number(self.total);
        });
    }
}

impl Cache {
    /// All ids with an entry reference, sorted.
    pub async fn ids(&self, namespace: &Namespace) -> Result<Vec<String>> {
        self.references(namespace, "refs/by-id").await
    }

    /// All hashes with a hash reference, sorted.
    pub async fn hashes(&self, namespace: &Namespace) -> Result<Vec<String>> {
        self.references(namespace, "refs/by-hash").await
    }

    /// Counts the files of a namespace. The total counts all of them, those of the key-based
    /// strategy included, which have no count of their own.
    pub async fn stats(&self, namespace: &Namespace, ttl_hours: u32) -> Result<Stats> {
        let mut stats = Stats {
            namespace: namespace.clone(),
            ttl_hours,
            direct: 0,
            temporal: 0,
            temporal_latest: 0,
            temporal_versioned: 0,
            refs_hash: 0,
            refs_id: 0,
            total: 0,
        };
        for entry in self.everything(namespace).await? {
            let mut segments = entry.key.path().splitn(3, '/');
            match (segments.next(), segments.next()) {
                (Some("data"), Some("direct")) => stats.direct += 1,
                (Some("data"), Some("temporal")) => stats.temporal += 1,
                (Some("data"), Some("temporal-latest")) => stats.temporal_latest += 1,
                (Some("data"), Some("temporal-versioned")) => stats.temporal_versioned += 1,
                (Some("refs"), Some("by-hash")) => stats.refs_hash += 1,
                (Some("refs"), Some("by-id")) => stats.refs_id += 1,
                _ => {}
            }
            stats.total += 1;
        }
        Ok(stats)
    }

    /// The first segments of all keys, sorted. Upstream: keys of the root namespace make `data` and
    /// `refs` appear.
    pub async fn namespaces(&self) -> Result<Vec<Namespace>> {
        Ok(self.storage.namespaces().await?)
    }

    /// Deletes every key that a namespace has now. Returns how many there were. What others store
    /// while this runs may go as well, or in part: clearing is for namespaces at rest.
    pub async fn clear(&self, namespace: &Namespace) -> Result<u64> {
        let mut cleared = 0;
        let entries = self.everything(namespace).await?;
        // References first, so that no moment shows one that points at nothing: `refs/by-hash`
        // before `refs/by-id` before `data`.
        let (refs, data): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.key.path().starts_with("refs/"));
        for chunk in refs.chunks(CLEAR_CHUNK).chain(data.chunks(CLEAR_CHUNK)) {
            let mut batch = Batch::new(namespace);
            for entry in chunk {
                batch.delete(entry.key.clone());
            }
            self.storage.apply(batch).await?;
            cleared += chunk.len() as u64;
        }
        self.forget_all(namespace);
        Ok(cleared)
    }

    async fn references(&self, namespace: &Namespace, folder: &str) -> Result<Vec<String>> {
        let prefix = namespace.under(RelPath::parse(folder)?);
        let (entries, _) = self.storage.list_all(&prefix, Depth::All).await?;
        let mut names: Vec<String> = entries
            .iter()
            .filter_map(|entry| entry.key.name().strip_suffix(".json"))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Every key of a namespace. The root namespace is asked for by the two folders it has, since
    /// its own prefix is that of the whole store.
    pub(super) async fn everything(&self, namespace: &Namespace) -> Result<Vec<Entry>> {
        let mut all = Vec::new();
        for prefix in tops(namespace)? {
            all.append(&mut self.storage.list_all(&prefix, Depth::All).await?.0);
        }
        Ok(all)
    }
}

/// Keys deleted in one batch when a namespace is cleared.
const CLEAR_CHUNK: usize = 500;

fn tops(namespace: &Namespace) -> Result<Vec<Prefix>> {
    if !namespace.is_root() {
        return Ok(vec![namespace.everything()]);
    }
    let mut tops = Vec::new();
    for folder in ["data", "refs"] {
        tops.push(namespace.under(RelPath::parse(folder)?));
    }
    Ok(tops)
}
