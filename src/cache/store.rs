//! Storing a new entry.

use std::sync::Arc;

use super::content::Prepared;
use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::facts::{self, Facts, MetadataOf, StoredContent};
use super::ident::{CacheId, Strategy};
use super::layout::{self, Copy};
use super::refs::{HashRef, HashVersion};
use super::{ATTEMPTS, Cache};
use crate::key::{Key, Namespace};
use crate::storage::{Batch, Body, Expect, Version};

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
#[derive(Debug, Clone)]
pub struct Stored(Arc<Facts>);

impl Stored {
    /// The new entry's id.
    #[must_use]
    pub fn cache_id(&self) -> &CacheId {
        &self.0.id
    }

    /// Its hash.
    #[must_use]
    pub fn cache_hash(&self) -> &str {
        self.0.hash.as_str()
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// When, in milliseconds since 1970.
    #[must_use]
    pub fn stored_at(&self) -> u64 {
        self.0.now
    }

    /// Writes the members that replies to a store begin with.
    pub(super) fn write_members(&self, json: &mut Writer) {
        let facts = &self.0;
        json.name("cache_id").string(facts.id.as_str());
        json.name("cache_hash").string(facts.hash.as_str());
        json.name("namespace").string(facts.namespace.as_str());
        facts.write_paths(json.name("paths"));
        json.name("size").number(facts.size);
    }
}

impl Document for Stored {
    fn write(&self, json: &mut Writer) {
        json.object(|json| self.write_members(json));
    }
}

impl Cache {
    /// Stores a new entry. The same content again is a new entry, one more version of its hash; the
    /// same place again (strategy, key and file id) replaces the content behind every entry there.
    pub async fn store(&self, entry: NewEntry<'_>) -> Result<Stored> {
        let now = self.now_ms();
        // Once: a second attempt overwrites the files of the first.
        let id = entry.cache_id.unwrap_or_else(|| self.next_id());
        let plan = Plan::new(&entry, id, now)?;
        // Creating the hash reference says as well whether it was there.
        let mut look = !self.settings.create_first || self.known.meet(&plan.facts.hash_key);
        // An attempt that failed has not listed a new entry: the hash reference is the last step. So what
        // is tried again costs no more than a first attempt, whose makers would always be faster.
        let listed = entry.cache_id.is_some();
        for _ in 0..ATTEMPTS {
            let hash_key = &plan.facts.hash_key;
            let hash_ref = if look { self.hash_reference(hash_key).await? } else { None };
            look = true;
            let known = Known { hash_ref, listed, configs: self.configs_there(&plan).await? };
            let batch = plan.batch(known);
            let weight = self.tenants.as_ref().map(|_| batch.weight()).unwrap_or_default();
            if self.apply(batch).await? {
                self.remember(&plan.facts, weight);
                return Ok(Stored(plan.facts));
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    pub(super) async fn hash_reference(&self, key: &Key) -> Result<Option<(HashRef, Version)>> {
        let Some(object) = self.storage.get(key).await? else { return Ok(None) };
        let reference = match facts::hash_ref(&object.bytes) {
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
        let mut versions = Vec::new();
        for id in self.ids(&namespace).await? {
            if let Some(cache_id) = CacheId::parse(&id)
                && let Some(entry) = self.entry(&namespace, &cache_id).await?
                && entry.reference.cache_hash == hash
            {
                let timestamp = entry.reference.timestamp;
                versions.push(HashVersion { cache_id: id.into(), timestamp });
            }
        }
        versions.sort_by_key(|version| version.timestamp);
        reference.cache_ids = versions.into_iter().collect();
        Ok(reference)
    }

    /// Which copies have their configuration already; empty for a place named by a new id, where none has.
    async fn configs_there(&self, plan: &Plan) -> Result<Vec<bool>> {
        let mut there = Vec::new();
        if !plan.fresh {
            for copy in plan.facts.copies() {
                there.push(self.storage.stat(&copy.config).await?.is_some());
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
    /// Whether the hash reference may list the entry already.
    listed: bool,
    /// For every copy, whether its configuration is there. Empty when none is.
    configs: Vec<bool>,
}

/// Everything about a store that does not depend on the state of the store.
#[derive(Debug)]
struct Plan {
    facts: Arc<Facts>,
    /// Whether the place is named by the new id, so that nothing can be there.
    fresh: bool,
    content: Body,
    stored: StoredContent,
}

impl Plan {
    fn new(entry: &NewEntry<'_>, id: CacheId, now: u64) -> Result<Self> {
        let NewEntry { namespace, strategy, cache_key, content, .. } = entry;
        let file_id = entry.file_id.unwrap_or(id.as_str());
        let [first, more @ ..] = &layout::locations(*strategy, cache_key, file_id, now)?[..] else {
            unreachable!("every strategy has a place");
        };
        let copy = |place: &String| Copy::new(namespace, place, file_id, content.file_type);
        let facts = Facts {
            namespace: (*namespace).clone(),
            strategy: *strategy,
            cache_key: (*cache_key).into(),
            file_id: entry.file_id.map(Box::from),
            id,
            hash: content.hash,
            file_type: content.file_type,
            encoding: content.encoding.as_deref().map(Box::from),
            field_path: content.field_path.as_deref().map(Box::from),
            size: content.body.size(),
            now,
            copy: copy(first)?,
            more_copies: more.iter().map(copy).collect::<Result<_, _>>()?,
            id_key: layout::id_reference(namespace, &id)?,
            hash_key: layout::hash_reference(namespace, content.hash.as_str())?,
        };
        Ok(Self {
            facts: Arc::new(facts),
            fresh: entry.cache_id.is_none() && entry.file_id.is_none(),
            content: content.body.clone(),
            stored: StoredContent::new(&content.body),
        })
    }

    fn batch(&self, known: Known) -> Batch {
        let facts = &self.facts;
        let config = facts::config_of(facts);
        let stored = self.stored.clone();
        let metadata = Body::of(Arc::new(MetadataOf { facts: Arc::clone(facts), stored }));
        let mut batch = Batch::new(&facts.namespace);
        let configs_there = known.configs.into_iter().chain(std::iter::repeat(false));
        for (copy, config_there) in facts.copies().zip(configs_there) {
            if !config_there {
                // A place named by a new id cannot have one; anywhere else the first one stays.
                let expect = if self.fresh { Expect::Any } else { Expect::Absent };
                batch.put_if(copy.config.clone(), config.clone(), expect);
            }
            batch.put(copy.content.clone(), self.content.clone());
            batch.put(copy.metadata.clone(), metadata.clone());
        }
        batch.then();
        batch.put(facts.id_key.clone(), facts::reference_of(facts));
        batch.then();
        let (mut hash_ref, expect) = match known.hash_ref {
            Some((hash_ref, version)) => (hash_ref, Expect::At(version)),
            None => (HashRef::new(facts.hash.as_str()), Expect::Absent),
        };
        if known.listed {
            hash_ref.add_once(&facts.id, facts.now);
        } else {
            hash_ref.add(&facts.id, facts.now);
        }
        batch.put_if(facts.hash_key.clone(), Body::of(Arc::new(hash_ref)), expect);
        batch
    }
}
