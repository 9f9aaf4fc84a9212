//! The service on S3 when S3 is in trouble: tried again within the deadline, then a 503 with
//! `Retry-After`; never a miss, never part of an entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Method;
use larder::cache::redirect::Redirects;
use larder::cache::{Cache, Settings as CacheSettings};
use larder::http::Settings as HttpSettings;
use larder::key::{Key, Namespace, RelPath};
use larder::storage::s3::{Credentials, Encryption, S3, Settings};
use larder::storage::{Batch, Depth, Error, Expect, Storage as _, StorageExt as _};
use rstest::rstest;

use crate::fake_s3::{FakeS3, Seen, Trouble};
use crate::harness::{Client, Reply, client, client_of, client_with};

fn settings(server: &FakeS3) -> Settings {
    Settings {
        endpoint_url: Some(server.url()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(Credentials::new("id", "secret", None, None, "tests")),
        ..Settings::new("bucket")
    }
}

/// The same store with little patience, for trouble that stays.
async fn impatient(server: &FakeS3) -> (S3, Client) {
    let settings = Settings {
        attempt_timeout: Duration::from_millis(100),
        call_deadline: Duration::from_millis(300),
        ..settings(server)
    };
    // A machine that is busy may need more than that.
    for _ in 0..100 {
        if let Ok(store) = S3::open(&settings).await {
            let over = Arc::new(store.clone());
            return (store, client_with(over, create_first(), HttpSettings::default()));
        }
    }
    panic!("the store cannot be opened within its deadline");
}

fn create_first() -> CacheSettings {
    CacheSettings { create_first: true, ..CacheSettings::default() }
}

/// A server, a store on it and the service on that.
async fn service(conditional_delete: bool) -> (FakeS3, S3, Client) {
    let server = FakeS3::start(conditional_delete).await;
    let store = S3::open(&settings(&server)).await.expect("a store");
    let over = Arc::new(store.clone());
    (server, store, client_with(over, create_first(), HttpSettings::default()))
}

fn key(path: &str) -> Key {
    let team = Namespace::clean("team").expect("a namespace");
    team.key(RelPath::parse(path).expect("a path")).expect("a key")
}

fn put_if(path: &str, value: &str, expect: Expect) -> Batch {
    let mut batch = Batch::new(&key(path).namespace());
    batch.put_if(key(path), value.to_owned(), expect);
    batch
}

fn delete_if(path: &str, expect: Expect) -> Batch {
    let mut batch = Batch::new(&key(path).namespace());
    batch.delete_if(key(path), expect);
    batch
}

fn is_unavailable(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.headers.contains_key("retry-after"), "{:?}", reply.headers);
}

