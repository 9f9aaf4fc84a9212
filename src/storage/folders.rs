//! A map of keys for stores in memory: as fast as a hash table for one key, and in order for listings.
//!
//! Keys are found by hash. For what is in order there are folders, found by hash as well, which hold in order
//! where their keys and the folders in them are; so the length of the paths that keys share costs one hash,
//! where an ordered map compares it at every step down. An ordered walk goes through the keys of a folder and
//! through its folders side by side.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::iter::Peekable;
use std::mem::{replace, take};
use std::ops::Bound;

use foldhash::quality::RandomState;

use super::ordered::{self, Names, Ordered, Sought};
use super::table::{Free, Place, Table};
use crate::key::Key;

/// How many objects are put before the last of an entry: its content with two files beside it, and a reference.
const TOGETHER: usize = 4;

/// About what a folder takes beside its path, in bytes.
const FOLDER: u64 = 192;

thread_local! {
    /// Where [`Folders::get_with_others`] found the last key, in whichever map: a hint, for whatever lies
    /// there is compared.
    static LAST_FOUND: Cell<Option<Place>> = const { Cell::new(None) };
}

/// An ordered map from keys to values.
#[derive(Debug)]
pub struct Folders<V> {
    items: Table<Item<V>>,
    /// By the hash of the path. Only the top, whose path is empty, may be empty.
    folders: Table<Folder>,
    /// What the folders take, in bytes.
    folder_bytes: u64,
    seed: RandomState,
    keys: usize,
}

#[derive(Debug)]
struct Item<V> {
    key: Key,
    value: V,
}

#[derive(Debug)]
struct Folder {
    /// With the slash at its end.
    path: Box<str>,
    /// Where their items are.
    keys: Ordered<Key, Place>,
    /// The folders in it.
    folders: Ordered<Box<str>, Place>,
}

impl<V> Names<Place> for Table<Item<V>> {
    type Name = Key;

    fn text<'a>(&'a self, place: &'a Place) -> &'a str {
        self.at(*place).key.as_str()
    }

    fn name(&self, place: &Place) -> Key {
        self.at(*place).key.clone()
    }
}

/// With the slash at the end, since that is how they sort.
impl Names<Place> for Table<Folder> {
    type Name = Box<str>;

    fn text<'a>(&'a self, place: &'a Place) -> &'a str {
        holder_of(&self.at(*place).path).map_or("", |(_, name)| name)
    }

    fn name(&self, place: &Place) -> Box<str> {
        self.text(place).into()
    }
}

impl<V> Default for Folders<V> {
    fn default() -> Self {
        let (items, folders) = (Table::default(), Table::default());
        Self { items, folders, folder_bytes: 0, seed: RandomState::default(), keys: 0 }
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

    /// About what its folders take, in bytes; those of [`new_folder_bytes`].
    #[must_use]
    pub fn folder_bytes(&self) -> u64 {
        self.folder_bytes
    }

    /// Whether there is a folder of a path, which has a slash at its end.
    #[must_use]
    pub fn has_folder(&self, path: &str) -> bool {
        self.folder(path).is_some()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&V> {
        self.get_fetching(key, |_| ())
    }

    /// The same. What may be the value is shown before the key it has is read: in a large store, where
    /// memory is what a lookup waits for, `fetch` has it wait for both at once.
    pub fn get_fetching(&self, key: &Key, fetch: impl Fn(&V)) -> Option<&V> {
        let found = self.items.find(self.seed.hash_one(key), |_, item| {
            fetch(&item.value);
            item.key == *key
        });
        Some(&self.items.at(found.ok()?).value)
    }

    /// The same, where the next key is likely to be one that was put together with this one: those put
    /// right before it are fetched as well, and are where the next is looked for first.
    pub fn get_with_others(&self, key: &Key, fetch: impl Fn(&V)) -> Option<&V> {
        if let Some(last) = LAST_FOUND.get()
            && let Some(item) = self.items.before(last, TOGETHER).find(|item| item.key == *key)
        {
            return Some(&item.value);
        }
        let found = self.items.find(self.seed.hash_one(key), |place, item| {
            for other in self.items.before(place, TOGETHER) {
                let text = other.key.as_str().as_bytes();
                black_box((text.first().copied(), text.last().copied()));
                fetch(&other.value);
            }
            fetch(&item.value);
            item.key == *key
        });
        let place = found.ok()?;
        LAST_FOUND.set(Some(place));
        Some(&self.items.at(place).value)
    }

    /// Puts a value, and gives the one that was there.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        self.enter(&key).insert(key, value)
    }

    /// Enters the folder of a key, which is made where it is not there: at least that key must be inserted.
    pub fn enter(&mut self, key: &Key) -> Inside<'_, V> {
        let path = folder_of(key.as_str());
        let hash = self.seed.hash_one(path);
        let place = match self.find(path, hash) {
            Ok(place) => place,
            Err(free) => self.make(path, hash, free),
        };
        let folder = self.folders.at_mut(place);
        Inside { folder, items: &mut self.items, seed: &self.seed, keys: &mut self.keys }
    }

