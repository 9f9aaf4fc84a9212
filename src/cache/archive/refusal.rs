//! Why an archive is refused, by who has to act on it.

use crate::cache::error::Error;

/// Why an archive, or a request about its members, is refused. Upstream's texts where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no archive.
    #[error("File is not a zip file")]
    NotZip,
    /// Its directory cannot be read.
    #[error("{0}")]
    Directory(&'static str),
    /// One of its members cannot be read.
    #[error("File '{name}' {why}")]
    Member {
        /// The member.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It has no such member.
    #[error("File '{0}' not found in zip")]
    NoMember(String),
    /// The request names no member.
    #[error("file_path required for {0} operation")]
    NoPath(&'static str),
    /// Too many members.
    #[error("archive has more than {limit} members")]
    TooManyMembers {
        /// The limit.
        limit: usize,
    },
    /// Too much content.
    #[error("archive unpacks to more than {limit} bytes")]
    TooManyBytes {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Content that is suspiciously much larger than its compressed form.
    #[error("archive unpacks to more than {limit} times its size")]
    TooDense {
        /// The limit.
        limit: u64,
    },
    /// Too large for the plain format, which is what is written.
    #[error("archive would exceed 65535 members or 4 GiB")]
    TooLong,
    /// Too many operations in a batch.
    #[error("batch has more than {limit} operations")]
    TooManyOperations {
        /// The limit.
        limit: usize,
    },
    /// Too many patterns in a batch, for so many names.
    #[error("batch has too many or too long patterns for this archive")]
    TooManyPatterns,
}

impl Refusal {
    pub(super) fn member(name: &str, why: &'static str) -> Self {
        Self::Member { name: name.to_owned(), why }
    }

    /// Whether a limit is the reason, and not what the archive is.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        match self {
            Self::TooManyMembers { .. }
            | Self::TooManyBytes { .. }
            | Self::TooDense { .. }
            | Self::TooLong
            | Self::TooManyOperations { .. }
            | Self::TooManyPatterns => true,
            Self::NotZip
            | Self::Directory(_)
            | Self::Member { .. }
            | Self::NoMember(_)
            | Self::NoPath(_) => false,
        }
    }
}

/// Trouble of an operation on an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is no such entry, or it is not binary.
    #[error("Zip file not found in cache")]
    NotFound,
    /// The archive or the request is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The service failed.
    #[error(transparent)]
    Service(#[from] Error),
}
