//! Strict comparison of an expected JSON document, placeholders and all, with an actual one.
//!
//! Every key, the order of lists and the kind of each number count, unless a *mode* for the place
//! says otherwise. Each difference is reported, not only the first.

use super::json::{Json, Malformed, Object};
use super::placeholder::{self, Token, Variables};

const TIMESTAMPS: std::ops::RangeInclusive<i64> = 1_500_000_000_000..=5_000_000_000_000;

/// One way in which a reply is not the expected one. `at` is a JSON pointer, or a part of the reply
/// in brackets; values of a JSON body are shown as JSON, so that `1` and `"1"` look different.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub at: String,
    pub expected: String,
    pub actual: String,
}

impl Difference {
    pub fn new(
        at: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self { at: at.into(), expected: expected.into(), actual: actual.into() }
    }
}

/// A loosening of the comparison at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// The items of the list may come in any order.
    Unordered,
    /// The expected items are among those of the list.
    Contains,
    /// The object may have further keys.
    ExtraKeys,
    /// The keys of the object come in the order written.
    KeyOrder,
    /// The value is not looked at.
    Ignore,
}

/// The modes of a step by place: a pointer made of the expected document's keys as they are.
#[derive(Clone, Debug, Default)]
pub struct Modes(Vec<(String, Vec<Mode>)>);

impl Modes {
    pub fn from_json(value: &Json) -> Result<Self, Malformed> {
        let place = |(pointer, modes): (&str, &Json)| {
            let modes: Result<_, Malformed> = match modes {
                Json::String(words) => words.split_whitespace().map(Mode::named).collect(),
                list => {
                    let mode = |word: &Json| Mode::named(word.as_str()?);
                    list.as_array()?.iter().map(mode).collect()
                }
            };
            Ok((pointer.to_owned(), modes?))
        };
        let places: Result<_, Malformed> = value.as_object()?.iter().map(place).collect();
        Ok(Self(places?))
    }

    fn has(&self, at: &str, mode: Mode) -> bool {
        let mut places = self.0.iter();
        places.any(|(pointer, modes)| pointer == at && modes.contains(&mode))
    }
}

impl Mode {
    fn named(word: &str) -> Result<Self, Malformed> {
        Ok(match word {
            "unordered" => Self::Unordered,
            "contains" => Self::Contains,
            "extra_keys" => Self::ExtraKeys,
            "key_order" => Self::KeyOrder,
            "ignore" => Self::Ignore,
            _ => return Err(Malformed(format!("unknown match mode {word}"))),
        })
    }
}

/// Every difference between the documents. Variables that placeholders name are set along the way.
pub fn differences(
    expected: &Json,
    actual: &Json,
    variables: &mut Variables,
    modes: &Modes,
) -> Vec<Difference> {
    bind(expected, actual, variables);
    let mut matcher = Matcher { variables, modes, differences: Vec::new() };
    matcher.value(expected, actual, "");
    matcher.differences
}

/// Placeholders standing alone bind first, so that a path built from an id can be checked before
/// the id is met. Items of lists bind by position, whatever the mode of the list.
fn bind(expected: &Json, actual: &Json, variables: &mut Variables) {
    match (expected, actual) {
        (Json::String(expected), Json::String(actual)) => {
            placeholder::bind(expected, actual, variables)
        }
        (Json::Object(expected), Json::Object(actual)) => {
            for (key, value) in expected.iter() {
                if let Some(found) = actual.get(key) {
                    bind(value, found, variables);
                }
            }
        }
        (Json::Array(expected), Json::Array(actual)) => {
            for (value, found) in expected.iter().zip(actual) {
                bind(value, found, variables);
            }
        }
        _ => {}
    }
}

/// The test of a placeholder that stands for a whole value of any type.
fn whole_kind(kind: &str) -> Option<fn(&Json) -> bool> {
    Some(match kind {
        "any" => |_| true,
        "timestamp_ms" => |value| match value {
            Json::Int(digits) => digits.parse().is_ok_and(|ms| TIMESTAMPS.contains(&ms)),
            _ => false,
        },
        "int" => |value| matches!(value, Json::Int(_)),
        "number" => |value| matches!(value, Json::Int(_) | Json::Float(_)),
        "bool" => |value| matches!(value, Json::Bool(_)),
        "object" => |value| matches!(value, Json::Object(_)),
        "array" => |value| matches!(value, Json::Array(_)),
        "string_or_null" => |value| matches!(value, Json::String(_) | Json::Null),
        _ => return None,
    })
}

struct Matcher<'a> {
    variables: &'a mut Variables,
    modes: &'a Modes,
    differences: Vec<Difference>,
}

