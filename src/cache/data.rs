//! Child data: files that hang under the data folders of an entry.
//!
//! An entry has one data folder per copy of its content, and every operation covers all of them;
//! a read takes the first that has the file.

use bytes::Bytes;

use super::content::{json_body, lone_surrogate};
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, DataType};
use super::pyjson::{self, Text, Value};
use super::refs::{EntryRef, SIDECAR_INDENT};
use super::retrieve::EntryRead;
use super::served::Served;
use super::{ATTEMPTS, Cache};
use crate::key::{Key, Namespace, Prefix};
use crate::storage::{Batch, Body, Depth, Entry, Expect, StorageExt};

/// A piece of child data to write.
#[derive(Debug, Clone)]
pub enum NewData<'a> {
    /// A string, stored as its UTF-8.
    Text(&'a Text<'a>),
    /// A JSON object.
    Json(&'a Value<'a>),
    /// Bytes.
    Binary(Bytes),
}

impl NewData<'_> {
    fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::String,
            Self::Json(_) => DataType::Json,
            Self::Binary(_) => DataType::Binary,
        }
    }

    fn render(&self, limit: usize) -> Result<Body> {
        Ok(match self {
            Self::Text(text) => {
                let plain = text.as_str().ok_or_else(lone_surrogate)?;
                plain.to_owned().into()
            }
            Self::Json(value) => json_body(value, SIDECAR_INDENT, limit)?,
            Self::Binary(bytes) => bytes.clone().into(),
        })
    }
}

/// Which piece of child data: of an entry, under a key, by an id.
#[derive(Debug, Clone)]
pub struct DataPlace<'a> {
    /// The namespace of the entry.
    pub namespace: &'a Namespace,
    /// The entry.
    pub cache_id: &'a CacheId,
    /// The cleaned data key; empty without one.
    pub data_key: &'a str,
    /// The cleaned id of the file.
    pub data_file_id: &'a str,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataStored {
    cache_id: CacheId,
    files: Vec<String>,
    data_key: String,
    data_type: DataType,
    file_id: String,
    size: u64,
    namespace: Namespace,
    timestamp: u64,
}

impl Document for DataStored {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_id").string(self.cache_id.as_str());
            json.name("data_files_created").strings(&self.files);
            json.name("data_key").string(&self.data_key);
            json.name("data_type").string(self.data_type.name());
            json.name("extension").string(extension(self.data_type).unwrap_or_default());
            json.name("file_id").string(&self.file_id);
            json.name("file_size").number(self.size);
            json.name("namespace").string(self.namespace.as_str());
            json.name("timestamp").number(self.timestamp);
        });
    }
}

/// What was updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataUpdated {
    cache_id: CacheId,
    namespace: Namespace,
    data_type: DataType,
    data_key: String,
    data_file_id: String,
    file_path: String,
    size: u64,
}

impl Document for DataUpdated {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("success").bool(true);
            json.name("cache_id").string(self.cache_id.as_str());
            json.name("namespace").string(self.namespace.as_str());
            json.name("data_type").string(self.data_type.name());
            json.name("data_key").string(&self.data_key);
            json.name("data_file_id").string(&self.data_file_id);
            json.name("file_path").string(&self.file_path);
            json.name("file_size").number(self.size);
        });
    }
}

/// A piece of child data that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    data_file_id: String,
    data_key: String,
    path: String,
    size: u64,
    extension: String,
}

/// The child data of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataList {
    cache_id: CacheId,
    namespace: Namespace,
    data_key: String,
    files: Vec<DataFile>,
}

