//! Calls, their answers, and the record of both that becomes a counter-example.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use ureq::http::{Method, Request};

use super::battery::Server;
use crate::ensure;
use crate::gate::{ENDED, Gate};
use crate::report::{Failure, chain};

/// How long an answer may take. Slower is a failure, of the server or of the way to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection is kept: shorter than servers do, so that none closes under a call.
const IDLE: Duration = Duration::from_secs(2);

/// The largest answer that is read.
const MOST: u64 = 256 << 20;

/// What is sent along.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    None,
    /// As `application/json`.
    Json(&'a str),
    /// As `text/plain`.
    Text(&'a str),
    /// As `application/octet-stream`.
    Bytes(&'a [u8]),
    /// As `application/octet-stream`, already coded as the header will say.
    Coded(&'a [u8], &'a str),
}

impl Body<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::None => b"",
            Self::Json(text) | Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) | Self::Coded(bytes, _) => bytes,
        }
    }

    fn kind(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Json(_) => Some("application/json"),
            Self::Text(_) => Some("text/plain"),
            Self::Bytes(_) | Self::Coded(..) => Some("application/octet-stream"),
        }
    }
}

/// Compresses, as a client that sends `content-encoding: gzip` does.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// An answer, read whole, and the call it answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    call: String,
    pub(crate) status: u16,
    pub(crate) allow: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Fails unless the status is this one.
    pub(crate) fn is(self, status: u16) -> Result<Self, Failure> {
        ensure!(self.status == status, "{self} instead of {status}");
        Ok(self)
    }

    /// Fails unless the call was refused as the caller's mistake.
    pub(crate) fn refused(self) -> Result<Self, Failure> {
        ensure!((400..500).contains(&self.status), "{self} instead of a refusal (4xx)");
        Ok(self)
    }

    /// Fails if the server failed.
    pub(crate) fn no_failure(self) -> Result<Self, Failure> {
        ensure!(self.status < 500, "{self}: a failure of the server");
        Ok(self)
    }

    pub(crate) fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::new(format!("{self}, which is no JSON: {error}")))
    }

    /// A member of a JSON answer, or of the objects in it: `detail.error_type`.
    pub(crate) fn member(&self, path: &str) -> Result<Value, Failure> {
        let json = self.json()?;
        let found = path.split('.').try_fold(&json, |value, name| value.get(name));
        found.cloned().ok_or_else(|| Failure::new(format!("{self} has no member {path}")))
    }

    /// Fails unless a member has this value.
    pub(crate) fn has(&self, path: &str, value: impl Into<Value>) -> Result<&Self, Failure> {
        let (found, value) = (self.member(path)?, value.into());
        ensure!(found == value, "{path} is {found}, not {value}: {self}");
        Ok(self)
    }

    pub(crate) fn text_of(&self, path: &str) -> Result<String, Failure> {
        let found = self.member(path)?;
        let text = found.as_str().map(str::to_owned);
        text.ok_or_else(|| Failure::new(format!("{self}: {path} is {found}, not a text")))
    }

    pub(crate) fn number_of(&self, path: &str) -> Result<u64, Failure> {
        let found = self.member(path)?;
        found
            .as_u64()
            .ok_or_else(|| Failure::new(format!("{self}: {path} is {found}, not a count")))
    }

    /// A list of texts.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Failure> {
        let json = self.json()?;
        let texts = json.as_array().map(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        texts.flatten().ok_or_else(|| Failure::new(format!("{self}: not a list of texts")))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered {} {}", self.call, self.status, short(&self.body, 200))
    }
}

/// Bytes as messages show them.
pub(crate) fn short(bytes: &[u8], most: usize) -> String {
    let shown = String::from_utf8_lossy(bytes);
    let shown: String =
        shown.chars().take(most).map(|c| if c.is_control() { '·' } else { c }).collect();
    if bytes.len() > most { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}

/// Escapes one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    escape(text, b"-._~")
}

/// Escapes a path, whose slashes stay.
pub(crate) fn path(text: &str) -> String {
    escape(text, b"-._~/")
}

fn escape(text: &str, plain: &[u8]) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// Speaks to a server.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    server: Server,
    gate: Arc<Gate>,
    log: Mutex<Vec<String>>,
}