    /// Removes a value, and gives it.
    pub fn remove(&mut self, key: &Key) -> Option<V> {
        let hash = self.seed.hash_one(key);
        let place = self.items.find(hash, |_, item| item.key == *key).ok()?;
        let path = folder_of(key.as_str());
        let folder = self.place_of(path).expect("every key has a folder");
        let folder = self.folders.at_mut(folder);
        folder.keys.remove(Sought::new(key.as_str(), path.len()), |one| *one == place);
        let empty = folder.is_empty();
        self.keys -= 1;
        if empty {
            self.unmake(path);
        }
        Some(self.items.remove(hash, place).value)
    }

    /// Every key from a place on, in byte order. The place need not be a key.
    pub fn range<'a>(&'a self, from: Bound<&str>) -> Range<'a, V> {
        let mut range = Range { map: self, open: Vec::new() };
        let at = match from {
            Bound::Included(at) | Bound::Excluded(at) => at,
            Bound::Unbounded => "",
        };
        let mut path = "";
        while let Some(folder) = self.folder(path) {
            let rest = &at[path.len()..];
            let next = rest.find('/').map(|end| &rest[..=end]);
            // The folder that leads on to the place comes first; it is entered at the place.
            let seek = Bound::Included(next.unwrap_or(rest));
            let mut folders = folder.folders.range(seek, &self.folders).peekable();
            let is_next = |place: &&Place| next == Some(self.folders.text(place));
            let enter = next.filter(|_| folders.next_if(is_next).is_some());
            let keys = folder.keys.range(from, &self.items).peekable();
            range.open.push(Level { keys, folders });
            let Some(enter) = enter else { break };
            path = &at[..path.len() + enter.len()];
        }
        range
    }

    fn folder(&self, path: &str) -> Option<&Folder> {
        self.place_of(path).map(|place| self.folders.at(place))
    }

    fn place_of(&self, path: &str) -> Option<Place> {
        self.find(path, self.seed.hash_one(path)).ok()
    }

    fn find(&self, path: &str, hash: u64) -> Result<Place, Free> {
        self.folders.find(hash, |_, folder| *folder.path == *path)
    }

    /// Makes a folder that is not there, and those it lies in; where it is.
    fn make(&mut self, path: &str, hash: u64, free: Free) -> Place {
        let made = self.add(path, hash, free);
        let (mut inner, mut place) = (path, made);
        while let Some((holder, _)) = holder_of(inner) {
            let hash = self.seed.hash_one(holder);
            let there = self.find(holder, hash);
            let at = there.unwrap_or_else(|free| self.add(holder, hash, free));
            let mut folders = take(&mut self.folders.at_mut(at).folders);
            folders.reserve(1);
            folders.insert(place, 0, &self.folders);
            self.folders.at_mut(at).folders = folders;
            if there.is_ok() {
                break;
            }
            (inner, place) = (holder, at);
        }
        made
    }

    /// Adds a folder that is not there, and is in no other yet.
    fn add(&mut self, path: &str, hash: u64, free: Free) -> Place {
        let (keys, folders) = (Ordered::default(), Ordered::default());
        self.folder_bytes += folder_bytes(path);
        let folder = Folder { path: path.into(), keys, folders };
        self.folders.insert(hash, free, folder)
    }

    /// Takes an empty folder away, and those that are empty without it.
    fn unmake(&mut self, mut path: &str) {
        while let Some((holder, name)) = holder_of(path) {
            let hash = self.seed.hash_one(path);
            let Ok(gone) = self.find(path, hash) else { return };
            self.folders.remove(hash, gone);
            self.folder_bytes -= folder_bytes(path);
            let Some(there) = self.place_of(holder) else { return };
            let there = self.folders.at_mut(there);
            there.folders.remove(Sought::new(name, 0), |one| *one == gone);
            if !there.is_empty() {
                return;
            }
            path = holder;
        }
    }
}

impl Folder {
    fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.keys.is_empty()
    }
}

/// A folder, entered to insert keys of it: finding it is most of the work of inserting one.
#[derive(Debug)]
pub struct Inside<'a, V> {
    folder: &'a mut Folder,
    items: &'a mut Table<Item<V>>,
    seed: &'a RandomState,
    keys: &'a mut usize,
}

