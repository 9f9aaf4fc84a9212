//! Batches: steps in order, all or as much as is promised, and nothing behind a failed expectation.

mod readers;

use bytes::Bytes;
use larder::key::Key;
use larder::storage::{Batch, Change, Error, Expect};

use super::{check, only};
use crate::bench::{Bench, conflict_on, key, space};
use crate::check::{Check, Needs, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check("B-01", "A batch leaves what its changes leave one by one", "sentence 3", same_as_single),
    check("B-02", "An empty batch succeeds and changes nothing", "Storage::apply", empty),
    check(
        "B-03",
        "A failed expectation applies nothing of its step or of later ones, wherever it stands",
        "sentence 3",
        nothing_behind,
    ),
    check(
        "B-04",
        "A failed expectation is reported with its key, among any others",
        "sentence 3; Error::Conflict",
        names_the_key,
    ),
    only(
        Needs::Atomic,
        "B-05",
        "A batch that fails leaves nothing, not even of earlier steps",
        "Promises::atomic_batches",
        leaves_nothing,
    ),
    only(
        Needs::NotAtomic,
        "B-06",
        "A batch that fails leaves whole steps from its start, and nothing else",
        "sentence 3",
        leaves_steps,
    ),
    check(
        "B-07",
        "A key changed in several steps ends as the last one says",
        "sentence 3",
        last_wins,
    ),
    check(
        "B-08",
        "An expectation is about what earlier steps left",
        "sentence 3",
        sees_earlier_steps,
    ),
    check("B-09", "Batches of 1 to 2,500 changes are applied whole", "sentence 3", sizes),
    only(
        Needs::Atomic,
        "B-10",
        "No reader sees some of a step of an atomic batch without the rest, by listing",
        "Promises::atomic_batches",
        readers::readers_see_all,
    ),
    check(
        "B-11",
        "Readers see steps in order: never a later one without an earlier one",
        "sentence 3",
        readers::readers_see_order,
    ),
    check(
        "B-12",
        "A batch may write a key and keys below it, and delete one of them",
        "sentence 7",
        key_and_below,
    ),
    check("B-13", "Each key of a batch gets its own value", "sentence 1", own_values),
    check("B-14", "Guards that hold let the whole batch through", "sentence 4", guards_hold),
    check(
        "B-15",
        "When several expectations fail, the key named is one of the first failing step",
        "sentence 3",
        first_failing_step,
    ),
    check("B-16", "A batch does not touch keys it does not name", "sentence 3", others_untouched),
    check(
        "B-17",
        "After a failed batch the store takes the corrected one",
        "sentence 8",
        corrected,
    ),
];

fn batch(changes: &[&[Change]]) -> Batch {
    let first = changes.iter().flat_map(|step| step.iter()).next();
    let namespace = first.map_or_else(|| space("team"), |change| change.key().namespace());
    let mut batch = Batch::new(&namespace);
    for step in changes {
        batch.then();
        for change in *step {
            match change.clone() {
                Change::Put { key, bytes, expect } => batch.put_if(key, bytes, expect),
                Change::Delete { key, expect } => batch.delete_if(key, expect),
            }
        }
    }
    batch
}

fn put(path: &str, value: &str) -> Change {
    put_if(path, value, Expect::Any)
}

fn put_if(path: &str, value: &str, expect: Expect) -> Change {
    Change::Put { key: key("team", path), bytes: value.to_owned().into(), expect }
}

fn delete(path: &str) -> Change {
    Change::Delete { key: key("team", path), expect: Expect::Any }
}

