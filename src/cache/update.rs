//! Replacing the content of an entry.
//!
//! Upstream: an update rewrites the content files and nothing else, so that hash, `content__hash`
//! and `content__size` go on telling what was stored first; clients rely on finding the entry under
//! its old hash.

use bytes::Bytes;

use super::content::lone_surrogate;
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, FileType};
use super::pyjson::{self, Text, Value};
use super::refs::{EntryRef, REFERENCE_INDENT, SIDECAR_INDENT};
use super::{ATTEMPTS, Cache, layout};
use crate::key::Namespace;
use crate::storage::{Batch, Expect};

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
    reference_changed: bool,
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
            json.name("updated_id_ref").bool(self.reference_changed);
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
        let (bytes, size) = render(&content)?;
        let binary = matches!(content, NewContent::Binary(_));
        for _ in 0..ATTEMPTS {
            let Some((mut reference, version)) = self.entry(namespace, id.as_str()).await? else {
                return Ok(None);
            };
            let mut batch = Batch::new(namespace);
            let mut paths = Vec::new();
            for path in &reference.content_files {
                let Some(key) = namespace.key_from_physical(path) else { continue };
                // Guarded, so that an update that meets a delete does not bring the file back.
                let expect = match self.storage.stat(&key).await? {
                    Some(stat) => Expect::At(stat.version),
                    None => Expect::Absent,
                };
                batch.put_if(key, bytes.clone(), expect);
                paths.push(path.clone());
            }
            let reference_changed = binary && reference.file_type == FileType::Json;
            if reference_changed {
                reference.file_type = FileType::Binary;
                batch.then();
                let key = layout::id_reference(namespace, id)?;
                let document = reference.indented(REFERENCE_INDENT);
                batch.put_if(key, document, Expect::At(version));
            }
            if self.apply(batch).await? {
                let EntryRef { cache_id, cache_hash, .. } = reference;
                return Ok(Some(Updated {
                    cache_id,
                    cache_hash,
                    namespace: namespace.clone(),
                    paths,
                    size,
                    timestamp: self.now_ms(),
                    reference_changed,
                }));
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }
}

/// The bytes to store, and the size upstream reports: characters of a string, members of an object,
/// bytes.
fn render(content: &NewContent<'_>) -> Result<(Bytes, u64)> {
    Ok(match content {
        NewContent::Text(text) => {
            let plain = text.as_str().ok_or_else(lone_surrogate)?;
            let mut stored = String::with_capacity(plain.len() + 16);
            pyjson::write_ascii_string(&mut stored, plain);
            (stored.into(), text.char_count() as u64)
        }
        NewContent::Json(value) => {
            let mut stored = String::new();
            pyjson::write_pretty(&mut stored, value, SIDECAR_INDENT);
            let members = match value {
                Value::Object(members) => members.len() as u64,
                _ => 0,
            };
            (stored.into(), members)
        }
        NewContent::Binary(bytes) => (bytes.clone(), bytes.len() as u64),
    })
}
