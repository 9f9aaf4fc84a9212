//! What a request says, checked: every refusal of input is made here, with upstream's error items.
//!
//! Upstream checks in two rounds and reports all problems of a round at once: first body, enums and
//! booleans, then identifiers. A handler asks for what it needs, calls [`Input::checked`] after each
//! round, and never looks at a raw value.

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use super::route::Params;
use crate::cache::document::Writer;
use crate::cache::ident::{self, CacheHash, CacheId, DataType, InvalidHash, Strategy};
use crate::cache::pyjson::{self, ParseError, Text, Value};
use crate::key::{InvalidName, Namespace};

/// A request on its way to a handler.
#[derive(Debug)]
pub(crate) struct Call {
    /// Values of the parameters in the path, decoded.
    pub(crate) params: Params,
    /// Values of the parameters in the query, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
    /// The id of the request, a UUID.
    pub(crate) request_id: String,
    /// When it arrived, in milliseconds since 1970.
    pub(crate) now_ms: u64,
}

impl Call {
    /// The value of a parameter in the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The namespace in the path, of a route that takes nothing else.
    pub(crate) fn namespace(&self) -> Result<Namespace, ApiError> {
        let mut input = self.input();
        let namespace = input.namespace();
        input.checked()?;
        Ok(namespace)
    }

    /// The entry in the path, of a route that takes nothing else in this round.
    pub(crate) fn entry(&self) -> Result<(Namespace, CacheId), ApiError> {
        let mut input = self.input();
        let id = input.cache_id();
        let namespace = input.namespace();
        input.checked()?;
        Ok((namespace, id))
    }

    /// Whether large contents should be answered with the way to them (`redirect` in the query).
    pub(crate) fn wants_redirect(&self) -> Result<bool, ApiError> {
        let mut input = self.input();
        let wanted = input.flag("redirect", false);
        input.checked()?;
        Ok(wanted)
    }

    /// Starts checking.
    pub(crate) fn input(&self) -> Input<'_> {
        Input { call: self, problems: Vec::new(), served: None }
    }

    /// The cleaned content coding of the body, if it has one. Upstream: only looked at where bytes
    /// are stored.
    pub(crate) fn content_encoding(&self) -> Result<Option<String>, ApiError> {
        let Some(value) = self.headers.get(header::CONTENT_ENCODING) else { return Ok(None) };
        let raw = String::from_utf8_lossy(value.as_bytes());
        let cleaned = ident::clean_id(&raw)
            .map_err(|error| ApiError::invalid(&format!("content-encoding: {error}")))?;
        Ok(Some(cleaned).filter(|coding| !coding.is_empty()))
    }

    /// Whether the body says it is JSON: `application/json` or `application/…+json`.
    fn is_json(&self) -> bool {
        let Some(value) = self.headers.get(header::CONTENT_TYPE) else { return false };
        let value = String::from_utf8_lossy(value.as_bytes());
        let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        media_type
            .strip_prefix("application/")
            .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
    }
}

/// Decodes a query: `+` is a space, bytes that are not UTF-8 become U+FFFD.
pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// The most problems one answer lists.
const MOST_PROBLEMS: usize = 100;

/// Checks a request, collecting what is wrong with it.
#[derive(Debug)]
pub(crate) struct Input<'c> {
    call: &'c Call,
    problems: Vec<String>,
    served: Option<&'c [u8]>,
}

