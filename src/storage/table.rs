//! A hash table whose items stay where they are, at a numbered place.
//!
//! In a large store the way to memory is most of what a lookup costs, so this one takes two steps: to the
//! number, and to the item. (Tables that keep hashes apart from their items take one step more, and moving
//! items when a table grows would stop a large store for a second.)
//!
//! It is a table with linear probing, in parts that grow one at a time.

use std::mem::replace;
use std::num::NonZeroU32;

/// Parts of a table, so that growing moves a small one.
const PARTS: usize = 64;

/// Items that lie side by side and are freed together: more of them would be freed later, and fewer would
/// make the list of them longer than the caches of a processor.
const CHUNK: usize = 256;

/// The fewest slots of a part that has any.
const FEW: usize = 8;

/// A table of items under hashes, that need not be different.
#[derive(Debug)]
pub(super) struct Table<T> {
    parts: Box<[Part]>,
    /// Each of [`CHUNK`] items, or of none.
    chunks: Vec<Box<[Option<T>]>>,
    /// For each of them.
    rooms: Vec<Room>,
    /// The chunks with room in them.
    roomy: Vec<usize>,
    /// The chunk that was the last to become empty.
    spare: usize,
}

/// The number of an item's place, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(
    /// Counted from 1, so that no place takes no room.
    NonZeroU32,
);

/// Where a slot is free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Free(usize);

impl Place {
    /// In a chunk.
    fn new(chunk: usize, at: usize) -> Self {
        let number = u32::try_from(chunk * CHUNK + at + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("memory holds fewer"))
    }

    /// The chunk, and where in it.
    fn split(self) -> (usize, usize) {
        let number = self.0.get() as usize - 1;
        (number / CHUNK, number % CHUNK)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Self { parts, chunks: Vec::new(), rooms: Vec::new(), roomy: Vec::new(), spare: 0 }
    }
}

impl<T> Table<T> {
    /// The item of this hash that is the one; otherwise, where it goes.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Place, &T) -> bool) -> Result<Place, Free> {
        let part = &self.parts[part_of(hash)];
        let tag = tag_of(hash);
        if part.slots.is_empty() {
            return Err(Free(0));
        }
        let is_it = |slot: &Slot| slot.tag == tag && is_it(slot.place, self.at(slot.place));
        let at = part.slot_from(part.home(tag), is_it);
        part.slots[at].map(|slot| slot.place).ok_or(Free(at))
    }

    /// # Panics
    /// When nothing is there.
    pub(super) fn at(&self, place: Place) -> &T {
        let (chunk, at) = place.split();
        self.chunks[chunk][at].as_ref().expect("an item is there")
    }

    /// # Panics
    /// When nothing is there.
    pub(super) fn at_mut(&mut self, place: Place) -> &mut T {
        let (chunk, at) = place.split();
        self.chunks[chunk][at].as_mut().expect("an item is there")
    }

    /// The items at up to so many places before one: where places were not used before, those put before
    /// it. The place may be of another table.
    pub(super) fn before(&self, place: Place, up_to: usize) -> impl Iterator<Item = &T> {
        let (chunk, at) = place.split();
        let items = self.chunks.get(chunk).map_or(&[][..], |chunk| chunk);
        let end = at.min(items.len());
        items[end.saturating_sub(up_to)..end].iter().flatten()
    }

    /// Puts an item where [`Table::find`] has just said it goes.
    pub(super) fn insert(&mut self, hash: u64, free: Free, item: T) -> Place {
        let place = self.keep(item);
        self.parts[part_of(hash)].insert(free, Slot { tag: tag_of(hash), place });
        place
    }

    /// # Panics
    /// When there is no item of this hash there.
    pub(super) fn remove(&mut self, hash: u64, place: Place) -> T {
        self.parts[part_of(hash)].remove(tag_of(hash), place);
        let (chunk, at) = place.split();
        let item = self.chunks[chunk][at].take().expect("an item is there");
        let room = &mut self.rooms[chunk];
        if !room.is_some() {
            self.roomy.push(chunk);
        }
        room.free.push(at as u8);
        if room.is_all() {
            // One stays, or an item that comes and goes could make and free a chunk each time.
            let before = replace(&mut self.spare, chunk);
            if before != chunk && self.rooms[before].is_all() {
                self.rooms[before] = Room::default();
                self.chunks[before] = Box::default();
            }
        }
        item
    }

    fn keep(&mut self, item: T) -> Place {
        let chunk = self.roomy.last().copied().unwrap_or_else(|| {
            self.chunks.push(Box::default());
            self.rooms.push(Room::default());
            self.roomy.push(self.chunks.len() - 1);
            self.chunks.len() - 1
        });
        let (items, room) = (&mut self.chunks[chunk], &mut self.rooms[chunk]);
        if items.is_empty() {
            *items = (0..CHUNK).map(|_| None).collect();
        }
        let at = room.free.pop().map_or(room.used, usize::from);
        room.used = room.used.max(at + 1);
        items[at] = Some(item);
        if !room.is_some() {
            self.roomy.pop();
        }
        Place::new(chunk, at)
    }
}