impl<V> Inside<'_, V> {
    /// Whether a key is one of this folder.
    #[must_use]
    pub fn is_place_of(&self, key: &Key) -> bool {
        folder_of(key.as_str()) == &*self.folder.path
    }

    /// Makes room in a new folder for as many keys as are going to be inserted.
    pub fn reserve(&mut self, keys: usize) {
        self.folder.keys.reserve(keys);
    }

    /// Puts a value, and gives the one that was there.
    ///
    /// # Panics
    /// When the key is of another folder.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        assert!(self.is_place_of(&key), "{key} lies in another folder");
        let hash = self.seed.hash_one(&key);
        let free = match self.items.find(hash, |_, item| item.key == key) {
            Ok(place) => return Some(replace(&mut self.items.at_mut(place).value, value)),
            Err(free) => free,
        };
        let place = self.items.insert(hash, free, Item { key, value });
        self.folder.keys.insert(place, self.folder.path.len(), self.items);
        *self.keys += 1;
        None
    }
}

/// Keys with their values in byte order: what [`Folders::range`] gives.
#[derive(Debug)]
pub struct Range<'a, V> {
    map: &'a Folders<V>,
    /// The folders that the walk is in, from the outermost on.
    open: Vec<Level<'a>>,
}

/// What is left of a folder.
#[derive(Debug)]
struct Level<'a> {
    keys: Peekable<ordered::Range<'a, Key, Place>>,
    folders: Peekable<ordered::Range<'a, Box<str>, Place>>,
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (items, all) = (&self.map.items, &self.map.folders);
            let level = self.open.last_mut()?;
            let key_first = match (level.keys.peek(), level.folders.peek()) {
                (Some(key), Some(folder)) => *items.text(key) < *all.at(**folder).path,
                (key, _) => key.is_some(),
            };
            if key_first {
                let item = items.at(*level.keys.next()?);
                return Some((&item.key, &item.value));
            }
            let Some(place) = level.folders.next() else {
                self.open.pop();
                continue;
            };
            let folder = all.at(*place);
            let keys = folder.keys.range(Bound::Unbounded, items);
            let folders = folder.folders.range(Bound::Unbounded, all);
            let (keys, folders) = (keys.peekable(), folders.peekable());
            self.open.push(Level { keys, folders });
        }
    }
}

/// About what a folder takes, in bytes, its place in the one it lies in included. The top counts as nothing.
fn folder_bytes(path: &str) -> u64 {
    if path.is_empty() { 0 } else { FOLDER + path.len() as u64 }
}

/// What the folders of keys take that are not there, in bytes.
pub fn new_folder_bytes<'a>(
    keys: impl Iterator<Item = &'a Key>,
    is_there: impl Fn(&str) -> bool,
) -> u64 {
    let mut new = BTreeSet::new();
    for key in keys {
        let mut path = folder_of(key.as_str());
        while let Some((holder, _)) = holder_of(path)
            && !is_there(path)
            && new.insert(path)
        {
            path = holder;
        }
    }
    new.into_iter().map(folder_bytes).sum()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
        for (key, value) in model {
            prop_assert_eq!(folders.get_with_others(key, |_| ()), Some(value));
        }
        for from in [Bound::Unbounded, Bound::Included(at), Bound::Excluded(at)] {
            let expected: Vec<_> = model.range::<str, _>((from, Bound::Unbounded)).collect();
            prop_assert_eq!(folders.range(from).collect::<Vec<_>>(), expected);
        }
        Ok(())
    }

    proptest! {
        // Half as many cases as usual, since each is compared with the model from end to end.
        #![proptest_config(ProptestConfig::with_cases(128))]

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
                prop_assert_eq!(folders.get_with_others(&key, |_| ()), model.get(&key));
            }
            check(&folders, &model, &at)?;
            for key in model.keys().cloned().collect::<Vec<_>>() {
                folders.remove(&key);
            }
            prop_assert!(folders.is_empty() && folders.folder_bytes() == 0);
        }

        #[test]
        fn a_folder_may_hold_many_keys(
            names in proptest::collection::vec((0_u32..300, prop::bool::weighted(0.9)), 0..500),
        ) {
            let (mut folders, mut model) = (Folders::default(), BTreeMap::new());
            let team = Namespace::parse("team").expect("clean");
            for (name, put) in names {
                let key = team.key(RelPath::parse(&format!("a/{name}")).expect("clean")).expect("short");
                if put {
                    prop_assert_eq!(folders.insert(key.clone(), name), model.insert(key.clone(), name));
                } else {
                    prop_assert_eq!(folders.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(folders.get(&key), model.get(&key));
                prop_assert_eq!(folders.get_with_others(&key, |_| ()), model.get(&key));
            }
            check(&folders, &model, "team/a/150")?;
        }
    }
}
