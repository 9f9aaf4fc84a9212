//! The content of entries: how it is stored and hashed, and what comes back in which form. Pure.

use std::io::Read;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::digest::{self, Digest};
use super::error::{Error, Result};
use super::ident::FileType;
use super::pyjson::{self, Text, Value};
use super::refs::REFERENCE_INDENT;
use super::served::{self, Served};
use crate::storage::Body;

/// Content as it is going to be stored, with what is recorded about it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The content file.
    pub body: Body,
    /// The hash of the content.
    pub hash: Digest,
    /// How it will be read.
    pub file_type: FileType,
    /// The content coding, cleaned as an id.
    pub encoding: Option<String>,
    /// The field the hash was taken from, as recorded.
    pub field_path: Option<String>,
}

impl Prepared {
    /// Prepares a string: stored as its JSON text. Fails on lone surrogates, which have no UTF-8.
    pub fn text(text: &Text<'_>) -> Result<Self> {
        let plain = text.as_str().ok_or_else(lone_surrogate)?;
        let mut stored = String::with_capacity(plain.len() + 16);
        pyjson::write_ascii_string(&mut stored, plain);
        Ok(Self {
            body: served::kept(stored.into()),
            hash: digest::of_bytes(plain.as_bytes()),
            file_type: FileType::Json,
            encoding: None,
            field_path: None,
        })
    }

    /// Prepares a JSON value: stored with an indent of two. `field_path` is `None` for a store
    /// without a key, and empty for a keyed one whose hash is the whole value's. Deep nesting makes
    /// the stored text many times longer than the value; its white space may have `limit` bytes.
    pub fn json(value: &Value<'_>, field_path: Option<&str>, limit: usize) -> Result<Self> {
        Self::json_of(value, None, field_path, limit)
    }

    /// As [`Prepared::json`]; `served` is the value as it is served, where it is at hand.
    pub fn json_of(
        value: &Value<'_>,
        served: Option<&[u8]>,
        field_path: Option<&str>,
        limit: usize,
    ) -> Result<Self> {
        let hash = match field_path {
            None | Some("") => digest::of_json(value),
            Some(path) => digest::of_json_field(value, path)
                .map_err(|error| Error::Invalid(error.to_string()))?,
        };
        Ok(Self {
            body: json_body_of(value, served, REFERENCE_INDENT, limit)?,
            hash,
            file_type: FileType::Json,
            encoding: None,
            field_path: field_path.map(str::to_owned),
        })
    }

    /// Prepares bytes: stored as they are. With the encoding `gzip` the hash is that of the
    /// decompressed bytes, of which there may be `limit`.
    pub fn binary(bytes: Bytes, encoding: Option<String>, limit: usize) -> Result<Self> {
        let hash = match encoding.as_deref() {
            Some("gzip") => digest::of_bytes(&gunzip(&bytes, limit)?),
            _ => digest::of_bytes(&bytes),
        };
        let body = served::kept(bytes);
        Ok(Self { body, hash, file_type: FileType::Binary, encoding, field_path: None })
    }

    /// Prepares bytes whose hash is not that of the bytes: an archive's is that of its members.
    #[must_use]
    pub fn hashed(bytes: Bytes, hash: Digest) -> Self {
        let body = served::kept(bytes);
        Self { body, hash, file_type: FileType::Binary, encoding: None, field_path: None }
    }
}

