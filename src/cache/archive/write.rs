//! Writing archives. Pure.
//!
//! What is written never needs the 64-bit forms: an archive is refused before it is that large.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::Refusal;
use super::directory::{Located, Member, ZIP64_FIELD, extra_fields, flag};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Version 2.0 of the format: folders and deflate.
const NEEDED: u16 = 20;
/// Version 4.5: the 64-bit forms, which are not written.
const NEEDED_64: u16 = 45;
/// The first, written on Unix, so that the attributes are read as a mode.
const MADE_BY: u16 = 3 << 8 | NEEDED;
/// Attributes of new members, those that Python gives them.
const FILE_ATTRIBUTES: u32 = 0o600 << 16;
const FOLDER_ATTRIBUTES: u32 = 0o40775 << 16 | 0x10;

/// Content shorter than this is not worth compressing.
const LEAST_COMPRESSED_BYTES: usize = 64;

/// An archive on its way out.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
    directory: Vec<u8>,
    members: usize,
    now: Moment,
}

/// A moment as archives record it: two seconds exact, in the years 1980 to 2107.
#[derive(Debug, Clone, Copy)]
struct Moment {
    time: u16,
    date: u16,
}

/// What both headers of a member say of it.
struct Common<'n> {
    name: &'n [u8],
    needed: u16,
    flags: u16,
    method: u16,
    moment: Moment,
    crc: u32,
    packed_size: u32,
    size: u32,
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
        let common = Common {
            name,
            needed: if member.needed == NEEDED_64 { NEEDED } else { member.needed },
            flags: member.flags & !flag::DESCRIPTOR & !flag::UTF8 | encoding,
            method: member.method,
            moment: Moment { time: member.time, date: member.date },
            crc: member.crc,
            packed_size: size_of(located.packed.len())?,
            size: u32::try_from(member.size).map_err(|_| Refusal::TooLong)?,
        };
        let offset = size_of(self.out.len())?;
        self.local(&common, &narrow_fields(located.extra), located.packed);
        self.record(
            &common,
            (member.made_by, member.internal_attributes, member.external_attributes),
            offset,
            (&narrow_fields(member.extra), member.comment),
        );
        Ok(())
    }

    /// Appends a new member.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Refusal> {
        let deflated = deflated(content);
        let (method, packed) = match &deflated {
            Some(deflated) => (DEFLATED, deflated.as_slice()),
            None => (STORED, content),
        };
        let mut crc = Crc::new();
        crc.update(content);
        let common = Common {
            name: name.as_bytes(),
            needed: NEEDED,
            flags: if name.is_ascii() { 0 } else { flag::UTF8 },
            method,
            moment: self.now,
            crc: crc.sum(),
            packed_size: size_of(packed.len())?,
            size: size_of(content.len())?,
        };
        let offset = size_of(self.out.len())?;
        let attributes = if name.ends_with('/') { FOLDER_ATTRIBUTES } else { FILE_ATTRIBUTES };
        self.local(&common, &[], packed);
        self.record(&common, (MADE_BY, 0, attributes), offset, (&[], &[]));
        Ok(())
    }

    /// Writes the directory and the end.
    pub(super) fn finish(mut self, comment: &[u8]) -> Result<Bytes, Refusal> {
        let members = u16::try_from(self.members).map_err(|_| Refusal::TooLong)?;
        let offset = size_of(self.out.len())?;
        let directory_bytes = size_of(self.directory.len())?;
        let comment_bytes = u16::try_from(comment.len()).map_err(|_| Refusal::TooLong)?;
        self.out.append(&mut self.directory);
        let out = &mut self.out;
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        put_u16(out, members);
        put_u16(out, members);
        put_u32(out, directory_bytes);
        put_u32(out, offset);
        put_u16(out, comment_bytes);
        out.extend_from_slice(comment);
        Ok(self.out.into())
    }

    fn local(&mut self, common: &Common<'_>, extra: &[u8], packed: &[u8]) {
        let out = &mut self.out;
        out.extend_from_slice(b"PK\x03\x04");
        common.write(out, extra.len());
        out.extend_from_slice(common.name);
        out.extend_from_slice(extra);
        out.extend_from_slice(packed);
    }

    /// Writes a record of the directory: who made the member, its attributes, where its local header
    /// starts, its extra fields and its comment.
    fn record(
        &mut self,
        common: &Common<'_>,
        (made_by, internal, external): (u16, u16, u32),
        offset: u32,
        (extra, comment): (&[u8], &[u8]),
    ) {
        let out = &mut self.directory;
        out.extend_from_slice(b"PK\x01\x02");
        put_u16(out, made_by);
        common.write(out, extra.len());
        put_u16(out, short(comment.len()));
        put_u16(out, 0);
        put_u16(out, internal);
        put_u32(out, external);
        put_u32(out, offset);
        out.extend_from_slice(common.name);
        out.extend_from_slice(extra);
        out.extend_from_slice(comment);
        self.members += 1;
    }
}

impl Common<'_> {
    fn write(&self, out: &mut Vec<u8>, extra_bytes: usize) {
        put_u16(out, self.needed);
        put_u16(out, self.flags);
        put_u16(out, self.method);
        put_u16(out, self.moment.time);
        put_u16(out, self.moment.date);
        put_u32(out, self.crc);
        put_u32(out, self.packed_size);
        put_u32(out, self.size);
        put_u16(out, short(self.name.len()));
        put_u16(out, short(extra_bytes));
    }
}

impl Moment {
    fn new(now_ms: u64) -> Self {
        const FIRST: Moment = Moment { time: 0, date: 1 << 5 | 1 };
        let seconds = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let Ok(at) = time::OffsetDateTime::from_unix_timestamp(seconds) else { return FIRST };
        let Some(year) = u16::try_from(at.year() - 1980).ok().filter(|year| *year < 128) else {
            return FIRST;
        };
        let small = |value: u8| u16::from(value);
        Self {
            time: small(at.hour()) << 11 | small(at.minute()) << 5 | small(at.second() / 2),
            date: year << 9 | small(u8::from(at.month())) << 5 | small(at.day()),
        }
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

/// The extra fields without the one for 64-bit sizes, which are written as 32 bits.
fn narrow_fields(extra: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    for (id, field) in extra_fields(extra).filter(|(id, _)| *id != ZIP64_FIELD) {
        put_u16(&mut kept, id);
        put_u16(&mut kept, short(field.len()));
        kept.extend_from_slice(field);
    }
    kept
}

/// A length that is recorded in 32 bits, of which all ones are not a length.
fn size_of(bytes: usize) -> Result<u32, Refusal> {
    u32::try_from(bytes).ok().filter(|size| *size != u32::MAX).ok_or(Refusal::TooLong)
}

/// The length of a name, a comment or extra fields: read from 16 bits, or cleaned to far less.
fn short(bytes: usize) -> u16 {
    u16::try_from(bytes)
        .expect("names, comments and extra fields come from records of 16-bit lengths")
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}