impl Matcher<'_> {
    fn differ(&mut self, at: &str, expected: impl Into<String>, actual: impl Into<String>) {
        let at = if at.is_empty() { "/" } else { at };
        self.differences.push(Difference::new(at, expected, actual));
    }

    fn value(&mut self, expected: &Json, actual: &Json, at: &str) {
        if self.modes.has(at, Mode::Ignore) {
            return;
        }
        match (expected, actual) {
            (Json::String(template), _) => self.string(template, actual, at),
            (Json::Object(expected), Json::Object(actual)) => self.object(expected, actual, at),
            (Json::Array(expected), Json::Array(actual)) => self.array(expected, actual, at),
            _ if expected != actual => self.differ(at, expected.to_string(), actual.to_string()),
            _ => {}
        }
    }

    fn string(&mut self, template: &str, actual: &Json, at: &str) {
        if let Some(token) = Token::alone(template)
            && let Some(accepts) = whole_kind(token.kind)
        {
            return self.whole(token, accepts(actual), actual, at);
        }
        let verdict = match actual {
            Json::String(text) => placeholder::matches(template, text, self.variables),
            _ => Ok(false),
        };
        match verdict {
            Ok(true) => {}
            Ok(false) => self.differ(at, quoted(template), actual.to_string()),
            Err(unbound) => {
                let expected = format!("{} (unbound {unbound})", quoted(template));
                self.differ(at, expected, actual.to_string());
            }
        }
    }

    fn whole(&mut self, token: Token<'_>, accepted: bool, actual: &Json, at: &str) {
        let expected = quoted(token.written);
        if !accepted {
            return self.differ(at, expected, actual.to_string());
        }
        let Some(name) = token.name.filter(|name| !name.is_empty()) else {
            return;
        };
        match self.variables.get(name) {
            None => self.variables.set(name, actual.clone()),
            Some(first) if first == actual => {}
            Some(first) => {
                let expected = format!("{expected} (first seen as {first})");
                self.differ(at, expected, actual.to_string());
            }
        }
    }

    fn object(&mut self, expected: &Object, actual: &Object, at: &str) {
        let mut pairs = self.paired_keys(expected, actual);
        let is_used = |key: &str| pairs.iter().any(|(_, found)| *found == Some(key));
        for (key, found) in &pairs {
            if let (None, Some(value)) = (found, expected.get(key)) {
                self.differ(&format!("{at}/{key}"), value.to_string(), "(missing)");
            }
        }
        if !self.modes.has(at, Mode::ExtraKeys) {
            for (key, value) in actual.iter().filter(|(key, _)| !is_used(key)) {
                self.differ(&format!("{at}/{key}"), "(absent)", value.to_string());
            }
        }
        if self.modes.has(at, Mode::KeyOrder) {
            let wanted: Vec<&str> = pairs.iter().filter_map(|(_, found)| *found).collect();
            let got: Vec<&str> = actual.keys().filter(|key| is_used(key)).collect();
            if wanted != got {
                let order = |keys: Vec<&str>| format!("key order {keys:?}");
                self.differ(at, order(wanted), order(got));
            }
        }
        // Values under keys that stand as written go first: they may name what the others hold.
        pairs.sort_by_key(|(key, found)| *found != Some(*key));
        for (key, found) in pairs {
            if let (Some(wanted), Some(got)) =
                (expected.get(key), found.and_then(|found| actual.get(found)))
            {
                self.value(wanted, got, &format!("{at}/{key}"));
            }
        }
    }

    /// For each expected key, in order, the actual key it stands for. Keys that are there as
    /// written come first, then keys with placeholders take the first of the rest that they match.
    fn paired_keys<'d>(
        &mut self,
        expected: &'d Object,
        actual: &'d Object,
    ) -> Vec<(&'d str, Option<&'d str>)> {
        let as_written = |key: &'d str| (key, actual.get(key).map(|_| key));
        let mut pairs: Vec<_> = expected.keys().map(as_written).collect();
        for i in 0..pairs.len() {
            let (key, None) = pairs[i] else { continue };
            if !key.contains("{{") {
                continue;
            }
            let mut free = actual
                .keys()
                .filter(|candidate| pairs.iter().all(|(_, found)| *found != Some(candidate)));
            let found = free
                .find(|candidate| placeholder::matches(key, candidate, self.variables) == Ok(true));
            pairs[i].1 = found;
        }
        pairs
    }

    fn array(&mut self, expected: &[Json], actual: &[Json], at: &str) {
        let is_subset = self.modes.has(at, Mode::Contains);
        let is_loose = is_subset || self.modes.has(at, Mode::Unordered);
        if !is_subset && expected.len() != actual.len() {
            let list =
                |items: &[Json]| format!("{} items {}", items.len(), Json::Array(items.to_vec()));
            self.differ(at, list(expected), list(actual));
        } else if is_loose {
            self.among(expected, actual, at);
        } else {
            for (i, (wanted, got)) in expected.iter().zip(actual).enumerate() {
                self.value(wanted, got, &format!("{at}/{i}"));
            }
        }
    }

    /// Each expected item takes the first actual item that is still free and matches it, without
    /// modes.
    fn among(&mut self, expected: &[Json], actual: &[Json], at: &str) {
        let mut free: Vec<&Json> = actual.iter().collect();
        for wanted in expected {
            let mut variables = self.variables.clone();
            let found = free.iter().position(|candidate| {
                variables.clone_from(self.variables);
                differences(wanted, candidate, &mut variables, &Modes::default()).is_empty()
            });
            match found {
                Some(i) => {
                    free.remove(i);
                    *self.variables = variables;
                }
                None => {
                    let wanted = format!("an item like {wanted}");
                    let list = Json::Array(actual.to_vec());
                    self.differ(at, wanted, format!("none in {list}"));
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    Json::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests;
