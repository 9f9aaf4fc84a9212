//! Storing a new entry.

use super::content::Prepared;
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, Strategy};
use super::layout::{self, Copy};
use super::refs::{
    EntryRef, FileConfig, FileMetadata, HashRef, HashVersion, Paths, REFERENCE_INDENT,
    SIDECAR_INDENT, StoredData,
};
use super::{ATTEMPTS, Cache, digest};
use crate::key::{Key, Namespace};
use crate::storage::{Batch, Expect, Version};

/// What to store, and where.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// How the files are laid out.
    pub strategy: Strategy,
    /// The cleaned cache key; empty without one.
    pub cache_key: &'a str,
    /// The cleaned file id; the cache id when there is none.
    pub file_id: Option<&'a str>,
    /// The id the entry is to have; a new one when there is none.
    pub cache_id: Option<CacheId>,
    /// The content.
    pub content: Prepared,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The new entry's id.
    pub cache_id: CacheId,
    /// Its hash.
    pub cache_hash: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// The keys written.
    pub paths: Paths,
    /// Bytes of the content file.
    pub size: u64,
    /// When, in milliseconds since 1970.
    pub stored_at: u64,
}

impl Document for Stored {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_id").string(self.cache_id.as_str());
            json.name("cache_hash").string(&self.cache_hash);
            json.name("namespace").string(self.namespace.as_str());
            json.name("paths").document(&self.paths);
            json.name("size").number(self.size);
        });
    }
}

