//! The bodies of transcripts: what a request sends, and what a reply must hold.

use std::io::{self, Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::json::{Json, Malformed};
use super::matching::{Difference, Modes, differences};
use super::placeholder::{self, Unbound, Variables};

/// How much of an unreadable body a message quotes.
const QUOTED_BYTES: usize = 200;

/// The members of an archive in order, unpacked.
type Archive = Vec<(String, Vec<u8>)>;

/// The body of a request, before variables are filled in.
#[derive(Debug)]
pub enum RequestBody {
    Json(Json),
    Text(String),
    Bytes(Vec<u8>),
}

impl RequestBody {
    pub fn from_json(value: &Json) -> Result<Self, Malformed> {
        let (form, content) = single_member(value)?;
        Ok(match form {
            "json" => Self::Json(content.clone()),
            "text" => Self::Text(content.as_str()?.to_owned()),
            "base64" => Self::Bytes(decoded(content)?),
            "zip" => Self::Bytes(packed(&archive(content)?).map_err(|e| Malformed(e.to_string()))?),
            "repeat" => Self::Bytes(repeated(content)?),
            _ => return Err(Malformed(format!("unknown form of request body {form}"))),
        })
    }

    /// The bytes to send.
    pub fn encode(&self, variables: &Variables) -> Result<Vec<u8>, Unbound> {
        Ok(match self {
            Self::Json(value) => {
                let filled = placeholder::substitute_json(value, variables)?;
                filled.to_string().into_bytes()
            }
            Self::Text(text) => placeholder::substitute(text, variables)?.into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
        })
    }

    /// The content type that goes with the body unless a header names one.
    pub fn default_content_type(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) => Some("application/json"),
            Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

/// What the body of a reply must be.
#[derive(Debug)]
pub enum ExpectedBody {
    Any,
    Empty,
    Json(Json),
    Text(String),
    Bytes(Vec<u8>),
    Contains(Vec<String>),
    Zip(Archive),
}

impl ExpectedBody {
    pub fn from_json(value: &Json) -> Result<Self, Malformed> {
        let (form, content) = single_member(value)?;
        Ok(match form {
            "any" => Self::Any,
            "empty" => Self::Empty,
            "json" => Self::Json(content.clone()),
            "text" => Self::Text(content.as_str()?.to_owned()),
            "base64" => Self::Bytes(decoded(content)?),
            "contains" => Self::Contains(texts(content)?),
            "zip" => Self::Zip(archive(content)?),
            _ => return Err(Malformed(format!("unknown form of expected body {form}"))),
        })
    }

    /// Every difference between this and the body of a reply; variables that placeholders name are
    /// set.
    pub fn differences(
        &self,
        raw: &[u8],
        variables: &mut Variables,
        modes: &Modes,
    ) -> Vec<Difference> {
        if let Self::Json(expected) = self
            && let Ok(actual) = Json::parse_bytes(raw)
        {
            return differences(expected, &actual, variables, modes);
        }
        let problems = self.problems(raw, variables).into_iter();
        let in_body = |(expected, actual)| Difference::new("(body)", expected, actual);
        problems.map(in_body).collect()
    }

    /// What differs in the body as a whole: what was expected there, and what was found.
    fn problems(&self, raw: &[u8], variables: &mut Variables) -> Vec<(String, String)> {
        let one = |expected: &str, actual: String| vec![(expected.to_owned(), actual)];
        match self {
            Self::Any => vec![],
            Self::Empty if raw.is_empty() => vec![],
            Self::Empty => one("an empty body", quoted(raw)),
            Self::Json(_) => one("a JSON document", quoted(raw)),
            Self::Text(expected) => {
                let Ok(actual) = std::str::from_utf8(raw) else {
                    return one(expected, quoted(raw));
                };
                match placeholder::matches(expected, actual, variables) {
                    Ok(true) => vec![],
                    Ok(false) => one(expected, actual.to_owned()),
                    Err(unbound) => {
                        vec![(format!("{expected} (unbound {unbound})"), actual.to_owned())]
                    }
                }
            }
            Self::Bytes(expected) if expected == raw => vec![],
            Self::Bytes(expected) => vec![(encoded(expected), encoded(raw))],
            Self::Contains(parts) => {
                let text = String::from_utf8_lossy(raw);
                let missing = parts.iter().filter(|part| !text.contains(part.as_str()));
                let problem = |part| (format!("text containing {part:?}"), quoted(raw));
                missing.map(problem).collect()
            }
            Self::Zip(expected) => match unpacked(raw) {
                Ok(actual) if sorted(expected) == sorted(&actual) => vec![],
                Ok(actual) => vec![(listing(expected), listing(&actual))],
                Err(e) => one("a zip archive", format!("{} ({e})", quoted(raw))),
            },
        }
    }
}

fn single_member(value: &Json) -> Result<(&str, &Json), Malformed> {
    let mut members = value.as_object()?.iter();
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        _ => Err(Malformed(format!("expected one form, found {value}"))),
    }
}

fn texts(value: &Json) -> Result<Vec<String>, Malformed> {
    let text = |item: &Json| item.as_str().map(str::to_owned);
    value.as_array()?.iter().map(text).collect()
}

fn decoded(value: &Json) -> Result<Vec<u8>, Malformed> {
    let decoded = STANDARD.decode(value.as_str()?);
    decoded.map_err(|e| Malformed(format!("expected base64: {e}")))
}

fn repeated(value: &Json) -> Result<Vec<u8>, Malformed> {
    if let [Json::String(text), Json::Int(digits)] = value.as_array()?
        && let Ok(count) = digits.parse()
    {
        return Ok(text.repeat(count).into_bytes());
    }
    let problem = format!("expected a text and a count, found {value}");
    Err(Malformed(problem))
}

// ---------------------------------------------------------------------------- archives

/// Reads `{name: text or {"base64": …}}`.
fn archive(value: &Json) -> Result<Archive, Malformed> {
    let member = |(name, content): (&str, &Json)| {
        let bytes = match content {
            Json::String(text) => text.clone().into_bytes(),
            _ => match single_member(content)? {
                ("base64", encoded) => decoded(encoded)?,
                (form, _) => {
                    return Err(Malformed(format!("unknown form of archive member {form}")));
                }
            },
        };
        Ok((name.to_owned(), bytes))
    };
    value.as_object()?.iter().map(member).collect()
}

fn packed(members: &Archive) -> io::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(name, SimpleFileOptions::default())?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

fn unpacked(raw: &[u8]) -> io::Result<Archive> {
    let mut archive = ZipArchive::new(Cursor::new(raw))?;
    let mut members = Archive::new();
    for i in 0..archive.len() {
        let mut member = archive.by_index(i)?;
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes)?;
        members.push((member.name()?.into_owned(), bytes));
    }
    Ok(members)
}

