//! The container: which members an archive says it has, and where their data is. Pure.
//!
//! This reads what Python's `zipfile` reads and by the same rules, since upstream is that module and
//! clients open what they download with it: the last end record counts, the directory is as long as
//! that record says and ends right before it, and names without the UTF-8 flag are code page 437.
//! Nothing a header says is used before it was compared with the bytes that are there.

use std::borrow::Cow;

use super::Refusal;

const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const CENTRAL_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
const END64_LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";

const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const END64_BYTES: usize = 56;
const END64_LOCATOR_BYTES: usize = 20;

/// The extra field that holds what does not fit into 32 bits.
pub(super) const ZIP64_FIELD: u16 = 1;

/// Bits of a member's flags.
pub(super) mod flag {
    /// The data is encrypted.
    pub(in super::super) const ENCRYPTED: u16 = 1;
    /// Sizes and checksum follow the data, and may be zero in the local header.
    pub(in super::super) const DESCRIPTOR: u16 = 1 << 3;
    /// The data is a patch.
    pub(in super::super) const PATCH: u16 = 1 << 5;
    /// The data is encrypted in another way.
    pub(in super::super) const STRONGLY_ENCRYPTED: u16 = 1 << 6;
    /// The name is UTF-8.
    pub(in super::super) const UTF8: u16 = 1 << 11;
}

/// The directory of an archive.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    /// Where the directory starts, and so where data must end.
    start: usize,
    /// The members, in order; a name may occur more than once.
    pub(super) members: Vec<Member<'a>>,
    /// The comment of the archive.
    pub(super) comment: &'a [u8],
}

/// One member, as the directory describes it.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    /// The name as Python reads it.
    pub(super) name: Cow<'a, str>,
    /// The name as stored.
    pub(super) stored_name: &'a [u8],
    /// The extra fields of the directory.
    pub(super) extra: &'a [u8],
    /// The comment.
    pub(super) comment: &'a [u8],
    pub(super) made_by: u16,
    pub(super) needed: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) time: u16,
    pub(super) date: u16,
    pub(super) crc: u32,
    pub(super) packed_size: u64,
    pub(super) size: u64,
    pub(super) internal_attributes: u16,
    pub(super) external_attributes: u32,
    /// Where the local header starts, as said; checked by [`Directory::locate`].
    header: i128,
}

/// What a member takes up of the archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located<'a> {
    /// Where its local header starts.
    pub(super) start: usize,
    /// Where its data ends.
    pub(super) end: usize,
    /// The extra fields of the local header.
    pub(super) extra: &'a [u8],
    /// The data, compressed or not.
    pub(super) packed: &'a [u8],
}

impl<'a> Directory<'a> {
    /// Reads the directory of an archive of at most `max_members` members.
    pub(super) fn read(bytes: &'a [u8], max_members: usize) -> Result<Self, Refusal> {
        let end = EndRecord::find(bytes)?;
        let start = end.directory_start()?;
        // Where the archive starts, if something else stands before it.
        let shift = start as i128 - i128::from(end.directory_offset);
        let mut rest = &bytes[start..start + end.directory_bytes];
        let mut members = Vec::new();
        while !rest.is_empty() {
            if members.len() == max_members {
                return Err(Refusal::TooManyMembers { limit: max_members });
            }
            let (member, behind) = Member::read(rest, shift)?;
            members.push(member);
            rest = behind;
        }
        Ok(Self { bytes, start, members, comment: end.comment })
    }

