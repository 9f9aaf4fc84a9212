//! Stores written by the Python service open and serve: asked for everything their manifests list,
//! through the API.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use larder::cache::Settings as CacheSettings;
use larder::http::Settings;
use rstest::rstest;
use serde_json::Value;

use crate::harness::{self, Client, OpenStore, client_with};

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Asks for content and compares it with what the manifest expects.
async fn check(client: &Client, base: &str, name: &str, expected: &Value) {
    let (form, wanted) = if let Some(text) = expected.get("text") {
        ("string", text.as_str().expect("text").as_bytes().to_vec())
    } else if let Some(encoded) = expected.get("base64") {
        ("binary", BASE64.decode(encoded.as_str().expect("text")).expect("Base64"))
    } else {
        let json = client.get(&format!("{base}/json{name}")).await;
        assert_eq!(json.json(), expected["json"], "{base}");
        return;
    };
    let reply = client.get(&format!("{base}/{form}{name}")).await;
    assert_eq!((reply.status.as_u16(), reply.body), (200, wanted), "{base}/{form}{name}");
}

/// Puts a store that the Python service wrote into a folder.
pub type Unpack = fn(&Path);

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn unpack_tree(home: &Path) {
    let archive = data("local-disk.tar");
    let unpacked = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(home).status();
    assert!(unpacked.expect("tar runs").success());
}

pub fn copy_database(home: &Path) {
    std::fs::copy(data("cache.sqlite"), home.join("cache.sqlite")).expect("a copy");
}

pub fn copy_archive(home: &Path) {
    std::fs::copy(data("cache.zip"), home.join("cache.zip")).expect("a copy");
}

#[rstest]
#[case::local_disk(unpack_tree, harness::local_disk, "local-disk.manifest.json")]
#[case::sqlite(copy_database, harness::sqlite, "sqlite.manifest.json")]
#[case::zip(copy_archive, harness::zip, "zip.manifest.json")]
#[tokio::test]
async fn a_store_of_the_python_service_serves(
    #[case] unpack: fn(&Path),
    #[case] open: OpenStore,
    #[case] manifest: &str,
) {
    let home = tempfile::tempdir().expect("a folder");
    unpack(home.path());
    let storage = open(home.path());
    let client = client_with(storage, CacheSettings::default(), Settings::default());

    let manifest = std::fs::read(data(manifest)).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("a manifest");
    let list = |name: &str| manifest[name].as_array().cloned().expect("a list");
    assert_eq!(list("entries").len(), 24);
    for entry in list("entries") {
        let (namespace, id) = (text(&entry, "namespace"), text(&entry, "cache_id"));
        let base = format!("/{namespace}/retrieve/{id}");
        check(&client, &base, "", &entry["expected"]).await;
        assert_eq!(client.get(&format!("{base}/metadata")).await.json(), entry["metadata"]);
        assert_eq!(client.get(&base).await.json()["data_type"], entry["data_type"]);
        for child in entry["children"].as_array().into_iter().flatten() {
            let key = Some(text(child, "data_key")).filter(|key| !key.is_empty());
            let key = key.map(|key| format!("/{key}")).unwrap_or_default();
            let base = format!("/{namespace}/cache/{id}/data");
            let name = format!("{key}/{}", text(child, "data_file_id"));
            check(&client, &base, &name, &child["expected"]).await;
        }
    }
    for gone in list("deleted") {
        let (namespace, id) = (text(&gone, "namespace"), text(&gone, "cache_id"));
        assert_eq!(client.get(&format!("/{namespace}/retrieve/{id}")).await.status, 404);
        if gone["hash_removed"] == true {
            let path = format!("/{namespace}/exists/hash/{}", text(&gone, "cache_hash"));
            assert_eq!(client.get(&path).await.json()["exists"], false);
        }
    }
    for reference in list("hash_refs") {
        let (namespace, hash) = (text(&reference, "namespace"), text(&reference, "cache_hash"));
        let path = format!("/{namespace}/retrieve/hash/{hash}/refs-hash");
        let found = client.get(&path).await.json();
        assert_eq!(found["latest_id"], reference["latest_id"]);
        assert_eq!(found["total_versions"], reference["total_versions"]);
        let ids = found["cache_ids"].as_array().expect("ids").iter();
        let ids: Vec<&Value> = ids.map(|version| &version["cache_id"]).collect();
        assert_eq!(ids, reference["cache_ids"].as_array().expect("ids").iter().collect::<Vec<_>>());
    }
    for (namespace, listed) in manifest["namespaces"].as_object().expect("namespaces") {
        let ids = client.get(&format!("/{namespace}/file-ids")).await.json();
        assert_eq!(ids, listed["file_ids"]);
        let hashes = client.get(&format!("/{namespace}/file-hashes")).await.json();
        assert_eq!(hashes, listed["file_hashes"]);
    }
}
