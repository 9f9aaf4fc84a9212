//! Identifiers of the reference protocol: what clients send, cleaned or refused by its rules.

use std::fmt;

use crate::key::{InvalidName, clean, is_id_char, is_python_space};

/// How the files of an entry are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Sharded by file id.
    Direct,
    /// By the hour of the store.
    Temporal,
    /// By the hour, and in a folder `latest`.
    TemporalLatest,
    /// By the hour, in `latest`, and in `versions/v1`.
    TemporalVersioned,
    /// By the cache key.
    KeyBased,
}

impl Strategy {
    /// All of them, in the order upstream names them.
    pub const ALL: [Self; 5] = [
        Self::Direct,
        Self::Temporal,
        Self::TemporalLatest,
        Self::TemporalVersioned,
        Self::KeyBased,
    ];

    /// The name in routes and documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Temporal => "temporal",
            Self::TemporalLatest => "temporal_latest",
            Self::TemporalVersioned => "temporal_versioned",
            Self::KeyBased => "key_based",
        }
    }

    /// The name in keys, with hyphens.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Temporal => "temporal",
            Self::TemporalLatest => "temporal-latest",
            Self::TemporalVersioned => "temporal-versioned",
            Self::KeyBased => "key-based",
        }
    }

    /// The strategy of a name; exact lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}

/// The kind of a piece of child data, which selects its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// A JSON object.
    Json,
    /// Text.
    String,
    /// Bytes.
    Binary,
    /// Accepted for compatibility; nothing is ever of this type.
    TypeSafe,
}

impl DataType {
    /// All of them, in the order upstream names them.
    pub const ALL: [Self; 4] = [Self::Json, Self::String, Self::Binary, Self::TypeSafe];

    /// The name in routes and documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::String => "string",
            Self::Binary => "binary",
            Self::TypeSafe => "type-safe",
        }
    }

    /// The type of a name; exact lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|data_type| data_type.name() == name)
    }
}

/// How the content of an entry is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// As a JSON text: objects and strings.
    Json,
    /// As it is.
    Binary,
}

impl FileType {
    /// The name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "binary",
        }
    }

    /// The extension of content files.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "bin",
        }
    }
}

/// Cleans a value of the kind `Safe_Str__Id`: at most 128 characters, everything outside
/// `A-Z a-z 0-9 _ -` becomes `_`. May be empty.
pub fn clean_id(raw: &str) -> Result<String, InvalidName> {
    clean(raw, 128, is_id_char)
}

/// Cleans a value of the kind `Safe_Str__File__Path`: at most 1024 characters, everything outside
/// `A-Z a-z 0-9 _ - . / \` and space becomes `_`; refused when only `_` is left. May be empty.
pub fn clean_path(raw: &str) -> Result<String, InvalidName> {
    let cleaned = clean(raw, 1024, |c| is_id_char(c) || matches!(c, '.' | '/' | '\\' | ' '))?;
    if !cleaned.is_empty() && cleaned.bytes().all(|b| b == b'_') {
        return Err(InvalidName::OnlyUnderscores);
    }
    Ok(cleaned)
}

/// Why a field path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFieldPath {
    /// Two dots in a row.
    #[error("Field path cannot contain consecutive dots: '{0}'")]
    ConsecutiveDots(String),
    /// A dot at an end.
    #[error("Field path cannot start or end with a dot: '{0}'")]
    DotAtEnd(String),
    /// Too long.
    #[error("in Safe_Str__Json__Field_Path, {0}")]
    Name(#[from] InvalidName),
}

/// Cleans the path of a field: at most 256 characters, everything outside `A-Z a-z 0-9 _ - .`
/// becomes `_`. Dots are checked before trimming, as upstream does. May be empty.
pub fn clean_field_path(raw: &str) -> Result<String, InvalidFieldPath> {
    if raw.contains("..") {
        return Err(InvalidFieldPath::ConsecutiveDots(raw.to_owned()));
    }
    if raw.starts_with('.') || raw.ends_with('.') {
        return Err(InvalidFieldPath::DotAtEnd(raw.to_owned()));
    }
    Ok(clean(raw, 256, |c| is_id_char(c) || c == '.')?)
}

/// The id of an entry: a hyphenated UUID of any version. Letter case is kept and not folded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheId([u8; 36]);

impl CacheId {
    /// Takes an id; `None` when it is not 8-4-4-4-12 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 36] = text.as_bytes().try_into().ok()?;
        let dashes = [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
        // All bytes are looked at, since that takes a few steps where stopping at one takes one for each.
        let digits = bytes.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
        (dashes && digits == 32).then_some(Self(bytes))
    }

    /// The id as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("only ASCII is ever put into an id")
    }
}

impl From<uuid::Uuid> for CacheId {
    fn from(id: uuid::Uuid) -> Self {
        let mut text = [0; 36];
        id.hyphenated().encode_lower(&mut text);
        Self(text)
    }
}

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheId({self})")
    }
}

/// The hash of an entry as clients send it: 10 to 96 lower-case hexadecimal digits, since other
/// settings of the hash generator gave other lengths; or empty, which no entry has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheHash(Box<str>);

/// Why a hash was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHash {
    /// Too long.
    #[error("{0}")]
    Name(#[from] InvalidName),
    /// Not hexadecimal digits, or too few of them.
    #[error("value does not match required pattern: ^[a-f0-9]{{10,96}}$")]
    Pattern,
}

impl CacheHash {
    /// Takes a hash, trimmed of white space.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let trimmed = text.trim_matches(is_python_space);
        let was = trimmed.chars().count();
        if was > 96 {
            return Err(InvalidName::TooLong { max: 96, was }.into());
        }
        let digits = trimmed.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !(trimmed.is_empty() || (digits && trimmed.len() >= 10)) {
            return Err(InvalidHash::Pattern);
        }
        Ok(Self(trimmed.into()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<super::digest::Digest> for CacheHash {
    fn from(digest: super::digest::Digest) -> Self {
        Self(digest.as_str().into())
    }
}
