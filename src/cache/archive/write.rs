//! Writing archives. Pure.
//!
//! What is written never needs the 64-bit forms: an archive is refused before it is that large.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::Refusal;
use super::directory::Located;
use crate::zipfile::{Attributes, Header, Member, Moment, flag, method, write_end};

/// Content shorter than this is not worth compressing.
const LEAST_COMPRESSED_BYTES: usize = 64;

/// An archive on its way out.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
    directory: Vec<u8>,
    members: u64,
    now: Moment,
}

impl Writer {
    pub(super) fn new(now_ms: u64) -> Self {
        Self { out: Vec::new(), directory: Vec::new(), members: 0, now: Moment::new(now_ms) }
    }

    /// Copies a member as it stands, perhaps under another name.
    pub(super) fn copy(
        &mut self,
        member: &Member<'_>,
        located: &Located<'_>,
        renamed: Option<&str>,
    ) -> Result<(), Refusal> {
        // Names that are given here are cleaned, which leaves nothing but ASCII.
        let (name, encoding) = match renamed {
            Some(name) => (name.as_bytes(), 0),
            None => (member.stored_name, member.flags & flag::UTF8),
        };
        let header = Header {
            name,
            flags: member.flags & !flag::DESCRIPTOR & !flag::UTF8 | encoding,
            ..Header::of(member)
        };
        let attributes = Attributes::of(member);
        self.put(&header, located.extra, located.packed, attributes, (member.extra, member.comment))
    }

    /// Appends a new member.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Refusal> {
        let deflated = deflated(content);
        let (method, packed) = match &deflated {
            Some(deflated) => (method::DEFLATED, deflated.as_slice()),
            None => (method::STORED, content),
        };
        let mut crc = Crc::new();
        crc.update(content);
        let sizes = (packed.len() as u64, content.len() as u64);
        let header = Header::new(name, method, self.now, crc.sum(), sizes);
        let attributes = if name.ends_with('/') { Attributes::FOLDER } else { Attributes::FILE };
        self.put(&header, &[], packed, attributes, (&[], &[]))
    }

    /// Writes the directory and the end.
    pub(super) fn finish(mut self, comment: &[u8]) -> Result<Bytes, Refusal> {
        u16::try_from(self.members)
            .ok()
            .filter(|members| *members != u16::MAX)
            .ok_or(Refusal::TooLong)?;
        let offset = size_of(self.out.len())?;
        let directory_bytes = size_of(self.directory.len())?;
        self.out.append(&mut self.directory);
        write_end(&mut self.out, self.members, directory_bytes, offset, comment);
        Ok(self.out.into())
    }

    fn put(
        &mut self,
        header: &Header<'_>,
        extra: &[u8],
        packed: &[u8],
        attributes: Attributes,
        in_directory: (&[u8], &[u8]),
    ) -> Result<(), Refusal> {
        size_of(packed.len())?;
        if header.size >= u32::MAX.into() {
            return Err(Refusal::TooLong);
        }
        let offset = size_of(self.out.len())?;
        header.write_local(&mut self.out, extra);
        self.out.extend_from_slice(packed);
        header.write_central(&mut self.directory, attributes, offset, in_directory);
        self.members += 1;
        Ok(())
    }
}

/// The content compressed, where that makes it shorter.
fn deflated(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() < LEAST_COMPRESSED_BYTES {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).ok()?;
    encoder.finish().ok().filter(|deflated| deflated.len() < content.len())
}

/// A length or an offset that needs no more than 32 bits, of which all ones are not one.
fn size_of(bytes: usize) -> Result<u64, Refusal> {
    let bytes = bytes as u64;
    if bytes < u32::MAX.into() { Ok(bytes) } else { Err(Refusal::TooLong) }
}
