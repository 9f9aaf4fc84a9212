//! Deleting an entry.

use super::document::{Document, Writer};
use super::error::{Error, Result};
use super::ident::{CacheId, FileType};
use super::refs::{EntryRef, REFERENCE_INDENT};
use super::{ATTEMPTS, Cache, layout};
use crate::key::{Key, Namespace};
use crate::storage::{Batch, Depth, Expect, StorageExt};

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
    /// Deletes an entry, its files and its child data.
    pub async fn delete(&self, namespace: &Namespace, id: &CacheId) -> Result<Deleted> {
        for _ in 0..ATTEMPTS {
            let Some((reference, version)) = self.entry(namespace, id.as_str()).await? else {
                return Ok(Deleted { cache_id: id.clone(), outcome: None });
            };
            // The reverse of a store: the hash reference first, so that it never names an entry
            // that is gone, then the entry, then what it names.
            let mut batch = Batch::new(namespace);
            let mut references_gone = Vec::new();
            if let Ok(hash_key) = layout::hash_reference(namespace, &reference.cache_hash)
                && let Some((mut hash_ref, version)) = self.hash_reference(&hash_key).await?
            {
                let listed = hash_ref.remove(id.as_str());
                if listed && hash_ref.cache_ids.is_empty() {
                    references_gone.push(hash_key.to_string());
                    batch.delete_if(hash_key, Expect::At(version));
                } else if listed {
                    let document = hash_ref.indented(REFERENCE_INDENT);
                    batch.put_if(hash_key, document, Expect::At(version));
                }
            }
            batch.then();
            let id_key = layout::id_reference(namespace, id)?;
            references_gone.push(id_key.to_string());
            batch.delete_if(id_key, Expect::At(version));
            batch.then();
            let (mut deleted, mut missing) = (Vec::new(), Vec::new());
            for path in &reference.all_paths.data {
                let Some(key) = namespace.key_from_physical(path) else { continue };
                match self.storage.stat(&key).await? {
                    Some(_) => {
                        deleted.push(path.clone());
                        batch.delete(key);
                    }
                    None => missing.push(path.clone()),
                }
            }
            for key in self.children_to_delete(namespace, &reference).await? {
                batch.delete(key);
            }
            deleted.append(&mut references_gone);
            match self.storage.apply(batch).await {
                Ok(()) => {
                    self.forget(namespace, &reference, id);
                    let outcome = Some(Outcome { deleted, missing });
                    return Ok(Deleted { cache_id: id.clone(), outcome });
                }
                Err(crate::storage::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy { attempts: ATTEMPTS })
    }

    /// The child data that goes with an entry: all of it, unless another entry owns the folder too.
    /// That is so when the content was stored again by another entry since (the metadata names the
    /// last one), or when there is content of the other file type beside it.
    async fn children_to_delete(
        &self,
        namespace: &Namespace,
        reference: &EntryRef,
    ) -> Result<Vec<Key>> {
        let metadata = self.metadata_of(namespace, reference).await?;
        let owner = metadata.and_then(|metadata| metadata.data.cache_id);
        if owner.is_some_and(|owner| owner != reference.cache_id) {
            return Ok(Vec::new());
        }
        let mut children = Vec::new();
        for folder in &reference.data_folders {
            let Some(prefix) = namespace.folder_from_physical(folder) else { continue };
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
        children.retain(|key| !reference.all_paths.data.iter().any(|path| path == key.as_str()));
        Ok(children)
    }
}
