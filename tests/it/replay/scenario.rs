//! Scenarios as they are written down, and how to load them.
//!
//! A member that nobody knows is an error: a misspelt `match` or `capture` would quietly weaken a
//! check.

use std::ffi::OsStr;
use std::path::Path;
use std::{fmt, fs};

use super::body::{ExpectedBody, RequestBody};
use super::json::{Json, Malformed, Object};
use super::matching::{Difference, Modes};
use super::placeholder::{self, Variables};
use super::transport::Reply;

/// A conversation with the server, independent of all others.
#[derive(Debug)]
pub struct Scenario {
    pub name: String,
    /// Needs the API key, for its headers or its variables.
    pub requires_auth: bool,
    pub vars: Vec<(String, String)>,
    pub steps: Vec<Step>,
}

/// One request, what may come back, and what to keep of it.
#[derive(Debug)]
pub struct Step {
    pub note: Option<String>,
    pub request: Request,
    /// The recorded response, then the further acceptable ones.
    pub responses: Vec<Response>,
    pub captures: Vec<(String, Source)>,
}

#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<RequestBody>,
    /// Whether the API key goes with it.
    pub auth: bool,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// `None` for a header that must be absent. The content type is one of them.
    pub headers: Vec<(String, Option<String>)>,
    pub body: ExpectedBody,
    pub modes: Modes,
}

/// The place in a reply that a variable is captured from.
#[derive(Debug)]
pub enum Source {
    Header(String),
    Pointer(String),
}

impl Source {
    pub fn value(&self, reply: &Reply) -> Option<Json> {
        match self {
            Self::Header(name) => Some(Json::String(reply.header(name)?.to_owned())),
            Self::Pointer(pointer) => {
                let body = Json::parse_bytes(&reply.body).ok()?;
                body.pointer(pointer).cloned()
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "(header {name})"),
            Self::Pointer(pointer) => f.write_str(pointer),
        }
    }
}

impl Scenario {
    /// Loads every `.json` file of a directory, in the order of their names.
    pub fn load_dir(dir: &Path) -> Result<Vec<Self>, Malformed> {
        let unreadable = |e| Malformed(format!("{}: {e}", dir.display()));
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
        files.retain(|path| path.extension() == Some(OsStr::new("json")));
        files.sort();
        let mut scenarios = Vec::new();
        for file in files {
            scenarios.extend(Self::load_file(&file)?);
        }
        Ok(scenarios)
    }

    /// Loads the scenario of a file, or the list of them.
    pub fn load_file(path: &Path) -> Result<Vec<Self>, Malformed> {
        let content = fs::read(path).map_err(|e| Malformed(e.to_string()));
        let parsed = content.and_then(|content| match Json::parse_bytes(&content)? {
            Json::Array(scenarios) => scenarios.iter().map(Self::from_json).collect(),
            scenario => Ok(vec![Self::from_json(&scenario)?]),
        });
        parsed.map_err(|problem| Malformed(format!("{}: {problem}", path.display())))
    }

    pub fn from_json(value: &Json) -> Result<Self, Malformed> {
        let known = "name description tags requires vars steps";
        let members = Members::of(value, known)?;
        let mut requires_auth = false;
        for need in members.optional("requires", Json::as_array)?.unwrap_or_default() {
            match need.as_str()? {
                "auth" => requires_auth = true,
                other => return Err(Malformed(format!("unknown requirement {other}"))),
            }
        }
        let mut steps = Vec::new();
        for (i, step) in members.required("steps")?.as_array()?.iter().enumerate() {
            let in_step = |Malformed(problem)| Malformed(format!("step {}: {problem}", i + 1));
            steps.push(Step::from_json(step).map_err(in_step)?);
        }
        Ok(Self {
            name: members.text("name")?,
            requires_auth,
            vars: members.optional("vars", text_pairs)?.unwrap_or_default(),
            steps,
        })
    }
}

impl Step {
    fn from_json(value: &Json) -> Result<Self, Malformed> {
        let known = "note request response match alternatives capture";
        let members = Members::of(value, known)?;
        let modes = members.optional("match", Modes::from_json)?.unwrap_or_default();
        let mut responses = vec![Response::from_json(members.required("response")?, &modes)?];
        for other in members.optional("alternatives", Json::as_array)?.unwrap_or_default() {
            responses.push(Response::from_json(other, &modes)?);
        }
        Ok(Self {
            note: members.optional("note", owned_text)?,
            request: Request::from_json(members.required("request")?)?,
            responses,
            captures: members.optional("capture", captures)?.unwrap_or_default(),
        })
    }
}

impl Request {
    fn from_json(value: &Json) -> Result<Self, Malformed> {
        let members = Members::of(value, "method path query headers body auth")?;
        let flag = |value: &Json| match value {
            Json::Bool(flag) => Ok(*flag),
            other => Err(Malformed(format!("expected true or false, found {other}"))),
        };
        Ok(Self {
            method: members.text("method")?,
            path: members.text("path")?,
            query: members.optional("query", text_pairs)?.unwrap_or_default(),
            headers: members.optional("headers", text_pairs)?.unwrap_or_default(),
            body: members.optional("body", RequestBody::from_json)?,
            auth: members.optional("auth", flag)?.unwrap_or(true),
        })
    }
}

