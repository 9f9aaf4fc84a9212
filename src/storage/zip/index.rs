//! What is where: all names in memory, in order, with the place of each value.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, OnceLock};

use super::archive::Archive;
use super::member::{Hash, Packed};
use crate::key::Key;
use crate::storage::Version;

/// The file of places in the archive; the parts of the journal count from 1.
pub(super) const ARCHIVE: u64 = 0;

/// Where the local header of a member starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// [`ARCHIVE`], or the number of a part of the journal.
    pub(super) file: u64,
    /// Counted from the start of that file.
    pub(super) header: u64,
}

/// A member that holds the value of a key.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) place: Place,
    pub(super) packed_size: u64,
    pub(super) size: u64,
    pub(super) crc: u32,
    pub(super) method: u16,
    /// Known once the value was read, or from the start if this process wrote it.
    pub(super) hash: OnceLock<Hash>,
}

impl Slot {
    /// A value in the journal.
    pub(super) fn new(place: Place, packed: &Packed) -> Self {
        Self {
            place,
            packed_size: packed.packed_size,
            size: packed.size,
            crc: packed.crc,
            method: crate::zipfile::method::DEFLATED,
            hash: OnceLock::from(packed.hash),
        }
    }

    /// The version of the value, if it is known.
    pub(super) fn version(&self) -> Option<Version> {
        self.hash.get().copied().map(Version::of_sha256)
    }
}

/// The names, and the files that places are in.
#[derive(Debug)]
pub(super) struct Index {
    slots: BTreeMap<Key, Slot>,
    pub(super) archive: Arc<Archive>,
    pub(super) segments: BTreeMap<u64, Arc<File>>,
    /// Bytes of the archive that nothing refers to any more, about.
    pub(super) garbage: u64,
}

impl Index {
    pub(super) fn new(archive: Arc<Archive>) -> Self {
        Self { slots: BTreeMap::new(), archive, segments: BTreeMap::new(), garbage: 0 }
    }

    pub(super) fn slots(&self) -> &BTreeMap<Key, Slot> {
        &self.slots
    }

    pub(super) fn put(&mut self, key: Key, slot: Slot) {
        let before = self.slots.insert(key, slot);
        self.count(before);
    }

    pub(super) fn delete(&mut self, key: &str) {
        let before = self.slots.remove(key);
        self.count(before);
    }

    fn count(&mut self, before: Option<Slot>) {
        if let Some(slot) = before.filter(|slot| slot.place.file == ARCHIVE) {
            self.garbage += slot.packed_size + 1;
        }
    }

    /// The file that a place is in.
    pub(super) fn file(&self, place: Place) -> Option<Arc<File>> {
        if place.file == ARCHIVE {
            return Some(Arc::clone(&self.archive.file));
        }
        self.segments.get(&place.file).map(Arc::clone)
    }

    /// Takes over a new archive: `moved` says where in it a member is now, if it is there.
    pub(super) fn move_to(&mut self, archive: Arc<Archive>, moved: impl Fn(Place) -> Option<u64>) {
        for slot in self.slots.values_mut() {
            if let Some(header) = moved(slot.place) {
                slot.place = Place { file: ARCHIVE, header };
            }
        }
        self.archive = archive;
    }
}
