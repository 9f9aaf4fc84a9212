//! Deleting an entry.

use std::collections::HashSet;
use std::sync::Arc;

use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, FileType};
use super::refs::EntryRef;
use super::{ATTEMPTS, Cache, facts, layout};
use crate::key::{Key, Namespace};
use crate::storage::{Batch, Body, Depth, Expect, StorageExt};

/// What becomes of files that another entry has stored since.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shared<'a> {
    /// They go.
    Delete,
    /// They stay, unless it was one of these entries.
    SpareUnless(&'a [CacheId]),
}

/// How a hash reference lists an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    Not,
    Alone,
    WithOthers,
}

/// What a delete did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    cache_id: CacheId,
    /// Physical names of what was deleted; `None` when there was no such entry.
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    deleted: Vec<String>,
    /// Files the entry lists that were missing already.
    missing: Vec<String>,
}

impl Document for Deleted {
    fn write(&self, json: &mut Writer) {
        json.object(|json| match &self.outcome {
            None => {
                json.name("status").string("not_found");
                json.name("message").string(&format!("Cache ID {} not found", self.cache_id));
            }
            Some(Outcome { deleted, missing }) => {
                let status = if missing.is_empty() { "success" } else { "partial" };
                json.name("status").string(status);
                json.name("cache_id").string(self.cache_id.as_str());
                json.name("deleted_count").number(deleted.len() as u64);
                json.name("failed_count").number(missing.len() as u64);
                json.name("deleted_paths").strings(deleted);
                json.name("failed_paths").strings(missing);
            }
        });
    }
}

impl Cache {
    /// Deletes an entry, its files and its child data. Upstream: files that another entry reads, too,
    /// go all the same.
    pub async fn delete(&self, namespace: &Namespace, id: &CacheId) -> Result<Deleted> {
        self.delete_with(namespace, id, Shared::Delete).await
    }

