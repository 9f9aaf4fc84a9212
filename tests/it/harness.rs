//! A router of its own for every test, and a client that speaks to it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use larder::cache::{Cache, Settings as CacheSettings};
use larder::http::{ApiKey, Settings, router};
use larder::storage::blocking::Blocking;
use larder::storage::disk::Disk;
use larder::storage::memory::Memory;
use larder::storage::sqlite::Sqlite;
use larder::storage::zip::Zip;
use larder::storage::{Durability, Storage};
use tower::ServiceExt;

/// Opens a store in a folder. In files, without waiting for the medium, which is not what the API is
/// about.
pub type OpenStore = fn(&Path) -> Arc<dyn Storage>;

pub fn memory(_home: &Path) -> Arc<dyn Storage> {
    Arc::new(Memory::new())
}

pub fn local_disk(home: &Path) -> Arc<dyn Storage> {
    Arc::new(Blocking::new(Disk::open(home, Durability::Relaxed).expect("a store")))
}

pub fn sqlite(home: &Path) -> Arc<dyn Storage> {
    sqlite_at(&home.join("cache.sqlite"))
}

pub fn sqlite_at(file: &Path) -> Arc<dyn Storage> {
    Arc::new(Blocking::new(Sqlite::open(file, Durability::Relaxed).expect("a store")))
}

pub fn sqlite_in_memory(_home: &Path) -> Arc<dyn Storage> {
    Arc::new(Blocking::new(Sqlite::in_memory().expect("a store")))
}

pub fn zip(home: &Path) -> Arc<dyn Storage> {
    let file = home.join("cache.zip");
    Arc::new(Blocking::new(Zip::open(file, Durability::Relaxed).expect("a store")))
}

/// A fresh router on the memory store, with the name and the value of its key.
pub fn app() -> (Router, (String, String)) {
    app_over(Arc::new(Memory::new()))
}

/// A router on this store, with the name and the value of its key.
pub fn app_over(storage: Arc<dyn Storage>) -> (Router, (String, String)) {
    let key = ("X-API-Key".to_owned(), "secret".to_owned());
    let settings = Settings {
        key: Some(ApiKey::new(&key.0, &key.1)),
        // A server in a container on a busy machine takes its time.
        request_timeout: Duration::from_secs(120),
        ..Settings::default()
    };
    (router(Cache::new(storage, CacheSettings::default()), settings), key)
}

/// A client of a fresh, open router.
pub fn client() -> Client {
    client_with(Arc::new(Memory::new()), CacheSettings::default(), Settings::default())
}

/// A client of an open router over this store and with these settings.
pub fn client_with(storage: Arc<dyn Storage>, cache: CacheSettings, settings: Settings) -> Client {
    client_of(Cache::new(storage, cache), settings)
}

/// A client of an open router over this service.
pub fn client_of(cache: Cache, settings: Settings) -> Client {
    Client { router: router(cache, settings) }
}

/// Speaks to a router.
#[derive(Debug, Clone)]
pub struct Client {
    router: Router,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }
}

impl Client {
    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], Vec::new()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], Vec::new()).await
    }

    pub async fn post_json(&self, path: &str, json: &str) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, json.as_bytes().to_vec()).await
    }

    pub async fn post_bytes(&self, path: &str, bytes: &[u8]) -> Reply {
        let headers = [("content-type", "application/octet-stream")];
        self.send("POST", path, &headers, bytes.to_vec()).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("never fails");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }
}
