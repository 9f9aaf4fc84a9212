//! An ordered map that is short most of the time: a sorted list, and a tree once it is long.
//!
//! Beside every name stands its beginning as a number, so that a search reads one or two pieces of memory,
//! and names themselves (each a piece of its own, far from the processor in a large store) only at the end.

use std::borrow::Borrow;
use std::collections::btree_map::{self, BTreeMap};
use std::ops::Bound;
use std::slice;

use thin_vec::ThinVec;

/// Up to this many items are kept in a list, which takes a fraction of the memory of a tree; inserting
/// moves half of them on average.
const FEW: usize = 128;

/// Up to this many items are searched as they are; beyond, all beginnings stand side by side once more.
const SHORT: usize = 8;

/// A map ordered by the bytes of its names.
#[derive(Debug)]
pub(super) enum Ordered<K, V> {
    Few {
        items: Vec<Item<K, V>>,
        /// Those of all items, or of none.
        heads: ThinVec<u64>,
    },
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
        Self::Few { items: Vec::new(), heads: ThinVec::new() }
    }
}

impl<K: Ord + Borrow<str>, V> Ordered<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few { items, .. } => items.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    /// Makes room as for so many items, where there are none yet.
    pub(super) fn reserve(&mut self, count: usize) {
        if let Self::Few { items, .. } = self
            && items.is_empty()
        {
            items.reserve_exact(count.min(FEW));
        }
    }

    /// Puts a value, and gives the one that was there. All names share their first `shared` bytes.
    pub(super) fn insert(&mut self, name: K, shared: usize, value: V) -> Option<V> {
        let (items, heads) = match self {
            Self::Many(many) => return many.insert(name, value),
            Self::Few { items, heads } => (items, heads),
        };
        let sought = Sought::new(name.borrow(), shared);
        let at = match place(items, heads, sought) {
            Ok(at) => return Some(std::mem::replace(&mut items[at].value, value)),
            Err(at) => at,
        };
        if items.len() == FEW {
            let items = items.drain(..).map(|item| (item.name, item.value));
            let mut many: BTreeMap<K, V> = items.collect();
            many.insert(name, value);
            *self = Self::Many(many);
            return None;
        }
        if items.len() == items.capacity() {
            // A list grows to four items at first, and most folders hold one to three keys.
            items.reserve_exact(1 + items.len() / 2);
        }
        let head = sought.head;
        items.insert(at, Item { head, name, value });
        if !heads.is_empty() {
            heads.insert(at, head);
        } else if items.len() > SHORT {
            heads.extend(items.iter().map(|item| item.head));
        }
        None
    }

    pub(super) fn remove(&mut self, sought: Sought<'_>) -> Option<V> {
        match self {
            Self::Few { items, heads } => {
                let at = place(items, heads, sought).ok()?;
                if !heads.is_empty() {
                    heads.remove(at);
                }
                Some(items.remove(at).value)
            }
            Self::Many(many) => many.remove(sought.name),
        }
    }

    /// The items from a place on, in order.
    pub(super) fn range(&self, from: Bound<&str>) -> Range<'_, K, V> {
        match self {
            Self::Few { items, .. } => {
                let before = |name: &str| match from {
                    Bound::Included(at) => name < at,
                    Bound::Excluded(at) => name <= at,
                    Bound::Unbounded => false,
                };
                let start = items.partition_point(|item| before(item.name.borrow()));
                Range::Few(items[start..].iter())
            }
            Self::Many(many) => Range::Many(many.range::<str, _>((from, Bound::Unbounded))),
        }
    }
}

fn place<K: Borrow<str>, V>(
    items: &[Item<K, V>],
    heads: &[u64],
    sought: Sought<'_>,
) -> Result<usize, usize> {
    if heads.is_empty() {
        return items.binary_search_by(|item| {
            item.head.cmp(&sought.head).then_with(|| item.name.borrow().cmp(sought.name))
        });
    }
    // Names that begin alike are few, and lie side by side.
    let start = heads.partition_point(|head| *head < sought.head);
    let alike = heads[start..].partition_point(|head| *head == sought.head);
    let found =
        items[start..start + alike].binary_search_by(|item| item.name.borrow().cmp(sought.name));
    found.map(|at| start + at).map_err(|at| start + at)
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
