//! Listing: in byte order, complete, exclusive of the cursor, page by page.

mod pages;

use bytes::Bytes;
use larder::key::{Key, Prefix};
use larder::storage::Depth;

use super::check;
use crate::bench::{Bench, Handle, folder, key, space};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check("L-01", "A listing is every key, once, in byte order", "sentence 6", in_order),
    check(
        "L-02",
        "The order is that of bytes: `a-b`, `a.b`, `a/b`, `a0`; not of directories, letters or UTF-16",
        "sentence 6",
        byte_order,
    ),
    check(
        "L-03",
        "What was deleted is not listed, nor folders left empty",
        "sentence 6",
        no_ghosts,
    ),
    check(
        "L-04",
        "A folder lists whole segments: `a/` never shows `ab` or `a-b/c`",
        "module key",
        siblings,
    ),
    check("L-05", "Pattern characters in a folder's name mean themselves", "module key", patterns),
    check(
        "L-06",
        "A folder without keys, also one with the name of a key, is an empty page",
        "Storage::list",
        empty_folders,
    ),
    check(
        "L-07",
        "Children are the keys directly there and each folder once",
        "Depth::Children",
        children,
    ),
    check("L-08", "A name that is key and folder shows as both", "sentences 6 and 7", both),
    check(
        "L-09",
        "Pages of every size put together are the whole, flat and by children",
        "sentence 6",
        pages::page_sizes,
    ),
    check(
        "L-10",
        "A limit beyond the number of keys gives all of them",
        "List::limit",
        pages::large_limit,
    ),
    check(
        "L-11",
        "A listing starts behind its cursor, whether or not that key exists",
        "sentence 6; Cursor::Key",
        pages::after_key,
    ),
    check(
        "L-12",
        "A listing after a folder leaves all of that folder out",
        "Cursor::Folder",
        pages::after_folder,
    ),
    check(
        "L-13",
        "A page that ends inside or at a folder shows the folder once",
        "Page; Cursor",
        pages::folder_boundary,
    ),
    check(
        "L-14",
        "Keys that stay are listed once while others come and go between pages",
        "sentence 6",
        pages::changes_between_pages,
    ),
    check(
        "L-15",
        "Nothing is lost or doubled at 99, 100, 101, 999, 1,000, 1,001 and 2,001 keys",
        "sentence 6",
        pages::thousands,
    ),
    check("L-16", "Going down by children finds what the flat listing shows", "Depth", recursion),
    check("L-17", "Listed sizes are those of stat, also after an overwrite", "Entry::size", sizes),
    check(
        "L-18",
        "Names that look hidden, temporary or like bookkeeping are listed",
        "sentence 6",
        hidden,
    ),
    check(
        "L-19",
        "A cursor outside the folder lists from the folder's start, or nothing",
        "Cursor",
        pages::foreign_cursor,
    ),
    check("L-20", "Many siblings in deep folders are listed whole", "sentence 6", deep_and_wide),
    check("L-21", "A new key is listed at once, wherever it sorts", "sentences 2 and 6", fresh_key),
    check(
        "L-22",
        "Children of a folder in the middle of the order are complete",
        "Depth::Children",
        middle_folder,
    ),
    check("L-23", "Listing through another handle is the same", "sentence 2", other_handle),
];

const AWKWARD: [&str; 20] = [
    "a", "a/b", "a-b", "a.b", "a0", "a b", "ab", "a/b/c", "a/b-c", "a-b/c", "A", "a/b0", "b", "é",
    "z", "Z", "😀", "ｆ", "~", "a/",
];

fn put_all(store: &Handle, namespace: &str, paths: &[&str]) -> Result<Vec<(Key, Bytes)>, Failure> {
    let mut put = Vec::new();
    for path in paths.iter().filter(|path| !path.ends_with('/')) {
        let (place, value) = (key(namespace, path), Bytes::from(format!("v {path}")));
        store.put(&place, value.clone())?;
        put.push((place, value));
    }
    put.sort_by(|one, two| one.0.cmp(&two.0));
    Ok(put)
}

fn in_order(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(&store, "team", &AWKWARD)?;
    store.holds_exactly(&space("team"), &all)
}

