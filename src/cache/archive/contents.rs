//! The contents of members: unpacked, checked and bounded. Pure.
//!
//! No size that an archive declares is trusted: memory grows with what really comes out, what comes
//! out is counted while it does, and nothing is kept of a member that is not asked for.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::directory::Directory;
use super::{ArchiveLimits, Refusal};
use crate::zipfile::{Member, flag, method};

/// What is unpacked at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Below this much content the ratio is not looked at: unpacking it costs next to nothing, and
/// compressing well is what small regular files do.
const RATIO_FLOOR_BYTES: u64 = 16 << 20;

/// What may still be unpacked.
#[derive(Debug)]
pub(super) struct Budget<'l> {
    limits: &'l ArchiveLimits,
    unpacked: u64,
    packed: u64,
}

impl<'l> Budget<'l> {
    pub(super) fn new(limits: &'l ArchiveLimits) -> Self {
        Self { limits, unpacked: 0, packed: 0 }
    }

    /// Counts content that is not compressed.
    pub(super) fn count_plain(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.count(bytes as u64, bytes)
    }

    /// Counts content and the data it came out of.
    fn count(&mut self, packed: u64, unpacked: usize) -> Result<(), Refusal> {
        self.packed += packed;
        self.unpacked += unpacked as u64;
        if self.unpacked > self.limits.max_total_bytes {
            return Err(Refusal::TooManyBytes { limit: self.limits.max_total_bytes });
        }
        let allowed = self.packed.max(1).saturating_mul(self.limits.max_ratio);
        if self.unpacked > RATIO_FLOOR_BYTES && self.unpacked > allowed {
            return Err(Refusal::TooDense { limit: self.limits.max_ratio });
        }
        Ok(())
    }
}

/// Unpacks a member piece by piece, and refuses it when it is not what its headers say.
pub(super) fn unpack(
    directory: &Directory<'_>,
    member: &Member<'_>,
    budget: &mut Budget<'_>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Refusal> {
    let wrong = |why| Err(Refusal::member(&member.name, why));
    if member.flags & (flag::ENCRYPTED | flag::STRONGLY_ENCRYPTED) != 0 {
        return wrong("is encrypted");
    }
    if member.flags & flag::PATCH != 0 {
        return wrong("is a patch of another file");
    }
    let packed = directory.locate(member)?.packed;
    let mut found = Found::default();
    match member.method {
        method::STORED => {
            budget.count_plain(packed.len())?;
            found.add(packed);
            take(packed);
        }
        method::DEFLATED => {
            let mut decoder = DeflateDecoder::new(packed);
            let mut chunk = vec![0; CHUNK_BYTES];
            let mut counted = 0;
            loop {
                let Ok(count) = decoder.read(&mut chunk) else {
                    return wrong("cannot be unpacked");
                };
                if count == 0 {
                    break;
                }
                budget.count(decoder.total_in() - counted, count)?;
                counted = decoder.total_in();
                found.add(&chunk[..count]);
                take(&chunk[..count]);
            }
        }
        _ => return wrong("is compressed in a way other than deflate"),
    }
    if found.bytes != member.size {
        return wrong("has another size than the archive says");
    }
    if found.crc.sum() != member.crc {
        return wrong("does not match its checksum");
    }
    Ok(())
}

/// Reads the content of a member.
pub(super) fn read(
    directory: &Directory<'_>,
    member: &Member<'_>,
    limits: &ArchiveLimits,
) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    unpack(directory, member, &mut Budget::new(limits), |chunk| content.extend_from_slice(chunk))?;
    Ok(content)
}

#[derive(Default)]
struct Found {
    bytes: u64,
    crc: Crc,
}

impl Found {
    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.crc.update(chunk);
    }
}
