//! The raw storage browser: any key, across namespaces.
//!
//! A path that is no clean key of any namespace names nothing: what cannot have been stored cannot
//! be found, read or deleted, on any backend.

use bytes::Bytes;

use super::Cache;
use super::error::Result;
use crate::key::{Key, Namespace, RelPath};
use crate::storage::{Batch, Depth, StorageExt};

impl Cache {
    /// Whether there is a file at a physical path.
    pub async fn raw_exists(&self, path: &str) -> Result<bool> {
        match Key::parse_physical(path) {
            Some(key) => Ok(self.storage.stat(&key).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Reads the file at a physical path.
    pub async fn raw_read(&self, path: &str) -> Result<Option<Bytes>> {
        match Key::parse_physical(path) {
            Some(key) => Ok(self.storage.get(&key).await?.map(|object| object.bytes.into_bytes())),
            None => Ok(None),
        }
    }

    /// Deletes the file at a physical path. Returns whether there was one.
    pub async fn raw_delete(&self, path: &str) -> Result<bool> {
        let Some(key) = Key::parse_physical(path) else { return Ok(false) };
        if self.storage.stat(&key).await?.is_none() {
            return Ok(false);
        }
        let mut batch = Batch::new(&key.namespace());
        batch.delete(key);
        self.storage.apply(batch).await?;
        Ok(true)
    }

    /// The physical names of all files below a folder, sorted; of the whole store for an empty path.
    pub async fn raw_files(&self, folder: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let folder = trim_slash(folder);
        if folder.is_empty() {
            let mut namespaces = self.storage.namespaces().await?;
            namespaces.push(Namespace::root());
            for namespace in namespaces {
                let entries = self.everything(&namespace).await?;
                files.extend(entries.iter().map(|entry| entry.key.to_string()));
            }
        } else {
            for prefix in prefixes(folder) {
                let (entries, _) = self.storage.list_all(&prefix, Depth::All).await?;
                files.extend(entries.iter().map(|entry| entry.key.to_string()));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// The physical names of the files directly in a folder, sorted.
    pub async fn raw_files_in(&self, folder: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for prefix in prefixes(trim_slash(folder)) {
            let (entries, _) = self.storage.list_all(&prefix, Depth::Children).await?;
            files.extend(entries.iter().map(|entry| entry.key.to_string()));
        }
        files.sort_unstable();
        Ok(files)
    }

    /// The physical names of the folders directly in a folder, sorted, without slashes at their end.
    pub async fn raw_folders_in(&self, folder: &str) -> Result<Vec<String>> {
        let folder = trim_slash(folder);
        if folder.is_empty() {
            let namespaces = self.storage.namespaces().await?;
            return Ok(namespaces.iter().map(ToString::to_string).collect());
        }
        let mut folders = Vec::new();
        for prefix in prefixes(folder) {
            let (_, found) = self.storage.list_all(&prefix, Depth::Children).await?;
            folders.extend(found.iter().map(|folder| trim_slash(folder.as_str()).to_owned()));
        }
        folders.sort_unstable();
        folders.dedup();
        Ok(folders)
    }

    /// The physical names of the folders at any depth below a folder, sorted.
    pub async fn raw_folders(&self, folder: &str) -> Result<Vec<String>> {
        let above = trim_slash(folder).len();
        let mut folders: Vec<String> = Vec::new();
        for file in self.raw_files(folder).await? {
            let ends = file.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
            folders.extend(ends.filter(|at| *at > above).map(|at| file[..at].to_owned()));
        }
        folders.sort_unstable();
        folders.dedup();
        Ok(folders)
    }
}

fn trim_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// What a physical folder can be: a folder of the namespace named first, and, for names that start
/// with the folders of the root namespace, one of that.
fn prefixes(folder: &str) -> Vec<crate::key::Prefix> {
    let mut prefixes = Vec::new();
    let (first, rest) = folder.split_once('/').unwrap_or((folder, ""));
    if let Some(namespace) = Namespace::parse(first) {
        match RelPath::parse(rest) {
            _ if rest.is_empty() => prefixes.push(namespace.everything()),
            Ok(rest) => prefixes.push(namespace.under(rest)),
            Err(_) => {}
        }
    }
    if let (true, Ok(path)) = (first == "data" || first == "refs", RelPath::parse(folder)) {
        prefixes.push(Namespace::root().under(path));
    }
    prefixes
}
