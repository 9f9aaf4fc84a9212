//! Reading entries, by id and by hash.

use std::borrow::Cow;

use super::content::Content;
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::facts::{self, Located};
use super::ident::{CacheHash, CacheId, FileType};
use super::refs::{EntryRef, FileConfig, FileMetadata, HashRef, StoredData};
use super::{Cache, layout, pyjson};
use crate::key::{Key, Namespace};
use crate::storage::{Body, Object};

/// How an entry is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'a> {
    /// By its id.
    Id(&'a CacheId),
    /// By the hash of its content: the newest entry that is there.
    Hash(&'a CacheHash),
}

/// An entry that was read.
#[derive(Debug, Clone)]
pub struct Retrieved {
    /// The content.
    pub content: Content,
    /// What is known about it.
    pub metadata: EntryMetadata,
    /// The id of the entry.
    pub cache_id: String,
    /// Its hash.
    pub cache_hash: String,
}

/// An entry with its reference as it was read.
#[derive(Debug)]
pub(super) struct EntryRead {
    pub reference: EntryRef,
    pub object: Object,
}

/// What is served about an entry. Upstream: without a `.metadata` file everything is `null`, but for
/// the file type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryMetadata {
    stored: StoredData,
    /// Bytes of the content file.
    pub content_size: u64,
}

impl Document for EntryMetadata {
    fn write(&self, json: &mut Writer) {
        let stored = &self.stored;
        json.object(|json| {
            json.name("cache_id").string_or_null(stored.cache_id.as_deref());
            json.name("cache_hash").string_or_null(stored.cache_hash.as_deref());
            json.name("cache_key").string_or_null(stored.cache_key.as_deref());
            json.name("file_id").string_or_null(stored.file_id.as_deref());
            json.name("namespace").string_or_null(stored.namespace.as_deref());
            json.name("strategy").string_or_null(stored.strategy.as_deref());
            match stored.stored_at {
                Some(stored_at) => json.name("stored_at").number(stored_at),
                None => json.name("stored_at").null(),
            }
            json.name("file_type").string(stored.file_type.as_deref().unwrap_or("json"));
            json.name("content_encoding").string_or_null(stored.content_encoding.as_deref());
            json.name("content_size").number(self.content_size);
        });
    }
}

/// An entry reference with all the files it names.
#[derive(Debug)]
pub struct AllRefs {
    by_id: EntryRef,
    /// Physical names and the files found there, but for content.
    details: Vec<(String, Option<Body>)>,
}

impl Document for AllRefs {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("by_id").document(&self.by_id);
            json.name("details").object(|json| {
                for (path, file) in &self.details {
                    match file.as_deref().and_then(|bytes| pyjson::parse(bytes).ok()) {
                        Some(value) => json.name(path).value(&value),
                        None => json.name(path).null(),
                    }
                }
            });
        });
    }
}

impl Cache {
    /// Reads an entry with its metadata.
    pub async fn retrieve(
        &self,
        namespace: &Namespace,
        lookup: Lookup<'_>,
    ) -> Result<Option<Retrieved>> {
        let Some(entry) = self.find(namespace, lookup).await? else { return Ok(None) };
        let stored = self.metadata_of(namespace, &entry).await?.unwrap_or_default();
        let Some((content, content_size)) =
            self.content_of(namespace, &entry, Some(&stored)).await?
        else {
            return Ok(None);
        };
        let (cache_id, cache_hash) = (entry.cache_id().to_owned(), entry.cache_hash().to_owned());
        let metadata = EntryMetadata { stored, content_size };
        Ok(Some(Retrieved { content, metadata, cache_id, cache_hash }))
    }

    /// Reads the content of an entry alone.
    pub async fn content(
        &self,
        namespace: &Namespace,
        lookup: Lookup<'_>,
    ) -> Result<Option<Content>> {
        let Some(entry) = self.find(namespace, lookup).await? else { return Ok(None) };
        let content = self.content_of(namespace, &entry, None).await?;
        Ok(content.map(|(content, _)| content))
    }

