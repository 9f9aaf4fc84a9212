//! The `{{…}}` placeholders of transcripts: filled in on the way out, matched on the way in.
//!
//! `{{kind}}` matches any text of a kind, `{{kind:name}}` also remembers it, and `{{name}}` stands
//! for a value that is already known. The kinds here may stand inside a longer string; those that
//! stand for a whole JSON value belong to [`matching`](super::matching).

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::json::{Json, Object};

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{\{([a-zA-Z_0-9]+)(?::([^{}]*))?\}\}").expect("a constant pattern should compile")
});

/// Kinds of text, each as the expression that the whole of it must match.
const TEXT_KINDS: [(&str, &str); 7] = [
    ("uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    ("hash", "[0-9a-f]{16}"),
    ("hex", "[0-9a-f]+"),
    ("date_path", "[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}"),
    ("version", r"v?[0-9]+\.[0-9]+\.[0-9]+"),
    ("digits", "[0-9]+"),
    ("string", "(?s:.*)"),
];

static TEXT_KINDS_ALONE: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
    let anchored = TEXT_KINDS.map(|(kind, expression)| (kind, whole_text(expression)));
    HashMap::from(anchored)
});

fn text_kind(kind: &str) -> Option<&'static str> {
    let (_, expression) = TEXT_KINDS.iter().find(|(name, _)| *name == kind)?;
    Some(expression)
}

/// A scenario with a faulty `{{regex:…}}` is a fault of the tests, so it stops them.
fn whole_text(expression: &str) -> Regex {
    let anchored = format!(r"\A(?:{expression})\z");
    Regex::new(&anchored)
        .unwrap_or_else(|e| panic!("a placeholder should make a valid expression: {e}"))
}

/// What a scenario knows by name: its `vars`, what it captured, and what placeholders matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables(HashMap<String, Json>);

impl Variables {
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    pub fn set(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    pub fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, Json::String(value.to_owned()));
    }

    fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(Json::to_text)
    }
}

/// A placeholder whose value is not known where it is needed.
#[derive(Debug, PartialEq)]
pub struct Unbound(pub String);

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One placeholder as written: `{{kind}}` or `{{kind:name}}`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    pub written: &'a str,
    pub kind: &'a str,
    pub name: Option<&'a str>,
}

impl<'a> Token<'a> {
    fn from_captures(captures: &regex::Captures<'a>) -> Self {
        let group = |i| captures.get(i).map(|m| m.as_str());
        Self {
            written: group(0).unwrap_or_default(),
            kind: group(1).unwrap_or_default(),
            name: group(2),
        }
    }

    /// The token that is the whole of a string.
    pub fn alone(text: &'a str) -> Option<Self> {
        let token = Self::from_captures(&TOKEN.captures(text)?);
        (token.written == text).then_some(token)
    }

    fn unbound(self) -> Unbound {
        Unbound(self.written.to_owned())
    }

    /// The value that `{{name}}`, `{{shard:name}}` and `{{underscored:name}}` stand for everywhere.
    fn value(self, variables: &Variables) -> Option<String> {
        match (self.kind, self.name) {
            (kind, None) => variables.text(kind),
            ("shard", Some(name)) => variables.text(name).map(|value| shards(&value)),
            ("underscored", Some(name)) => {
                variables.text(name).map(|value| value.replace('-', "_"))
            }
            _ => None,
        }
    }

    /// What a request sends for this token.
    fn sent(self, variables: &Variables) -> Option<String> {
        match (self.kind, self.name) {
            ("quoted", Some(name)) => variables.text(name).map(|value| percent_encode(&value)),
            ("uuid" | "hash", Some(name)) => variables.text(name),
            _ => self.value(variables),
        }
    }
}

fn shards(value: &str) -> String {
    let characters: Vec<char> = value.chars().take(4).collect();
    let shards: Vec<String> = characters.chunks(2).map(String::from_iter).collect();
    shards.join("/")
}

/// Percent-encodes everything but ASCII letters, digits and `_.-~`.
pub fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