impl Client {
    /// A client whose calls go through this gate.
    pub(crate) fn new(server: Server, gate: Arc<Gate>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .max_idle_age(IDLE)
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .proxy(None)
            .user_agent(concat!("larder-conformance/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build();
        Self { agent: config.into(), server, gate, log: Mutex::default() }
    }

    /// The same server, called with another key or none.
    pub(crate) fn with_key(&self, key: Option<(String, String)>) -> Self {
        Self::new(Server { key, ..self.server.clone() }, Arc::clone(&self.gate))
    }

    pub(crate) fn key(&self) -> Option<&(String, String)> {
        self.server.key.as_ref()
    }

    pub(crate) fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.send("GET", path, Body::None)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Reply, Failure> {
        self.send("DELETE", path, Body::None)
    }

    pub(crate) fn post(&self, path: &str, body: Body<'_>) -> Result<Reply, Failure> {
        self.send("POST", path, body)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Body<'_>) -> Result<Reply, Failure> {
        let call = format!("{method} {path}");
        let answered = self.exchange(method, path, body);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let curl = self.curl(method, path, body);
        match answered {
            Ok((status, allow, bytes)) => {
                log.push(format!("{curl}   # {status} {}", short(&bytes, 160)));
                Ok(Reply { call, status, allow, body: bytes })
            }
            Err(error) => {
                log.push(format!("{curl}   # {error}"));
                Err(Failure::new(format!("{call} was not answered: {error}")))
            }
        }
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Body<'_>,
    ) -> Result<(u16, Option<String>, Vec<u8>), String> {
        let _inside = self.gate.enter().ok_or(ENDED)?;
        let told = |error: ureq::Error| chain(&error);
        let method: Method = method.parse().map_err(|_| format!("not a method: {method}"))?;
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.server.base));
        if let Some((name, value)) = &self.server.key {
            request = request.header(name, value);
        }
        if let Some(kind) = body.kind() {
            request = request.header("content-type", kind);
        }
        if let Body::Coded(_, coding) = body {
            request = request.header("content-encoding", coding);
        }
        let answer = match body {
            Body::None => {
                let request = request.body(()).map_err(|error| error.to_string())?;
                self.agent.run(request)
            }
            _ => {
                let request = request.body(body.bytes()).map_err(|error| error.to_string())?;
                self.agent.run(request)
            }
        };
        let mut answer = answer.map_err(told)?;
        let allow = answer.headers().get("allow").and_then(|value| value.to_str().ok());
        let allow = allow.map(str::to_owned);
        let status = answer.status().as_u16();
        let bytes = answer.body_mut().with_config().limit(MOST).read_to_vec().map_err(told)?;
        Ok((status, allow, bytes))
    }

    fn curl(&self, method: &str, path: &str, body: Body<'_>) -> String {
        let mut line = String::from("curl -s");
        if self.server.key.is_some() {
            line.push_str(" -H \"$K\"");
        }
        // What curl does by itself: GET, and POST when there is a body.
        if method != "GET" && (method != "POST" || body.bytes().is_empty()) {
            let _ = write!(line, " -X {method}");
        }
        let _ = write!(line, " \"$B{path}\"");
        if let Some(kind) = body.kind() {
            let _ = write!(line, " -H 'content-type: {kind}'");
        }
        if let Body::Coded(_, coding) = body {
            let _ = write!(line, " -H 'content-encoding: {coding}'");
        }
        if body.kind().is_some() {
            let _ = write!(line, " --data-binary {}", shell(body.bytes()));
        }
        line
    }

    /// Forgets what was called so far.
    pub(crate) fn begin(&self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What was called since [`Client::begin`], as lines for a shell; of many the first and the last.
    pub(crate) fn story(&self) -> Option<String> {
        const HEAD: usize = 14;
        const TAIL: usize = 8;
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.is_empty() {
            return None;
        }
        let left_out = log.len().saturating_sub(HEAD + TAIL);
        let mut lines: Vec<String> = vec![format!("B={}", self.server.base)];
        if let Some((name, _)) = &self.server.key {
            lines.push(format!("K='{name}: …'"));
        }
        if left_out == 0 {
            lines.extend(log.iter().cloned());
        } else {
            lines.extend(log[..HEAD].iter().cloned());
            lines.push(format!("# … {left_out} calls more …"));
            lines.extend(log[log.len() - TAIL..].iter().cloned());
        }
        Some(lines.join("\n"))
    }
}

/// Bytes as a word of a shell.
fn shell(bytes: &[u8]) -> String {
    const MOST: usize = 120;
    let shown = &bytes[..bytes.len().min(MOST)];
    let rest = bytes.len() - shown.len();
    let rest = if rest > 0 { format!("  # and {rest} bytes more") } else { String::new() };
    match std::str::from_utf8(shown) {
        Ok(text) if !text.contains(|c: char| c.is_control() || c == '\'') => {
            format!("'{text}'{rest}")
        }
        // `$'…'` knows the escapes that this writes.
        _ => format!("$'{}'{rest}", shown.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::{path, segment, shell};

    #[test]
    fn names_are_escaped_and_bodies_are_words() {
        assert_eq!(segment("a/b é"), "a%2Fb%20%C3%A9");
        assert_eq!(path("a/b?"), "a/b%3F");
        assert_eq!(shell(b"{\"a\": 1}"), "'{\"a\": 1}'");
        assert_eq!(shell(b"a'\0"), "$'a\\'\\x00'");
    }
}
