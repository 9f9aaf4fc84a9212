//! Test data and fixtures: fixed contents that clients ask the service to store.
//!
//! What is stored stands in `samples.json`, as recorded from the reference service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Cache;
use super::archive::{ArchiveError, ArchivePlace};
use super::content::Prepared;
use super::data::{DataPlace, NewData};
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, Strategy};
use super::pyjson::{self, Text, Value};
use super::refs::{StoredData, string};
use super::retrieve::Lookup;
use super::store::{NewEntry, Stored};
use crate::key::Namespace;

const SAMPLES: &str = include_str!("samples.json");

/// The strategies that test data is stored with, in order.
pub const STRATEGIES: [Strategy; 4] =
    [Strategy::Direct, Strategy::Temporal, Strategy::TemporalLatest, Strategy::KeyBased];

/// The namespace of the minimal test data, which also gets a parent with child data and an archive.
const DEFAULT: &str = "default";

/// The id of the manifest of the fixtures.
const MANIFEST: &str = "00000000-0000-0000-0000-000000000001";

/// One entry of test data that was stored.
#[derive(Debug, Clone)]
pub struct Sample {
    cache_id: CacheId,
    stored: Stored,
    strategy: Strategy,
    data_type: &'static str,
    description: String,
    cache_key: Option<String>,
    /// Keys and ids of child data.
    children: Option<Vec<(String, String)>>,
}

impl Document for Sample {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("cache_id").string(self.cache_id.as_str());
            json.name("cache_hash").string(self.stored.cache_hash());
            json.name("namespace").string(self.stored.namespace().as_str());
            json.name("strategy").string(self.strategy.name());
            json.name("data_type").string(self.data_type);
            if let Some(cache_key) = &self.cache_key {
                json.name("cache_key").string(cache_key);
            }
            json.name("description").string(&self.description);
            if let Some(children) = &self.children {
                json.name("children").list(|json| {
                    for (data_key, data_file_id) in children {
                        json.object(|json| {
                            json.name("data_key").string(data_key);
                            json.name("data_file_id").string(data_file_id);
                        });
                    }
                });
            }
        });
    }
}

/// The fixtures: which entries they are, and what is known about the manifest that says so.
#[derive(Debug, Clone)]
pub struct Fixtures {
    manifest: Value<'static>,
    metadata: StoredData,
}

impl Document for Fixtures {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("data").value(&self.manifest);
            json.name("metadata").document(&self.metadata);
            json.name("data_type").string("json");
            json.name("content_encoding").null();
        });
    }
}

/// The namespaces of the comprehensive test data.
pub fn comprehensive_namespaces() -> Result<Vec<Namespace>> {
    let samples = samples()?;
    let names = items(samples.get("comprehensive_namespaces"));
    names.iter().map(|name| Ok(Namespace::clean(text(name)?)?)).collect()
}

impl Cache {
    /// Stores the minimal test data.
    pub async fn create_minimal_samples(&self) -> Result<Vec<Sample>> {
        let samples = samples()?;
        let namespace = Namespace::clean(DEFAULT)?;
        let run = samples.get("namespace_run");
        let mut stored = Vec::new();
        for sample in items(run.and_then(|run| run.get("per_strategy_json"))).iter().take(3) {
            stored.push(self.create_sample(&namespace, Strategy::Direct, sample).await?);
        }
        Ok(stored)
    }

    /// Stores the test data of a namespace.
    pub async fn create_samples(&self, namespace: &Namespace) -> Result<Vec<Sample>> {
        let samples = samples()?;
        let run = samples.get("namespace_run");
        let part = |name| items(run.and_then(|run| run.get(name)));
        let mut stored = Vec::new();
        for strategy in STRATEGIES {
            for sample in part("per_strategy_json").iter().chain(part("per_strategy_strings")) {
                stored.push(self.create_sample(namespace, strategy, sample).await?);
            }
            if strategy == Strategy::KeyBased {
                for sample in part("key_based_extra") {
                    stored.push(self.create_sample(namespace, strategy, sample).await?);
                }
            }
        }
        if namespace.as_str() == DEFAULT {
            for sample in part("default_namespace_extra") {
                stored.push(match sample.get("members") {
                    None => self.create_parent(namespace, sample).await?,
                    Some(members) => self.create_sample_archive(namespace, sample, members).await?,
                });
            }
        }
        Ok(stored)
    }

