//! Servers with one planted bug each: the service behind a layer that bends calls or answers, or over
//! a store that bends writes. Each must be found by the property named for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt as _;
use larder::key::{Key, Namespace};
use larder::storage::memory::Memory;
use larder::storage::{Batch, Change, Expect, List, Object, Page, Promises, Result, Stat, Storage};
use tower::ServiceExt as _;

/// A planted bug and the property that must find it.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) killer: &'static str,
    bug: Bug,
}

#[derive(Clone, Copy, Debug)]
enum Bug {
    /// Rewrites the path before it is routed.
    Path(fn(&str) -> String),
    /// Rewrites what is stored.
    Sent(fn(Vec<u8>) -> Vec<u8>),
    /// Rewrites an answer, knowing the path it answers.
    Answer(fn(&str, Vec<u8>) -> Vec<u8>),
    /// Answers one status with another.
    Status(u16, u16),
    /// Remembers what was read by path, whatever happens after.
    Stale,
    /// Answers updates and does nothing.
    UpdateIsIgnored,
    /// Does to another entry of the same content what is asked of one.
    SiblingToo(&'static str),
    /// Looks an id up in every namespace.
    AnyNamespace,
    /// Shows the ids of the neighbour whose name is one `0` longer too.
    ListLeaks,
    /// Clears the neighbour whose name is one `0` longer too.
    ClearLeaks,
    /// Asks for no key on reads.
    ReadsAreOpen,
    /// Writes whatever another has written since.
    NoExpectations,
    /// Never deletes references by hash.
    HashesStay,
    /// Deletes the rest of the folder.
    FolderGoes,
}

const fn mutant(name: &'static str, killer: &'static str, bug: Bug) -> Mutant {
    Mutant { name, killer, bug }
}

pub(crate) const ALL: &[Mutant] = &[
    mutant(
        "namespaces lose their case",
        "H-29",
        Bug::Path(|path| on_first(path, str::to_lowercase)),
    ),
    mutant(
        "namespaces are cut at a length",
        "H-35",
        Bug::Path(|path| on_first(path, |name| name.chars().take(100).collect())),
    ),
    mutant(
        "`ns10` is `ns1`",
        "H-29",
        Bug::Path(|path| {
            on_first(path, |name| name.strip_suffix("10").map_or(name.into(), |n| format!("{n}1")))
        }),
    ),
    mutant(
        "dashes of namespaces become underscores",
        "H-29",
        Bug::Path(|path| on_first(path, |name| name.replace("-a", "_a"))),
    ),
    mutant("an id is looked up in any namespace", "H-31", Bug::AnyNamespace),
    mutant("keys lose their case", "H-33", Bug::Path(|path| path.replace("/A/", "/a/"))),
    mutant("concurrent stores overwrite the versions", "H-41", Bug::NoExpectations),
    mutant("a value once read is remembered", "H-09", Bug::Stale),
    mutant("updates are answered and not done", "H-09", Bug::UpdateIsIgnored),
    mutant("an update reaches another entry too", "H-10", Bug::SiblingToo("update")),
    mutant("a delete takes another version along", "H-13", Bug::SiblingToo("delete")),
    mutant("a delete takes the folder along", "H-13", Bug::FolderGoes),
    mutant("hashes stay when their last version goes", "H-22", Bug::HashesStay),
    mutant("a miss is a failure", "H-47", Bug::Status(404, 500)),
    mutant("a refusal is a failure", "H-49", Bug::Status(400, 500)),
    mutant("a missing key is a refusal", "H-53", Bug::Status(401, 403)),
    mutant("reads need no key", "H-53", Bug::ReadsAreOpen),
    mutant("lists show a neighbour's entries", "H-29", Bug::ListLeaks),
    mutant("clearing takes a neighbour along", "H-32", Bug::ClearLeaks),
    mutant("lists stop at a hundred", "H-40", Bug::Answer(first_hundred)),
    mutant("lists are not sorted", "H-36", Bug::Answer(reversed)),
    mutant(
        "floats become integers",
        "H-02",
        Bug::Answer(
            |path, body| {
                if path.ends_with("/json") { replaced(body, "1.0", "1") } else { body }
            },
        ),
    ),
    mutant("line ends are made alike", "H-01", Bug::Sent(|body| replaced(body, "\\r\\n", "\\n"))),
    mutant(
        "white space is trimmed",
        "H-01",
        Bug::Answer(
            |path, body| {
                if path.ends_with("/string") { body.trim_ascii().to_vec() } else { body }
            },
        ),
    ),
    mutant(
        "bytes are taken for text",
        "H-03",
        Bug::Sent(|body| String::from_utf8_lossy(&body).into_owned().into_bytes()),
    ),
    mutant(
        "values are cut at 64 KiB",
        "H-03",
        Bug::Sent(|mut body| {
            body.truncate(65_536);
            body
        }),
    ),
    mutant(
        "hashes are of something else",
        "H-17",
        Bug::Answer(|path, body| {
            if path.contains("/store/") {
                replaced(body, "\"cache_hash\":\"", "\"cache_hash\":\"0")
            } else {
                body
            }
        }),
    ),
    mutant(
        "everything exists",
        "H-47",
        Bug::Answer(|path, body| {
            if path.contains("/exists/") {
                replaced(body, "\"exists\":false", "\"exists\":true")
            } else {
                body
            }
        }),
    ),
    mutant(
        "counts are always one too many",
        "H-38",
        Bug::Answer(|path, body| {
            if path.ends_with("/stats") { replaced(body, "_files\":", "_files\":1") } else { body }
        }),
    ),
    mutant(
        "an unknown strategy is `direct`",
        "H-49",
        Bug::Path(|path| path.replace("/Direct/", "/direct/").replace("/latest/", "/direct/")),
    ),
    mutant("`..` in a key is taken out", "H-34", Bug::Path(|path| path.replace("/..", ""))),
    mutant("doubled slashes are taken out", "H-34", Bug::Path(|path| path.replace("//", "/"))),
    mutant(
        "child keys lose their slashes",
        "H-25",
        Bug::Path(|path| path.replace("/k/x/", "/kx/")),
    ),
    mutant("the latest version is the first", "H-21", Bug::Answer(first_is_latest)),
];

/// Applies a change to the first segment of a path.
fn on_first(path: &str, change: impl Fn(&str) -> String) -> String {
    let rest = path.trim_start_matches('/');
    let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
    // Routes of the server itself have no namespace.
    if !first.starts_with("lc-") {
        return path.to_owned();
    }
    format!("/{}/{rest}", change(first))
}

fn replaced(body: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    match String::from_utf8(body) {
        Ok(text) => text.replace(from, to).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

fn listed(path: &str, body: Vec<u8>, change: fn(Vec<String>) -> Vec<String>) -> Vec<u8> {
    if !path.ends_with("/file-ids") && !path.ends_with("/file-hashes") {
        return body;
    }
    serde_json::from_slice(&body)
        .map_or(body, |items| serde_json::to_vec(&change(items)).unwrap_or_default())
}

fn first_hundred(path: &str, body: Vec<u8>) -> Vec<u8> {
    listed(path, body, |mut items| {
        items.truncate(100);
        items
    })
}

fn reversed(path: &str, body: Vec<u8>) -> Vec<u8> {
    listed(path, body, |mut items| {
        items.reverse();
        items
    })
}

fn first_is_latest(path: &str, body: Vec<u8>) -> Vec<u8> {
    if !path.ends_with("/refs-hash") {
        return body;
    }
    let Ok(mut refs) = serde_json::from_slice::<serde_json::Value>(&body) else { return body };
    refs["latest_id"] = refs["cache_ids"][0]["cache_id"].clone();
    refs.to_string().into_bytes()
}

impl Mutant {
    /// The service with this bug.
    pub(crate) fn plant(&self) -> Router {
        let store: Arc<dyn Storage> = match self.bug {
            Bug::NoExpectations | Bug::HashesStay | Bug::FolderGoes => {
                Arc::new(Bent(Memory::new(), self.bug))
            }
            _ => Arc::new(Memory::new()),
        };
        let service = super::keyed(store);
        let layer = Layer { bug: self.bug, service: service.clone(), known: Arc::default() };
        service.layer(from_fn_with_state(layer, bend))
    }
}

/// What the layer in front of the service knows.
#[derive(Clone)]
struct Layer {
    bug: Bug,
    service: Router,
    /// Answers by path, or ids by the hash they were stored under.
    known: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Layer {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<String>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same call on another path.
    async fn also(&self, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let request = Request::builder().method(method).uri(path).header("x-api-key", "secret");
        let request = request.header("content-type", "application/json");
        let request = request.body(Body::from(body.to_vec())).expect("a request");
        let answer = self.service.clone().oneshot(request).await.expect("never fails");
        let status = answer.status();
        (status, read(answer.into_body()).await)
    }
}

async fn read(body: Body) -> Vec<u8> {
    body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default()
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

async fn bend(State(layer): State<Layer>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut sent = read(body).await;
    let path = parts.uri.path().to_owned();
    let whole = parts.uri.path_and_query().map_or(path.clone(), ToString::to_string);
    match layer.bug {
        Bug::Path(change) => {
            if let Ok(uri) = change(&whole).parse() {
                parts.uri = uri;
            }
        }
        Bug::Sent(change) if path.contains("/store/") => {
            sent = change(sent);
            parts.headers.remove("content-length");
        }
        Bug::Stale if parts.method == Method::GET && path.contains("/retrieve/") => {
            if let Some(known) = layer.known().get(&path) {
                return answer(StatusCode::OK, known.concat().into_bytes());
            }
        }
        Bug::UpdateIsIgnored if path.contains("/update/") => {
            let id = path.split('/').nth(3).unwrap_or_default();
            let refs = path.split("/update/").next().unwrap_or_default();
            let (_, refs) =
                layer.also(&Method::GET, &format!("{refs}/retrieve/{id}/refs"), b"").await;
            return answer(StatusCode::OK, refs);
        }
        Bug::ReadsAreOpen if parts.method == Method::GET => {
            parts.headers.insert("x-api-key", "secret".parse().expect("a value"));
        }
        Bug::ClearLeaks if path.starts_with("/test-data/clear/") => {
            layer.also(&parts.method, &format!("{path}0"), b"").await;
        }
        Bug::SiblingToo(what) if path.contains(&format!("/{what}/")) => {
            let ids: Vec<String> = layer.known().values().flatten().cloned().collect();
            let own = path.split('/').nth(3).unwrap_or_default();
            if let Some(other) = ids.iter().find(|id| *id != own && !path.contains(*id)) {
                layer.also(&parts.method, &path.replace(own, other), &sent).await;
            }
        }
        _ => {}
    }
    let method = parts.method.clone();
    let reply = next.run(Request::from_parts(parts, Body::from(sent))).await;
    let (mut head, body) = reply.into_parts();
    let mut told = read(body).await;
    let status = head.status.as_u16();
    match layer.bug {
        Bug::Answer(change) => told = change(&path, told),
        Bug::Status(from, to) if status == from => {
            head.status = StatusCode::from_u16(to).expect("a status");
        }
        Bug::Stale if method == Method::GET && status == 200 && path.contains("/retrieve/") => {
            let text = String::from_utf8_lossy(&told).into_owned();
            layer.known().insert(path, vec![text]);
        }
        Bug::SiblingToo(_) if path.contains("/store/") && !path.contains("/data/") => {
            if let Ok(stored) = serde_json::from_slice::<serde_json::Value>(&told) {
                let id = stored["cache_id"].as_str().unwrap_or_default().to_owned();
                let space = path.split('/').nth(1).unwrap_or_default().to_owned();
                let mut known = layer.known();
                // Of the namespace used last: ids of others would be a bug of another kind.
                known.retain(|name, _| *name == space);
                known.entry(space).or_default().push(id);
            }
        }
        Bug::ListLeaks if path.ends_with("/file-ids") => {
            let other = path.replace("/file-ids", "0/file-ids");
            let (_, more) = layer.also(&Method::GET, &other, b"").await;
            let mut all: Vec<String> = serde_json::from_slice(&told).unwrap_or_default();
            all.extend(serde_json::from_slice::<Vec<String>>(&more).unwrap_or_default());
            all.sort();
            told = serde_json::to_vec(&all).unwrap_or_default();
        }
        Bug::AnyNamespace if status == 404 && path.contains("/retrieve/") => {
            let shorter: String = path.trim_start_matches('/').to_owned();
            let (space, rest) = shorter.split_once('/').unwrap_or((&shorter, ""));
            let home = &space[..space.len() - 1];
            let (status, found) = layer.also(&method, &format!("/{home}/{rest}"), b"").await;
            return answer(status, found);
        }
        _ => {}
    }
    head.headers.remove("content-length");
    Response::from_parts(head, Body::from(told))
}

/// A store that bends writes.
#[derive(Debug)]
struct Bent(Memory, Bug);

#[async_trait]
impl Storage for Bent {
    fn promises(&self) -> Promises {
        self.0.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let found = self.0.get(key).await;
        // What is read is a little old by the time it is used.
        if matches!(self.1, Bug::NoExpectations) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        found
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.0.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let mut bent = Batch::new(batch.namespace());
        let mut folders = Vec::new();
        for step in batch.into_steps() {
            bent.then();
            for change in step {
                let hash = change.key().as_str().contains("/by-hash/");
                match change {
                    Change::Put { key, bytes, .. } if matches!(self.1, Bug::NoExpectations) => {
                        bent.put_if(key, bytes, Expect::Any);
                    }
                    Change::Put { key, bytes, expect } => bent.put_if(key, bytes, expect),
                    Change::Delete { .. } if hash && matches!(self.1, Bug::HashesStay) => {}
                    Change::Delete { key, expect } => {
                        if matches!(self.1, Bug::FolderGoes) && key.as_str().contains("/key-based/")
                        {
                            let (folder, _) = key.as_str().rsplit_once('/').unwrap_or_default();
                            folders.push(key.namespace().folder_from_physical(folder));
                        }
                        bent.delete_if(key, expect);
                    }
                }
            }
        }
        self.0.apply(bent).await?;
        for folder in folders.into_iter().flatten() {
            use larder::storage::StorageExt as _;
            let (entries, _) = self.0.list_all(&folder, larder::storage::Depth::All).await?;
            let mut rest = Batch::new(folder.namespace());
            entries.into_iter().for_each(|entry| rest.delete(entry.key));
            self.0.apply(rest).await?;
        }
        Ok(())
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.0.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.0.namespaces().await
    }
}
