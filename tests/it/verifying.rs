//! Checks and repairs: the stores that the Python service wrote, and each kind of damage planted.

use std::collections::BTreeMap;
use std::sync::Arc;

use larder::cache::Settings as CacheSettings;
use larder::check::{self, Event, Finding, Kind, Options, Outcome, Repair, Summary};
use larder::http::Settings;
use larder::key::Key;
use larder::storage::memory::Memory;
use larder::storage::{Batch, Storage};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::command::larder;
use crate::copying::{STORES, everything, key, put};
use crate::harness::{self, Client, OpenStore, client_with};
use crate::old_stores::{self, Unpack};

/// Long after anything was stored.
const LATER: u64 = 4_000_000_000_000;

async fn checked(storage: &dyn Storage, repair: Repair) -> (Vec<Finding>, Summary) {
    let mut findings = Vec::new();
    let options = Options { repair, ..Options::new(LATER) };
    let mut keep = |event: Event<'_>| {
        if let Event::Found(finding) = event {
            findings.push(finding.clone());
        }
    };
    let summary = check::run(storage, &options, &mut keep).await.expect("checked");
    assert_eq!(summary.findings(), findings.len() as u64);
    (findings, summary)
}

fn kinds(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for finding in findings {
        *kinds.entry(finding.kind.name()).or_default() += 1;
    }
    kinds
}

/// What the Python service left in the sample stores: an entry that was stored over the files of
/// another does not list their side files. A repair mends that, and nothing else is touched.
#[rstest]
#[case::local_disk(old_stores::unpack_tree, harness::local_disk)]
#[case::sqlite(old_stores::copy_database, harness::sqlite)]
#[case::zip(old_stores::copy_archive, harness::zip)]
#[tokio::test]
async fn the_stores_of_the_python_service_have_the_damage_it_leaves(
    #[case] unpack: Unpack,
    #[case] open: OpenStore,
) {
    let home = tempdir().unwrap();
    unpack(home.path());
    let storage = open(home.path());
    let (findings, summary) = checked(&*storage, Repair::Nothing).await;
    assert_eq!(kinds(&findings), BTreeMap::from([("paths-incomplete", 1)]), "{findings:#?}");
    assert_eq!((summary.entries, summary.namespaces), (24, 2));
    let before = everything(&*storage).await;
    assert!(checked(&*storage, Repair::Orphans).await.1.sound());
    assert_eq!(checked(&*storage, Repair::Orphans).await.0, []);
    let after = everything(&*storage).await;
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
    assert_eq!((changed.count(), before.len()), (1, after.len()));
}

