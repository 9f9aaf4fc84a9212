use std::thread;

use proptest::prelude::*;

use super::*;

#[test]
fn reads_and_prints_as_python_does() {
    for (source, python, compact) in [
        ("null", "null", "null"),
        (" [ ] ", "[]", "[]"),
        ("{\t}", "{}", "{}"),
        ("[1,\r\n2]", "[1, 2]", "[1,2]"),
        (r#"{"b":1,"a":[{}]}"#, r#"{"b": 1, "a": [{}]}"#, r#"{"b":1,"a":[{}]}"#),
        ("[true,false]", "[true, false]", "[true,false]"),
        ("-0", "0", "0"),
        ("-0.0", "-0.0", "-0.0"),
        ("1E5", "100000.0", "100000.0"),
        ("2.50", "2.5", "2.5"),
        ("1e400", "Infinity", "null"),
        ("[NaN,-Infinity]", "[NaN, -Infinity]", "[null,null]"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        (r#""\u00e9\/\ud83d\ude00""#, r#""\u00e9/\ud83d\ude00""#, r#""é/😀""#),
        ("\"\u{7f}é\"", r#""\u007f\u00e9""#, "\"\u{7f}é\""),
        (r#""\"\\\b\f\n\r\t\u001F""#, r#""\"\\\b\f\n\r\t\u001f""#, r#""\"\\\b\f\n\r\t\u001f""#),
        (r#""\uD800x\udfff""#, r#""\ud800x\udfff""#, "\"\u{fffd}x\u{fffd}\""),
        (r#""\ud800\ud83d\ude00""#, r#""\ud800\ud83d\ude00""#, "\"\u{fffd}😀\""),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a": 3, "b": 2}"#, r#"{"a":3,"b":2}"#),
    ] {
        let value = parse(source.as_bytes()).unwrap();
        assert_eq!(value.to_python(), python, "{source}");
        assert_eq!(value.to_compact(), compact, "{source}");
        let mut bytes = Vec::new();
        write_python(&mut bytes, &value);
        assert_eq!(bytes, python.as_bytes());
    }
}

#[test]
fn refuses_what_python_refuses_with_its_words() {
    for (source, position, message) in [
        ("", 0, "Expecting value"),
        (" nul", 1, "Expecting value"),
        ("-", 0, "Expecting value"),
        ("[-Inf]", 1, "Expecting value"),
        (".5", 0, "Expecting value"),
        ("\u{c}1", 0, "Expecting value"),
        ("01", 1, "Extra data"),
        ("1.", 1, "Extra data"),
        ("1e+", 1, "Extra data"),
        ("é 1", 0, "Expecting value"),
        ("\"é\" 1", 4, "Extra data"),
        ("[1,]", 3, "Expecting value"),
        ("[1 2]", 3, "Expecting ',' delimiter"),
        ("[1", 2, "Expecting ',' delimiter"),
        ("{1:2}", 1, "Expecting property name enclosed in double quotes"),
        (r#"{"a":1,}"#, 7, "Expecting property name enclosed in double quotes"),
        (r#"{"a"}"#, 4, "Expecting ':' delimiter"),
        (r#"["a"#, 1, "Unterminated string starting at"),
        (r#"["a\"#, 1, "Unterminated string starting at"),
        ("[\"é\n\"]", 3, "Invalid control character at"),
        (r#""é\x""#, 2, "Invalid \\escape"),
        (r#""\u12""#, 2, "Invalid \\uXXXX escape"),
        (r#""\u+123""#, 2, "Invalid \\uXXXX escape"),
        (r#""\ud800\u12g4""#, 8, "Invalid \\uXXXX escape"),
    ] {
        let expected = Err(ParseError::Syntax { position, message });
        assert_eq!(parse(source.as_bytes()), expected, "{source:?}");
    }
}

#[test]
fn tells_encodings_apart_by_their_marks_and_zeros() {
    let source = "{\"é😀\": [1, \"\\ud800\"]}";
    let expected = parse_str(source).unwrap();
    let utf16 =
        |unit: fn(u16) -> [u8; 2]| -> Vec<u8> { source.encode_utf16().flat_map(unit).collect() };
    let utf32 = |unit: fn(u32) -> [u8; 4]| -> Vec<u8> {
        source.chars().flat_map(|c| unit(c.into())).collect()
    };
    for (mark, body) in [
        (&b"\xef\xbb\xbf"[..], source.as_bytes().to_vec()),
        (b"\xff\xfe", utf16(u16::to_le_bytes)),
        (b"\xfe\xff", utf16(u16::to_be_bytes)),
        (b"\xff\xfe\0\0", utf32(u32::to_le_bytes)),
        (b"\0\0\xfe\xff", utf32(u32::to_be_bytes)),
    ] {
        assert_eq!(parse(&body).as_ref(), Ok(&expected), "{mark:x?} left out");
        let mut marked = mark.to_vec();
        marked.extend(&body);
        assert_eq!(parse(&marked).as_ref(), Ok(&expected), "{mark:x?}");
        marked.pop();
        assert!(parse(&marked).is_err(), "{mark:x?} cut short");
    }
    assert_eq!(parse(b"1\0"), Ok(Value::from(1_u64)));
    assert_eq!(parse(b"\x001"), Ok(Value::from(1_u64)));

    // Where text was decoded before, a zero is no hint and a mark is no mark.
    let extra = ParseError::Syntax { position: 1, message: "Extra data" };
    assert_eq!(parse_str("1\0"), Err(extra));
    assert!(matches!(parse_str("\u{feff}1"), Err(ParseError::Syntax { position: 0, .. })));
}

#[test]
fn broken_text_and_outsized_values_are_unreadable() {
    for body in
        [&b"\"\xff\""[..], b"\"\xed\xa0\x80\"", b"\"\0\x00\xd8\"\0", b"\xff\xfe1", b"\0\0\0\0\0"]
    {
        assert_eq!(parse(body), Err(ParseError::Unreadable), "{body:x?}");
    }
    let digits = "9".repeat(MAX_INT_DIGITS);
    assert!(parse_str(&digits).is_ok());
    assert!(parse_str(&format!("-{digits}")).is_ok());
    assert!(parse_str(&format!("{digits}9.5")).is_ok());
    assert_eq!(parse_str(&format!("[{digits}9]")), Err(ParseError::Unreadable));
}

#[test]
fn keys_are_sorted_by_code_point_at_every_depth() {
    let value = parse_str(r#"{"～":1,"😀":{"b":[{"d":1,"c":2}],"a":0},"\ud800":2,"Z":3}"#).unwrap();
    let expected =
        r#"{"Z": 3, "\ud800": 2, "\uff5e": 1, "\ud83d\ude00": {"a": 0, "b": [{"c": 2, "d": 1}]}}"#;
    assert_eq!(value.to_canonical(), expected);
}

#[test]
fn indents_as_python_does() {
    let value = parse_str(r#"{"a":[1,{"b":[],"c":{}}]}"#).unwrap();
    let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": [],\n      \"c\": {}\n    }\n  ]\n}";
    assert_eq!(value.to_pretty(2), expected);
    assert_eq!(value.to_pretty(4), expected.replace("  ", "    "));
    assert_eq!(value.to_pretty(0), expected.replace(' ', "").replace(':', ": "));
}

#[test]
fn duplicates_are_found_in_objects_of_any_size() {
    for size in [3_u64, 15, 16, 17, 40] {
        // The escape makes some of the names owned ones.
        let name = |index| format!("\"{}{index}\"", if index % 2 == 0 { "k" } else { "\\u006b" });
        let once: Vec<String> = (0..size).map(|index| format!("{}:0", name(index))).collect();
        let again: Vec<String> =
            (0..size).map(|index| format!("{}:{index}", name(index + 1))).collect();
        let source = format!("{{{},{}}}", once.join(","), again.join(","));
        let expected: Vec<String> =
            (0..=size).map(|index| format!("\"k{index}\":{}", index.saturating_sub(1))).collect();
        let value = parse_str(&source).unwrap();
        assert_eq!(value.to_compact(), format!("{{{}}}", expected.join(",")));
    }
}

#[test]
fn texts_know_what_python_knows() {
    let value = parse_str(r#"["aé😀", "x\udc00y\ud800", ""]"#).unwrap();
    let Value::List(items) = &value else { panic!("{value:?}") };
    let texts: Vec<&Text<'_>> = items
        .iter()
        .map(|item| match item {
            Value::Str(text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    let counts: Vec<usize> = texts.iter().map(|text| text.char_count()).collect();
    assert_eq!(counts, [3, 4, 0]);
    assert_eq!(texts[0].as_str(), Some("aé😀"));
    assert_eq!(texts[1].as_str(), None);
    assert_eq!(texts[1].to_string_lossy(), "x\u{fffd}y\u{fffd}");
    assert_eq!(format!("{:?}", texts[1]), r#""x\udc00y\ud800""#);
    assert!(texts[2].is_empty() && !texts[1].is_empty());
    assert_eq!(value.clone().into_owned(), value);
}

#[test]
fn strings_can_be_written_alone() {
    let (mut ascii, mut utf8) = (String::new(), Vec::new());
    write_ascii_string(&mut ascii, "a\"\u{7f}é😀\0");
    write_utf8_string(&mut utf8, "a\"\u{7f}é😀\0");
    assert_eq!(ascii, r#""a\"\u007f\u00e9\ud83d\ude00\u0000""#);
    assert_eq!(utf8, "\"a\\\"\u{7f}é😀\\u0000\"".as_bytes());
}

/// A server's worker threads have 2 MiB, and have used some of it before they get here.
#[test]
fn deep_nesting_leaves_room_on_a_thread_stack() {
    let every_use = || {
        for (before, after) in [("[", "]"), (r#"{"b":1,"a":"#, "}")] {
            let nested = |depth| format!("{}1{}", before.repeat(depth), after.repeat(depth));
            let source = nested(MAX_DEPTH);
            let value = parse_str(&source).unwrap();
            assert_eq!(value.to_compact(), source);
            assert_eq!(value.to_python().replace(' ', ""), source);
            assert_eq!(value.to_pretty(0).replace(['\n', ' '], ""), source);
            assert_eq!(value.to_canonical().len(), value.to_python().len());

            let utf16: Vec<u8> = source.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(parse(&utf16).as_ref(), Ok(&value));
            assert_eq!(value.clone(), value);
            assert!(format!("{value:?}").len() > source.len());

            let too_deep = [nested(MAX_DEPTH + 1), before.repeat(100_000)];
            for source in too_deep {
                assert_eq!(parse_str(&source), Err(ParseError::Unreadable));
            }
        }
    };
    let small = thread::Builder::new().stack_size(3 << 19);
    small.spawn(every_use).unwrap().join().unwrap();
}

/// Values as `parse` makes them: integers in canonical form, no duplicate keys.
fn values() -> impl Strategy<Value = Value<'static>> {
    // Few characters, so that keys share beginnings; the surrogates meet as pairs now and then.
    let units: Vec<u16> = "abc\"\\\n\0\u{7f}é～😀😁".encode_utf16().collect();
    let text = prop::collection::vec(prop::sample::select(units), 0..6).prop_map(|units| {
        let escapes = units.iter().map(|unit| format!("\\u{unit:04x}"));
        match parse_str(&format!("\"{}\"", escapes.collect::<String>())) {
            Ok(Value::Str(text)) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    });
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u128>().prop_map(|number| Value::Int(Cow::Owned(number.to_string()))),
        prop_oneof![prop::num::f64::ANY, -1e6..1e6].prop_map(Value::Float),
        text.clone().prop_map(Value::Str),
    ];
    scalar.prop_recursive(3, 16, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::btree_map(text.clone(), inner, 0..5).prop_map(|members| {
                // Backwards, so that sorting has something to do.
                Value::Object(members.into_iter().rev().collect())
            }),
        ]
    })
}

/// Documents that are JSON, nearly JSON, or a jumble of its parts.
fn documents() -> impl Strategy<Value = String> {
    let parts = "[ ] { } , : \" 0 01 7 - + -0 1. .5 1.5 1e5 1E+ e-2 \\ \\n \\u00e9 \\u12 \\x é 😀 \n true nul null";
    let parts: Vec<&str> =
        parts.split(' ').chain([" ", "\"a\"", "\"a\":", "\t", "\u{1}"]).collect();
    let jumble = prop::collection::vec(prop::sample::select(parts), 0..8);
    let jumble = jumble.prop_map(|parts| parts.concat());
    let damaged = (values(), any::<prop::sample::Index>(), jumble.clone());
    prop_oneof![
        values().prop_map(|value| value.to_compact()),
        jumble,
        damaged.prop_map(|(value, place, jumble)| {
            let mut characters: Vec<char> = value.to_compact().chars().collect();
            let place = place.index(characters.len());
            characters.splice(place..place + 1, jumble.chars());
            characters.into_iter().collect()
        }),
    ]
}

/// Bit for bit, so that `NaN` equals itself and zeros keep their sign.
fn same(one: &Value<'_>, other: &Value<'_>) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn what_is_printed_reads_back(value in values(), indent in 0_usize..5) {
        for printed in [value.to_python(), value.to_pretty(indent)] {
            prop_assert!(printed.is_ascii());
            let read = parse(printed.as_bytes()).unwrap();
            prop_assert!(same(&read, &value), "{printed}");
        }
        let canonical = value.to_canonical();
        prop_assert_eq!(&parse_str(&canonical).unwrap().to_python(), &canonical);
        let compact = value.to_compact();
        let read = parse_str(&compact).unwrap();
        let is_lossy = compact.contains('\u{fffd}') || canonical.contains("NaN") || canonical.contains("Infinity");
        prop_assert!(is_lossy || same(&read, &value), "{compact}");
    }

    #[test]
    fn what_is_said_to_be_as_served_is(document in documents()) {
        match (parse(document.as_bytes()), parse_noting_form(document.as_bytes())) {
            (Ok(value), Ok((noted, as_served))) => {
                prop_assert!(same(&value, &noted));
                prop_assert!(!as_served || value.to_compact() == document, "{document}");
            }
            (plain, noted) => prop_assert_eq!(plain.err(), noted.err()),
        }
    }

    #[test]
    fn what_is_served_is_said_to_be(value in values()) {
        let served = value.to_compact();
        let (value, as_served) = parse_noting_form(served.as_bytes()).unwrap();
        // Only objects and lists are worth a note, escapes are taken for what could be otherwise, and names
        // with lone surrogates may be one and the same when they are served.
        let noted = matches!(value, Value::Object(_) | Value::List(_))
            && !served.contains(['\\', '\u{fffd}']);
        prop_assert!(as_served || !noted, "{served}");
    }

    #[test]
    fn ordinary_json_is_what_serde_json_takes_it_for(document in documents()) {
        let theirs: Result<serde_json::Value, _> = serde_json::from_str(&document);
        // Python has no limit here; serde_json has one unless built without.
        let is_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(is_large || parse_str(&document).is_ok() == theirs.is_ok(), "{document}");
    }

    #[test]
    fn no_bytes_are_too_odd(body in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = parse(&body) {
            prop_assert!(same(&value.clone().into_owned(), &value));
            value.to_compact();
        }
    }

    #[test]
    fn no_document_is_too_odd(document in documents(), cut in any::<prop::sample::Index>()) {
        let end = cut.index(document.len() + 1);
        if let Ok(value) = parse(&document.as_bytes()[..end]) {
            prop_assert_eq!(parse_str(&value.to_python()).unwrap().to_python(), value.to_python());
        }
    }
}
