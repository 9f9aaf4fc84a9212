//! The key of the service: header or cookie, compared in constant time.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq;

use super::error::ApiError;

/// Paths that need no key, matched exactly. Upstream: `/config/status` is one of them although
/// nothing is there.
pub(crate) const OPEN_PATHS: [&str; 5] =
    ["/auth/set-cookie-form", "/auth/set-auth-cookie", "/docs", "/openapi.json", "/config/status"];

/// The key that requests must carry.
#[derive(Clone)]
pub struct ApiKey {
    name: String,
    value: Vec<u8>,
}

impl ApiKey {
    /// A key by its name, which is that of the header and of the cookie, and its value. Header
    /// values are bytes; characters beyond ASCII are taken as Latin-1, as upstream decodes them.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let latin: Option<Vec<u8>> =
            value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        Self { name: name.to_owned(), value: latin.unwrap_or_else(|| value.as_bytes().to_vec()) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets a request pass, or says why not. A wrong header is not rescued by a right cookie.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let in_header = headers.get(self.name.as_str()).map(|value| value.as_bytes().trim_ascii());
        let given = match in_header {
            Some(value) if !value.is_empty() => Some(value.to_vec()),
            _ => cookie(headers, &self.name),
        };
        match given {
            None => Err(ApiError::unauthorized(
                "Client API key is missing, you need to set it on a header or cookie",
            )),
            Some(value) if bool::from(value.ct_eq(&self.value)) => Ok(()),
            Some(_) => Err(ApiError::unauthorized("Invalid API key value")),
        }
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("name", &self.name).field("value", &"***").finish()
    }
}

/// Whether a request names this machine: by its `Host`, so that no name of somebody else's leads here
/// (DNS rebinding), and by its `Origin`, so that no page of somebody else's sent it.
pub(crate) fn is_local(headers: &HeaderMap) -> bool {
    let local = |value: &HeaderValue, scheme: bool| {
        let text = value.to_str().unwrap_or_default();
        let text = if scheme { text.split_once("://").map_or("", |(_, rest)| rest) } else { text };
        is_local_authority(text)
    };
    headers.get(header::HOST).is_none_or(|host| local(host, false))
        && headers.get(header::ORIGIN).is_none_or(|origin| local(origin, true))
}

fn is_local_authority(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The value of a cookie, as Python's `http.cookies` reads it: names are case-sensitive, the last one
/// counts, a value in quotes is unescaped. An empty one counts as none.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (known, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            (known == name.as_bytes()).then(|| unquoted(value))
        })
        .next_back()
        .filter(|value| !value.is_empty())
}

/// A value in quotes without them; `\073` in it is the byte 59, `\c` is `c`.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let [b'"', inner @ .., b'"'] = value else { return value.to_vec() };
    let octal = |digit: &u8| (b'0'..=b'7').contains(digit);
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((byte, behind)) = rest.split_first() {
        rest = match (byte, behind) {
            (b'\\', [a @ b'0'..=b'3', b, c, behind @ ..]) if octal(b) && octal(c) => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                behind
            }
            (b'\\', [escaped, behind @ ..]) => {
                out.push(*escaped);
                behind
            }
            _ => {
                out.push(*byte);
                behind
            }
        };
    }
    out
}
