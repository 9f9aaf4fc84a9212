//! Reading scenarios, and statuses and headers against theirs.

use super::*;

fn response(text: &str) -> Response {
    Response::from_json(&Json::literal(text), &Modes::default())
        .unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[track_caller]
fn check(expected: &str, reply: &Reply, at: &[&str]) {
    let found = response(expected).differences(reply, &mut Variables::default());
    let places: Vec<&str> = found.iter().map(|difference| difference.at.as_str()).collect();
    assert_eq!(places, at, "{expected}");
}

#[test]
fn status_and_headers_are_exact() {
    let reply = Reply {
        status: 200,
        headers: vec![
            ("content-type".to_owned(), "text/plain".to_owned()),
            ("vary".to_owned(), "Origin".to_owned()),
        ],
        body: vec![],
    };
    check(r#"{"status": 200}"#, &reply, &[]);
    check(r#"{"status": 201}"#, &reply, &["(status)"]);
    check(r#"{"status": 200, "content_type": "text/plain"}"#, &reply, &[]);
    check(
        r#"{"status": 200, "content_type": "text/plain; charset=utf-8"}"#,
        &reply,
        &["(header content-type)"],
    );
    check(r#"{"status": 200, "content_type": "Text/plain"}"#, &reply, &["(header content-type)"]);
    check(r#"{"status": 200, "content_type": null}"#, &reply, &["(header content-type)"]);
    check(r#"{"status": 200, "headers": {"Vary": "{{string}}"}}"#, &reply, &[]);
    check(r#"{"status": 200, "headers": {"vary": "{{nobody}}"}}"#, &reply, &["(header vary)"]);
    check(r#"{"status": 200, "headers": {"vary": null}}"#, &reply, &["(header vary)"]);
    check(r#"{"status": 200, "headers": {"allow": null}}"#, &reply, &[]);
    check(r#"{"status": 200, "headers": {"allow": "GET"}}"#, &reply, &["(header allow)"]);
    check(r#"{"status": 404, "body": {"text": "x"}}"#, &reply, &["(status)", "(body)"]);
}

#[test]
fn a_missing_content_type_is_not_an_empty_one() {
    let reply = Reply { status: 204, headers: vec![], body: vec![] };
    check(r#"{"status": 204, "content_type": null, "body": {"empty": true}}"#, &reply, &[]);
    check(r#"{"status": 204, "content_type": ""}"#, &reply, &["(header content-type)"]);
}

#[test]
fn misspelt_scenarios_are_refused() {
    let step = r#"{"request": {"method": "GET", "path": "/"}, "response": {"status": 200}}"#;
    let scenario = |steps: &str| format!(r#"{{"name": "x", "steps": [{steps}]}}"#);
    let parsed = |text: &str| Scenario::from_json(&Json::literal(text));
    assert!(parsed(&scenario(step)).is_ok());
    for faulty in [
        r#"{"steps": []}"#.to_owned(),
        r#"{"name": "x", "steps": [], "require": ["auth"]}"#.to_owned(),
        r#"{"name": "x", "steps": [], "requires": ["luck"]}"#.to_owned(),
        scenario(&step.replace("\"method\"", "\"verb\"")),
        scenario(&step.replace("\"path\"", "\"auth\": 1, \"path\"")),
        scenario(&step.replace("200", "200.0")),
        scenario(&step.replace(
            "\"response\"",
            "\"capture\": {\"a\": \"/a\"}, \"matches\": {}, \"response\"",
        )),
        scenario(&step.replace("\"status\"", "\"header\": {}, \"status\"")),
    ] {
        assert!(parsed(&faulty).is_err(), "{faulty}");
    }
}

#[test]
fn alternatives_take_the_modes_of_the_step_unless_they_have_their_own() {
    let text = r#"{
        "request": {"method": "GET", "path": "/"},
        "response": {"status": 200, "body": {"json": []}},
        "match": {"": "unordered"},
        "alternatives": [
            {"why": "a", "status": 200, "body": {"json": [1, 2]}},
            {"why": "b", "status": 200, "body": {"json": [1, 2]}, "match": {}}
        ]
    }"#;
    let step = Step::from_json(&Json::literal(text)).unwrap_or_else(|e| panic!("{e}"));
    let reply = Reply { status: 200, headers: vec![], body: b"[2, 1]".to_vec() };
    let accepts =
        |response: &Response| response.differences(&reply, &mut Variables::default()).is_empty();
    let verdicts: Vec<bool> = step.responses.iter().map(accepts).collect();
    assert_eq!(verdicts, [false, true, false]);
}