impl Response {
    /// A response with no `match` of its own goes by that of its step.
    pub fn from_json(value: &Json, step_modes: &Modes) -> Result<Self, Malformed> {
        let members = Members::of(value, "why status content_type headers body match")?;
        let status = match members.required("status")? {
            Json::Int(digits) => digits.parse().ok(),
            _ => None,
        };
        let text_or_null = |value: &Json| match value {
            Json::Null => Ok(None),
            text => owned_text(text).map(Some),
        };
        let mut headers = Vec::new();
        if let Some(content_type) = members.optional("content_type", text_or_null)? {
            headers.push(("content-type".to_owned(), content_type));
        }
        if let Some(further) = members.optional("headers", Json::as_object)? {
            for (name, value) in further.iter() {
                headers.push((name.to_owned(), text_or_null(value)?));
            }
        }
        let body = members.optional("body", ExpectedBody::from_json)?;
        let modes = members.optional("match", Modes::from_json)?;
        Ok(Self {
            status: status.ok_or_else(|| Malformed("expected an integer status".to_owned()))?,
            headers,
            body: body.unwrap_or(ExpectedBody::Any),
            modes: modes.unwrap_or_else(|| step_modes.clone()),
        })
    }

    /// Every difference between this response and a reply; variables that placeholders name are
    /// set.
    pub fn differences(&self, reply: &Reply, variables: &mut Variables) -> Vec<Difference> {
        let mut found = Vec::new();
        if self.status != reply.status {
            let [expected, actual] = [self.status, reply.status].map(|status| status.to_string());
            found.push(Difference::new("(status)", expected, actual));
        }
        for (name, expected) in &self.headers {
            let actual = reply.header(name);
            let wanted = match (expected, actual) {
                (None, None) => continue,
                (None, Some(_)) => "(absent)".to_owned(),
                (Some(expected), None) => expected.clone(),
                (Some(expected), Some(actual)) => {
                    match placeholder::matches(expected, actual, variables) {
                        Ok(true) => continue,
                        Ok(false) => expected.clone(),
                        Err(unbound) => format!("{expected} (unbound {unbound})"),
                    }
                }
            };
            let at = format!("(header {name})");
            found.push(Difference::new(at, wanted, actual.unwrap_or("(missing)")));
        }
        found.extend(self.body.differences(&reply.body, variables, &self.modes));
        found
    }
}

// ---------------------------------------------------------------------------- members

/// The members of an object whose names are all known.
struct Members<'j>(&'j Object);

impl<'j> Members<'j> {
    /// `known` lists the names, separated by spaces.
    fn of(value: &'j Json, known: &str) -> Result<Self, Malformed> {
        let members = value.as_object()?;
        let is_known = |name: &str| known.split(' ').any(|known| known == name);
        match members.keys().find(|name| !is_known(name)) {
            Some(unknown) => Err(Malformed(format!("unknown member {unknown}"))),
            None => Ok(Self(members)),
        }
    }

    fn required(&self, name: &str) -> Result<&'j Json, Malformed> {
        let member = self.0.get(name);
        member.ok_or_else(|| Malformed(format!("no {name}")))
    }

    fn optional<T>(
        &self,
        name: &str,
        read: impl Fn(&'j Json) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        let in_member = |Malformed(problem)| Malformed(format!("{name}: {problem}"));
        self.0.get(name).map(read).transpose().map_err(in_member)
    }

    fn text(&self, name: &str) -> Result<String, Malformed> {
        owned_text(self.required(name)?)
    }
}

fn owned_text(value: &Json) -> Result<String, Malformed> {
    value.as_str().map(str::to_owned)
}

/// An object from text to text, or the same as a list of pairs; other values stand for their text.
fn text_pairs(value: &Json) -> Result<Vec<(String, String)>, Malformed> {
    let mut pairs = Vec::new();
    if let Json::Object(members) = value {
        for (name, value) in members.iter() {
            pairs.push((name.to_owned(), value.to_text()));
        }
        return Ok(pairs);
    }
    for pair in value.as_array()? {
        match pair.as_array()? {
            [name, value] => pairs.push((name.to_text(), value.to_text())),
            _ => return Err(Malformed(format!("expected a pair, found {pair}"))),
        }
    }
    Ok(pairs)
}

fn captures(value: &Json) -> Result<Vec<(String, Source)>, Malformed> {
    let mut captures = Vec::new();
    for (name, place) in value.as_object()?.iter() {
        let place = place.as_str()?;
        let source = match place.strip_prefix("header:") {
            Some(header) => Source::Header(header.to_owned()),
            None => Source::Pointer(place.to_owned()),
        };
        captures.push((name.to_owned(), source));
    }
    Ok(captures)
}

#[cfg(test)]
mod tests;