async fn stored(client: &Client, body: &str) -> (String, String) {
    let reply = client.post_json("/team/direct/store/json", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let json = reply.json();
    let text = |name: &str| json[name].as_str().expect("text").to_owned();
    (text("cache_id"), text("cache_hash"))
}

/// The first so many requests of every key and method go wrong.
fn first(count: usize, trouble: Trouble) -> impl Fn(&Seen<'_>) -> Trouble + Send + Sync + 'static {
    let seen = std::sync::Mutex::new(std::collections::HashMap::<(Method, String), usize>::new());
    move |request| {
        let mut seen = seen.lock().expect("a lock");
        let times = seen.entry((request.method.clone(), request.path.to_owned())).or_default();
        *times += 1;
        if *times <= count { trouble } else { Trouble::None }
    }
}

#[rstest]
#[case(Trouble::Status(500, "InternalError"))]
#[case(Trouble::Status(503, "SlowDown"))]
#[case(Trouble::Status(429, "TooManyRequests"))]
#[case(Trouble::Status(409, "ConditionalRequestConflict"))]
#[case(Trouble::Reset)]
#[case(Trouble::Stall)]
#[tokio::test]
async fn trouble_that_stays_is_a_503_and_never_a_miss(#[case] trouble: Trouble) {
    let (server, _, patient) = service(true).await;
    let (id, hash) = stored(&patient, r#"{"kept": true}"#).await;
    let (store, client) = impatient(&server).await;
    server.trouble(move |_| trouble);
    let before = store.requests();
    for path in [
        format!("/team/retrieve/{id}"),
        format!("/team/retrieve/hash/{hash}/json"),
        format!("/team/exists/id/{id}"),
        "/namespaces/list".to_owned(),
        "/team/file-ids".to_owned(),
    ] {
        is_unavailable(&client.get(&path).await);
    }
    is_unavailable(&client.post_json("/team/direct/store/json", r#"{"new": 1}"#).await);
    is_unavailable(&client.delete(&format!("/team/delete/{id}")).await);
    let after = store.requests();
    assert!(after.retries > before.retries, "nothing was tried again: {after:?}");
    if matches!(trouble, Trouble::Status(503 | 429, _)) {
        assert!(after.throttled > before.throttled, "throttling is not counted: {after:?}");
    }
    server.trouble(|_| Trouble::None);
    let reply = patient.get(&format!("/team/retrieve/{id}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["data"]["kept"], true, "{}", reply.text());
}

/// A program may use a store from several runtimes, whose connections are in one pool.
#[tokio::test]
async fn a_connection_whose_runtime_has_ended_is_no_trouble() {
    let server = FakeS3::start(true).await;
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let other = other.expect("a runtime");
    let settings = settings(&server);
    let opening = other.spawn(async move { S3::open(&settings).await });
    let store = opening.await.expect("an end").expect("a store");
    let arrived = Arc::new(tokio::sync::Notify::new());
    let stall = first(1, Trouble::Stall);
    let plan = Arc::clone(&arrived);
    server.trouble(move |request| {
        plan.notify_one();
        stall(request)
    });
    let reading =
        tokio::spawn(async move { (store.get(&key("a")).await, store.requests().retries) });
    arrived.notified().await;
    other.shutdown_background();
    let (read, retries) = reading.await.expect("an end");
    assert!(matches!(read, Ok(None)), "{read:?}");
    assert_eq!(retries, 1);
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let (server, _, patient) = service(true).await;
    let (id, hash) = stored(&patient, r#"{"kept": true}"#).await;
    let (_, client) = impatient(&server).await;
    server.trouble(|_| Trouble::CutReply);
    is_unavailable(&client.get(&format!("/team/retrieve/{id}")).await);
    is_unavailable(&client.get(&format!("/team/retrieve/hash/{hash}/json")).await);
    is_unavailable(&client.get("/team/file-ids").await);
}

#[rstest]
#[case(Trouble::Status(500, "InternalError"))]
#[case(Trouble::Status(503, "SlowDown"))]
#[case(Trouble::Status(409, "ConditionalRequestConflict"))]
#[case(Trouble::Reset)]
#[case(Trouble::CutReply)]
#[case(Trouble::LoseReply)]
#[tokio::test]
async fn trouble_that_passes_is_not_seen(
    #[case] trouble: Trouble,
    #[values(true, false)] conditional_delete: bool,
) {
    let (server, store, client) = service(conditional_delete).await;
    server.trouble(first(1, trouble));
    let (id, hash) = stored(&client, r#"{"name": "larder"}"#).await;
    let reply = client.get(&format!("/team/retrieve/hash/{hash}/json")).await;
    assert_eq!(reply.json()["name"], "larder", "{}", reply.text());
    // Once, although every single write was tried twice.
    let reply = client.get(&format!("/team/retrieve/hash/{hash}/refs-hash")).await;
    assert_eq!(reply.json()["total_versions"], 1, "{}", reply.text());
    assert_eq!(client.get("/team/file-ids").await.json(), serde_json::json!([id]));
    assert!(store.requests().retries > 0);
}

#[rstest]
#[case("creation", Method::PUT)]
#[case("replacement", Method::PUT)]
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_recognised(
    #[case] kind: &str,
    #[case] method: Method,
    #[values(true, false)] conditional_delete: bool,
) {
    let (server, store, _) = service(conditional_delete).await;
    store.apply(put_if("there", "old", Expect::Absent)).await.expect("a write");
    let version = store.get(&key("there")).await.expect("a read").expect("a value").version;
    let lost = AtomicUsize::new(0);
    server.trouble(move |request| {
        let lose = *request.method == method && lost.fetch_add(1, Ordering::SeqCst) == 0;
        if lose { Trouble::LoseReply } else { Trouble::None }
    });
    let (path, expect) = match kind {
        "creation" => ("new", Expect::Absent),
        _ => ("there", Expect::At(version)),
    };
    store.apply(put_if(path, "mine", expect)).await.expect("the write was its own");
    assert_eq!(store.get(&key(path)).await.expect("a read").expect("a value").bytes, "mine");
}

#[tokio::test]
async fn what_cannot_be_decided_is_unavailable_and_no_conflict() {
    let (server, store, _) = service(true).await;
    store.apply(put_if("a", "value", Expect::Any)).await.expect("a write");
    let version = store.get(&key("a")).await.expect("a read").expect("a value").version;
    server.trouble(first(1, Trouble::LoseReply));
    // The second attempt finds nothing: the first may have removed it, or somebody else.
    let answer = store.apply(delete_if("a", Expect::At(version))).await;
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    assert!(store.get(&key("a")).await.expect("a read").is_none());
}

#[rstest]
#[case("If-None-Match")]
#[case("If-Match")]
#[tokio::test]
async fn a_server_that_ignores_conditions_is_refused(#[case] header: &'static str) {
    let server = FakeS3::start(true).await;
    server.trouble(move |request| {
        let asked = request.headers.contains_key(header) && *request.method == Method::PUT;
        if asked { Trouble::IgnoreConditions } else { Trouble::None }
    });
    let error = S3::open(&settings(&server)).await.expect_err("the server lies");
    let said = format!("{error:?}");
    assert!(matches!(error, Error::Other { .. }) && said.contains(header), "{said}");
    // The probe leaves nothing behind, whatever it finds.
    server.trouble(|_| Trouble::None);
    let store = S3::open(&settings(&server)).await.expect("a store");
    assert!(store.namespaces().await.expect("a listing").is_empty());
}

#[rstest]
#[case(Trouble::Status(403, "AccessDenied"))]
#[case(Trouble::Status(400, "InvalidRequest"))]
#[case(Trouble::Status(404, "NoSuchBucket"))]
#[tokio::test]
async fn a_refusal_is_an_error_at_once(#[case] trouble: Trouble) {
    let (server, store, client) = service(true).await;
    let (id, _) = stored(&client, r#"{"kept": true}"#).await;
    server.trouble(move |_| trouble);
    let reply = client.get(&format!("/team/retrieve/{id}")).await;
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert_eq!(store.requests().retries, 0, "a refusal was tried again");
}

#[tokio::test]
async fn removal_works_without_conditions_on_it() {
    let (_server, store, _) = service(false).await;
    store.apply(put_if("a/b", "value", Expect::Absent)).await.expect("a write");
    let version = store.get(&key("a/b")).await.expect("a read").expect("a value").version;
    store.apply(put_if("a/b", "other", Expect::Any)).await.expect("a write");
    let answer = store.apply(delete_if("a/b", Expect::At(version))).await;
    assert!(matches!(answer, Err(Error::Conflict { .. })), "{answer:?}");
    let version = store.get(&key("a/b")).await.expect("a read").expect("a value").version;
    store.apply(delete_if("a/b", Expect::At(version))).await.expect("a removal");
    let everything = key("a/b").namespace().everything();
    let (entries, folders) = store.list_all(&everything, Depth::All).await.expect("a listing");
    assert!(entries.is_empty() && folders.is_empty());
    assert!(store.namespaces().await.expect("namespaces").is_empty());
}

#[tokio::test]
async fn a_removal_cut_off_half_way_is_absence_and_is_finished_by_the_next_writer() {
    let server = FakeS3::start(false).await;
    let settings = Settings { marker_life: Duration::from_secs(1), ..settings(&server) };
    let store = S3::open(&settings).await.expect("a store");
    store.apply(put_if("a", "value", Expect::Any)).await.expect("a write");
    let version = store.get(&key("a")).await.expect("a read").expect("a value").version;
    server.trouble(
        |request| {
            if *request.method == Method::DELETE { Trouble::Reset } else { Trouble::None }
        },
    );
    let answer = store.apply(delete_if("a", Expect::At(version))).await;
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    // The marker is there, and everyone reads it as absence.
    assert!(store.get(&key("a")).await.expect("a read").is_none());
    assert!(store.stat(&key("a")).await.expect("a read").is_none());
    let everything = key("a").namespace().everything();
    let (entries, _) = store.list_all(&everything, Depth::All).await.expect("a listing");
    assert!(entries.is_empty(), "{entries:?}");
    server.trouble(|_| Trouble::None);
    let other = S3::open(&settings).await.expect("a store");
    other.apply(put_if("a", "new", Expect::Absent)).await.expect("a creation");
    assert_eq!(store.get(&key("a")).await.expect("a read").expect("a value").bytes, "new");
}

#[tokio::test]
async fn a_place_with_nothing_but_cut_off_removals_is_not_listed() {
    let (server, store, _) = service(false).await;
    let kept = ["kept/a", "kept/z/deep"];
    let gone = (0..20).map(|n| format!("kept/gone/{n:02}")).chain(["alone/deep/x".to_owned()]);
    let gone: Vec<String> = gone.collect();
    let elsewhere = Namespace::clean("elsewhere").expect("a namespace");
    let elsewhere = elsewhere.key(RelPath::parse("x").expect("a path")).expect("a key");
    let mut batch = Batch::new(&elsewhere.namespace());
    batch.put(elsewhere.clone(), "value".to_owned());
    store.apply(batch).await.expect("a write");
    for path in kept.into_iter().chain(gone.iter().map(String::as_str)) {
        store.apply(put_if(path, "value", Expect::Absent)).await.expect("a write");
    }
    server.trouble(|request| {
        let removal = *request.method == Method::DELETE;
        if removal { Trouble::Status(403, "AccessDenied") } else { Trouble::None }
    });
    for path in &gone {
        let answer = store.apply(delete_if(path, Expect::Any)).await;
        assert!(matches!(answer, Err(Error::Other { .. })), "{answer:?}");
    }
    let mut batch = Batch::new(&elsewhere.namespace());
    batch.delete(elsewhere.clone());
    store.apply(batch).await.expect_err("a removal cut off half way");
    server.trouble(|_| Trouble::None);

    let team = key("a").namespace();
    let folders = async |folder: &str| {
        let prefix = match folder {
            "" => team.everything(),
            folder => team.under(RelPath::parse(folder).expect("a path")),
        };
        let (_, folders) = store.list_all(&prefix, Depth::Children).await.expect("a listing");
        folders.iter().map(|folder| folder.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(folders("").await, ["team/kept/"]);
    assert_eq!(folders("kept").await, ["team/kept/z/"]);
    assert!(folders("kept/gone").await.is_empty());
    assert_eq!(store.namespaces().await.expect("namespaces"), [team]);
    let everything = key("a").namespace().everything();
    let (entries, _) = store.list_all(&everything, Depth::All).await.expect("a listing");
    let names: Vec<_> = entries.iter().map(|entry| entry.key.path()).collect();
    assert_eq!(names, kept);
}

#[tokio::test]
async fn a_start_without_a_server_says_where_it_looked() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let settings = Settings {
        endpoint_url: Some(url.clone()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(Credentials::new("id", "secret", None, None, "tests")),
        call_deadline: Duration::from_millis(300),
        ..Settings::new("bucket")
    };
    match S3::open(&settings).await {
        Err(Error::Unavailable { source, .. }) => {
            assert!(
                source.to_string().starts_with(&format!("bucket bucket at {url}: ")),
                "{source}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case(Encryption::Aes256, "AES256", None)]
#[case(Encryption::Kms { key_id: Some("key-1".to_owned()) }, "aws:kms", Some("key-1"))]
#[tokio::test]
async fn encryption_is_asked_for_with_every_write(
    #[case] encryption: Encryption,
    #[case] kind: &'static str,
    #[case] key_id: Option<&'static str>,
) {
    let server = FakeS3::start(true).await;
    server.trouble(move |request| {
        let header = |name: &str| {
            let header = format!("x-amz-server-side-encryption{name}");
            request.headers.get(header).and_then(|value| value.to_str().ok())
        };
        let asked = header("") == Some(kind) && header("-aws-kms-key-id") == key_id;
        let key = request.path.split_once('/').map_or("", |(_, key)| key);
        let object = *request.method == Method::PUT && !key.is_empty();
        if object && !asked { Trouble::Status(400, "NotEncrypted") } else { Trouble::None }
    });
    let settings = Settings { encryption: Some(encryption), ..settings(&server) };
    let store = S3::open(&settings).await.expect("a store");
    store.apply(put_if("a", "value", Expect::Absent)).await.expect("a write");
}

#[tokio::test]
async fn readers_of_large_contents_are_sent_to_the_bucket_if_they_ask() {
    let server = FakeS3::start(true).await;
    let store = Arc::new(S3::open(&settings(&server)).await.expect("a store"));
    let redirects = Redirects {
        presign: Arc::clone(&store) as _,
        least_bytes: 100,
        valid: Duration::from_secs(77),
    };
    let cache = Cache::new(store, CacheSettings::default()).with_redirects(Some(redirects));
    let sent_away = client_of(cache, HttpSettings::default());
    // Any other store has nowhere to send anyone.
    for (client, bytes, away) in [
        (&sent_away, [7; 100].as_slice(), true),
        (&sent_away, &[7; 99], false),
        (&client(), &[7; 100], false),
    ] {
        let stored = client.post_bytes("/team/direct/store/binary", bytes).await.json();
        let text = |name: &str| stored[name].as_str().expect("text");
        for path in [
            format!("/team/retrieve/{}/binary", text("cache_id")),
            format!("/team/retrieve/hash/{}/binary", text("cache_hash")),
        ] {
            let reply = client.get(&path).await;
            assert_eq!((reply.status.as_u16(), reply.body.as_slice()), (200, bytes));
            let reply = client.get(&format!("{path}?redirect=true")).await;
            if !away {
                assert_eq!((reply.status.as_u16(), reply.body.as_slice()), (200, bytes));
                continue;
            }
            assert_eq!((reply.status.as_u16(), reply.body.len()), (307, 0));
            assert_eq!(reply.headers["cache-control"], "no-store");
            let address = reply.headers["location"].to_str().expect("text");
            let start = format!("{}/bucket/team/data/direct/", server.url());
            assert!(address.starts_with(&start), "{address}");
            assert!(address.contains(&format!("/{}.bin?", text("cache_id"))), "{address}");
            assert!(address.contains("X-Amz-Expires=77"), "{address}");
            assert!(address.contains("X-Amz-Signature="), "{address}");
        }
    }
}

#[tokio::test]
async fn contents_kept_compressed_and_json_are_read_from_the_service() {
    let server = FakeS3::start(true).await;
    let store = Arc::new(S3::open(&settings(&server)).await.expect("a store"));
    let redirects = Redirects {
        presign: Arc::clone(&store) as _,
        least_bytes: 1,
        valid: Duration::from_secs(1),
    };
    let cache = Cache::new(store, CacheSettings::default()).with_redirects(Some(redirects));
    let client = client_of(cache, HttpSettings::default());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, b"plain").expect("memory");
    let gzip = gzip.finish().expect("memory");
    let headers = [("content-type", "application/octet-stream"), ("content-encoding", "gzip")];
    let stored = client.send("POST", "/team/direct/store/binary", &headers, gzip).await;
    let (json, _) = self::stored(&client, r#"{"a": "json"}"#).await;
    let id = stored.json()["cache_id"].as_str().expect("an id").to_owned();
    let reply = client.get(&format!("/team/retrieve/{id}/binary?redirect=true")).await;
    assert_eq!((reply.status.as_u16(), reply.body.as_slice()), (200, b"plain".as_slice()));
    let reply = client.get(&format!("/team/retrieve/{json}/binary?redirect=true")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let absent = "00000000-0000-4000-8000-000000000000";
    let reply = client.get(&format!("/team/retrieve/{absent}/binary?redirect=true")).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
}

#[tokio::test]
async fn content_that_others_have_stored_becomes_one_more_version() {
    let (server, store, one) = service(true).await;
    let again = Arc::new(S3::open(&settings(&server)).await.expect("the store again"));
    let two = client_with(again, create_first(), HttpSettings::default());
    let (first, hash) = stored(&one, r#"{"the same": 1}"#).await;
    // Stored by a process that has not met it, and then by one that has.
    let (second, _) = stored(&two, r#"{"the same": 1}"#).await;
    let before = store.requests();
    let (third, _) = stored(&one, r#"{"the same": 1}"#).await;
    let after = store.requests();
    assert_eq!((after.reads - before.reads, after.writes - before.writes), (1, 5));
    let refs = one.get(&format!("/team/retrieve/hash/{hash}/refs-hash")).await.json();
    let versions = refs["cache_ids"].as_array().expect("versions");
    let ids: Vec<_> = versions.iter().map(|version| version["cache_id"].as_str()).collect();
    assert_eq!(ids, [Some(&*first), Some(&*second), Some(&*third)]);
    for id in [first, second, third] {
        assert_eq!(one.get(&format!("/team/retrieve/{id}/json")).await.status, 200);
    }
}
