//! Names: the only way to say where something lives.
//!
//! A [`Namespace`] comes only from cleaning or parsing a name; a [`Key`] only from a namespace and a
//! [`RelPath`]; a [`Prefix`] always ends in `/` when written, so `team` never meets `team-b`. What a
//! backend finds on its medium comes back through [`Prefix::key_from_physical`], which refuses
//! everything outside. So no code path can name an object outside its namespace, and isolation is a
//! property of these types rather than of the care of their users.
//!
//! Upstream rewrites characters it does not like rather than refusing them. That rule lives inside
//! [`Namespace::clean`]: isolation is between *cleaned* names (`a.b` and `a_b` are one namespace).
//!
//! A key cannot be forged from strings:
//!
//! ```compile_fail
//! let key = larder::key::Key { text: "other/secret".into(), path_at: 6 };
//! ```
//!
//! nor can a namespace be made without going through the rules:
//!
//! ```compile_fail
//! let namespace = larder::key::Namespace("../other".into());
//! ```
//!
//! nor does a place cross the storage trait as text:
//!
//! ```compile_fail
//! async fn read(store: &dyn larder::storage::Storage) {
//!     let _ = store.get("team/data/x").await;
//! }
//! ```
//!
//! This is the way it is done:
//!
//! ```
//! use larder::key::{Namespace, RelPath};
//! let team = Namespace::clean("team").unwrap();
//! let key = team.key(RelPath::parse("data/x.json").unwrap()).unwrap();
//! assert_eq!(key.as_str(), "team/data/x.json");
//! assert!(team.everything().contains(&key));
//! assert_eq!(team.everything().as_str(), "team/");
//! ```

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrayvec::ArrayString;

/// The longest key, in bytes of its physical form (`namespace/path`): the limit of S3 and of the
/// Python service.
pub const MAX_KEY_BYTES: usize = 1024;
/// The longest segment of a path, in bytes: the limit of the common file systems, kept on every
/// backend so that all of them hold the same names.
pub const MAX_SEGMENT_BYTES: usize = 255;
/// The longest namespace, in characters before cleaning and in bytes after it.
pub const MAX_NAMESPACE_CHARS: usize = 128;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The trimmed value has more characters than its kind allows.
    #[error("value exceeds maximum length of {max} characters (was {was})")]
    TooLong {
        /// Characters allowed.
        max: usize,
        /// Characters found.
        was: usize,
    },
    /// Nothing but underscores was left by cleaning, where that is not enough to name something.
    #[error("sanitized value consists entirely of '_' characters")]
    OnlyUnderscores,
    /// A path is empty, or has an empty segment (`a//b`, `/a`, `a/`).
    #[error("path has an empty segment")]
    EmptySegment,
    /// A path has a segment `.` or `..`.
    #[error("path has a segment '.' or '..'")]
    DotSegment,
    /// A path holds a control character.
    #[error("path holds a control character")]
    ControlCharacter,
    /// A segment of a path has more than [`MAX_SEGMENT_BYTES`] bytes.
    #[error("path has a segment longer than {MAX_SEGMENT_BYTES} bytes (was {was})")]
    LongSegment {
        /// Bytes found.
        was: usize,
    },
    /// The whole key has more than [`MAX_KEY_BYTES`] bytes.
    #[error("key exceeds maximum length of {MAX_KEY_BYTES} bytes (was {was})")]
    LongKey {
        /// Bytes found.
        was: usize,
    },
    /// The path belongs to another namespace that shares its physical prefix (see [`Namespace::is_root`]).
    #[error("path is not one of this namespace")]
    Foreign,
}

