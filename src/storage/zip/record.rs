//! The bytes of the journal. Pure.
//!
//! A part of the journal starts with a header: which archive or which part it continues, and a random
//! *salt*. Records follow, each with everything that one write to the journal says:
//!
//! | bytes | |
//! |---|---|
//! | 4 | `LJR1` |
//! | 8 | length of the changes |
//! | 1 | 1 if everything before was on disk when this was written |
//! | 16 | the check of the record before (of the header, for the first) |
//! | 16 | the check: SHA-256 of the salt, all of the above and the changes, cut short |
//! | … | the changes |
//!
//! So a record that was cut, or is left from a write that failed, is not taken for one that counts; nor
//! is a value that looks like a record, since no client knows the salt.

use sha2::{Digest, Sha256};

use super::archive::Fingerprint;
use super::member::{Hash, Packed};

const HEADER_MAGIC: &[u8; 8] = b"LARDERJ1";
/// The length of the header of a part.
pub(super) const HEADER_BYTES: usize = 8 + 32 + 8 + 16 + 16;

const RECORD_MAGIC: &[u8; 4] = b"LJR1";
/// The length of the head of a record.
pub(super) const HEAD_BYTES: usize = 4 + 8 + 1 + 16 + 16;

/// What chains records to each other.
pub(super) type Check = [u8; 16];
pub(super) type Salt = [u8; 16];

/// The header of a part of the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// The archive that was there when the part was begun.
    pub(super) base: Fingerprint,
    /// The part before this one, which is to be done again first; 0 if there is none.
    pub(super) previous: u64,
    pub(super) salt: Salt,
}

impl Header {
    pub(super) fn encode(&self) -> (Vec<u8>, Check) {
        let mut bytes = HEADER_MAGIC.to_vec();
        bytes.extend_from_slice(&self.base);
        bytes.extend_from_slice(&self.previous.to_le_bytes());
        bytes.extend_from_slice(&self.salt);
        let check = check([&bytes]);
        bytes.extend_from_slice(&check);
        (bytes, check)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<(Self, Check)> {
        let mut rest = bytes.strip_prefix(HEADER_MAGIC)?;
        let header = Self {
            base: take(&mut rest)?,
            previous: u64::from_le_bytes(take(&mut rest)?),
            salt: take(&mut rest)?,
        };
        let said: Check = take(&mut rest)?;
        (header.encode().1 == said).then_some((header, said))
    }
}

/// The head of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The length of the changes.
    pub(super) length: u64,
    /// Whether everything before was on disk when this was written.
    pub(super) settled: bool,
    pub(super) before: Check,
    pub(super) check: Check,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(RECORD_MAGIC)?;
        Some(Self {
            length: u64::from_le_bytes(take(&mut rest)?),
            settled: take::<1>(&mut rest)? == [1],
            before: take(&mut rest)?,
            check: take(&mut rest)?,
        })
    }

    /// Whether these are the changes that the head was written for.
    pub(super) fn fits(&self, salt: &Salt, changes: &[u8]) -> bool {
        changes.len() as u64 == self.length && self.expected(salt, changes) == self.check
    }

    fn expected(&self, salt: &Salt, changes: &[u8]) -> Check {
        let length = self.length.to_le_bytes();
        check([&salt[..], &length, &[u8::from(self.settled)], &self.before, changes])
    }
}

/// Whether there is a whole record behind this place that was written when everything before it was on
/// disk: then what is broken before it is not the end of the journal.
pub(super) fn is_settled_behind(salt: &Salt, bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, RECORD_MAGIC).any(|at| {
        let candidate = &bytes[at..];
        let Some(head) = Head::read(candidate) else { return false };
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        let end = HEAD_BYTES.saturating_add(length);
        let Some(changes) = candidate.get(HEAD_BYTES..end) else { return false };
        head.settled && head.fits(salt, changes)
    })
}

