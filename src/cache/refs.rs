//! The four small documents of an entry: entry reference, hash reference, file configuration, file
//! metadata. Types, the forms they are stored and served in, and pure edits.
//!
//! Reading is lenient, since stores written by the Python service must open: any formatting and key
//! order, unknown members ignored, optional members missing. Writing is exact.

use super::document::{Document, Writer};
use super::ident::{CacheId, FileType};
use super::pyjson::{self, Value};
use super::short::Short;
pub use super::versions::{HashVersion, Versions};

/// Indent of references and of content, in spaces.
pub const REFERENCE_INDENT: usize = 2;
/// Indent of `.config` and `.metadata`, of updated content and of child data, in spaces.
pub const SIDECAR_INDENT: usize = 4;

/// The keys of an entry, as physical names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// Content files and their side files, sorted.
    pub data: Vec<String>,
    /// Hash references.
    pub by_hash: Vec<String>,
    /// Entry references.
    pub by_id: Vec<String>,
}

impl Document for Paths {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("data").strings(&self.data);
            json.name("by_hash").strings(&self.by_hash);
            json.name("by_id").strings(&self.by_id);
        });
    }
}

/// The entry itself: reading, updating, deleting and child data all start from it and use the paths
/// it lists, never paths computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRef {
    /// Every key the entry owns.
    pub all_paths: Paths,
    /// Its id.
    pub cache_id: String,
    /// Its hash.
    pub cache_hash: String,
    /// Copies of the content, as physical names, in handler order.
    pub content_files: Vec<String>,
    /// Folders of child data, as physical names, in handler order. Upstream: may hold `""` where it
    /// lost its way with an odd cache key; that is no folder.
    pub data_folders: Vec<String>,
    /// How the content is read.
    pub file_type: FileType,
    /// The namespace.
    pub namespace: String,
    /// The name of the strategy.
    pub strategy: String,
    /// When it was stored, in milliseconds since 1970.
    pub timestamp: u64,
}

impl EntryRef {
    /// Reads a stored entry reference. `None` when it is not one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = pyjson::parse(bytes).ok()?;
        let all_paths = value.get("all_paths");
        let file_paths = value.get("file_paths");
        let list = |of: Option<&Value<'_>>, name| strings(of.and_then(|of| of.get(name)));
        Some(Self {
            all_paths: Paths {
                data: list(all_paths, "data"),
                by_hash: list(all_paths, "by_hash"),
                by_id: list(all_paths, "by_id"),
            },
            cache_id: string(&value, "cache_id")?,
            cache_hash: string(&value, "cache_hash").unwrap_or_default(),
            content_files: list(file_paths, "content_files"),
            data_folders: list(file_paths, "data_folders"),
            file_type: match string(&value, "file_type").as_deref() {
                Some("binary") => FileType::Binary,
                _ => FileType::Json,
            },
            namespace: string(&value, "namespace").unwrap_or_default(),
            strategy: string(&value, "strategy").unwrap_or_default(),
            timestamp: number(&value, "timestamp").unwrap_or_default(),
        })
    }
}

impl Document for EntryRef {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("all_paths").document(&self.all_paths);
            json.name("cache_id").string(&self.cache_id);
            json.name("cache_hash").string(&self.cache_hash);
            json.name("file_paths").object(|json| {
                json.name("content_files").strings(&self.content_files);
                json.name("data_folders").strings(&self.data_folders);
            });
            json.name("file_type").string(self.file_type.name());
            json.name("namespace").string(&self.namespace);
            json.name("strategy").string(&self.strategy);
            json.name("timestamp").number(self.timestamp);
        });
    }
}

/// The entries that were stored with one hash, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HashRef {
    /// The hash.
    pub cache_hash: Short<16>,
    /// The entries.
    pub cache_ids: Versions,
    /// What it names as the latest, where that is not the last of them.
    named_latest: Option<Box<str>>,
}

impl HashRef {
    /// A reference without entries.
    #[must_use]
    pub fn new(cache_hash: &str) -> Self {
        Self { cache_hash: cache_hash.into(), cache_ids: Versions::default(), named_latest: None }
    }

