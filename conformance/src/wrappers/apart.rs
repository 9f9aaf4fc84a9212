//! A whole store among others in one: its namespaces are namespaces of the store below, behind a prefix.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use larder::key::{Key, MAX_NAMESPACE_CHARS, Namespace, Prefix, RelPath};
use larder::storage::{
    Batch, Change, Cursor, Depth, Entry, Error, List, Object, Page, Promises, Result, Stat,
    Storage, StorageExt as _,
};

/// Names of namespaces that had to be cut short, by what they were cut to. All handles share one, or
/// some list such a name as it is below.
#[derive(Debug, Default)]
pub struct LongNames(Mutex<HashMap<String, String>>);

/// A store whose namespaces all begin with a prefix and `_` in the store below, and whose root
/// namespace is the one called like the prefix. Names keep all their relations. They are shorter by
/// the prefix.
#[derive(Debug)]
pub struct Apart {
    store: Arc<dyn Storage>,
    prefix: String,
    long: Arc<LongNames>,
}

impl Apart {
    /// In the namespaces of a store that begin with this prefix, which must be fit for the name of a
    /// namespace and hold no `_`.
    pub fn new(store: Arc<dyn Storage>, prefix: impl Into<String>, long: Arc<LongNames>) -> Self {
        Self { store, prefix: prefix.into(), long }
    }

    /// The namespace below that stands for one here.
    fn inside(&self, namespace: &Namespace) -> Result<Namespace> {
        let (prefix, name) = (&self.prefix, namespace.as_str());
        let mut inside = if name.is_empty() { prefix.clone() } else { format!("{prefix}_{name}") };
        if inside.len() > MAX_NAMESPACE_CHARS {
            let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
            inside = format!("{prefix}_-cut-{hash:016x}");
            let mut long = self.long.0.lock().unwrap_or_else(PoisonError::into_inner);
            long.insert(inside.clone(), name.to_owned());
        }
        Namespace::parse(&inside).ok_or_else(|| trouble(format!("no namespace: {inside}")))
    }

    fn key_in(&self, key: &Key) -> Result<Key> {
        let namespace = self.inside(&key.namespace())?;
        let path = RelPath::parse(key.path()).map_err(|error| trouble(error.to_string()))?;
        namespace.key(path).map_err(|error| trouble(error.to_string()))
    }

    fn folder_in(&self, folder: &Prefix) -> Result<Prefix> {
        let namespace = self.inside(folder.namespace())?;
        let own = folder.namespace().everything();
        let path = folder.as_str()[own.as_str().len()..].trim_end_matches('/');
        if path.is_empty() {
            return Ok(namespace.everything());
        }
        let path = RelPath::parse(path).map_err(|error| trouble(error.to_string()))?;
        Ok(namespace.under(path))
    }

    fn cursor_in(&self, cursor: &Cursor) -> Result<Cursor> {
        Ok(match cursor {
            Cursor::Key(key) => Cursor::Key(self.key_in(key)?),
            Cursor::Folder(folder) => Cursor::Folder(self.folder_in(folder)?),
        })
    }

    /// A conflict names the key as it is called here.
    fn error_out(&self, namespace: &Namespace, error: Error) -> Error {
        match error {
            Error::Conflict { key } => match key_out(namespace, &key) {
                Ok(key) => Error::Conflict { key },
                Err(error) => error,
            },
            other => other,
        }
    }
}

fn namespace_of(cursor: &Cursor) -> Namespace {
    match cursor {
        Cursor::Key(key) => key.namespace(),
        Cursor::Folder(folder) => folder.namespace().clone(),
    }
}

/// Where a cursor of one namespace stands in a listing of another.
enum Elsewhere {
    Before,
    Behind,
    At(Cursor),
}

