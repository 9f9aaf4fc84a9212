//! JSON the way Python's `json` module reads and writes it, for transcripts and replies.
//!
//! Replies are compared down to the kind of each number: `1` and `1.0` differ, integers are exact
//! however long, floats compare by value. `serde_json` keeps that apart only with its
//! `arbitrary_precision` and `preserve_order` features, and a feature that a test switches on is on
//! for the service built beside it too. This small reader keeps the tests from changing what they
//! test, and it accepts what the recording side accepted: `NaN`, `Infinity`, numbers out of range,
//! and duplicate keys, of which the last wins. Lone surrogate escapes are refused, as no Rust
//! string holds one.

mod read;
mod write;

use std::fmt;

/// A document, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// An integer of any size, as its decimal digits; there is no `-0`.
    Int(String),
    Float(f64),
    String(String),
    Array(Vec<Self>),
    Object(Object),
}

/// The members of an object in the order written, each key once.
#[derive(Clone, Debug, Default)]
pub struct Object(Vec<(String, Json)>);

/// Why some text is not the JSON that was asked for.
#[derive(Debug, PartialEq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Json {
    /// Reads one document that fills the whole text.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        read::document(text)
    }

    /// Reads a document that a test holds in its text.
    #[cfg(test)]
    #[track_caller]
    pub fn literal(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    /// Reads one document from bytes that should be UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|e| Malformed(e.to_string()))?;
        Self::parse(text)
    }

    /// The place an RFC 6901 pointer names; empty segments are passed over.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        let parts = pointer.split('/').filter(|part| !part.is_empty());
        parts.map(|part| part.replace("~1", "/").replace("~0", "~")).try_fold(
            self,
            |value, part| match value {
                Self::Array(items) => items.get(part.parse::<usize>().ok()?),
                Self::Object(members) => members.get(&part),
                _ => None,
            },
        )
    }

    pub fn as_object(&self) -> Result<&Object, Malformed> {
        match self {
            Self::Object(members) => Ok(members),
            other => Err(Malformed(format!("expected an object, found {other}"))),
        }
    }

    pub fn as_array(&self) -> Result<&[Self], Malformed> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(Malformed(format!("expected a list, found {other}"))),
        }
    }

    pub fn as_str(&self) -> Result<&str, Malformed> {
        match self {
            Self::String(text) => Ok(text),
            other => Err(Malformed(format!("expected a string, found {other}"))),
        }
    }

    /// The value as the text that stands for it inside a longer string, as Python's `str` makes it.
    pub fn to_text(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            other => other.to_string(),
        }
    }
}

impl Object {
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// Adds a member; one that was there keeps its place and takes the new value.
    pub fn insert(&mut self, key: String, value: Json) {
        match self.0.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }
}

/// Objects are equal whatever the order of their keys.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn rewritten(text: &str, expected: &str) {
        assert_eq!(Json::literal(text).to_string(), expected, "{text}");
    }

    #[test]
    fn documents_are_written_as_python_writes_them() {
        rewritten(" {\"b\":1,\"a\":[],\"c\":{}} ", "{\"b\": 1, \"a\": [], \"c\": {}}");
        rewritten("[1,2.50,null,true,false]", "[1, 2.5, null, true, false]");
        rewritten("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\": 3, \"b\": 2}");
        rewritten("\"a\\u00e9\\ud83d\\ude00\\/\\u0001\\n\\u007f\"", "\"aé😀/\\u0001\\n\u{7f}\"");
    }

    #[test]
    fn numbers_keep_their_kind_and_value() {
        for (text, expected) in [
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("1.0", "1.0"),
            ("1e2", "100.0"),
            ("1E+100", "1e+100"),
            ("5e-324", "5e-324"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("9999999999999998.0", "9999999999999998.0"),
            ("1e16", "1e+16"),
            ("1.5e300", "1.5e+300"),
            ("-1e400", "-Infinity"),
            ("NaN", "NaN"),
        ] {
            rewritten(text, expected);
        }
    }

    #[test]
    fn kinds_of_numbers_differ_and_values_within_a_kind_count() {
        let equal = |a: &str, b: &str| Json::literal(a) == Json::literal(b);
        assert!(equal("100.0", "1e2"));
        assert!(equal("-0", "0"));
        assert!(equal("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}"));
        for (a, b) in [
            ("1", "1.0"),
            ("1", "true"),
            ("0", "false"),
            ("NaN", "NaN"),
            ("123456789012345678901234567890", "123456789012345678901234567891"),
            ("{\"a\": 1}", "{\"a\": 1, \"b\": 2}"),
            ("[1, 2]", "[2, 1]"),
        ] {
            assert!(!equal(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "nul",
            "tru",
            "'a'",
            "{a: 1}",
            "{\"a\" 1}",
            "{\"a\": 1,}",
            "[1,]",
            "[1 2]",
            "[",
            "{",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\n\"",
            "1 2",
            "\u{feff}1",
        ] {
            assert!(Json::parse(text).is_err(), "{text:?}");
        }
        assert!(Json::parse_bytes(b"\"\xff\"").is_err());
        let deep = "[".repeat(100_000);
        assert!(Json::parse(&deep).is_err());
    }

    #[test]
    fn pointers_find_members_and_items() {
        let value = Json::literal("{\"a\": [{\"x/y\": 1, \"~\": 2}]}");
        assert_eq!(value.pointer("/a/0/x~1y"), Some(&Json::Int("1".to_owned())));
        assert_eq!(value.pointer("/a/0/~0"), Some(&Json::Int("2".to_owned())));
        assert_eq!(value.pointer(""), Some(&value));
        for absent in ["/b", "/a/1", "/a/x", "/a/0/x~1y/z"] {
            assert_eq!(value.pointer(absent), None, "{absent}");
        }
    }
}