fn byte_order(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let families: [&[&str]; 5] = [
        &["a-b", "a.b", "a/b", "a0", "a!b", "a b"],
        &["a-/x", "a/x", "a/-", "a//".trim_end_matches('/'), "a0/x", "a-"],
        &["B", "a", "C", "b", "_", "Z"],
        &["\u{ff5e}", "\u{10000}", "\u{e000}", "é", "z"],
        &["1", "10", "2", "01", "-1"],
    ];
    for (nth, family) in families.into_iter().enumerate() {
        let namespace = format!("team{nth}");
        let all = put_all(&store, &namespace, family)?;
        store.holds_exactly(&space(&namespace), &all)?;
    }
    Ok(())
}

fn no_ghosts(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let mut left = put_all(&store, "team", &["a/b/c", "a/b/d", "a/e", "f", "g/h/i/j"])?;
    let all = space("team").everything();
    while let Some((place, _)) = left.pop() {
        store.delete(&place)?;
        store.holds_exactly(&space("team"), &left)?;
        let children = store.walk(&all, Depth::Children, 10)?;
        let mut expected: Vec<_> =
            left.iter().filter_map(|(key, _)| all.child_towards(key)).collect();
        expected.dedup();
        ensure!(
            children.folders == expected,
            "after deleting {place} the folders are {:?}, not {expected:?}",
            children.folders
        );
    }
    ensure!(store.namespaces()?.is_empty(), "an emptied namespace is still listed");
    Ok(())
}

fn siblings(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    put_all(&store, "team", &["a", "a/b", "ab", "ab/c", "a-b/c", "a0/d", "A/b", "a/b/c"])?;
    for (path, expected) in [("a", &["a/b", "a/b/c"][..]), ("ab", &["ab/c"]), ("a/b", &["a/b/c"])] {
        for limit in [1, 100] {
            let found = store.walk(&folder("team", path), Depth::All, limit)?;
            let found: Vec<_> = found.entries.iter().map(|entry| entry.key.path()).collect();
            ensure!(found == expected, "{path}/ lists {found:?}, not {expected:?}");
        }
    }
    Ok(())
}

fn patterns(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let folders =
        ["a_b", "aXb", "a%b", "aXYb", "a*b", "a?b", "[ab]", "a", "b", "a\\_b", "a.b", "{a,b}"];
    for name in folders {
        store.put(&key("team", &format!("{name}/x")), name)?;
    }
    for name in folders {
        let found = store.walk(&folder("team", name), Depth::All, 100)?;
        let found: Vec<_> = found.entries.iter().map(|entry| entry.key.clone()).collect();
        let expected = [key("team", &format!("{name}/x"))];
        ensure!(found == expected, "{name}/ lists {found:?}");
    }
    Ok(())
}

fn empty_folders(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let none = |prefix: &Prefix| -> Outcome {
        for depth in [Depth::All, Depth::Children] {
            let found = store.walk(prefix, depth, 10)?;
            ensure!(
                found.entries.is_empty() && found.folders.is_empty(),
                "{prefix} should be empty, but lists {found:?}"
            );
        }
        Ok(())
    };
    none(&space("team").everything())?;
    none(&folder("team", "a"))?;
    put_all(&store, "team", &["a/b", "key"])?;
    for prefix in
        [folder("team", "key"), folder("team", "a/b"), folder("team", "a/b/c"), folder("team", "0")]
    {
        none(&prefix)?;
    }
    none(&space("tea").everything())?;
    none(&space("team1").everything())
}

fn children(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    put_all(&store, "team", &["a", "a/b", "a/c/d", "a/c/e", "b/x/y/z", "c", "a-b/q"])?;
    let shown = |prefix: &Prefix| -> Result<_, Failure> {
        let found = store.walk(prefix, Depth::Children, 100)?;
        let entries: Vec<String> = found.entries.iter().map(|e| e.key.path().into()).collect();
        let folders: Vec<String> = found.folders.iter().map(|f| f.as_str().into()).collect();
        Ok((entries, folders))
    };
    let top = shown(&space("team").everything())?;
    let expected = (
        vec!["a".into(), "c".into()],
        vec!["team/a-b/".into(), "team/a/".into(), "team/b/".into()],
    );
    ensure!(top == expected, "the children are {top:?}, not {expected:?}");
    let below = shown(&folder("team", "a"))?;
    let expected = (vec!["a/b".into()], vec!["team/a/c/".into()]);
    ensure!(below == expected, "the children of a/ are {below:?}, not {expected:?}");
    let deeper = shown(&folder("team", "b/x"))?;
    let expected = (vec![], vec!["team/b/x/y/".into()]);
    ensure!(deeper == expected, "the children of b/x/ are {deeper:?}, not {expected:?}");
    Ok(())
}