/// A tenant partition: the first segment of every key it holds.
///
/// Cleaned names have 1 to 128 characters out of `A-Z a-z 0-9 _ -`. The empty namespace exists for
/// compatibility (upstream: a namespace of white space writes without a prefix) and is called the
/// root namespace here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// Cleans a name as upstream does: trims white space, refuses more than 128 characters, and
    /// turns every character outside `A-Z a-z 0-9 _ -` into `_`. Nothing left is the root namespace.
    pub fn clean(raw: &str) -> Result<Self, InvalidName> {
        Ok(Self(clean(raw, MAX_NAMESPACE_CHARS, is_id_char)?.into()))
    }

    /// Takes a name that is clean already, such as a first segment found on a medium.
    /// `None` when cleaning would change it or nothing is there.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let clean = !name.is_empty()
            && name.len() <= MAX_NAMESPACE_CHARS
            && name.bytes().all(|b| is_id_char(char::from(b)));
        clean.then(|| Self(name.into()))
    }

    /// The root namespace, whose keys have no prefix.
    #[must_use]
    pub fn root() -> Self {
        Self("".into())
    }

    /// Whether this is the root namespace. Upstream: its keys start with `data/` and `refs/`, beside
    /// the first segments of the other namespaces. To keep them apart from the keys of namespaces
    /// that are *called* `data` and `refs`, the root namespace holds only `data/X…` and `refs/X…`
    /// with X neither `data` nor `refs`, and those two hold only what starts with `data/` or
    /// `refs/`. The layout of entries never needs more.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The cleaned name; empty for the root namespace.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names an object of this namespace. Fails only on length and, for the namespaces named in
    /// [`Namespace::is_root`], on paths that would be another's.
    pub fn key(&self, path: RelPath<'_>) -> Result<Key, InvalidName> {
        self.key_of(&[path.0])
    }

    /// Names an object of this namespace by a path in pieces, put together as they are.
    pub(crate) fn key_of(&self, pieces: &[&str]) -> Result<Key, InvalidName> {
        let path_at = if self.is_root() { 0 } else { self.0.len() + 1 };
        let bytes = path_at + pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let slash = if self.is_root() { "" } else { "/" };
        if bytes > MAX_KEY_BYTES {
            return Key::checked(&[&self.0, slash, &pieces.concat()].concat(), path_at);
        }
        let mut text = ArrayString::<MAX_KEY_BYTES>::new();
        text.push_str(&self.0);
        text.push_str(slash);
        pieces.iter().for_each(|piece| text.push_str(piece));
        Key::checked(&text, path_at)
    }

    /// Names an object of this namespace by its physical form (`namespace/path`), as the references
    /// of an entry do. `None` when the name is not a clean one of this namespace.
    #[must_use]
    pub fn key_from_physical(&self, name: &str) -> Option<Key> {
        let path =
            if self.is_root() { name } else { name.strip_prefix(&*self.0)?.strip_prefix('/')? };
        Key::checked(name, name.len() - path.len()).ok()
    }

    /// Names a folder of this namespace by its physical form, without a slash at its end. `None`
    /// when the name is not a clean one of this namespace; upstream: the empty name, which some of
    /// its references hold, is no folder.
    #[must_use]
    pub fn folder_from_physical(&self, name: &str) -> Option<Prefix> {
        self.key_from_physical(name)?;
        Some(Prefix { namespace: self.clone(), text: format!("{name}/").into_boxed_str() })
    }

    /// All keys of this namespace.
    #[must_use]
    pub fn everything(&self) -> Prefix {
        let mut text = String::with_capacity(self.0.len() + 1);
        if !self.is_root() {
            text.push_str(&self.0);
            text.push('/');
        }
        Prefix { namespace: self.clone(), text: text.into_boxed_str() }
    }

    /// The keys of this namespace below a folder.
    #[must_use]
    pub fn under(&self, folder: RelPath<'_>) -> Prefix {
        let mut text = String::from(self.everything().text);
        text.push_str(folder.0);
        text.push('/');
        Prefix { namespace: self.clone(), text: text.into_boxed_str() }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({:?})", &*self.0)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path inside a namespace: clean segments joined by `/`. None is empty, `.` or `..`, has a control
/// character or more than 255 bytes. Everything else is data: spaces, `\`, `%`, any letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelPath<'a>(&'a str);

impl<'a> RelPath<'a> {
    /// Checks a path; nothing is rewritten.
    pub fn parse(path: &'a str) -> Result<Self, InvalidName> {
        let bytes = path.as_bytes();
        let mut start = 0;
        for at in memchr::memchr_iter(b'/', bytes).chain([bytes.len()]) {
            check_segment(&bytes[start..at])?;
            start = at + 1;
        }
        // Control characters are U+0000-001F, U+007F and U+0080-009F; the last are C2 80-9F in UTF-8.
        // All bytes are looked at, since that takes a few steps where stopping at one takes one for each.
        let plain = bytes.iter().fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte));
        if !plain && path.chars().any(char::is_control) {
            return Err(InvalidName::ControlCharacter);
        }
        Ok(Self(path))
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

fn check_segment(segment: &[u8]) -> Result<(), InvalidName> {
    match segment {
        b"" => Err(InvalidName::EmptySegment),
        b"." | b".." => Err(InvalidName::DotSegment),
        _ if segment.len() > MAX_SEGMENT_BYTES => {
            Err(InvalidName::LongSegment { was: segment.len() })
        }
        _ => Ok(()),
    }
}

/// The name of one object: a namespace and a path in it. Ordered by the bytes of its physical form.
#[derive(Clone)]
pub struct Key {
    // Shared: an entry, its documents and the maps of a store hold the same keys.
    text: Arc<str>,
    path_at: u8,
}

impl Key {
    /// The raw storage browser's door, and the only way to a key without a namespace in hand: reads
    /// a physical name (`namespace/path`) as the one key it can be. `None` when it is not a clean
    /// key of any namespace, such as names with `..` in them.
    #[must_use]
    pub fn parse_physical(name: &str) -> Option<Self> {
        let (first, _) = name.split_once('/')?;
        let namespace = Namespace::parse(first)?;
        namespace.key_from_physical(name).or_else(|| Namespace::root().key_from_physical(name))
    }

    /// The physical form, `namespace/path` (or just the path in the root namespace).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the namespace; empty for the root namespace.
    #[must_use]
    pub fn namespace_str(&self) -> &str {
        &self.text[..usize::from(self.path_at).saturating_sub(1)]
    }

    /// The namespace this key belongs to.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        Namespace(self.namespace_str().into())
    }

    /// The path inside the namespace.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[usize::from(self.path_at)..]
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        let slash = memchr::memrchr(b'/', self.text.as_bytes());
        slash.map_or(&self.text, |slash| &self.text[slash + 1..])
    }

    /// The key in the same folder whose name has `suffix` at its end.
    pub(crate) fn beside(&self, suffix: &str) -> Result<Self, InvalidName> {
        let bytes = self.text.len() + suffix.len();
        let name = self.name().len() + suffix.len();
        // The rest was checked when this key was made.
        if name > MAX_SEGMENT_BYTES || bytes > MAX_KEY_BYTES || suffix.contains('/') {
            return Self::checked(&[&self.text, suffix].concat(), usize::from(self.path_at));
        }
        let mut text = ArrayString::<MAX_KEY_BYTES>::new();
        text.push_str(&self.text);
        text.push_str(suffix);
        Ok(Self { text: Arc::from(text.as_str()), path_at: self.path_at })
    }

    /// A key of its physical form; the path begins at `path_at`, behind the namespace and a slash.
    fn checked(text: &str, path_at: usize) -> Result<Self, InvalidName> {
        let (namespace, path) = text.split_at(path_at);
        if !owns(namespace.trim_end_matches('/'), RelPath::parse(path)?) {
            return Err(InvalidName::Foreign);
        }
        if text.len() > MAX_KEY_BYTES {
            return Err(InvalidName::LongKey { was: text.len() });
        }
        Ok(Self { text: text.into(), path_at: path_at as u8 })
    }
}

