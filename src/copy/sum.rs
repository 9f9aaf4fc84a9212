//! A sum over names and values that does not depend on their order.

use std::ops::Add;

use sha2::{Digest, Sha256};

use crate::key::Key;

/// The sum over a set of objects. Equal sets have equal sums; that different ones do, too, is as
/// likely as that two of their hashes are equal in 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    hashes: u128,
    objects: u64,
}

impl Sum {
    /// The sum over one object.
    pub(super) fn of(key: &Key, value: &Hash) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(value);
        hasher.update(key.as_str());
        let digest: Hash = hasher.finalize().into();
        let mut leading = [0; 16];
        leading.copy_from_slice(&digest[..16]);
        Self { hashes: u128::from_le_bytes(leading), objects: 1 }
    }
}

impl Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            hashes: self.hashes.wrapping_add(other.hashes),
            objects: self.objects + other.objects,
        }
    }
}

/// The SHA-256 of a value.
pub(super) type Hash = [u8; 32];

/// Hashes a value.
pub(super) fn hash(value: &[u8]) -> Hash {
    Sha256::digest(value).into()
}
