//! Namespaces: what happens in one is not seen in another, however alike their names.

mod neighbours;

use std::fs;

use bytes::Bytes;
use larder::key::{Key, Namespace};
use larder::storage::{Cursor, Depth, Expect, List};
use std::num::NonZeroUsize;

use super::check;
use crate::bench::{Bench, Handle, conflict_on, key, space};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check("N-01", "One path in two namespaces is two objects", "module key", same_path),
    check(
        "N-02",
        "No two splits of one text into namespace and path are one object",
        "module key",
        splits,
    ),
    check(
        "N-03",
        "Namespaces that begin with each other do not meet: `ns`, `ns1`, `ns10`, `ns-x`",
        "module key",
        prefixes,
    ),
    check(
        "N-04",
        "Namespaces with pattern characters do not match others: `a_b` and `aXb`",
        "module key",
        patterns,
    ),
    check("N-05", "Namespaces that differ by case stay apart", "sentence 7", case),
    check(
        "N-06",
        "Namespaces called `data`, `refs`, `tmp` and the root namespace stay apart",
        "Namespace::is_root",
        reserved,
    ),
    check(
        "N-07",
        "Names that clean to the same namespace are the same namespace",
        "Namespace::clean",
        cleaned,
    ),
    check(
        "N-08",
        "Emptying a namespace leaves all others as they were",
        "module key",
        neighbours::emptying,
    ),
    check(
        "N-09",
        "A namespace emptied and written again holds only the new",
        "sentence 2",
        neighbours::again,
    ),
    check("N-10", "A cursor of one namespace shows nothing of it in another", "Cursor", cursors),
    check("N-11", "A version of one namespace guards nothing in another", "Expect::At", versions),
    check(
        "N-12",
        "The namespaces listed are those that hold a key, in byte order",
        "Storage::namespaces",
        listed,
    ),
    check(
        "N-13",
        "Listing the root namespace is not listing everything",
        "Namespace::is_root",
        root_is_not_all,
    ),
    check(
        "N-14",
        "Names with traversal in them leave what is outside the home untouched",
        "module key",
        outside,
    ),
    check(
        "N-15",
        "Namespaces of 128 characters that differ at the end stay apart",
        "MAX_NAMESPACE_CHARS",
        long,
    ),
    check(
        "N-16",
        "All goes well beside a neighbour that writes all the time",
        "module key",
        neighbours::hostile_neighbour,
    ),
    check(
        "N-17",
        "Interleaved writes of near-miss namespaces end as if each had been alone",
        "module key",
        neighbours::interleaved,
    ),
    check(
        "N-18",
        "More than a thousand namespaces are listed whole and stay apart",
        "Storage::namespaces",
        many,
    ),
];

/// Writes the same paths with different values into each namespace, in turns, and compares all.
fn stay_apart(store: &Handle, names: &[&str], paths: &[&str]) -> Outcome {
    let mut all: Vec<(Key, Bytes)> = Vec::new();
    for path in paths {
        for name in names {
            let (place, value) = (key(name, path), Bytes::from(format!("{name}:{path}")));
            store.put(&place, value.clone())?;
            all.push((place, value));
        }
    }
    compare(store, names, &all)?;
    // One namespace after the other is emptied, one path after the other.
    for name in names {
        for path in paths {
            store.delete(&key(name, path))?;
            all.retain(|(place, _)| *place != key(name, path));
            compare(store, names, &all).map_err(|f| f.during(format!("delete {name}:{path}")))?;
        }
    }
    Ok(())
}

fn compare(store: &Handle, names: &[&str], all: &[(Key, Bytes)]) -> Outcome {
    for name in names {
        let own = all.iter().filter(|(place, _)| place.namespace_str() == *name);
        let own: Vec<_> = own.cloned().collect();
        store.holds_exactly(&space(name), &own)?;
    }
    Ok(())
}

fn same_path(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    stay_apart(&store, &["one", "two"], &["a", "a/b", "data/x"])
}

