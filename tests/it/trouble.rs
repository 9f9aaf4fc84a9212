//! The service over a store in trouble: slow, failing, full. Trouble is never a miss.

use std::sync::Arc;
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