/// Content as it was read.
#[derive(Debug, Clone)]
pub enum Content {
    /// A string, or another JSON value that is neither object nor list.
    Text(Text<'static>),
    /// A JSON value.
    Json(Value<'static>),
    /// A JSON value as compact as it is served.
    Served(Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// What a string is when it was asked for as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJson {
    /// The first hundred characters of the string.
    pub start: String,
}

impl Content {
    /// Reads a content file. What is not what `file_type` and `encoding` say is served as bytes.
    pub(super) fn read(
        body: Body,
        file_type: FileType,
        encoding: Option<&str>,
        limit: usize,
    ) -> Result<Self> {
        if file_type == FileType::Json
            && let Some(served) = body.document_of::<Served>()
        {
            return Ok(Self::Served(served.text().clone()));
        }
        let bytes = body.into_bytes();
        if file_type == FileType::Json {
            return Ok(match pyjson::parse(&bytes).map(Value::into_owned) {
                Ok(Value::Str(text)) => Self::Text(text),
                Ok(value @ (Value::Object(_) | Value::List(_))) => Self::Json(value),
                // Nothing stores these; upstream would serve them as strings.
                Ok(other) => Self::Text(Text::from(other.to_python())),
                // Another entry of the same place was updated with bytes.
                Err(_) => Self::Binary(bytes),
            });
        }
        if encoding != Some("gzip") {
            return Ok(Self::Binary(bytes));
        }
        let inflated = match gunzip(&bytes, limit) {
            Ok(inflated) => inflated,
            // An update put plain bytes where compressed ones were; they are the content now.
            Err(Error::Invalid(_)) => return Ok(Self::Binary(bytes)),
            Err(error) => return Err(error),
        };
        // Upstream: decompressed text that happens to be JSON is JSON from then on.
        let json =
            std::str::from_utf8(&inflated).ok().and_then(|text| pyjson::parse_str(text).ok());
        Ok(match json.map(Value::into_owned) {
            Some(value) => Self::Json(value),
            None => Self::Binary(inflated.into()),
        })
    }

    /// What `data_type` says of it.
    #[must_use]
    pub fn data_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Json(_) | Self::Served(_) => "json",
            Self::Binary(_) => "binary",
        }
    }

    /// The content as text, as it is served. Bytes are Base64, or their UTF-8 text where there is
    /// one and `decode` says so. Upstream: the hash route decodes, the id route does not.
    #[must_use]
    pub fn to_text(&self, decode: bool) -> String {
        match self {
            Self::Text(text) => text.to_string_lossy().into_owned(),
            Self::Json(value) => value.to_python(),
            Self::Served(text) => served::value(text).to_python(),
            Self::Binary(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if decode => text.to_owned(),
                _ => BASE64.encode(bytes),
            },
        }
    }

    /// The content as compact JSON, as it is served.
    pub fn to_json(&self) -> Result<Bytes, NotJson> {
        match self {
            Self::Json(value) => Ok(value.to_compact().into()),
            Self::Served(text) => Ok(text.clone()),
            Self::Text(text) => {
                let plain = text.to_string_lossy();
                match pyjson::parse_str(&plain) {
                    Ok(value) => Ok(value.to_compact().into()),
                    Err(_) => Err(NotJson { start: plain.chars().take(100).collect() }),
                }
            }
            Self::Binary(bytes) => Ok(format!(
                r#"{{"data_type":"binary","encoding":"base64","data":"{}"}}"#,
                BASE64.encode(bytes)
            )
            .into()),
        }
    }

    /// The content as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Text(text) => text.to_string_lossy().into_owned().into(),
            Self::Json(value) => value.to_python().into(),
            Self::Served(text) => served::value(text).to_python().into(),
            Self::Binary(bytes) => bytes.clone(),
        }
    }

    /// The value, if it is JSON.
    #[must_use]
    pub fn into_value(self) -> Option<Value<'static>> {
        match self {
            Self::Json(value) => Some(value),
            Self::Served(text) => Some(served::value(&text).into_owned()),
            Self::Text(_) | Self::Binary(_) => None,
        }
    }
}

/// A JSON value to be stored with an indent: as it is served where that says the same in less, or its
/// text. `limit` as for [`pretty`].
pub(super) fn json_body(value: &Value<'_>, indent: usize, limit: usize) -> Result<Body> {
    json_body_of(value, None, indent, limit)
}

fn json_body_of(
    value: &Value<'_>,
    served: Option<&[u8]>,
    indent: usize,
    limit: usize,
) -> Result<Body> {
    match Served::of(value, served, indent, limit) {
        Some(served) => Ok(Body::of(Arc::new(served))),
        None => Ok(pretty(value, indent, limit)?.into()),
    }
}

pub(super) fn lone_surrogate() -> Error {
    Error::Invalid("text holds a lone surrogate, which cannot be encoded".to_owned())
}

/// The indented text of a value, unless its white space alone is over the limit.
pub(super) fn pretty(value: &Value<'_>, indent: usize, limit: usize) -> Result<String> {
    let white_space = pyjson::WhiteSpace::of(value, indent).lines;
    if white_space > limit {
        return Err(Error::TooLarge { limit });
    }
    let mut text = String::with_capacity(white_space);
    pyjson::write_pretty(&mut text, value, indent);
    Ok(text)
}

pub(crate) fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut inflated = Vec::new();
    let mut rest = bytes;
    loop {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        // One byte more than allowed tells whether there is more.
        let room = (limit - inflated.len()) as u64 + 1;
        member
            .by_ref()
            .take(room)
            .read_to_end(&mut inflated)
            .map_err(|error| Error::Invalid(format!("body is not valid gzip: {error}")))?;
        if inflated.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        // Upstream: zeros behind a member are padding (Python's `gzip`).
        rest = member.into_inner();
        rest = &rest[rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len())..];
        if rest.is_empty() {
            return Ok(inflated);
        }
    }
}
