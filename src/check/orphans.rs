//! Files that no entry leads to.

use std::collections::HashSet;

use super::Kind;
use super::entry::data_folder;
use super::files::{child_folders, content_name};
use super::inspect::{Inspector, at, next_keys, stray};
use super::{Finding, Outcome, Repair};
use crate::cache::document::Document;
use crate::cache::ident::FileType;
use crate::cache::layout;
use crate::cache::refs::{EntryRef, FileMetadata, Paths, REFERENCE_INDENT};
use crate::key::Key;
use crate::storage::walk::Walk;
use crate::storage::{Batch, Expect, Object, Result};

/// What a file without an entry turns out to be.
enum Lone {
    /// Nothing to speak of: it has an entry after all, or is too young.
    Fine { young: bool },
    /// Content of an entry whose reference cannot be read.
    Of(String),
    /// An orphan, with the files that go together.
    Orphan(Kind, String, Vec<(Key, Object)>),
    /// Something else.
    Stray,
}

impl Inspector<'_> {
    /// Goes through the files and finds those that no entry leads to.
    pub(super) async fn files(&mut self) -> Result<()> {
        let Some(folder) = self.folder("data") else { return Ok(()) };
        let mut walk = Walk::folder(self.storage, folder);
        // Folders of child data of content that is an orphan: their files are, too.
        let mut bereft = HashSet::new();
        loop {
            let keys = next_keys(&mut walk).await?;
            if keys.is_empty() {
                return Ok(());
            }
            self.summary.files += keys.len() as u64;
            for key in keys {
                if !self.owned.covers(&key) {
                    self.lone(key, &mut bereft).await?;
                }
            }
            self.report(Vec::new());
        }
    }

    async fn lone(&mut self, key: Key, bereft: &mut HashSet<String>) -> Result<()> {
        match self.what_is(&key, bereft).await? {
            Lone::Fine { young } => self.summary.young += u64::from(young),
            Lone::Stray => self.report(vec![stray(&key)]),
            Lone::Of(id) => {
                if let Some((_, _, contents)) = self.unreadable.get_mut(&id) {
                    contents.push(key);
                }
            }
            Lone::Orphan(kind, detail, together) => {
                if kind == Kind::OrphanContent {
                    bereft.insert(data_folder(key.as_str()));
                }
                let mut outcome = Outcome::Repairable;
                if self.may(Repair::Orphans) {
                    outcome = match self.carry_out(deletion(&self.namespace, together)).await? {
                        true => Outcome::Repaired,
                        false => Outcome::Left("someone changed it just now"),
                    };
                }
                self.report(vec![Finding { kind, key: key.to_string(), detail, outcome }]);
            }
        }
        Ok(())
    }

    /// Looks closer at a file that no entry leads to. Entries may have been stored since they were
    /// gone through.
    async fn what_is(&mut self, key: &Key, bereft: &HashSet<String>) -> Result<Lone> {
        let Some(object) = self.storage.get(key).await? else {
            return Ok(Lone::Fine { young: false });
        };
        let content = content_name(key.as_str()).to_owned();
        if content != key.as_str() {
            return self.side_file(key, object, &content).await;
        }
        let beside = |suffix: &str| self.namespace.key_from_physical(&format!("{content}{suffix}"));
        let (Some(metadata), Some(config)) = (beside(".metadata"), beside(".config")) else {
            return Ok(Lone::Stray);
        };
        let metadata = self.with_object(metadata).await?;
        let config = self.with_object(config).await?;
        let alone = metadata.1.is_none() && config.1.is_none();
        if alone && let Some(folder) = child_folders(key).last() {
            return self.child(key, object, folder, bereft).await;
        }
        if !(content.ends_with(".json") || content.ends_with(".bin")) {
            return Ok(Lone::Stray);
        }
        let known = metadata.1.as_ref().and_then(|object| FileMetadata::parse(&object.bytes));
        let stem = key.name().rsplit_once('.').map_or("", |(stem, _)| stem);
        let id = known.as_ref().and_then(|known| known.data.cache_id.as_deref()).unwrap_or(stem);
        if self.unreadable.contains_key(id) && known.is_some() {
            return Ok(Lone::Of(id.to_owned()));
        }
        if self.entry_has(id, &content).await? {
            return Ok(Lone::Fine { young: false });
        }
        let stored_at = known.as_ref().and_then(|known| known.data.stored_at);
        if self.young(stored_at) {
            return Ok(Lone::Fine { young: true });
        }
        let detail = match &known {
            Some(_) => format!("stored by {id}, which does not lead to it"),
            None => "without metadata that says whose it is".to_owned(),
        };
        let mut together = vec![(key.clone(), object)];
        for (key, object) in [metadata, config] {
            together.extend(object.map(|object| (key, object)));
        }
        Ok(Lone::Orphan(Kind::OrphanContent, detail, together))
    }

    async fn side_file(&self, key: &Key, object: Object, content: &str) -> Result<Lone> {
        let Some(content_key) = self.namespace.key_from_physical(content) else {
            return Ok(Lone::Stray);
        };
        if self.storage.stat(&content_key).await?.is_some() {
            // Spoken of with its content.
            return Ok(Lone::Fine { young: false });
        }
        let known = FileMetadata::parse(&object.bytes);
        if self.young(known.and_then(|known| known.data.stored_at)) {
            return Ok(Lone::Fine { young: true });
        }
        let detail = format!("nothing at {content}");
        Ok(Lone::Orphan(Kind::OrphanSideFile, detail, vec![(key.clone(), object)]))
    }

    async fn child(
        &self,
        key: &Key,
        object: Object,
        folder: &str,
        bereft: &HashSet<String>,
    ) -> Result<Lone> {
        // Data keys may have a segment `data`, too, so any of the folders above may be the one.
        if !child_folders(key).any(|folder| bereft.contains(folder)) {
            for folder in child_folders(key) {
                let stem = folder.strip_suffix("/data").unwrap_or(folder);
                for kind in [FileType::Json, FileType::Binary] {
                    let name = format!("{stem}.{}", kind.extension());
                    let Some(content) = self.namespace.key_from_physical(&name) else { continue };
                    // Stored since the files were gone through, or of an entry that cannot be read.
                    if self.storage.stat(&content).await?.is_some() {
                        return Ok(Lone::Fine { young: false });
                    }
                }
            }
        }
        let detail = format!("no entry has the folder {folder}");
        Ok(Lone::Orphan(Kind::OrphanChildData, detail, vec![(key.clone(), object)]))
    }

    /// Whether an entry is there and names this content; if so, its places are noted.
    async fn entry_has(&mut self, id: &str, content: &str) -> Result<bool> {
        let Some(key) = self.id_key(id) else { return Ok(false) };
        let Some(object) = self.storage.get(&key).await? else { return Ok(false) };
        let Some(reference) = EntryRef::parse(&object.bytes) else { return Ok(false) };
        let has = reference.content_files.iter().any(|path| path == content);
        if has {
            self.owned.add(&reference);
        }
        Ok(has)
    }

    fn young(&self, stored_at: Option<u64>) -> bool {
        let since = self.options.now_ms.saturating_sub(self.options.grace_ms);
        stored_at.is_some_and(|stored_at| stored_at > since)
    }

    /// Tells of the entry references that cannot be read, and writes those again whose content was
    /// found.
    pub(super) async fn rescue(&mut self) -> Result<()> {
        let mut unreadable: Vec<_> = std::mem::take(&mut self.unreadable).into_iter().collect();
        unreadable.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (id, (key, version, contents)) in unreadable {
            let detail = "not an entry reference".to_owned();
            let found = vec![(Kind::EntryUnreadable, detail)];
            let Some(reference) = self.rebuilt(&id, &key, &contents).await? else {
                let mut findings = self.findings(&key, found, false);
                let why = "no content says that it is this entry's";
                findings.iter_mut().for_each(|of| of.outcome = Outcome::Left(why));
                self.report(findings);
                continue;
            };
            let mut repaired = false;
            if self.may(Repair::References) {
                let mut batch = Batch::new(&self.namespace);
                let document = reference.indented(REFERENCE_INDENT);
                batch.put_if(key.clone(), document, Expect::At(version));
                repaired = self.carry_out(batch).await?;
            }
            let findings = self.findings(&key, found, repaired);
            self.report(findings);
            if repaired {
                // Its hash reference may not list it.
                let found = self.look_at_entry(&key).await?;
                self.report(found.findings);
            }
        }
        Ok(())
    }

    /// An entry made anew from the metadata of its content.
    async fn rebuilt(&self, id: &str, key: &Key, contents: &[Key]) -> Result<Option<EntryRef>> {
        let Some(first) = contents.first() else { return Ok(None) };
        let Some(beside) = self.namespace.key_from_physical(&format!("{first}.metadata")) else {
            return Ok(None);
        };
        let metadata = self.storage.get(&beside).await?;
        let metadata = metadata.and_then(|object| FileMetadata::parse(&object.bytes));
        let Some(data) = metadata.map(|metadata| metadata.data) else { return Ok(None) };
        let (Some(hash), Some(strategy)) = (data.cache_hash, data.strategy) else {
            return Ok(None);
        };
        let mut contents: Vec<String> = contents.iter().map(Key::to_string).collect();
        // The order of the strategies' handlers; see the layout.
        contents.sort_by_key(|path| {
            let folder = |name: &str| path.contains(name);
            match strategy.as_str() {
                "temporal_latest" => u8::from(!folder("/temporal-latest/latest/")),
                _ => u8::from(folder("-versioned/latest/")) + 2 * u8::from(folder("/versions/v1/")),
            }
        });
        let by_hash = layout::hash_reference(&self.namespace, &hash);
        let suffixed = |path: &String| ["", ".config", ".metadata"].map(|of| format!("{path}{of}"));
        let mut data_paths: Vec<String> = contents.iter().flat_map(suffixed).collect();
        data_paths.sort_unstable();
        let binary = data.file_type.as_deref() == Some(FileType::Binary.name());
        Ok(Some(EntryRef {
            all_paths: Paths {
                data: data_paths,
                by_hash: by_hash.iter().map(Key::to_string).collect(),
                by_id: vec![key.to_string()],
            },
            cache_id: id.to_owned(),
            cache_hash: hash,
            data_folders: contents.iter().map(|content| data_folder(content)).collect(),
            content_files: contents,
            file_type: if binary { FileType::Binary } else { FileType::Json },
            namespace: self.namespace.to_string(),
            strategy,
            timestamp: data.stored_at.unwrap_or_default(),
        }))
    }
}

/// The deletion of files as they were read: what says whose it is goes first, so that a store under
/// way there stops it.
fn deletion(namespace: &crate::key::Namespace, mut together: Vec<(Key, Object)>) -> Batch {
    together.sort_by_key(|(key, _)| !key.as_str().ends_with(".metadata"));
    let mut batch = Batch::new(namespace);
    for (key, object) in together {
        batch.delete_if(key, at(Some(object)));
        batch.then();
    }
    batch
}
