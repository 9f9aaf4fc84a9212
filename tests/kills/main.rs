//! `kill -9` of the running service at random moments under load, on every store that keeps what it is
//! given: every acknowledged entry reads back whole, every reference resolves, nothing else errs.
//!
//! `LARDER_KILLS` is how often each store's service is killed: 10 unless it says otherwise.

#![cfg(feature = "server")]
#![expect(clippy::disallowed_methods, reason = "how often to kill comes from outside")]

mod load;
#[path = "../support/service.rs"]
mod service;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use load::{Dice, Entry, Writer};
use rstest::rstest;
use service::{Client, Service, larder};

const WRITERS: u64 = 4;

fn kills() -> u64 {
    let kills = std::env::var("LARDER_KILLS").ok();
    kills.map_or(10, |kills| kills.parse().expect("LARDER_KILLS is a count"))
}

fn start(home: &Path, mode: &str) -> Service {
    let mut command = larder(home);
    command
        .env("CACHE__SERVICE__STORAGE_MODE", mode)
        .env("CACHE__SERVICE__LOCAL_DISK_PATH", home.join("tree"))
        .env("CACHE__SERVICE__SQLITE_PATH", home.join("cache.sqlite"))
        .env("CACHE__SERVICE__ZIP_PATH", home.join("cache.zip"));
    let service = Service::start(command, Stdio::null());
    assert!(service.line.contains(&format!("store: {mode}")), "{}", service.line);
    service
}

#[rstest]
#[case::local_disk("local_disk")]
#[case::sqlite("sqlite")]
#[case::zip("zip")]
fn what_was_acknowledged_survives_kills(#[case] mode: &str) {
    let home = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(mode.len() as u64);
    let mut entries: Vec<Entry> = Vec::new();
    // What everybody stores: one content, so that its hash reference is what all contend for.
    let mut shared: Vec<String> = Vec::new();
    for round in 0..kills() {
        let service = start(home.path(), mode);
        let answered = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|nth| {
                let client = service.connect().expect("a connection");
                let dice = Dice(round * WRITERS + nth);
                let writer = Writer::new(client, dice, format!("{round}-{nth}"), &answered);
                thread::spawn(move || writer.run())
            })
            .collect();
        // A medium that is slow to sync gets the time it needs to be killed at something.
        let enough = 1 + dice.below(60);
        while answered.load(Ordering::Relaxed) < enough {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(dice.below(5_000)));
        service.signal("-KILL");
        let before = entries.len();
        for writer in writers {
            let (wrote, ids) = writer.join().expect("the writer");
            entries.extend(wrote);
            shared.extend(ids);
        }
        drop(service);
        let service = start(home.path(), mode);
        let mut client = service.connect().expect("a connection");
        for entry in &mut entries[before..] {
            entry.check(&mut client);
        }
        shared_is_whole(&mut client, &shared);
        service.signal("-KILL");
    }
    let acknowledged = entries.iter().filter(|entry| entry.acknowledged).count();
    assert!(acknowledged as u64 > kills(), "{mode}: {acknowledged} entries in {} rounds", kills());
    let mut service = start(home.path(), mode);
    let mut client = service.connect().expect("a connection");
    entries.iter_mut().for_each(|entry| entry.check(&mut client));
    shared_is_whole(&mut client, &shared);
    everything_resolves(&mut client);
    service.signal("-TERM");
    assert!(service.child.wait().expect("an end").success());
    eprintln!("{mode}: {} kills, {acknowledged} entries, {} of one content", kills(), shared.len());
}

fn get(client: &mut Client, path: &str) -> (u16, String) {
    client.send("GET", path, "").expect("an answer")
}

fn json(client: &mut Client, path: &str) -> serde_json::Value {
    let (status, body) = get(client, path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// The reference that all writers append to lists every acknowledged id.
fn shared_is_whole(client: &mut Client, ids: &[String]) {
    let Some(id) = ids.first() else { return };
    let hash = json(client, &format!("/shared/retrieve/{id}/refs"))["cache_hash"].clone();
    let hash = hash.as_str().expect("a hash");
    let reference = json(client, &format!("/shared/retrieve/hash/{hash}/refs-hash"));
    let listed = reference["cache_ids"].as_array().expect("a list");
    let listed: Vec<_> = listed.iter().filter_map(|item| item["cache_id"].as_str()).collect();
    for id in ids {
        assert!(listed.contains(&id.as_str()), "{id} is lost from {reference}");
    }
}

/// Every entry that is listed, acknowledged or not, is there and whole.
fn everything_resolves(client: &mut Client) {
    for space in ["own", "shared"] {
        let ids = json(client, &format!("/{space}/file-ids"));
        for id in ids.as_array().expect("a list") {
            let id = id.as_str().expect("an id");
            let (status, body) = get(client, &format!("/{space}/retrieve/{id}"));
            assert_eq!(status, 200, "{space}/{id}: {body}");
        }
        let hashes = json(client, &format!("/{space}/file-hashes"));
        for hash in hashes.as_array().expect("a list") {
            let hash = hash.as_str().expect("a hash");
            let (status, body) = get(client, &format!("/{space}/retrieve/hash/{hash}"));
            assert_eq!(status, 200, "{space}/{hash}: {body}");
        }
    }
}
