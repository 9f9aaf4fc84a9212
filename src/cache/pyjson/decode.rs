//! From the bytes of a document to its text: Python's `json.detect_encoding`, and strict decoding.

use std::borrow::Cow;

/// The text without its byte order mark, or `None` if it is not valid in its encoding.
pub(super) fn decode(body: &[u8]) -> Option<Cow<'_, str>> {
    // The longer marks come first: UTF-32 little endian starts like UTF-16 little endian.
    if let Some(rest) = body.strip_prefix(b"\0\0\xfe\xff") {
        decode_utf32(rest, u32::from_be_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xff\xfe\0\0") {
        decode_utf32(rest, u32::from_le_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xfe\xff") {
        decode_utf16(rest, u16::from_be_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xff\xfe") {
        decode_utf16(rest, u16::from_le_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        str::from_utf8(rest).ok().map(Cow::Borrowed)
    } else {
        // Every document starts with ASCII characters, whose other bytes are zero.
        match body {
            [0, 0, _, _, ..] => decode_utf32(body, u32::from_be_bytes),
            [0, _, _, _, ..] | [0, _] => decode_utf16(body, u16::from_be_bytes),
            [_, 0, 0, 0, ..] => decode_utf32(body, u32::from_le_bytes),
            [_, 0, _, _, ..] | [_, 0] => decode_utf16(body, u16::from_le_bytes),
            _ => str::from_utf8(body).ok().map(Cow::Borrowed),
        }
    }
}

fn decode_utf16(body: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, str>> {
    let (units, rest) = body.as_chunks();
    let text: Result<String, _> =
        char::decode_utf16(units.iter().map(|&bytes| unit(bytes))).collect();
    text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
}

fn decode_utf32(body: &[u8], unit: fn([u8; 4]) -> u32) -> Option<Cow<'_, str>> {
    let (units, rest) = body.as_chunks();
    let text: Option<String> = units.iter().map(|&bytes| char::from_u32(unit(bytes))).collect();
    text.filter(|_| rest.is_empty()).map(Cow::Owned)
}
