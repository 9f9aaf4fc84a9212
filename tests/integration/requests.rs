//! What each call of the service costs in requests to S3. The table stands in the README.

use std::sync::Arc;

use larder::cache::Settings as CacheSettings;
use larder::http::Settings;
use larder::storage::s3::{Requests, S3};
use libtest_mimic::Trial;

use crate::it::harness::{Client, client_with};
use crate::server::Server;
use crate::trial;

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    let server = server.clone();
    vec![trial("requests::as_few_as_the_readme_says", async move || counted(server).await)]
}

struct Counter {
    store: S3,
    client: Client,
}

impl Counter {
    /// The requests of one call: reads, writes, deletes, lists.
    async fn cost(&self, method: &str, path: &str, body: &str) -> (String, [u64; 4]) {
        let before = self.store.requests();
        let headers = [("content-type", "application/json")];
        let reply = self.client.send(method, path, &headers, body.as_bytes().to_vec()).await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        let after = self.store.requests();
        assert_eq!(after.retries, before.retries, "a busy server: nothing can be counted");
        let all = |of: fn(&Requests) -> u64| of(&after) - of(&before);
        let cost = [all(|n| n.reads), all(|n| n.writes), all(|n| n.deletes), all(|n| n.lists)];
        (reply.text(), cost)
    }
}

async fn counted(server: Server) {
    let store = server.store("requests").await;
    let cache = CacheSettings { create_first: true, ..CacheSettings::default() };
    let client = client_with(Arc::new(store.clone()), cache, Settings::default());
    let counter = Counter { store, client };
    let readme = include_str!("../../README.md");
    let mut rows = String::new();
    let mut row = |call: &str, cost: [u64; 4]| {
        let [reads, writes, deletes, lists] = cost;
        rows.push_str(&format!("| {call} | {reads} | {writes} | {deletes} | {lists} |\n"));
    };

    let (stored, cost) =
        counter.cost("POST", "/cost/direct/store/json", r#"{"new": "content"}"#).await;
    row("store new content, direct", cost);
    assert!(cost[1] <= 5 && cost[2] == 0 && cost[3] == 0, "{cost:?}");
    let (again, cost) =
        counter.cost("POST", "/cost/direct/store/json", r#"{"new": "content"}"#).await;
    row("store the same content again, direct", cost);
    let (_, cost) =
        counter.cost("POST", "/cost/temporal_versioned/store/json/k", r#"{"more": 1}"#).await;
    row("store new content, temporal versioned", cost);
    let id = |text: &str| {
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        (
            json["cache_id"].as_str().expect("an id").to_owned(),
            json["cache_hash"].as_str().expect("a hash").to_owned(),
        )
    };
    let (first, hash) = id(&stored);
    let (second, _) = id(&again);
    let (_, cost) = counter.cost("GET", &format!("/cost/retrieve/{first}"), "").await;
    row("read by id", cost);
    assert!(cost[0] <= 3 && cost[1..] == [0, 0, 0], "{cost:?}");
    let (_, cost) = counter.cost("GET", &format!("/cost/retrieve/hash/{hash}/json"), "").await;
    row("read by hash", cost);
    let (_, cost) = counter.cost("GET", &format!("/cost/exists/hash/{hash}"), "").await;
    row("exists by hash", cost);
    let (_, cost) = counter.cost("DELETE", &format!("/cost/delete/{second}"), "").await;
    row("delete one of two versions", cost);
    let (_, cost) = counter.cost("DELETE", &format!("/cost/delete/{first}"), "").await;
    row("delete the last version", cost);
    let (_, cost) = counter.cost("GET", "/cost/stats", "").await;
    row("count a namespace", cost);
    assert!(readme.contains(&rows), "README.md should hold these rows:\n{rows}");
}