fn same_as_single(bench: &Bench) -> Outcome {
    let mut random = bench.random();
    let names = ["a", "a/b", "a-b", "ab", "c"];
    for _ in 0..bench.rounds(15) {
        let (_one, single) = bench.fresh()?;
        let (_two, batched) = bench.fresh()?;
        let mut together = Batch::new(&space("team"));
        for nth in 0..8 {
            let place = key("team", names[random.below(names.len())]);
            together.then();
            if random.one_in(3) {
                single.delete(&place)?;
                together.delete(place);
            } else {
                single.put(&place, format!("value {nth}"))?;
                together.put(place, format!("value {nth}"));
            }
        }
        batched.apply(together.clone())?;
        for name in names {
            let place = key("team", name);
            let (one, two) = (single.read(&place)?, batched.read(&place)?);
            ensure!(
                one == two,
                "{together:?} left {name} at {two:?}, its changes alone at {one:?}"
            );
        }
        ensure!(
            single.keys(&space("team"))? == batched.keys(&space("team"))?,
            "the listings differ"
        );
    }
    Ok(())
}

fn empty(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    store.apply(Batch::new(&space("team")))?;
    ensure!(store.namespaces()?.is_empty(), "an empty batch made a namespace");
    store.put(&key("team", "a"), "v")?;
    let mut nearly = Batch::new(&space("team"));
    nearly.then();
    nearly.then();
    store.apply(nearly)?;
    store.holds_exactly(&space("team"), &[(key("team", "a"), "v".into())])
}

/// Batches whose expectation fails at each place, with what stands before and behind it.
fn failing(position: usize) -> (Batch, Key) {
    let bad = put_if("guarded", "replaced", Expect::Absent);
    let steps: [&[Change]; 3] = match position {
        0 => [&[bad.clone(), put("same", "s")], &[put("later", "l")], &[]],
        1 => [&[put("same", "s"), bad.clone()], &[put("later", "l")], &[]],
        2 => [
            &[put("earlier", "e")],
            &[put("same", "s"), bad.clone(), put("same2", "s")],
            &[put("later", "l")],
        ],
        3 => [&[put("earlier", "e")], &[put("earlier", "e2")], &[delete("kept"), bad.clone()]],
        _ => [&[put("earlier", "e")], &[delete("kept"), bad.clone()], &[delete("guarded")]],
    };
    (batch(&steps), bad.key().clone())
}

fn nothing_behind(bench: &Bench) -> Outcome {
    for position in 0..5 {
        let (_home, store) = bench.fresh()?;
        store.put(&key("team", "guarded"), "there")?;
        store.put(&key("team", "kept"), "kept")?;
        let (batch, guarded) = failing(position);
        let answer = store.apply(batch.clone());
        ensure!(conflict_on(&answer, &guarded), "{batch:?} gave {answer:?}");
        store.holds(&guarded, Some(b"there"))?;
        store.holds(&key("team", "kept"), Some(b"kept"))?;
        for path in ["same", "same2", "later"] {
            store.holds(&key("team", path), None)?;
        }
    }
    Ok(())
}

fn names_the_key(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let paths = ["a", "b", "c/d", "c", "e"];
    for wrong in paths {
        store.put(&key("team", wrong), "there")?;
        let changes: Vec<_> =
            paths.iter().map(|path| put_if(path, "new", Expect::Absent)).collect();
        let answer = store.apply(batch(&[&changes]));
        ensure!(
            conflict_on(&answer, &key("team", wrong)),
            "only {wrong} was there, but {answer:?}"
        );
        store.delete(&key("team", wrong))?;
        store.holds_exactly(&space("team"), &[])?;
    }
    Ok(())
}

fn leaves_nothing(bench: &Bench) -> Outcome {
    for position in 0..5 {
        let (_home, store) = bench.fresh()?;
        let before: [(Key, Bytes); 2] =
            [(key("team", "guarded"), "there".into()), (key("team", "kept"), "kept".into())];
        for (place, value) in &before {
            store.put(place, Bytes::clone(value))?;
        }
        let (batch, _) = failing(position);
        let answer = store.apply(batch);
        ensure!(matches!(answer, Err(Error::Conflict { .. })), "the batch gave {answer:?}");
        store.holds_exactly(&space("team"), &before)?;
    }
    Ok(())
}

