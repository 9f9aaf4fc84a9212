//! The hashes that entries are filed and found under.
//!
//! These functions say *which bytes* are hashed for each kind of content; the reference service's
//! hashing rules, to the letter, since stored references and clients hold hashes from both. Names,
//! namespaces and strategies never enter a hash, and equal bytes have equal hashes whatever they
//! were stored as: the string `hello` and the bytes `hello` share one.
//!
//! Left to others: decompressing (what came with `content-encoding: gzip` is hashed decompressed)
//! and reading archives.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::pyjson::{self, Text, Value, float_repr};

/// A hash of content: the first 16 digits of a SHA-256.
pub type Digest = Hex<16>;

/// What a `.metadata` file knows its content file by: the first 10 digits of an MD5.
pub type ContentHash = Hex<10>;

/// A hash as `N` lower-case hex digits; `N` is even.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>([u8; N]);

/// Hashes bytes as they are. For text, pass its UTF-8: no trimming, no normalisation.
pub fn of_bytes(content: &[u8]) -> Digest {
    Hex::leading(&Sha256::digest(content))
}

/// Hashes a string: its text in UTF-8, without quotes.
///
/// # Errors
///
/// A text with lone surrogates has no UTF-8 form. (Upstream: an uncaught failure; inside of JSON,
/// where the canonical text is ASCII, lone surrogates hash well.)
pub fn of_string(text: &Text<'_>) -> Result<Digest, LoneSurrogate> {
    let text = text.as_str().ok_or(LoneSurrogate)?;
    Ok(of_bytes(text.as_bytes()))
}

/// Hashes a JSON value: its canonical text.
///
/// A string is hashed with its quotes here; for a string entry, use [`of_string`].
pub fn of_json(value: &Value<'_>) -> Digest {
    let mut text = Vec::with_capacity(2048);
    pyjson::write_canonical(&mut text, value);
    of_bytes(&text)
}

/// Hashes a JSON object without some of its keys, dropped at the top level only.
///
/// For users of the library: no route of the service offers this. Anything but an object is hashed
/// whole.
pub fn of_json_excluding(value: &Value<'_>, excluded: &[&str]) -> Digest {
    let Value::Object(members) = value else {
        return of_json(value);
    };
    let is_kept = |name: &Text<'_>| name.as_str().is_none_or(|name| !excluded.contains(&name));
    let kept = members.iter().filter(|(name, _)| is_kept(name));
    of_json(&Value::Object(kept.cloned().collect()))
}

/// Hashes one field of a JSON value. `path` is split at dots and followed through objects only:
/// there are no list indexes, and a key that contains a dot cannot be addressed.
///
/// A string is hashed as [`of_string`] does, an object or list as [`of_json`] does, a number or
/// truth value as what Python's `str` makes of it: `42`, `1e+100`, `True`.
///
/// # Errors
///
/// See [`FieldError`]; the path in it is `path` as given.
pub fn of_json_field(value: &Value<'_>, path: &str) -> Result<Digest, FieldError> {
    let mut steps = path.split('.');
    let field = steps.try_fold(value, |value, step| value.get(step));
    match field {
        None | Some(Value::Null) => Err(FieldError::NotFound(path.to_owned())),
        Some(Value::Str(text)) if text.is_empty() => Err(FieldError::EmptyString),
        Some(Value::Str(text)) => of_string(text).map_err(|_| FieldError::LoneSurrogate),
        Some(Value::Bool(true)) => Ok(of_bytes(b"True")),
        Some(Value::Bool(false)) => Ok(of_bytes(b"False")),
        Some(Value::Int(digits)) => Ok(of_bytes(digits.as_bytes())),
        // Upstream: a number that is not finite is `nan` or `inf` here, `NaN` or `Infinity` in JSON.
        Some(Value::Float(number)) => Ok(of_bytes(float_repr(*number).as_bytes())),
        Some(field @ (Value::List(_) | Value::Object(_))) => Ok(of_json(field)),
    }
}

/// Hashes the members of an archive, given as names and uncompressed contents in any order.
///
/// Directories count, with empty content. Of several members with the same name the last counts.
/// No members at all are the hash of nothing.
pub fn of_members<N, C>(members: impl IntoIterator<Item = (N, C)>) -> Digest
where
    N: Borrow<str> + Ord,
    C: AsRef<[u8]>,
{
    let by_name: BTreeMap<N, C> = members.into_iter().collect();
    let mut digest = MembersDigest::default();
    for (name, content) in &by_name {
        digest.start_member(name.borrow());
        digest.content(content.as_ref());
        digest.end_member();
    }
    digest.finish()
}

