//! Replacing the content of an entry.
//!
//! Upstream: an update rewrites the content files and nothing else, so that hash, `content__hash`
//! and `content__size` go on telling what was stored first; clients rely on finding the entry under
//! its old hash.

use bytes::Bytes;

use super::content::{json_body, lone_surrogate};
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, FileType};
use super::pyjson::{self, Text, Value};
use super::refs::{EntryRef, REFERENCE_INDENT, SIDECAR_INDENT};
use super::retrieve::EntryRead;
use super::{ATTEMPTS, Cache, layout};
use crate::key::{Key, Namespace};
use crate::storage::{Batch, Body, Expect, Object};

/// New content of an entry.
#[derive(Debug, Clone)]
pub enum NewContent<'a> {
    /// A string.
    Text(&'a Text<'a>),
    /// A JSON object.
    Json(&'a Value<'a>),
    /// Bytes.
    Binary(Bytes),
}

/// What was updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    cache_id: String,
    cache_hash: String,
    namespace: Namespace,
    paths: Vec<String>,
    size: u64,
    timestamp: u64,
}

impl Document for Updated {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_id").string(&self.cache_id);
            json.name("cache_hash").string(&self.cache_hash);
            json.name("namespace").string(self.namespace.as_str());
            json.name("paths").strings(&self.paths);
            json.name("size").number(self.size);
            json.name("timestamp").number(self.timestamp);
            json.name("updated_content").bool(true);
            json.name("updated_hash").bool(false);
            json.name("updated_metadata").bool(false);
            // Upstream: always so, although the entry may have become binary.
            json.name("updated_id_ref").bool(false);
        });
    }
}

impl Cache {
    /// Replaces the content of every copy of an entry. `None` when there is no such entry.
    ///
    /// Any kind may be written over any other. Bytes written over a string or an object make the
    /// entry binary, since it could not be read otherwise.
    pub async fn update(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        content: NewContent<'_>,
    ) -> Result<Option<Updated>> {
        let (body, size) = render(&content, self.settings.max_inflated_bytes)?;
        let binary = matches!(content, NewContent::Binary(_));
        for _ in 0..ATTEMPTS {
            let Some(mut entry) = self.entry(namespace, id).await? else {
                return Ok(None);
            };
            if binary && entry.reference.file_type != FileType::Binary {
                entry.reference.file_type = FileType::Binary;
                entry.object.bytes = entry.reference.indented(REFERENCE_INDENT).into();
            }
            let mut batch = Batch::new(namespace);
            self.guard(&mut batch, namespace, &entry)?;
            let reference = entry.reference;
            let mut paths = Vec::new();
            for path in &reference.content_files {
                let Some(key) = namespace.key_from_physical(path) else { continue };
                if entry.object.bytes.document().is_some() {
                    self.settle(&mut batch, &key).await?;
                }
                batch.put(key, body.clone());
                paths.push(path.clone());
            }
            if paths.is_empty() {
                return Ok(None);
            }
            if self.apply(batch).await? {
                self.touch(|| reference.content_key(namespace));
                let EntryRef { cache_id, cache_hash, .. } = reference;
                return Ok(Some(Updated {
                    cache_id,
                    cache_hash,
                    namespace: namespace.clone(),
                    paths,
                    size,
                    timestamp: self.now_ms(),
                }));
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    /// Renders metadata that is a document over content which is going to be replaced, since it would
    /// keep that content in memory for its hash.
    async fn settle(&self, batch: &mut Batch, content: &Key) -> Result<()> {
        let Ok(key) = content.beside(".metadata") else { return Ok(()) };
        if let Some(Object { bytes, version }) = self.storage.get(&key).await?
            && bytes.document().is_some()
        {
            batch.put_if(key, bytes.into_bytes(), Expect::At(version));
        }
        Ok(())
    }

    /// Makes a batch hold only while the entry is there as it was read: its reference is written
    /// again, guarded, as the first step. What is written below an entry that someone deletes
    /// meanwhile would be acknowledged and lost, or come back from the dead.
    pub(super) fn guard(
        &self,
        batch: &mut Batch,
        namespace: &Namespace,
        entry: &EntryRead,
    ) -> Result<()> {
        let EntryRead { reference, object: Object { bytes, version } } = entry;
        let id = CacheId::parse(&reference.cache_id)
            .ok_or(Error::Damaged { key: reference.cache_id.clone(), why: "not an id" })?;
        let key = layout::id_reference(namespace, &id)?;
        batch.put_if(key, bytes.clone(), Expect::At(version.clone()));
        batch.then();
        Ok(())
    }
}

/// The bytes to store, and the size upstream reports: characters of a string, members of an object,
/// bytes.
fn render(content: &NewContent<'_>, limit: usize) -> Result<(Body, u64)> {
    Ok(match content {
        NewContent::Text(text) => {
            let plain = text.as_str().ok_or_else(lone_surrogate)?;
            let mut stored = String::with_capacity(plain.len() + 16);
            pyjson::write_ascii_string(&mut stored, plain);
            (stored.into(), text.char_count() as u64)
        }
        NewContent::Json(value) => {
            let stored = json_body(value, SIDECAR_INDENT, limit)?;
            let members = match value {
                Value::Object(members) => members.len() as u64,
                _ => 0,
            };
            (stored, members)
        }
        NewContent::Binary(bytes) => (bytes.clone().into(), bytes.len() as u64),
    })
}