    /// Deletes an entry. `shared` says what becomes of files that others have stored since.
    pub(super) async fn delete_with(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        shared: Shared<'_>,
    ) -> Result<Deleted> {
        // Where batches are not atomic, an attempt that failed may have deleted it; a later one that
        // finds it knows better.
        let mut hash_gone = None;
        for _ in 0..ATTEMPTS {
            let Some(entry) = self.entry(namespace, id).await? else {
                return Ok(Deleted { cache_id: *id, outcome: None });
            };
            let (reference, version) = (entry.reference, entry.object.version);
            // The reverse of a store: the hash reference first, so that it never names an entry
            // that is gone, then the entry, then what it names.
            let mut batch = Batch::new(namespace);
            if let Ok(hash_key) = layout::hash_reference(namespace, &reference.cache_hash) {
                hash_gone = match self.unlist(&mut batch, &hash_key, id).await? {
                    Some(Listed::Alone) => Some(hash_key.to_string()),
                    Some(_) => None,
                    None => hash_gone,
                };
            }
            batch.then();
            let id_key = layout::id_reference(namespace, id)?;
            let id_path = id_key.to_string();
            batch.delete_if(id_key, Expect::At(version));
            batch.then();
            let (mut deleted, mut missing) = (Vec::new(), Vec::new());
            let owned = self.owns_files(namespace, &reference, shared).await?;
            let files = if owned { reference.all_paths.data.as_slice() } else { &[] };
            for path in files {
                let Some(key) = namespace.key_from_physical(path) else { continue };
                match self.storage.stat(&key).await? {
                    Some(stat) => {
                        deleted.push(path.clone());
                        // Guarded, so that what someone stores there meanwhile stays.
                        batch.delete_if(key, Expect::At(stat.version));
                    }
                    None => missing.push(path.clone()),
                }
            }
            if owned {
                for key in self.children_to_delete(namespace, &reference).await? {
                    batch.delete(key);
                }
            }
            deleted.extend(hash_gone.clone());
            deleted.push(id_path);
            match self.storage.apply(batch).await {
                Ok(()) => {
                    self.forget(namespace, &reference, id);
                    let outcome = Some(Outcome { deleted, missing });
                    return Ok(Deleted { cache_id: *id, outcome });
                }
                Err(crate::storage::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    /// Adds to a batch what takes an entry out of a hash reference, which goes with the last one it lists.
    /// `None` when there is no such reference.
    pub(super) async fn unlist(
        &self,
        batch: &mut Batch,
        hash_key: &Key,
        id: &CacheId,
    ) -> Result<Option<Listed>> {
        let Some((mut hash_ref, version)) = self.hash_reference(hash_key).await? else {
            return Ok(None);
        };
        Ok(Some(if !hash_ref.remove(id.as_str()) {
            Listed::Not
        } else if hash_ref.cache_ids.is_empty() {
            batch.delete_if(hash_key.clone(), Expect::At(version));
            Listed::Alone
        } else {
            batch.put_if(hash_key.clone(), Body::of(Arc::new(hash_ref)), Expect::At(version));
            Listed::WithOthers
        }))
    }

    /// Whether the files of an entry go with it.
    async fn owns_files(
        &self,
        namespace: &Namespace,
        reference: &EntryRef,
        shared: Shared<'_>,
    ) -> Result<bool> {
        let Shared::SpareUnless(ids) = shared else { return Ok(true) };
        let Some(content) = reference.content_files.first() else { return Ok(true) };
        let owner = self.owner_of(namespace, content).await?;
        Ok(owner.is_none_or(|owner| ids.iter().any(|id| id.as_str() == owner)))
    }

    /// The entry that stored a content file last, as the metadata beside it says.
    pub(super) async fn owner_of(
        &self,
        namespace: &Namespace,
        content: &str,
    ) -> Result<Option<String>> {
        let Some(key) = namespace.key_from_physical(&format!("{content}.metadata")) else {
            return Ok(None);
        };
        let object = self.storage.get(&key).await?;
        let stored = object.and_then(|object| facts::stored_data(&object.bytes));
        Ok(stored.and_then(|stored| stored.cache_id))
    }

    /// The child data that goes with an entry: all of it, unless another entry owns the folder too.
    /// That is so when the content was stored again by another entry since (the metadata names the
    /// last one), or when there is content of the other file type beside it.
    async fn children_to_delete(
        &self,
        namespace: &Namespace,
        reference: &EntryRef,
    ) -> Result<Vec<Key>> {
        let mut children = Vec::new();
        for (folder, content) in reference.data_folders.iter().zip(&reference.content_files) {
            let Some(prefix) = namespace.folder_from_physical(folder) else { continue };
            let owner = self.owner_of(namespace, content).await?;
            if owner.is_some_and(|owner| owner != reference.cache_id) {
                continue;
            }
            let stem = folder.strip_suffix("/data").unwrap_or(folder);
            let sibling = match reference.file_type {
                FileType::Json => FileType::Binary,
                FileType::Binary => FileType::Json,
            };
            let sibling = format!("{stem}.{}", sibling.extension());
            let sibling_is_ours = reference.content_files.contains(&sibling);
            if !sibling_is_ours
                && let Some(key) = namespace.key_from_physical(&sibling)
                && self.storage.stat(&key).await?.is_some()
            {
                continue;
            }
            let (entries, _) = self.storage.list_all(&prefix, Depth::All).await?;
            children.extend(entries.into_iter().map(|entry| entry.key));
        }
        // A folder of one copy cannot lie in another's, but references of other programs may say so.
        children.sort_unstable();
        children.dedup();
        // Upstream: the content of an entry with a cache key such as `a/ID/data` lies in a data
        // folder. Child data never has side files, which tells the two apart.
        let known: HashSet<String> = children.iter().map(Key::to_string).collect();
        children.retain(|key| {
            let name = key.as_str();
            let stem = name.strip_suffix(".config").or_else(|| name.strip_suffix(".metadata"));
            let stem = stem.unwrap_or(name);
            let beside = |suffix: &str| known.contains(&format!("{stem}{suffix}"));
            !(beside(".config") || beside(".metadata"))
        });
        children.retain(|key| !reference.all_paths.data.iter().any(|path| path == key.as_str()));
        Ok(children)
    }
}