fn splits(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let pairs = [
        ("a", "b/c"),
        ("a_b", "c"),
        ("a-b", "c"),
        ("ab", "c"),
        ("a", "bc"),
        ("a", "b-c"),
        ("a", "b_c"),
        ("a", "b:c"),
        ("a_b_c", "x"),
        ("a", "b_c/x"),
        ("a_b", "c/x"),
        ("a", "b c"),
        ("a", "c"),
        ("b", "c"),
        ("a", "a/c"),
        ("ab", "a/c"),
        ("a", "ba/c"),
        ("a", "b.c"),
        ("a", "b|c"),
    ];
    let mut all: Vec<(Key, Bytes)> = Vec::new();
    for (namespace, path) in pairs {
        let (place, value) = (key(namespace, path), Bytes::from(format!("{namespace}+{path}")));
        store.put(&place, value.clone())?;
        all.push((place, value));
        for (place, value) in &all {
            store.holds(place, Some(value))?;
        }
    }
    let names = ["a", "b", "ab", "a-b", "a_b", "a_b_c"];
    compare(&store, &names, &all)?;
    while let Some((place, _)) = all.pop() {
        store.delete(&place)?;
        compare(&store, &names, &all).map_err(|f| f.during(format!("delete {place}")))?;
    }
    Ok(())
}

fn prefixes(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    stay_apart(&store, &["ns", "ns1", "ns10", "ns-x", "ns_1", "n", "ns1-"], &["a", "a/b", "0"])
}

fn patterns(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    stay_apart(&store, &["a_b", "aXb", "a-b", "a__b", "_", "__", "X", "-"], &["a", "b/c"])
}

fn case(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    stay_apart(&store, &["team", "Team", "TEAM", "teaM"], &["a", "a/b"])
}

fn reserved(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    stay_apart(
        &store,
        &["", "data", "refs", "tmp", "admin", "namespaces", "default", "_system", "index"],
        &["data/x", "refs/by-hash/x"],
    )?;
    let root = key("", "data/a/b");
    let called = key("data", "data/a/b");
    let other = key("a", "b");
    store.put(&root, "root")?;
    store.put(&called, "called data")?;
    store.put(&other, "other")?;
    store.holds(&root, Some(b"root"))?;
    store.holds(&called, Some(b"called data"))?;
    store.delete(&root)?;
    store.holds(&root, None)?;
    store.holds(&called, Some(b"called data"))?;
    store.holds(&other, Some(b"other"))
}

fn cleaned(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let path = larder::key::RelPath::parse("data/x").expect("battery bug: a bad path");
    for (one, two) in
        [("a.b", "a_b"), ("a/b", "a_b"), (" team ", "team"), ("../x", "___x"), ("é", "_")]
    {
        let clean = |name| {
            let namespace = Namespace::clean(name);
            namespace.and_then(|namespace| namespace.key(path))
        };
        let (Ok(one), Ok(two)) = (clean(one), clean(two)) else {
            return Err(Failure::new("battery bug: a name that does not clean"));
        };
        store.put(&one, "put by the one")?;
        store.holds(&two, Some(b"put by the one"))?;
        store.delete(&two)?;
        store.holds(&one, None)?;
    }
    Ok(())
}

fn cursors(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for name in ["a", "b", "c"] {
        for path in ["k1", "k2", "k3", "d/k"] {
            store.put(&key(name, path), name)?;
        }
    }
    let everything = |name: &str| space(name).everything();
    let one = NonZeroUsize::MIN;
    let query = List { prefix: everything("a"), depth: Depth::All, after: None, limit: one };
    let page = store.list(query)?;
    ensure!(page.next.is_some(), "a page of one of four keys has no next");
    for cursor in
        page.next.into_iter().chain([Cursor::Key(key("c", "k1")), Cursor::Folder(everything("a"))])
    {
        for name in ["a", "b", "c"] {
            let prefix = everything(name);
            let limit = NonZeroUsize::new(100).unwrap_or(one);
            let after = Some(cursor.clone());
            let page =
                store.list(List { prefix: prefix.clone(), depth: Depth::All, after, limit })?;
            let foreign = page.entries.iter().find(|entry| !prefix.contains(&entry.key));
            ensure!(foreign.is_none(), "{name} after {cursor:?} shows {foreign:?}");
            let expected =
                ["d/k", "k1", "k2", "k3"].iter().filter(|path| !cursor.passed(&key(name, path)));
            let (found, expected) = (page.entries.len(), expected.count());
            ensure!(
                found == expected || page.next.is_some(),
                "{name} after {cursor:?} shows {found} of {expected}"
            );
        }
    }
    Ok(())
}

fn versions(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (one, two) = (key("one", "data/x"), key("two", "data/x"));
    store.put(&one, "value of one")?;
    store.put(&two, "value of two")?;
    let version = store.version(&one)?;
    let answer = store.put_if(&two, "stolen", Expect::At(version.clone()));
    ensure!(conflict_on(&answer, &two), "a version of {one} let {two} be replaced: {answer:?}");
    let answer = store.delete_if(&two, Expect::At(version));
    ensure!(conflict_on(&answer, &two), "a version of {one} let {two} be deleted: {answer:?}");
    store.holds(&two, Some(b"value of two"))
}

