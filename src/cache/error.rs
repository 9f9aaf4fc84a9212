//! What can go wrong in the service, by who has to act on it.

use crate::key::InvalidName;
use crate::storage;

/// Trouble of a service operation. That an entry is not there is an answer, not trouble.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be carried out as it stands; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// A body grew over a limit while it was decompressed, or would when laid out as it is stored.
    #[error("content exceeds {limit} bytes once unpacked or indented")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Others kept changing the same objects; trying again may help.
    #[error("gave up after {attempts} attempts: others keep changing the same entry")]
    Busy {
        /// Attempts made.
        attempts: usize,
    },
    /// An object is not what it should be.
    #[error("{key} is damaged: {why}")]
    Damaged {
        /// Which object.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// What a service operation returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
