//! A map of keys for stores in memory: as fast as a hash table for one key, and in order for listings.
//!
//! Folders are found by hash, and the few keys of each lie in order; so the length of the paths that
//! keys share costs one hash, where an ordered map compares it at every step down. An ordered walk goes
//! through the keys of a folder and through its folders side by side.

use std::collections::HashMap;
use std::collections::btree_map::{self, BTreeMap};
use std::collections::btree_set::{self, BTreeSet};
use std::iter::Peekable;
use std::ops::Bound;
use std::slice;

use foldhash::quality::RandomState;

use crate::key::Key;

/// Up to this many keys of a folder are kept in a plain list, which takes a fraction of the memory of a
/// tree; inserting moves half of them on average.
const FEW: usize = 64;

/// An ordered map from keys to values.
#[derive(Debug)]
pub struct Folders<V> {
    /// By path with the slash at its end; the top is the empty path. Only the top may be empty.
    by_path: HashMap<Box<str>, Folder<V>, RandomState>,
    keys: usize,
}

#[derive(Debug)]
struct Folder<V> {
    keys: Keys<V>,
    /// The names of the folders in it, with the slash at the end, since that is how they sort.
    folders: BTreeSet<Box<str>>,
}

#[derive(Debug)]
enum Keys<V> {
    Few(Vec<(Key, V)>),
    Many(BTreeMap<Key, V>),
}

impl<V> Default for Folders<V> {
    fn default() -> Self {
        Self { by_path: HashMap::default(), keys: 0 }
    }
}

impl<V> Folders<V> {
    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&V> {
        match &self.by_path.get(folder_of(key.as_str()))?.keys {
            Keys::Few(few) => Some(&few[place(few, key).ok()?].1),
            Keys::Many(many) => many.get(key),
        }
    }

    /// Puts a value, and gives the one that was there.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let path = folder_of(key.as_str());
        let folder = match self.by_path.get_mut(path) {
            Some(folder) => folder,
            None => {
                self.make(path);
                self.by_path.get_mut(path)?
            }
        };
        let before = folder.keys.insert(key, value);
        self.keys += usize::from(before.is_none());
        before
    }

    /// Removes a value, and gives it.
    pub fn remove(&mut self, key: &Key) -> Option<V> {
        let path = folder_of(key.as_str());
        let folder = self.by_path.get_mut(path)?;
        let before = folder.keys.remove(key)?;
        self.keys -= 1;
        if folder.is_empty() {
            self.unmake(path);
        }
        Some(before)
    }

    /// Every key from a place on, in byte order. The place need not be a key.
    pub fn range<'a>(&'a self, from: Bound<&str>) -> Range<'a, V> {
        let mut range = Range { map: self, open: Vec::new() };
        let at = match from {
            Bound::Included(at) | Bound::Excluded(at) => at,
            Bound::Unbounded => "",
        };
        let mut path = String::new();
        while let Some(folder) = self.by_path.get(path.as_str()) {
            let rest = &at[path.len()..];
            let next = rest.find('/').map(|end| &rest[..=end]);
            // The folder that leads on to the place comes first; it is entered at the place.
            let seek = Bound::Included(next.unwrap_or(rest));
            let mut folders = folder.folders.range::<str, _>((seek, Bound::Unbounded)).peekable();
            let enter = next.filter(|next| folders.next_if(|name| &***name == *next).is_some());
            let keys = folder.keys.range(from);
            range.open.push(Level { path: path.clone(), keys: keys.peekable(), folders });
            let Some(enter) = enter else { break };
            path.push_str(enter);
        }
        range
    }

    /// Makes a folder that is not there, and those it lies in.
    fn make(&mut self, mut path: &str) {
        let mut inside: Option<&str> = None;
        loop {
            let name = inside.map(Box::from);
            if let Some(there) = self.by_path.get_mut(path) {
                there.folders.extend(name);
                return;
            }
            let folders = name.into_iter().collect();
            self.by_path.insert(path.into(), Folder { keys: Keys::default(), folders });
            let Some((holder, name)) = holder_of(path) else { return };
            (path, inside) = (holder, Some(name));
        }
    }

    /// Takes an empty folder away, and those that are empty without it.
    fn unmake(&mut self, mut path: &str) {
        while let Some((holder, name)) = holder_of(path) {
            self.by_path.remove(path);
            let Some(there) = self.by_path.get_mut(holder) else { return };
            there.folders.remove(name);
            if !there.is_empty() {
                return;
            }
            path = holder;
        }
    }
}

impl<V> Folder<V> {
    fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.keys.is_empty()
    }
}

impl<V> Default for Keys<V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<V> Keys<V> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let few = match self {
            Self::Many(many) => return many.insert(key, value),
            Self::Few(few) => few,
        };
        let at = match place(few, &key) {
            Ok(at) => return Some(std::mem::replace(&mut few[at].1, value)),
            Err(at) => at,
        };
        if few.len() == FEW {
            let mut many: BTreeMap<Key, V> = few.drain(..).collect();
            many.insert(key, value);
            *self = Self::Many(many);
            return None;
        }
        if few.len() == few.capacity() {
            // A list grows to four items at first, and most folders hold one to three keys.
            few.reserve_exact(1 + few.len() / 2);
        }
        few.insert(at, (key, value));
        None
    }

    fn remove(&mut self, key: &Key) -> Option<V> {
        match self {
            Self::Few(few) => Some(few.remove(place(few, key).ok()?).1),
            Self::Many(many) => many.remove(key),
        }
    }

    fn range(&self, from: Bound<&str>) -> KeysFrom<'_, V> {
        match self {
            Self::Few(few) => {
                let before = |key: &Key| match from {
                    Bound::Included(at) => key.as_str() < at,
                    Bound::Excluded(at) => key.as_str() <= at,
                    Bound::Unbounded => false,
                };
                KeysFrom::Few(few[few.partition_point(|(key, _)| before(key))..].iter())
            }
            Self::Many(many) => KeysFrom::Many(many.range::<str, _>((from, Bound::Unbounded))),
        }
    }
}

