//! Expectations: a guarded write happens when its guard holds, and only then.

use larder::key::Key;
use larder::storage::{Batch, Error, Expect, Version};

use super::check;
use crate::bench::{Bench, Handle, conflict_on, key, space};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check(
        "E-01",
        "Creating where nothing is succeeds once, then conflicts and leaves the first value",
        "Expect::Absent",
        create_once,
    ),
    check("E-02", "Replacing at the current version succeeds", "Expect::At", replace),
    check(
        "E-03",
        "Replacing at an older version conflicts and leaves the newer value",
        "Expect::At",
        stale,
    ),
    check("E-04", "A version is no good for a key that is gone", "Expect::At", gone),
    check("E-05", "A version is no good for a key deleted and made anew", "Expect::At", recreated),
    check(
        "E-06",
        "Every overwrite with another value makes another version, also of the same length",
        "Version",
        every_overwrite,
    ),
    check(
        "E-07",
        "Get and stat give the same version, through every handle",
        "Stat::version",
        versions_agree,
    ),
    check("E-08", "A version of one key guards no other", "Version", other_key),
    check("E-09", "Versions no store made match nothing", "Expect::At", garbage),
    check(
        "E-10",
        "A guarded delete deletes at that version only",
        "Change::Delete",
        guarded_delete,
    ),
    check(
        "E-11",
        "Deleting on condition of absence succeeds only where nothing is",
        "Change::Delete",
        delete_absent,
    ),
    check(
        "E-12",
        "A version stays as long as its key is not written",
        "Object::version",
        version_stays,
    ),
    check(
        "E-13",
        "A write without expectation replaces whatever is there",
        "Expect::Any",
        unconditional,
    ),
    check(
        "E-14",
        "After a conflict, reading again and retrying succeeds",
        "Error::Conflict",
        retry,
    ),
    check("E-15", "An empty value counts as there", "Expect::Absent", empty_is_there),
    check("E-16", "Versions never come back for another value", "Version", never_reused),
    check(
        "E-17",
        "A refused write changes neither value nor version nor listing",
        "sentence 3",
        refused_is_idle,
    ),
    check(
        "E-18",
        "A version read through one handle is good through another",
        "sentences 2 and 4",
        across_handles,
    ),
    check(
        "E-19",
        "Of two writers with one version, the second conflicts",
        "sentence 4",
        second_loses,
    ),
    check(
        "E-20",
        "Guards look at their own key, not at its folder or at keys below",
        "sentence 7",
        own_key,
    ),
    check(
        "E-21",
        "Expectations hold whatever the size of the value and of the batch",
        "sentence 4",
        whatever_the_size,
    ),
];

fn refused(store: &Handle, place: &Key, value: &str, expect: Expect) -> Outcome {
    let before = store.get(place)?;
    let answer = store.put_if(place, value.to_owned(), expect.clone());
    ensure!(conflict_on(&answer, place), "put {place} expecting {expect:?} gave {answer:?}");
    let after = store.get(place)?;
    ensure!(after == before, "a refused write changed {place} from {before:?} to {after:?}");
    Ok(())
}

fn create_once(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for path in ["a", "a/b", "é", "x.json"] {
        let place = key("team", path);
        store.put_if(&place, "first", Expect::Absent)?;
        store.holds(&place, Some(b"first"))?;
        refused(&store, &place, "second", Expect::Absent)?;
        refused(&store, &place, "first", Expect::Absent)?;
        store.delete(&place)?;
        store.put_if(&place, "third", Expect::Absent)?;
        store.holds(&place, Some(b"third"))?;
    }
    Ok(())
}

fn replace(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "0")?;
    for round in 1..10 {
        let version = store.version(&place)?;
        store.put_if(&place, format!("{round}"), Expect::At(version))?;
        store.holds(&place, Some(format!("{round}").as_bytes()))?;
    }
    Ok(())
}

fn stale(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    let mut versions = Vec::new();
    for round in 0..6 {
        store.put(&place, format!("value {round}"))?;
        for old in &versions {
            refused(&store, &place, "stale", Expect::At(Version::clone(old)))?;
        }
        versions.push(store.version(&place)?);
    }
    Ok(())
}

fn gone(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "value")?;
    let version = store.version(&place)?;
    store.delete(&place)?;
    refused(&store, &place, "back", Expect::At(version.clone()))?;
    let answer = store.delete_if(&place, Expect::At(version));
    ensure!(conflict_on(&answer, &place), "a guarded delete of nothing gave {answer:?}");
    Ok(())
}

fn recreated(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    let mut versions = Vec::new();
    for life in 0..4 {
        store.put(&place, format!("life {life}"))?;
        for old in &versions {
            refused(&store, &place, "from another life", Expect::At(Version::clone(old)))?;
        }
        versions.push(store.version(&place)?);
        store.delete(&place)?;
    }
    Ok(())
}

