//! Pages: where one ends and the next begins, whatever happens in between.

use super::{AWKWARD, put_all};
use crate::bench::{Bench, Handle, folder, key, space};
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;
use larder::key::{Key, Prefix};
use larder::storage::{Cursor, Depth, List};
use std::num::NonZeroUsize;

pub(super) fn page(
    store: &Handle,
    prefix: &Prefix,
    depth: Depth,
    after: Option<Cursor>,
    limit: usize,
) -> Result<larder::storage::Page, Failure> {
    let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
    Ok(store.list(List { prefix: prefix.clone(), depth, after, limit })?)
}

/// All keys behind a cursor, whatever the store's pages.
fn rest(store: &Handle, prefix: &Prefix, mut after: Option<Cursor>) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    for _ in 0..100 {
        let page = page(store, prefix, Depth::All, after, 1000)?;
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
    Err(Failure::new(format!("listing {prefix} does not end")))
}

pub(super) fn page_sizes(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(&store, "team", &AWKWARD)?;
    let prefix = space("team").everything();
    let mut folders: Vec<_> = all.iter().filter_map(|(key, _)| prefix.child_towards(key)).collect();
    folders.dedup();
    for limit in 1..=all.len() + 1 {
        let flat = store.walk(&prefix, Depth::All, limit)?;
        let found: Vec<_> = flat.entries.iter().map(|entry| &entry.key).collect();
        let expected: Vec<_> = all.iter().map(|(key, _)| key).collect();
        ensure!(found == expected, "pages of {limit} list {found:?}, not {expected:?}");
        let children = store.walk(&prefix, Depth::Children, limit)?;
        ensure!(
            children.folders == folders,
            "pages of {limit} give the folders {:?}, not {folders:?}",
            children.folders
        );
    }
    Ok(())
}

pub(super) fn large_limit(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(&store, "team", &AWKWARD)?;
    for limit in [all.len(), all.len() + 1, 1_000, 1_001, 1_000_000, usize::MAX] {
        let found = store.walk(&space("team").everything(), Depth::All, limit)?;
        ensure!(
            found.entries.len() == all.len(),
            "a limit of {limit} lists {} of {} keys",
            found.entries.len(),
            all.len()
        );
    }
    Ok(())
}

pub(super) fn after_key(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(&store, "team", &AWKWARD)?;
    let deleted = key("team", "m/deleted");
    store.put(&deleted, "soon gone")?;
    store.delete(&deleted)?;
    let between = ["a/a", "a-", "a-b/", "!", "a/b/c/d", "zzzz", "\u{10ffff}", "aa", "a0/0", "m"];
    let mut cursors: Vec<_> = all.iter().map(|(key, _)| key.clone()).collect();
    cursors
        .extend(between.iter().filter(|path| !path.ends_with('/')).map(|path| key("team", path)));
    cursors.push(deleted);
    cursors.push(key("team", &"y".repeat(255)));
    for prefix in [space("team").everything(), folder("team", "a"), folder("team", "a/b")] {
        for cursor in &cursors {
            let found = rest(&store, &prefix, Some(Cursor::Key(cursor.clone())))?;
            let keys = all.iter().map(|(key, _)| key);
            let expected: Vec<_> =
                keys.filter(|key| prefix.contains(key) && *key > cursor).cloned().collect();
            ensure!(found == expected, "{prefix} after {cursor} lists {found:?}, not {expected:?}");
        }
    }
    Ok(())
}

pub(super) fn after_folder(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(
        &store,
        "team",
        &["a", "a/b", "a/z/z", "a/ÿ", "a/中/x", "a/😀", "a-b", "a0", "b/c", "b", "c"],
    )?;
    let prefix = space("team").everything();
    for name in ["a", "b", "0", "z", "a-b", "aa", "a/z"] {
        let cursor = Cursor::Folder(folder("team", name));
        let found = rest(&store, &prefix, Some(cursor.clone()))?;
        let keys = all.iter().map(|(key, _)| key);
        let expected: Vec<_> = keys.filter(|key| !cursor.passed(key)).cloned().collect();
        ensure!(found == expected, "after the folder {name}/ come {found:?}, not {expected:?}");
    }
    Ok(())
}