    /// Finds a member's data, and refuses headers that contradict each other.
    pub(super) fn locate(&self, member: &Member<'a>) -> Result<Located<'a>, Refusal> {
        let wrong = |why| Err(Refusal::member(&member.name, why));
        let Ok(start) = usize::try_from(member.header) else {
            return wrong("is outside the archive");
        };
        let before_directory = &self.bytes[..self.start];
        let Some(header) =
            before_directory.get(start..).and_then(<[u8]>::first_chunk::<LOCAL_BYTES>)
        else {
            return wrong("is outside the archive");
        };
        if header[..4] != LOCAL_SIGNATURE {
            return wrong("has no header where the directory says");
        }
        let name_at = start + LOCAL_BYTES;
        let extra_at = name_at + usize::from(u16_at(header, 26));
        let data_at = extra_at + usize::from(u16_at(header, 28));
        let end =
            usize::try_from(member.packed_size).ok().and_then(|size| data_at.checked_add(size));
        let Some((name, extra, packed)) = end.and_then(|end| {
            let part = |from, to| before_directory.get(from..to);
            Some((part(name_at, extra_at)?, part(extra_at, data_at)?, part(data_at, end)?))
        }) else {
            return wrong("is longer than the archive");
        };
        let flags = u16_at(header, 6);
        let same_encoding = name.is_ascii() || (flags ^ member.flags) & flag::UTF8 == 0;
        if name != member.stored_name || !same_encoding {
            return wrong("has another name in its own header");
        }
        // Zeros and all ones stand for sizes that are said elsewhere.
        let agrees = |at, size| {
            let said = u32_at(header, at);
            said == 0 || said == u32::MAX || u64::from(said) == size
        };
        let method_agrees = u16_at(header, 8) == member.method;
        let sizes_agree = agrees(18, member.packed_size) && agrees(22, member.size);
        if !(method_agrees && (sizes_agree || flags & flag::DESCRIPTOR != 0)) {
            return wrong("is described in two ways that contradict each other");
        }
        Ok(Located { start, end: data_at + packed.len(), extra, packed })
    }

    /// Refuses members that share bytes with each other: a small archive of such members can grow
    /// far beyond what its compression allows.
    pub(super) fn refuse_overlaps(&self) -> Result<(), Refusal> {
        let mut spans = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let located = self.locate(member)?;
            spans.push((located.start, located.end, &member.name));
        }
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if pair[1].0 < pair[0].1 {
                return Err(Refusal::member(pair[1].2, "overlaps another member"));
            }
        }
        Ok(())
    }

    /// The member of a name. Of several, the last one counts.
    pub(super) fn member(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().rev().find(|member| member.name == name)
    }
}

impl<'a> Member<'a> {
    /// Reads the first record of a directory and returns what follows it.
    fn read(directory: &'a [u8], shift: i128) -> Result<(Self, &'a [u8]), Refusal> {
        const TRUNCATED: Refusal = Refusal::Directory("Truncated central directory");
        let (record, rest) = directory.split_first_chunk::<CENTRAL_BYTES>().ok_or(TRUNCATED)?;
        if record[..4] != CENTRAL_SIGNATURE {
            return Err(Refusal::Directory("Bad magic number for central directory"));
        }
        let length = |at| usize::from(u16_at(record, at));
        let (stored_name, rest) = rest.split_at_checked(length(28)).ok_or(TRUNCATED)?;
        let (extra, rest) = rest.split_at_checked(length(30)).ok_or(TRUNCATED)?;
        let (comment, rest) = rest.split_at_checked(length(32)).ok_or(TRUNCATED)?;
        let flags = u16_at(record, 8);
        let wide = Wide::read(record, extra)?;
        let member = Self {
            name: decoded(stored_name, flags)?,
            stored_name,
            extra,
            comment,
            made_by: u16_at(record, 4),
            needed: u16_at(record, 6),
            flags,
            method: u16_at(record, 10),
            time: u16_at(record, 12),
            date: u16_at(record, 14),
            crc: u32_at(record, 16),
            packed_size: wide.packed_size,
            size: wide.size,
            internal_attributes: u16_at(record, 36),
            external_attributes: u32_at(record, 38),
            header: i128::from(wide.offset) + shift,
        };
        Ok((member, rest))
    }
}

/// The values of a directory record that may need 64 bits.
struct Wide {
    size: u64,
    packed_size: u64,
    offset: u64,
}

impl Wide {
    fn read(record: &[u8; CENTRAL_BYTES], extra: &[u8]) -> Result<Self, Refusal> {
        let mut values =
            [u32_at(record, 24), u32_at(record, 20), u32_at(record, 42)].map(u64::from);
        for (id, mut field) in extra_fields(extra) {
            if id != ZIP64_FIELD {
                continue;
            }
            for value in values.iter_mut().filter(|value| **value == u64::from(u32::MAX)) {
                let Some((wide, behind)) = field.split_first_chunk() else {
                    return Err(Refusal::Directory("Corrupt zip64 extra field"));
                };
                *value = u64::from_le_bytes(*wide);
                field = behind;
            }
        }
        let [size, packed_size, offset] = values;
        Ok(Self { size, packed_size, offset })
    }
}

