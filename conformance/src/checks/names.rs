//! Names: any two valid keys live side by side, however much they look alike.

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use larder::key::{Key, MAX_SEGMENT_BYTES};
use larder::storage::Depth;

use super::check;
use crate::bench::{Bench, Handle, key, show_key, space};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::names::pools;

pub(super) const CHECKS: &[Check] = &[
    check(
        "S-01",
        "No two names of a pool grown by small changes are one object",
        "sentence 7",
        pairwise,
    ),
    check(
        "S-02",
        "Spaces and dots at either end of a segment are kept",
        "sentence 7",
        spaces_and_dots,
    ),
    check("S-03", "Names reserved on some systems are names like others", "sentence 7", reserved),
    check("S-04", "Percent-escapes are never decoded, made or made twice", "sentence 7", percent),
    check("S-05", "`+`, blank and `%20` are three names", "sentence 7", plus),
    check(
        "S-06",
        "Characters with a meaning in URLs, headers and quotes are kept",
        "sentence 7",
        url,
    ),
    check(
        "S-07",
        "Characters with a meaning in XML, and non-characters, are kept",
        "sentence 7",
        xml,
    ),
    check("S-08", "Normal forms of one text are different names", "sentence 7", normal_forms),
    check("S-09", "Names that differ only by case stay apart", "sentence 7", case),
    check(
        "S-10",
        "Emoji, marks, right-to-left and private characters are kept",
        "sentence 7",
        astral,
    ),
    check(
        "S-11",
        "A key and keys below it coexist, whatever the order of coming and going",
        "sentence 7",
        chains,
    ),
    check(
        "S-12",
        "A name turns from key to folder and back many times",
        "sentence 7",
        key_and_folder,
    ),
    check(
        "S-13",
        "Segments of up to 255 bytes are kept, whatever their characters",
        "MAX_SEGMENT_BYTES",
        long_segments,
    ),
    check("S-14", "Keys of up to 1,024 bytes are kept", "MAX_KEY_BYTES", long_keys),
    check("S-15", "Long names that differ only at their end stay apart", "sentence 7", long_twins),
    check(
        "S-16",
        "Names like a store's own files and suffixes are names like others",
        "sentence 7",
        internals,
    ),
    check(
        "S-17",
        "Names that look like numbers or words of a language stay text",
        "sentence 7",
        numeric,
    ),
    check("S-18", "A backslash is a character, not a separator", "module key", backslash),
    check(
        "S-19",
        "Neighbours of `/` in the order stay apart: `a-b`, `a.b`, `a/b`, `a0`",
        "sentences 6 and 7",
        neighbours,
    ),
    check(
        "S-20",
        "Deleting a name leaves names that begin with it, and names it begins with",
        "sentence 7",
        delete_relatives,
    ),
    check("S-21", "Letters that look alike are different names", "sentence 7", look_alikes),
    check("S-22", "Paths of many segments are kept", "sentence 7", deep),
    check("S-23", "Repeated and nested segments of one name stay apart", "sentence 7", repeated),
];

/// Holds names to living side by side: written, overwritten, deleted and written again one by one,
/// each leaves all others as they were.
fn apart(bench: &Bench, paths: &[&str]) -> Outcome {
    let fits = |path: &&&str| "team/".len() + path.len() <= bench.limits.key_bytes;
    let keys: Vec<_> = paths.iter().filter(fits).map(|path| key("team", path)).collect();
    let (_home, store) = bench.fresh()?;
    all_apart(&store, &keys)
}

fn all_apart(store: &Handle, keys: &[Key]) -> Outcome {
    let mut values: Vec<Option<Bytes>> = vec![None; keys.len()];
    let compare = |values: &[Option<Bytes>], doing: &str, to: &Key| -> Outcome {
        for (key, value) in keys.iter().zip(values) {
            let found = store.read(key)?;
            ensure!(
                found == *value,
                "{doing} {} made {} hold {found:?} instead of {value:?}",
                show_key(to),
                show_key(key)
            );
        }
        Ok(())
    };
    for (nth, key) in keys.iter().enumerate() {
        let value = Bytes::from(format!("first {nth}"));
        store.put(key, value.clone())?;
        values[nth] = Some(value);
        compare(&values, "putting", key)?;
    }
    let mut sorted: Vec<_> = keys.to_vec();
    sorted.sort();
    let listed = store.keys(&keys[0].namespace())?;
    ensure!(listed == sorted, "listed {listed:?}, not {sorted:?}");
    for (nth, key) in keys.iter().enumerate() {
        store.delete(key)?;
        values[nth] = None;
        compare(&values, "deleting", key)?;
        let value = Bytes::from(format!("second {nth}"));
        store.put(key, value.clone())?;
        values[nth] = Some(value);
        compare(&values, "putting again", key)?;
    }
    let listed = store.keys(&keys[0].namespace())?;
    ensure!(listed == sorted, "in the end listed {listed:?}, not {sorted:?}");
    Ok(())
}