    /// Reads what is known about an entry: the newest, where a hash is looked up.
    pub async fn entry_metadata(
        &self,
        namespace: &Namespace,
        lookup: Lookup<'_>,
    ) -> Result<Option<EntryMetadata>> {
        let Some(entry) = self.find(namespace, lookup).await? else { return Ok(None) };
        let Some(key) = entry.content_key(namespace) else { return Ok(None) };
        let Some(stat) = self.storage.stat(&key).await? else { return Ok(None) };
        let stored = self.metadata_of(namespace, &entry).await?.unwrap_or_default();
        Ok(Some(EntryMetadata { stored, content_size: stat.size.bytes() }))
    }

    /// Reads the entry reference of an id.
    pub async fn refs(&self, namespace: &Namespace, id: &CacheId) -> Result<Option<EntryRef>> {
        Ok(self.entry(namespace, id).await?.map(|entry| entry.reference))
    }

    /// Reads the entry reference of an id and every file it names, but for content.
    pub async fn refs_all(&self, namespace: &Namespace, id: &CacheId) -> Result<Option<AllRefs>> {
        let Some(by_id) = self.refs(namespace, id).await? else { return Ok(None) };
        let mut details = Vec::new();
        let paths = &by_id.all_paths;
        for path in paths.data.iter().chain(&paths.by_hash).chain(&paths.by_id) {
            if by_id.content_files.contains(path) {
                continue;
            }
            let file = match namespace.key_from_physical(path) {
                Some(key) => self.storage.get(&key).await?.map(|object| object.bytes),
                None => None,
            };
            details.push((path.clone(), file));
        }
        Ok(Some(AllRefs { by_id, details }))
    }

    /// Reads the file configuration of an id.
    pub async fn config(&self, namespace: &Namespace, id: &CacheId) -> Result<Option<FileConfig>> {
        let Some(entry) = self.locate(namespace, id).await? else { return Ok(None) };
        let file = self.file(entry.config_key(namespace)).await?;
        file.map(|body| FileConfig::parse(&body).ok_or_else(|| damaged(id, "file configuration")))
            .transpose()
    }

    /// Reads the file metadata of an id.
    pub async fn metadata(
        &self,
        namespace: &Namespace,
        id: &CacheId,
    ) -> Result<Option<FileMetadata>> {
        let Some(entry) = self.locate(namespace, id).await? else { return Ok(None) };
        let file = self.file(entry.metadata_key(namespace)).await?;
        file.map(|body| facts::file_metadata(&body).ok_or_else(|| damaged(id, "file metadata")))
            .transpose()
    }

    /// Reads the hash reference of a hash.
    pub async fn hash_refs(
        &self,
        namespace: &Namespace,
        hash: &CacheHash,
    ) -> Result<Option<HashRef>> {
        let Ok(key) = layout::hash_reference(namespace, hash.as_str()) else { return Ok(None) };
        Ok(self.hash_reference(&key).await?.map(|(reference, _)| reference))
    }

    /// Whether there is an entry reference of this id, or a hash reference of this hash.
    pub async fn exists(&self, namespace: &Namespace, lookup: Lookup<'_>) -> Result<bool> {
        let key = match lookup {
            Lookup::Id(id) => layout::id_reference(namespace, id),
            Lookup::Hash(hash) => layout::hash_reference(namespace, hash.as_str()),
        };
        match key {
            Ok(key) => Ok(self.storage.stat(&key).await?.is_some()),
            Err(_) => Ok(false),
        }
    }

    pub(super) async fn find(
        &self,
        namespace: &Namespace,
        lookup: Lookup<'_>,
    ) -> Result<Option<Located>> {
        let found = match lookup {
            Lookup::Id(id) => self.locate(namespace, id).await?,
            Lookup::Hash(hash) => self.newest(namespace, hash).await?,
        };
        if let Some(entry) = &found {
            self.touch(|| entry.content_key(namespace));
        }
        Ok(found)
    }

