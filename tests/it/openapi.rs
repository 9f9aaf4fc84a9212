//! The OpenAPI document against upstream's (`tests/data/openapi-upstream.json`): the same paths,
//! methods, parameters, request bodies and answers, but for what `DIFFERENCES` lists.
//!
//! Each document is turned into facts, one line of text each. A fact that only one of them states
//! must match a line of the table, and a line of the table must match such a fact.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::harness;

const UPSTREAM: &str = include_str!("../data/openapi-upstream.json");

/// Who states a fact that the other does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Upstream,
    Larder,
}
use Only::{Larder, Upstream};

/// The deliberate differences: who states it, which facts (`*` is any text), and why.
const DIFFERENCES: &[(Only, &str, &str)] = &[
    (Upstream, "* answers 422 application/json", "no server ever sends 422: it is 400 (quirk 42)"),
    (Larder, "* answers 400 application/json", "what is sent instead of 422"),
    (Larder, "* answers 401 application/json", "every guarded route; upstream leaves it out"),
    (Larder, "* answers 404*", "upstream leaves out every 404"),
    (Larder, "* answers 408 application/json", "a body that does not arrive in time"),
    (
        Larder,
        "* answers 413 application/json",
        "a limit on bodies, which upstream lacks (quirk 40)",
    ),
    (
        Larder,
        "* answers 415 application/json",
        "a string asked for as JSON; upstream leaves it out",
    ),
    (Larder, "* answers 500 application/json", "upstream leaves out every failure"),
    (Larder, "* answers 503 application/json", "a store that does not answer in time"),
    (Larder, "* answers 507 application/json", "a store that is full"),
    (Upstream, "GET /*/string* answers 200 application/json", TEXT),
    (Larder, "GET /*/string* answers 200 text/plain", TEXT),
    (Upstream, "GET /*/binary* answers 200 application/json", BYTES),
    (Larder, "GET /*/binary* answers 200 application/octet-stream", BYTES),
    (Upstream, "GET /admin/storage/file/bytes/{path} answers 200 application/json", BYTES),
    (Larder, "GET /admin/storage/file/bytes/{path} answers 200 application/octet-stream", BYTES),
    (Larder, "GET /admin/storage/file/content/{path} answers 200 *", "the type follows the suffix"),
    (Upstream, "GET /admin/storage/file/html/{path} answers 200 application/json", PAGE),
    (Larder, "GET /admin/storage/file/html/{path} answers 200 text/html", PAGE),
    (Upstream, "GET /auth/set-cookie-form answers 200 application/json", PAGE),
    (Larder, "GET /auth/set-cookie-form answers 200 text/html", PAGE),
    (Upstream, "GET /console answers 200 application/json", REDIRECT),
    (Larder, "GET /console answers 307 nothing", REDIRECT),
    (Larder, "GET /{namespace}/retrieve/*/binary takes query redirect, optional: boolean*", SIGNED),
    (Larder, "GET /{namespace}/retrieve/*/binary answers 307 nothing", SIGNED),
    (Upstream, "GET /{namespace}/zip/{cache_id}/*retrieve* answers 200 application/json", BYTES),
    (Larder, "GET /{namespace}/zip/{cache_id}/*retrieve* answers 200 application/*", BYTES),
    (Upstream, "* takes path path, required: anything", "a part of a path is always text"),
    (Larder, "* takes path path, required: string", "a part of a path is always text"),
    (Larder, "POST * reads text/plain: string", "strings are read from any type that is not JSON"),
    (Upstream, "POST */binary* reads application/json: string", OCTETS),
    (Larder, "POST */binary* reads application/octet-stream: string", OCTETS),
    (Upstream, "POST */add/from/bytes/{file_path} reads application/json: string", OCTETS),
    (Larder, "POST */add/from/bytes/{file_path} reads application/octet-stream: string", OCTETS),
    (Upstream, "POST */zip/store/* reads application/zip: string", "read from any type"),
    (Larder, "POST */zip/store/* reads application/octet-stream: string", "read from any type"),
];

