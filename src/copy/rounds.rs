//! The three rounds of a copy through one namespace.

use futures_util::future::join_all;

use super::sum::{Sum, hash};
use super::{Round, Summary};
use crate::cache::ident::CacheId;
use crate::cache::layout;
use crate::cache::refs::{EntryRef, HashRef};
use crate::key::{Key, Namespace, Prefix, RelPath};
use crate::storage::walk::Walk;
use crate::storage::{Batch, Body, Error, Expect, Object, Result, Storage};

/// Objects read side by side, and written in one batch: what hides the way to a distant store.
const WIDTH: usize = 32;
/// Bytes that a batch may hold; one object more may go over it.
const BATCH_BYTES: u64 = 8 << 20;
/// How often a batch is tried again that others get ahead of.
const ATTEMPTS: usize = 64;

/// A copy under way.
pub(super) struct Rounds<'a> {
    pub source: &'a dyn Storage,
    pub target: &'a dyn Storage,
    pub overwrite: bool,
    pub summary: Summary,
    pub tell: &'a mut (dyn FnMut(Round, &Summary) + Send),
}

/// An object of the source on its way.
struct Moving {
    key: Key,
    /// Whether the target had something there when both were listed.
    there: bool,
}

impl Rounds<'_> {
    /// Lists both sides and compares what is in both.
    pub(super) async fn survey(&mut self, namespace: &Namespace) -> Result<()> {
        let mut ours = Walk::namespace(self.source, namespace);
        let mut theirs = Walk::namespace(self.target, namespace);
        loop {
            let mut both = Vec::new();
            let mut seen = 0;
            while seen < WIDTH
                && let Some(entry) = ours.next().await?
            {
                seen += 1;
                self.summary.objects += 1;
                self.summary.bytes += entry.size;
                if meets(&mut theirs, &entry.key).await? {
                    both.push(entry.key);
                } else {
                    self.summary.missing += 1;
                }
            }
            if seen == 0 {
                return Ok(());
            }
            for (key, equal) in self.compare(both).await? {
                match equal {
                    true => self.summary.skipped += 1,
                    false => self.summary.conflicts.add(key.as_str()),
                }
            }
            (self.tell)(Round::Survey, &self.summary);
        }
    }

    /// Whether keys have the same value on both sides.
    async fn compare(&self, keys: Vec<Key>) -> Result<Vec<(Key, bool)>> {
        let pairs = keys.into_iter().map(async |key| {
            let ours = self.source.get(&key).await?;
            let theirs = self.target.get(&key).await?;
            let equal = ours.map(|object| object.bytes) == theirs.map(|object| object.bytes);
            Ok((key, equal))
        });
        join_all(pairs).await.into_iter().collect()
    }

    /// Copies what is missing: first what references name, then the references to that, last the
    /// references to those.
    pub(super) async fn copy(&mut self, namespace: &Namespace) -> Result<Sum> {
        let folder = |path| RelPath::parse(path).ok().map(|path| namespace.under(path));
        let references: Vec<Prefix> =
            ["refs/by-id", "refs/by-hash"].into_iter().filter_map(folder).collect();
        let except = references.iter().cloned();
        let walks = |storage| {
            except.clone().fold(Walk::namespace(storage, namespace), |walk, of| walk.without(of))
        };
        let mut sum = self.pass(walks(self.source), walks(self.target)).await?;
        for folder in references {
            let walk = |storage| Walk::folder(storage, folder.clone());
            sum = sum + self.pass(walk(self.source), walk(self.target)).await?;
        }
        Ok(sum)
    }

    async fn pass(&mut self, mut ours: Walk<'_>, mut theirs: Walk<'_>) -> Result<Sum> {
        let mut sum = Sum::default();
        loop {
            let mut moving = Vec::new();
            let mut bytes = 0;
            while moving.len() < WIDTH
                && bytes < BATCH_BYTES
                && let Some(entry) = ours.next().await?
            {
                bytes += entry.size;
                let there = meets(&mut theirs, &entry.key).await?;
                moving.push(Moving { key: entry.key, there });
            }
            if moving.is_empty() {
                return Ok(sum);
            }
            let values = join_all(moving.iter().map(|of| self.source.get(&of.key))).await;
            let mut new = Vec::new();
            for (Moving { key, there }, value) in moving.into_iter().zip(values) {
                // Gone since it was listed: then the sums differ, too, unless it was never read.
                let Some(Object { bytes, .. }) = value? else { continue };
                sum = sum + Sum::of(&key, &hash(&bytes));
                // Without `overwrite` the survey found it equal; if not, the check tells.
                match there {
                    true if self.overwrite => self.replace(key, bytes).await?,
                    true => {}
                    false => new.push((key, bytes)),
                }
            }
            for (key, bytes) in &new {
                self.before(key, bytes).await?;
            }
            self.write(new).await?;
            (self.tell)(Round::Copy, &self.summary);
        }
    }

    /// Copies what a reference names and the target does not have yet, since it was stored after
    /// its turn.
    async fn before(&mut self, key: &Key, bytes: &Body) -> Result<()> {
        let namespace = key.namespace();
        if key.path().starts_with("refs/by-id/") {
            if let Some(reference) = EntryRef::parse(bytes) {
                self.files_of(&namespace, &reference).await?;
            }
        } else if key.path().starts_with("refs/by-hash/") {
            let reference = HashRef::parse(bytes).unwrap_or_default();
            for version in reference.cache_ids.from_old_to_new() {
                let id = CacheId::parse(&version.cache_id);
                let id = id.and_then(|id| layout::id_reference(&namespace, &id).ok());
                let Some(id) = id else { continue };
                if self.target.stat(&id).await?.is_some() {
                    continue;
                }
                let Some(entry) = self.source.get(&id).await? else { continue };
                if let Some(reference) = EntryRef::parse(&entry.bytes) {
                    self.files_of(&namespace, &reference).await?;
                }
                self.write(vec![(id, entry.bytes)]).await?;
            }
        }
        Ok(())
    }

    async fn files_of(&mut self, namespace: &Namespace, reference: &EntryRef) -> Result<()> {
        for content in &reference.content_files {
            let Some(key) = namespace.key_from_physical(content) else { continue };
            if self.target.stat(&key).await?.is_some() {
                continue;
            }
            let mut files = Vec::new();
            for suffix in ["", ".config", ".metadata"] {
                let Some(key) = namespace.key_from_physical(&format!("{content}{suffix}")) else {
                    continue;
                };
                files.extend(self.source.get(&key).await?.map(|object| (key, object.bytes)));
            }
            self.write(files).await?;
        }
        Ok(())
    }

    /// Writes objects where nothing is. What others have put there meanwhile stays, and counts as
    /// skipped or as a conflict.
    async fn write(&mut self, mut objects: Vec<(Key, Body)>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some((first, _)) = objects.first() else { return Ok(()) };
            let mut batch = Batch::new(&first.namespace());
            for (key, bytes) in &objects {
                batch.put_if(key.clone(), bytes.clone(), Expect::Absent);
            }
            let bytes = batch.weight();
            match self.target.apply(batch).await {
                Ok(()) => {
                    self.summary.copied += objects.len() as u64;
                    self.summary.copied_bytes += bytes;
                    return Ok(());
                }
                Err(Error::Conflict { .. }) => objects = self.still_missing(objects).await?,
                Err(error) => return Err(error),
            }
        }
        let why = "others kept changing the target".into();
        Err(Error::Unavailable { backend: "target", source: why })
    }

    async fn still_missing(&mut self, objects: Vec<(Key, Body)>) -> Result<Vec<(Key, Body)>> {
        let mut missing = Vec::new();
        for (key, bytes) in objects {
            match self.target.get(&key).await? {
                None => missing.push((key, bytes)),
                Some(there) if there.bytes == bytes => self.summary.skipped += 1,
                Some(_) if self.overwrite => self.replace(key, bytes).await?,
                Some(_) => self.summary.conflicts.add(key.as_str()),
            }
        }
        Ok(missing)
    }

    /// Replaces another value.
    async fn replace(&mut self, key: Key, bytes: Body) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let there = self.target.get(&key).await?;
            if there.as_ref().is_some_and(|there| there.bytes == bytes) {
                return Ok(());
            }
            let expect = there.map_or(Expect::Absent, |there| Expect::At(there.version));
            let mut batch = Batch::new(&key.namespace());
            batch.put_if(key.clone(), bytes.clone(), expect);
            match self.target.apply(batch).await {
                Ok(()) => {
                    self.summary.copied += 1;
                    self.summary.replaced += 1;
                    self.summary.copied_bytes += bytes.len() as u64;
                    return Ok(());
                }
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let why = format!("others kept changing {key}").into();
        Err(Error::Unavailable { backend: "target", source: why })
    }

    /// Reads everything again from both sides.
    pub(super) async fn check(&mut self, namespace: &Namespace) -> Result<Sum> {
        let mut sum = Sum::default();
        let mut walk = Walk::namespace(self.source, namespace);
        loop {
            let mut keys = Vec::new();
            let mut bytes = 0;
            while keys.len() < WIDTH
                && bytes < BATCH_BYTES
                && let Some(entry) = walk.next().await?
            {
                bytes += entry.size;
                keys.push(entry.key);
            }
            if keys.is_empty() {
                return Ok(sum);
            }
            let hashes = join_all(keys.iter().map(async |key| {
                let ours = self.source.get(key).await?.map(|object| hash(&object.bytes));
                let theirs = self.target.get(key).await?.map(|object| hash(&object.bytes));
                Ok::<_, Error>((ours, theirs))
            }));
            for (key, both) in keys.iter().zip(hashes.await) {
                let (ours, theirs) = both?;
                let Some(ours) = ours else { continue };
                sum = sum + Sum::of(key, &ours);
                match theirs == Some(ours) {
                    true => self.summary.verified += 1,
                    false => self.summary.differing.add(key.as_str()),
                }
            }
            (self.tell)(Round::Check, &self.summary);
        }
    }
}

/// Moves a walk up to a key. Whether the key is there.
async fn meets(walk: &mut Walk<'_>, key: &Key) -> Result<bool> {
    while let Some(entry) = walk.peek().await? {
        if entry.key >= *key {
            return Ok(entry.key == *key);
        }
        walk.next().await?;
    }
    Ok(false)
}