impl Cache {
    /// Stores a new entry. The same content again is a new entry, one more version of its hash; the
    /// same place again (strategy, key and file id) replaces the content behind every entry there.
    pub async fn store(&self, entry: NewEntry<'_>) -> Result<Stored> {
        let now = self.now_ms();
        // Once: a second attempt overwrites the files of the first.
        let id = entry.cache_id.clone().unwrap_or_else(|| self.next_id());
        let plan = Plan::new(&entry, &id, now)?;
        // Creating the hash reference says as well whether it was there.
        let mut look = !self.settings.create_first || self.known.meet(&plan.hash_key);
        for _ in 0..ATTEMPTS {
            let hash_ref = if look { self.hash_reference(&plan.hash_key).await? } else { None };
            look = true;
            let known = Known { hash_ref, configs: self.configs_there(&plan).await? };
            let batch = plan.batch(known);
            let bytes = batch.bytes();
            if self.apply(batch).await? {
                self.remember(&plan.copies[0].content, &id, bytes);
                return Ok(plan.reply(&entry));
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    pub(super) async fn hash_reference(&self, key: &Key) -> Result<Option<(HashRef, Version)>> {
        let Some(object) = self.storage.get(key).await? else { return Ok(None) };
        let reference = match HashRef::parse(&object.bytes) {
            Some(reference) => reference,
            None => self.rebuilt(key).await?,
        };
        Ok(Some((reference, object.version)))
    }

    /// A hash reference made anew from the entries that name it. Upstream: two writers may have left
    /// a file that is not one, and then every store and read of that content failed for good.
    async fn rebuilt(&self, key: &Key) -> Result<HashRef> {
        let namespace = key.namespace();
        let hash = key.name().strip_suffix(".json").unwrap_or_default();
        let mut reference = HashRef::new(hash);
        for id in self.ids(&namespace).await? {
            if let Some((entry, _)) = self.entry(&namespace, &id).await?
                && entry.cache_hash == hash
            {
                let timestamp = entry.timestamp;
                reference.cache_ids.push(HashVersion { cache_id: id, timestamp });
            }
        }
        reference.cache_ids.sort_by_key(|version| version.timestamp);
        let newest = reference.cache_ids.last();
        reference.latest_id = newest.map(|version| version.cache_id.clone()).unwrap_or_default();
        Ok(reference)
    }

    /// Which copies have their configuration already. A place named by a new id has none.
    async fn configs_there(&self, plan: &Plan) -> Result<Vec<bool>> {
        let mut there = vec![false; plan.copies.len()];
        if !plan.fresh {
            for (copy, there) in plan.copies.iter().zip(&mut there) {
                *there = self.storage.stat(&copy.config).await?.is_some();
            }
        }
        Ok(there)
    }
}

/// What a store must know of the state of the store before it can be planned.
#[derive(Debug, Clone)]
struct Known {
    /// The hash reference and the version it was read at.
    hash_ref: Option<(HashRef, Version)>,
    /// For every copy, whether its configuration is there.
    configs: Vec<bool>,
}

/// Everything about a store that does not depend on the state of the store.
#[derive(Debug)]
struct Plan {
    id: CacheId,
    /// Whether the place is named by the new id, so that nothing can be there.
    fresh: bool,
    now: u64,
    copies: Vec<Copy>,
    hash_key: Key,
    id_key: Key,
    content: bytes::Bytes,
    config: String,
    metadata: String,
    reference: EntryRef,
}

impl Plan {
    fn new(entry: &NewEntry<'_>, id: &CacheId, now: u64) -> Result<Self> {
        let NewEntry { namespace, strategy, cache_key, content, .. } = entry;
        let file_id = entry.file_id.unwrap_or(id.as_str());
        let hash = content.hash.as_str();
        let copies = layout::locations(*strategy, cache_key, file_id, now)?
            .iter()
            .map(|location| Copy::new(namespace, location, file_id, content.file_type))
            .collect::<Result<Vec<_>, _>>()?;
        let hash_key = layout::hash_reference(namespace, hash)?;
        let id_key = layout::id_reference(namespace, id)?;
        // Upstream: a slash at the end of a cache key shows here and nowhere else.
        let keyed = *strategy == Strategy::KeyBased && cache_key.ends_with('/');
        let slash = if keyed { "/" } else { "" };
        let config = FileConfig {
            file_id: file_id.to_owned(),
            file_key: (*cache_key).to_owned(),
            file_paths: copies.iter().map(|copy| format!("{}{slash}", copy.folder)).collect(),
            file_type: content.file_type,
        };
        let metadata = FileMetadata {
            content_hash: digest::content_hash(&content.bytes).to_string(),
            content_size: content.bytes.len() as u64,
            timestamp: now,
            data: StoredData {
                cache_hash: Some(hash.to_owned()),
                cache_key: Some((*cache_key).to_owned()),
                cache_id: Some(id.to_string()),
                content_encoding: content.encoding.clone(),
                file_id: Some(file_id.to_owned()),
                file_type: Some(content.file_type.name().to_owned()),
                json_field_path: content.field_path.clone(),
                namespace: Some(namespace.to_string()),
                stored_at: Some(now),
                strategy: Some(strategy.name().to_owned()),
            },
        };
        let mut data: Vec<String> = copies
            .iter()
            .flat_map(|copy| [&copy.content, &copy.config, &copy.metadata])
            .map(Key::to_string)
            .collect();
        data.sort_unstable();
        let reference = EntryRef {
            all_paths: Paths {
                data,
                by_hash: vec![hash_key.to_string()],
                by_id: vec![id_key.to_string()],
            },
            cache_id: id.to_string(),
            cache_hash: hash.to_owned(),
            content_files: copies.iter().map(|copy| copy.content.to_string()).collect(),
            data_folders: copies.iter().map(|copy| copy.data_folder.clone()).collect(),
            file_type: content.file_type,
            namespace: namespace.to_string(),
            strategy: strategy.name().to_owned(),
            timestamp: now,
        };
        Ok(Self {
            id: id.clone(),
            fresh: entry.cache_id.is_none() && entry.file_id.is_none(),
            now,
            copies,
            hash_key,
            id_key,
            content: content.bytes.clone(),
            config: config.indented(SIDECAR_INDENT),
            metadata: metadata.indented(SIDECAR_INDENT),
            reference,
        })
    }

    fn batch(&self, known: Known) -> Batch {
        let mut batch = Batch::new(&self.id_key.namespace());
        for (copy, config_there) in self.copies.iter().zip(known.configs) {
            if !config_there {
                // A place named by a new id cannot have one; anywhere else the first one stays.
                let expect = if self.fresh { Expect::Any } else { Expect::Absent };
                batch.put_if(copy.config.clone(), self.config.clone(), expect);
            }
            batch.put(copy.content.clone(), self.content.clone());
            batch.put(copy.metadata.clone(), self.metadata.clone());
        }
        batch.then();
        batch.put(self.id_key.clone(), self.reference.indented(REFERENCE_INDENT));
        batch.then();
        let (mut hash_ref, expect) = match known.hash_ref {
            Some((hash_ref, version)) => (hash_ref, Expect::At(version)),
            None => (HashRef::new(&self.reference.cache_hash), Expect::Absent),
        };
        hash_ref.add(&self.id, self.now);
        batch.put_if(self.hash_key.clone(), hash_ref.indented(REFERENCE_INDENT), expect);
        batch
    }

    fn reply(self, entry: &NewEntry<'_>) -> Stored {
        Stored {
            cache_id: self.id,
            cache_hash: self.reference.cache_hash,
            namespace: entry.namespace.clone(),
            paths: self.reference.all_paths,
            size: self.content.len() as u64,
            stored_at: self.now,
        }
    }
}
