//! Contents come back as they were sent.

use proptest::prelude::*;
use proptest::sample::select;

use super::client::{Body, gzip};
use super::content::{AWKWARD, Content, blobs, objects, texts};
use super::spaces::STRATEGIES;
use super::{Api, check};
use crate::check::{Check, Group, Outcome};
use crate::ensure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiEntries,
        "H-01",
        "A string comes back to the character, by id and by hash, sent as JSON or as plain text",
        "store/string; retrieve/…/string",
        strings,
    ),
    check(
        Group::ApiEntries,
        "H-02",
        "An object comes back with its order, its integers of any size and its floats",
        "store/json; retrieve/…/json",
        json,
    ),
    check(
        Group::ApiEntries,
        "H-03",
        "Bytes come back to the byte, whatever they are and around the sizes at which things are cut",
        "store/binary; retrieve/…/binary",
        bytes,
    ),
    check(
        Group::ApiEntries,
        "H-04",
        "Bytes sent as gzip come back unpacked, under the hash of what was packed",
        "store/binary, content-encoding",
        packed,
    ),
    check(
        Group::ApiEntries,
        "H-05",
        "A content read as another kind is converted as documented; a string that is no JSON is 415",
        "retrieve/…/string, /json, /binary",
        conversions,
    ),
    check(
        Group::ApiEntries,
        "H-06",
        "What was accepted can be read: numbers that are not finite, half surrogate pairs, packed lists",
        "retrieve; JSON as Python accepts it",
        accepted_is_readable,
    ),
];

fn round_trip(api: &Api, strategy: &str, content: &Content) -> Outcome {
    let space = api.fresh();
    let place = if strategy == "key_based" { "/some/key" } else { "" };
    let stored = space.store_at(strategy, place, content)?;
    space.reads(&stored.id, content)?;
    space.reads_hash(&stored.hash, content)
}

fn strategies() -> impl Strategy<Value = &'static str> {
    select(&STRATEGIES[..])
}

fn strings(api: &Api) -> Outcome {
    // Each of the awkward ones by itself, so that none is left to chance.
    let space = api.fresh();
    for text in AWKWARD {
        for content in [Content::text(text), Content::Plain((*text).to_owned())] {
            let stored = space.store(&content)?;
            space.reads(&stored.id, &content)?;
        }
    }
    api.forall(48, (strategies(), texts(), any::<bool>()), |(strategy, text, plain)| {
        let content = if *plain { Content::Plain(text.clone()) } else { Content::text(text) };
        round_trip(api, strategy, &content)
    })
}

fn json(api: &Api) -> Outcome {
    api.forall(48, (strategies(), objects()), |(strategy, object)| {
        round_trip(api, strategy, &Content::json(object))
    })
}

fn bytes(api: &Api) -> Outcome {
    api.forall(48, (strategies(), blobs()), |(strategy, blob)| {
        round_trip(api, strategy, &Content::bytes(blob))
    })?;
    let mebibytes: Vec<u8> = (0..(5 << 20) + 1).map(|at| (at % 253) as u8).collect();
    round_trip(api, "direct", &Content::Bytes(mebibytes))
}

fn packed(api: &Api) -> Outcome {
    api.forall(16, blobs(), |blob| {
        let space = api.fresh();
        // With a byte that no JSON begins with: what parses as JSON is served as JSON from then on.
        let content = Content::Bytes([b"\xfe", &blob[..]].concat());
        let packed = gzip(content.as_read());
        let body = Body::Coded(&packed, "gzip");
        let reply = space.post("direct/store/binary", body)?.is(200)?;
        reply.has("cache_hash", content.hash()?)?.has("size", packed.len())?;
        let id = reply.text_of("cache_id")?;
        space.reads(&id, &content)?;
        space.reads_hash(&content.hash()?, &content)
    })
}

fn conversions(api: &Api) -> Outcome {
    let space = api.fresh();
    let as_kind = |content: &Content, id: &str, hash: &str, kind: &str, expected: &str| {
        for place in [id.to_owned(), format!("hash/{hash}")] {
            let reply = space.get(&format!("retrieve/{place}/{kind}"))?.is(200)?;
            let found = String::from_utf8_lossy(&reply.body);
            ensure!(found == expected, "{content:?} read as {kind} is {found:?}, not {expected:?}");
        }
        Ok(())
    };
    let object = Content::json("{\"b\":1.0,\"a\":\"é\"}");
    let stored = space.store(&object)?;
    as_kind(&object, &stored.id, &stored.hash, "string", "{\"b\": 1.0, \"a\": \"\\u00e9\"}")?;
    as_kind(&object, &stored.id, &stored.hash, "binary", "{\"b\": 1.0, \"a\": \"\\u00e9\"}")?;
    let text = Content::text("[1, 2.50]");
    let stored = space.store(&text)?;
    as_kind(&text, &stored.id, &stored.hash, "json", "[1,2.5]")?;
    as_kind(&text, &stored.id, &stored.hash, "binary", "[1, 2.50]")?;
    let blob = Content::bytes(b"\xff\xfe");
    let stored = space.store(&blob)?;
    as_kind(&blob, &stored.id, &stored.hash, "string", "//4=")?;
    let coded = "{\"data_type\":\"binary\",\"encoding\":\"base64\",\"data\":\"//4=\"}";
    as_kind(&blob, &stored.id, &stored.hash, "json", coded)?;
    let no_json = space.store_text("not json")?;
    space.get(&format!("retrieve/{}/json", no_json.id))?.is(415)?;
    space.get(&format!("retrieve/hash/{}/json", no_json.hash))?.is(415)?;
    Ok(())
}

fn accepted_is_readable(api: &Api) -> Outcome {
    let readable = |id: &str, space: &super::spaces::Space<'_>| {
        for suffix in ["", "/string", "/json", "/binary"] {
            let reply = space.get(&format!("retrieve/{id}{suffix}"))?;
            ensure!(matches!(reply.status, 200 | 415), "{reply}, though it was stored");
        }
        Ok(())
    };
    for body in ["{\"n\":NaN}", "{\"n\":[-Infinity,1e400]}", "{\"s\":\"\\ud800\"}"] {
        let space = api.fresh();
        let reply = space.post("direct/store/json", Body::Json(body))?.no_failure()?;
        if reply.status == 200 {
            readable(&reply.text_of("cache_id")?, &space)?;
        }
    }
    for content in ["[1, 2]", "123", "\"text\"", "null"] {
        let space = api.fresh();
        let packed = gzip(content.as_bytes());
        let reply = space.post("direct/store/binary", Body::Coded(&packed, "gzip"))?.is(200)?;
        readable(&reply.text_of("cache_id")?, &space)?;
    }
    let space = api.fresh();
    let stored = space.store_text("NaN")?;
    readable(&stored.id, &space)
}
