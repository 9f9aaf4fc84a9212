//! An ordered map that is short most of the time: a sorted list, and a tree once it is long.
//!
//! Beside every name stands its beginning as a number, so that a search reads one piece of memory, and
//! names themselves (each a piece of its own, far from the processor in a large store) only at the end.

use std::borrow::Borrow;
use std::collections::btree_map::{self, BTreeMap};
use std::ops::Bound;
use std::slice;

/// Up to this many items are kept in a list, which takes a fraction of the memory of a tree; inserting
/// moves half of them on average.
const FEW: usize = 64;

/// A map ordered by the bytes of its names.
#[derive(Debug)]
pub(super) enum Ordered<K, V> {
    Few(Vec<Item<K, V>>),
    Many(BTreeMap<K, V>),
}

#[derive(Debug)]
pub(super) struct Item<K, V> {
    head: u64,
    name: K,
    value: V,
}

/// A name to look for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought<'a> {
    head: u64,
    name: &'a str,
}

impl<'a> Sought<'a> {
    /// All names of a map share their first `shared` bytes, which are passed over.
    pub(super) fn new(name: &'a str, shared: usize) -> Self {
        let mut head = [0; 8];
        let rest = &name.as_bytes()[shared..];
        let length = rest.len().min(head.len());
        head[..length].copy_from_slice(&rest[..length]);
        // Most significant first, and filled with zeros: so numbers never contradict the order of names.
        Self { head: u64::from_be_bytes(head), name }
    }
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord + Borrow<str>, V> Ordered<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    pub(super) fn get(&self, sought: Sought<'_>) -> Option<&V> {
        match self {
            Self::Few(few) => Some(&few[place(few, sought).ok()?].value),
            Self::Many(many) => many.get(sought.name),
        }
    }

    /// Makes room for as many items as are going to be inserted.
    pub(super) fn reserve(&mut self, items: usize) {
        if let Self::Few(few) = self
            && few.is_empty()
        {
            few.reserve_exact(items.min(FEW));
        }
    }

    /// Puts a value, and gives the one that was there. `head` is of the same name.
    pub(super) fn insert(&mut self, name: K, shared: usize, value: V) -> Option<V> {
        let few = match self {
            Self::Many(many) => return many.insert(name, value),
            Self::Few(few) => few,
        };
        let sought = Sought::new(name.borrow(), shared);
        let at = match place(few, sought) {
            Ok(at) => return Some(std::mem::replace(&mut few[at].value, value)),
            Err(at) => at,
        };
        if few.len() == FEW {
            let mut many: BTreeMap<K, V> =
                few.drain(..).map(|item| (item.name, item.value)).collect();
            many.insert(name, value);
            *self = Self::Many(many);
            return None;
        }
        if few.len() == few.capacity() {
            // A list grows to four items at first, and most folders hold one to three keys.
            few.reserve_exact(1 + few.len() / 2);
        }
        let head = sought.head;
        few.insert(at, Item { head, name, value });
        None
    }

    pub(super) fn remove(&mut self, sought: Sought<'_>) -> Option<V> {
        match self {
            Self::Few(few) => Some(few.remove(place(few, sought).ok()?).value),
            Self::Many(many) => many.remove(sought.name),
        }
    }

    /// The items from a place on, in order.
    pub(super) fn range(&self, from: Bound<&str>) -> Range<'_, K, V> {
        match self {
            Self::Few(few) => {
                let before = |name: &str| match from {
                    Bound::Included(at) => name < at,
                    Bound::Excluded(at) => name <= at,
                    Bound::Unbounded => false,
                };
                let start = few.partition_point(|item| before(item.name.borrow()));
                Range::Few(few[start..].iter())
            }
            Self::Many(many) => Range::Many(many.range::<str, _>((from, Bound::Unbounded))),
        }
    }
}

fn place<K: Borrow<str>, V>(few: &[Item<K, V>], sought: Sought<'_>) -> Result<usize, usize> {
    few.binary_search_by(|there| {
        there.head.cmp(&sought.head).then_with(|| there.name.borrow().cmp(sought.name))
    })
}

/// Items in order.
#[derive(Debug)]
pub(super) enum Range<'a, K, V> {
    Few(slice::Iter<'a, Item<K, V>>),
    Many(btree_map::Range<'a, K, V>),
}

impl<'a, K, V> Iterator for Range<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(few) => few.next().map(|item| (&item.name, &item.value)),
            Self::Many(many) => many.next(),
        }
    }
}