/// Whether a path is one of a namespace, by the rule of [`Namespace::is_root`].
fn owns(namespace: &str, path: RelPath<'_>) -> bool {
    let shared = |segment: &str| segment == "data" || segment == "refs";
    let mut segments = path.0.split('/');
    let first = segments.next().unwrap_or_default();
    if namespace.is_empty() {
        shared(first) && segments.next().is_some_and(|second| !shared(second))
    } else {
        !shared(namespace) || (shared(first) && segments.next().is_some())
    }
}

// The text alone decides equality, order and hash: by the rule of `Namespace::is_root` a text has one
// split. So a key can be looked up by its text, and backends can seek in ordered maps.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", &*self.text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A folder to list: all keys of a namespace, or those below a path in it. Written, it ends in `/`
/// (or is empty, for the root namespace), so it never matches a sibling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    namespace: Namespace,
    text: Box<str>,
}

impl Prefix {
    /// The physical form: `namespace/` or `namespace/folder/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The namespace listed.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The last segment of the folder, without the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }

    /// Names an object in this folder by its path below it.
    pub fn key(&self, path: &str) -> Result<Key, InvalidName> {
        let path_at = if self.namespace.is_root() { 0 } else { self.namespace.0.len() + 1 };
        self.namespace.key(RelPath::parse(&format!("{}{path}", &self.text[path_at..]))?)
    }

