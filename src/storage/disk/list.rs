//! Listings: a walk in the byte order of keys, which is not the order of directories.
//!
//! `a-b` sorts before `a/b`, so a folder `a` counts as two things: the value `a`, if it has one, and
//! what is below it, which sorts as `a/`. Folders that lie before the cursor are not entered, and
//! nothing behind the page is looked at, so a page costs what it holds and the names of the
//! directories on the way to it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType};

use super::fail::failed;
use super::names::{Name, names};
use super::tree::{Tree, VALUE};
use crate::key::{Key, Namespace};
use crate::storage::{Cursor, Depth, Entry, List, Page, Result};

/// From this depth on, the folders on the way to where the walk is are closed and opened again,
/// since a key may have hundreds of names and a process has few open files.
const OPEN_FOLDERS: usize = 16;

impl Tree {
    pub(super) fn page(&self, query: &List) -> Result<Page> {
        let parse = |name: &str| query.prefix.key_from_physical(name);
        let wanted = Wanted { parse: &parse, after: query.after.as_ref() };
        let mut page = Page::default();
        let mut last = None;
        let mut way: Vec<Level> = Vec::new();
        way.extend(self.enter(query.prefix.as_str(), &wanted)?);

        while let Some(level) = way.last_mut() {
            let Some(item) = level.items.next() else {
                way.pop();
                continue;
            };
            let is_full = page.entries.len() + page.folders.len() == query.limit.get();
            let place = format!("{}{}", level.path, item.sorts_as);
            match item.kind {
                Kind::Value => {
                    let Some(folder) = level.folder(self)? else { continue };
                    let Some(size) = self.size_at(folder.as_fd(), &item.sorts_as, &place)? else {
                        continue;
                    };
                    let Some(key) = wanted.key(&place) else { continue };
                    if is_full {
                        page.next = last;
                        break;
                    }
                    last = Some(Cursor::Key(key.clone()));
                    page.entries.push(Entry { key, size });
                }
                Kind::Folder if query.depth == Depth::Children => {
                    let Some(key) = self.any_key(&place, &wanted)? else { continue };
                    let Some(folder) = query.prefix.child_towards(&key) else { continue };
                    if is_full {
                        page.next = last;
                        break;
                    }
                    last = Some(Cursor::Folder(folder.clone()));
                    page.folders.push(folder);
                }
                Kind::Folder => {
                    if way.len() >= OPEN_FOLDERS
                        && let Some(level) = way.last_mut()
                    {
                        level.folder = None;
                    }
                    way.extend(self.enter(&place, &wanted)?);
                }
            }
        }
        Ok(page)
    }

    pub(super) fn namespaces(&self) -> Result<Vec<Namespace>> {
        let wanted = Wanted { parse: &Key::parse_physical, after: None };
        let mut found = Vec::new();
        for (name, kind) in self.read("")?.map(|(_, names)| names).unwrap_or_default() {
            if let Some(namespace) = Namespace::parse(&name)
                && matches!(kind, FileType::Directory | FileType::Unknown)
                && self.any_key(&format!("{name}/"), &wanted)?.is_some()
            {
                found.push(namespace);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Reads a folder of a walk: what may be on the page, in order. `None` if it is not there.
    fn enter(&self, path: &str, wanted: &Wanted<'_>) -> Result<Option<Level>> {
        let Some((folder, names)) = self.read(path)? else { return Ok(None) };
        let mut items = Vec::with_capacity(names.len());
        for (name, kind) in names {
            let is_folder = kind == FileType::Directory;
            if is_folder {
                let sorts_as = format!("{name}/");
                if wanted.inside(&format!("{path}{sorts_as}")) {
                    items.push(Item { sorts_as, kind: Kind::Folder });
                }
            }
            if (is_folder || kind == FileType::RegularFile)
                && !wanted.passed_key(&format!("{path}{name}"))
            {
                items.push(Item { sorts_as: name, kind: Kind::Value });
            }
        }
        items.sort_unstable_by(|a, b| a.sorts_as.cmp(&b.sorts_as));
        let items = items.into_iter();
        Ok(Some(Level { path: path.to_owned(), folder: Some(folder), items }))
    }

    /// Some key below a folder, which shows that the folder exists.
    fn any_key(&self, path: &str, wanted: &Wanted<'_>) -> Result<Option<Key>> {
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            if !wanted.inside(&folder) {
                continue;
            }
            for (name, kind) in self.read(&folder)?.map(|(_, names)| names).unwrap_or_default() {
                match kind {
                    FileType::Directory => folders.push(format!("{folder}{name}/")),
                    // The value of the folder itself, which is below those above it.
                    FileType::RegularFile if name == VALUE => {
                        if folder != path
                            && let Some(key) = wanted.key(folder.trim_end_matches('/'))
                        {
                            return Ok(Some(key));
                        }
                    }
                    FileType::RegularFile => {
                        if let Some(key) = wanted.key(&format!("{folder}{name}")) {
                            return Ok(Some(key));
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// The names in a folder, with what they are. The path ends in `/`, or is empty for the root.
    fn read(&self, path: &str) -> Result<Option<(OwnedFd, Vec<Name>)>> {
        let place = path.trim_end_matches('/');
        let Some(folder) = self.folder(place)? else { return Ok(None) };
        let mut found = names(folder.as_fd()).map_err(failed("list", place))?;
        if place.is_empty() && found.is_empty() {
            self.absent("")?;
        }
        for (name, kind) in &mut found {
            if *kind == FileType::Unknown
                && let Ok(stat) = rustix::fs::statat(&folder, &**name, AtFlags::SYMLINK_NOFOLLOW)
            {
                *kind = FileType::from_raw_mode(stat.st_mode);
            }
        }
        Ok(Some((folder, found)))
    }
}

/// A folder that the walk is in.
struct Level {
    path: String,
    folder: Option<OwnedFd>,
    items: std::vec::IntoIter<Item>,
}

struct Item {
    sorts_as: String,
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Value,
    Folder,
}

impl Level {
    fn folder(&mut self, tree: &Tree) -> Result<Option<&OwnedFd>> {
        if self.folder.is_none() {
            self.folder = tree.folder(self.path.trim_end_matches('/'))?;
        }
        Ok(self.folder.as_ref())
    }
}

/// What a listing is about: names that are keys of it, behind its cursor.
struct Wanted<'a> {
    parse: &'a dyn Fn(&str) -> Option<Key>,
    after: Option<&'a Cursor>,
}

impl Wanted<'_> {
    fn key(&self, name: &str) -> Option<Key> {
        if self.passed_key(name) { None } else { (self.parse)(name) }
    }

    fn passed_key(&self, name: &str) -> bool {
        match self.after {
            Some(Cursor::Key(last)) => name <= last.as_str(),
            Some(Cursor::Folder(last)) => name < last.as_str() || name.starts_with(last.as_str()),
            None => false,
        }
    }

    /// Whether a key may be in a folder (its path ends in `/`): the shortest name below it is tried.
    fn inside(&self, folder: &str) -> bool {
        let passed = match self.after {
            Some(Cursor::Key(last)) => folder < last.as_str() && !last.as_str().starts_with(folder),
            Some(Cursor::Folder(last)) => {
                folder.starts_with(last.as_str())
                    || (folder < last.as_str() && !last.as_str().starts_with(folder))
            }
            None => false,
        };
        !passed && (self.parse)(&format!("{folder}x")).is_some()
    }
}