    /// Stores the fixtures, unless they are there, and reads their manifest.
    pub async fn create_fixtures(&self) -> Result<Fixtures> {
        let namespace = Namespace::clean(DEFAULT)?;
        let id = CacheId::parse(MANIFEST)
            .ok_or_else(|| Error::Invalid("id of the manifest".to_owned()))?;
        if let Some(fixtures) = self.fixtures(&namespace, &id).await? {
            return Ok(fixtures);
        }
        let samples = samples()?;
        let fixtures = samples.get("fixtures");
        let mut manifest = Vec::new();
        for item in items(fixtures.and_then(|fixtures| fixtures.get("items"))) {
            let content = item.get("content").map(|content| self.prepare(content)).transpose()?;
            let content = content.ok_or_else(broken)?;
            let stored = self.store_plain(&namespace, Strategy::Direct, content, None).await?;
            let kind = string(item, "type").ok_or_else(broken)?;
            let fixture = Value::Object(vec![
                (Text::from("cache_id"), Value::from(stored.cache_id().to_string())),
                (Text::from("cache_hash"), Value::from(stored.cache_hash().to_owned())),
                (Text::from("type"), Value::Str(kind.into())),
            ]);
            manifest.push((string(item, "name").ok_or_else(broken)?.into(), fixture));
        }
        let manifest = Value::Object(vec![
            (Text::from("fixtures"), Value::Object(manifest)),
            (Text::from("created_at"), Value::Int(self.now_ms().to_string().into())),
        ]);
        let content = Prepared::json(&manifest, None, self.settings.max_inflated_bytes)?;
        self.store_plain(&namespace, Strategy::Direct, content, Some(id)).await?;
        self.fixtures(&namespace, &id).await?.ok_or_else(broken)
    }

    async fn fixtures(&self, namespace: &Namespace, id: &CacheId) -> Result<Option<Fixtures>> {
        let Some(found) = self.retrieve(namespace, Lookup::Id(id)).await? else { return Ok(None) };
        let Some(manifest) = found.content.into_value() else { return Ok(None) };
        let metadata = self.metadata(namespace, id).await?.unwrap_or_default().data;
        Ok(Some(Fixtures { manifest, metadata }))
    }

    /// The content of a fixture: `{"text": …}`, `{"json": …}` or `{"base64": …}`.
    fn prepare(&self, content: &Value<'_>) -> Result<Prepared> {
        if let Some(Value::Str(plain)) = content.get("text") {
            return Prepared::text(plain);
        }
        if let Some(value) = content.get("json") {
            return Prepared::json(value, None, self.settings.max_inflated_bytes);
        }
        let encoded = string(content, "base64").ok_or_else(broken)?;
        let bytes = BASE64.decode(encoded).map_err(|_| broken())?;
        Prepared::binary(bytes.into(), None, self.settings.max_inflated_bytes)
    }

    async fn create_sample(
        &self,
        namespace: &Namespace,
        strategy: Strategy,
        sample: &Value<'_>,
    ) -> Result<Sample> {
        let cache_key = string(sample, "cache_key");
        let file_id = string(sample, "file_id");
        let (content, data_type) = match sample.get("content") {
            Some(Value::Str(plain)) => (Prepared::text(plain)?, "string"),
            Some(value) => (
                Prepared::json(
                    value,
                    cache_key.as_ref().map(|_| ""),
                    self.settings.max_inflated_bytes,
                )?,
                "json",
            ),
            None => return Err(broken()),
        };
        let entry = NewEntry {
            namespace,
            strategy,
            cache_key: cache_key.as_deref().unwrap_or_default(),
            file_id: file_id.as_deref(),
            cache_id: None,
            content,
        };
        let stored = self.store(entry).await?;
        let description = string(sample, "description").unwrap_or_default();
        let cache_id = *stored.cache_id();
        Ok(Sample { cache_id, stored, strategy, data_type, description, cache_key, children: None })
    }