impl Document for DataList {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_id").string(self.cache_id.as_str());
            json.name("namespace").string(self.namespace.as_str());
            json.name("data_key").string(&self.data_key);
            json.name("file_count").number(self.files.len() as u64);
            json.name("files").list(|json| {
                for file in &self.files {
                    json.object(|json| {
                        json.name("data_file_id").string(&file.data_file_id);
                        json.name("data_key").string(&file.data_key);
                        json.name("data_type").string(data_type_of(&file.extension).name());
                        json.name("file_path").string(&file.path);
                        json.name("file_size").number(file.size);
                        json.name("extension").string(&file.extension);
                    });
                }
            });
            json.name("total_size").number(self.files.iter().map(|file| file.size).sum());
        });
    }
}

impl Cache {
    /// Stores a piece of child data, replacing one that is there. `None` when there is no such entry.
    pub async fn store_data(
        &self,
        place: &DataPlace<'_>,
        data: NewData<'_>,
    ) -> Result<Option<DataStored>> {
        let body = data.render(self.settings.max_inflated_bytes)?;
        for _ in 0..ATTEMPTS {
            let Some(entry) = self.parent(place).await? else { return Ok(None) };
            let keys = data_keys(place, &entry.reference, data.data_type())?;
            if keys.is_empty() {
                // Upstream: references of odd cache keys name no folder. Nothing could be kept.
                return Err(Error::Invalid("entry has no folder for child data".to_owned()));
            }
            let mut batch = Batch::new(place.namespace);
            self.guard(&mut batch, place.namespace, &entry)?;
            for key in &keys {
                batch.put(key.clone(), body.clone());
            }
            if self.apply(batch).await? {
                return Ok(Some(DataStored {
                    cache_id: *place.cache_id,
                    files: keys.iter().map(Key::to_string).collect(),
                    data_key: place.data_key.to_owned(),
                    data_type: data.data_type(),
                    file_id: place.data_file_id.to_owned(),
                    size: body.size(),
                    namespace: place.namespace.clone(),
                    timestamp: self.now_ms(),
                }));
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    /// Reads a piece of child data. `None` when the entry or the file is not there.
    pub async fn data(&self, place: &DataPlace<'_>, data_type: DataType) -> Result<Option<Bytes>> {
        Ok(self.data_body(place, data_type).await?.map(Body::into_bytes))
    }

    async fn data_body(&self, place: &DataPlace<'_>, data_type: DataType) -> Result<Option<Body>> {
        for key in self.data_keys_of(place, data_type).await? {
            if let Some(object) = self.storage.get(&key).await? {
                return Ok(Some(object.bytes));
            }
        }
        Ok(None)
    }

    /// Reads a piece of child data as compact JSON.
    pub async fn data_json(&self, place: &DataPlace<'_>) -> Result<Option<Bytes>> {
        let Some(body) = self.data_body(place, DataType::Json).await? else { return Ok(None) };
        if let Some(served) = body.document_of::<Served>() {
            return Ok(Some(served.text().clone()));
        }
        match pyjson::parse(&body) {
            Ok(value) => Ok(Some(value.to_compact().into())),
            Err(_) => Err(Error::Damaged {
                key: format!("{}/…/{}.json", place.namespace, place.data_file_id),
                why: "child data is not JSON",
            }),
        }
    }

    /// Whether a piece of child data is there.
    pub async fn data_exists(&self, place: &DataPlace<'_>, data_type: DataType) -> Result<bool> {
        for key in self.data_keys_of(place, data_type).await? {
            if self.storage.stat(&key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Replaces a piece of child data in every folder. `None` when the entry or the file is not there.
    pub async fn update_data(
        &self,
        place: &DataPlace<'_>,
        data: NewData<'_>,
    ) -> Result<Option<DataUpdated>> {
        let body = data.render(self.settings.max_inflated_bytes)?;
        for _ in 0..ATTEMPTS {
            let Some(entry) = self.parent(place).await? else { return Ok(None) };
            let keys = data_keys(place, &entry.reference, data.data_type()).unwrap_or_default();
            let mut batch = Batch::new(place.namespace);
            self.guard(&mut batch, place.namespace, &entry)?;
            let mut there = false;
            for key in &keys {
                // Guarded, so that an update that meets a delete does not bring the file back.
                let expect = match self.storage.stat(key).await? {
                    Some(stat) => {
                        there = true;
                        Expect::At(stat.version)
                    }
                    None => Expect::Absent,
                };
                batch.put_if(key.clone(), body.clone(), expect);
            }
            let Some(first) = keys.first().filter(|_| there) else { return Ok(None) };
            if self.apply(batch).await? {
                return Ok(Some(DataUpdated {
                    cache_id: *place.cache_id,
                    namespace: place.namespace.clone(),
                    data_type: data.data_type(),
                    data_key: place.data_key.to_owned(),
                    data_file_id: place.data_file_id.to_owned(),
                    file_path: first.to_string(),
                    size: body.size(),
                }));
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    /// Deletes a piece of child data from every folder. Returns whether there was one.
    pub async fn delete_data(&self, place: &DataPlace<'_>, data_type: DataType) -> Result<bool> {
        let mut batch = Batch::new(place.namespace);
        for key in self.data_keys_of(place, data_type).await? {
            if self.storage.stat(&key).await?.is_some() {
                batch.delete(key);
            }
        }
        let any = !batch.is_empty();
        self.storage.apply(batch).await?;
        Ok(any)
    }

    /// Lists the child data under a key (all of it for the empty key), of all folders. `None` when
    /// there is no such entry.
    pub async fn list_data(
        &self,
        namespace: &Namespace,
        cache_id: &CacheId,
        data_key: &str,
        depth: Depth,
    ) -> Result<Option<DataList>> {
        let Some(found) = self.data_files(namespace, cache_id, data_key, depth).await? else {
            return Ok(None);
        };
        let files = found.iter().filter_map(|(folder, entry)| data_file(folder, entry)).collect();
        Ok(Some(DataList {
            cache_id: *cache_id,
            namespace: namespace.clone(),
            data_key: data_key.to_owned(),
            files,
        }))
    }

    /// Deletes everything under a key (everything for the empty key), in all folders. Returns the
    /// physical names of what was deleted; nothing for an entry that is not there.
    pub async fn delete_all_data(
        &self,
        namespace: &Namespace,
        cache_id: &CacheId,
        data_key: &str,
    ) -> Result<Vec<String>> {
        let found = self.data_files(namespace, cache_id, data_key, Depth::All).await?;
        let mut batch = Batch::new(namespace);
        let mut deleted = Vec::new();
        for (_, entry) in found.unwrap_or_default() {
            deleted.push(entry.key.to_string());
            batch.delete(entry.key);
        }
        self.storage.apply(batch).await?;
        Ok(deleted)
    }

    /// The entry that child data hangs under.
    async fn parent(&self, place: &DataPlace<'_>) -> Result<Option<EntryRead>> {
        let found = self.entry(place.namespace, place.cache_id).await?;
        if let Some(entry) = &found {
            self.touch(|| entry.reference.content_key(place.namespace));
        }
        Ok(found)
    }

    /// The keys a piece of child data has in all folders of its entry; none without the entry.
    async fn data_keys_of(&self, place: &DataPlace<'_>, data_type: DataType) -> Result<Vec<Key>> {
        match self.parent(place).await? {
            // A name that cannot be stored is one that is not there.
            Some(entry) => Ok(data_keys(place, &entry.reference, data_type).unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }

    /// What lies under a key in all folders of an entry, each with the data folder it lies in.
    async fn data_files(
        &self,
        namespace: &Namespace,
        cache_id: &CacheId,
        data_key: &str,
        depth: Depth,
    ) -> Result<Option<Vec<(Prefix, Entry)>>> {
        let Some(reference) = self.refs(namespace, cache_id).await? else { return Ok(None) };
        let below = segments(data_key).join("/");
        let mut found: Vec<(Prefix, Entry)> = Vec::new();
        for folder in &reference.data_folders {
            let Some(prefix) = namespace.folder_from_physical(folder) else { continue };
            let listed = match below.as_str() {
                "" => Some(prefix.clone()),
                below => namespace.folder_from_physical(&format!("{folder}/{below}")),
            };
            // A name that cannot be stored is one that is not there.
            let Some(listed) = listed else { continue };
            let (entries, _) = self.storage.list_all(&listed, depth).await?;
            found.extend(entries.into_iter().map(|entry| (prefix.clone(), entry)));
        }
        Ok(Some(found))
    }
}

/// The path of a data key: the second stage of cleaning. Runs of other characters than
/// `A-Z a-z 0-9 - _ .` become one `-`, every `..` becomes `-`, and segments that are empty or `.`
/// are dropped.
#[must_use]
pub fn segments(data_key: &str) -> Vec<String> {
    let clean = |segment: &str| {
        let mut out = String::with_capacity(segment.len());
        let mut in_run = false;
        for c in segment.chars() {
            let kept = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if kept {
                out.push(c);
            } else if !in_run {
                out.push('-');
            }
            in_run = !kept;
        }
        // Left to right and without overlap, so that one pass leaves none.
        out.replace("..", "-")
    };
    data_key.split('/').map(clean).filter(|segment| !matches!(segment.as_str(), "" | ".")).collect()
}

/// The keys a piece of child data has in all folders of its entry.
fn data_keys(place: &DataPlace<'_>, reference: &EntryRef, data_type: DataType) -> Result<Vec<Key>> {
    let Some(extension) = extension(data_type) else { return Ok(Vec::new()) };
    let mut name = segments(place.data_key).join("/");
    if !name.is_empty() {
        name.push('/');
    }
    name.push_str(place.data_file_id);
    let folders = reference.data_folders.iter();
    let folders = folders.filter_map(|folder| place.namespace.folder_from_physical(folder));
    let keys = folders.map(|folder| folder.key(&format!("{name}.{extension}")));
    Ok(keys.collect::<Result<Vec<_>, _>>()?)
}

fn extension(data_type: DataType) -> Option<&'static str> {
    match data_type {
        DataType::String => Some("txt"),
        DataType::Json => Some("json"),
        DataType::Binary => Some("bin"),
        DataType::TypeSafe => None,
    }
}

fn data_type_of(extension: &str) -> DataType {
    match extension {
        "txt" => DataType::String,
        "json" => DataType::Json,
        _ => DataType::Binary,
    }
}

/// A found key as child data; `None` for the side files of entries that lie in a data folder.
fn data_file(folder: &Prefix, entry: &Entry) -> Option<DataFile> {
    let inside = entry.key.as_str().strip_prefix(folder.as_str())?;
    let (data_key, name) = inside.rsplit_once('/').unwrap_or(("", inside));
    let (id, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if matches!(extension, "config" | "metadata") {
        return None;
    }
    Some(DataFile {
        data_file_id: id.to_owned(),
        data_key: data_key.to_owned(),
        path: entry.key.to_string(),
        size: entry.size,
        extension: extension.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::segments;
    use rstest::rstest;

    #[rstest]
    #[case("", "")]
    #[case("a/b", "a/b")]
    #[case("a b", "a-b")]
    #[case(r"a\b", "a-b")]
    #[case("a  \\ b", "a-b")]
    #[case("..", "-")]
    #[case("../..", "-/-")]
    #[case("a/../b", "a/-/b")]
    #[case("...", "-.")]
    #[case("....", "--")]
    #[case("a//b", "a/b")]
    #[case("a/./b", "a/b")]
    #[case("/", "")]
    #[case("x.y/z", "x.y/z")]
    #[case("a_b", "a_b")]
    fn data_keys_become_paths(#[case] data_key: &str, #[case] path: &str) {
        assert_eq!(segments(data_key).join("/"), path);
    }
}