/// The extra fields of a member, by id. What is left over at the end is ignored.
pub(super) fn extra_fields(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = extra.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
        extra = rest;
        Some((u16_at(head, 0), field))
    })
}

/// The record at the end of an archive that says where its directory is.
struct EndRecord<'a> {
    /// What stands between the directory and the end of the archive starts here.
    directory_end: usize,
    directory_bytes: usize,
    /// Where the directory says it starts, counted from the start of the archive proper.
    directory_offset: u64,
    comment: &'a [u8],
}

impl<'a> EndRecord<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let at = Self::position(bytes).ok_or(Refusal::NotZip)?;
        let (record, behind) =
            bytes[at..].split_first_chunk::<END_BYTES>().ok_or(Refusal::NotZip)?;
        let comment_bytes = usize::from(u16_at(record, 20)).min(behind.len());
        let narrow = Self {
            directory_end: at,
            directory_bytes: u32_at(record, 12) as usize,
            directory_offset: u32_at(record, 16).into(),
            comment: &behind[..comment_bytes],
        };
        narrow.widened(&bytes[..at])
    }

    /// Without a comment the record is the end of the archive; with one it is the last that is found.
    fn position(bytes: &[u8]) -> Option<usize> {
        let bare = bytes.len().checked_sub(END_BYTES)?;
        let record = &bytes[bare..];
        if record[..4] == END_SIGNATURE && record[20..] == [0, 0] {
            return Some(bare);
        }
        let longest = (1 << 16) + END_BYTES;
        let first = bytes.len().saturating_sub(longest);
        memchr::memmem::rfind(&bytes[first..], &END_SIGNATURE).map(|at| first + at)
    }

    /// Takes the 64-bit record into account, which stands right before this one if it is there.
    fn widened(self, before: &[u8]) -> Result<Self, Refusal> {
        let Some((before, locator)) = before.split_last_chunk::<END64_LOCATOR_BYTES>() else {
            return Ok(self);
        };
        if locator[..4] != END64_LOCATOR_SIGNATURE {
            return Ok(self);
        }
        if u32_at(locator, 4) != 0 || u32_at(locator, 16) > 1 {
            let why = "zipfiles that span multiple disks are not supported";
            return Err(Refusal::Directory(why));
        }
        let Some((before, record)) = before.split_last_chunk::<END64_BYTES>() else {
            return Ok(self);
        };
        if record[..4] != END64_SIGNATURE {
            return Ok(self);
        }
        Ok(Self {
            directory_end: before.len(),
            directory_bytes: usize::try_from(u64_at(record, 40)).unwrap_or(usize::MAX),
            directory_offset: u64_at(record, 48),
            comment: self.comment,
        })
    }

    fn directory_start(&self) -> Result<usize, Refusal> {
        self.directory_end
            .checked_sub(self.directory_bytes)
            .ok_or(Refusal::Directory("Bad offset for central directory"))
    }
}

/// A stored name as Python reads it, up to the first NUL.
fn decoded(stored: &[u8], flags: u16) -> Result<Cow<'_, str>, Refusal> {
    let stored = stored.split(|byte| *byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(stored) {
        Ok(name) if flags & flag::UTF8 != 0 || stored.is_ascii() => Ok(name.into()),
        Err(_) if flags & flag::UTF8 != 0 => {
            Err(Refusal::Directory("The name of a member is not UTF_8"))
        }
        _ => Ok(stored.iter().map(|byte| code_page_437(*byte)).collect()),
    }
}

fn code_page_437(byte: u8) -> char {
    #[rustfmt::skip]
    const UPPER: [char; 128] = [
        'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å',
        'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ',
        'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»',
        '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐',
        '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧',
        '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀',
        'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩',
        '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
    ];
    match byte.checked_sub(128) {
        Some(upper) => UPPER[usize::from(upper)],
        None => char::from(byte),
    }
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
