//! Hostile names through the API: whatever a client sends, its answer is one the contract knows, and
//! nothing it does shows in another namespace.

use proptest::prelude::*;
use serde_json::json;

use crate::harness::client;

fn encode(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("..".to_owned()),
        Just("/".to_owned()),
        Just("//".to_owned()),
        Just("\\".to_owned()),
        Just("\0".to_owned()),
        Just("\n".to_owned()),
        Just("%2e".to_owned()),
        Just("e\u{301}".to_owned()),
        Just("ns1".to_owned()),
        Just("ns10".to_owned()),
        Just("data".to_owned()),
        Just("refs".to_owned()),
        Just("x".repeat(300)),
        "[ -~]{0,6}",
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_hostile_reaches_the_neighbours(
        namespace in hostile(), key in hostile(), file_id in hostile(), child in hostile(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = client();
            for neighbour in ["ns", "ns1", "ns10", "ns_1"] {
                let path = format!("/{neighbour}/key_based/store/json/k?file_id=f");
                assert_eq!(client.post_json(&path, "{}").await.status, 200);
            }
            let namespace = format!("victim{namespace}");
            let (space, key) = (encode(&namespace), encode(&key));
            let path = format!("/{space}/key_based/store/json/{key}?file_id={}", encode(&file_id));
            let stored = client.post_json(&path, r#"{"v":1}"#).await;
            assert!([200, 400, 404, 405].contains(&stored.status.as_u16()), "{} {path}", stored.status);
            if stored.status == 200 {
                let stored = stored.json();
                let space = stored["namespace"].as_str().expect("a namespace");
                let id = stored["cache_id"].as_str().expect("an id");
                for path in stored["paths"]["data"].as_array().expect("paths") {
                    let path = path.as_str().expect("a path");
                    assert!(path.starts_with(&format!("{space}/data/key-based/")), "{path}");
                    assert!(!path.split('/').any(|s| matches!(s, "" | "." | "..")), "{path}");
                }
                let child = format!("/{space}/cache/{id}/data/store/string/{}/c", encode(&child));
                let status = client.post_json(&child, r#""x""#).await.status.as_u16();
                assert!([200, 400, 404].contains(&status), "{status} {child}");
                client.delete(&format!("/{space}/cache/{id}/data/delete/all")).await;
                client.delete(&format!("/{space}/delete/{id}")).await;
                client.delete(&format!("/test-data/clear/{space}")).await;
            }
            for neighbour in ["ns", "ns1", "ns10", "ns_1"] {
                let files = client.get(&format!("/admin/storage/files/all/{neighbour}")).await.json();
                assert_eq!(files["file_count"], 5, "{neighbour}");
            }
            let known = ["ns", "ns1", "ns10", "ns_1"];
            assert_eq!(client.get("/namespaces/list").await.json(), json!(known));
        });
    }
}
