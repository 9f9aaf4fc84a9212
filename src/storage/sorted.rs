//! Listings out of a map in order: for stores that keep all their keys in memory.
//!
//! The cost follows the page and not the map: folders are passed by seeking behind them.

use std::collections::btree_map::{self, BTreeMap};
use std::ops::Bound;

use super::folders::{self, Folders};
use super::{Cursor, Depth, Entry, List, Page};
use crate::key::{Key, Namespace};

/// A map of keys in byte order.
pub trait Sorted {
    /// What it holds.
    type Value;
    /// A walk through it.
    type Walk<'a>: Iterator<Item = (&'a Key, &'a Self::Value)>
    where
        Self: 'a;

    /// Every key from a place on, in byte order. The place need not be a key.
    fn walk(&self, from: Bound<&str>) -> Self::Walk<'_>;
}

impl<V> Sorted for BTreeMap<Key, V> {
    type Value = V;
    type Walk<'a>
        = btree_map::Range<'a, Key, V>
    where
        Self: 'a;

    fn walk(&self, from: Bound<&str>) -> Self::Walk<'_> {
        self.range::<str, _>((from, Bound::Unbounded))
    }
}

impl<V> Sorted for Folders<V> {
    type Value = V;
    type Walk<'a>
        = folders::Range<'a, V>
    where
        Self: 'a;

    fn walk(&self, from: Bound<&str>) -> Self::Walk<'_> {
        self.range(from)
    }
}

/// One page of a folder, as [`Storage::list`](super::Storage::list) gives it; `size` tells the length of
/// a value.
pub fn page<S: Sorted>(objects: &S, query: &List, size: impl Fn(&S::Value) -> u64) -> Page {
    let mut page = Page::default();
    let mut last: Option<Cursor> = None;
    let mut cursor = query.after.clone();
    'seek: loop {
        for (key, value) in after(objects, query.prefix.as_str(), cursor.as_ref()) {
            if !key.as_str().starts_with(query.prefix.as_str()) {
                break 'seek;
            }
            if !query.prefix.contains(key) {
                continue;
            }
            if page.entries.len() + page.folders.len() == query.limit.get() {
                page.next = last;
                break 'seek;
            }
            let folder = match query.depth {
                Depth::All => None,
                Depth::Children => query.prefix.child_towards(key),
            };
            if let Some(folder) = folder {
                page.folders.push(folder.clone());
                last = Some(Cursor::Folder(folder));
                cursor.clone_from(&last);
                continue 'seek;
            }
            page.entries.push(Entry { key: key.clone(), size: size(value) });
            last = Some(Cursor::Key(key.clone()));
        }
        break;
    }
    page
}

/// The namespaces of all keys, as [`Storage::namespaces`](super::Storage::namespaces) gives them.
#[must_use]
pub fn namespaces<S: Sorted>(objects: &S) -> Vec<Namespace> {
    let mut found = Vec::new();
    let mut from = Bound::Unbounded;
    let mut seek: String;
    while let Some((key, _)) = objects.walk(from).next() {
        let (first, _) = key.as_str().split_once('/').unwrap_or((key.as_str(), ""));
        found.extend(Namespace::parse(first));
        // `0` is the character after `/`: the first text behind everything that starts so.
        seek = format!("{first}0");
        from = Bound::Included(seek.as_str());
    }
    // Seeking behind `a/` passes `a-b/`, which sorts before it but was met before as well; the
    // order of first segments is not the order of keys, hence the sort.
    found.sort();
    found
}

/// The objects at or behind `prefix`, and behind the cursor.
fn after<'a, S: Sorted>(objects: &'a S, prefix: &str, cursor: Option<&Cursor>) -> S::Walk<'a> {
    let behind_folder;
    let from = match cursor {
        Some(Cursor::Key(key)) if key.as_str() >= prefix => Bound::Excluded(key.as_str()),
        Some(Cursor::Folder(folder)) if folder.as_str() >= prefix => {
            behind_folder = format!("{}0", folder.as_str().trim_end_matches('/'));
            Bound::Included(behind_folder.as_str())
        }
        _ => Bound::Included(prefix),
    };
    objects.walk(from)
}