    /// Whether a key lies in this folder, at any depth.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        key.text.starts_with(&*self.text) && key.namespace_str() == self.namespace.as_str()
    }

    /// What a backend found on its medium, as a key; `None` when the name lies outside this folder
    /// or is not a clean key of this namespace (a stray file, another tool's bookkeeping).
    #[must_use]
    pub fn key_from_physical(&self, name: &str) -> Option<Key> {
        let inside = name.starts_with(&*self.text);
        inside.then(|| self.namespace.key_from_physical(name)).flatten()
    }

    /// A folder that a backend found on its medium somewhere below this one, by its physical name with
    /// the slash at its end; `None` when no key of this namespace can be in it.
    #[must_use]
    pub fn folder_from_physical(&self, name: &str) -> Option<Self> {
        let below = name.len() > self.text.len() && name.ends_with('/');
        // Whose folder it is can only be told by a key in it: `data/data/` is one of the namespace
        // `data`, in which there is no key `data/data`.
        self.key_from_physical(&format!("{name}x")).filter(|_| below)?;
        Some(Self { namespace: self.namespace.clone(), text: name.into() })
    }

    /// For a key inside this folder: the folder directly below that leads to it, or `None` when the
    /// key lies directly in this folder.
    #[must_use]
    pub fn child_towards(&self, key: &Key) -> Option<Self> {
        let rest = key.text.get(self.text.len()..)?;
        let end = self.text.len() + rest.find('/')? + 1;
        Some(Self { namespace: self.namespace.clone(), text: key.text[..end].into() })
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({:?})", &*self.text)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Cleans a value as upstream's `Safe_Str` types do: trim, count, replace what is not allowed by `_`.
pub(crate) fn clean(
    raw: &str,
    max: usize,
    allowed: fn(char) -> bool,
) -> Result<String, InvalidName> {
    let trimmed = raw.trim_matches(is_python_space);
    if trimmed.len() > max {
        let was = trimmed.chars().count();
        if was > max {
            return Err(InvalidName::TooLong { max, was });
        }
    }
    Ok(trimmed.chars().map(|c| if allowed(c) { c } else { '_' }).collect())
}

/// The characters of ids: namespaces, file ids.
pub(crate) fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// What Python's `str.strip` trims: Unicode white space and the four ASCII separators.
pub(crate) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// Names that have broken stores before: traversal, encodings, separators, control and combining
    /// characters, sibling prefixes, lengths around the limits.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("..".to_owned()),
            Just(".".to_owned()),
            Just("%2e%2e%2f".to_owned()),
            Just("/".to_owned()),
            Just("\\".to_owned()),
            Just("\0".to_owned()),
            Just("\n".to_owned()),
            Just("e\u{301}".to_owned()),
            Just("é".to_owned()),
            Just("😀".to_owned()),
            Just("data".to_owned()),
            Just("refs".to_owned()),
            Just("ns1".to_owned()),
            Just("ns10".to_owned()),
            Just("NS1".to_owned()),
            Just(" ".to_owned()),
            Just("\u{1f}".to_owned()),
            Just("x".repeat(255)),
            Just("y".repeat(10_000)),
            "[ -~]{0,8}",
            any::<String>(),
        ];
        proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    fn namespace() -> impl Strategy<Value = Namespace> {
        hostile().prop_filter_map("refused", |name| Namespace::clean(&name).ok())
    }

    proptest! {
        #[test]
        fn cleaning_gives_a_clean_name_or_a_reason(name in hostile()) {
            match Namespace::clean(&name) {
                Ok(namespace) => {
                    prop_assert!(namespace.as_str().chars().all(is_id_char));
                    prop_assert!(namespace.as_str().len() <= MAX_NAMESPACE_CHARS);
                    let again = Namespace::clean(namespace.as_str());
                    prop_assert_eq!(again, Ok(namespace));
                }
                Err(InvalidName::TooLong { max, was }) => {
                    prop_assert_eq!(max, MAX_NAMESPACE_CHARS);
                    prop_assert_eq!(was, name.trim_matches(is_python_space).chars().count());
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn a_key_stays_in_its_namespace(namespace in namespace(), path in hostile()) {
            let Ok(path) = RelPath::parse(&path) else { return Ok(()) };
            let Ok(key) = namespace.key(path) else { return Ok(()) };
            prop_assert!(key.as_str().len() <= MAX_KEY_BYTES);
            prop_assert!(key.as_str().split('/').all(|s| !matches!(s, "" | "." | "..")));
            prop_assert!(!key.as_str().chars().any(char::is_control));
            prop_assert_eq!(&key.namespace(), &namespace);
            prop_assert_eq!(key.path(), path.as_str());
            prop_assert!(namespace.everything().contains(&key));
            // What is written can be read back, by the namespace and by the raw door.
            prop_assert_eq!(namespace.key_from_physical(key.as_str()), Some(key.clone()));
            prop_assert_eq!(Key::parse_physical(key.as_str()), Some(key));
        }

        #[test]
        fn no_two_namespaces_share_a_key(
            one in namespace(), other in namespace(), path in hostile(), beside in hostile(),
        ) {
            prop_assume!(one != other);
            let key = |namespace: &Namespace, path: &str| {
                RelPath::parse(path).ok().and_then(|path| namespace.key(path).ok())
            };
            if let (Some(mine), Some(theirs)) = (key(&one, &path), key(&other, &beside)) {
                prop_assert_ne!(mine.as_str(), theirs.as_str());
                prop_assert!(!one.everything().contains(&theirs));
                prop_assert!(!other.everything().contains(&mine));
                prop_assert_eq!(one.key_from_physical(theirs.as_str()), None);
            }
        }

        #[test]
        fn the_raw_door_refuses_or_names_exactly_what_was_said(name in hostile()) {
            if let Some(key) = Key::parse_physical(&name) {
                prop_assert_eq!(key.as_str(), name.as_str());
                prop_assert!(key.namespace().everything().contains(&key));
            }
        }

        #[test]
        fn a_folder_never_holds_its_siblings(namespace in namespace(), path in hostile()) {
            let Ok(path) = RelPath::parse(&path) else { return Ok(()) };
            let prefix = namespace.under(path);
            prop_assert!(prefix.as_str().ends_with('/'));
            let sibling = format!("{}x", path.as_str());
            if let Some(key) = RelPath::parse(&sibling).ok().and_then(|path| namespace.key(path).ok()) {
                prop_assert!(!prefix.contains(&key));
            }
            if let Ok(key) = namespace.key(path) {
                prop_assert!(!prefix.contains(&key), "a folder is not in itself");
            }
        }
    }

    #[rstest]
    #[case("ns1", "ns10")]
    #[case("a", "A")]
    #[case("data", "")]
    #[case("refs", "")]
    fn neighbours_do_not_see_each_other(#[case] one: &str, #[case] other: &str) {
        let (one, other) = (Namespace::clean(one).unwrap(), Namespace::clean(other).unwrap());
        let path = RelPath::parse("data/direct/x").unwrap();
        let (mine, theirs) = (one.key(path).unwrap(), other.key(path).unwrap());
        assert_ne!(mine, theirs);
        assert!(!one.everything().contains(&theirs));
        assert!(!other.everything().contains(&mine));
    }

    #[rstest]
    #[case("a.b", "a_b")]
    #[case("a b", "a_b")]
    #[case(" pad ", "pad")]
    #[case("é", "_")]
    #[case("e\u{301}", "e_")]
    #[case("😀", "_")]
    #[case("..", "__")]
    #[case("\0", "_")]
    #[case("\u{1c}x\u{1f}", "x")]
    #[case(" ", "")]
    fn names_are_cleaned_as_upstream_cleans_them(#[case] raw: &str, #[case] cleaned: &str) {
        assert_eq!(Namespace::clean(raw).unwrap().as_str(), cleaned);
    }

    #[rstest]
    #[case("", InvalidName::EmptySegment)]
    #[case("/a", InvalidName::EmptySegment)]
    #[case("a/", InvalidName::EmptySegment)]
    #[case("a//b", InvalidName::EmptySegment)]
    #[case("a/./b", InvalidName::DotSegment)]
    #[case("..", InvalidName::DotSegment)]
    #[case("a\0b", InvalidName::ControlCharacter)]
    #[case("a\u{85}b", InvalidName::ControlCharacter)]
    fn paths_are_refused(#[case] path: &str, #[case] error: InvalidName) {
        assert_eq!(RelPath::parse(path), Err(error));
    }

    #[test]
    fn limits_are_exact() {
        let namespace = Namespace::clean("n").unwrap();
        let segment = |length| "s".repeat(length);
        assert!(RelPath::parse(&segment(255)).is_ok());
        assert_eq!(RelPath::parse(&segment(256)), Err(InvalidName::LongSegment { was: 256 }));
        let long =
            |last: usize| [segment(255), segment(255), segment(255), segment(last)].join("/");
        let fits = long(1024 - 2 - 3 * 256);
        assert!(namespace.key(RelPath::parse(&fits).unwrap()).is_ok());
        let too_long = long(1024 - 2 - 3 * 256 + 1);
        let refused = namespace.key(RelPath::parse(&too_long).unwrap());
        assert_eq!(refused, Err(InvalidName::LongKey { was: 1025 }));
        assert!(Namespace::clean(&"n".repeat(128)).is_ok());
        let refused = Namespace::clean(&"é".repeat(129));
        assert_eq!(refused, Err(InvalidName::TooLong { max: 128, was: 129 }));
    }

    #[rstest]
    #[case("team", "team/a/", true)]
    #[case("team", "team/", false)] // the folder itself
    #[case("team", "team/a", false)]
    #[case("team", "team-b/a/", false)]
    #[case("team", "team/../a/", false)]
    #[case("data", "data/data/", true)]
    #[case("data", "data/x/", false)] // the root namespace's
    #[case("", "data/", true)]
    #[case("", "data/x/", true)]
    #[case("", "data/data/", false)] // the namespace's called `data`
    #[case("", "team/", false)]
    fn a_folder_is_found_by_the_keys_it_may_hold(
        #[case] namespace: &str,
        #[case] name: &str,
        #[case] found: bool,
    ) {
        let namespace = Namespace::parse(namespace).unwrap_or_else(Namespace::root);
        let folder = namespace.everything().folder_from_physical(name);
        assert_eq!(folder.as_ref().map(Prefix::as_str), found.then_some(name));
    }
}
