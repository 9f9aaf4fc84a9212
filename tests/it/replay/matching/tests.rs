//! What the comparison accepts, and above all what it must not.

use super::*;

fn modes(text: &str) -> Modes {
    Modes::from_json(&Json::literal(text)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The places that differ.
fn places(expected: &str, actual: &str, variables: &mut Variables, modes: &Modes) -> Vec<String> {
    let found = differences(&Json::literal(expected), &Json::literal(actual), variables, modes);
    found.into_iter().map(|difference| difference.at).collect()
}

#[track_caller]
fn check_in(variables: &Variables, modes: &Modes, expected: &str, actual: &str, at: &[&str]) {
    let found = places(expected, actual, &mut variables.clone(), modes);
    assert_eq!(found, at, "{expected} against {actual}");
}

#[track_caller]
fn check(expected: &str, actual: &str, at: &[&str]) {
    check_in(&Variables::default(), &Modes::default(), expected, actual, at);
}

#[track_caller]
fn check_mode(mode: &str, expected: &str, actual: &str, at: &[&str]) {
    let modes = modes(&format!(r#"{{"": "{mode}"}}"#));
    check_in(&Variables::default(), &modes, expected, actual, at);
}

#[test]
fn plain_values_match_themselves_and_nothing_else() {
    let values = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "1.0",
        "\"\"",
        "\"1\"",
        "[]",
        "{}",
        "[0]",
        r#"{"a": 0}"#,
    ];
    for expected in values {
        check(expected, expected, &[]);
        for actual in values.iter().filter(|actual| **actual != expected) {
            let found = places(expected, actual, &mut Variables::default(), &Modes::default());
            assert!(!found.is_empty(), "{expected} against {actual}");
        }
    }
}

#[test]
fn numbers_differ_by_kind_and_by_value() {
    check("100.0", "1e2", &[]);
    check("5e-324", "4.9e-324", &[]);
    check("1e+100", "1e100", &[]);
    check("1", "1.0", &["/"]);
    check("1.0", "1", &["/"]);
    check("1", "true", &["/"]);
    check("0", "-0.0", &["/"]);
    check("123456789012345678901234567890", "123456789012345678901234567890", &[]);
    check("123456789012345678901234567890", "123456789012345678901234567891", &["/"]);
    check("123456789012345678901234567890", "1.2345678901234568e+29", &["/"]);
    check("9007199254740993", "9007199254740992", &["/"]);
}

#[test]
fn every_key_counts_and_their_order_does_not() {
    check(r#"{"a": 1, "b": 2}"#, r#"{"b": 2, "a": 1}"#, &[]);
    check(r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#, &["/b"]);
    check(r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#, &["/b"]);
    check(r#"{"a": {"b": 1}}"#, r#"{"a": {"b": 2}}"#, &["/a/b"]);
    check(r#"{"a": null}"#, "{}", &["/a"]);
    check("{}", r#"{"a": null}"#, &["/a"]);
}

#[test]
fn lists_count_in_order() {
    check("[1, 2]", "[1, 2]", &[]);
    check("[1, 2]", "[2, 1]", &["/0", "/1"]);
    check("[1, 2]", "[1]", &["/"]);
    check("[1]", "[1, 1]", &["/"]);
    check(r#"[{"a": [1]}]"#, r#"[{"a": [2]}]"#, &["/0/a/0"]);
}

#[test]
fn all_differences_are_reported() {
    check(r#"{"a": 1, "b": 2, "c": 3}"#, r#"{"a": 0, "c": 0, "d": 0}"#, &["/b", "/d", "/a", "/c"]);
}

#[test]
fn messages_name_both_sides() {
    let expected = Json::literal(r#"{"a": "{{int}}", "b": "1"}"#);
    let actual = Json::literal(r#"{"a": [1.0], "b": 1}"#);
    let mut variables = Variables::default();
    let found = differences(&expected, &actual, &mut variables, &Modes::default());
    let first = Difference::new("/a", "\"{{int}}\"", "[1.0]");
    let second = Difference::new("/b", "\"1\"", "1");
    assert_eq!(found, [first, second]);
}

#[test]
fn whole_placeholders_match_values_of_their_kind() {
    let samples = ["null", "true", "7", "7.0", "1700000000000", "\"x\"", "[1]", r#"{"a": 1}"#];
    for (kind, accepted) in [
        ("any", &samples[..]),
        ("int", &["7", "1700000000000"]),
        ("number", &["7", "7.0", "1700000000000"]),
        ("bool", &["true"]),
        ("timestamp_ms", &["1700000000000"]),
        ("string_or_null", &["null", "\"x\""]),
        ("string", &["\"x\""]),
        ("array", &["[1]"]),
        ("object", &[r#"{"a": 1}"#]),
    ] {
        for sample in samples {
            let at: &[&str] = if accepted.contains(&sample) { &[] } else { &["/"] };
            check(&format!("\"{{{{{kind}}}}}\""), sample, at);
        }
    }
}

#[test]
fn timestamps_lie_in_their_range() {
    check(r#""{{timestamp_ms}}""#, "1500000000000", &[]);
    check(r#""{{timestamp_ms}}""#, "5000000000000", &[]);
    check(r#""{{timestamp_ms}}""#, "1499999999999", &["/"]);
    check(r#""{{timestamp_ms}}""#, "5000000000001", &["/"]);
    check(r#""{{timestamp_ms}}""#, "1700000000000.0", &["/"]);
    check(r#""{{timestamp_ms}}""#, "123456789012345678901234567890", &["/"]);
}

#[test]
fn a_named_value_must_come_back_the_same() {
    let both = r#"{"stored_at": "{{timestamp_ms:t}}", "timestamp": "{{timestamp_ms:t}}"}"#;
    check(both, r#"{"stored_at": 1700000000000, "timestamp": 1700000000000}"#, &[]);
    check(both, r#"{"stored_at": 1700000000000, "timestamp": 1700000000001}"#, &["/timestamp"]);
    let kinds = r#"["{{any:v}}", "{{any:v}}"]"#;
    check(kinds, "[1, 1]", &[]);
    check(kinds, "[1, 1.0]", &["/1"]);
    check(kinds, "[1, true]", &["/1"]);
    check(
        r#"["{{hash:h}}", "{{hash:h}}"]"#,
        r#"["00000000000000aa", "00000000000000ab"]"#,
        &["/1"],
    );
}

#[test]
fn known_variables_must_appear_with_their_value() {
    let mut variables = Variables::default();
    variables.set_text("ns", "team");
    variables.set_text("cid", "abcdef-01");
    let check =
        |expected, actual, at| check_in(&variables, &Modes::default(), expected, actual, at);
    check(r#""{{ns}}/{{shard:cid}}/{{cid}}.json""#, r#""team/ab/cd/abcdef-01.json""#, &[]);
    check(r#""{{ns}}/{{shard:cid}}/{{cid}}.json""#, r#""team/ab/ce/abcdef-01.json""#, &["/"]);
    check(r#""{{ns}}""#, r#""team-b""#, &["/"]);
    check(r#""{{underscored:cid}}""#, r#""abcdef_01""#, &[]);
    check(r#""{{underscored:cid}}""#, r#""abcdef-01""#, &["/"]);
    check(r#""{{hash:cid}}""#, r#""0123456789abcdef""#, &["/"]);
}

#[test]
fn unbound_variables_never_match() {
    check(r#""{{nobody}}""#, r#""x""#, &["/"]);
    check(r#""{{shard:nobody}}""#, r#""ab/cd""#, &["/"]);
    check(r#"{"{{nobody}}": 1}"#, r#"{"x": 1}"#, &["/{{nobody}}", "/x"]);
    check(r#""a {{int}}""#, r#""a 1""#, &["/"]);
}

#[test]
fn an_id_is_known_in_paths_that_come_before_it() {
    let expected = r#"{"path": "{{shard:id}}/{{id}}", "id": "{{uuid:id}}"}"#;
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let reply = |shards, id| format!(r#"{{"path": "{shards}/{uuid}", "id": "{id}"}}"#);
    check(expected, &reply("01/23", uuid), &[]);
    check(expected, &reply("01/24", uuid), &["/path"]);
    check(expected, &reply("01/23", "no uuid"), &["/path", "/id"]);
}

#[test]
fn keys_may_hold_placeholders() {
    let expected = r#"{"{{date_path}}/a": 1, "plain": 2}"#;
    check(expected, r#"{"plain": 2, "2024/01/02/03/a": 1}"#, &[]);
    check(expected, r#"{"plain": 2, "2024/01/02/03/a": 3}"#, &["/{{date_path}}/a"]);
    check(expected, r#"{"plain": 2, "2024/01/02/a": 1}"#, &["/{{date_path}}/a", "/2024/01/02/a"]);
    check(r#"{"{{hex}}": 1, "{{digits}}": 2}"#, r#"{"ff": 1, "12": 2}"#, &[]);
    check(r#"{"{{hex}}": 1, "{{digits}}": 2}"#, r#"{"12": 1}"#, &["/{{digits}}"]);
}

#[test]
fn unordered_lists_hold_the_same_items() {
    check_mode("unordered", r#"[1, "a", {"b": 2}]"#, r#"[{"b": 2}, 1, "a"]"#, &[]);
    check_mode("unordered", "[1, 2]", "[1, 3]", &["/"]);
    check_mode("unordered", "[1, 2]", "[1, 2, 2]", &["/"]);
    check_mode("unordered", "[1, 1]", "[1, 2]", &["/"]);
    check_mode("unordered", "[1]", "[1.0]", &["/"]);
    check_mode("unordered", r#"["{{uuid:x}}"]"#, r#"["x"]"#, &["/"]);
}

#[test]
fn contains_allows_more_items_but_not_fewer() {
    check_mode("contains", "[2]", "[1, 2, 3]", &[]);
    check_mode("contains", "[]", "[1]", &[]);
    check_mode("contains", "[2, 2]", "[1, 2, 3]", &["/"]);
    check_mode("contains", "[4]", "[1, 2, 3]", &["/"]);
    check_mode("contains", "[1]", r#"{"0": 1}"#, &["/"]);
}

#[test]
fn extra_keys_allows_more_keys_but_not_fewer() {
    check_mode("extra_keys", r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#, &[]);
    check_mode("extra_keys", r#"{"a": 1}"#, r#"{"b": 2}"#, &["/a"]);
    check_mode("extra_keys", r#"{"a": {}}"#, r#"{"a": {"b": 2}}"#, &["/a/b"]);
}

#[test]
fn key_order_counts_where_it_is_asked_for() {
    check_mode("key_order", r#"{"a": 1, "b": 2}"#, r#"{"a": 1, "b": 2}"#, &[]);
    check_mode("key_order", r#"{"a": 1, "b": 2}"#, r#"{"b": 2, "a": 1}"#, &["/"]);
    check_mode("key_order", r#"{"a": {"b": 1, "c": 2}}"#, r#"{"a": {"c": 2, "b": 1}}"#, &[]);
    check_mode("key_order extra_keys", r#"{"a": 1, "b": 2}"#, r#"{"a": 1, "x": 0, "b": 2}"#, &[]);
    check_mode("key_order", r#"{"{{hex}}": 1, "z": 2}"#, r#"{"z": 2, "ff": 1}"#, &["/"]);
}

#[test]
fn ignored_values_must_still_be_there() {
    let modes = modes(r#"{"/a": "ignore"}"#);
    let check =
        |actual, at| check_in(&Variables::default(), &modes, r#"{"a": 1, "b": 2}"#, actual, at);
    check(r#"{"a": [], "b": 2}"#, &[]);
    check(r#"{"a": [], "b": 3}"#, &["/b"]);
    check(r#"{"b": 2}"#, &["/a"]);
}

#[test]
fn modes_apply_to_their_place_only() {
    let modes = modes(r#"{"/a": ["unordered"]}"#);
    let check = |actual, at| {
        check_in(&Variables::default(), &modes, r#"{"a": [1, 2], "b": [1, 2]}"#, actual, at)
    };
    check(r#"{"a": [2, 1], "b": [1, 2]}"#, &[]);
    check(r#"{"a": [1, 2], "b": [2, 1]}"#, &["/b/0", "/b/1"]);
    assert!(Modes::from_json(&Json::literal(r#"{"/a": "unorderd"}"#)).is_err());
}

#[test]
fn failed_trials_leave_no_variables_behind() {
    let mut variables = Variables::default();
    let modes = modes(r#"{"": "unordered"}"#);
    let expected = r#"[{"id": "i-{{hex:x}}", "n": 1}, {"id": "i-{{hex:y}}", "n": 2}]"#;
    let actual = r#"[{"id": "i-bb", "n": 2}, {"id": "i-aa", "n": 1}]"#;
    assert!(places(expected, actual, &mut variables, &modes).is_empty());
    assert_eq!(variables.get("x"), Some(&Json::String("aa".to_owned())));
    assert_eq!(variables.get("y"), Some(&Json::String("bb".to_owned())));
}