/// Keys with their values in byte order: what [`Folders::range`] gives.
#[derive(Debug)]
pub struct Range<'a, V> {
    map: &'a Folders<V>,
    /// The folders that the walk is in, from the outermost on.
    open: Vec<Level<'a, V>>,
}

/// What is left of a folder.
#[derive(Debug)]
struct Level<'a, V> {
    path: String,
    keys: Peekable<KeysFrom<'a, V>>,
    folders: Peekable<btree_set::Range<'a, Box<str>>>,
}

#[derive(Debug)]
enum KeysFrom<'a, V> {
    Few(slice::Iter<'a, (Key, V)>),
    Many(btree_map::Range<'a, Key, V>),
}

impl<'a, V> Iterator for KeysFrom<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(few) => few.next().map(|(key, value)| (key, value)),
            Self::Many(many) => many.next(),
        }
    }
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let level = self.open.last_mut()?;
            let key_first = match (level.keys.peek(), level.folders.peek()) {
                (Some((key, _)), Some(name)) => key.as_str()[level.path.len()..] < ***name,
                (key, _) => key.is_some(),
            };
            if key_first {
                return level.keys.next();
            }
            let Some(name) = level.folders.next() else {
                self.open.pop();
                continue;
            };
            let path = format!("{}{name}", level.path);
            let folder = self.map.by_path.get(path.as_str())?;
            self.open.push(Level {
                path,
                keys: folder.keys.range(Bound::Unbounded).peekable(),
                folders: folder.folders.range::<str, _>(..).peekable(),
            });
        }
    }
}

/// The folder that a name lies in, with the slash at its end; the empty path for a name at the top.
fn folder_of(name: &str) -> &str {
    memchr::memrchr(b'/', name.as_bytes()).map_or("", |slash| &name[..=slash])
}

/// The folder that a folder lies in, and its name there; `None` for the top.
fn holder_of(path: &str) -> Option<(&str, &str)> {
    let without_slash = path.strip_suffix('/')?;
    Some(path.split_at(folder_of(without_slash).len()))
}

fn place<V>(few: &[(Key, V)], key: &Key) -> Result<usize, usize> {
    few.binary_search_by(|(there, _)| there.cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Namespace, RelPath};
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseResult;

    /// Paths that share prefixes and folders, and differ by what sorts around the slash.
    fn key() -> impl Strategy<Value = Key> {
        let segment = prop_oneof![
            4 => "[ab]",
            2 => "a[-.0]",
            1 => "a-b",
            1 => "[a-z]{2}",
        ];
        ("n|n1|n-", proptest::collection::vec(segment, 1..4)).prop_map(|(namespace, segments)| {
            let namespace = Namespace::parse(&namespace).expect("clean");
            let path = segments.join("/");
            namespace.key(RelPath::parse(&path).expect("clean")).expect("short")
        })
    }

    fn check(folders: &Folders<u32>, model: &BTreeMap<Key, u32>, at: &str) -> TestCaseResult {
        prop_assert_eq!(folders.len(), model.len());
        for from in [Bound::Unbounded, Bound::Included(at), Bound::Excluded(at)] {
            let expected: Vec<_> = model.range::<str, _>((from, Bound::Unbounded)).collect();
            prop_assert_eq!(folders.range(from).collect::<Vec<_>>(), expected);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn it_does_what_an_ordered_map_does(
            changes in proptest::collection::vec((key(), any::<Option<u32>>()), 0..60),
            at in prop_oneof![key().prop_map(|key| key.to_string()), "[abn/.-]{0,6}"],
        ) {
            let (mut folders, mut model) = (Folders::default(), BTreeMap::new());
            for (key, value) in changes {
                match value {
                    Some(value) => prop_assert_eq!(
                        folders.insert(key.clone(), value),
                        model.insert(key.clone(), value)
                    ),
                    None => prop_assert_eq!(folders.remove(&key), model.remove(&key)),
                }
                prop_assert_eq!(folders.get(&key), model.get(&key));
            }
            check(&folders, &model, &at)?;
            for key in model.keys().cloned().collect::<Vec<_>>() {
                folders.remove(&key);
            }
            prop_assert!(folders.is_empty() && folders.by_path.len() <= 1);
        }

        #[test]
        fn a_folder_may_hold_many_keys(names in proptest::collection::vec(0_u32..200, 0..300)) {
            let (mut folders, mut model) = (Folders::default(), BTreeMap::new());
            let team = Namespace::parse("team").expect("clean");
            for name in names {
                let key = team.key(RelPath::parse(&format!("a/{name}")).expect("clean")).expect("short");
                prop_assert_eq!(folders.insert(key.clone(), name), model.insert(key, name));
            }
            check(&folders, &model, "team/a/150")?;
        }
    }
}