/// A store with some entries of every strategy; the ids, in the order stored.
async fn filled(storage: &Arc<dyn Storage>) -> (Client, Vec<String>) {
    let client = client_with(Arc::clone(storage), CacheSettings::default(), Settings::default());
    let mut ids = Vec::new();
    for strategy in ["direct", "temporal", "temporal_latest", "temporal_versioned", "key_based"] {
        for _ in 0..2 {
            let path = format!("/n/{strategy}/store/json/a/key");
            let stored = client.post_json(&path, r#"{"same":"content"}"#).await;
            ids.push(stored.json()["cache_id"].as_str().expect("an id").to_owned());
        }
    }
    let child = format!("/n/cache/{}/data/store/string/notes/one", ids[0]);
    assert_eq!(client.post_json(&child, r#""child""#).await.status, 200);
    (client, ids)
}

/// The store under test, and what damages it.
struct Patient {
    storage: Arc<dyn Storage>,
    ids: Vec<String>,
    client: Client,
}

impl Patient {
    async fn json(&self, key: &Key) -> Value {
        let object = self.storage.get(key).await.expect("an answer").expect("there");
        serde_json::from_slice(&object.bytes).expect("JSON")
    }

    async fn edit(&self, key: &Key, edit: impl FnOnce(&mut Value)) {
        let mut value = self.json(key).await;
        edit(&mut value);
        put(&*self.storage, key, &value.to_string()).await;
    }

    async fn delete(&self, key: &Key) {
        let mut batch = Batch::new(&key.namespace());
        batch.delete(key.clone());
        self.storage.apply(batch).await.expect("deleted");
    }

    fn entry(&self, nth: usize) -> Key {
        let id = &self.ids[nth];
        key("n", &format!("refs/by-id/{}/{}/{id}.json", &id[..2], &id[2..4]))
    }

    async fn hash(&self) -> Key {
        let reference = self.json(&self.entry(0)).await;
        physical(&reference["all_paths"]["by_hash"][0])
    }

    /// The content files of an entry.
    async fn contents(&self, nth: usize) -> Vec<Key> {
        let reference = self.json(&self.entry(nth)).await;
        let paths = reference["file_paths"]["content_files"].as_array().expect("paths");
        paths.iter().map(physical).collect()
    }
}

fn physical(path: &Value) -> Key {
    beside(path.as_str().expect("a path"), "")
}

fn beside(path: &str, suffix: &str) -> Key {
    key("n", &format!("{}{suffix}", path.strip_prefix("n/").expect("of the namespace")))
}

/// Damages a store in one way.
async fn plant(damage: &str, on: &Patient) {
    let hash = on.hash().await;
    let content = on.contents(0).await[0].to_string();
    match damage {
        "glued" => {
            let text = on.json(&hash).await.to_string();
            put(&*on.storage, &hash, &format!("{text}{}", &text[9..])).await;
        }
        "nonsense-hash" => put(&*on.storage, &hash, "\"total_versions\": 1\n}").await,
        "misnamed" => on.edit(&hash, |of| of["cache_hash"] = json!("0000000000000000")).await,
        "twice" => {
            on.edit(&hash, |of| {
                let first = of["cache_ids"][0].clone();
                of["cache_ids"].as_array_mut().expect("ids").push(first);
                of["total_versions"] = json!(11);
            })
            .await;
        }
        "count" => on.edit(&hash, |of| of["total_versions"] = json!(3)).await,
        "latest" => on.edit(&hash, |of| of["latest_id"] = json!("nobody")).await,
        "lists-missing" => {
            on.edit(&hash, |of| {
                let gone =
                    json!({"cache_id": "00000000-0000-4000-8000-000000000000", "timestamp": 1});
                of["cache_ids"].as_array_mut().expect("ids").insert(0, gone);
                of["total_versions"] = json!(11);
            })
            .await;
        }
        "lists-foreign" => {
            let other =
                on.client.post_json("/n/direct/store/json", r#"{"another":1}"#).await.json();
            on.edit(&hash, |of| {
                let foreign = json!({"cache_id": other["cache_id"], "timestamp": 1});
                of["cache_ids"].as_array_mut().expect("ids").insert(0, foreign);
                of["total_versions"] = json!(11);
            })
            .await;
        }
        "no-entries" => {
            let empty = json!({"cache_hash": "00aa000000000000", "cache_ids": [],
                "latest_id": "", "total_versions": 0});
            let key = key("n", "refs/by-hash/00/aa/00aa000000000000.json");
            put(&*on.storage, &key, &empty.to_string()).await;
        }
        "hash-missing" => on.delete(&hash).await,
        "lost" => {
            on.edit(&hash, |of| {
                of["cache_ids"].as_array_mut().expect("ids").drain(2..5);
                of["total_versions"] = json!(7);
            })
            .await;
        }
        "nonsense-hash-of-nobody" => {
            put(&*on.storage, &key("n", "refs/by-hash/00/aa/00aa000000000000.json"), "{").await;
        }
        "nonsense-entry" => put(&*on.storage, &on.entry(6), "{\"all_paths\": {").await,
        "content-missing" => {
            on.delete(&on.contents(2).await[0]).await;
        }
        "copy-missing" => {
            on.delete(&on.contents(6).await[0]).await;
        }
        "bytes-over-json" => put(&*on.storage, &beside(&content, ""), "\u{1}\u{2}").await,
        "metadata-missing" => on.delete(&beside(&content, ".metadata")).await,
        "config-missing" => on.delete(&beside(&content, ".config")).await,
        "unclean" => {
            on.edit(&on.entry(8), |of| {
                let text = of.to_string().replace("key-based/a/key", "key-based/a//key");
                *of = serde_json::from_str(&text).expect("JSON");
                of["file_paths"]["data_folders"] = json!([""]);
            })
            .await;
        }
        "no-folder" => {
            on.edit(&on.entry(8), |of| of["file_paths"]["data_folders"] = json!([""])).await;
        }
        "paths" => {
            on.edit(&on.entry(8), |of| {
                of["all_paths"]["data"] = of["file_paths"]["content_files"].clone();
            })
            .await;
        }
        "orphan" => {
            let lost = on.client.post_json("/n/direct/store/json", r#"{"another":1}"#).await.json();
            let id = lost["cache_id"].as_str().expect("an id").to_owned();
            let child = format!("/n/cache/{id}/data/store/string/one");
            assert_eq!(on.client.post_json(&child, r#""child""#).await.status, 200);
            let hash = physical(&lost["paths"]["by_hash"][0]);
            on.delete(&hash).await;
            on.delete(&physical(&lost["paths"]["by_id"][0])).await;
        }
        "left-child" => {
            put(&*on.storage, &key("n", "data/direct/ab/cd/abcd/data/c.txt"), "left").await;
        }
        "left-side-files" => {
            put(&*on.storage, &key("n", "data/direct/ab/cd/abcd.json.config"), "{}").await;
            put(&*on.storage, &key("n", "data/direct/ab/cd/abcd.json.metadata"), "{}").await;
        }
        other => panic!("no damage {other}"),
    }
}

/// Each kind of damage is found; a look changes nothing; a repair mends it and tells so; after it
/// nothing is found, and the service serves everything that was not lost.
#[rstest]
#[case("glued", &["hash-unreadable"], Repair::References)]
#[case("nonsense-hash", &["hash-unreadable", "version-lost"], Repair::References)]
#[case("nonsense-hash-of-nobody", &["hash-unreadable"], Repair::References)]
#[case("misnamed", &["hash-misnamed"], Repair::References)]
#[case("twice", &["duplicate-id"], Repair::References)]
#[case("count", &["wrong-count"], Repair::References)]
#[case("latest", &["wrong-latest"], Repair::References)]
#[case("lists-missing", &["lists-missing-entry"], Repair::References)]
#[case("lists-foreign", &["lists-foreign-entry"], Repair::References)]
#[case("no-entries", &["no-entries"], Repair::References)]
#[case("hash-missing", &["hash-missing"], Repair::References)]
#[case("lost", &["version-lost"], Repair::References)]
#[case("nonsense-entry", &["entry-unreadable"], Repair::References)]
#[case("content-missing", &["content-missing"], Repair::References)]
#[case("copy-missing", &["copy-missing"], Repair::References)]
#[case("bytes-over-json", &["content-unreadable"], Repair::References)]
#[case("metadata-missing", &["metadata-missing"], Repair::References)]
#[case("config-missing", &["config-missing"], Repair::References)]
#[case("unclean", &["no-data-folder", "unclean-path"], Repair::References)]
#[case("no-folder", &["no-data-folder"], Repair::References)]
#[case("paths", &["paths-incomplete"], Repair::References)]
#[case("orphan", &["orphan-child-data", "orphan-content"], Repair::Orphans)]
#[case("left-child", &["orphan-child-data"], Repair::Orphans)]
#[case("left-side-files", &["orphan-side-file"], Repair::Orphans)]
#[tokio::test]
async fn damage_is_found_and_repaired(
    #[case] damage: &str,
    #[case] expected: &[&str],
    #[case] needs: Repair,
) {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let (client, ids) = filled(&storage).await;
    let (findings, _) = checked(&*storage, Repair::Orphans).await;
    assert_eq!(findings, [], "sound to begin with");
    let patient = Patient { storage: Arc::clone(&storage), ids, client };
    plant(damage, &patient).await;

    let before = everything(&*storage).await;
    let (findings, summary) = checked(&*storage, Repair::Nothing).await;
    assert_eq!(kinds(&findings).into_keys().collect::<Vec<_>>(), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.outcome == Outcome::Repairable), "{findings:?}");
    assert!(!summary.sound());
    assert_eq!(everything(&*storage).await, before, "a look changes nothing");

    if needs == Repair::Orphans {
        let (_, summary) = checked(&*storage, Repair::References).await;
        assert!(!summary.sound());
        assert_eq!(everything(&*storage).await, before, "content stays unless told otherwise");
    }
    let (findings, summary) = checked(&*storage, needs).await;
    assert!(findings.iter().all(|finding| finding.outcome == Outcome::Repaired), "{findings:#?}");
    assert!(summary.sound());
    let (findings, summary) = checked(&*storage, Repair::Orphans).await;
    assert_eq!((findings, summary.sound()), (vec![], true), "sound after the repair");

    for (nth, id) in patient.ids.iter().enumerate() {
        let reply = patient.client.get(&format!("/n/retrieve/{id}/json")).await;
        let lost = damage == "content-missing" && nth == 2;
        assert_eq!(reply.status, if lost { 404 } else { 200 }, "{nth}: {}", reply.text());
    }
    let hash = patient.json(&patient.entry(0)).await["cache_hash"].clone();
    let hash = hash.as_str().expect("a hash");
    let listed = patient.client.get(&format!("/n/retrieve/hash/{hash}/refs-hash")).await.json();
    let left = if damage == "content-missing" { 9 } else { 10 };
    assert_eq!(listed["total_versions"], left, "{listed}");
    let versions = listed["cache_ids"].as_array().expect("ids");
    assert_eq!(versions.len(), left);
    // Several are stored within one millisecond.
    let newest = versions.iter().filter_map(|version| version["timestamp"].as_u64()).max();
    let latest = versions.iter().find(|version| version["cache_id"] == listed["latest_id"]);
    assert_eq!(latest.expect("listed")["timestamp"].as_u64(), newest);
    let child = format!("/n/cache/{}/data/string/notes/one", patient.ids[0]);
    assert_eq!(patient.client.get(&child).await.text(), "child");
    let deleted = patient.client.delete(&format!("/n/delete/{}", patient.ids[8])).await.json();
    assert_eq!(deleted["status"], "success", "{deleted}");
}

/// Content that was stored just now may be of a store under way.
#[tokio::test]
async fn young_content_is_no_orphan() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let (client, ids) = filled(&storage).await;
    let patient = Patient { storage: Arc::clone(&storage), ids, client };
    plant("orphan", &patient).await;
    let before = everything(&*storage).await;
    let stored_at = patient.json(&patient.entry(0)).await["timestamp"].as_u64().expect("a time");
    let options = Options { repair: Repair::Orphans, ..Options::new(stored_at + 60_000) };
    let summary = check::run(&*storage, &options, &mut |_| {}).await.expect("checked");
    assert_eq!((summary.findings(), summary.young), (0, 1));
    assert_eq!(everything(&*storage).await, before);
}

/// Every kind of damage has a name and a place in the report of its own.
#[test]
fn kinds_have_names_of_their_own() {
    let names: BTreeMap<_, _> =
        Kind::ALL.iter().map(|kind| (kind.name(), *kind as usize)).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    assert!(Kind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
}

/// The binary reports in JSON or in words, and its status tells.
#[tokio::test]
async fn the_command_checks_and_repairs_every_store() {
    for (open, kind, name) in STORES {
        let home = tempdir().unwrap();
        let place = if kind == "disk" { home.path().join(name) } else { home.path().to_owned() };
        {
            let storage = open(&place);
            let (client, ids) = filled(&storage).await;
            let patient = Patient { storage, ids, client };
            plant("lost", &patient).await;
            plant("no-folder", &patient).await;
        }
        let store = format!("{kind}:{}", home.path().join(name).display());
        let run = |more: &[&str]| {
            let output = larder().args(["verify", "--store", &store]).args(more).output();
            let output = output.expect("the binary runs");
            let said = String::from_utf8(output.stdout).expect("text");
            (output.status.code(), said)
        };
        let (status, said) = run(&["--json"]);
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(status, Some(1), "{said}");
        let found = said["findings"].as_array().expect("findings");
        assert!(found.iter().all(|finding| finding["outcome"] == "repairable"), "{said}");
        let counted = json!({"version-lost": 3, "no-data-folder": 1});
        assert_eq!(said["summary"]["kinds"], counted);
        assert_eq!(said["summary"]["sound"], false);

        let (status, said) = run(&["--namespace", "n", "--repair"]);
        assert!(status == Some(0) && said.contains("4 findings, 4 repaired"), "{said}");
        let (status, said) = run(&[]);
        assert!(status == Some(0) && said.ends_with("sound\n"), "{said}");
    }
}

#[rstest]
#[case(&["--store", "memory"], "own process's alone")]
#[case(&["--store", "sqlite:/nowhere/x.db"], "there is no store at")]
#[case(&["--repair=everything"], "possible values: references, orphans")]
#[case(&[], "own process's alone")]
fn the_command_says_when_it_cannot_check(#[case] arguments: &[&str], #[case] says: &str) {
    let output = larder().arg("verify").args(arguments).output().expect("the binary runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(2) && said.contains(says), "{said}");
}
