//! Names by their segments: long ones, deep ones, and one above or beside another.

use super::apart;
use crate::bench::{Bench, key, space};
use crate::check::Outcome;
use crate::ensure;
use bytes::Bytes;
use larder::key::MAX_SEGMENT_BYTES;
use larder::storage::Depth;

pub(super) fn chains(bench: &Bench) -> Outcome {
    let paths = ["a", "a/b", "a/b/c", "a/b/c/d"];
    apart(bench, &paths)?;
    let reversed: Vec<_> = paths.into_iter().rev().collect();
    apart(bench, &reversed)?;
    apart(bench, &["a/b", "a/b/c/d", "a", "a/b/c", "a/x", "a/x/y"])
}

pub(super) fn key_and_folder(bench: &Bench) -> Outcome {
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

pub(super) fn long_segments(bench: &Bench) -> Outcome {
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

pub(super) fn long_keys(bench: &Bench) -> Outcome {
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

pub(super) fn long_twins(bench: &Bench) -> Outcome {
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

pub(super) fn internals(bench: &Bench) -> Outcome {
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

pub(super) fn neighbours(bench: &Bench) -> Outcome {
    apart(
        bench,
        &[
            "a-b", "a.b", "a/b", "a0", "a", "a0b", "ab", "a,b", "a:b", "a b", "a_b", "a|b", "a!/b",
            "a/-",
        ],
    )
}

pub(super) fn delete_relatives(bench: &Bench) -> Outcome {
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

pub(super) fn deep(bench: &Bench) -> Outcome {
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

pub(super) fn repeated(bench: &Bench) -> Outcome {
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
