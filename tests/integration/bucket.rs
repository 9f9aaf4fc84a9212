//! What only S3 has to do: buckets, prefixes, encryption, pages and bulk.

use std::num::NonZeroUsize;
use std::time::Duration;

use aws_sdk_s3::Client;
use larder::key::{Key, Namespace, RelPath};
use larder::storage::lifecycle::{Lifecycle as _, Rule};
use larder::storage::presign::Presign as _;
use larder::storage::s3::{Encryption, S3, Settings};
use larder::storage::{Batch, Depth, Error, Expect, List, Storage as _, StorageExt as _};
use libtest_mimic::Trial;

use crate::server::Server;
use crate::trial;

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    let [one, two, three, four, five, six, seven, eight, nine] = [(); 9].map(|()| server.clone());
    vec![
        trial("bucket::stores_share_a_bucket_by_prefix", async move || by_prefix(one).await),
        trial("bucket::a_missing_bucket_is_made_unless_forbidden", async move || {
            missing_bucket(two).await;
        }),
        trial("bucket::a_bucket_that_goes_away_is_trouble_and_no_miss", async move || {
            bucket_gone(three).await;
        }),
        trial("bucket::encryption_is_passed_on", async move || encryption(four).await),
        trial("bucket::thousands_of_keys_are_listed_and_removed", async move || {
            thousands(five).await;
        }),
        trial("bucket::a_conflict_in_a_step_of_several_guards_leaves_nothing", async move || {
            several_guards(six).await;
        }),
        trial("bucket::a_signed_address_gives_the_value_to_whoever_has_it", async move || {
            signed_address(seven).await;
        }),
        trial("bucket::lifecycle_rules_of_others_are_left_alone", async move || {
            lifecycle(eight).await;
        }),
        trial("bucket::what_a_run_has_written_is_cleaned_up", async move || {
            cleaned_up(nine).await;
        }),
    ]
}

fn space() -> Namespace {
    Namespace::clean("team").expect("a namespace")
}

fn key(path: &str) -> Key {
    space().key(RelPath::parse(path).expect("a path")).expect("a key")
}

fn put(path: &str, value: &str) -> Batch {
    let mut batch = Batch::new(&space());
    batch.put(key(path), value.to_owned());
    batch
}

async fn names(client: &Client, settings: &Settings) -> Vec<String> {
    let request = client.list_objects_v2().bucket(&settings.bucket);
    let answer = request.prefix(&settings.key_prefix).send().await.expect("a listing");
    answer.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

async fn by_prefix(server: Server) {
    let (one, two) = (server.settings("prefix/a"), server.settings("prefix/ab"));
    let (first, second) = (S3::open(&one).await.expect("one"), S3::open(&two).await.expect("two"));
    first.apply(put("x", "first")).await.expect("a write");
    second.apply(put("y", "second")).await.expect("a write");
    assert!(first.get(&key("y")).await.expect("a read").is_none());
    let (entries, _) = first.list_all(&space().everything(), Depth::All).await.expect("a listing");
    assert_eq!(entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), [key("x")]);
    assert_eq!(first.namespaces().await.expect("namespaces"), [space()]);
    // The layout: the key behind the prefix, and nothing else; the probe has tidied up.
    let expected = vec![format!("{}/team/x", one.key_prefix), format!("{}/team/y", two.key_prefix)];
    assert_eq!(names(&server.outsider(), &one).await, expected);
}

async fn missing_bucket(server: Server) {
    let bucket = server.bucket("missing");
    let settings = Settings { bucket, create_bucket: false, ..server.settings("") };
    let error = S3::open(&settings).await.expect_err("there is no such bucket");
    let said = format!("{error:?}");
    assert!(said.contains("is not there") && said.contains("forbid"), "{said}");
    let settings = Settings { create_bucket: true, ..settings };
    let made = S3::open(&settings).await.expect("the bucket is made");
    made.apply(put("a", "value")).await.expect("a write");
    // It is there now, and is used as it is.
    let again = S3::open(&Settings { create_bucket: false, ..settings }).await.expect("the bucket");
    assert_eq!(again.get(&key("a")).await.expect("a read").expect("the value").bytes, "value");
}

async fn bucket_gone(server: Server) {
    let bucket = server.bucket("gone");
    let settings = Settings { bucket: bucket.clone(), ..server.settings("") };
    let store = S3::open(&settings).await.expect("a store");
    assert!(store.get(&key("a")).await.expect("a miss").is_none());
    assert!(store.stat(&key("a")).await.expect("a miss").is_none());
    server.outsider().delete_bucket().bucket(bucket).send().await.expect("the bucket goes");
    for error in [
        store.get(&key("a")).await.map(drop).expect_err("get"),
        store.stat(&key("a")).await.map(drop).expect_err("stat"),
        store.namespaces().await.map(drop).expect_err("namespaces"),
        store.list_all(&space().everything(), Depth::All).await.map(drop).expect_err("list"),
        store.apply(put("a", "value")).await.expect_err("apply"),
    ] {
        assert!(matches!(error, Error::Other { .. }), "{error:?}");
        assert!(format!("{error:?}").contains("NoSuchBucket"), "{error:?}");
    }
}