    async fn newest(&self, namespace: &Namespace, hash: &CacheHash) -> Result<Option<Located>> {
        let Some(hash_ref) = self.hash_refs(namespace, hash).await? else { return Ok(None) };
        for id in hash_ref.candidates() {
            let Some(id) = CacheId::parse(id) else { continue };
            if let Some(entry) = self.locate(namespace, &id).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Reads what is needed of an entry to read its content.
    async fn locate(&self, namespace: &Namespace, id: &CacheId) -> Result<Option<Located>> {
        let Some((key, object)) = self.reference_of(namespace, id).await? else { return Ok(None) };
        Located::of(&object.bytes).map(Some).ok_or_else(|| no_reference(&key))
    }

    /// Reads an entry reference.
    pub(super) async fn entry(
        &self,
        namespace: &Namespace,
        id: &CacheId,
    ) -> Result<Option<EntryRead>> {
        let Some((key, object)) = self.reference_of(namespace, id).await? else { return Ok(None) };
        let reference = facts::entry_ref(&object.bytes).ok_or_else(|| no_reference(&key))?;
        Ok(Some(EntryRead { reference, object }))
    }

    async fn reference_of(
        &self,
        namespace: &Namespace,
        id: &CacheId,
    ) -> Result<Option<(Key, Object)>> {
        let key = layout::id_reference(namespace, id)?;
        Ok(self.storage.get(&key).await?.map(|object| (key, object)))
    }

    /// Reads what the metadata beside the content says of the entry.
    pub(super) async fn metadata_of(
        &self,
        namespace: &Namespace,
        entry: &Located,
    ) -> Result<Option<StoredData>> {
        let file = self.file(entry.metadata_key(namespace)).await?;
        Ok(file.and_then(|body| facts::stored_data(&body)))
    }

    /// Reads the first copy of the content, as upstream does; no other copy is tried.
    pub(super) async fn content_of(
        &self,
        namespace: &Namespace,
        entry: &Located,
        metadata: Option<&StoredData>,
    ) -> Result<Option<(Content, u64)>> {
        let Some(body) = self.file(entry.content_key(namespace)).await? else { return Ok(None) };
        let (size, file_type) = (body.size(), entry.file_type());
        // Only bytes can be compressed, so nothing else needs its metadata to be read.
        let compressed = || file_type == FileType::Binary && body.starts_with(&[0x1f, 0x8b]);
        let encoding = match metadata {
            Some(stored) => stored.content_encoding.clone(),
            None if compressed() => {
                let metadata = self.metadata_of(namespace, entry).await?;
                metadata.and_then(|stored| stored.content_encoding)
            }
            None => None,
        };
        let limit = self.settings.max_inflated_bytes;
        let content = Content::read(body, file_type, encoding.as_deref(), limit)?;
        Ok(Some((content, size)))
    }

    async fn file(&self, key: Option<Cow<'_, Key>>) -> Result<Option<Body>> {
        let Some(key) = key else { return Ok(None) };
        Ok(self.storage.get(&key).await?.map(|object| object.bytes))
    }
}

fn no_reference(key: &Key) -> Error {
    Error::Damaged { key: key.to_string(), why: "not an entry reference" }
}

fn damaged(id: &CacheId, what: &'static str) -> Error {
    Error::Damaged { key: format!("{what} of {id}"), why: "not one" }
}

impl EntryRef {
    /// The key of the first copy of the content. `None` when the reference names none, or one
    /// outside its namespace, as references of odd cache keys do.
    #[must_use]
    pub fn content_key(&self, namespace: &Namespace) -> Option<Key> {
        namespace.key_from_physical(self.content_files.first()?)
    }
}