    /// Reads a stored hash reference. Two Python writers may have left two texts in one file: then
    /// the first complete one counts. `None` when there is not even that.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = match pyjson::parse(bytes) {
            Ok(value) => value,
            Err(_) => pyjson::parse(first_object(bytes)?).ok()?,
        };
        let Some(Value::List(items)) = value.get("cache_ids") else { return None };
        let cache_ids: Versions = items
            .iter()
            .filter_map(|item| {
                let timestamp = number(item, "timestamp").unwrap_or_default();
                Some(HashVersion { cache_id: string(item, "cache_id")?.into(), timestamp })
            })
            .collect();
        let newest = cache_ids.newest().map(|version| &*version.cache_id);
        let named_latest = string(&value, "latest_id").filter(|id| Some(id.as_str()) != newest);
        Some(Self {
            cache_hash: string(&value, "cache_hash").unwrap_or_default().into(),
            named_latest: named_latest.map(String::into_boxed_str),
            cache_ids,
        })
    }

    /// Adds an entry as the newest, that is not there.
    pub fn add(&mut self, id: &CacheId, timestamp: u64) {
        self.cache_ids.push(HashVersion { cache_id: id.as_str().into(), timestamp });
        self.named_latest = None;
    }

    /// Names the last of the entries as the latest.
    pub fn name_newest(&mut self) {
        self.named_latest = None;
    }

    /// The entry named as the latest; empty when there is none.
    #[must_use]
    pub fn latest_id(&self) -> &str {
        let newest = || self.cache_ids.newest().map_or("", |version| &*version.cache_id);
        self.named_latest.as_deref().unwrap_or_else(newest)
    }

    /// Makes an entry the newest. One that is there already is not added again, so that a store that
    /// is carried out twice counts once.
    pub fn add_once(&mut self, id: &CacheId, timestamp: u64) {
        if self.lists(id.as_str()) {
            self.named_latest = None;
            if self.latest_id() != id.as_str() {
                self.named_latest = Some(id.as_str().into());
            }
        } else {
            self.add(id, timestamp);
        }
    }

    /// Whether an entry is there.
    #[must_use]
    pub fn lists(&self, id: &str) -> bool {
        self.cache_ids.from_new_to_old().any(|version| *version.cache_id == *id)
    }

    /// Takes an entry out. Returns whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        self.named_latest = self.named_latest.take().filter(|latest| **latest != *id);
        self.cache_ids.remove(id)
    }

    /// The entries in the order a reader tries them: the latest, then from new to old. Upstream may
    /// have lost an entry that is still listed.
    pub fn candidates(&self) -> impl Iterator<Item = &str> {
        let older = self.cache_ids.from_new_to_old().map(|version| &*version.cache_id);
        std::iter::once(self.latest_id()).chain(older.filter(|id| *id != self.latest_id()))
    }
}

impl Document for HashRef {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_hash").string(&self.cache_hash);
            json.name("cache_ids").list(|json| {
                for version in self.cache_ids.from_old_to_new() {
                    json.object(|json| {
                        json.name("cache_id").string(&version.cache_id);
                        json.name("timestamp").number(version.timestamp);
                    });
                }
            });
            json.name("latest_id").string(self.latest_id());
            json.name("total_versions").number(self.cache_ids.len() as u64);
        });
    }
}

/// What a content file is: written once, when there is none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConfig {
    /// The file id.
    pub file_id: String,
    /// The cache key, or empty.
    pub file_key: String,
    /// The folders of all copies, in handler order.
    pub file_paths: Vec<String>,
    /// How the content is read.
    pub file_type: FileType,
}

impl FileConfig {
    fn write_type(&self, json: &mut Writer) {
        let (content_type, encoding) = match self.file_type {
            FileType::Json => ("application/json; charset=utf-8", Some("utf-8")),
            FileType::Binary => ("application/octet-stream", None),
        };
        json.name("file_type").object(|json| {
            json.name("name").string(self.file_type.name());
            json.name("content_type").string(content_type);
            json.name("file_extension").string(self.file_type.extension());
            json.name("encoding").string_or_null(encoding);
            json.name("serialization").string(self.file_type.name());
        });
    }

