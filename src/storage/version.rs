//! Marks of values.
//!
//! Stores of bytes mark a value with its SHA-256: equal versions then mean equal bytes without a thought of
//! clocks, counters, or what the Python service or a restored backup does to either. Hashing is a good
//! part of a read, and hardly any read is followed by a write that depends on it; so it is put off until
//! somebody compares.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// An opaque mark of one value of one key: equal versions of a key mean equal bytes. A backend makes
/// it from a number or a text (a counter, an entity tag), or from the value.
#[derive(Clone)]
pub struct Version(Mark);

#[derive(Clone)]
enum Mark {
    Number(u64),
    Text(Arc<str>),
    Hash([u8; 32]),
    Value(Bytes, OnceLock<[u8; 32]>),
}

/// What of a mark is compared.
#[derive(PartialEq, Eq, Hash)]
enum Known<'a> {
    Number(u64),
    Text(&'a str),
    Hash(&'a [u8; 32]),
}

impl From<u64> for Version {
    fn from(number: u64) -> Self {
        Self(Mark::Number(number))
    }
}

impl From<&str> for Version {
    fn from(text: &str) -> Self {
        Self(Mark::Text(text.into()))
    }
}

impl Version {
    /// Of a value, by its SHA-256, which is worked out when it is needed.
    #[must_use]
    pub fn of_value(value: Bytes) -> Self {
        Self(Mark::Value(value, OnceLock::new()))
    }

    /// Of the value with this SHA-256.
    #[must_use]
    pub fn of_sha256(hash: [u8; 32]) -> Self {
        Self(Mark::Hash(hash))
    }

    /// As [`Version::of_value`] and with the length of the value, without holding it in memory.
    pub fn of_reader(mut value: impl Read) -> io::Result<(Self, u64)> {
        let mut hash = Sha256::new();
        let mut size = 0;
        let mut buffer = [0; 16 << 10];
        loop {
            match value.read(&mut buffer) {
                Ok(0) => return Ok((Self::of_sha256(hash.finalize().into()), size)),
                Ok(count) => {
                    hash.update(&buffer[..count]);
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The number this version was made from, if it was one.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        match self.0 {
            Mark::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The text this version was made from, if it was one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Mark::Text(text) => Some(text),
            _ => None,
        }
    }

    fn known(&self) -> Known<'_> {
        match &self.0 {
            Mark::Number(number) => Known::Number(*number),
            Mark::Text(text) => Known::Text(text),
            Mark::Hash(hash) => Known::Hash(hash),
            Mark::Value(value, hash) => {
                Known::Hash(hash.get_or_init(|| Sha256::digest(value).into()))
            }
        }
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.known() == other.known()
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.known().hash(state);
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Known::Number(number) => write!(f, "Version({number})"),
            Known::Text(text) => write!(f, "Version({text:?})"),
            Known::Hash(hash) => {
                f.write_str("Version(")?;
                hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    }
}