impl<'c> Input<'c> {
    /// Ends a round: all its problems at once, if there are any.
    pub(crate) fn checked(&mut self) -> Result<(), ApiError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(ApiError::validation(&std::mem::take(&mut self.problems)))
    }

    /// The strategy in the path.
    pub(crate) fn strategy(&mut self) -> Strategy {
        let raw = self.call.param("strategy");
        Strategy::parse(raw).unwrap_or_else(|| {
            self.unknown_name("strategy", raw, &Strategy::ALL.map(Strategy::name));
            Strategy::Direct
        })
    }

    /// The type of child data in the path.
    pub(crate) fn data_type(&mut self) -> DataType {
        let raw = self.call.param("data_type");
        DataType::parse(raw).unwrap_or_else(|| {
            self.unknown_name("data_type", raw, &DataType::ALL.map(DataType::name));
            DataType::Json
        })
    }

    /// A boolean in the query.
    pub(crate) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        let Some(raw) = self.call.query_value(name) else { return default };
        match raw.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => true,
            "false" | "0" | "no" | "off" | "f" | "n" => false,
            _ => {
                let msg = "Input should be a valid boolean, unable to interpret input";
                self.problem("bool_parsing", &["query", name], msg, |json| json.string(raw));
                default
            }
        }
    }

    /// The body of a route that wants a string.
    pub(crate) fn text_body(&mut self) -> Result<Text<'c>, ApiError> {
        let msg = "Input should be a valid string";
        match self.read_body()? {
            Some(Body::Json(Value::Str(text))) => return Ok(text),
            Some(Body::Json(other)) => self.body_problem("string_type", msg, &other),
            Some(Body::Raw(bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => return Ok(Text::from(text)),
                Err(_) => {
                    let msg = format!("{msg}, unable to parse raw data as a unicode string");
                    let input = String::from_utf8_lossy(bytes);
                    self.problem("string_unicode", &["body"], &msg, |json| json.string(&input));
                }
            },
            None => {}
        }
        Ok(Text::from(""))
    }

    /// The body of a route that wants an object.
    pub(crate) fn object_body(&mut self) -> Result<Value<'c>, ApiError> {
        let msg = "Input should be a valid dictionary";
        match self.read_body()? {
            Some(Body::Json(value @ Value::Object(_))) => return Ok(value),
            Some(Body::Json(other)) => self.body_problem("dict_type", msg, &other),
            Some(Body::Raw(bytes)) => {
                let input = String::from_utf8_lossy(bytes);
                self.problem("dict_type", &["body"], msg, |json| json.string(&input));
            }
            None => {}
        }
        Ok(Value::Null)
    }

    /// The body of a route that wants an object of a fixed shape.
    pub(crate) fn model_body(&mut self) -> Result<Value<'c>, ApiError> {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        match self.read_body()? {
            Some(Body::Json(value @ Value::Object(_))) => return Ok(value),
            Some(Body::Json(other)) => self.body_problem("model_attributes_type", msg, &other),
            Some(Body::Raw(bytes)) => {
                let input = String::from_utf8_lossy(bytes);
                let kind = "model_attributes_type";
                self.problem(kind, &["body"], msg, |json| json.string(&input));
            }
            None => {}
        }
        Ok(Value::Null)
    }

    /// The body of a route that wants bytes. Upstream: of a JSON string, the bytes of its text.
    pub(crate) fn bytes_body(&mut self) -> Result<Bytes, ApiError> {
        let msg = "Input should be a valid bytes";
        match self.read_body()? {
            Some(Body::Json(Value::Str(text))) => match text.as_str() {
                Some(plain) => return Ok(Bytes::copy_from_slice(plain.as_bytes())),
                None => self.body_problem("bytes_type", msg, &Value::Str(text)),
            },
            Some(Body::Json(other)) => self.body_problem("bytes_type", msg, &other),
            Some(Body::Raw(_)) => return Ok(self.call.body.clone()),
            None => {}
        }
        Ok(Bytes::new())
    }

    /// The JSON body that was read, where it is written as it would be served.
    pub(crate) fn served_body(&self) -> Option<&'c [u8]> {
        self.served
    }

    fn read_body(&mut self) -> Result<Option<Body<'c>>, ApiError> {
        let body: &'c [u8] = &self.call.body;
        if body.is_empty() {
            self.problem("missing", &["body"], "Field required", Writer::null);
            return Ok(None);
        }
        if !self.call.is_json() {
            return Ok(Some(Body::Raw(body)));
        }
        match pyjson::parse_noting_form(body) {
            Ok((value, as_served)) => {
                self.served = as_served.then_some(body);
                Ok(Some(Body::Json(value)))
            }
            Err(ParseError::Unreadable) => {
                Err(ApiError::invalid("There was an error parsing the body"))
            }
            // Upstream: reported alone, before anything else is looked at.
            Err(ParseError::Syntax { position, message }) => {
                let mut json = Writer::compact();
                json.object(|json| {
                    json.name("type").string("json_invalid");
                    json.name("loc").list(|json| {
                        json.string("body");
                        json.number(position as u64);
                    });
                    json.name("msg").string("JSON decode error");
                    json.name("input").object(|_| {});
                    json.name("ctx").object(|json| json.name("error").string(message));
                });
                Err(ApiError::validation(&[json.finish()]))
            }
        }
    }

    /// The namespace in the path.
    pub(crate) fn namespace(&mut self) -> Namespace {
        self.namespace_of("Safe_Str__Id")
    }

    /// The namespace in the path, of a route whose errors name another class.
    pub(crate) fn namespace_of(&mut self, class: &str) -> Namespace {
        let raw = self.call.param("namespace");
        Namespace::clean(raw).unwrap_or_else(|error| {
            self.bad_name("namespace", raw, class, &error);
            Namespace::root()
        })
    }

    /// The id in the path.
    pub(crate) fn cache_id(&mut self) -> CacheId {
        let raw = self.call.param("cache_id");
        CacheId::parse(raw).unwrap_or_else(|| {
            let msg = format!("in Random_Guid: value provided was not a Guid: {raw}");
            self.bad_value("cache_id", raw, &msg);
            CacheId::from(uuid::Uuid::nil())
        })
    }

    /// The hash in the path. May be empty, which no entry has.
    pub(crate) fn cache_hash(&mut self) -> Option<CacheHash> {
        let raw = self.call.param("cache_hash");
        match CacheHash::parse(raw) {
            Ok(hash) => Some(hash),
            Err(error @ (InvalidHash::Name(_) | InvalidHash::Pattern)) => {
                let msg = format!("in Safe_Str__Cache_Hash, {error}");
                self.bad_value("cache_hash", raw, &msg);
                None
            }
        }
    }

    /// An id in the path, cleaned.
    pub(crate) fn id(&mut self, name: &'static str, class: &str) -> String {
        let raw = self.call.param(name);
        self.cleaned(name, class, raw, ident::clean_id)
    }

    /// An id in the query, cleaned. An empty one is absent.
    pub(crate) fn id_in_query(&mut self, name: &'static str, class: &str) -> Option<String> {
        let raw = self.call.query_value(name)?;
        Some(self.cleaned(name, class, raw, ident::clean_id)).filter(|id| !id.is_empty())
    }

    /// A path in the path, cleaned. May be empty.
    pub(crate) fn path(&mut self, name: &'static str, class: &str) -> String {
        let raw = self.call.param(name);
        self.cleaned(name, class, raw, ident::clean_path)
    }

    /// The path of a field in the query, cleaned; empty when absent.
    pub(crate) fn field_path(&mut self) -> String {
        let raw = self.call.query_value("json_field_path").unwrap_or_default();
        ident::clean_field_path(raw).unwrap_or_else(|error| {
            self.bad_value("json_field_path", raw, &error.to_string());
            String::new()
        })
    }

    fn cleaned(
        &mut self,
        name: &str,
        class: &str,
        raw: &str,
        clean: fn(&str) -> Result<String, InvalidName>,
    ) -> String {
        clean(raw).unwrap_or_else(|error| {
            self.bad_name(name, raw, class, &error);
            String::new()
        })
    }

    fn bad_name(&mut self, name: &str, raw: &str, class: &str, error: &InvalidName) {
        self.bad_value(name, raw, &format!("in {class}, {error}"));
    }

    /// Upstream: `loc` says `query` for parameters in the path as well.
    fn bad_value(&mut self, name: &str, raw: &str, msg: &str) {
        self.problem("value_error", &["query", name], msg, |json| json.string(raw));
    }

    fn unknown_name(&mut self, name: &str, raw: &str, known: &[&str]) {
        let loc = [Step::Name("path"), Step::Name(name)];
        self.unknown_at(&loc, known, |json| json.string(raw));
    }

    /// Notes a name at a place that is none of those it may be.
    pub(crate) fn unknown_at(
        &mut self,
        loc: &[Step<'_>],
        known: &[&str],
        input: impl FnOnce(&mut Writer),
    ) {
        let quoted: Vec<String> = known.iter().map(|name| format!("'{name}'")).collect();
        let expected = match quoted.split_last() {
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        };
        let msg = format!("Input should be {expected}");
        self.note("enum", loc, &msg, input, |json| {
            json.name("ctx").object(|json| json.name("expected").string(&expected));
        });
    }

    fn body_problem(&mut self, kind: &str, msg: &str, input: &Value<'_>) {
        self.problem(kind, &["body"], msg, |json| json.value(input));
    }

    /// Notes a problem with something that has a name.
    pub(crate) fn problem(
        &mut self,
        kind: &str,
        loc: &[&str],
        msg: &str,
        input: impl FnOnce(&mut Writer),
    ) {
        let loc: Vec<Step<'_>> = loc.iter().copied().map(Step::Name).collect();
        self.problem_at(kind, &loc, msg, input);
    }

    /// Notes a problem at a place in the body, as a route with a body of its own shape finds them.
    pub(crate) fn problem_at(
        &mut self,
        kind: &str,
        loc: &[Step<'_>],
        msg: &str,
        input: impl FnOnce(&mut Writer),
    ) {
        self.note(kind, loc, msg, input, |_| {});
    }

    fn note(
        &mut self,
        kind: &str,
        loc: &[Step<'_>],
        msg: &str,
        input: impl FnOnce(&mut Writer),
        context: impl FnOnce(&mut Writer),
    ) {
        let mut json = Writer::compact();
        json.object(|json| {
            json.name("type").string(kind);
            json.name("loc").list(|json| {
                for step in loc {
                    match step {
                        Step::Name(name) => json.string(name),
                        Step::Index(index) => json.number(*index as u64),
                    }
                }
            });
            json.name("msg").string(msg);
            json.name("input");
            input(json);
            context(json);
        });
        // A body full of problems must not make a giant of the answer.
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(json.finish());
        }
    }
}

/// One step on the way to a place in the body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// Into a member of an object.
    Name(&'a str),
    /// Into an item of a list.
    Index(usize),
}

enum Body<'c> {
    Json(Value<'c>),
    Raw(&'c [u8]),
}