fn both(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    put_all(&store, "team", &["a", "a/b", "a/b/c"])?;
    for limit in [1, 2, 10] {
        let found = store.walk(&space("team").everything(), Depth::Children, limit)?;
        let names = (found.entries.len(), found.folders.len());
        ensure!(names == (1, 1), "`a` beside `a/b` shows as {found:?}");
        let found = store.walk(&folder("team", "a"), Depth::Children, limit)?;
        let names = (found.entries.len(), found.folders.len());
        ensure!(names == (1, 1), "`a/b` beside `a/b/c` shows as {found:?}");
    }
    Ok(())
}

fn recursion(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(&store, "team", &AWKWARD)?;
    let mut folders = vec![space("team").everything()];
    let mut found = Vec::new();
    while let Some(prefix) = folders.pop() {
        let children = store.walk(&prefix, Depth::Children, 3)?;
        found.extend(children.entries.into_iter().map(|entry| entry.key));
        folders.extend(children.folders);
    }
    found.sort();
    let expected: Vec<_> = all.into_iter().map(|(key, _)| key).collect();
    ensure!(found == expected, "going down finds {found:?}, not {expected:?}");
    Ok(())
}

fn sizes(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a/b");
    for len in [0_usize, 5, 3, 100_000, 1] {
        store.put(&place, vec![1; len])?;
        let stat = store.stat(&place)?.map(|stat| stat.size.bytes());
        for prefix in [space("team").everything(), folder("team", "a")] {
            let found = store.walk(&prefix, Depth::All, 10)?;
            let listed = found.entries.first().map(|entry| entry.size);
            ensure!(listed == stat, "{prefix} lists size {listed:?}, stat says {stat:?}");
        }
    }
    Ok(())
}

fn hidden(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let names = [
        ".x",
        ".hidden/x",
        "~x",
        "x~",
        "x.tmp",
        ".tmp",
        "tmp/x",
        "foo#1",
        "__MACOSX/x",
        "Thumbs.db",
        ".DS_Store",
        ".lock",
        "lock",
        "x.lock",
        ".git/x",
        "x.meta",
        "x.config",
        "x.metadata",
        "_",
        "-x",
        "x-wal",
        "x-journal",
        ".~lock.x#",
        "#x#",
        "desktop.ini",
        "lost+found/x",
        "x.part",
        "..x",
        "...",
    ];
    let all = put_all(&store, "team", &names)?;
    store.holds_exactly(&space("team"), &all)
}

fn deep_and_wide(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let deep = ["d"; 60].join("/");
    let count = bench.many(300);
    let namespace = space("team");
    let mut batch = larder::storage::Batch::new(&namespace);
    for n in 0..count {
        batch.put(key("team", &format!("{deep}/{n:04}")), "v");
    }
    store.apply(batch)?;
    let found = store.walk(&folder("team", &deep), Depth::Children, 70)?;
    ensure!(found.entries.len() == count, "{} of {count} listed", found.entries.len());
    let mut prefix = namespace.everything();
    for level in 0..60 {
        let page = pages::page(&store, &prefix, Depth::Children, None, 10)?;
        let [next] = &page.folders[..] else {
            return Err(Failure::new(format!("level {level} shows {page:?}")));
        };
        prefix = next.clone();
    }
    Ok(())
}

fn fresh_key(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let mut all = put_all(&store, "team", &["m/1", "m/2"])?;
    for path in ["a", "m/0", "m/15", "m", "z", "m/1/x", "m-1", "m0"] {
        store.keys(&space("team"))?;
        all.push((key("team", path), Bytes::from(path)));
        store.put(&key("team", path), path)?;
        store.holds_exactly(&space("team"), &all)?;
    }
    Ok(())
}

fn middle_folder(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    put_all(&store, "team", &["b/1", "b/2/x", "b/3", "a/9", "c/9", "b-/9", "b0/9", "b"])?;
    for limit in [1, 2, 10] {
        let found = store.walk(&folder("team", "b"), Depth::Children, limit)?;
        let paths: Vec<_> = found.entries.iter().map(|entry| entry.key.path()).collect();
        ensure!(
            paths == ["b/1", "b/3"] && found.folders == [folder("team", "b/2")],
            "the children of b/ are {found:?}"
        );
    }
    Ok(())
}

fn other_handle(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let mut all = put_all(&one, "team", &["a", "b/c", "b/d"])?;
    two.holds_exactly(&space("team"), &all)?;
    all.extend(put_all(&two, "team", &["b/e", "0"])?);
    one.holds_exactly(&space("team"), &all)
}
