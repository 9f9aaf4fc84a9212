//! Whole scenarios against a scripted server.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;

use super::json::Json;
use super::*;

/// Answers with prepared bodies and keeps what was asked.
#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    sent: Mutex<Vec<String>>,
}

impl Script {
    fn of(bodies: &[&str]) -> Self {
        let headers = vec![("x-id".to_owned(), "h1".to_owned())];
        let reply = |body: &&str| Reply {
            status: 200,
            headers: headers.clone(),
            body: body.as_bytes().to_vec(),
        };
        Self { replies: Mutex::new(bodies.iter().map(reply).collect()), sent: Mutex::default() }
    }

    fn sent(self) -> Vec<String> {
        self.sent.into_inner().expect("no test panics while it holds the lock")
    }
}

impl Transport for Script {
    async fn send(
        &self,
        method: &str,
        raw_target: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> io::Result<Reply> {
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
        let line =
            format!("{method} {raw_target} {headers:?} {}", body.unwrap_or_else(|| "-".to_owned()));
        self.sent.lock().expect("no panic under this lock").push(line);
        let next = self.replies.lock().expect("no panic under this lock").pop_front();
        next.ok_or_else(|| io::Error::other("no reply left"))
    }
}

fn scenario(members: &str) -> Scenario {
    let text = format!("{{\"name\": \"s\", {members}}}");
    Scenario::from_json(&Json::literal(&text)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn api_key() -> (String, String) {
    ("X-Key".to_owned(), "secret".to_owned())
}

#[track_caller]
fn assert_places(mismatches: &[Mismatch], expected: &[(&str, &str)]) {
    let places: Vec<_> =
        mismatches.iter().map(|m| (m.step.as_str(), m.difference.at.as_str())).collect();
    assert_eq!(places, expected);
}

#[tokio::test]
async fn requests_are_built_as_written() {
    let scenario = scenario(
        r#""vars": {"ns": "g{{run}}x", "deep": "{{ns}}/y"}, "steps": [
        {"request": {"method": "GET", "path": "/{{deep}}/../a%20b?x", "auth": false},
         "response": {"status": 200}},
        {"request": {"method": "GET", "path": "/q", "query": {"a b": "{{ns}}/é", "n": 1}},
         "response": {"status": 200}},
        {"request": {"method": "GET", "path": "/q", "query": [["a", "1"], ["a", "2"]]},
         "response": {"status": 200}},
        {"request": {"method": "POST", "path": "/j", "auth": false, "body": {"json": {"n":[1,1.0]}}},
         "response": {"status": 200}},
        {"request": {"method": "POST", "path": "/j", "auth": false,
                     "headers": {"content-TYPE": "a/{{run}}"}, "body": {"json": "x"}},
         "response": {"status": 200}},
        {"request": {"method": "POST", "path": "/t", "auth": false,
                     "headers": {"Cookie": "{{auth_name}}={{auth_value}}"}, "body": {"text": "t"}},
         "response": {"status": 200}},
        {"request": {"method": "GET", "path": "/k", "headers": {"x-key": "other"}},
         "response": {"status": 200}}]"#,
    );
    let script = Script::of(&[""; 7]);
    assert_places(&replay(&script, &scenario, "0a", Some(&api_key())).await, &[]);
    assert_eq!(
        script.sent(),
        [
            r#"GET /g0ax/y/../a%20b?x [] -"#,
            r#"GET /q?a%20b=g0ax%2F%C3%A9&n=1 ["X-Key: secret"] -"#,
            r#"GET /q?a=1&a=2 ["X-Key: secret"] -"#,
            r#"POST /j ["Content-Type: application/json"] {"n": [1, 1.0]}"#,
            r#"POST /j ["content-TYPE: a/0a"] "x""#,
            r#"POST /t ["Cookie: X-Key=secret"] t"#,
            r#"GET /k ["x-key: other"] -"#,
        ]
    );
}

#[tokio::test]
async fn captures_reach_later_steps() {
    let scenario = scenario(
        r#""steps": [
        {"request": {"method": "GET", "path": "/1"}, "response": {"status": 200},
         "capture": {"id": "/a/0/id", "n": "/n", "h": "header:X-Id"}},
        {"request": {"method": "GET", "path": "/{{id}}/{{n}}/{{h}}"},
         "response": {"status": 200, "body": {"text": "{{id}}"}}}]"#,
    );
    let first = r#"{"a": [{"id": "i1"}], "n": 7}"#;
    let script = Script::of(&[first, "i1"]);
    assert_places(&replay(&script, &scenario, "0a", None).await, &[]);
    assert_eq!(script.sent()[1], "GET /i1/7/h1 [] -");

    let script = Script::of(&[first, "i2"]);
    assert_places(
        &replay(&script, &scenario, "0a", None).await,
        &[("s step 2 GET /{{id}}/{{n}}/{{h}}", "(body)")],
    );
}

#[tokio::test]
async fn a_missing_capture_shows_where_it_is_made_and_used() {
    let scenario = scenario(
        r#""steps": [
        {"note": "made", "request": {"method": "GET", "path": "/1"}, "response": {"status": 200},
         "capture": {"id": "/id", "h": "header:X-None"}},
        {"request": {"method": "GET", "path": "/{{id}}"}, "response": {"status": 200}},
        {"request": {"method": "GET", "path": "/3"}, "response": {"status": 200}}]"#,
    );
    let script = Script::of(&["not json", "", ""]);
    let mismatches = replay(&script, &scenario, "0a", None).await;
    assert_places(
        &mismatches,
        &[
            ("s step 1 GET /1 (made)", "/id"),
            ("s step 1 GET /1 (made)", "(header X-None)"),
            ("s step 2 GET /{{id}}", "(request)"),
        ],
    );
    assert_eq!(script.sent().len(), 2);
}