async fn encryption(server: Server) {
    let settings =
        Settings { encryption: Some(Encryption::Aes256), ..server.settings("encryption") };
    let store = S3::open(&settings).await.expect("a store");
    store.apply(put("a", "value")).await.expect("a write");
    let client = server.outsider();
    let head = client.head_object().bucket(&settings.bucket);
    let head = head.key(format!("{}/team/a", settings.key_prefix)).send().await.expect("a head");
    assert_eq!(head.server_side_encryption().map(|kind| kind.as_str()), Some("AES256"));
    assert_eq!(head.content_type(), Some("binary/octet-stream"));
}

async fn thousands(server: Server) {
    const KEYS: usize = 1203;
    let store = server.store("thousands").await;
    let mut batch = Batch::new(&space());
    for nth in 0..KEYS {
        batch.put(key(&format!("data/{nth:04}")), "v");
    }
    store.apply(batch).await.expect("the writes");
    let limit = NonZeroUsize::new(5000).expect("not zero");
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let prefix = space().everything();
        let query = List { prefix, depth: Depth::All, after, limit };
        let page = store.list(query).await.expect("a page");
        seen.extend(page.entries.into_iter().map(|entry| entry.key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..KEYS).map(|nth| key(&format!("data/{nth:04}"))).collect();
    assert_eq!(seen, expected);
    let before = store.requests();
    let mut batch = Batch::new(&space());
    for key in expected {
        batch.delete(key);
    }
    store.apply(batch).await.expect("the removals");
    assert!(store.namespaces().await.expect("namespaces").is_empty());
    let after = store.requests();
    let retries = after.retries - before.retries;
    assert_eq!(
        after.deletes - before.deletes - retries,
        2,
        "two requests of up to a thousand keys"
    );
}

async fn several_guards(server: Server) {
    let store = server.store("guards").await;
    store.apply(put("b", "there")).await.expect("a write");
    store.apply(put("c", "old")).await.expect("a write");
    let version = store.get(&key("c")).await.expect("a read").expect("a value").version;
    let mut batch = Batch::new(&space());
    batch.put_if(key("a"), "new", Expect::Absent);
    batch.put_if(key("c"), "new", Expect::At(version.clone()));
    batch.put_if(key("b"), "new", Expect::Absent);
    batch.put(key("d"), "free");
    match store.apply(batch).await {
        Err(Error::Conflict { key: named }) => assert_eq!(named, key("b")),
        other => panic!("{other:?}"),
    }
    assert!(store.get(&key("a")).await.expect("a read").is_none());
    assert!(store.get(&key("d")).await.expect("a read").is_none());
    let c = store.get(&key("c")).await.expect("a read").expect("a value");
    assert_eq!((c.bytes.as_ref(), c.version), (b"old".as_slice(), version));
}

async fn signed_address(server: Server) {
    let store = server.store("signed").await;
    store.apply(put("a b", "the value")).await.expect("a write");
    let kind = "application/octet-stream";
    let address = store.presign(&key("a b"), kind, Duration::from_secs(60)).await;
    let mut answer = ureq::get(address.expect("an address")).call().expect("an answer");
    assert_eq!(answer.headers()["content-type"], kind);
    assert_eq!(answer.body_mut().read_to_string().expect("a body"), "the value");
}

async fn lifecycle(server: Server) {
    let settings = Settings { bucket: server.bucket("lifecycle"), ..server.settings("rules") };
    let store = S3::open(&settings).await.expect("a store");
    assert!(store.rules().await.expect("rules").is_empty());
    assert!(!store.remove_rule().await.expect("nothing to remove"));
    // Of somebody else in the same bucket.
    let elsewhere = Settings { key_prefix: "elsewhere".to_owned(), ..settings };
    let other = S3::open(&elsewhere).await.expect("another store");
    other.set_rule(30).await.expect("a rule");
    store.set_rule(2).await.expect("a rule");
    store.set_rule(3).await.expect("the same rule with other days");
    let foreign = Rule { own: false, ..other.rule(30) };
    assert_eq!(store.rules().await.expect("rules"), [foreign.clone(), store.rule(3)]);
    assert!(store.remove_rule().await.expect("the rule goes"));
    assert_eq!(store.rules().await.expect("rules"), [foreign]);
    assert!(other.remove_rule().await.expect("the last rule goes"));
    assert!(store.rules().await.expect("rules").is_empty());
}

/// The battery writes such names, and the QA tier shares its bucket with others.
async fn cleaned_up(server: Server) {
    let run = server.of_another_run();
    let (store, others) = (run.store("mine").await, server.store("theirs").await);
    for path in ["a", "a b+c", "\u{fffe}/\u{ffff}", "%41&amp;<x>"] {
        store.apply(put(path, "mine")).await.expect("a write");
        others.apply(put(path, "theirs")).await.expect("a write");
    }
    let own = Settings { bucket: run.bucket("own"), ..run.settings("own") };
    S3::open(&own).await.expect("a bucket").apply(put("a", "b")).await.expect("a write");
    run.clean_up().await.expect("all of it goes");
    assert!(names(&run.outsider(), &run.settings("")).await.is_empty());
    let forbidden = Settings { create_bucket: false, ..own };
    // S3 may take a while to know that a bucket has gone.
    let mut tries = 0;
    while S3::open(&forbidden).await.is_ok() {
        tries += 1;
        assert!(tries < 60, "the bucket of the run is there");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let left = others.list_all(&space().everything(), Depth::All).await.expect("a listing");
    assert_eq!(left.0.len(), 4);
}
