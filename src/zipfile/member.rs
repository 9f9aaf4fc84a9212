//! Members: what the directory says of them, and what their own headers say.

use std::borrow::Cow;

#[cfg(all(unix, feature = "zip"))]
use super::Moment;
use super::{Malformed, flag, u16_at, u32_at};

/// How a local header starts.
pub(super) const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL_SIGNATURE: [u8; 4] = *b"PK\x01\x02";

/// The fixed part of a local header.
pub(crate) const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;

/// The extra field that holds what does not fit into 32 bits.
pub(super) const ZIP64_FIELD: u16 = 1;

/// One member, as the directory describes it.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    /// The name as Python reads it.
    pub(crate) name: Cow<'a, str>,
    /// The name as stored.
    pub(crate) stored_name: &'a [u8],
    /// The extra fields of the directory.
    pub(crate) extra: &'a [u8],
    /// The comment.
    pub(crate) comment: &'a [u8],
    pub(crate) made_by: u16,
    pub(crate) needed: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) time: u16,
    pub(crate) date: u16,
    pub(crate) crc: u32,
    pub(crate) packed_size: u64,
    pub(crate) size: u64,
    pub(crate) internal_attributes: u16,
    pub(crate) external_attributes: u32,
    /// Where the local header starts, counted from the start of the file, as said: to be checked.
    pub(crate) header: i128,
}

/// The fixed part of a member's own header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local {
    pub(crate) flags: u16,
    pub(crate) method: u16,
    #[cfg(all(unix, feature = "zip"))]
    pub(crate) moment: Moment,
    /// The size of the data, unless it is said elsewhere: then 0 or all ones.
    packed_size: u32,
    /// The size of the content, as above.
    size: u32,
    /// How long the name is that follows.
    pub(crate) name_bytes: usize,
    /// How long the extra fields are that follow the name.
    pub(crate) extra_bytes: usize,
}

impl Local {
    /// `None` when this is no local header.
    pub(crate) fn read(header: &[u8; LOCAL_BYTES]) -> Option<Self> {
        (header[..4] == LOCAL_SIGNATURE).then(|| Self {
            flags: u16_at(header, 6),
            method: u16_at(header, 8),
            #[cfg(all(unix, feature = "zip"))]
            moment: Moment { time: u16_at(header, 10), date: u16_at(header, 12) },
            packed_size: u32_at(header, 18),
            size: u32_at(header, 22),
            name_bytes: u16_at(header, 26).into(),
            extra_bytes: u16_at(header, 28).into(),
        })
    }

    /// Whether it contradicts what the directory says.
    pub(crate) fn agrees(&self, method: u16, packed_size: u64, size: u64) -> bool {
        // Zeros and all ones stand for sizes that are said elsewhere.
        let agrees = |said: u32, size| said == 0 || said == u32::MAX || u64::from(said) == size;
        let sizes_agree = agrees(self.packed_size, packed_size) && agrees(self.size, size);
        self.method == method && (sizes_agree || self.flags & flag::DESCRIPTOR != 0)
    }
}

impl<'a> Member<'a> {
    /// Reads the first record of a directory and returns what follows it.
    pub(crate) fn read(directory: &'a [u8], shift: i128) -> Result<(Self, &'a [u8]), Malformed> {
        const TRUNCATED: Malformed = Malformed::Directory("Truncated central directory");
        let (record, rest) = directory.split_first_chunk::<CENTRAL_BYTES>().ok_or(TRUNCATED)?;
        if record[..4] != CENTRAL_SIGNATURE {
            return Err(Malformed::Directory("Bad magic number for central directory"));
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
    fn read(record: &[u8; CENTRAL_BYTES], extra: &[u8]) -> Result<Self, Malformed> {
        let mut values =
            [u32_at(record, 24), u32_at(record, 20), u32_at(record, 42)].map(u64::from);
        for (id, mut field) in extra_fields(extra) {
            if id != ZIP64_FIELD {
                continue;
            }
            for value in values.iter_mut().filter(|value| **value == u64::from(u32::MAX)) {
                let Some((wide, behind)) = field.split_first_chunk() else {
                    return Err(Malformed::Directory("Corrupt zip64 extra field"));
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

/// A stored name as Python reads it, up to the first NUL.
pub(crate) fn decoded(stored: &[u8], flags: u16) -> Result<Cow<'_, str>, Malformed> {
    let stored = stored.split(|byte| *byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(stored) {
        Ok(name) if flags & flag::UTF8 != 0 || stored.is_ascii() => Ok(name.into()),
        Err(_) if flags & flag::UTF8 != 0 => {
            Err(Malformed::Directory("The name of a member is not UTF_8"))
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