const ALTERNATIVES: &str = r#""steps": [
    {"request": {"method": "GET", "path": "/"},
     "response": {"status": 200, "body": {"json": {"id": "{{hex:id}}", "upstream": true}}},
     "alternatives": [
       {"why": "a", "status": 400},
       {"why": "b", "status": 200, "body": {"json": {"id": "{{hex:id}}", "upstream": false}}}]},
    {"request": {"method": "GET", "path": "/{{id}}"}, "response": {"status": 200}}]"#;

#[tokio::test]
async fn any_alternative_will_do() {
    for upstream in [true, false] {
        let script = Script::of(&[&format!(r#"{{"id": "ab", "upstream": {upstream}}}"#), ""]);
        assert_places(&replay(&script, &scenario(ALTERNATIVES), "0a", None).await, &[]);
        assert_eq!(script.sent()[1], "GET /ab [] -");
    }
}

#[tokio::test]
async fn without_a_matching_alternative_the_recorded_response_is_reported() {
    let script = Script::of(&[r#"{"id": "ab", "upstream": null}"#, ""]);
    let mismatches = replay(&script, &scenario(ALTERNATIVES), "0a", None).await;
    assert_places(&mismatches, &[("s step 1 GET /", "/upstream")]);
    let report =
        "MISMATCH s step 1 GET /\n    at       /upstream\n    expected true\n    actual   null";
    assert_eq!(mismatches[0].to_string(), report);
}

#[tokio::test]
async fn no_reply_is_a_mismatch_and_the_scenario_goes_on() {
    let mismatches = replay(&Script::default(), &scenario(ALTERNATIVES), "0a", None).await;
    assert_places(
        &mismatches,
        &[("s step 1 GET /", "(transport)"), ("s step 2 GET /{{id}}", "(request)")],
    );
}

#[tokio::test]
async fn scenarios_about_the_key_need_one() {
    let members = r#""requires": ["auth"],
        "steps": [{"request": {"method": "GET", "path": "/"}, "response": {"status": 200}}]"#;
    let script = Script::of(&[""]);
    assert_places(&replay(&script, &scenario(members), "0a", None).await, &[]);
    assert!(script.sent.lock().expect("no panic under this lock").is_empty());
    assert_places(&replay(&script, &scenario(members), "0a", Some(&api_key())).await, &[]);
    assert_eq!(script.sent().len(), 1);
}

#[tokio::test]
async fn a_variable_made_of_nothing_stops_the_scenario() {
    let scenario = scenario(r#""vars": {"a": "{{nobody}}"}, "steps": []"#);
    assert_places(&replay(&Script::default(), &scenario, "0a", None).await, &[("s (vars)", "(a)")]);
}

#[test]
fn long_values_are_cut_in_messages() {
    assert_eq!(shortened("é"), "é");
    assert_eq!(shortened(&"é".repeat(SHOWN)), "é".repeat(SHOWN));
    assert_eq!(shortened(&"é".repeat(SHOWN + 1)), format!("{}...", "é".repeat(SHOWN)));
}
