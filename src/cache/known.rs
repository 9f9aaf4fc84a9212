//! Which contents this process has met: those that are stored again are usually among them.
//!
//! A store of content that is new needs no look at its hash reference, since creating it says as well
//! whether it was there, at the price of doing the work twice when it was. So, where the settings ask
//! for it ([`Settings::create_first`](super::Settings)), the reference of a content met before is read
//! first, and any other is created first. It is only about what a call costs: either way the reference
//! is written on condition, so nothing depends on what is kept in mind here, on restarts, or on others.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::key::Key;

/// How many contents are kept in mind, at some 60 bytes each.
const MOST: usize = 1 << 16;

/// The contents met last.
#[derive(Debug)]
pub(super) struct Known {
    // Two contents that share a number cost a read.
    met: Mutex<LruCache<u64, ()>>,
    numbers: RandomState,
}

impl Default for Known {
    fn default() -> Self {
        Self { met: Mutex::new(LruCache::unbounded()), numbers: RandomState::new() }
    }
}

impl Known {
    /// Takes note of a hash reference; whether it had been met before.
    pub(super) fn meet(&self, hash_key: &Key) -> bool {
        let number = self.numbers.hash_one(hash_key.as_str());
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let before = met.put(number, ()).is_some();
        if met.len() > MOST {
            met.pop_lru();
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Namespace, RelPath};

    #[test]
    fn what_was_met_is_known_until_many_others_were() {
        let key = |nth: usize| {
            let path = format!("refs/by-hash/{nth}.json");
            Namespace::clean("team").unwrap().key(RelPath::parse(&path).unwrap()).unwrap()
        };
        let known = Known::default();
        assert!(!known.meet(&key(0)));
        assert!(known.meet(&key(0)));
        for nth in 1..=MOST {
            known.meet(&key(nth));
        }
        assert!(!known.meet(&key(0)));
        assert!(known.meet(&key(MOST)));
    }
}