fn pairwise(bench: &Bench) -> Outcome {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&bench.seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = pools(bench.limits.key_bytes, 0..1);
    for _ in 0..bench.rounds(60) {
        let Ok(tree) = strategy.new_tree(&mut runner) else { continue };
        let pool = tree.current();
        let mut keys: Vec<_> = (0..pool.paths.len()).map(|path| pool.key(0, path as u8)).collect();
        keys.sort();
        keys.dedup();
        let (_home, store) = bench.fresh()?;
        all_apart(&store, &keys)?;
    }
    Ok(())
}

fn spaces_and_dots(bench: &Bench) -> Outcome {
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

fn reserved(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "CON", "con", "NUL", "aux.txt", "COM1", "LPT1.x/y", "a:b", "a::$DATA", "a*b", "a?b",
            "a<b", "a>b", "a|b", "a\"b", "PRN/x", "$", "CLOCK$",
        ],
    )
}

fn percent(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "A", "%41", "%2541", "a%2Fb", "a/b", "a%2fb", "%", "%%", "%25", "%zz", "%00", "%2e%2e",
            "%2E", "a%", "a%2", "%c3%a9", "é", "a%20b", "a b", "=41", "&#65;", "\\u0041", "%u0041",
        ],
    )
}

fn plus(bench: &Bench) -> Outcome {
    apart(bench, &["a b", "a+b", "a%20b", "a%2Bb", "a_b", "a-b", "a&b", "a  b", "a++b"])
}

