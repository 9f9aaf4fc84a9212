//! Versions that are hashes of values: SHA-256 in hexadecimal digits.
//!
//! Equal versions then mean equal bytes without a thought of clocks, counters, or what the Python
//! service or a restored backup does to either. The price is that a version is had by reading the value.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::Version;

/// The version of a value.
pub(super) fn version(bytes: &[u8]) -> Version {
    mark(&Sha256::digest(bytes))
}

/// The version of a value, and its size, without holding it in memory.
pub(super) fn version_of(mut value: impl Read) -> io::Result<(Version, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = [0; 16 << 10];
    loop {
        match value.read(&mut buffer) {
            Ok(0) => return Ok((mark(&hash.finalize()), size)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The version of the value with this SHA-256.
pub(super) fn mark(digest: &[u8]) -> Version {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let text: String =
        digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    Version::from(&*text)
}
