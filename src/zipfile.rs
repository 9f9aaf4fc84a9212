//! Records of ZIP containers: end records, directories and local headers, read and written. Pure.
//!
//! Two rooms need them: `cache::archive` for entries that are archives, and `storage::zip` for the
//! store that is one. A library was tried first (`zip` 9): it keeps one member a name, where upstream
//! writes duplicates; it takes members over without their own local header; and it writes a new directory
//! only together with new members, where the store copies most of an archive from file to file without
//! looking at it. What is left to do by hand is this: three records of fixed layout.
//!
//! Reading follows Python's `zipfile`, since upstream is that module and people open what they get with
//! it: the last end record counts, the directory is as long as that record says and ends right before
//! it, and names without the UTF-8 flag are code page 437. What a record says is not to be used before
//! it was compared with the bytes that are there; that is left to the callers, who have the bytes.

mod end;
mod member;
mod write;

pub(crate) use end::EndRecord;
#[cfg(all(unix, feature = "zip"))]
pub(crate) use end::LONGEST_TAIL_BYTES;
#[cfg(all(unix, feature = "zip"))]
pub(crate) use member::decoded;
pub(crate) use member::{LOCAL_BYTES, Local, Member};
pub(crate) use write::{Attributes, Header, Moment, write_end};

/// Methods of compression.
pub(crate) mod method {
    /// Not compressed.
    pub(crate) const STORED: u16 = 0;
    /// Deflate.
    pub(crate) const DEFLATED: u16 = 8;
}

/// Bits of a member's flags.
pub(crate) mod flag {
    /// The data is encrypted.
    pub(crate) const ENCRYPTED: u16 = 1;
    /// Sizes and checksum follow the data, and may be zero in the local header.
    pub(crate) const DESCRIPTOR: u16 = 1 << 3;
    /// The data is a patch.
    pub(crate) const PATCH: u16 = 1 << 5;
    /// The data is encrypted in another way.
    pub(crate) const STRONGLY_ENCRYPTED: u16 = 1 << 6;
    /// The name is UTF-8.
    pub(crate) const UTF8: u16 = 1 << 11;
}

/// Why something is no archive. Upstream's texts where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// There is no end record.
    #[error("File is not a zip file")]
    NotZip,
    /// The directory cannot be read.
    #[error("{0}")]
    Directory(&'static str),
}

// These are for records of a fixed size and offsets inside of them.

fn u16_at(record: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([record[at], record[at + 1]])
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from(u16_at(record, at)) | u32::from(u16_at(record, at + 2)) << 16
}

fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from(u32_at(record, at)) | u64::from(u32_at(record, at + 4)) << 32
}
