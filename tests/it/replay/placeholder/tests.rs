//! Filling in requests and matching texts.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in pairs {
        variables.set_text(name, value);
    }
    variables
}

#[test]
fn requests_are_filled_in() {
    let mut variables = variables(&[("ns", "team"), ("cid", "ab-cd/é"), ("x", "a")]);
    variables.set("count", Json::Int("12".to_owned()));
    variables.set("flag", Json::Bool(true));
    for (template, expected) in [
        ("/{{ns}}/{{uuid:cid}}", "/team/ab-cd/é"),
        ("{{shard:cid}}", "ab/-c"),
        ("{{shard:x}}", "a"),
        ("{{underscored:cid}}", "ab_cd/é"),
        ("{{quoted:cid}}", "ab-cd%2F%C3%A9"),
        ("{{count}} {{flag}}", "12 True"),
        ("{ns} {{n s}} {{", "{ns} {{n s}} {{"),
    ] {
        assert_eq!(substitute(template, &variables).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn requests_need_every_value() {
    let variables = variables(&[("ns", "team")]);
    for template in
        ["{{cid}}", "{{uuid}}", "{{uuid:cid}}", "{{shard:cid}}", "{{digits:ns}}", "{{quoted:cid}}"]
    {
        let text = format!("/{{{{ns}}}}/{template}");
        assert_eq!(substitute(&text, &variables), Err(Unbound(template.to_owned())));
    }
    let body = Json::literal(r#"[{"{{cid}}": 1}]"#);
    assert_eq!(substitute_json(&body, &variables), Err(Unbound("{{cid}}".to_owned())));
}

#[track_caller]
fn check(expected: &str, actual: &str, verdict: bool) {
    let mut variables = variables(&[("v", "a.b")]);
    assert_eq!(matches(expected, actual, &mut variables), Ok(verdict), "{expected} {actual}");
}

#[test]
fn texts_match_whole_and_as_written() {
    check("a.b", "a.b", true);
    check("a.b", "axb", false);
    check("{{v}}", "a.b", true);
    check("{{v}}", "axb", false);
    check("{{v}}{{hex}}", "axbff", false);
    check("{{hex}}", "ff\n", false);
    check("{{hex}}", "xff", false);
    check("{{string}}", "", true);
    check("<{{string}}>", "<a\nb>", true);
}

#[test]
fn text_kinds_match_what_they_say() {
    for (kind, right, wrong) in [
        ("uuid", "01234567-89ab-CDEF-0123-456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("hash", "0123456789abcdef", "0123456789abcdeF"),
        ("hash", "0123456789abcdef", "0123456789abcde"),
        ("hex", "ff", "FF"),
        ("digits", "007", "1a"),
        ("date_path", "2024/01/31/23", "2024/1/31/23"),
        ("version", "v1.22.3", "v1.22"),
        ("version", "0.1.0", "0.1.0-rc"),
    ] {
        check(&format!("x{{{{{kind}}}}}"), &format!("x{right}"), true);
        check(&format!("x{{{{{kind}}}}}"), &format!("x{wrong}"), false);
    }
}

#[test]
fn an_expression_may_have_groups_of_its_own() {
    let expected = "{{regex:(https?://[^/]+)?/console/.+}}#{{digits:n}}";
    let mut variables = Variables::default();
    assert_eq!(matches(expected, "http://h/console/x#12", &mut variables), Ok(true));
    assert_eq!(variables.get("n"), Some(&Json::String("12".to_owned())));
    assert_eq!(matches(expected, "/consoles/x#12", &mut variables), Ok(false));
    assert_eq!(matches(expected, "/console/x#13", &mut variables), Ok(false));
}

#[test]
fn what_is_not_known_cannot_be_compared() {
    for token in
        ["{{cid}}", "{{shard:cid}}", "{{underscored:cid}}", "{{quoted:v}}", "{{int}}", "{{regex}}"]
    {
        let text = format!("x{token}");
        assert_eq!(matches(&text, "x", &mut Variables::default()), Err(Unbound(token.to_owned())));
    }
}

#[test]
fn only_a_match_is_remembered() {
    let mut variables = Variables::default();
    assert_eq!(matches("{{hex:a}}-{{digits:b}}", "ff-x", &mut variables), Ok(false));
    bind("{{uuid:a}}", "ff", &mut variables);
    assert_eq!(variables, Variables::default());
    bind("{{hex:a}}", "ff", &mut variables);
    bind("{{hex:a}}", "00", &mut variables);
    assert_eq!(variables.get("a"), Some(&Json::String("ff".to_owned())));
}