    async fn create_parent(&self, namespace: &Namespace, sample: &Value<'_>) -> Result<Sample> {
        let strategy = string(sample, "strategy").and_then(|name| Strategy::parse(&name));
        let strategy = strategy.ok_or_else(broken)?;
        let mut parent = self.create_sample(namespace, strategy, sample).await?;
        let mut children = Vec::new();
        for child in items(sample.get("children")) {
            let data_key = string(child, "data_key").ok_or_else(broken)?;
            let data_file_id = string(child, "data_file_id").ok_or_else(broken)?;
            let content = child.get("content").ok_or_else(broken)?;
            let place = DataPlace {
                namespace,
                cache_id: &parent.cache_id,
                data_key: &data_key,
                data_file_id: &data_file_id,
            };
            self.store_data(&place, NewData::Json(content)).await?.ok_or_else(broken)?;
            children.push((data_key, data_file_id));
        }
        parent.children = Some(children);
        Ok(parent)
    }

    /// Upstream: makes an empty archive and adds the members one by one, each a new entry; what is
    /// reported is the last entry's id with the first one's hash.
    async fn create_sample_archive(
        &self,
        namespace: &Namespace,
        sample: &Value<'_>,
        members: &Value<'_>,
    ) -> Result<Sample> {
        let strategy = string(sample, "strategy").and_then(|name| Strategy::parse(&name));
        let strategy = strategy.ok_or_else(broken)?;
        let cache_key = string(sample, "cache_key").ok_or_else(broken)?;
        let place =
            ArchivePlace { namespace, strategy, cache_key: &cache_key, file_id: Some("v1_0_0") };
        let stored = self.create_archive(place).await.map_err(of_archive)?.entry;
        let mut cache_id = *stored.cache_id();
        let Value::Object(members) = members else { return Err(broken()) };
        for (name, content) in members {
            let name = name.as_str().ok_or_else(broken)?;
            let content = text(content)?.as_bytes();
            let added = self.add_member(namespace, &cache_id, name, content).await;
            cache_id = *added.map_err(of_archive)?.cache_id();
        }
        let description = string(sample, "description").unwrap_or_default();
        let (cache_key, data_type) = (Some(cache_key), "zip");
        Ok(Sample { cache_id, stored, strategy, data_type, description, cache_key, children: None })
    }

    async fn store_plain(
        &self,
        namespace: &Namespace,
        strategy: Strategy,
        content: Prepared,
        cache_id: Option<CacheId>,
    ) -> Result<Stored> {
        let entry =
            NewEntry { namespace, strategy, cache_key: "", file_id: None, cache_id, content };
        self.store(entry).await
    }
}

fn samples() -> Result<Value<'static>> {
    pyjson::parse_str(SAMPLES).map_err(|_| broken())
}

fn items<'v, 'a>(value: Option<&'v Value<'a>>) -> &'v [Value<'a>] {
    match value {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn text<'v>(value: &'v Value<'_>) -> Result<&'v str> {
    match value {
        Value::Str(text) => text.as_str().ok_or_else(broken),
        _ => Err(broken()),
    }
}

fn of_archive(error: ArchiveError) -> Error {
    match error {
        ArchiveError::Service(error) => error,
        ArchiveError::NotFound | ArchiveError::Refused(_) => broken(),
    }
}

/// `samples.json` is part of the program; a test reads all of it.
fn broken() -> Error {
    Error::Damaged { key: "samples.json".to_owned(), why: "not as the program expects it" }
}
