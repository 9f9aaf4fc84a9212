//! JSON as Python's `json` module reads and writes it.
//!
//! Hashes are taken over the text that Python would print, stored files are that text, and clients
//! may send whatever Python accepts; so "nearly JSON" is not near enough. What an ordinary JSON
//! library does otherwise, and this one must not:
//!
//! * integers keep every digit and floats stay floats: `1.0` is not `1`, and `1E5` prints as
//!   `100000.0` ([`Value::Int`] holds decimal text for that reason);
//! * `NaN`, `Infinity` and `-Infinity` are values, and `1e400` is one of them;
//! * a string may hold half of a surrogate pair ([`Text`]);
//! * UTF-8 with a mark, UTF-16 and UTF-32 are read too;
//! * of duplicate keys the last value counts, at the place of the first.
//!
//! A [`Value`] borrows from the bytes it was parsed from wherever a string has no escapes. There
//! are four writers, one for each form the reference service uses: [`write_canonical`] (hashed),
//! [`write_python`] and [`write_pretty`] (stored), and [`write_compact`] (served).
//!
//! Left to others: what a body means, which error a caller sees, and decompression.

mod decode;
mod float;
mod parse;
mod print;
mod scan;
mod text;

use std::borrow::Cow;
use std::mem::take;

pub use float::float_repr;
pub use parse::{MAX_DEPTH, MAX_INT_DIGITS, ParseError, parse, parse_noting_form, parse_str};
pub use print::{
    Output, WhiteSpace, write_ascii_string, write_canonical, write_compact, write_pretty,
    write_python, write_utf8_string,
};
pub use text::Text;

/// A JSON value, with the distinctions that Python makes.
///
/// What [`parse`] returns nests at most [`MAX_DEPTH`] levels and has no duplicate keys. Values put
/// together by hand should keep to both: cloning, comparing, printing and dropping recurse.
///
/// Equality is that of the parts: `Int` and `Float` never equal each other, key order counts, and
/// a value that holds `NaN` does not equal itself.
#[derive(Clone, Debug, Default, PartialEq)]
// Values are moved about a lot, and whole words move faster: parsing gains 15 %.
#[repr(u64)]
pub enum Value<'a> {
    /// `null`, Python's `None`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of any size: decimal digits, a minus sign if below zero, no leading zeros.
    Int(Cow<'a, str>),
    /// Any number written with a point or an exponent; may be infinite or not a number.
    Float(f64),
    /// A string.
    Str(Text<'a>),
    /// A list.
    List(Vec<Value<'a>>),
    /// An object: its members in the order of their first appearance.
    Object(Vec<(Text<'a>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// The member called `name`, if this is an object that has one.
    ///
    /// A linear search, meant for a few look-ups in small objects.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let Value::Object(members) = self else {
            return None;
        };
        let (_, value) = members.iter().find(|(key, _)| key.as_str() == Some(name))?;
        Some(value)
    }

    /// The same value without the borrow, copying what is still borrowed.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(truth) => Value::Bool(truth),
            Value::Int(digits) => Value::Int(Cow::Owned(digits.into_owned())),
            Value::Float(number) => Value::Float(number),
            Value::Str(text) => Value::Str(text.into_owned()),
            Value::List(items) => own_items(items),
            Value::Object(members) => own_members(members),
        }
    }

    /// The text that is hashed: see [`write_canonical`].
    pub fn to_canonical(&self) -> String {
        printed(|out| write_canonical(out, self))
    }

    /// `json.dumps(value)`: see [`write_python`].
    pub fn to_python(&self) -> String {
        printed(|out| write_python(out, self))
    }

    /// `json.dumps(value, indent=indent)`: see [`write_pretty`].
    pub fn to_pretty(&self, indent: usize) -> String {
        printed(|out| write_pretty(out, self, indent))
    }

    /// The text that is served: see [`write_compact`].
    pub fn to_compact(&self) -> String {
        printed(|out| {
            write_compact(out, self);
        })
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Int(Cow::Owned(number.to_string()))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(Cow::Owned(number.to_string()))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Str(Text::from(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Str(Text::from(text))
    }
}

impl<'a> From<Text<'a>> for Value<'a> {
    fn from(text: Text<'a>) -> Self {
        Value::Str(text)
    }
}

/// A plain loop, like its sibling below: an iterator chain would put a dozen frames on the stack
/// for every level of nesting in an unoptimised build.
fn own_items(mut items: Vec<Value<'_>>) -> Value<'static> {
    let mut owned = Vec::with_capacity(items.len());
    for item in &mut items {
        owned.push(take(item).into_owned());
    }
    Value::List(owned)
}

fn own_members(mut members: Vec<(Text<'_>, Value<'_>)>) -> Value<'static> {
    let mut owned = Vec::with_capacity(members.len());
    for (name, value) in &mut members {
        owned.push((take(name).into_owned(), take(value).into_owned()));
    }
    Value::Object(owned)
}

fn printed(write: impl FnOnce(&mut String)) -> String {
    // Spares small documents, by far the most common, all but one or two allocations.
    let mut out = String::with_capacity(256);
    write(&mut out);
    out
}

#[cfg(test)]
mod tests;
