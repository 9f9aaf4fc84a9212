//! Going through many keys one after the other, a page at a time: for those who work on whole
//! stores and must not hold them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use super::{Cursor, Depth, Entry, List, Result, Storage};
use crate::key::{Namespace, Prefix, RelPath};

/// Keys asked for at once: what S3 gives at most.
const PAGE: NonZeroUsize = NonZeroUsize::new(1000).expect("1000 is not zero");

/// All keys of some folders, in byte order, read a page at a time. What is written meanwhile is met
/// or not, as with any listing.
#[derive(Debug)]
pub struct Walk<'a> {
    storage: &'a dyn Storage,
    folders: VecDeque<Prefix>,
    skip: Vec<Prefix>,
    ready: VecDeque<Entry>,
    after: Option<Cursor>,
}

impl<'a> Walk<'a> {
    /// Goes through one folder.
    #[must_use]
    pub fn folder(storage: &'a dyn Storage, folder: Prefix) -> Self {
        Self::folders(storage, [folder])
    }

    /// Goes through a whole namespace. The root namespace is asked for by the two folders it has,
    /// since its own prefix is that of the whole store.
    #[must_use]
    pub fn namespace(storage: &'a dyn Storage, namespace: &Namespace) -> Self {
        if namespace.is_root() {
            let tops = ["data", "refs"].iter().filter_map(|top| RelPath::parse(top).ok());
            return Self::folders(storage, tops.map(|top| namespace.under(top)));
        }
        Self::folders(storage, [namespace.everything()])
    }

    fn folders(storage: &'a dyn Storage, folders: impl IntoIterator<Item = Prefix>) -> Self {
        Self {
            storage,
            folders: folders.into_iter().collect(),
            skip: Vec::new(),
            ready: VecDeque::new(),
            after: None,
        }
    }

    /// Leaves a folder out, without listing it.
    #[must_use]
    pub fn without(mut self, folder: Prefix) -> Self {
        self.skip.push(folder);
        self
    }

    /// The next key, which stays the next one. `None` at the end.
    pub async fn peek(&mut self) -> Result<Option<&Entry>> {
        while self.ready.is_empty() {
            let Some(folder) = self.folders.front() else { return Ok(None) };
            let query = List {
                prefix: folder.clone(),
                depth: Depth::All,
                after: self.after.take(),
                limit: PAGE,
            };
            let page = self.storage.list(query).await?;
            self.after = page.next;
            for entry in page.entries {
                match self.skip.iter().find(|folder| folder.contains(&entry.key)) {
                    None => self.ready.push_back(entry),
                    // Everything behind it in this page is asked for again from the end of the
                    // folder on, unless the folder ends in this page.
                    Some(folder) => {
                        if self.after.as_ref().is_some_and(|next| inside(next, folder)) {
                            self.after = Some(Cursor::Folder(folder.clone()));
                        }
                    }
                }
            }
            if self.after.is_none() {
                self.folders.pop_front();
            }
        }
        Ok(self.ready.front())
    }

    /// Takes the next key. `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        self.peek().await?;
        Ok(self.ready.pop_front())
    }
}

/// Whether a page ended inside a folder.
fn inside(cursor: &Cursor, folder: &Prefix) -> bool {
    match cursor {
        Cursor::Key(key) => folder.contains(key),
        Cursor::Folder(below) => below.as_str().starts_with(folder.as_str()),
    }
}

/// The namespaces that hold keys, the root namespace among them, in byte order.
pub async fn namespaces(storage: &dyn Storage) -> Result<Vec<Namespace>> {
    let root = Namespace::root();
    let mut found = Vec::new();
    if Walk::namespace(storage, &root).peek().await?.is_some() {
        found.push(root);
    }
    for namespace in storage.namespaces().await? {
        // Keys of the root namespace make `data` and `refs` appear; both may be namespaces as well.
        if Walk::namespace(storage, &namespace).peek().await?.is_some() {
            found.push(namespace);
        }
    }
    Ok(found)
}
