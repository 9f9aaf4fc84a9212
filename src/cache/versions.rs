//! The entries of one hash, shared between a hash reference and the next that has one entry more: so the
//! ten-thousandth store of one content costs what the first does.

use rpds::ListSync;

use super::short::Short;

/// One entry of a hash reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashVersion {
    /// The entry.
    pub cache_id: Short<36>,
    /// When it was stored, in milliseconds since 1970.
    pub timestamp: u64,
}

/// Entries from old to new. Cloning and adding cost the same however many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions {
    /// Here and not in the list, which most contents need not have.
    newest: Option<HashVersion>,
    /// From new to old.
    older: ListSync<HashVersion>,
}

impl Versions {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.newest.is_some()) + self.older.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// The last one.
    #[must_use]
    pub fn newest(&self) -> Option<&HashVersion> {
        self.newest.as_ref()
    }

    /// All of them, from new to old.
    pub fn from_new_to_old(&self) -> impl Iterator<Item = &HashVersion> {
        self.newest.iter().chain(self.older.iter())
    }

    /// All of them, from old to new.
    #[must_use]
    pub fn from_old_to_new(&self) -> Vec<&HashVersion> {
        let mut all: Vec<&HashVersion> = self.from_new_to_old().collect();
        all.reverse();
        all
    }

    /// Takes an entry out, wherever it is listed; whether it was. What is older stays shared, so that no more
    /// is copied than what is newer; but all of them are looked at.
    pub fn remove(&mut self, cache_id: &str) -> bool {
        let mut found = false;
        while let Some(at) = self.place_of(cache_id) {
            let newer: Vec<HashVersion> = self.from_new_to_old().take(at).cloned().collect();
            for _ in 0..=at {
                self.newest = self.older.first().cloned();
                self.older.drop_first_mut();
            }
            newer.into_iter().rev().for_each(|version| self.push(version));
            found = true;
        }
        found
    }

    fn place_of(&self, cache_id: &str) -> Option<usize> {
        self.from_new_to_old().position(|version| *version.cache_id == *cache_id)
    }

    /// Adds one that is newer than all.
    pub fn push(&mut self, version: HashVersion) {
        if let Some(before) = self.newest.replace(version) {
            self.older.push_front_mut(before);
        }
    }
}

impl FromIterator<HashVersion> for Versions {
    /// Takes them from old to new.
    fn from_iter<I: IntoIterator<Item = HashVersion>>(versions: I) -> Self {
        let mut all = Self::default();
        versions.into_iter().for_each(|version| all.push(version));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_taken_out_is_gone_and_the_rest_stays_in_order(
            ids in proptest::collection::vec("[a-d]", 0..8),
            gone in "[a-e]",
        ) {
            let version = |id: &String| HashVersion { cache_id: id.as_str().into(), timestamp: 1 };
            let all: Versions = ids.iter().map(version).collect();
            let mut left = all.clone();
            prop_assert_eq!(left.remove(&gone), ids.contains(&gone));
            let expected: Versions = ids.iter().filter(|id| **id != gone).map(version).collect();
            prop_assert_eq!((left.len(), &left), (expected.len(), &expected));
            // The one before shares what is older, and is what it was.
            prop_assert_eq!(all, ids.iter().map(version).collect());
        }
    }
}
