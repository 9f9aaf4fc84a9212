//! Going through a namespace: gathers the facts, has them judged, carries the repairs out.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::entry::{self, Copy, Facts, Files, Remedy};
use super::files::Owned;
use super::hash::{self, Listed, Rewrite};
use super::{Event, Finding, Kind, Options, Outcome, Repair, Summary};
use crate::cache::document::Document;
use crate::cache::ident::CacheId;
use crate::cache::layout;
use crate::cache::refs::{EntryRef, HashRef, REFERENCE_INDENT};
use crate::key::{Key, Namespace, Prefix, RelPath};
use crate::storage::walk::Walk;
use crate::storage::{Batch, Error, Expect, Object, Result, Storage, Version};

/// References looked at side by side: what hides the way to a distant store.
pub(super) const WIDTH: usize = 16;
/// How often a repair is tried again that others get ahead of.
const ATTEMPTS: usize = 64;
/// References that cannot be read and are kept in mind; those beyond are for the next check.
const MOST_UNREADABLE: usize = 10_000;

/// What was found at one key.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub findings: Vec<Finding>,
    /// The entry that is there in the end.
    pub reference: Option<EntryRef>,
    pub bytes: u64,
    pub updated: bool,
    pub unreadable: Option<Version>,
}

/// Goes through one namespace.
pub(super) struct Inspector<'a> {
    pub storage: &'a dyn Storage,
    pub options: &'a Options,
    pub namespace: Namespace,
    pub summary: &'a mut Summary,
    pub tell: &'a mut (dyn FnMut(Event<'_>) + Send),
    pub owned: Owned,
    /// Entry references that cannot be read, by id, with the content whose metadata names them.
    pub unreadable: HashMap<String, (Key, Version, Vec<Key>)>,
    /// Files of hashes that cannot be read and were told of as repaired.
    nonsense: Vec<Key>,
}