fn every_overwrite(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    let mut seen: Vec<(Version, u32)> = Vec::new();
    for round in 0..50_u32 {
        store.put(&place, format!("{round:04}"))?;
        let version = store.version(&place)?;
        let before = seen.iter().find(|(old, _)| *old == version);
        ensure!(before.is_none(), "write {round} has version {version:?}, as had {before:?}");
        seen.push((version, round));
    }
    Ok(())
}

fn versions_agree(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    for (path, value) in [("a", "v"), ("a/b", ""), ("c", "w"), ("a", "v2"), ("c", "w")] {
        let place = key("team", path);
        one.put(&place, value)?;
        let version = one.version(&place)?;
        for handle in [&one, &two] {
            let stat = handle.stat(&place)?.map(|stat| stat.version);
            let get = handle.get(&place)?.map(|object| object.version);
            ensure!(
                stat.as_ref() == Some(&version) && get == stat,
                "versions of {place}: {version:?}, by get {get:?}, by stat {stat:?}"
            );
        }
    }
    Ok(())
}

fn other_key(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let paths = ["a", "b", "a/b", "A", "ab"];
    for path in paths {
        store.put(&key("team", path), format!("value of {path}"))?;
    }
    for one in paths {
        let version = store.version(&key("team", one))?;
        for two in paths.into_iter().filter(|two| *two != one) {
            refused(&store, &key("team", two), "stolen", Expect::At(version.clone()))?;
        }
    }
    Ok(())
}

fn garbage(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (there, gone) = (key("team", "there"), key("team", "gone"));
    store.put(&there, "value")?;
    let long = "x".repeat(10_000);
    let texts = ["", "*", "\"\"", "W/\"x\"", "0", "null", "é", "' OR 1=1 --", "\r\nX: y", &long];
    let numbers = [u64::MAX, u64::MAX - 1, i64::MAX as u64];
    let versions = texts.into_iter().map(Version::from).chain(numbers.map(Version::from));
    for version in versions {
        refused(&store, &there, "replaced", Expect::At(version.clone()))?;
        refused(&store, &gone, "made", Expect::At(version.clone()))?;
        let answer = store.delete_if(&there, Expect::At(version.clone()));
        ensure!(conflict_on(&answer, &there), "deleting at {version:?} gave {answer:?}");
    }
    store.holds_exactly(&space("team"), &[(there, "value".into())])
}

fn guarded_delete(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "one")?;
    let old = store.version(&place)?;
    store.put(&place, "two")?;
    let answer = store.delete_if(&place, Expect::At(old));
    ensure!(conflict_on(&answer, &place), "deleting at an old version gave {answer:?}");
    store.holds(&place, Some(b"two"))?;
    let version = store.version(&place)?;
    store.delete_if(&place, Expect::At(version))?;
    store.holds(&place, None)
}

fn delete_absent(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.delete_if(&place, Expect::Absent)?;
    store.put(&place, "value")?;
    let answer = store.delete_if(&place, Expect::Absent);
    ensure!(conflict_on(&answer, &place), "deleting what is there, if absent, gave {answer:?}");
    store.holds(&place, Some(b"value"))
}

fn version_stays(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put(&place, "value")?;
    let version = store.version(&place)?;
    let around = ["b", "a/b", "ab", "A", "a-b"];
    for path in around {
        store.put(&key("team", path), path)?;
        store.put(&key("other", "a"), path)?;
        store.keys(&space("team"))?;
        ensure!(store.version(&place)? == version, "writing {path} changed the version of a");
    }
    for path in around {
        store.delete(&key("team", path))?;
        ensure!(store.version(&place)? == version, "deleting {path} changed the version of a");
    }
    store.put_if(&place, "new", Expect::At(version))?;
    store.holds(&place, Some(b"new"))
}

fn unconditional(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    for value in ["one", "two", "", "two", "three"] {
        store.put(&place, value)?;
        store.holds(&place, Some(value.as_bytes()))?;
    }
    store.delete(&place)?;
    store.delete(&place)?;
    store.holds(&place, None)
}

fn retry(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let place = key("team", "list");
    one.put(&place, "")?;
    for round in 0..5 {
        let version = one.version(&place)?;
        two.put(&place, format!("other {round}"))?;
        refused(&one, &place, "mine", Expect::At(version))?;
        let version = one.version(&place)?;
        one.put_if(&place, format!("mine {round}"), Expect::At(version))?;
        two.holds(&place, Some(format!("mine {round}").as_bytes()))?;
    }
    Ok(())
}

