//! Odd corners of the protocol, found by asking the reference service and this one the same.

use rstest::rstest;
use serde_json::json;

use crate::harness::client;

/// Answers of the reference service that a client may meet in odd corners, found by asking both.
#[rstest]
#[case("GET", "/n/cache/<id>/data/exists/string/%20", "", 400, r#"{"detail":{"error_type":"INVALID_INPUT","message":"data_file_id is required to check existence"}}"#)]
#[case("DELETE", "/n/cache/<id>/data/delete/string/k/%20", "", 400, r#"{"detail":{"error_type":"INVALID_INPUT","message":"data_file_id is required to delete a specific data file"}}"#)]
#[case("GET", "/n/cache/<id>/data/json/%20", "", 404, r#"{"detail":{"error_type":"NOT_FOUND","message":"Data file not found","cache_id":"<id>","data_file_id":null}}"#)]
#[case("GET", "/n/cache/<id>/data/string/LONG/f", "", 404, "")]
#[case("GET", "/n/cache/<id>/data/list/LONG", "", 200, r#"{"cache_id":"<id>","namespace":"n","data_key":"LONG","file_count":0,"files":[],"total_size":0}"#)]
#[case("DELETE", "/n/cache/<id>/data/delete/all/LONG", "", 200, r#"{"status":"success","message":"No data files to delete","cache_id":"<id>","deleted_count":0,"data_key":"LONG","namespace":"n"}"#)]
#[case(
    "GET",
    "/admin/storage/file/json/caf%C3%A9",
    "",
    404,
    "{\n    \"error_type\": \"FILE_NOT_FOUND\",\n    \"resource\": \"file\",\n    \"message\": \"The requested file does not exist in storage\",\n    \"path\": \"caf\\u00e9\"\n}"
)]
#[tokio::test]
async fn odd_corners_answer_as_upstream_does(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] answer: &str,
) {
    let client = client();
    let stored = client.post_json("/n/direct/store/json", "{}").await.json();
    let id = stored["cache_id"].as_str().expect("an id");
    let fill = |text: &str| text.replace("<id>", id).replace("LONG", &"k".repeat(300));
    let headers = [("content-type", "application/json")];
    let reply = client.send(method, &fill(path), &headers, body.into()).await;
    assert_eq!((reply.status.as_u16(), reply.text()), (status, fill(answer)));
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_key_shows_in_the_configuration_alone() {
    let client = client();
    let stored = client.post_json("/n/key_based/store/json/x/?file_id=f", "{}").await.json();
    assert_eq!(stored["paths"]["data"][0], "n/data/key-based/x/f.json");
    let id = stored["cache_id"].as_str().expect("an id");
    let config = client.get(&format!("/n/retrieve/{id}/config")).await.json();
    assert_eq!(config["file_paths"], json!(["n/data/key-based/x/"]));
    let refs = client.get(&format!("/n/retrieve/{id}/refs")).await.json();
    assert_eq!(refs["file_paths"]["data_folders"], json!(["n/data/key-based/x/f/data"]));
}

#[tokio::test]
async fn emptiness_of_content_is_found_before_that_of_the_key() {
    let reply = client().post_json("/n/direct/store/string/%20", r#""""#).await;
    assert_eq!(reply.json()["detail"]["field_name"], "data");
    let reply = client().post_json("/n/direct/store/string/%20", r#""x""#).await;
    assert_eq!(reply.json()["detail"]["field_name"], "cache_key");
}

/// Only text without a byte order mark is looked at as JSON, and padding behind gzip is none.
#[rstest]
#[case(b"\xef\xbb\xbf{\"a\":1}", b"", "binary")]
#[case(b"{\0\"\0a\0\"\0:\x001\0}\0", b"", "binary")]
#[case(b"{\"a\":1}", b"\0\0\0", "json")]
#[tokio::test]
async fn compressed_content_is_json_only_as_plain_text(
    #[case] content: &[u8],
    #[case] padding: &[u8],
    #[case] data_type: &str,
) {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("written");
    let body = [encoder.finish().expect("finished").as_slice(), padding].concat();
    let client = client();
    let headers = [("content-encoding", "gzip")];
    let stored = client.send("POST", "/n/direct/store/binary", &headers, body).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    let id = stored.json()["cache_id"].as_str().expect("an id").to_owned();
    assert_eq!(client.get(&format!("/n/retrieve/{id}")).await.json()["data_type"], data_type);
    if data_type == "binary" {
        assert_eq!(client.get(&format!("/n/retrieve/{id}/binary")).await.body, content);
    }
}

#[rstest]
#[case("/docs")]
#[case("/openapi.json")]
#[case("/console/v0/v0.1/v0.1.3/index.html")]
#[tokio::test]
async fn pages_answer_head_and_say_so(#[case] path: &str) {
    let client = client();
    assert_eq!(client.send("HEAD", path, &[], Vec::new()).await.status, 200);
    let refused = client.send("PUT", path, &[], Vec::new()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.headers["allow"]),
        (405, &"GET, HEAD".parse().expect("a value"))
    );
}