const TEXT: &str = "what is sent is text, whatever upstream's document says";
const BYTES: &str = "what is sent is bytes, whatever upstream's document says";
const PAGE: &str = "what is sent is a page, whatever upstream's document says";
const REDIRECT: &str = "what is sent is a redirect, whatever upstream's document says";
const SIGNED: &str = "large contents may be read from the store itself, by whoever asks for it";
const OCTETS: &str =
    "bytes are read from any type; as JSON they would have to be a string (quirk 34)";

#[tokio::test]
async fn document_states_what_upstreams_does_but_for_listed_differences() {
    let upstream = facts(&serde_json::from_str(UPSTREAM).expect("upstream's document is JSON"));
    let larder = facts(&document().await);
    let differing: Vec<(Only, &String)> = upstream
        .difference(&larder)
        .map(|fact| (Upstream, fact))
        .chain(larder.difference(&upstream).map(|fact| (Larder, fact)))
        // Upstream mostly does not say what its answers look like; ours may.
        .filter(|(only, fact)| *only == Upstream || !fact.contains(" answers with "))
        .collect();

    let unlisted: Vec<_> = differing
        .iter()
        .filter(|(only, fact)| {
            !DIFFERENCES.iter().any(|(who, pattern, _)| who == only && matches(pattern, fact))
        })
        .collect();
    assert!(unlisted.is_empty(), "differences that nobody gave a reason for: {unlisted:#?}");

    let stale: Vec<_> = DIFFERENCES
        .iter()
        .filter(|(who, pattern, _)| {
            !differing.iter().any(|(only, fact)| who == only && matches(pattern, fact))
        })
        .collect();
    assert!(stale.is_empty(), "listed differences that are not there: {stale:#?}");
}

#[tokio::test]
async fn operations_are_upstreams() {
    let upstream = serde_json::from_str(UPSTREAM).expect("upstream's document is JSON");
    let named = |document: &Value| -> BTreeSet<String> {
        operations(document).map(|(name, _)| name).collect()
    };
    let larder = named(&document().await);
    assert_eq!(larder, named(&upstream));
    assert_eq!(larder.len(), 92);
}

/// What schemathesis found to be answered and not documented: template, path, and the answer.
const FOUND_BY_SCHEMATHESIS: &[(&str, &str, &str, Option<&str>)] = &[
    // Child data that is not there has neither body nor type.
    (
        "/{namespace}/cache/{cache_id}/data/string/{data_file_id}",
        "/n/cache/e3e70682-c209-4cac-a29f-6fbed82c07cd/data/string/0",
        "404",
        None,
    ),
    (
        "/{namespace}/cache/{cache_id}/data/binary/{data_key}/{data_file_id}",
        "/n/cache/e3e70682-c209-4cac-a29f-6fbed82c07cd/data/binary/k/0",
        "404",
        None,
    ),
    // A page that is not there is text.
    ("/admin/storage/file/html/{path}", "/admin/storage/file/html/0", "404", Some("text/html")),
    // A line feed in the rest of a path matches no route.
    (
        "/admin/storage/files/in/{path}",
        "/admin/storage/files/in/R%0A",
        "404",
        Some("application/json"),
    ),
    (
        "/{namespace}/cache/{cache_id}/data/exists/{data_type}/{data_key}/{data_file_id}",
        "/n/cache/e3e70682-c209-4cac-a29f-6fbed82c07cd/data/exists/json/w%0A/6",
        "404",
        Some("application/json"),
    ),
];

#[tokio::test]
async fn answers_that_schemathesis_found_are_documented() {
    let document = document().await;
    for &(template, path, status, kind) in FOUND_BY_SCHEMATHESIS {
        let (router, (name, value)) = harness::app();
        let request = Request::get(path).header(name, value).body(Body::empty());
        let reply = router.oneshot(request.expect("a request")).await.expect("a reply");
        assert_eq!(reply.status().as_str(), status, "{path}");
        let sent = reply.headers().get("content-type").map(|kind| kind.to_str().expect("text"));
        assert_eq!(sent.and_then(|kind| kind.split(';').next()), kind, "{path}");

        let documented = &document["paths"][template]["get"]["responses"][status];
        assert!(documented.is_object(), "{template} does not say that it answers {status}");
        match kind {
            Some(kind) => assert!(documented["content"][kind].is_object(), "{template}: {kind}"),
            None => assert!(documented.get("content").is_none(), "{template} promises content"),
        }
    }
}

