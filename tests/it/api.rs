//! The routes as tables: every strategy with every type and every suffix; limits, authentication
//! and the answers where Larder does better than the Python service.

use std::sync::Arc;

use larder::cache::Settings as CacheSettings;
use larder::http::{ApiKey, Settings};
use larder::key::{Namespace, RelPath};
use larder::storage::memory::Memory;
use larder::storage::{Batch, Error, Storage as _};
use rstest::rstest;
use serde_json::json;

use crate::harness::{Client, Reply, client, client_with};

/// What the tests store, by type: the route, the body, and what the three suffixes serve.
struct Kind {
    route: &'static str,
    body: &'static [u8],
    content_type: &'static str,
    extension: &'static str,
    text: &'static str,
    json: Option<&'static str>,
    bytes: &'static [u8],
}

const TEXT: Kind = Kind {
    route: "string",
    body: br#""caf\u00e9""#,
    content_type: "application/json",
    extension: "json",
    text: "café",
    json: None,
    bytes: "café".as_bytes(),
};

const JSON: Kind = Kind {
    route: "json",
    body: "{\"b\": 1.0, \"a\": \"é\"}".as_bytes(),
    content_type: "application/json",
    extension: "json",
    text: r#"{"b": 1.0, "a": "\u00e9"}"#,
    json: Some(r#"{"b":1.0,"a":"é"}"#),
    bytes: br#"{"b": 1.0, "a": "\u00e9"}"#,
};

const BINARY: Kind = Kind {
    route: "binary",
    body: b"\x00\xff\x01",
    content_type: "application/octet-stream",
    extension: "bin",
    text: "AP8B",
    json: Some(r#"{"data_type":"binary","encoding":"base64","data":"AP8B"}"#),
    bytes: b"\x00\xff\x01",
};

async fn store(client: &Client, namespace: &str, strategy: &str, kind: &Kind, key: &str) -> Reply {
    let path = format!("/{namespace}/{strategy}/store/{}{key}", kind.route);
    let headers = [("content-type", kind.content_type)];
    client.send("POST", &path, &headers, kind.body.to_vec()).await
}

#[rstest]
#[tokio::test]
async fn what_is_stored_is_read_back_in_every_form(
    #[values("direct", "temporal", "temporal_latest", "temporal_versioned", "key_based")]
    strategy: &str,
    #[values(TEXT, JSON, BINARY)] kind: Kind,
    #[values("", "/some/key", "/some/key?file_id=the-file")] key: &str,
) {
    let client = client();
    let stored = store(&client, "ns", strategy, &kind, key).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    let stored = stored.json();
    let id = stored["cache_id"].as_str().expect("an id");
    let hash = stored["cache_hash"].as_str().expect("a hash");
    let copies = match strategy {
        "temporal_latest" => 2,
        "temporal_versioned" => 3,
        _ => 1,
    };
    let data = stored["paths"]["data"].as_array().expect("paths");
    assert_eq!(data.len(), 3 * copies);
    let suffix = format!(".{}", kind.extension);
    assert_eq!(
        data.iter().filter(|p| p.as_str().is_some_and(|p| p.ends_with(&suffix))).count(),
        copies
    );
    for base in [format!("/ns/retrieve/{id}"), format!("/ns/retrieve/hash/{hash}")] {
        let text = client.get(&format!("{base}/string")).await;
        assert_eq!((text.status.as_u16(), text.text().as_str()), (200, kind.text));
        let bytes = client.get(&format!("{base}/binary")).await;
        assert_eq!((bytes.status.as_u16(), bytes.body.as_slice()), (200, kind.bytes));
        let as_json = client.get(&format!("{base}/json")).await;
        match kind.json {
            Some(json) => {
                assert_eq!((as_json.status.as_u16(), as_json.text().as_str()), (200, json))
            }
            None => assert_eq!(as_json.status, 415),
        }
        let whole = client.get(&base).await.json();
        let expected = if kind.route == "string" { "string" } else { kind.route };
        assert_eq!(whole["data_type"], expected);
        assert_eq!(whole["metadata"]["cache_id"], id);
        assert_eq!(whole["metadata"]["strategy"], strategy);
        assert_eq!(whole["metadata"]["content_size"], stored["size"]);
    }
    for suffix in ["/config", "/metadata", "/refs", "/refs/all"] {
        assert_eq!(client.get(&format!("/ns/retrieve/{id}{suffix}")).await.status, 200, "{suffix}");
    }
    for suffix in ["/metadata", "/refs-hash", "/cache-id"] {
        let path = format!("/ns/retrieve/hash/{hash}{suffix}");
        assert_eq!(client.get(&path).await.status, 200, "{suffix}");
    }
    let deleted = client.delete(&format!("/ns/delete/{id}")).await.json();
    assert_eq!(deleted["status"], "success");
    assert_eq!(deleted["deleted_count"], 3 * copies + 2);
    assert_eq!(client.get("/admin/storage/files/all/ns").await.json()["files"], json!([]));
}

#[tokio::test]
async fn a_place_stored_again_tells_the_truth_about_its_new_content() {
    let client = client();
    let path = "/n/key_based/store/json/k?file_id=f";
    let first = client.post_json(path, r#"{"v":1}"#).await.json();
    let second = client.post_json(path, r#"{"v":22222}"#).await.json();
    assert_eq!(second["size"], 16);
    assert_eq!(second["paths"]["data"], first["paths"]["data"]);
    for stored in [&first, &second] {
        let id = stored["cache_id"].as_str().expect("an id");
        let metadata = client.get(&format!("/n/retrieve/{id}/metadata")).await.json();
        assert_eq!(metadata["content__size"], 16);
        assert_eq!(metadata["data"]["cache_id"], second["cache_id"]);
    }
}

#[tokio::test]
async fn child_data_goes_with_its_parent_unless_another_entry_owns_it() {
    let client = client();
    let stored = client.post_json("/n/direct/store/json", "{}").await.json();
    let id = stored["cache_id"].as_str().expect("an id").to_owned();
    client.post_json(&format!("/n/cache/{id}/data/store/json/k/child"), "{}").await;
    let deleted = client.delete(&format!("/n/delete/{id}")).await.json();
    assert_eq!(deleted["deleted_count"], 5, "child data is not counted");
    assert_eq!(client.get("/admin/storage/files/all/n").await.json()["file_count"], 0);

    let json = client.post_json("/n/key_based/store/json/k?file_id=f", "{}").await.json();
    let bytes = client.post_bytes("/n/key_based/store/binary/k?file_id=f", b"b").await.json();
    let id = |stored: &serde_json::Value| stored["cache_id"].as_str().expect("an id").to_owned();
    let (json, bytes) = (id(&json), id(&bytes));
    client.post_json(&format!("/n/cache/{json}/data/store/string/child"), r#""x""#).await;
    client.delete(&format!("/n/delete/{bytes}")).await;
    let child = client.get(&format!("/n/cache/{json}/data/string/child")).await;
    assert_eq!((child.status.as_u16(), child.text().as_str()), (200, "x"));
}

#[tokio::test]
async fn statistics_count_their_own_namespace() {
    let client = client();
    for namespace in ["n", "n1", "other"] {
        store(&client, namespace, "direct", &TEXT, "").await;
        store(&client, namespace, "temporal_latest", &JSON, "").await;
        store(&client, namespace, "key_based", &BINARY, "/k").await;
    }
    let stats = client.get("/n/stats").await.json();
    assert_eq!(
        stats,
        json!({"namespace": "n", "ttl_hours": 24, "direct_files": 3, "temporal_files": 0,
            "temporal_latest_files": 6, "temporal_versioned_files": 0, "refs_hash_files": 3,
            "refs_id_files": 3, "total_files": 18})
    );
}

/// Cache keys that upstream let escape: each is refused and nothing is written.
#[rstest]
#[case("x//y")]
#[case("/x")]
#[case("../x")]
#[case("a/../../b")]
#[case("a/./b")]
#[case("%2e%2e/x")]
#[case("a%2F%2Fb")]
#[case(&"s".repeat(300))]
#[case(&"s/".repeat(505))]
#[tokio::test]
async fn keys_that_would_escape_are_refused(#[case] key: &str) {
    let client = client();
    let path = format!("/n/key_based/store/json/{key}?file_id=f");
    let refused = client.post_json(&path, "{}").await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(client.get("/namespaces/list").await.json(), json!([]));
}

/// Requests that upstream answers with 500, each a caller's mistake: 400, and nothing is written.
#[rstest]
#[case("POST", "/n/direct/store/json/k?json_field_path=nope", "application/json", "{\"a\":1}", 400)]
#[case("POST", "/n/direct/store/string", "application/json", "\"\\ud800\"", 400)]
#[case("POST", "/n/direct/store/string/k?file_id=_", "application/json", "\"x\"", 400)]
#[case("POST", "/n/direct/store/string/k?file_id=..", "application/json", "\"x\"", 400)]
#[case("POST", "/n/direct/store/json", "application/json", "{\"a\":\"\x01\"}", 400)]
#[case("GET", "/admin/storage/file/json/n/none", "", "", 404)]
#[case("GET", "/admin/storage/file/json/_", "", "", 404)]
#[case("GET", "/admin/storage/file/html/__", "", "", 404)]
#[case(
    "POST",
    "/n/update/00000000-0000-4000-8000-000000000000/string",
    "application/json",
    "\"x\"",
    404
)]
#[tokio::test]
async fn mistakes_of_callers_are_not_failures_of_ours(
    #[case] method: &str,
    #[case] path: &str,
    #[case] content_type: &str,
    #[case] body: &str,
    #[case] status: u16,
) {
    let client = client();
    let headers = [("content-type", content_type)];
    let reply = client.send(method, path, &headers, body.as_bytes().to_vec()).await;
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(client.get("/namespaces/list").await.json(), json!([]));
}

#[rstest]
#[case(r#"{"a":NaN,"b":1e400,"c":-Infinity}"#, r#"{"a":null,"b":null,"c":null}"#)]
#[case(r#"{"a":"\ud800"}"#, "{\"a\":\"\u{fffd}\"}")]
#[tokio::test]
async fn content_without_a_standard_form_is_served_all_the_same(
    #[case] body: &str,
    #[case] served: &str,
) {
    let client = client();
    let stored = client.post_json("/n/direct/store/json", body).await;
    assert_eq!(stored.status, 200);
    let id = stored.json()["cache_id"].as_str().expect("an id").to_owned();
    let read = client.get(&format!("/n/retrieve/{id}/json")).await;
    assert_eq!((read.status.as_u16(), read.text().as_str()), (200, served));
    assert_eq!(client.get(&format!("/n/retrieve/{id}")).await.status, 200);
}

#[tokio::test]
async fn nesting_works_as_deep_as_clients_rely_on_and_is_refused_far_below() {
    let client = client();
    let nested = |levels: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let stored = client.post_json("/n/direct/store/json", &nested(949)).await;
    assert_eq!(stored.status, 200);
    let id = stored.json()["cache_id"].as_str().expect("an id").to_owned();
    assert_eq!(client.get(&format!("/n/retrieve/{id}/json")).await.text(), nested(949));
    let refused = client.post_json("/n/direct/store/json", &nested(1500)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.text(), r#"{"detail":"There was an error parsing the body"}"#);
}

#[tokio::test]
async fn bytes_written_over_a_string_can_be_read() {
    let client = client();
    let stored = client.post_json("/n/direct/store/string", r#""x""#).await.json();
    let id = stored["cache_id"].as_str().expect("an id");
    let updated = client.post_bytes(&format!("/n/update/{id}/binary"), b"\xff\x00").await;
    assert_eq!(updated.status, 200);
    let read = client.get(&format!("/n/retrieve/{id}/binary")).await;
    assert_eq!((read.status.as_u16(), read.body.as_slice()), (200, b"\xff\x00".as_slice()));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_changes_nothing() {
    let settings = Settings { max_body_bytes: 100, ..Settings::default() };
    let client = client_with(Arc::new(Memory::new()), CacheSettings::default(), settings);
    assert_eq!(client.post_bytes("/n/direct/store/binary", &[7; 100]).await.status, 200);
    let refused = client.post_bytes("/m/direct/store/binary", &[7; 101]).await;
    assert_eq!(refused.status, 413);
    assert_eq!(client.get("/namespaces/list").await.json(), json!(["n"]));
}

#[tokio::test]
async fn a_compressed_body_is_inflated_only_so_far() {
    use std::io::Write;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("finished")
    };
    let cache = CacheSettings { max_inflated_bytes: 1000, ..CacheSettings::default() };
    let client = client_with(Arc::new(Memory::new()), cache, Settings::default());
    let headers = [("content-encoding", "gzip"), ("content-type", "application/octet-stream")];
    let store = |bytes: Vec<u8>| client.send("POST", "/n/direct/store/binary", &headers, bytes);
    assert_eq!(store(gzip(&[b'a'; 1000])).await.status, 200);
    assert_eq!(store(gzip(&[b'a'; 1001])).await.status, 413);
    assert_eq!(store(b"\x1f\x8bnot gzip".to_vec()).await.status, 400);
    let stored = store(gzip(b"[1, 2.0]")).await.json();
    let id = stored["cache_id"].as_str().expect("an id");
    assert_eq!(client.get(&format!("/n/retrieve/{id}/json")).await.text(), "[1,2.0]");
}

#[rstest]
#[case(&[], 401)]
#[case(&[("x-key", "secret")], 200)]
#[case(&[("X-KEY", " secret ")], 200)]
#[case(&[("x-key", "Secret")], 401)]
#[case(&[("x-key", "secret2")], 401)]
#[case(&[("cookie", "a=b; X-Key=secret")], 200)]
#[case(&[("cookie", "x-key=secret")], 401)]
#[case(&[("cookie", "X-Key=bad; X-Key=secret")], 200)]
#[case(&[("cookie", "X-Key=secret; X-Key=bad")], 401)]
#[case(&[("cookie", r#"X-Key="sec\162et""#)], 200)]
#[case(&[("x-key", "wrong"), ("cookie", "X-Key=secret")], 401)]
#[case(&[("x-key", ""), ("cookie", "X-Key=secret")], 200)]
#[case(&[("authorization", "Bearer secret")], 401)]
#[tokio::test]
async fn the_key_comes_in_the_header_or_the_cookie(
    #[case] headers: &[(&str, &str)],
    #[case] status: u16,
) {
    let settings = Settings { key: Some(ApiKey::new("X-Key", "secret")), ..Settings::default() };
    let client = client_with(Arc::new(Memory::new()), CacheSettings::default(), settings);
    for path in ["/info/health", "/no/such/path", "/n/stats"] {
        let expected = if status == 200 && path == "/no/such/path" { 404 } else { status };
        assert_eq!(client.send("GET", path, headers, Vec::new()).await.status.as_u16(), expected);
    }
    for path in ["/livez", "/readyz", "/docs", "/openapi.json", "/auth/set-cookie-form"] {
        assert_eq!(client.get(path).await.status, 200, "{path} is open");
    }
}

#[tokio::test]
async fn every_route_of_the_document_answers_without_a_failure_of_ours() {
    let client = client();
    let document = client.get("/openapi.json").await.json();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let target = path
                .replace("{strategy}", "direct")
                .replace("{data_type}", "json")
                .replace("{cache_id}", "00000000-0000-4000-8000-000000000000")
                .replace("{cache_hash}", "0123456789abcdef")
                .replace(['{', '}'], "");
            let method = method.to_ascii_uppercase();
            let headers = [("content-type", "application/json")];
            for body in ["", "{", "{}", "\"text\"", "[]", "\u{0}"] {
                let reply = client.send(&method, &target, &headers, body.into()).await;
                let status = reply.status.as_u16();
                assert!(status < 500, "{method} {target} {body:?}: {status} {}", reply.text());
                let known = &methods[&method.to_ascii_lowercase()]["responses"];
                assert!(known[status.to_string()].is_object(), "{method} {target}: {status}");
            }
            operations += 1;
        }
    }
    assert!(operations > 80, "{operations}");
}

/// A bounded store gives up whole entries, those used longest ago first.
#[tokio::test]
async fn a_full_store_gives_up_the_entries_used_longest_ago() {
    let storage = Arc::new(Memory::bounded(64 << 10));
    let cache = CacheSettings { evict_when_full: true, ..CacheSettings::default() };
    let client = client_with(Arc::<Memory>::clone(&storage), cache, Settings::default());
    let mut ids = Vec::new();
    for number in 0..200 {
        let stored = client.post_bytes("/n/direct/store/binary", &[number; 500]).await;
        assert_eq!(stored.status, 200, "{}", stored.text());
        ids.push(stored.json()["cache_id"].as_str().expect("an id").to_owned());
        // The first entry is used all the time and so stays.
        assert_eq!(client.get(&format!("/n/retrieve/{}/binary", ids[0])).await.status, 200);
        assert!(storage.bytes() <= 64 << 10);
    }
    let listed = client.get("/n/file-ids").await.json();
    let listed: Vec<&str> =
        listed.as_array().expect("ids").iter().filter_map(|id| id.as_str()).collect();
    assert!((5..100).contains(&listed.len()), "{}", listed.len());
    assert!(listed.contains(&ids[0].as_str()) && listed.contains(&ids[199].as_str()));
    assert!(!listed.contains(&ids[1].as_str()), "used longest ago");
    // What is left is whole: every reference leads to content, by id and by hash.
    for id in listed {
        assert_eq!(client.get(&format!("/n/retrieve/{id}")).await.status, 200);
    }
    for hash in client.get("/n/file-hashes").await.json().as_array().expect("hashes") {
        let hash = hash.as_str().expect("a hash");
        assert_eq!(client.get(&format!("/n/retrieve/hash/{hash}")).await.status, 200);
    }
    let too_big = client.post_bytes("/n/direct/store/binary", &vec![0; 100 << 10]).await;
    assert_eq!(too_big.status, 507, "{}", too_big.text());
    let still_there = client.get("/n/file-ids").await.json().as_array().expect("ids").len();
    assert!(still_there >= 5, "what can never fit costs nobody its place: {still_there}");
    // One large entry takes the place of many small ones at once.
    let large = client.post_bytes("/n/direct/store/binary", &vec![0; 50 << 10]).await;
    assert_eq!(large.status, 200, "{}", large.text());
    // What was cleared or deleted behind its back does not hold up the next one.
    client.delete("/test-data/clear/n").await;
    for number in 0..100 {
        let stored = client.post_bytes("/m/direct/store/binary", &[number; 500]).await;
        assert_eq!(stored.status, 200);
        let by_id = stored.json()["paths"]["by_id"][0].as_str().expect("a path").to_owned();
        client.delete(&format!("/admin/storage/file/delete/{by_id}")).await;
    }
}

/// A key of hundreds of segments takes as many folders, which count as what they take.
#[tokio::test]
async fn the_bound_of_a_store_counts_folders() {
    let storage = Memory::bounded(1 << 20);
    let team = Namespace::parse("team").expect("clean");
    let deep = |number: u8, name: &str| {
        let path = format!("{number}/{}{name}", "a/".repeat(480));
        team.key(RelPath::parse(&path).expect("clean")).expect("short")
    };
    let mut kept = Vec::new();
    let full = loop {
        let key = deep(kept.len() as u8, "end");
        let mut batch = Batch::new(&team);
        batch.put(key.clone(), "value");
        match storage.apply(batch).await {
            Ok(()) => kept.push(key),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::Full { .. }), "{full}");
    assert!((2..6).contains(&kept.len()), "{} keys of 480 folders each in 1 MiB", kept.len());
    assert!(storage.bytes() <= 1 << 20);
    // One more in folders that are there takes no more of them.
    kept.push(deep(0, "other end"));
    let mut beside = Batch::new(&team);
    beside.put(kept[kept.len() - 1].clone(), "value");
    storage.apply(beside).await.expect("room");
    for key in kept {
        let mut batch = Batch::new(&team);
        batch.delete(key);
        storage.apply(batch).await.expect("deleted");
    }
    assert_eq!(storage.bytes(), 0);
}

/// The content of another entry can lie in a data folder; it is not child data.
#[tokio::test]
async fn deleting_an_entry_spares_the_entries_that_lie_in_its_data_folder() {
    let client = client();
    let outer = client.post_json("/n/key_based/store/json/a?file_id=f", "{}").await.json();
    let inner = client.post_json("/n/key_based/store/json/a/f/data?file_id=g", r#"{"g":1}"#).await;
    let (outer, inner) = (outer["cache_id"].as_str().expect("an id"), inner.json());
    let inner = inner["cache_id"].as_str().expect("an id");
    client.post_json(&format!("/n/cache/{outer}/data/store/json/child"), "{}").await;
    client.delete(&format!("/n/delete/{outer}")).await;
    assert_eq!(client.get(&format!("/n/retrieve/{inner}/json")).await.text(), r#"{"g":1}"#);
    assert_eq!(client.get("/admin/storage/files/all/n").await.json()["file_count"], 5);
}

/// A small body that would become a giant once it is indented.
#[tokio::test]
async fn deep_nesting_does_not_multiply_without_limit() {
    let items = vec!["1"; 20_000].join(",");
    let body = format!("{{\"a\":{}{items}{}}}", "[".repeat(900), "]".repeat(900));
    let cache = CacheSettings { max_inflated_bytes: 10 << 20, ..CacheSettings::default() };
    let client = client_with(Arc::new(Memory::new()), cache, Settings::default());
    assert_eq!(client.post_json("/n/direct/store/json", &body).await.status, 413);
    let stored = client.post_json("/n/direct/store/json", "{}").await.json();
    let id = stored["cache_id"].as_str().expect("an id");
    assert_eq!(client.post_json(&format!("/n/update/{id}/json"), &body).await.status, 413);
    let child = format!("/n/cache/{id}/data/store/json/child");
    assert_eq!(client.post_json(&child, &body).await.status, 413);
    assert_eq!(client.get("/admin/storage/files/all/n").await.json()["file_count"], 5);
}

/// Updates and children of an entry that is deleted meanwhile are refused or gone, never left over.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_an_entry_that_is_deleted_while_it_changes() {
    let client = client();
    for _ in 0..40 {
        let stored = client.post_json("/n/direct/store/json", "{}").await.json();
        let id = stored["cache_id"].as_str().expect("an id").to_owned();
        let changes = [
            (format!("/n/update/{id}/json"), "{}"),
            (format!("/n/cache/{id}/data/store/json/child"), "{}"),
            (format!("/n/update/{id}/string"), r#""x""#),
        ];
        let running: Vec<_> = changes
            .into_iter()
            .map(|(path, body)| {
                let client = client.clone();
                tokio::spawn(async move { client.post_json(&path, body).await.status.as_u16() })
            })
            .collect();
        assert_eq!(client.delete(&format!("/n/delete/{id}")).await.json()["status"], "success");
        for change in running {
            assert!([200, 404].contains(&change.await.expect("a change")));
        }
    }
    assert_eq!(client.get("/admin/storage/files/all/n").await.json()["files"], json!([]));
}

/// Opened on a loopback address without a key, the service answers this machine and nobody's page.
#[rstest]
#[case(&[("host", "127.0.0.1:10017")], 200)]
#[case(&[("host", "localhost:10017"), ("origin", "http://localhost:3000")], 200)]
#[case(&[("host", "[::1]:10017")], 200)]
#[case(&[("host", "127.0.0.1"), ("origin", "https://evil.example")], 403)]
#[case(&[("host", "127.0.0.1"), ("origin", "null")], 403)]
#[case(&[("host", "rebound.example:10017")], 403)]
#[case(&[("host", "127.0.0.1.evil.example")], 403)]
#[tokio::test]
async fn without_a_key_only_this_machine_is_answered(
    #[case] headers: &[(&str, &str)],
    #[case] status: u16,
) {
    let settings = Settings { local_only: true, ..Settings::default() };
    let client = client_with(Arc::new(Memory::new()), CacheSettings::default(), settings);
    let reply = client.send("GET", "/namespaces/list", headers, Vec::new()).await;
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
}

/// Python's cookies quote what is not a plain token.
#[rstest]
#[case("plain-1", "plain-1")]
#[case("", r#""""#)]
#[case("a2V5==", r#""a2V5==""#)]
#[case("two words", r#""two words""#)]
#[case("a;b\"c", r#""a\073b\"c""#)]
#[tokio::test]
async fn any_value_becomes_one_cookie(#[case] value: &str, #[case] cookie: &str) {
    let body = json!({"cookie_value": value}).to_string();
    let reply = client().post_json("/auth/set-auth-cookie", &body).await;
    assert_eq!(reply.status, 200);
    let expected = format!("auth-cookie={cookie}; HttpOnly; Path=/; SameSite=strict");
    assert_eq!(reply.headers["set-cookie"], expected.as_str());
}

/// Upstream loses about half of the versions of one content under eight writers.
#[tokio::test(flavor = "multi_thread")]
async fn no_version_of_one_content_is_lost_under_load() {
    let client = client();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let stored = client.post_json("/n/direct/store/string", r#""same""#).await;
                    assert_eq!(stored.status, 200);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    let hash = client.get("/n/file-hashes").await.json()[0].as_str().expect("a hash").to_owned();
    let refs = client.get(&format!("/n/retrieve/hash/{hash}/refs-hash")).await.json();
    assert_eq!(refs["total_versions"], 200);
    assert_eq!(client.get("/n/file-ids").await.json().as_array().expect("ids").len(), 200);
}

#[rstest]
#[case("/%2F/stats", 404)]
#[case("/a%2Fb/stats", 404)]
#[case("/n%2Fstats", 200)]
#[case("/n/stats/", 307)]
#[case("/n/retrieve/hash/string", 400)]
#[case("/info/file-ids", 200)]
#[case("/console/stats", 200)]
#[tokio::test]
async fn paths_are_matched_as_upstream_matches_them(#[case] path: &str, #[case] status: u16) {
    let reply = client().get(path).await;
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
}

#[tokio::test]
async fn a_redirect_keeps_the_query() {
    let headers = [("host", "cache.example:1")];
    let reply = client().send("GET", "/n/stats/?a=b", &headers, Vec::new()).await;
    assert_eq!(reply.status, 307);
    assert_eq!(reply.headers["location"], "http://cache.example:1/n/stats?a=b");
}