/// [`of_members`] for contents that come in pieces and are too long to be held at once.
///
/// The caller sees to the order: names rise by code point, and none comes twice.
#[derive(Debug, Clone, Default)]
pub struct MembersDigest(Sha256);

impl MembersDigest {
    /// Starts the next member.
    pub fn start_member(&mut self, name: &str) {
        self.0.update(name);
        self.0.update([0]);
    }

    /// Takes a piece of its content.
    pub fn content(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Ends it.
    pub fn end_member(&mut self) {
        self.0.update([0]);
    }

    /// The hash of all members.
    pub fn finish(self) -> Digest {
        Hex::leading(&self.0.finalize())
    }
}

/// The `content__hash` of a content file, from its bytes as stored.
pub fn content_hash(stored: &[u8]) -> ContentHash {
    Hex::leading(&Md5::digest(stored))
}

impl<const N: usize> Hex<N> {
    /// The digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("only hex digits are ever put into a hash")
    }

    fn leading(hash: &[u8]) -> Self {
        let mut digits = [b'0'; N];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash) {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        Hex(digits)
    }
}

impl<const N: usize> AsRef<str> for Hex<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A string that cannot be hashed, since half of a surrogate pair has no UTF-8 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoneSurrogate;

impl fmt::Display for LoneSurrogate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strings with lone surrogates cannot be hashed")
    }
}

impl std::error::Error for LoneSurrogate {}

/// Why a field cannot be hashed. The first two texts are the reference service's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// No field at this path: missing, `null`, or beyond something that is not an object.
    NotFound(String),
    /// The field is an empty string.
    EmptyString,
    /// The field is a string with lone surrogates.
    LoneSurrogate,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::NotFound(path) => write!(f, "Field '{path}' not found in data"),
            FieldError::EmptyString => f.write_str("empty string values cannot be hashed"),
            FieldError::LoneSurrogate => LoneSurrogate.fmt(f),
        }
    }
}

impl std::error::Error for FieldError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_have_equal_hashes() {
        let hash = of_bytes(b"hello");
        assert_eq!(hash.as_str(), "2cf24dba5fb0a30e");
        assert_eq!(format!("{hash:>18}"), "  2cf24dba5fb0a30e");
        assert_eq!(of_string(&Text::from("hello")), Ok(hash));
        let json = pyjson::parse(br#"{"f": "hello"}"#).unwrap();
        assert_eq!(of_json_field(&json, "f"), Ok(hash));
    }

    #[test]
    fn a_lone_surrogate_hashes_in_json_but_not_as_a_string() {
        let json = pyjson::parse(br#"{"v": "\ud800"}"#).unwrap();
        assert_eq!(of_json(&json).as_str(), "2453d608db9178f3");
        assert_eq!(of_string(&string(json.get("v"))), Err(LoneSurrogate));
        assert_eq!(of_json_field(&json, "v"), Err(FieldError::LoneSurrogate));
    }

    #[test]
    fn numbers_that_are_not_finite_have_two_names() {
        let json = pyjson::parse(br#"{"a": NaN, "b": Infinity, "c": -1e999}"#).unwrap();
        for (path, text) in [("a", "nan"), ("b", "inf"), ("c", "-inf")] {
            assert_eq!(of_json_field(&json, path), Ok(of_bytes(text.as_bytes())));
        }
        let canonical = br#"{"a": NaN, "b": Infinity, "c": -Infinity}"#;
        assert_eq!(of_json(&json), of_bytes(canonical));
    }

    #[test]
    fn of_duplicate_members_the_last_counts() {
        let once = of_members([("a", "new"), ("b", "")]);
        assert_eq!(of_members([("b", ""), ("a", "old"), ("a", "new")]), once);
        assert_eq!(once, of_bytes(b"a\0new\0b\0\0"));
        let owned = vec![("b".to_owned(), vec![]), ("a".to_owned(), b"new".to_vec())];
        assert_eq!(of_members(owned), once);
    }

    #[test]
    fn exclusion_is_for_objects_and_their_own_keys() {
        let json = pyjson::parse(br#"{"b": {"ts": 1}, "ts": 2, "\ud800": 3}"#).unwrap();
        let expected = br#"{"b": {"ts": 1}, "\ud800": 3}"#;
        assert_eq!(of_json_excluding(&json, &["ts", "x"]), of_bytes(expected));
        let list = pyjson::parse(b"[1]").unwrap();
        assert_eq!(of_json_excluding(&list, &["1"]), of_bytes(b"[1]"));
    }

    fn string(value: Option<&Value<'_>>) -> Text<'static> {
        match value {
            Some(Value::Str(text)) => text.clone().into_owned(),
            other => panic!("{other:?} is not a string"),
        }
    }
}
