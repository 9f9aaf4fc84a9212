//! Misses are 404, mistakes of callers are 4xx, and neither leaves anything behind.

use proptest::collection::vec;
use proptest::sample::select;

use super::client::{Body, Client, segment};
use super::content::Content;
use super::{Api, check, only};
use crate::check::{Check, Group, Needs, Outcome};
use crate::ensure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiErrors,
        "H-47",
        "What is not there is 404 on every route that reads, by id and by hash",
        "retrieve; exists; data; zip",
        misses,
    ),
    check(
        Group::ApiErrors,
        "H-48",
        "Updating what is not there is 404 and makes nothing",
        "update/{id}/…",
        update_of_nothing,
    ),
    check(
        Group::ApiErrors,
        "H-49",
        "Ids, hashes, strategies and kinds that are malformed are refused with 400",
        "validation errors",
        malformed,
    ),
    check(
        Group::ApiErrors,
        "H-50",
        "Bodies that are not what a route wants are refused with 400, and nothing is stored",
        "request bodies",
        bodies,
    ),
    check(
        Group::ApiErrors,
        "H-51",
        "A mistake of the caller is never a failure of the server",
        "4xx, not 5xx",
        never_500,
    ),
    check(
        Group::ApiErrors,
        "H-52",
        "An unknown path is 404, a wrong method 405 that names a right one",
        "routing",
        routing,
    ),
    only(
        Needs::ApiKey,
        Group::ApiErrors,
        "H-53",
        "Without the key, or with a wrong one, every route is 401 and nothing is done",
        "authentication",
        keys,
    ),
    check(
        Group::ApiErrors,
        "H-54",
        "No path that is made up of odd segments makes the server fail",
        "4xx, not 5xx",
        odd_paths,
    ),
];

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
const NO_HASH: &str = "0123456789abcdef";

fn misses(api: &Api) -> Outcome {
    let empty = api.fresh();
    let used = empty.beside("1");
    used.store_text("text")?;
    for space in [&empty, &used] {
        space.lacks(NOBODY)?;
        space.lacks_hash(NO_HASH)?;
        space.get(&format!("retrieve/{NOBODY}/refs/all"))?.is(404)?;
        let by_hash = space.get(&format!("retrieve/hash/{NO_HASH}"))?.is(404)?;
        by_hash.has("detail.error_type", "NOT_FOUND")?.has("detail.cache_hash", NO_HASH)?;
        let by_id = space.get(&format!("retrieve/{NOBODY}"))?.is(404)?;
        by_id.has("detail.error_type", "NOT_FOUND")?.has("detail.cache_id", NOBODY)?;
        for rest in ["data/list", "data/string/f", "data/json/f", "data/binary/k/f"] {
            space.get(&format!("cache/{NOBODY}/{rest}"))?.is(404)?;
        }
        for rest in ["retrieve", "files/list", "file/retrieve/a.txt"] {
            space.get(&format!("zip/{NOBODY}/{rest}"))?.is(404)?;
        }
        space.delete(NOBODY)?.has("status", "not_found")?;
    }
    Ok(())
}

fn update_of_nothing(api: &Api) -> Outcome {
    let space = api.fresh();
    for content in [Content::text("x"), Content::json("{\"a\":1}"), Content::bytes(b"x")] {
        space.update(NOBODY, &content)?.is(404)?;
    }
    space.lacks(NOBODY)?;
    space.holds_ids([])
}

