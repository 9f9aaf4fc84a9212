//! A whole store inside one namespace of another.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use larder::key::{InvalidName, Key, Namespace, Prefix, RelPath};
use larder::storage::{
    Batch, Change, Cursor, Depth, Entry, Error, List, Object, Page, Promises, Result, Stat, Storage,
};

/// Keeps everything in one namespace of the store below, so that several can share it. Names are
/// shorter by that namespace and a slash.
#[derive(Debug)]
pub struct Within {
    inner: Arc<dyn Storage>,
    space: Namespace,
}

fn too_long(source: InvalidName) -> Error {
    Error::Other { backend: "within", source: source.into() }
}

impl Within {
    /// In a namespace of a store.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, space: Namespace) -> Self {
        Self { inner, space }
    }

    fn inward(&self, name: &str) -> Result<Key> {
        self.space.key(RelPath::parse(name).map_err(too_long)?).map_err(too_long)
    }

    fn folder_inward(&self, name: &str) -> Result<Prefix> {
        match name.trim_end_matches('/') {
            "" => Ok(self.space.everything()),
            path => Ok(self.space.under(RelPath::parse(path).map_err(too_long)?)),
        }
    }

    fn cursor_inward(&self, cursor: &Cursor) -> Result<Cursor> {
        match cursor {
            Cursor::Key(key) => self.inward(key.as_str()).map(Cursor::Key),
            Cursor::Folder(folder) => self.folder_inward(folder.as_str()).map(Cursor::Folder),
        }
    }

    /// A name as it is called here. Everything in the namespace was put there from here.
    fn outward<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.space.everything().as_str()).unwrap_or_default()
    }

    fn cursor_outward(&self, cursor: &Cursor) -> Option<Cursor> {
        match cursor {
            Cursor::Key(key) => Key::parse_physical(self.outward(key.as_str())).map(Cursor::Key),
            Cursor::Folder(folder) => {
                let name = self.outward(folder.as_str());
                let root = Namespace::root().everything().folder_from_physical(name);
                let named = || {
                    let everything = Namespace::parse(name.split('/').next()?)?.everything();
                    let whole = (everything.as_str() == name).then(|| everything.clone());
                    whole.or_else(|| everything.folder_from_physical(name))
                };
                root.or_else(named).map(Cursor::Folder)
            }
        }
    }

    /// Whether a folder of the root namespace, which may be shared with a namespace that is called
    /// like it, has a key of the root namespace in it.
    async fn is_roots(&self, folder: &Prefix, after: Option<&Cursor>) -> Result<bool> {
        let mut query = List {
            prefix: self.folder_inward(folder.as_str())?,
            depth: Depth::All,
            after: after.map(|after| self.cursor_inward(after)).transpose()?,
            limit: NonZeroUsize::MIN.saturating_add(99),
        };
        loop {
            let page = self.inner.list(query.clone()).await?;
            let mut names = page.entries.iter().map(|entry| self.outward(entry.key.as_str()));
            if names.any(|name| folder.key_from_physical(name).is_some()) {
                return Ok(true);
            }
            match page.next {
                None => return Ok(false),
                next => query.after = next,
            }
        }
    }
}

#[async_trait]
impl Storage for Within {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.inner.get(&self.inward(key.as_str())?).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.inner.stat(&self.inward(key.as_str())?).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let mut inside = Batch::new(&self.space);
        for step in batch.into_steps() {
            inside.then();
            for change in step {
                let key = self.inward(change.key().as_str())?;
                match change {
                    Change::Put { bytes, expect, .. } => inside.put_if(key, bytes, expect),
                    Change::Delete { expect, .. } => inside.delete_if(key, expect),
                }
            }
        }
        self.inner.apply(inside).await.map_err(|error| match error {
            Error::Conflict { key } => Error::Conflict {
                key: Key::parse_physical(self.outward(key.as_str())).unwrap_or(key),
            },
            other => other,
        })
    }

    async fn list(&self, query: List) -> Result<Page> {
        let page = self
            .inner
            .list(List {
                prefix: self.folder_inward(query.prefix.as_str())?,
                depth: query.depth,
                after: query.after.as_ref().map(|after| self.cursor_inward(after)).transpose()?,
                limit: query.limit,
            })
            .await?;
        // A page may lose what other namespaces have in a folder of the root namespace.
        let entries = page.entries.iter().filter_map(|entry| {
            let key = query.prefix.key_from_physical(self.outward(entry.key.as_str()))?;
            Some(Entry { key, size: entry.size })
        });
        let mut folders = Vec::new();
        for folder in &page.folders {
            let name = self.outward(folder.as_str());
            let Some(folder) = query.prefix.folder_from_physical(name) else { continue };
            if !query.prefix.namespace().is_root()
                || self.is_roots(&folder, query.after.as_ref()).await?
            {
                folders.push(folder);
            }
        }
        Ok(Page {
            entries: entries.collect(),
            folders,
            next: page.next.as_ref().and_then(|next| self.cursor_outward(next)),
        })
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .inner
                .list(List {
                    prefix: self.space.everything(),
                    depth: Depth::Children,
                    after,
                    limit: NonZeroUsize::MIN.saturating_add(999),
                })
                .await?;
            found.extend(page.folders.iter().filter_map(|folder| Namespace::parse(folder.name())));
            after = page.next;
            if after.is_none() {
                found.sort();
                return Ok(found);
            }
        }
    }
}