    /// Reads a stored configuration. `None` when it is not one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = pyjson::parse(bytes).ok()?;
        let file_type = value.get("file_type").and_then(|of| string(of, "name"));
        Some(Self {
            file_id: string(&value, "file_id")?,
            file_key: string(&value, "file_key").unwrap_or_default(),
            file_paths: strings(value.get("file_paths")),
            file_type: match file_type.as_deref() {
                Some("binary") => FileType::Binary,
                _ => FileType::Json,
            },
        })
    }

    /// The form that is served, whose members stand in another order than in the stored one.
    pub fn write_served(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("file_id").string(&self.file_id);
            json.name("file_key").string(&self.file_key);
            json.name("file_paths").strings(&self.file_paths);
            self.write_type(json);
            json.name("exists_strategy").string("first");
        });
    }
}

impl Document for FileConfig {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("exists_strategy").string("first");
            json.name("file_id").string(&self.file_id);
            json.name("file_key").string(&self.file_key);
            json.name("file_paths").strings(&self.file_paths);
            self.write_type(json);
        });
    }
}

/// What is known of a content file and of the entry that stored it last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileMetadata {
    /// First ten hexadecimal digits of the MD5 of the content as it was stored.
    pub content_hash: String,
    /// Its length in bytes.
    pub content_size: u64,
    /// When the file was stored, in milliseconds since 1970.
    pub timestamp: u64,
    /// The entry.
    pub data: StoredData,
}

/// The entry that stored a content file last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredData {
    /// The hash.
    pub cache_hash: Option<String>,
    /// The cache key, or empty.
    pub cache_key: Option<String>,
    /// The id.
    pub cache_id: Option<String>,
    /// The value of `content-encoding`, cleaned as an id.
    pub content_encoding: Option<String>,
    /// The file id.
    pub file_id: Option<String>,
    /// `json` or `binary`.
    pub file_type: Option<String>,
    /// The field the hash was taken from: none without a key, empty for a keyed JSON store without one.
    pub json_field_path: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// When the entry was stored, in milliseconds since 1970.
    pub stored_at: Option<u64>,
    /// The name of the strategy.
    pub strategy: Option<String>,
}

impl FileMetadata {
    /// Reads stored metadata. `None` when it is not any.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = pyjson::parse(bytes).ok()?;
        let Value::Object(_) = value else { return None };
        let data = value.get("data");
        let text = |name| data.and_then(|data| string(data, name));
        Some(Self {
            content_hash: string(&value, "content__hash").unwrap_or_default(),
            content_size: number(&value, "content__size").unwrap_or_default(),
            timestamp: number(&value, "timestamp").unwrap_or_default(),
            data: StoredData {
                cache_hash: text("cache_hash"),
                cache_key: text("cache_key"),
                cache_id: text("cache_id"),
                content_encoding: text("content_encoding"),
                file_id: text("file_id"),
                file_type: text("file_type"),
                json_field_path: text("json_field_path"),
                namespace: text("namespace"),
                stored_at: data.and_then(|data| number(data, "stored_at")),
                strategy: text("strategy"),
            },
        })
    }

    /// The form that is served, whose members stand in another order than in the stored one.
    pub fn write_served(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("content__hash").string(&self.content_hash);
            json.name("content__size").number(self.content_size);
            json.name("chain_hash").null();
            json.name("previous_version_path").null();
            json.name("tags").strings::<&str>([]);
            json.name("timestamp").number(self.timestamp);
            json.name("data").document(&self.data);
        });
    }
}

impl Document for FileMetadata {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("content__hash").string(&self.content_hash);
            json.name("chain_hash").null();
            json.name("previous_version_path").null();
            json.name("content__size").number(self.content_size);
            json.name("tags").strings::<&str>([]);
            json.name("timestamp").number(self.timestamp);
            json.name("data").document(&self.data);
        });
    }
}

impl Document for StoredData {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_hash").string_or_null(self.cache_hash.as_deref());
            json.name("cache_key").string_or_null(self.cache_key.as_deref());
            json.name("cache_id").string_or_null(self.cache_id.as_deref());
            json.name("content_encoding").string_or_null(self.content_encoding.as_deref());
            json.name("file_id").string_or_null(self.file_id.as_deref());
            json.name("file_type").string_or_null(self.file_type.as_deref());
            json.name("json_field_path").string_or_null(self.json_field_path.as_deref());
            json.name("namespace").string_or_null(self.namespace.as_deref());
            match self.stored_at {
                Some(stored_at) => json.name("stored_at").number(stored_at),
                None => json.name("stored_at").null(),
            }
            json.name("strategy").string_or_null(self.strategy.as_deref());
        });
    }
}