fn malformed(api: &Api) -> Outcome {
    let space = api.fresh();
    for id in [
        "x",
        "00000000-0000-4000-8000-00000000000",
        "00000000-0000-4000-8000-0000000000000",
        "g0000000-0000-4000-8000-000000000000",
        "00000000000040008000000000000000",
        "%7B00000000-0000-4000-8000-000000000000%7D",
        "..",
        "%20",
    ] {
        for suffix in ["", "/string", "/metadata", "/refs"] {
            space.get(&format!("retrieve/{id}{suffix}"))?.is(400)?;
        }
        space.get(&format!("exists/id/{id}"))?.is(400)?;
        space.post(&format!("update/{id}/string"), Body::Json("\"x\""))?.is(400)?;
        space.remove(&format!("delete/{id}"))?.is(400)?;
        space.get(&format!("cache/{id}/data/list"))?.is(400)?;
    }
    for hash in ["ABCDEF0123456789", "0123456789abcdeg", "012345678", &"0".repeat(97)] {
        space.get(&format!("retrieve/hash/{hash}"))?.is(400)?;
        space.get(&format!("exists/hash/{hash}"))?.is(400)?;
    }
    for strategy in ["Direct", "directs", "latest", "%20direct", "-"] {
        space.post(&format!("{strategy}/store/string"), Body::Json("\"x\""))?.is(400)?;
    }
    let parent = space.store_text("parent")?;
    for kind in ["text", "JSON", "bytes"] {
        space.get(&format!("cache/{}/data/exists/{kind}/f", parent.id))?.is(400)?;
    }
    space.holds_ids([&parent.id])
}