/// The order of members does not count.
fn sorted(members: &Archive) -> Vec<&(String, Vec<u8>)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort();
    sorted
}

fn listing(members: &Archive) -> String {
    let shown = |(name, bytes): &&(String, Vec<u8>)| format!("{name}: {}", quoted(bytes));
    let members: Vec<String> = sorted(members).iter().map(shown).collect();
    format!("zip {{{}}}", members.join(", "))
}

fn encoded(raw: &[u8]) -> String {
    format!("base64 {}", STANDARD.encode(raw))
}

/// The start of some bytes, escaped where they are not plain text.
fn quoted(raw: &[u8]) -> String {
    let start = &raw[..raw.len().min(QUOTED_BYTES)];
    format!("b\"{}\"", start.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let mut variables = Variables::default();
        variables.set_text("ns", "té");
        variables
    }

    fn sent(form: &str) -> Vec<u8> {
        let body =
            RequestBody::from_json(&Json::literal(form)).unwrap_or_else(|e| panic!("{form}: {e}"));
        body.encode(&variables()).unwrap_or_else(|e| panic!("{form}: {e}"))
    }

    #[test]
    fn requests_take_every_form() {
        for (form, bytes) in [
            (
                r#"{"json": {"a":[1,2.0,"{{ns}}"],"{{ns}}":null}}"#,
                "{\"a\": [1, 2.0, \"té\"], \"té\": null}",
            ),
            (r#"{"text": "<{{ns}}>"}"#, "<té>"),
            (r#"{"base64": "e3tuc319"}"#, "{{ns}}"),
            (r#"{"repeat": ["ab", 3]}"#, "ababab"),
            (r#"{"repeat": ["ab", 0]}"#, ""),
        ] {
            assert_eq!(sent(form), bytes.as_bytes(), "{form}");
        }
        let archive =
            unpacked(&sent(r#"{"zip": {"../b": "é", "a/": "", "c": {"base64": "AAE="}}}"#))
                .expect("an archive just packed");
        let named = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
        assert_eq!(
            archive,
            [named("../b", "é".as_bytes()), named("a/", b""), named("c", b"\0\x01")]
        );
    }

    #[test]
    fn malformed_bodies_are_refused() {
        for form in [
            "{}",
            "1",
            r#"{"jsno": 1}"#,
            r#"{"json": 1, "text": "1"}"#,
            r#"{"text": 1}"#,
            r#"{"base64": "?"}"#,
            r#"{"repeat": ["a"]}"#,
            r#"{"repeat": ["a", -1]}"#,
            r#"{"zip": {"a": 1}}"#,
        ] {
            assert!(RequestBody::from_json(&Json::literal(form)).is_err(), "{form}");
        }
        assert!(ExpectedBody::from_json(&Json::literal(r#"{"repeat": ["a", 1]}"#)).is_err());
    }

    #[track_caller]
    fn check(form: &str, actual: &[u8], is_match: bool) {
        let body =
            ExpectedBody::from_json(&Json::literal(form)).unwrap_or_else(|e| panic!("{form}: {e}"));
        let found = body.differences(actual, &mut variables(), &Modes::default());
        assert_eq!(found.is_empty(), is_match, "{form} {found:?}");
    }

    #[test]
    fn replies_are_held_to_every_form() {
        for (form, right, wrong) in [
            (r#"{"empty": true}"#, &b""[..], &b" "[..]),
            (r#"{"json": {"a": 1}}"#, b" {\"a\":1}\n", b"{\"a\":2}"),
            (r#"{"json": {"a": 1}}"#, b"{\"a\":1}", b"{\"a\":1"),
            (r#"{"json": ""}"#, b"\"\"", b""),
            (r#"{"text": "<{{ns}}>"}"#, "<té>".as_bytes(), "<té> ".as_bytes()),
            (r#"{"text": "{{string}}"}"#, b"", b"\xff"),
            (r#"{"base64": "AAE="}"#, b"\0\x01", b"\0\x02"),
            (r#"{"contains": ["a", "b"]}"#, b"xb\xffax", b"xa"),
        ] {
            check(form, right, true);
            check(form, wrong, false);
        }
        check(r#"{"text": "{{nobody}}"}"#, b"", false);
        check(r#"{"any": true}"#, b"\xff", true);
    }

    #[test]
    fn archives_compare_by_names_and_contents() {
        let form = r#"{"zip": {"a": "1", "d/b": "2"}}"#;
        let archive = |members: &[(&str, &str)]| {
            let owned =
                |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
            packed(&members.iter().map(owned).collect()).expect("small archives can be packed")
        };
        check(form, &archive(&[("d/b", "2"), ("a", "1")]), true);
        check(form, &archive(&[("a", "1")]), false);
        check(form, &archive(&[("a", "1"), ("d/b", "3")]), false);
        check(form, &archive(&[("a", "1"), ("d/b", "2"), ("c", "")]), false);
        check(form, &archive(&[("a", "2"), ("d/b", "1")]), false);
        check(form, b"not an archive", false);
        check(r#"{"zip": {}}"#, &archive(&[]), true);
        check(r#"{"zip": {}}"#, b"", false);
    }
}