/// A member of an object that is a string.
#[must_use]
pub fn string(value: &Value<'_>, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::Str(text) => Some(text.to_string_lossy().into_owned()),
        _ => None,
    }
}

fn number(value: &Value<'_>, name: &str) -> Option<u64> {
    match value.get(name)? {
        Value::Int(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn strings(value: Option<&Value<'_>>) -> Vec<String> {
    let Some(Value::List(items)) = value else { return Vec::new() };
    let mut texts: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        // Paths are changed one by one, so one that is named twice must count once.
        if let Value::Str(text) = item
            && !texts.iter().any(|known| Some(known.as_str()) == text.as_str())
        {
            texts.push(text.to_string_lossy().into_owned());
        }
    }
    texts
}

/// The text up to the brace that closes the first object. Braces in strings do not occur in the
/// documents this is for: they hold ids, hashes and numbers.
fn first_object(bytes: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(&bytes[..=at]);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    fn entry_ref() -> impl Strategy<Value = EntryRef> {
        let texts = || btree_set(".{0,12}", 0..3).prop_map(Vec::from_iter);
        (texts(), texts(), texts(), texts(), texts(), any::<bool>(), any::<u64>(), ".{1,8}")
            .prop_map(
                |(data, by_hash, by_id, content_files, data_folders, binary, timestamp, name)| {
                    EntryRef {
                        all_paths: Paths { data, by_hash, by_id },
                        cache_id: name.clone(),
                        cache_hash: name.clone(),
                        content_files,
                        data_folders,
                        file_type: if binary { FileType::Binary } else { FileType::Json },
                        namespace: name.clone(),
                        strategy: name,
                        timestamp,
                    }
                },
            )
    }

    fn hash_ref() -> impl Strategy<Value = HashRef> {
        vec((any::<u128>(), any::<u64>()), 1..6).prop_map(|versions| {
            let mut reference = HashRef::new("0123456789abcdef");
            for (id, timestamp) in versions {
                reference.add(&CacheId::from(uuid::Uuid::from_u128(id)), timestamp);
            }
            reference
        })
    }

    proptest! {
        #[test]
        fn an_entry_reference_reads_back(reference in entry_ref(), indent in 0_usize..5) {
            prop_assert_eq!(EntryRef::parse(reference.indented(indent).as_bytes()), Some(reference.clone()));
            prop_assert_eq!(EntryRef::parse(reference.compact().as_bytes()), Some(reference));
        }

        #[test]
        fn a_hash_reference_reads_back(reference in hash_ref()) {
            let stored = reference.indented(REFERENCE_INDENT);
            prop_assert_eq!(HashRef::parse(stored.as_bytes()), Some(reference.clone()));
            // Two writers that left two texts in one file: the first one counts.
            let torn = format!("{stored}{}", &stored[stored.len() / 2..]);
            prop_assert_eq!(HashRef::parse(torn.as_bytes()), Some(reference));
        }

        #[test]
        fn removing_what_was_added_leaves_the_rest(reference in hash_ref(), id in any::<u128>()) {
            let id = CacheId::from(uuid::Uuid::from_u128(id));
            let mut changed = reference.clone();
            changed.add_once(&id, 7);
            changed.add_once(&id, 7);
            prop_assert_eq!(changed.cache_ids.len(), reference.cache_ids.len() + 1);
            prop_assert_eq!(changed.latest_id(), id.as_str());
            prop_assert!(changed.remove(id.as_str()));
            prop_assert!(!changed.remove(id.as_str()));
            prop_assert_eq!(changed, reference);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..64)) {
            let _ = (EntryRef::parse(&bytes), HashRef::parse(&bytes));
            let _ = (FileConfig::parse(&bytes), FileMetadata::parse(&bytes));
        }
    }

    #[test]
    fn missing_members_are_forgiven_and_unknown_ones_ignored() {
        let text = br#"{"unknown":1,"cache_id":"x","file_paths":{"content_files":["n/c"]}}"#;
        let reference = EntryRef::parse(text).unwrap();
        assert_eq!(reference.content_files, ["n/c"]);
        assert_eq!(reference.file_type, FileType::Json);
        assert_eq!(EntryRef::parse(b"[]"), None);
        assert_eq!(HashRef::parse(b"{}"), None);
    }
}
