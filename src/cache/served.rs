//! Content as it is served, for stores that keep documents: what is stored in full is made of it when
//! somebody reads the file itself.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;

use super::pyjson::{self, Value, WhiteSpace};
use crate::storage::{Body, Render};

/// The longest content that is kept as a document, in bytes. Where a store takes bytes, a document is
/// rendered twice (its metadata has a hash of the text), which only pays for what is small.
const LONGEST: usize = 64 << 10;

/// A JSON object or list, kept as the compact text that is served, and stored with an indent.
#[derive(Debug)]
pub(super) struct Served {
    text: Bytes,
    indent: usize,
    size: u64,
}

impl Served {
    /// `text` is the compact text where it is at hand, and is copied.
    ///
    /// `None` for what cannot be made again from the compact text (numbers that are not finite, lone
    /// surrogates), for scalars, and for what is long or indented beyond `limit`.
    pub(super) fn of(
        value: &Value<'_>,
        text: Option<&[u8]>,
        indent: usize,
        limit: usize,
    ) -> Option<Self> {
        if !matches!(value, Value::Object(_) | Value::List(_)) {
            return None;
        }
        let mut written = Vec::new();
        let mut lossless = true;
        let text = text.unwrap_or_else(|| {
            written.reserve(2048);
            lossless = pyjson::write_compact(&mut written, value);
            &written
        });
        let white_space = WhiteSpace::of(value, indent);
        let size = text.len() + white_space.lines + white_space.colons;
        if !lossless || size > LONGEST || white_space.lines > limit {
            return None;
        }
        // Only where all characters are stored as they are served.
        let plain = text.is_ascii() && memchr::memchr(0x7f, text).is_none();
        let size = if plain { size } else { value.to_pretty(indent).len() };
        Some(Self { text: Bytes::copy_from_slice(text), indent, size: size as u64 })
    }

    /// The compact text.
    pub(super) fn text(&self) -> &Bytes {
        &self.text
    }
}

impl Render for Served {
    fn render(&self, _: u8) -> Bytes {
        value(&self.text).to_pretty(self.indent).into()
    }

    fn size(&self, _: u8) -> u64 {
        self.size
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }

    fn fetch(&self) {
        black_box(self.text.is_unique());
    }
}

/// The value of a text that was written from one.
pub(super) fn value(compact: &[u8]) -> Value<'_> {
    pyjson::parse(compact).expect("what was printed can be parsed")
}

/// Bytes that are kept as they are, in a buffer of their own.
#[derive(Debug)]
struct Kept(Bytes);

impl Render for Kept {
    fn render(&self, _: u8) -> Bytes {
        self.0.clone()
    }

    fn weight(&self) -> usize {
        self.0.len()
    }

    fn fetch(&self) {
        black_box(self.0.is_unique());
    }
}

/// Content that is not JSON. Copied where it is small, because a request's body shares the
/// connection's read buffer, and the metadata is going to hold on to it for its hash.
pub(super) fn kept(bytes: Bytes) -> Body {
    if bytes.len() > LONGEST {
        return bytes.into();
    }
    Body::of(Arc::new(Kept(Bytes::copy_from_slice(&bytes))))
}
