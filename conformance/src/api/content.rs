//! What is stored: contents of the three kinds, how they are sent, and their documented hash.

use larder::cache::digest;
use larder::cache::pyjson;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::client::{Body, Reply, short};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;

/// A content and how it is sent. JSON is kept in the form in which servers give it back: compact,
/// keys in the order sent, nothing escaped that need not be, floats as Python prints them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// A string, sent as JSON.
    Text { text: String, json: String },
    /// A string, sent as plain text.
    Plain(String),
    /// An object.
    Json(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Content {
    pub(crate) fn text(text: &str) -> Self {
        let json = serde_json::Value::from(text).to_string();
        Self::Text { text: text.to_owned(), json }
    }

    pub(crate) fn json(text: &str) -> Self {
        Self::Json(text.to_owned())
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }

    /// The name that paths use.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Plain(_) => "string",
            Self::Json(_) => "json",
            Self::Bytes(_) => "binary",
        }
    }

    pub(crate) fn body(&self) -> Body<'_> {
        match self {
            Self::Text { json, .. } | Self::Json(json) => Body::Json(json),
            Self::Plain(text) => Body::Text(text),
            Self::Bytes(bytes) => Body::Bytes(bytes),
        }
    }

    /// The bytes that a read in its own kind gives.
    pub(crate) fn as_read(&self) -> &[u8] {
        match self {
            Self::Text { text, .. } | Self::Plain(text) | Self::Json(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Fails unless the answer is this content, to the byte.
    pub(crate) fn is_in(&self, reply: &Reply) -> Outcome {
        let expected = self.as_read();
        let differ = reply.body.iter().zip(expected).position(|(one, two)| one != two);
        let at = differ.unwrap_or(reply.body.len().min(expected.len()));
        ensure!(
            reply.body == expected,
            "{reply}, not {} ({} bytes instead of {}, different from byte {at})",
            short(expected, 80),
            reply.body.len(),
            expected.len()
        );
        Ok(())
    }

    /// The hash it must be filed under.
    pub(crate) fn hash(&self) -> Result<String, Failure> {
        Ok(match self {
            Self::Text { text, .. } | Self::Plain(text) => digest::of_bytes(text.as_bytes()),
            Self::Bytes(bytes) => digest::of_bytes(bytes),
            Self::Json(json) => {
                let value = pyjson::parse_str(json)
                    .map_err(|error| Failure::new(format!("battery bug: {json}: {error}")))?;
                digest::of_json(&value)
            }
        }
        .to_string())
    }
}

/// Texts that something on the way may bend: white space, line ends, marks, forms, escapes.
pub(crate) const AWKWARD: &[&str] = &[
    " ",
    "  two  ",
    "\n",
    "\r",
    "line\r\nend\r\n",
    "tab\t",
    "a\0b",
    "\u{feff}mark",
    "\"quoted\"",
    "back\\slash",
    "{\"a\": 1}",
    "[1]",
    "1",
    "1.0",
    "null",
    "true",
    "NaN",
    "é",
    "e\u{301}",
    "ﬁ",
    "日本語",
    "😀",
    "👩\u{200d}👧",
    "\u{202e}rtl",
    "\u{e000}",
    "\u{ffff}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "%41",
    "+",
    "&amp;",
    "<script>",
    "a b",
    "aGVsbG8=",
    "=",
];

/// Strings, never empty.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(AWKWARD).prop_map(str::to_owned),
        2 => vec(select(AWKWARD), 1..6).prop_map(|parts| parts.concat()),
        1 => "\\PC{1,40}",
        1 => (select(AWKWARD), 1_usize..3000).prop_map(|(part, times)| part.repeat(times)),
    ]
}

/// Bytes, never empty: any values, around the sizes at which things are cut.
pub(crate) fn blobs() -> impl Strategy<Value = Vec<u8>> {
    let sizes: &[usize] = &[1, 2, 255, 256, 4095, 4096, 65_535, 65_536, 65_537, 300_000];
    prop_oneof![
        3 => vec(any::<u8>(), 1..200),
        1 => Just((0..=255).collect::<Vec<u8>>()),
        1 => Just(vec![0]),
        1 => Just(b"\x1f\x8b\x08looks like gzip".to_vec()),
        1 => Just(b"\xff\xfe\xfd".to_vec()),
        2 => (select(sizes), any::<u8>()).prop_map(|(size, mark)| {
            (0..size).map(|at| (at % 251) as u8 ^ mark).collect()
        }),
    ]
}

/// JSON values as they are served.
fn values() -> impl Strategy<Value = String> {
    let numbers: &[&str] = &[
        "0",
        "-1",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1.0",
        "-0.0",
        "0.1",
        "1e+100",
        "1e-05",
        "1.5",
        "1e+16",
        "5e-324",
        "123456.789",
    ];
    let leaf = prop_oneof![
        3 => select(numbers).prop_map(str::to_owned),
        1 => select(&["null", "true", "false"][..]).prop_map(str::to_owned),
        3 => select(AWKWARD).prop_map(quoted),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members(inner),
        ]
    })
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let names: &[&str] = &["b", "a", "", "é", "a.b", "10", "9", "B", "key with space", "z"];
    proptest::sample::subsequence(names, 0..6).prop_shuffle().prop_flat_map_values(value)
}

/// Draws a value for each name.
trait WithValues: Strategy<Value = Vec<&'static str>> + Sized {
    fn prop_flat_map_values(
        self,
        value: impl Strategy<Value = String>,
    ) -> impl Strategy<Value = String> {
        (self, vec(value, 6)).prop_map(|(names, values)| {
            let pairs = names.iter().zip(values);
            let members = pairs.map(|(name, value)| format!("{}:{value}", quoted(name)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        })
    }
}

impl<S: Strategy<Value = Vec<&'static str>>> WithValues for S {}

/// Objects as they are served.
pub(crate) fn objects() -> impl Strategy<Value = String> {
    members(values())
}

/// A string as servers write it: only what must be escaped is.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Contents of every kind.
pub(crate) fn contents() -> impl Strategy<Value = Content> {
    prop_oneof![
        texts().prop_map(|text| Content::text(&text)),
        texts().prop_map(Content::Plain),
        objects().prop_map(Content::Json),
        blobs().prop_map(Content::Bytes),
    ]
}

/// A few small contents of every kind, some with one hash, for histories.
pub(crate) fn few() -> Vec<Content> {
    vec![
        Content::text("one"),
        Content::text("two"),
        Content::bytes(b"one"),
        Content::json("{\"a\":1}"),
        Content::text("{\"a\": 1}"),
        Content::json("{\"b\":[1.0,\"é\"]}"),
        Content::bytes(b"\xff\x00"),
    ]
}
