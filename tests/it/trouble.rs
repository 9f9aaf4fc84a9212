//! The service over a store in trouble: slow, failing, full. Trouble is never a miss.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use larder::cache::Settings as CacheSettings;
use larder::http::Settings;
use larder::key::{Key, Namespace};
use larder::storage::memory::Memory;
use larder::storage::{Batch, Error, List, Object, Page, Promises, Result, Stat, Storage};
use rstest::rstest;

use crate::harness::{Client, client_with};

/// What the store does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Slow,
    Unavailable,
    Broken,
    Full,
}

/// A store in trouble.
#[derive(Debug)]
struct Troubled {
    store: Memory,
    trouble: Trouble,
}

impl Troubled {
    async fn fail<T>(&self) -> Result<T> {
        match self.trouble {
            Trouble::Slow => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Err(Error::Other { backend: "test", source: "too late".into() })
            }
            Trouble::Unavailable => {
                Err(Error::Unavailable { backend: "test", source: "no answer".into() })
            }
            Trouble::Broken => Err(Error::Other { backend: "test", source: "secret cause".into() }),
            Trouble::Full => Err(Error::Full { backend: "test", needed: 1 }),
        }
    }
}

#[async_trait]
impl Storage for Troubled {
    fn promises(&self) -> Promises {
        self.store.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        if self.trouble == Trouble::Full { self.store.get(key).await } else { self.fail().await }
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        if self.trouble == Trouble::Full { self.store.stat(key).await } else { self.fail().await }
    }

    async fn apply(&self, _: Batch) -> Result<()> {
        self.fail().await
    }

    async fn list(&self, query: List) -> Result<Page> {
        if self.trouble == Trouble::Full { self.store.list(query).await } else { self.fail().await }
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.fail().await
    }
}

fn client(trouble: Trouble) -> Client {
    let storage = Arc::new(Troubled { store: Memory::new(), trouble });
    let settings = Settings { request_timeout: Duration::from_millis(50), ..Settings::default() };
    client_with(storage, CacheSettings::default(), settings)
}

#[rstest]
#[case(Trouble::Slow, 503, Some("1"))]
#[case(Trouble::Unavailable, 503, Some("1"))]
#[case(Trouble::Broken, 500, None)]
#[tokio::test]
async fn trouble_is_never_a_miss(
    #[case] trouble: Trouble,
    #[case] status: u16,
    #[case] retry_after: Option<&str>,
) {
    let client = client(trouble);
    let id = "00000000-0000-4000-8000-000000000000";
    for path in [
        format!("/n/retrieve/{id}"),
        format!("/n/retrieve/{id}/string"),
        "/n/retrieve/hash/0123456789abcdef".to_owned(),
        format!("/n/exists/id/{id}"),
        format!("/n/cache/{id}/data/string/child"),
        "/n/file-ids".to_owned(),
        "/namespaces/list".to_owned(),
    ] {
        let reply = client.get(&path).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
        let header = reply.headers.get("retry-after").map(|value| value.to_str().expect("text"));
        assert_eq!(header, retry_after, "{path}");
        assert!(!reply.text().contains("secret cause"), "{}", reply.text());
    }
    let stored = client.post_json("/n/direct/store/string", r#""x""#).await;
    assert_eq!(stored.status.as_u16(), status);
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn a_full_store_says_so() {
    let client = client(Trouble::Full);
    let stored = client.post_json("/n/direct/store/string", r#""x""#).await;
    assert_eq!(stored.status, 507, "{}", stored.text());
}

/// A store in which someone else is first, once: the batch that waits is applied before the next one.
#[derive(Debug)]
struct Overtaken {
    store: Memory,
    waiting: Mutex<Option<Batch>>,
}

#[async_trait]
impl Storage for Overtaken {
    fn promises(&self) -> Promises {
        self.store.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.store.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.store.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let first = self.waiting.lock().expect("no panic").take();
        if let Some(first) = first {
            self.store.apply(first).await?;
        }
        self.store.apply(batch).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.store.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.store.namespaces().await
    }
}

/// The last version of a hash that is deleted while another one is stored is not the last one.
#[tokio::test]
async fn a_delete_that_was_overtaken_reports_what_it_did_in_the_end() {
    let storage = Arc::new(Overtaken { store: Memory::new(), waiting: Mutex::new(None) });
    let shared = Arc::<Overtaken>::clone(&storage);
    let client = client_with(shared, CacheSettings::default(), Settings::default());
    let stored = client.post_json("/n/direct/store/string", r#""x""#).await.json();
    let id = stored["cache_id"].as_str().expect("an id");
    let by_hash = stored["paths"]["by_hash"][0].as_str().expect("a path");
    let mut reference = client.get(&format!("/admin/storage/file/json/{by_hash}")).await.json();
    let other = "00000000-0000-4000-8000-00000000000b";
    let versions = reference["cache_ids"].as_array_mut().expect("versions");
    versions.push(serde_json::json!({"cache_id": other, "timestamp": 1}));

    let namespace = Namespace::clean("n").expect("a namespace");
    let mut first = Batch::new(&namespace);
    let key = namespace.key_from_physical(by_hash).expect("a key");
    first.put(key, reference.to_string());
    *storage.waiting.lock().expect("no panic") = Some(first);

    let deleted = client.delete(&format!("/n/delete/{id}")).await.json();
    assert_eq!(deleted["deleted_count"], 4, "{deleted}");
    let left = client.get(&format!("/admin/storage/file/json/{by_hash}")).await.json();
    assert_eq!((&left["total_versions"], &left["latest_id"]), (&1.into(), &other.into()));
}