/// Where a chunk has room.
#[derive(Debug, Default)]
struct Room {
    /// From here on nothing was ever put.
    used: usize,
    /// Those before that are free again.
    free: Vec<u8>,
}

impl Room {
    fn is_some(&self) -> bool {
        !self.free.is_empty() || self.used < CHUNK
    }

    fn is_all(&self) -> bool {
        self.free.len() == self.used
    }
}

/// Places under tags, in the order of these as far as others leave them room.
#[derive(Debug, Default)]
struct Part {
    /// None of them, or a power of two; a quarter is always free.
    slots: Vec<Option<Slot>>,
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    place: Place,
}

impl Part {
    fn insert(&mut self, Free(mut at): Free, slot: Slot) {
        if 4 * (self.taken + 1) > 3 * self.slots.len() {
            self.resize((2 * self.slots.len()).max(FEW));
            at = self.free(slot.tag);
        }
        self.slots[at] = Some(slot);
        self.taken += 1;
    }

    fn remove(&mut self, tag: u32, place: Place) {
        let mask = self.slots.len() - 1;
        let distance = |from: usize, to: usize| to.wrapping_sub(from) & mask;
        let mut hole = self.slot_from(self.home(tag), |slot| slot.place == place);
        assert!(self.slots[hole].is_some(), "an item is there");
        // Those behind it that would no more be found move up.
        let mut at = (hole + 1) & mask;
        while let Some(slot) = self.slots[at] {
            if distance(self.home(slot.tag), at) >= distance(hole, at) {
                self.slots[hole] = Some(slot);
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.slots[hole] = None;
        self.taken -= 1;
        if self.taken == 0 {
            self.slots = Vec::new();
        } else if self.slots.len() > FEW && 8 * self.taken < self.slots.len() {
            self.resize(self.slots.len() / 2);
        }
    }

    fn resize(&mut self, slots: usize) {
        let before = replace(&mut self.slots, vec![None; slots]);
        for slot in before.into_iter().flatten() {
            let at = self.free(slot.tag);
            self.slots[at] = Some(slot);
        }
    }

    fn free(&self, tag: u32) -> usize {
        self.slot_from(self.home(tag), |_| false)
    }

    /// Where the search for a tag starts.
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.slots.len() as u64) >> u32::BITS) as usize
    }

    /// The slot that is the one, or the next free one.
    fn slot_from(&self, mut at: usize, is_it: impl Fn(&Slot) -> bool) -> usize {
        while self.slots[at].as_ref().is_some_and(|slot| !is_it(slot)) {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }
}

fn part_of(hash: u64) -> usize {
    hash as usize % PARTS
}

fn tag_of(hash: u64) -> u32 {
    (hash >> u32::BITS) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_does_what_a_map_does(
            // Few hashes, so that many are the same, begin alike, or wrap around at the end.
            changes in proptest::collection::vec((0_u32..200, any::<bool>()), 0..250),
            shift in 30_u32..60,
        ) {
            let hash = |item: u32| u64::from(item % 150) << shift | 0xf000_0000_0000_0000;
            let (mut table, mut model) = (Table::default(), BTreeMap::new());
            for (item, put) in changes {
                let found = table.find(hash(item), |_, there| *there == item);
                prop_assert_eq!(found.ok(), model.get(&item).copied());
                match found {
                    Err(free) if put => {
                        model.insert(item, table.insert(hash(item), free, item));
                    }
                    Ok(place) if !put => {
                        prop_assert_eq!(table.remove(hash(item), place), item);
                        model.remove(&item);
                    }
                    _ => {}
                }
            }
            for (item, place) in model {
                prop_assert_eq!(table.at(place), &item);
                let found = table.find(hash(item), |_, there| *there == item);
                prop_assert_eq!(found.ok(), Some(place));
            }
        }
    }

    #[test]
    fn places_are_used_again_and_memory_is_given_back() {
        let mut table = Table::default();
        const MANY: u32 = CHUNK as u32 + 5;
        for _ in 0..2 {
            let hash = |item: u32| u64::from(item) << 32;
            let places: Vec<Place> = (0..MANY)
                .map(|item| match table.find(hash(item), |_, there| *there == item) {
                    Ok(_) => panic!("{item} is there already"),
                    Err(free) => table.insert(hash(item), free, item),
                })
                .collect();
            assert_eq!(table.chunks.len(), 2);
            for (item, place) in (0..).zip(places) {
                assert_eq!(table.remove(hash(item), place), item);
            }
            assert_eq!(table.chunks.iter().filter(|chunk| !chunk.is_empty()).count(), 1);
            assert!(table.parts.iter().all(|part| part.slots.capacity() == 0));
        }
    }
}
