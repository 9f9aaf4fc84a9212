//! [`Text`]: what Python calls a `str`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A sequence of Unicode code points that, as in Python, may hold lone surrogates.
///
/// A lone surrogate is half of a UTF-16 pair; JSON can spell it (`"\ud800"`), UTF-8 cannot. Texts
/// are kept as generalised UTF-8, which encodes surrogates like any other code point, so order
/// and equality go by code point. A surrogate *pair* in JSON is one code point here, as in Python.
#[derive(Clone)]
pub struct Text<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    /// ASCII that no writer needs to escape: found out by the parser, which looks at every byte anyway.
    Plain(&'a str),
    Unicode(Cow<'a, str>),
    /// Generalised UTF-8 with at least one lone surrogate, so never equal to any `Unicode`.
    Surrogates(Box<[u8]>),
}

/// A stretch of a [`Text`].
pub(super) enum Piece<'t> {
    Str(&'t str),
    /// One lone surrogate, U+D800 to U+DFFF.
    Surrogate(u16),
}

impl<'a> Text<'a> {
    /// The text, or `None` if it holds lone surrogates.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Plain(text) => Some(text),
            Repr::Unicode(text) => Some(text),
            Repr::Surrogates(_) => None,
        }
    }

    /// The text with U+FFFD in the place of each lone surrogate; borrowed if there is none.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        if let Some(text) = self.as_str() {
            return Cow::Borrowed(text);
        }
        let mut lossy = String::with_capacity(self.as_bytes().len());
        self.each_piece(|piece| match piece {
            Piece::Str(text) => lossy.push_str(text),
            Piece::Surrogate(_) => lossy.push(char::REPLACEMENT_CHARACTER),
        });
        Cow::Owned(lossy)
    }

    /// Whether there are no characters at all.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The number of code points, Python's `len()`.
    pub fn char_count(&self) -> usize {
        char_count(self.as_bytes())
    }

    /// The same text without the borrow, copying it if it is still borrowed.
    pub fn into_owned(self) -> Text<'static> {
        Text(match self.0 {
            Repr::Plain(text) => Repr::Unicode(Cow::Owned(text.to_owned())),
            Repr::Unicode(text) => Repr::Unicode(Cow::Owned(text.into_owned())),
            Repr::Surrogates(bytes) => Repr::Surrogates(bytes),
        })
    }

    /// `text` must be printable ASCII without quotes and backslashes.
    pub(super) fn plain(text: &'a str) -> Self {
        Text(Repr::Plain(text))
    }

    /// The text, if it was found to need no escapes in any form.
    pub(super) fn as_plain(&self) -> Option<&'a str> {
        match self.0 {
            Repr::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// `bytes` must be generalised UTF-8 in which every surrogate is a lone one.
    pub(super) fn from_generalised_utf8(bytes: Vec<u8>) -> Self {
        Text(match String::from_utf8(bytes) {
            Ok(text) => Repr::Unicode(Cow::Owned(text)),
            Err(error) => Repr::Surrogates(error.into_bytes().into_boxed_slice()),
        })
    }

    pub(super) fn each_piece(&self, mut visit: impl FnMut(Piece<'_>)) {
        let mut rest = match &self.0 {
            Repr::Plain(text) => return visit(Piece::Str(text)),
            Repr::Unicode(text) => return visit(Piece::Str(text)),
            Repr::Surrogates(bytes) => &bytes[..],
        };
        while let Some(chunk) = rest.utf8_chunks().next() {
            if !chunk.valid().is_empty() {
                visit(Piece::Str(chunk.valid()));
            }
            rest = &rest[chunk.valid().len()..];
            // What stops UTF-8 here can only be a surrogate, and those take three bytes.
            if let Some((&[_, high, low], after)) = rest.split_first_chunk() {
                visit(Piece::Surrogate(
                    0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f),
                ));
                rest = after;
            }
        }
    }

    /// One bit of 64; equal texts have the same, and different ones seldom do.
    pub(super) fn kind(&self) -> u64 {
        let bytes = self.as_bytes();
        let first = bytes.first().copied().unwrap_or_default();
        let last = bytes.last().copied().unwrap_or_default();
        1 << ((bytes.len() * 31 + usize::from(first) * 7 + usize::from(last)) % 64)
    }

    /// Its first bytes as a number, which never contradicts the order of texts.
    #[inline]
    pub(super) fn head(&self) -> u64 {
        let bytes = self.as_bytes();
        let head = match bytes.first_chunk() {
            Some(head) => *head,
            None => {
                let mut head = [0; 8];
                head[..bytes.len()].copy_from_slice(bytes);
                head
            }
        };
        u64::from_be_bytes(head)
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Plain(text) => text.as_bytes(),
            Repr::Unicode(text) => text.as_bytes(),
            Repr::Surrogates(bytes) => bytes,
        }
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Text::from("")
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Repr::Unicode(Cow::Borrowed(text)))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Text(Repr::Unicode(Cow::Owned(text)))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.head().cmp(&other.head()).then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// The text as a JSON string in ASCII, which shows lone surrogates for what they are.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        super::print::write_ascii_text(&mut shown, self);
        f.write_str(&shown)
    }
}

/// The number of code points in (generalised) UTF-8: of bytes that do not continue one.
pub(super) fn char_count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}
