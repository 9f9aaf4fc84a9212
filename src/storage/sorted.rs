//! Listings out of an ordered map: for stores that keep all their keys in memory.
//!
//! The cost follows the page and not the map: folders are passed by seeking behind them.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

use super::{Cursor, Depth, Entry, List, Page};
use crate::key::{Key, Namespace};

/// One page of a folder, as [`Storage::list`](super::Storage::list) gives it; `size` tells the length of
/// a value.
pub fn page<V>(objects: &BTreeMap<Key, V>, query: &List, size: impl Fn(&V) -> u64) -> Page {
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
pub fn namespaces<V>(objects: &BTreeMap<Key, V>) -> Vec<Namespace> {
    let mut found = Vec::new();
    let mut from = Bound::Unbounded;
    let mut seek: String;
    while let Some((key, _)) = objects.range::<str, _>((from, Bound::Unbounded)).next() {
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
fn after<'a, V>(
    objects: &'a BTreeMap<Key, V>,
    prefix: &str,
    cursor: Option<&Cursor>,
) -> Range<'a, Key, V> {
    let behind_folder;
    let from = match cursor {
        Some(Cursor::Key(key)) if key.as_str() >= prefix => Bound::Excluded(key.as_str()),
        Some(Cursor::Folder(folder)) if folder.as_str() >= prefix => {
            behind_folder = format!("{}0", folder.as_str().trim_end_matches('/'));
            Bound::Included(behind_folder.as_str())
        }
        _ => Bound::Included(prefix),
    };
    objects.range::<str, _>((from, Bound::Unbounded))
}