fn leaves_steps(bench: &Bench) -> Outcome {
    for position in 2..5 {
        let (_home, store) = bench.fresh()?;
        store.put(&key("team", "guarded"), "there")?;
        store.put(&key("team", "kept"), "kept")?;
        let (batch, guarded) = failing(position);
        let answer = store.apply(batch);
        ensure!(conflict_on(&answer, &guarded), "the batch gave {answer:?}");
        let earlier = store.read(&key("team", "earlier"))?;
        let allowed: &[Option<&[u8]>] =
            if position == 3 { &[None, Some(b"e"), Some(b"e2")] } else { &[None, Some(b"e")] };
        ensure!(allowed.contains(&earlier.as_deref()), "the step before left {earlier:?}");
        store.holds(&guarded, Some(b"there"))?;
        store.holds(&key("team", "kept"), Some(b"kept"))?;
        store.holds(&key("team", "later"), None)?;
    }
    Ok(())
}

fn last_wins(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    for (steps, expected) in [
        (vec![vec![put("a", "1")], vec![put("a", "2")], vec![put("a", "3")]], Some("3")),
        (vec![vec![put("a", "1")], vec![delete("a")]], None),
        (vec![vec![delete("a")], vec![put("a", "1")]], Some("1")),
        (
            vec![vec![put("a", "1")], vec![delete("a")], vec![put("a", "9")], vec![put("b", "x")]],
            Some("9"),
        ),
        (vec![vec![put("b", "y")], vec![put("a", "long value")], vec![put("a", "s")]], Some("s")),
    ] {
        let steps: Vec<&[Change]> = steps.iter().map(Vec::as_slice).collect();
        store.apply(batch(&steps))?;
        store.holds(&place, expected.map(str::as_bytes))?;
    }
    Ok(())
}

fn sees_earlier_steps(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "old")?;
    store.apply(batch(&[&[delete("a")], &[put_if("a", "new", Expect::Absent)]]))?;
    store.holds(&place, Some(b"new"))?;
    let version = store.version(&place)?;
    let answer = store.apply(batch(&[&[put("b", "v")], &[put_if("b", "w", Expect::Absent)]]));
    ensure!(
        conflict_on(&answer, &key("team", "b")),
        "`b` was put by the step before, and a step that expects nothing there gave {answer:?}"
    );
    let answer = store.apply(batch(&[&[put("a", "x")], &[put_if("a", "y", Expect::At(version))]]));
    ensure!(
        conflict_on(&answer, &place),
        "the step before replaced `a`, and a step that expects its old version gave {answer:?}"
    );
    // Written by the earlier step alone, if that was kept.
    let left = store.read(&place)?;
    ensure!(left.as_deref() != Some(b"y"), "the guarded step was applied");
    store.put(&place, "again")?;
    let version = store.version(&place)?;
    store.apply(batch(&[&[put("c", "v")], &[put_if("a", "z", Expect::At(version))]]))?;
    store.holds(&place, Some(b"z"))
}

fn sizes(bench: &Bench) -> Outcome {
    for count in [1, 2, 99, 100, 101, 999, 1000, 1001, 2500]
        .map(|count| if bench.limits.slow { count / 10 + 1 } else { count })
    {
        let (_home, store) = bench.fresh()?;
        let namespace = space("team");
        let mut puts = Batch::new(&namespace);
        let mut deletes = Batch::new(&namespace);
        for n in 0..count {
            puts.put(key("team", &format!("data/{n:05}")), format!("value {n}"));
            deletes.delete(key("team", &format!("data/{n:05}")));
        }
        store.apply(puts)?;
        let keys = store.keys(&namespace)?;
        ensure!(keys.len() == count, "a batch of {count} left {} keys", keys.len());
        for n in [0, count / 2, count - 1] {
            let value = format!("value {n}");
            store.holds(&key("team", &format!("data/{n:05}")), Some(value.as_bytes()))?;
        }
        store.apply(deletes)?;
        let keys = store.keys(&namespace)?;
        ensure!(keys.is_empty(), "a batch that deletes {count} keys left {}", keys.len());
    }
    Ok(())
}