pub(super) fn folder_boundary(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    put_all(&store, "team", &["a", "g/1", "g/2", "g/3", "g-1", "g0", "h/1", "i/1", "i/2", "j"])?;
    let prefix = space("team").everything();
    let whole = store.walk(&prefix, Depth::Children, 100)?;
    let items = whole.entries.len() + whole.folders.len();
    ensure!(items == 7, "there are 7 children, but {whole:?}");
    for limit in 1..=8 {
        let found = store.walk(&prefix, Depth::Children, limit)?;
        ensure!(
            found.entries == whole.entries && found.folders == whole.folders,
            "by pages of {limit}: {found:?}, not {whole:?}"
        );
    }
    // A cursor on a key inside the folder: the folder still has keys behind it.
    for (inside, expected) in [("g/1", 3), ("g/3", 2), ("i/1", 1), ("i/2", 0)] {
        let cursor = Some(Cursor::Key(key("team", inside)));
        let page = page(&store, &prefix, Depth::Children, cursor, 100)?;
        ensure!(
            page.folders.len() == expected,
            "after {inside} there are {expected} folders left, but {:?}",
            page.folders
        );
    }
    Ok(())
}

pub(super) fn changes_between_pages(bench: &Bench) -> Outcome {
    let mut random = bench.random();
    for round in 0..bench.rounds(20) {
        let (_home, store) = bench.fresh()?;
        let stable: Vec<_> = (0..12).map(|n| key("team", &format!("k{n:02}"))).collect();
        let moving: Vec<_> = (0..12).map(|n| key("team", &format!("k{n:02}-m"))).collect();
        for place in stable.iter().chain(&moving) {
            store.put(place, "value")?;
        }
        let prefix = space("team").everything();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = page(&store, &prefix, Depth::All, after, 1 + random.below(4))?;
            seen.extend(page.entries.into_iter().map(|entry| entry.key));
            for _ in 0..2 {
                let place = &moving[random.below(moving.len())];
                if random.one_in(2) { store.delete(place)? } else { store.put(place, "again")? }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let kept: Vec<_> = seen.iter().filter(|key| stable.contains(key)).cloned().collect();
        ensure!(kept == stable, "round {round}: keys that stayed were listed as {kept:?}");
        ensure!(seen.is_sorted_by(|one, two| one < two), "round {round}: out of order: {seen:?}");
    }
    Ok(())
}

pub(super) fn thousands(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let namespace = space("team");
    let mut there = 0;
    let counts: &[usize] = if bench.limits.slow {
        &[99, 100, 101, 256]
    } else {
        &[99, 100, 101, 999, 1000, 1001, 2001]
    };
    for &count in counts {
        let mut batch = larder::storage::Batch::new(&namespace);
        for n in there..count {
            batch.put(key("team", &format!("data/{n:05}")), "v");
        }
        there = count;
        store.apply(batch)?;
        for limit in [100, 1000, 999, 5000] {
            let found = store.walk(&namespace.everything(), Depth::All, limit)?;
            let wrong = found
                .entries
                .iter()
                .enumerate()
                .find(|(n, entry)| entry.key.path() != format!("data/{n:05}"));
            ensure!(
                found.entries.len() == count && wrong.is_none(),
                "{count} keys by pages of {limit}: {} listed, first wrong {wrong:?}",
                found.entries.len()
            );
        }
    }
    Ok(())
}

pub(super) fn foreign_cursor(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let all = put_all(&store, "m", &["d/1", "d/2", "e/1"])?;
    put_all(&store, "a", &["d/1"])?;
    put_all(&store, "z", &["d/1"])?;
    for (namespace, path, expected) in [
        ("a", "zz", 2),
        ("z", "a", 0),
        ("m", "a", 2),
        ("m", "e/1", 0),
        ("m", "d", 2),
        ("m", "d/1", 1),
    ] {
        let prefix = folder("m", "d");
        for cursor in [Cursor::Key(key(namespace, path)), Cursor::Folder(folder(namespace, path))] {
            // After the folder `d/` nothing of it is left, and nothing lies in the folder `d/1/`.
            let keys = all.iter().map(|(key, _)| key).filter(|key| prefix.contains(key));
            let expected_here: Vec<_> = keys.filter(|key| !cursor.passed(key)).cloned().collect();
            ensure!(
                matches!(cursor, Cursor::Folder(_)) || expected_here.len() == expected,
                "battery bug: {cursor:?} leaves {expected_here:?}"
            );
            let found = rest(&store, &prefix, Some(cursor.clone()))?;
            ensure!(found == expected_here, "m/d/ after {cursor:?} lists {found:?}");
        }
    }
    Ok(())
}