/// By the order of names as they are here, which is not that of what stands for them.
fn elsewhere(listed: &Prefix, cursor: &Cursor) -> Elsewhere {
    let text = match cursor {
        Cursor::Key(key) => key.as_str(),
        Cursor::Folder(folder) => folder.as_str(),
    };
    if !text.starts_with(listed.as_str()) {
        return if text < listed.as_str() { Elsewhere::Before } else { Elsewhere::Behind };
    }
    // Only the root namespace has others between its keys, which lie in two folders, as do theirs.
    if let own @ ("data" | "refs") = listed.namespace().as_str() {
        return match RelPath::parse("data") {
            _ if text < format!("{own}/data/").as_str() => Elsewhere::Before,
            Ok(data) if text < format!("{own}/refs/").as_str() => {
                Elsewhere::At(Cursor::Folder(listed.namespace().under(data)))
            }
            _ => Elsewhere::Behind,
        };
    }
    let root = listed.namespace();
    for folder in ["data", "refs"] {
        let inside = format!("{folder}/");
        if text < inside.as_str() {
            return match RelPath::parse("data") {
                Ok(data) if folder == "refs" => Elsewhere::At(Cursor::Folder(root.under(data))),
                _ => Elsewhere::Before,
            };
        }
        if let Some(rest) = text.strip_prefix(&inside) {
            // `data/data/…` of the namespace `data`: behind everything that begins with `data/data.`.
            let second = rest.split('/').next().unwrap_or_default();
            let at = root.key_from_physical(&format!("{inside}{second}.\u{10ffff}"));
            return at.map_or(Elsewhere::Before, |key| Elsewhere::At(Cursor::Key(key)));
        }
    }
    Elsewhere::Behind
}

fn key_out(namespace: &Namespace, key: &Key) -> Result<Key> {
    let path = RelPath::parse(key.path()).map_err(|error| trouble(error.to_string()))?;
    namespace.key(path).map_err(|error| trouble(error.to_string()))
}

fn folder_out(namespace: &Namespace, inside: &Namespace, folder: &Prefix) -> Result<Prefix> {
    let path = folder.as_str()[inside.everything().as_str().len()..].trim_end_matches('/');
    let path = RelPath::parse(path).map_err(|error| trouble(error.to_string()))?;
    Ok(namespace.under(path))
}

fn trouble(what: String) -> Error {
    Error::Other { backend: "apart", source: what.into() }
}

#[async_trait]
impl Storage for Apart {
    fn promises(&self) -> Promises {
        self.store.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.store.get(&self.key_in(key)?).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.store.stat(&self.key_in(key)?).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let namespace = batch.namespace().clone();
        let mut inside = Batch::new(&self.inside(&namespace)?);
        for step in batch.into_steps() {
            inside.then();
            for change in step {
                match change {
                    Change::Put { key, bytes, expect } => {
                        inside.put_if(self.key_in(&key)?, bytes, expect);
                    }
                    Change::Delete { key, expect } => {
                        inside.delete_if(self.key_in(&key)?, expect);
                    }
                }
            }
        }
        self.store.apply(inside).await.map_err(|error| self.error_out(&namespace, error))
    }

    async fn list(&self, query: List) -> Result<Page> {
        let namespace = query.prefix.namespace().clone();
        let inside = self.inside(&namespace)?;
        let after = match &query.after {
            None => None,
            Some(cursor) if namespace_of(cursor) == namespace => Some(self.cursor_in(cursor)?),
            Some(foreign) => match elsewhere(&query.prefix, foreign) {
                Elsewhere::Before => None,
                Elsewhere::Behind => return Ok(Page::default()),
                Elsewhere::At(cursor) => Some(self.cursor_in(&cursor)?),
            },
        };
        let prefix = self.folder_in(&query.prefix)?;
        let page = self.store.list(List { prefix, after, ..query }).await?;
        let entry = |entry: Entry| {
            Ok::<_, Error>(Entry { key: key_out(&namespace, &entry.key)?, size: entry.size })
        };
        let folder = |folder: &Prefix| folder_out(&namespace, &inside, folder);
        Ok(Page {
            entries: page.entries.into_iter().map(entry).collect::<Result<_>>()?,
            folders: page.folders.iter().map(folder).collect::<Result<_>>()?,
            next: match page.next {
                None => None,
                Some(Cursor::Key(key)) => Some(Cursor::Key(key_out(&namespace, &key)?)),
                Some(Cursor::Folder(last)) => Some(Cursor::Folder(folder(&last)?)),
            },
        })
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        let own = format!("{}_", self.prefix);
        let mut names = Vec::new();
        for namespace in self.store.namespaces().await? {
            if namespace.as_str() == self.prefix {
                // The root namespace shows as the first segments of its keys.
                let (_, folders) =
                    self.store.list_all(&namespace.everything(), Depth::Children).await?;
                names.extend(folders.iter().map(|folder| folder.name().to_owned()));
            }
            let cut = self.long.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(name) = cut.get(namespace.as_str()) {
                names.extend(namespace.as_str().starts_with(&own).then(|| name.clone()));
            } else if let Some(name) = namespace.as_str().strip_prefix(&own) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.dedup();
        let parsed = names.iter().map(|name| {
            Namespace::parse(name).ok_or_else(|| trouble(format!("no namespace: {name}")))
        });
        parsed.collect()
    }
}