/// A record in the making.
#[derive(Debug)]
pub(super) struct Draft(Vec<u8>);

impl Draft {
    pub(super) fn new() -> Self {
        Self(vec![0; HEAD_BYTES])
    }

    /// Adds a value. Returns where its member will be, counted from the start of the record.
    pub(super) fn put(&mut self, key: &str, packed: &Packed) -> u64 {
        self.0.push(PUT);
        self.name(key);
        self.0.extend_from_slice(&packed.crc.to_le_bytes());
        self.0.extend_from_slice(&packed.packed_size.to_le_bytes());
        self.0.extend_from_slice(&packed.size.to_le_bytes());
        self.0.extend_from_slice(&packed.hash);
        self.0.extend_from_slice(&(packed.bytes.len() as u64).to_le_bytes());
        let at = self.0.len() as u64;
        self.0.extend_from_slice(&packed.bytes);
        at
    }

    pub(super) fn delete(&mut self, key: &str) {
        self.0.push(DELETE);
        self.name(key);
    }

    /// Notes that an archive is about to be put in place which holds all of the parts before this one.
    pub(super) fn moved(&mut self, archive: &Fingerprint) {
        self.0.push(MOVED);
        self.0.extend_from_slice(archive);
    }

    /// Writes the head. Returns the record and its check.
    pub(super) fn seal(mut self, salt: &Salt, before: Check, settled: bool) -> (Vec<u8>, Check) {
        let length = (self.0.len() - HEAD_BYTES) as u64;
        let mut head = Head { length, settled, before, check: [0; 16] };
        head.check = head.expected(salt, &self.0[HEAD_BYTES..]);
        let mut bytes = RECORD_MAGIC.to_vec();
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.push(settled.into());
        bytes.extend_from_slice(&before);
        bytes.extend_from_slice(&head.check);
        self.0[..HEAD_BYTES].copy_from_slice(&bytes);
        (self.0, head.check)
    }

    fn name(&mut self, key: &str) {
        let length = u16::try_from(key.len()).expect("keys have at most 1024 bytes");
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(key.as_bytes());
    }
}

const PUT: u8 = 1;
const DELETE: u8 = 2;
const MOVED: u8 = 3;

/// One thing that a record says.
#[derive(Debug)]
pub(super) enum Said<'a> {
    Put {
        key: &'a str,
        crc: u32,
        packed_size: u64,
        size: u64,
        hash: Hash,
        /// Where the member is, counted from the start of the changes.
        at: usize,
    },
    Delete {
        key: &'a str,
    },
    /// See [`Draft::moved`].
    Moved(Fingerprint),
}

/// What a record says; `None` when that makes no sense.
pub(super) fn said(changes: &[u8]) -> Option<Vec<Said<'_>>> {
    let mut all = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let said = match take::<1>(&mut rest)? {
            [PUT] => {
                let key = name(&mut rest)?;
                let crc = u32::from_le_bytes(take(&mut rest)?);
                let packed_size = u64::from_le_bytes(take(&mut rest)?);
                let size = u64::from_le_bytes(take(&mut rest)?);
                let hash = take(&mut rest)?;
                let length = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
                let at = changes.len() - rest.len();
                rest = rest.get(length..)?;
                Said::Put { key, crc, packed_size, size, hash, at }
            }
            [DELETE] => Said::Delete { key: name(&mut rest)? },
            [MOVED] => Said::Moved(take(&mut rest)?),
            _ => return None,
        };
        all.push(said);
    }
    Some(all)
}

fn name<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = u16::from_le_bytes(take(rest)?);
    let (name, behind) = rest.split_at_checked(length.into())?;
    *rest = behind;
    std::str::from_utf8(name).ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

fn check<'p>(parts: impl IntoIterator<Item = &'p (impl AsRef<[u8]> + ?Sized + 'p)>) -> Check {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_ref());
    }
    let mut check = [0; 16];
    check.copy_from_slice(&hash.finalize()[..16]);
    check
}
