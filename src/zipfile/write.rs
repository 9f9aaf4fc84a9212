//! Writing headers, directory records and end records. What does not fit into 32 bits is written in
//! the 64-bit forms, and nothing else is.

use super::end::{END_SIGNATURE, END64_BYTES, END64_LOCATOR_SIGNATURE, END64_SIGNATURE};
use super::member::{CENTRAL_SIGNATURE, LOCAL_SIGNATURE, ZIP64_FIELD, extra_fields};
use super::{Member, flag};

/// Version 2.0 of the format: folders and deflate.
const NEEDED: u16 = 20;
/// Version 4.5: the 64-bit forms.
const NEEDED_64: u16 = 45;
/// The first, written on Unix, so that the attributes are read as a mode.
const MADE_BY: u16 = 3 << 8 | NEEDED;

/// A moment as archives record it: two seconds exact, in the years 1980 to 2107.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) time: u16,
    pub(crate) date: u16,
}

/// What both headers of a member say of it.
#[derive(Debug, Clone)]
pub(crate) struct Header<'n> {
    pub(crate) name: &'n [u8],
    pub(crate) needed: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) moment: Moment,
    pub(crate) crc: u32,
    pub(crate) packed_size: u64,
    pub(crate) size: u64,
}

/// What the directory alone says of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    made_by: u16,
    internal: u16,
    external: u32,
}

impl Attributes {
    /// Those of a new file, as Python gives them.
    pub(crate) const FILE: Self = Self { made_by: MADE_BY, internal: 0, external: 0o600 << 16 };
    /// Those of a new folder, as Python gives them.
    pub(crate) const FOLDER: Self =
        Self { made_by: MADE_BY, internal: 0, external: 0o40775 << 16 | 0x10 };

    /// Those of a member as it stands.
    pub(crate) fn of(member: &Member<'_>) -> Self {
        Self {
            made_by: member.made_by,
            internal: member.internal_attributes,
            external: member.external_attributes,
        }
    }
}

impl<'n> Header<'n> {
    /// Of a new member. The name is UTF-8.
    pub(crate) fn new(
        name: &'n str,
        method: u16,
        moment: Moment,
        crc: u32,
        (packed_size, size): (u64, u64),
    ) -> Self {
        let flags = if name.is_ascii() { 0 } else { flag::UTF8 };
        let name = name.as_bytes();
        Self { name, needed: NEEDED, flags, method, moment, crc, packed_size, size }
    }

    /// Of a member as it stands.
    pub(crate) fn of(member: &Member<'n>) -> Self {
        Self {
            name: member.stored_name,
            // Said again where it is so.
            needed: if member.needed == NEEDED_64 { NEEDED } else { member.needed },
            flags: member.flags,
            method: member.method,
            moment: Moment { time: member.time, date: member.date },
            crc: member.crc,
            packed_size: member.packed_size,
            size: member.size,
        }
    }

    /// Appends the local header, which the data is to follow. Of `extra`, all but the field for
    /// 64-bit sizes is kept.
    pub(crate) fn write_local(&self, out: &mut Vec<u8>, extra: &[u8]) {
        // A local header has room for both sizes or none.
        let wide = if is_wide(self.size) || is_wide(self.packed_size) {
            vec![self.size, self.packed_size]
        } else {
            Vec::new()
        };
        let narrow = |size| if wide.is_empty() { size } else { u64::from(u32::MAX) };
        let extra = fields(&wide, extra);
        out.extend_from_slice(&LOCAL_SIGNATURE);
        self.write_common(out, !wide.is_empty(), [self.packed_size, self.size].map(narrow));
        put_u16(out, short(extra.len()));
        out.extend_from_slice(self.name);
        out.extend_from_slice(&extra);
    }

    /// Appends a record of the directory: the member's local header starts at `offset`. Of `extra`,
    /// all but the field for 64-bit sizes is kept.
    pub(crate) fn write_central(
        &self,
        out: &mut Vec<u8>,
        attributes: Attributes,
        offset: u64,
        (extra, comment): (&[u8], &[u8]),
    ) {
        let wide: Vec<u64> = [self.size, self.packed_size, offset]
            .into_iter()
            .filter(|value| is_wide(*value))
            .collect();
        let extra = fields(&wide, extra);
        out.extend_from_slice(&CENTRAL_SIGNATURE);
        put_u16(out, attributes.made_by);
        self.write_common(out, !wide.is_empty(), [self.packed_size, self.size]);
        put_u16(out, short(extra.len()));
        put_u16(out, short(comment.len()));
        put_u16(out, 0);
        put_u16(out, attributes.internal);
        put_u32(out, attributes.external);
        put_u32(out, narrow(offset));
        out.extend_from_slice(self.name);
        out.extend_from_slice(&extra);
        out.extend_from_slice(comment);
    }

    fn write_common(&self, out: &mut Vec<u8>, wide: bool, sizes: [u64; 2]) {
        put_u16(out, if wide { self.needed.max(NEEDED_64) } else { self.needed });
        put_u16(out, self.flags);
        put_u16(out, self.method);
        put_u16(out, self.moment.time);
        put_u16(out, self.moment.date);
        put_u32(out, self.crc);
        for size in sizes {
            put_u32(out, narrow(size));
        }
        put_u16(out, short(self.name.len()));
    }
}

/// Appends what stands at the end of an archive, behind its directory.
pub(crate) fn write_end(
    out: &mut Vec<u8>,
    members: u64,
    directory_bytes: u64,
    directory_offset: u64,
    comment: &[u8],
) {
    let count = u16::try_from(members).unwrap_or(u16::MAX);
    if count == u16::MAX || is_wide(directory_bytes) || is_wide(directory_offset) {
        out.extend_from_slice(&END64_SIGNATURE);
        // The rest of the record, behind this number.
        put_u64(out, END64_BYTES as u64 - 12);
        put_u16(out, 3 << 8 | NEEDED_64);
        put_u16(out, NEEDED_64);
        put_u64(out, 0);
        for value in [members, members, directory_bytes, directory_offset] {
            put_u64(out, value);
        }
        out.extend_from_slice(&END64_LOCATOR_SIGNATURE);
        put_u32(out, 0);
        put_u64(out, directory_offset + directory_bytes);
        put_u32(out, 1);
    }
    out.extend_from_slice(&END_SIGNATURE);
    put_u32(out, 0);
    put_u16(out, count);
    put_u16(out, count);
    put_u32(out, narrow(directory_bytes));
    put_u32(out, narrow(directory_offset));
    put_u16(out, short(comment.len()));
    out.extend_from_slice(comment);
}

impl Moment {
    /// A moment, given in milliseconds since 1970.
    pub(crate) fn new(now_ms: u64) -> Self {
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

/// The extra fields, with these values in the field for what needs 64 bits.
fn fields(wide: &[u64], extra: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    if !wide.is_empty() {
        put_u16(&mut kept, ZIP64_FIELD);
        put_u16(&mut kept, short(8 * wide.len()));
        for value in wide {
            put_u64(&mut kept, *value);
        }
    }
    for (id, field) in extra_fields(extra).filter(|(id, _)| *id != ZIP64_FIELD) {
        // Beyond 16 bits of length there is no room for the last of them.
        if kept.len() + 4 + field.len() <= usize::from(u16::MAX) {
            put_u16(&mut kept, id);
            put_u16(&mut kept, short(field.len()));
            kept.extend_from_slice(field);
        }
    }
    kept
}

/// Whether a value needs 64 bits: all ones in 32 bits say that it is elsewhere.
fn is_wide(value: u64) -> bool {
    value >= u32::MAX.into()
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
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

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