fn bodies(api: &Api) -> Outcome {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let wrong: &[(&str, Body<'_>)] = &[
        ("string", Body::Json("{\"a\":1}")),
        ("string", Body::Json("\"no end")),
        ("string", Body::Json("\"\"")),
        ("string", Body::Json("1")),
        ("string", Body::Json("")),
        ("string", Body::Text("")),
        ("json", Body::Json("[1]")),
        ("json", Body::Json("{\"a\":}")),
        ("json", Body::Json("{\"a\":1} x")),
        ("json", Body::Json("{'a':1}")),
        ("json", Body::Json("{\"a\":\"\u{1}\"}")),
        ("json", Body::Text("{\"a\":1}")),
        ("json", Body::Json("null")),
        ("json", Body::Json("")),
        ("json", Body::Json(&deep)),
        ("binary", Body::Json("{\"a\":1}")),
        ("binary", Body::Json("\"\"")),
        ("binary", Body::Bytes(b"")),
    ];
    let space = api.fresh();
    let known = space.store_text("text")?;
    for (kind, body) in wrong {
        for strategy in ["direct", "key_based"] {
            let key = if strategy == "direct" { "" } else { "/key" };
            let reply = space.post(&format!("{strategy}/store/{kind}{key}"), *body)?;
            reply.is(400)?;
        }
        // An empty object is an object, and bytes may be sent as a JSON string.
        space.post(&format!("update/{}/{kind}", known.id), *body)?.is(400)?;
    }
    let not_utf8: Body<'_> = Body::Bytes(b"\xff\xfe\xfd");
    space.post("direct/store/string", not_utf8)?.is(400)?;
    space.reads(&known.id, &Content::text("text"))?;
    space.holds_ids([&known.id])
}

fn never_500(api: &Api) -> Outcome {
    let space = api.fresh();
    let text = Body::Json("\"x\"");
    let parent = space.store_text("parent")?.id;
    let long = "n".repeat(600);
    let calls: &[(&str, &str, Body<'_>)] = &[
        ("POST", "direct/store/json/k?json_field_path=missing", Body::Json("{\"a\":1}")),
        ("POST", "direct/store/json/k?json_field_path=a", Body::Json("{\"a\":null}")),
        ("POST", "direct/store/binary", Body::Coded(b"not gzip", "gzip")),
        ("POST", "direct/store/binary", Body::Coded(b"\x1f\x8b\x08cut", "gzip")),
        ("POST", "direct/store/string/k?file_id=..", text),
        ("POST", "direct/store/string/k?file_id=%C3%A9", text),
        ("POST", &format!("key_based/store/string/{}?file_id=f", "k".repeat(1020)), text),
        ("POST", "direct/store/string", Body::Json("\"\\ud800\"")),
        ("POST", &format!("cache/{parent}/data/store/string/{}/f", "k".repeat(1000)), text),
        ("POST", "zip/not-an-id/batch/operations", Body::Json("{\"operations\":[]}")),
        (
            "POST",
            &format!("zip/{NOBODY}/batch/operations"),
            Body::Json("{\"operations\":[{\"action\":\"add\",\"path\":\"%\"}]}"),
        ),
        ("POST", &format!("zip/{NOBODY}/batch/operations"), Body::Json("{\"operations\":7}")),
        ("POST", "direct/zip/store/some/archive", Body::Bytes(b"no archive")),
        ("POST", &format!("zip/{parent}/file/add/from/string/a.txt"), text),
        ("GET", &format!("zip/{parent}/files/list"), Body::None),
        ("POST", &format!("zip/{NOBODY}/file/add/from/string/{long}"), text),
        ("GET", &format!("cache/{parent}/data/list?recursive=perhaps"), Body::None),
    ];
    for (method, rest, body) in calls {
        api.client.send(method, &space.at(rest), *body)?.no_failure()?;
    }
    // Nothing of it was half done.
    space.get("file-ids")?.is(200)?;
    space.reads(&parent, &Content::text("parent"))
}

fn routing(api: &Api) -> Outcome {
    let space = api.fresh();
    for path in ["/", "/no-such-route", "/a/b/c/d/e/f"] {
        api.client.get(path)?.is(404)?;
    }
    for (method, rest, right) in [
        ("PUT", "direct/store/string".to_owned(), "POST"),
        ("GET", "direct/store/json".to_owned(), "POST"),
        ("DELETE", format!("retrieve/{NOBODY}"), "GET"),
        ("POST", "file-ids".to_owned(), "GET"),
        ("GET", format!("delete/{NOBODY}"), "DELETE"),
    ] {
        let reply = api.client.send(method, &space.at(&rest), Body::None)?.is(405)?;
        let allow = reply.allow.clone().unwrap_or_default();
        ensure!(allow.contains(right), "{reply}: allow is {allow:?}, without {right}");
    }
    space.holds_ids([])
}

fn keys(api: &Api) -> Outcome {
    let Some((name, value)) = api.client.key().cloned() else { return Ok(()) };
    let space = api.fresh();
    let stored = space.store_text("text")?;
    let wrong = [
        None,
        Some((name.clone(), format!("{value}x"))),
        Some((name.clone(), value.chars().take(value.chars().count() - 1).collect())),
        Some((name.clone(), value.to_uppercase() + "?")),
        Some((format!("{name}-other"), value)),
    ];
    for key in wrong {
        let client: Client = api.client.with_key(key);
        client.get(&space.at("file-ids"))?.is(401)?;
        client.get(&space.at(&format!("retrieve/{}", stored.id)))?.is(401)?;
        client.post(&space.at("direct/store/string"), Body::Json("\"x\""))?.is(401)?;
        let update = space.at(&format!("update/{}/string", stored.id));
        client.post(&update, Body::Json("\"x\""))?.is(401)?;
        client.delete(&space.at(&format!("delete/{}", stored.id)))?.is(401)?;
        client.get("/namespaces/list")?.is(401)?;
        client.get("/info/health")?.is(401)?;
        client.get("/no-such-route")?.is(401)?;
    }
    space.reads(&stored.id, &Content::text("text"))?;
    space.holds_ids([&stored.id])
}

/// Segments that routes, decoders and stores may trip over.
const ODD: &[&str] = &[
    "retrieve",
    "hash",
    "string",
    "json",
    "binary",
    "exists",
    "id",
    "delete",
    "update",
    "cache",
    "data",
    "list",
    "all",
    "zip",
    "store",
    "direct",
    "key_based",
    "temporal",
    "file-ids",
    "stats",
    "refs",
    "metadata",
    "config",
    "..",
    ".",
    "%",
    "%2F",
    "%00",
    "\u{0}",
    "é",
    "😀",
    " ",
    "a b",
    NOBODY,
    NO_HASH,
    "x",
    "null",
    "-1",
    "0",
];

/// Below the run's own namespace, and only with calls that read.
fn odd_paths(api: &Api) -> Outcome {
    api.forall(64, vec(vec(select(ODD), 1..6), 1..6), |paths| {
        let space = api.fresh();
        for parts in paths {
            let parts: Vec<_> = parts.iter().map(|part| segment(part)).collect();
            space.get(&parts.join("/"))?.no_failure()?;
        }
        space.holds_ids([])
    })
}
