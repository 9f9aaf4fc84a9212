//! Names by their characters: what looks alike, and what some medium rewrites.

use super::apart;
use crate::bench::Bench;
use crate::check::Outcome;

pub(super) fn spaces_and_dots(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a",
            " a",
            "a ",
            " a ",
            "a.",
            ".a",
            "a..",
            "...",
            "a /b",
            "a/ b",
            " ",
            "a.b",
            "a .",
            "a/b.",
            "a/b ",
            "a. /b",
            "\u{a0}a",
            "a\u{3000}",
        ],
    )
}

pub(super) fn reserved(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "CON", "con", "NUL", "aux.txt", "COM1", "LPT1.x/y", "a:b", "a::$DATA", "a*b", "a?b",
            "a<b", "a>b", "a|b", "a\"b", "PRN/x", "$", "CLOCK$",
        ],
    )
}

pub(super) fn percent(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "A", "%41", "%2541", "a%2Fb", "a/b", "a%2fb", "%", "%%", "%25", "%zz", "%00", "%2e%2e",
            "%2E", "a%", "a%2", "%c3%a9", "é", "a%20b", "a b", "=41", "&#65;", "\\u0041", "%u0041",
        ],
    )
}

pub(super) fn plus(bench: &Bench) -> Outcome {
    apart(bench, &["a b", "a+b", "a%20b", "a%2Bb", "a_b", "a-b", "a&b", "a  b", "a++b"])
}

pub(super) fn url(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a?b=c",
            "a#b",
            "a;b",
            "a,b",
            "a=b",
            "a&b",
            "a'b",
            "a\"b",
            "a`b",
            "a@b",
            "a!b",
            "a$b",
            "a(b)",
            "a[b]",
            "a{b}",
            "a^b",
            "~a",
            "a",
            "http:/x/y",
            "a~b",
            "a''b",
        ],
    )
}

pub(super) fn xml(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "<a>",
            "&lt;a&gt;",
            "a&b",
            "a&amp;b",
            "]]>",
            "<![CDATA[a]]>",
            "a\u{fffe}b",
            "a\u{ffff}b",
            "a\u{fffd}b",
            "a\u{feff}b",
            "a\u{2028}b",
            "a\u{200b}b",
            "ab",
        ],
    )
}

pub(super) fn normal_forms(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "é",
            "e\u{301}",
            "e",
            "\u{212b}",
            "\u{c5}",
            "A\u{30a}",
            "ﬁ",
            "fi",
            "ｆ",
            "f",
            "가",
            "\u{1100}\u{1161}",
            "ñ",
            "n\u{303}",
            "①",
            "1",
            "x²",
            "x2",
            "caf\u{e9}/a",
            "cafe\u{301}/a",
        ],
    )
}

pub(super) fn case(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a", "A", "a/b", "A/b", "a/B", "A/B", "ß", "SS", "ss", "ẞ", "İ", "i\u{307}", "I", "ı",
            "i", "K", "k", "\u{212a}", "Σ", "σ", "ς", "É", "é", "ǆ", "ǅ", "DATA/x", "data/x",
        ],
    )
}

pub(super) fn astral(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "😀",
            "😁",
            "?",
            "\u{fffd}",
            "👨‍👩‍👧",
            "👨👩👧",
            "a\u{301}\u{302}",
            "a\u{302}\u{301}",
            "שלום",
            "\u{202e}abc",
            "abc",
            "\u{e000}",
            "\u{f8ff}",
            "𝒜",
            "A",
            "\u{10ffff}",
            "日本",
            "日本語",
            "🇩🇪",
            "🇩",
        ],
    )
}

pub(super) fn numeric(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "1",
            "01",
            "1.0",
            "1e0",
            "0x1",
            "+1",
            "-0",
            "0",
            "00",
            "NaN",
            "null",
            "NULL",
            "true",
            "false",
            "undefined",
            "None",
            "1_000",
            "1000",
            "9007199254740993",
            "9007199254740992",
            "",
            "e",
            "''",
            "\"\"",
        ]
        .into_iter()
        .filter(|path| !path.is_empty())
        .collect::<Vec<_>>(),
    )
}

pub(super) fn backslash(bench: &Bench) -> Outcome {
    apart(
        bench,
        &["a\\b", "a/b", "a\\\\b", "a", "\\a", "a\\", "a\\/b", "..\\a", "C:\\a", "a\\n", "\\"],
    )
}

pub(super) fn look_alikes(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a",
            "а",
            "ａ",
            "ɑ",
            "o",
            "о",
            "0",
            "O",
            "l",
            "1",
            "I",
            "|",
            "—",
            "-",
            "–",
            "‐",
            "'",
            "’",
            "∕",
            "⁄",
            "／",
            // Characters that cannot be seen.
            "a\u{ad}",
            "a\u{200b}",
            "a\u{200d}",
            "a\u{feff}",
            "\u{2060}a",
            "a\u{fe0f}",
            "a\u{34f}",
        ],
    )
}