impl<'a> Inspector<'a> {
    pub(super) fn new(
        storage: &'a dyn Storage,
        options: &'a Options,
        namespace: Namespace,
        summary: &'a mut Summary,
        tell: &'a mut (dyn FnMut(Event<'_>) + Send),
    ) -> Self {
        let (owned, unreadable, nonsense) = (Owned::default(), HashMap::new(), Vec::new());
        Self { storage, options, namespace, summary, tell, owned, unreadable, nonsense }
    }

    pub(super) async fn run(&mut self) -> Result<()> {
        self.strays().await?;
        self.hashes().await?;
        self.entries().await?;
        self.clear_nonsense().await?;
        self.owned.sort();
        self.files().await?;
        self.rescue().await
    }

    pub(super) fn folder(&self, path: &str) -> Option<Prefix> {
        Some(self.namespace.under(RelPath::parse(path).ok()?))
    }

    /// What lies neither under `data` nor under the references.
    async fn strays(&mut self) -> Result<()> {
        let mut walk = Walk::namespace(self.storage, &self.namespace);
        for folder in ["data", "refs/by-hash", "refs/by-id"] {
            walk = match self.folder(folder) {
                Some(folder) => walk.without(folder),
                None => walk,
            };
        }
        while let Some(entry) = walk.next().await? {
            self.report(vec![stray(&entry.key)]);
        }
        Ok(())
    }

    async fn hashes(&mut self) -> Result<()> {
        let Some(folder) = self.folder("refs/by-hash") else { return Ok(()) };
        let mut walk = Walk::folder(self.storage, folder);
        loop {
            let keys = next_keys(&mut walk).await?;
            if keys.is_empty() {
                return Ok(());
            }
            let looked = join_all(keys.iter().map(|key| self.look_at_hash(key))).await;
            for (key, found) in keys.into_iter().zip(looked) {
                let found = found?;
                self.summary.hashes += 1;
                let told = |of: &Finding| {
                    of.kind == Kind::HashUnreadable && of.outcome == Outcome::Repaired
                };
                if found.findings.iter().any(told) && self.nonsense.len() < MOST_UNREADABLE {
                    self.nonsense.push(key);
                }
                self.report(found.findings);
            }
        }
    }

    /// Deletes the files of hashes that no entry has written again.
    async fn clear_nonsense(&mut self) -> Result<()> {
        for key in std::mem::take(&mut self.nonsense) {
            let Some(object) = self.storage.get(&key).await? else { continue };
            if HashRef::parse(&object.bytes).is_none() {
                let mut batch = Batch::new(&self.namespace);
                batch.delete_if(key, Expect::At(object.version));
                self.carry_out(batch).await?;
            }
        }
        Ok(())
    }

    async fn entries(&mut self) -> Result<()> {
        let Some(folder) = self.folder("refs/by-id") else { return Ok(()) };
        let mut walk = Walk::folder(self.storage, folder);
        loop {
            let keys = next_keys(&mut walk).await?;
            if keys.is_empty() {
                return Ok(());
            }
            let looked = join_all(keys.iter().map(|key| self.look_at_entry(key))).await;
            for (key, found) in keys.into_iter().zip(looked) {
                let found = found?;
                self.summary.entries += 1;
                self.summary.bytes += found.bytes;
                self.summary.updated += u64::from(found.updated);
                if let Some(reference) = &found.reference {
                    self.owned.add(reference);
                }
                if let Some(version) = found.unreadable
                    && self.unreadable.len() < MOST_UNREADABLE
                {
                    let id = id_of(&key).unwrap_or_default().to_owned();
                    self.unreadable.insert(id, (key, version, Vec::new()));
                }
                self.report(found.findings);
            }
        }
    }

    /// Tells of findings and counts them.
    pub(super) fn report(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.summary.count(&finding);
            (self.tell)(Event::Found(&finding));
        }
        (self.tell)(Event::Progress(self.summary));
    }

    /// Findings of one file, all of which have one outcome.
    pub(super) fn findings(
        &self,
        key: &Key,
        found: Vec<(Kind, String)>,
        done: bool,
    ) -> Vec<Finding> {
        let finding = |(kind, detail): (Kind, String)| {
            let outcome = match kind.repair() {
                None => Outcome::Left("nothing can be done without knowing what it is"),
                Some(_) if done => Outcome::Repaired,
                Some(_) => Outcome::Repairable,
            };
            Finding { kind, key: key.to_string(), detail, outcome }
        };
        found.into_iter().map(finding).collect()
    }

    pub(super) fn may(&self, needed: Repair) -> bool {
        self.options.repair >= needed
    }

    /// Looks at the file of a hash and repairs it if that is asked for.
    async fn look_at_hash(&self, key: &Key) -> Result<Found> {
        for _ in 0..ATTEMPTS {
            let Some(object) = self.storage.get(key).await? else { return Ok(Found::default()) };
            let hash = key.name().strip_suffix(".json").unwrap_or_default();
            if layout::hash_reference(&self.namespace, hash).ok().as_ref() != Some(key) {
                return Ok(Found { findings: vec![stray(key)], ..Found::default() });
            }
            let mut listed = Vec::new();
            let there = HashRef::parse(&object.bytes).unwrap_or_default();
            for version in there.cache_ids.from_old_to_new() {
                listed.push(self.listed(&version.cache_id).await?);
            }
            let (found, rewrite) = hash::judge(hash, &object.bytes, &listed);
            if found.is_empty() {
                return Ok(Found::default());
            }
            let mut batch = Batch::new(&self.namespace);
            let expect = Expect::At(object.version);
            match rewrite {
                Rewrite::Keep => {}
                Rewrite::Write(reference) => {
                    batch.put_if(key.clone(), reference.indented(REFERENCE_INDENT), expect);
                }
                Rewrite::Delete => batch.delete_if(key.clone(), expect),
            }
            // What cannot be read at all is written again by the entries that name the hash.
            let repair = self.may(Repair::References);
            if !repair || self.carry_out(batch).await? {
                let findings = self.findings(key, found, repair);
                return Ok(Found { findings, ..Found::default() });
            }
        }
        Err(busy(key))
    }

    async fn listed(&self, id: &str) -> Result<Listed> {
        let Some(key) = self.id_key(id) else { return Ok(Listed::Missing) };
        let Some(object) = self.storage.get(&key).await? else { return Ok(Listed::Missing) };
        Ok(match EntryRef::parse(&object.bytes) {
            Some(reference) => Listed::Of(reference.cache_hash),
            None => Listed::Unreadable,
        })
    }

    pub(super) fn id_key(&self, id: &str) -> Option<Key> {
        layout::id_reference(&self.namespace, &CacheId::parse(id)?).ok()
    }

    /// Looks at an entry and repairs it if that is asked for.
    pub(super) async fn look_at_entry(&self, key: &Key) -> Result<Found> {
        for _ in 0..ATTEMPTS {
            let Some(id) = id_of(key).filter(|id| self.id_key(id).as_ref() == Some(key)) else {
                return Ok(Found { findings: vec![stray(key)], ..Found::default() });
            };
            let Some(object) = self.storage.get(key).await? else { return Ok(Found::default()) };
            let Some(reference) = EntryRef::parse(&object.bytes) else {
                // Told of once it is known whether its content is there.
                return Ok(Found { unreadable: Some(object.version), ..Found::default() });
            };
            let version = object.version.clone();
            let copies = self.copies(&reference).await?;
            let bytes = copies.iter().filter_map(|copy| copy.files.as_ref()?.content.1.as_ref());
            let bytes = bytes.map(|object| object.bytes.len() as u64).sum();
            let verdict = entry::judge(Facts {
                namespace: self.namespace.clone(),
                key: key.clone(),
                version: version.clone(),
                id: id.to_owned(),
                reference,
                copies,
            });
            let (mut found, reference) = (verdict.found, verdict.reference);
            let (batch, gone) = match verdict.remedy {
                Remedy::Write(batch) => (self.listing(batch, &reference, &mut found).await?, false),
                Remedy::Remove(left) => {
                    if self.has_children(&reference).await? {
                        let why = "there is child data under the entry; delete the entry to be rid of both";
                        let mut findings = self.findings(key, found, false);
                        findings.iter_mut().for_each(|of| of.outcome = Outcome::Left(why));
                        let reference = Some(reference);
                        return Ok(Found { findings, reference, ..Found::default() });
                    }
                    (self.removal(key, version, left, &reference).await?, true)
                }
            };
            let repair = self.may(Repair::References) && !batch.is_empty();
            if !repair || self.carry_out(batch).await? {
                let mut findings = self.findings(key, found, repair);
                for finding in &mut findings {
                    if finding.kind == Kind::UncleanPath && finding.detail.ends_with("of no file") {
                        finding.outcome = Outcome::Left("no store of this program can name it");
                    }
                }
                let reference = (!(gone && repair)).then_some(reference);
                return Ok(Found {
                    findings,
                    reference,
                    bytes,
                    updated: verdict.updated,
                    unreadable: None,
                });
            }
        }
        Err(busy(key))
    }

    /// Adds to a repair that the hash reference lists the entry.
    async fn listing(
        &self,
        mut batch: Batch,
        reference: &EntryRef,
        found: &mut Vec<(Kind, String)>,
    ) -> Result<Batch> {
        let hash = &reference.cache_hash;
        let misnamed = found.iter().any(|(kind, _)| *kind == Kind::EntryMisnamed);
        let Ok(key) = layout::hash_reference(&self.namespace, hash) else { return Ok(batch) };
        if misnamed {
            return Ok(batch);
        }
        let there = self.storage.get(&key).await?;
        let listing = there.as_ref().and_then(|object| HashRef::parse(&object.bytes));
        if listing.is_some_and(|listing| listing.lists(&reference.cache_id)) {
            return Ok(batch);
        }
        found.push(match &there {
            None => (Kind::HashMissing, format!("nothing at {key}")),
            Some(_) => (Kind::VersionLost, format!("{key} does not list it")),
        });
        let (id, timestamp) = (&reference.cache_id, reference.timestamp);
        let bytes = there.as_ref().map(|object| &object.bytes[..]);
        let document = hash::with_entry(hash, bytes, id, timestamp).indented(REFERENCE_INDENT);
        batch.then();
        batch.put_if(key, document, at(there));
        Ok(batch)
    }

    /// The end of an entry without content: out of its hash reference first, as in any delete.
    async fn removal(
        &self,
        key: &Key,
        version: Version,
        left: Vec<(Key, Version)>,
        reference: &EntryRef,
    ) -> Result<Batch> {
        let mut batch = Batch::new(&self.namespace);
        if let Ok(hash_key) = layout::hash_reference(&self.namespace, &reference.cache_hash)
            && let Some(object) = self.storage.get(&hash_key).await?
            && let Some(mut listing) = HashRef::parse(&object.bytes)
            && listing.remove(&reference.cache_id)
        {
            let expect = Expect::At(object.version);
            match listing.cache_ids.is_empty() {
                true => batch.delete_if(hash_key, expect),
                false => batch.put_if(hash_key, listing.indented(REFERENCE_INDENT), expect),
            }
        }
        batch.then();
        batch.delete_if(key.clone(), Expect::At(version));
        batch.then();
        for (key, version) in left {
            batch.delete_if(key, Expect::At(version));
        }
        Ok(batch)
    }

    /// Reads the copies of an entry's content and their side files.
    async fn copies(&self, reference: &EntryRef) -> Result<Vec<Copy>> {
        let mut copies = Vec::new();
        for path in &reference.content_files {
            let named = |suffix: &str| {
                let clean = entry::cleaned(path)?;
                self.namespace.key_from_physical(&format!("{clean}{suffix}"))
            };
            let mut files = None;
            if let (Some(content), Some(metadata), Some(config)) =
                (named(""), named(".metadata"), named(".config"))
            {
                let unclean = content.as_str() != path;
                let object = self.storage.get(&content).await?;
                // Something under the clean name is a guess; nothing under it says nothing.
                if !unclean || object.is_some() {
                    files = Some(Files {
                        content: (content, object),
                        metadata: self.with_object(metadata).await?,
                        config: self.with_object(config).await?,
                    });
                }
            }
            copies.push(Copy { path: path.clone(), files });
        }
        Ok(copies)
    }

    pub(super) async fn with_object(&self, key: Key) -> Result<(Key, Option<Object>)> {
        let object = self.storage.get(&key).await?;
        Ok((key, object))
    }

    async fn has_children(&self, reference: &EntryRef) -> Result<bool> {
        for folder in &reference.data_folders {
            let Some(prefix) = self.namespace.folder_from_physical(folder) else { continue };
            if Walk::folder(self.storage, prefix).peek().await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Applies a batch. `false`: someone else was first, look again.
    pub(super) async fn carry_out(&self, batch: Batch) -> Result<bool> {
        match self.storage.apply(batch).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The next few keys of a walk.
pub(super) async fn next_keys(walk: &mut Walk<'_>) -> Result<Vec<Key>> {
    let mut keys = Vec::with_capacity(WIDTH);
    while keys.len() < WIDTH {
        match walk.next().await? {
            Some(entry) => keys.push(entry.key),
            None => break,
        }
    }
    Ok(keys)
}

pub(super) fn id_of(key: &Key) -> Option<&str> {
    key.name().strip_suffix(".json")
}

pub(super) fn at(object: Option<Object>) -> Expect {
    object.map_or(Expect::Absent, |object| Expect::At(object.version))
}

pub(super) fn stray(key: &Key) -> Finding {
    Finding {
        kind: Kind::Stray,
        key: key.to_string(),
        detail: "neither service writes such a file".to_owned(),
        outcome: Outcome::Left("nothing can be done without knowing what it is"),
    }
}

pub(super) fn busy(key: &Key) -> Error {
    let why = format!("others kept changing {key} while it was repaired");
    Error::Unavailable { backend: "checked", source: why.into() }
}
