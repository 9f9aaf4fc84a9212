//! The reference service's own hashes: what it computed for each of these inputs, we must too.

use larder::cache::digest::{self, Digest};
use larder::cache::pyjson::{self, Text, Value};

const VECTORS: &str = include_str!("../data/hash-vectors.json");

#[test]
fn every_vector_has_its_hash() {
    let document = pyjson::parse_str(VECTORS).unwrap();
    let vectors = list(&document, "vectors");
    assert_eq!(vectors.len(), 89);
    for vector in vectors {
        let name = string(vector, "name");
        let hash = hash(vector);
        match vector.get("hash") {
            Some(Value::Null) => {
                let error = hash.expect_err(&name);
                // What a path is refused for before it gets here is for the identifiers to test.
                if vector.get("http_status") == Some(&Value::from(500_u64)) {
                    assert_eq!(error, string(vector, "error"), "{name}");
                }
            }
            _ => assert_eq!(hash.expect(&name).as_str(), string(vector, "hash"), "{name}"),
        }
    }
}

#[test]
fn every_content_hash_vector_has_its_hash() {
    let document = pyjson::parse_str(VECTORS).unwrap();
    let vectors = list(&document, "content_hash_vectors");
    assert!(!vectors.is_empty());
    for vector in vectors {
        let hash = digest::content_hash(&bytes(vector, "stored_base64"));
        assert_eq!(hash.as_str(), string(vector, "content__hash"));
    }
}

fn hash(vector: &Value<'_>) -> Result<Digest, String> {
    match &*string(vector, "kind") {
        "string" => {
            Ok(digest::of_string(&Text::from(string(vector, "input"))).expect("no lone surrogates"))
        }
        "bytes" => Ok(digest::of_bytes(&bytes(vector, "input_base64"))),
        "gzip_binary" => Ok(digest::of_bytes(&bytes(vector, "decompressed_base64"))),
        "zip" => {
            let members = list(vector, "entries").iter();
            let members =
                members.map(|member| (string(member, "name"), bytes(member, "content_base64")));
            Ok(digest::of_members(members))
        }
        "json" => {
            let text = string(vector, "input_json_text");
            let json = pyjson::parse(text.as_bytes()).expect("JSON");
            if vector.get("exclude_fields").is_some() {
                let excluded = list(vector, "exclude_fields").iter().map(text_of);
                let excluded: Vec<String> = excluded.collect();
                let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
                return Ok(digest::of_json_excluding(&json, &excluded));
            }
            assert_eq!(json.to_canonical(), string(vector, "canonical"));
            Ok(digest::of_json(&json))
        }
        "json_field" => {
            let text = string(vector, "input_json_text");
            let json = pyjson::parse(text.as_bytes()).expect("JSON");
            // Paths are cleaned before they get here; of the vectors that only touches brackets.
            let path = string(vector, "json_field_path").replace(['[', ']'], "_");
            let hash = digest::of_json_field(&json, &path);
            if hash.is_ok() {
                let hashed = string(vector, "canonical");
                assert_eq!(hash, Ok(digest::of_bytes(hashed.as_bytes())));
            }
            hash.map_err(|error| error.to_string())
        }
        other => panic!("unknown kind of vector: {other}"),
    }
}

fn list<'v>(value: &'v Value<'_>, name: &str) -> &'v [Value<'v>] {
    match value.get(name) {
        Some(Value::List(items)) => items,
        other => panic!("{name} is {other:?}"),
    }
}

fn string(value: &Value<'_>, name: &str) -> String {
    text_of(value.get(name).expect(name))
}

fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => text.as_str().expect("no lone surrogates").to_owned(),
        other => panic!("{other:?} is not a string"),
    }
}

fn bytes(value: &Value<'_>, name: &str) -> Vec<u8> {
    from_base64(&string(value, name))
}

fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let mut pending = 0_u32;
    let mut bits = 0;
    for digit in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|&known| known == digit).expect("a digit");
        pending = pending << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((pending >> bits) as u8);
        }
    }
    bytes
}