fn listed(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    ensure!(store.namespaces()?.is_empty(), "a new store has namespaces");
    let mut there: Vec<Namespace> = Vec::new();
    for name in ["m", "a", "z", "a-b", "a_b", "ab", "A", "0", "a0", "data", "m-", "_"] {
        store.put(&key(name, "data/deep/x"), "v")?;
        store.put(&key(name, "data/y"), "v")?;
        there.push(space(name));
        there.sort();
        let found = store.namespaces()?;
        ensure!(found == there, "namespaces gave {found:?}, not {there:?}");
    }
    while let Some(namespace) = there.pop() {
        store.delete(&key(namespace.as_str(), "data/y"))?;
        let found = store.namespaces()?;
        ensure!(found.contains(&namespace), "{namespace} holds a key, but is not in {found:?}");
        store.delete(&key(namespace.as_str(), "data/deep/x"))?;
        let found = store.namespaces()?;
        ensure!(found == there, "namespaces gave {found:?}, not {there:?}");
    }
    Ok(())
}

fn root_is_not_all(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for name in ["team", "data", "refs", "d"] {
        store.put(&key(name, "data/x"), name)?;
        store.put(&key(name, "refs/y"), name)?;
    }
    store.holds_exactly(&Namespace::root(), &[])?;
    let own = [(key("", "data/x/y"), Bytes::from("1")), (key("", "refs/z"), Bytes::from("2"))];
    for (place, value) in &own {
        store.put(place, value.clone())?;
    }
    for limit in [1, 2, 100] {
        store.holds_exactly(&Namespace::root(), &own)?;
        let children = store.walk(&Namespace::root().everything(), Depth::Children, limit)?;
        let folders: Vec<_> = children.folders.iter().map(|folder| folder.as_str()).collect();
        ensure!(folders == ["data/", "refs/"], "the root's folders are {folders:?}");
    }
    Ok(())
}

fn outside(bench: &Bench) -> Outcome {
    let home = bench.home();
    let beside = home.outside().join("beside");
    let canaries =
        [home.outside().join("canary"), beside.join("canary"), home.outside().join("secret.json")];
    let failed = |error: std::io::Error| Failure::new(format!("failed to plant a canary: {error}"));
    fs::create_dir_all(&beside).map_err(failed)?;
    for canary in &canaries {
        fs::write(canary, "untouched").map_err(failed)?;
    }
    let store = bench.open(&home)?;
    let names = [
        "..%2fcanary",
        "%2e%2e/canary",
        "%2e%2e%2fcanary",
        "..\\canary",
        "%252e%252e/canary",
        "...",
        "..%00/canary",
        "‥/canary",
        "．．/canary",
        "beside/canary",
        "canary",
        "secret.json",
        "%2f%2fcanary",
        "a/..%2f..%2fcanary",
    ];
    for name in names {
        let place = key("team", name);
        store.put(&place, "written")?;
        store.holds(&place, Some(b"written"))?;
        store.delete(&place)?;
    }
    for canary in &canaries {
        let found = fs::read(canary).map_err(failed)?;
        ensure!(found == b"untouched", "{} was changed", canary.display());
    }
    let mut there: Vec<_> =
        fs::read_dir(home.outside()).map_err(failed)?.flatten().map(|e| e.file_name()).collect();
    there.sort();
    ensure!(there.len() == 4, "files appeared outside the home: {there:?}");
    Ok(())
}

fn long(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let mut names = Vec::new();
    for len in [63, 64, 100, 127] {
        names.extend(["1", "2"].map(|end| format!("{}{end}", "n".repeat(len))));
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    stay_apart(&store, &names, &["data/x"])
}

fn many(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let count = bench.many(1_050);
    for n in 0..count {
        store.put(&key(&format!("n{n}"), "data/x"), format!("{n}"))?;
    }
    let found = store.namespaces()?;
    let mut expected: Vec<_> = (0..count).map(|n| space(&format!("n{n}"))).collect();
    expected.sort();
    ensure!(found == expected, "{} of {count} namespaces listed", found.len());
    for n in (0..count).step_by(37) {
        let value = Bytes::from(format!("{n}"));
        store
            .holds_exactly(&space(&format!("n{n}")), &[(key(&format!("n{n}"), "data/x"), value)])?;
    }
    Ok(())
}
