//! Items in the order of their names, few most of the time: a sorted list, and a tree once it is long.
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

/// What the names of items are, which need not lie in them. An item has the same name every time.
pub(super) trait Names<T> {
    type Name: Ord + Borrow<str>;

    fn text<'a>(&'a self, item: &'a T) -> &'a str;

    /// The same, to keep.
    fn name(&self, item: &T) -> Self::Name;
}

/// Items ordered by the bytes of their names. No two have the same.
#[derive(Debug)]
pub(super) enum Ordered<N, T> {
    Few {
        items: Vec<Item<T>>,
        /// Those of all items, or of none.
        heads: ThinVec<u64>,
    },
    Many(BTreeMap<N, T>),
}

#[derive(Debug)]
pub(super) struct Item<T> {
    head: u64,
    item: T,
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

impl<N, T> Default for Ordered<N, T> {
    fn default() -> Self {
        Self::Few { items: Vec::new(), heads: ThinVec::new() }
    }
}

impl<N: Ord + Borrow<str>, T> Ordered<N, T> {
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

    /// Puts an item, unless one of its name is there. All names share their first `shared` bytes.
    pub(super) fn insert(&mut self, item: T, shared: usize, names: &impl Names<T, Name = N>) {
        let (items, heads) = match self {
            Self::Many(many) => {
                many.entry(names.name(&item)).or_insert(item);
                return;
            }
            Self::Few { items, heads } => (items, heads),
        };
        let sought = Sought::new(names.text(&item), shared);
        let head = sought.head;
        let alike = alike(items, heads, sought.head);
        let start = alike.start;
        let place = items[alike].binary_search_by(|one| names.text(&one.item).cmp(sought.name));
        let Err(at) = place.map_err(|at| start + at) else { return };
        if items.len() == FEW {
            let items = items.drain(..).map(|one| one.item).chain([item]);
            *self = Self::Many(items.map(|item| (names.name(&item), item)).collect());
            return;
        }
        if items.len() == items.capacity() {
            // A list grows to four items at first, and most folders hold one to three keys.
            items.reserve_exact(1 + items.len() / 2);
        }
        items.insert(at, Item { head, item });
        if !heads.is_empty() {
            heads.insert(at, head);
        } else if items.len() > SHORT {
            heads.extend(items.iter().map(|one| one.head));
        }
    }

    /// Takes an item out, which has the name sought.
    pub(super) fn remove(&mut self, sought: Sought<'_>, is_it: impl Fn(&T) -> bool) -> Option<T> {
        match self {
            Self::Few { items, heads } => {
                let alike = alike(items, heads, sought.head);
                let at = alike.start + items[alike].iter().position(|one| is_it(&one.item))?;
                if !heads.is_empty() {
                    heads.remove(at);
                }
                let item = items.remove(at).item;
                if 4 * items.len() < items.capacity() {
                    items.shrink_to(2 * items.len());
                    heads.shrink_to_fit();
                }
                Some(item)
            }
            Self::Many(many) => many.remove(sought.name),
        }
    }

    /// The items from a place on, in order.
    pub(super) fn range(
        &self,
        from: Bound<&str>,
        names: &impl Names<T, Name = N>,
    ) -> Range<'_, N, T> {
        match self {
            Self::Few { items, .. } => {
                let before = |name: &str| match from {
                    Bound::Included(at) => name < at,
                    Bound::Excluded(at) => name <= at,
                    Bound::Unbounded => false,
                };
                let start = items.partition_point(|one| before(names.text(&one.item)));
                Range::Few(items[start..].iter())
            }
            Self::Many(many) => Range::Many(many.range::<str, _>((from, Bound::Unbounded))),
        }
    }
}

/// Where the items lie whose names begin alike: they are few, and side by side.
fn alike<T>(items: &[Item<T>], heads: &[u64], head: u64) -> std::ops::Range<usize> {
    if heads.is_empty() {
        let start = items.partition_point(|one| one.head < head);
        start..start + items[start..].partition_point(|one| one.head == head)
    } else {
        let start = heads.partition_point(|one| *one < head);
        start..start + heads[start..].partition_point(|one| *one == head)
    }
}

/// Items in order.
#[derive(Debug)]
pub(super) enum Range<'a, N, T> {
    Few(slice::Iter<'a, Item<T>>),
    Many(btree_map::Range<'a, N, T>),
}

impl<'a, N, T> Iterator for Range<'a, N, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(few) => few.next().map(|one| &one.item),
            Self::Many(many) => many.next().map(|(_, item)| item),
        }
    }
}