enum Piece<'a> {
    Literal(&'a str),
    Token(Token<'a>),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut last = 0;
    for captures in TOKEN.captures_iter(text) {
        let token = Token::from_captures(&captures);
        let start = captures.get_match().start();
        pieces.push(Piece::Literal(&text[last..start]));
        pieces.push(Piece::Token(token));
        last = start + token.written.len();
    }
    pieces.push(Piece::Literal(&text[last..]));
    pieces
}

// ---------------------------------------------------------------------------- requests

/// Fills in a string of a request, where every placeholder must be known.
pub fn substitute(text: &str, variables: &Variables) -> Result<String, Unbound> {
    let fill = |piece| match piece {
        Piece::Literal(literal) => Ok(literal.to_owned()),
        Piece::Token(token) => token.sent(variables).ok_or_else(|| token.unbound()),
    };
    pieces(text).into_iter().map(fill).collect()
}

/// Fills in every string and key of a document.
pub fn substitute_json(value: &Json, variables: &Variables) -> Result<Json, Unbound> {
    Ok(match value {
        Json::String(text) => Json::String(substitute(text, variables)?),
        Json::Array(items) => {
            let filled: Result<_, Unbound> =
                items.iter().map(|item| substitute_json(item, variables)).collect();
            Json::Array(filled?)
        }
        Json::Object(members) => {
            let mut filled = Object::default();
            for (key, value) in members.iter() {
                filled.insert(substitute(key, variables)?, substitute_json(value, variables)?);
            }
            Json::Object(filled)
        }
        other => other.clone(),
    })
}

// ---------------------------------------------------------------------------- replies

/// A part of an expected string, once the known variables are filled in.
enum Part<'a> {
    Known(String),
    Open { expression: String, name: Option<&'a str> },
}

fn part<'a>(token: Token<'a>, variables: &Variables) -> Result<Part<'a>, Unbound> {
    if let Some(value) = token.value(variables) {
        return Ok(Part::Known(value));
    }
    if let Some(expression) = text_kind(token.kind) {
        let name = token.name.filter(|name| !name.is_empty());
        return Ok(match name.and_then(|name| variables.text(name)) {
            Some(value) => Part::Known(value),
            None => Part::Open { expression: expression.to_owned(), name },
        });
    }
    match token {
        Token { kind: "regex", name: Some(expression), .. } => {
            Ok(Part::Open { expression: expression.to_owned(), name: None })
        }
        _ => Err(token.unbound()),
    }
}

/// Whether `actual` is what the expected string describes; if so, named placeholders are
/// remembered.
pub fn matches(expected: &str, actual: &str, variables: &mut Variables) -> Result<bool, Unbound> {
    let parts = pieces(expected)
        .into_iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => Ok(Part::Known(literal.to_owned())),
            Piece::Token(token) => part(token, variables),
        })
        .collect::<Result<Vec<_>, Unbound>>()?;

    let mut literal = String::new();
    let mut expression = String::new();
    let mut names = Vec::new();
    let mut is_open = false;
    for part in parts {
        match part {
            Part::Known(text) => {
                expression.push_str(&regex::escape(&text));
                literal.push_str(&text);
            }
            Part::Open { expression: open, name } => {
                is_open = true;
                expression.push_str(&format!("(?P<p{}>{open})", names.len()));
                names.push(name);
            }
        }
    }
    if !is_open {
        return Ok(literal == actual);
    }
    let Some(captures) = whole_text(&expression).captures(actual) else {
        return Ok(false);
    };
    for (i, name) in names.into_iter().enumerate() {
        if let (Some(name), Some(found)) = (name, captures.name(&format!("p{i}")))
            && !variables.knows(name)
        {
            variables.set_text(name, found.as_str());
        }
    }
    Ok(true)
}

/// Remembers the value of a named text placeholder that stands alone, if it is new and matches.
pub fn bind(expected: &str, actual: &str, variables: &mut Variables) {
    let Some(Token { kind, name: Some(name), .. }) = Token::alone(expected) else {
        return;
    };
    let of_kind = |kind: &Regex| kind.is_match(actual);
    if !name.is_empty() && !variables.knows(name) && TEXT_KINDS_ALONE.get(kind).is_some_and(of_kind)
    {
        variables.set_text(name, actual);
    }
}

#[cfg(test)]
mod tests;