fn empty_is_there(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    store.put_if(&place, "", Expect::Absent)?;
    refused(&store, &place, "", Expect::Absent)?;
    refused(&store, &place, "full", Expect::Absent)?;
    let version = store.version(&place)?;
    store.put_if(&place, "full", Expect::At(version))?;
    let version = store.version(&place)?;
    store.put_if(&place, "", Expect::At(version))?;
    store.holds(&place, Some(b""))
}

fn never_reused(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "a");
    let mut seen: Vec<(Version, String)> = Vec::new();
    for round in 0..40 {
        let value = format!("{round}");
        store.put(&place, value.clone())?;
        let version = store.version(&place)?;
        if let Some((_, other)) = seen.iter().find(|(old, _)| *old == version) {
            return Err(Failure::new(format!(
                "{version:?} stood for {other:?} and stands for {value:?}"
            )));
        }
        seen.push((version, value));
        match round % 4 {
            0 => store.delete(&place)?,
            1 => store.put(&key("team", "b"), "other")?,
            2 => store.delete(&key("team", "b"))?,
            _ => {}
        }
    }
    Ok(())
}

fn refused_is_idle(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (there, gone) = (key("team", "a/there"), key("team", "b/gone"));
    store.put(&there, "value")?;
    refused(&store, &there, "a longer value", Expect::Absent)?;
    refused(&store, &gone, "value", Expect::At(store.version(&there)?))?;
    store.holds_exactly(&space("team"), &[(there, "value".into())])?;
    let children = store.walk(&space("team").everything(), larder::storage::Depth::Children, 10)?;
    ensure!(children.folders.len() == 1, "a refused write left a folder: {children:?}");
    Ok(())
}

fn across_handles(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let place = key("team", "a");
    one.put(&place, "start")?;
    for round in 0..6 {
        let (reader, writer) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let version = reader.version(&place)?;
        writer.put_if(&place, format!("{round}"), Expect::At(version.clone()))?;
        refused(reader, &place, "late", Expect::At(version))?;
    }
    Ok(())
}

fn second_loses(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let place = key("team", "a");
    one.put(&place, "start")?;
    let version = one.version(&place)?;
    one.put_if(&place, "winner", Expect::At(version.clone()))?;
    refused(&two, &place, "loser", Expect::At(version.clone()))?;
    refused(&one, &place, "winner", Expect::At(version))?;
    two.holds(&place, Some(b"winner"))
}

fn whatever_the_size(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let large = vec![b'l'; bench.limits.value_bytes.min(3 << 20)];
    let place = key("team", "large");
    store.put_if(&place, large.clone(), Expect::Absent)?;
    let version = store.version(&place)?;
    let stat = store.stat(&place)?.map(|stat| stat.version);
    ensure!(stat.as_ref() == Some(&version), "get gives {version:?}, stat {stat:?}");
    for expect in [Expect::Absent, Expect::At(Version::from("no store made this"))] {
        let answer = store.put_if(&place, vec![b'x'; large.len()], expect.clone());
        ensure!(
            matches!(answer, Err(Error::Conflict { .. })),
            "{} bytes guarded by {expect:?} gave {answer:?}",
            large.len()
        );
    }
    store.holds(&place, Some(&large))?;
    // One guard that fails among many changes that would not.
    for count in [150, bench.many(1_200)] {
        for at in [0, count / 2, count - 1] {
            let mut batch = Batch::new(&space("team"));
            for nth in 0..count {
                let expect = if nth == at { Expect::Any } else { Expect::Absent };
                let guarded = key("team", &format!("many/{count}/{nth}"));
                match expect {
                    Expect::Any => batch.put_if(place.clone(), "no", Expect::Absent),
                    expect => batch.put_if(guarded, "no", expect),
                }
            }
            let answer = store.apply(batch);
            ensure!(
                matches!(&answer, Err(Error::Conflict { key }) if *key == place),
                "a guard that fails as number {at} of {count} gave {answer:?}"
            );
        }
    }
    store.holds_exactly(&space("team"), &[(place, large.into())])
}

fn own_key(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (upper, lower) = (key("team", "a"), key("team", "a/b"));
    store.put_if(&lower, "lower", Expect::Absent)?;
    store.put_if(&upper, "upper", Expect::Absent)?;
    refused(&store, &lower, "no", Expect::Absent)?;
    store.delete(&upper)?;
    refused(&store, &lower, "no", Expect::Absent)?;
    store.put_if(&upper, "upper again", Expect::Absent)?;
    store.delete(&lower)?;
    refused(&store, &upper, "no", Expect::Absent)?;
    store.put_if(&lower, "lower again", Expect::Absent)?;
    store.holds(&upper, Some(b"upper again"))
}