/// The document as it is served.
async fn document() -> Value {
    let (router, _) = harness::app();
    // It is open: no key is sent.
    let request = Request::get("/openapi.json").body(Body::empty()).expect("a request");
    let reply = router.oneshot(request).await.expect("a reply");
    assert_eq!(reply.status(), StatusCode::OK);
    let body = reply.into_body().collect().await.expect("a body").to_bytes();
    serde_json::from_slice(&body).expect("the document is JSON")
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    members(&document["paths"]).flat_map(|(path, methods)| {
        members(methods).map(move |(method, operation)| {
            (format!("{} {path}", method.to_ascii_uppercase()), operation)
        })
    })
}

/// What a document states, one line each.
fn facts(document: &Value) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for (name, operation) in operations(document) {
        facts.insert(name.clone());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let place = parameter["in"].as_str().expect("a parameter has a place");
            let label = parameter["name"].as_str().expect("a parameter has a name");
            let presence = presence(parameter);
            let shape = shape(document, &parameter["schema"]);
            facts.insert(format!("{name} takes {place} {label}, {presence}: {shape}"));
        }
        if let Some(body) = operation.get("requestBody") {
            facts.insert(format!("{name} has a body, {}", presence(body)));
            for (kind, content) in members(&body["content"]) {
                let shape = shape(document, &content["schema"]);
                facts.insert(format!("{name} reads {kind}: {shape}"));
            }
        }
        for (status, answer) in members(&operation["responses"]) {
            let mut contents = members(&answer["content"]).peekable();
            if contents.peek().is_none() {
                facts.insert(format!("{name} answers {status} nothing"));
            }
            for (kind, content) in contents {
                facts.insert(format!("{name} answers {status} {kind}"));
                let shape = shape(document, &content["schema"]);
                // The 422 is upstream's alone, as `DIFFERENCES` says.
                if shape != "anything" && status != "422" {
                    facts.insert(format!(
                        "{name} answers with {status} {kind}: {}",
                        outline(&shape)
                    ));
                }
            }
        }
    }
    facts
}

/// Of an answer, only what kind of thing it is: upstream never says more.
fn outline(shape: &str) -> &str {
    if shape.starts_with('{') { "object" } else { shape }
}

fn presence(value: &Value) -> &'static str {
    if value["required"] == true { "required" } else { "optional" }
}

/// A schema in words: kinds, alternatives, members, defaults. Limits, formats and titles are left
/// out.
fn shape(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a reference into this document");
        let target = document.pointer(pointer).expect("the target of a reference");
        return shape(document, target) + &default(schema);
    }
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    if let Some(alternatives) = alternatives.and_then(Value::as_array) {
        let shapes: Vec<String> = alternatives.iter().map(|each| shape(document, each)).collect();
        return shapes.join(" or ") + &default(schema);
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return "anything".to_owned(),
    };
    let words: Vec<String> = kinds
        .into_iter()
        .map(|kind| match kind {
            "string" => enumeration(schema).unwrap_or_else(|| kind.to_owned()),
            "array" => format!("[{}]", shape(document, &schema["items"])),
            "object" => object(document, schema),
            _ => kind.to_owned(),
        })
        .collect();
    words.join(" or ") + &default(schema)
}

fn enumeration(schema: &Value) -> Option<String> {
    let values: BTreeSet<&str> =
        schema["enum"].as_array()?.iter().filter_map(Value::as_str).collect();
    Some(values.into_iter().collect::<Vec<_>>().join("|"))
}

fn object(document: &Value, schema: &Value) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let parts: BTreeSet<String> = members(&schema["properties"])
        .map(|(name, member)| {
            let mark = if required.iter().any(|each| each == name) { "" } else { "?" };
            format!("{name}{mark}: {}", shape(document, member))
        })
        .collect();
    match parts.is_empty() {
        true => "object".to_owned(),
        false => format!("{{{}}}", parts.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

fn default(schema: &Value) -> String {
    schema.get("default").map(|value| format!(" = {value}")).unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// Whether a text has the form of a pattern, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&at| rest.is_char_boundary(at))
                .any(|at| matches(after, &rest[at..]))
        }),
    }
}