fn url(bench: &Bench) -> Outcome {
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

fn xml(bench: &Bench) -> Outcome {
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

fn normal_forms(bench: &Bench) -> Outcome {
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

fn case(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a", "A", "a/b", "A/b", "a/B", "A/B", "ß", "SS", "ss", "ẞ", "İ", "i\u{307}", "I", "ı",
            "i", "K", "k", "\u{212a}", "Σ", "σ", "ς", "É", "é", "ǆ", "ǅ", "DATA/x", "data/x",
        ],
    )
}

fn astral(bench: &Bench) -> Outcome {
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

fn chains(bench: &Bench) -> Outcome {
    let paths = ["a", "a/b", "a/b/c", "a/b/c/d"];
    apart(bench, &paths)?;
    let reversed: Vec<_> = paths.into_iter().rev().collect();
    apart(bench, &reversed)?;
    apart(bench, &["a/b", "a/b/c/d", "a", "a/b/c", "a/x", "a/x/y"])
}

fn key_and_folder(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (upper, lower) = (key("team", "a/b"), key("team", "a/b/c"));
    for round in 0..10 {
        let value = format!("round {round}");
        store.put(&upper, value.clone())?;
        store.holds_exactly(&space("team"), &[(upper.clone(), value.clone().into())])?;
        store.delete(&upper)?;
        store.put(&lower, value.clone())?;
        store.holds_exactly(&space("team"), &[(lower.clone(), value.into())])?;
        if round % 2 == 0 {
            store.delete(&lower)?;
        } else {
            store.put(&upper, "both")?;
            store.put(&lower, "beside")?;
            store.holds(&upper, Some(b"both"))?;
            store.delete(&lower)?;
            store.holds(&upper, Some(b"both"))?;
        }
    }
    Ok(())
}

fn long_segments(bench: &Bench) -> Outcome {
    let mut names: Vec<String> = Vec::new();
    for len in [100, 127, 128, 143, 144, 200, 236, 240, 243, 246, 250, 251, 254, MAX_SEGMENT_BYTES]
    {
        names.push("x".repeat(len));
    }
    names.push("é".repeat(MAX_SEGMENT_BYTES / 2));
    names.push(format!("x{}", "é".repeat(MAX_SEGMENT_BYTES / 2)));
    names.push("😀".repeat(MAX_SEGMENT_BYTES / 4));
    names.push("%".repeat(MAX_SEGMENT_BYTES));
    names.push(format!("{}/{}", "f".repeat(MAX_SEGMENT_BYTES), "g".repeat(MAX_SEGMENT_BYTES)));
    names.push("f".repeat(MAX_SEGMENT_BYTES));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    apart(bench, &names)
}

fn long_keys(bench: &Bench) -> Outcome {
    let room = bench.limits.key_bytes - "team/".len();
    let mut names = Vec::new();
    for len in [room, room - 1, room - 2, room - 100] {
        // Segments of 200 bytes, the last takes what is left.
        let mut name: String = "s".repeat(200);
        while name.len() + 201 < len {
            name.push('/');
            name.push_str(&"s".repeat(200));
        }
        let left = len - name.len();
        if left > 1 {
            name.push('/');
            name.push_str(&"e".repeat(left - 1));
        }
        names.push(name);
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    apart(bench, &names)
}

fn long_twins(bench: &Bench) -> Outcome {
    let mut names = Vec::new();
    for common in [31_usize, 63, 64, 127, 128, 200, 240, 250, 254] {
        for end in ["1", "2"] {
            names.push(format!("{}{end}", "x".repeat(common)));
        }
    }
    let long = ["s".repeat(240), "t".repeat(240), "u".repeat(240), "v".repeat(240)].join("/");
    for end in ["1", "2", "3/4"] {
        names.push(format!("{long}/{end}"));
    }
    names.push(format!("{}é", "x".repeat(253)));
    names.push(format!("{}è", "x".repeat(253)));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    apart(bench, &names)
}

fn internals(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "x",
            "x.meta",
            "x.tmp",
            "x.lock",
            ".lock",
            "x#1",
            "x-wal",
            "x-shm",
            "x-journal",
            "_refs",
            "refs/x",
            "data/x",
            "x.json",
            "x.json.json",
            "x/index",
            "x/index.json",
            "x/.keep",
            "x.json.config",
            "x.json.metadata",
            "x.0",
            "x~",
            ".x.swp",
            "x.bak",
            "x.d",
            "x.d/y",
            "x/",
            "d41d8cd98f00b204e9800998ecf8427e",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "index",
            "manifest",
            ".larder",
            "x.obj",
            "x.val",
            "x.dir",
            "x.key",
            "=x",
            "x=",
            "x%",
            "@x",
            "+x",
            "!x",
            "x!",
        ]
        .into_iter()
        .filter(|path| !path.ends_with('/'))
        .collect::<Vec<_>>(),
    )
}

fn numeric(bench: &Bench) -> Outcome {
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

fn backslash(bench: &Bench) -> Outcome {
    apart(
        bench,
        &["a\\b", "a/b", "a\\\\b", "a", "\\a", "a\\", "a\\/b", "..\\a", "C:\\a", "a\\n", "\\"],
    )
}

fn neighbours(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a-b", "a.b", "a/b", "a0", "a", "a0b", "ab", "a,b", "a:b", "a b", "a_b", "a|b", "a!/b",
            "a/-",
        ],
    )
}

fn delete_relatives(bench: &Bench) -> Outcome {
    let names = ["a", "ab", "abc", "a/b", "a/bc", "ab/c", "a/b/c", "ab0", "ab-", "b", "a%", "a_"];
    apart(bench, &names)?;
    let (_home, store) = bench.fresh()?;
    for gone in names {
        for name in names {
            store.put(&key("team", name), name)?;
        }
        store.delete(&key("team", gone))?;
        let left: Vec<_> = names
            .iter()
            .filter(|name| **name != gone)
            .map(|name| (key("team", name), Bytes::from(*name)))
            .collect();
        store
            .holds_exactly(&space("team"), &left)
            .map_err(|f| f.during(format!("delete {gone}")))?;
    }
    Ok(())
}

fn look_alikes(bench: &Bench) -> Outcome {
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

fn deep(bench: &Bench) -> Outcome {
    let mut names: Vec<String> = Vec::new();
    for depth in [2, 10, 50, 100, 255] {
        names.push(vec!["d"; depth].join("/"));
    }
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    apart(bench, &all)?;
    let (_home, store) = bench.fresh()?;
    let place = key("team", &names[4]);
    store.put(&place, "deep")?;
    let walked = store.walk(&space("team").everything(), Depth::Children, 10)?;
    ensure!(walked.folders.len() == 1 && walked.entries.is_empty(), "the top shows {walked:?}");
    store.delete(&place)?;
    store.holds_exactly(&space("team"), &[])
}

fn repeated(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a",
            "a/a",
            "a/a/a",
            "aa",
            "aa/a",
            "a/aa",
            "team",
            "team/a",
            "team/team",
            "a/team",
            "a/a/b",
            "b/a/a",
        ],
    )
}