fn key_and_below(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    store.apply(batch(&[&[put("a", "1"), put("a/b", "2"), put("a/b/c", "3")]]))?;
    let all = |paths: &[(&str, &'static str)]| -> Vec<(Key, Bytes)> {
        paths.iter().map(|(path, value)| (key("team", path), Bytes::from(*value))).collect()
    };
    store.holds_exactly(&space("team"), &all(&[("a", "1"), ("a/b", "2"), ("a/b/c", "3")]))?;
    store.apply(batch(&[
        &[delete("a"), put("a/b", "4")],
        &[put("a/b/c/d", "5"), delete("a/b/c")],
    ]))?;
    store.holds_exactly(&space("team"), &all(&[("a/b", "4"), ("a/b/c/d", "5")]))?;
    store.apply(batch(&[&[delete("a/b"), delete("a/b/c/d"), put("a", "6")]]))?;
    store.holds_exactly(&space("team"), &all(&[("a", "6")]))
}

fn own_values(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let paths: Vec<_> = (0..50).map(|n| format!("k{}", (n * 37) % 50)).collect();
    let changes: Vec<_> = paths.iter().map(|path| put(path, &format!("value of {path}"))).collect();
    store.apply(batch(&[&changes]))?;
    for path in &paths {
        store.holds(&key("team", path), Some(format!("value of {path}").as_bytes()))?;
    }
    Ok(())
}

fn guards_hold(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for path in ["a", "b", "c"] {
        store.put(&key("team", path), "old")?;
    }
    let at = |path: &str| -> Result<Expect, Failure> {
        Ok(Expect::At(store.version(&key("team", path))?))
    };
    let changes = [
        put_if("a", "new", at("a")?),
        Change::Delete { key: key("team", "b"), expect: at("b")? },
        put_if("d", "new", Expect::Absent),
        put("e", "new"),
    ];
    store.apply(batch(&[&changes, &[put_if("c", "new", at("c")?)]]))?;
    let new: Vec<_> =
        ["a", "c", "d", "e"].map(|path| (key("team", path), Bytes::from("new"))).into();
    store.holds_exactly(&space("team"), &new)
}

fn first_failing_step(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    store.put(&key("team", "z"), "there")?;
    store.put(&key("team", "b"), "there")?;
    let answer = store.apply(batch(&[
        &[put("ok", "v")],
        &[put_if("z", "new", Expect::Absent), put_if("y", "new", Expect::Absent)],
        &[put_if("b", "new", Expect::Absent)],
    ]));
    ensure!(conflict_on(&answer, &key("team", "z")), "`z` fails first, but {answer:?}");
    Ok(())
}

fn others_untouched(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let beside = ["a", "a/b/c", "ab", "a-b", "a/bc", "A/B"];
    for path in beside {
        store.put(&key("team", path), path)?;
        store.put(&key("team2", path), path)?;
    }
    for round in 0..3 {
        store.apply(batch(&[
            &[put("a/b", "v"), put("new", "v")],
            &[delete("a/b")],
            &[delete("new")],
        ]))?;
        let expected: Vec<_> = beside.map(|path| (key("team", path), Bytes::from(path))).into();
        store
            .holds_exactly(&space("team"), &expected)
            .map_err(|f| f.during(format!("round {round}")))?;
    }
    let expected: Vec<_> = beside.map(|path| (key("team2", path), Bytes::from(path))).into();
    store.holds_exactly(&space("team2"), &expected)
}

fn corrected(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    store.put(&key("team", "a"), "there")?;
    for round in 0..3 {
        let wrong = batch(&[&[put("b", "v"), put_if("a", "new", Expect::Absent)]]);
        ensure!(store.apply(wrong).is_err(), "round {round}: the wrong batch succeeded");
        let version = store.version(&key("team", "a"))?;
        store.apply(batch(&[&[put("b", "v"), put_if("a", "new", Expect::At(version))]]))?;
        store.holds(&key("team", "a"), Some(b"new"))?;
        store.holds(&key("team", "b"), Some(b"v"))?;
        store.delete(&key("team", "b"))?;
    }
    Ok(())
}
