//! The oracle's own test: every right answer is taken, every wrong one refused.

use bytes::Bytes;
use larder::key::{Key, Namespace};
use larder::storage::{Cursor, Depth, Entry, Error, Object, Page, Result, Stat, Version};

use super::{Change, Model, Trouble, Wants};
use crate::bench::{Listing, folder, key, space};
use crate::check::Outcome;

fn at(path: &str) -> Key {
    key("team", path)
}

fn put(path: &str, value: &str) -> Change {
    let value = Some(Bytes::copy_from_slice(value.as_bytes()));
    Change { key: at(path), value, wants: Wants::Anything }
}

fn delete(path: &str) -> Change {
    Change { key: at(path), value: None, wants: Wants::Anything }
}

fn absent(change: Change) -> Change {
    Change { wants: Wants::Absence, ..change }
}

/// On condition of a version that was read with a value, of the same key or of another.
fn seen(change: Change, version: u64, bytes: Option<&str>, own: bool) -> Change {
    let bytes = bytes.map(|bytes| Bytes::copy_from_slice(bytes.as_bytes()));
    Change { wants: Wants::At { version: version.into(), bytes, own }, ..change }
}

fn value(bytes: &str, version: u64) -> Result<Option<Object>> {
    let bytes = Bytes::copy_from_slice(bytes.as_bytes());
    Ok(Some(Object { bytes: bytes.into(), version: version.into() }))
}

fn size(size: u64, version: u64) -> Result<Option<Stat>> {
    Ok(Some(Stat { size: size.into(), version: version.into() }))
}

fn conflict(path: &str) -> Result<()> {
    Err(Error::Conflict { key: at(path) })
}

fn lost() -> Result<()> {
    Err(Error::Unavailable { backend: "test", source: "no reply".into() })
}

fn full() -> Result<()> {
    Err(Error::Full { backend: "test", needed: 1 })
}

fn lost_read<T>() -> Result<T> {
    Err(Error::Unavailable { backend: "test", source: "no reply".into() })
}

/// A violation, and not merely a run that could not tell.
fn refused(outcome: Outcome) {
    assert!(outcome.is_err_and(|failure| !failure.inconclusive));
}

/// A model of a store to which these batches of one step were applied.
fn after(changes: &[Change]) -> Model {
    let mut model = Model::new(true);
    for change in changes {
        model.applied(&[vec![change.clone()]], &Ok(()), Trouble::Never).expect("a plain write");
    }
    model
}

/// Whether an answer to `get` would be taken.
fn takes(model: &Model, path: &str, answer: Result<Option<Object>>) -> bool {
    model.clone().got(&at(path), &answer, Trouble::Never).is_ok()
}

fn holds(model: &Model, path: &str, bytes: Option<&str>) -> bool {
    takes(model, path, bytes.map_or(Ok(None), |bytes| value(bytes, 900)))
}

#[test]
fn reads_give_what_was_put_last() {
    let model = after(&[put("a", "1"), put("a", "22"), put("b", ""), put("c", "x"), delete("c")]);
    assert!(holds(&model, "a", Some("22")));
    assert!(!holds(&model, "a", Some("1")));
    assert!(!holds(&model, "a", None));
    assert!(holds(&model, "b", Some("")));
    assert!(!holds(&model, "b", None));
    assert!(holds(&model, "c", None));
    assert!(!holds(&model, "c", Some("x")));
    assert_eq!(model.value(&at("a")).map(|bytes| &**bytes), Some(&b"22"[..]));
    assert_eq!(model.value(&at("c")), None);
}

#[test]
fn sizes_are_those_of_the_values() {
    let mut model = after(&[put("a", "22")]);
    model.statted(&at("a"), &size(2, 7), Trouble::Never).expect("the right size");
    refused(model.clone().statted(&at("a"), &size(1, 7), Trouble::Never));
    refused(model.clone().statted(&at("a"), &Ok(None), Trouble::Never));
    refused(model.clone().statted(&at("a"), &size(2, 8), Trouble::Never));
    model.statted(&at("b"), &Ok(None), Trouble::Never).expect("absence");
    refused(model.statted(&at("b"), &size(0, 7), Trouble::Never));
}

#[test]
fn a_version_stays_until_the_next_write_and_stands_for_one_value() {
    let mut model = after(&[put("a", "1")]);
    assert_eq!(model.current(&at("a")), None);
    model.got(&at("a"), &value("1", 5), Trouble::Never).expect("the first look");
    assert_eq!(model.current(&at("a")), Some((Version::from(5), "1".into())));
    assert!(takes(&model, "a", value("1", 5)));
    assert!(!takes(&model, "a", value("1", 6)));
    model.applied(&[vec![put("a", "2")]], &Ok(()), Trouble::Never).expect("a write");
    assert_eq!(model.current(&at("a")), None);
    assert!(!takes(&model, "a", value("2", 5)), "one version for two values");
    refused(model.clone().statted(&at("a"), &size(1, 5), Trouble::Never));
    model.got(&at("a"), &value("2", 6), Trouble::Never).expect("another version");
    assert_eq!(model.oldest(&at("a")), Some((Version::from(5), "1".into())));
    assert_eq!(model.oldest(&at("b")), None);
    model.applied(&[vec![put("a", "1")]], &Ok(()), Trouble::Never).expect("a write");
    assert!(takes(&model, "a", value("1", 5)), "versions may be made from values");
    assert!(takes(&model, "a", value("1", 7)));
    assert!(!takes(&model, "a", value("1", 6)), "that was another value's");
}

#[test]
fn trouble_is_a_violation_only_where_there_is_none() {
    let mut model = after(&[put("a", "1")]);
    let everything = space("team").everything();
    refused(model.got(&at("a"), &lost_read(), Trouble::Never));
    refused(model.statted(&at("a"), &lost_read(), Trouble::Never));
    refused(model.spaces(&lost_read(), Trouble::Never));
    refused(model.listed(&everything, Depth::All, None, &lost_read(), Trouble::Never));
    refused(model.applied(&[vec![put("a", "2")]], &lost(), Trouble::Never));
    for trouble in [Trouble::NowOrNever, Trouble::Later] {
        model.got(&at("a"), &lost_read(), trouble).expect("trouble");
        model.statted(&at("a"), &lost_read(), trouble).expect("trouble");
        model.spaces(&lost_read(), trouble).expect("trouble");
        model.listed(&everything, Depth::All, None, &lost_read(), trouble).expect("trouble");
        // Blaming an expectation is no way to report it.
        let blamed = || Err(Error::Conflict { key: at("a") });
        refused(model.got(&at("a"), &blamed(), trouble));
    }
    assert!(holds(&model, "a", Some("1")));
}

#[test]
fn guards_let_through_what_they_must_and_nothing_else() {
    let mut model = after(&[put("a", "1")]);
    model.got(&at("a"), &value("1", 5), Trouble::Never).expect("a look");
    let judged = |change: Change, answer: Result<()>| {
        model.clone().applied(&[vec![change]], &answer, Trouble::Never).is_ok()
    };
    // Done, or conflicting: what each guard may be answered.
    for (change, done, conflicts) in [
        (put("a", "2"), true, false),
        (absent(put("a", "2")), false, true),
        (absent(delete("a")), false, true),
        (absent(put("b", "2")), true, false),
        (seen(put("a", "2"), 5, Some("1"), true), true, false),
        // The same value may have the same version again, or another one.
        (seen(put("a", "2"), 4, Some("1"), true), true, true),
        (seen(put("a", "2"), 4, Some("0"), true), false, true),
        (seen(put("a", "2"), 5, Some("1"), false), true, true),
        (seen(put("a", "2"), 5, Some("0"), false), false, true),
        (seen(put("a", "2"), 9, None, true), false, true),
        (seen(put("b", "2"), 5, Some("1"), false), false, true),
        (seen(delete("b"), 5, Some("1"), true), false, true),
    ] {
        let path = change.key.path().to_owned();
        assert_eq!(judged(change.clone(), Ok(())), done, "{change:?} done");
        assert_eq!(judged(change.clone(), conflict(&path)), conflicts, "{change:?} conflicts");
        assert!(!judged(change, conflict("other")), "a conflict names the key");
    }
}

#[test]
fn a_conflict_leaves_nothing_of_an_atomic_batch_and_whole_steps_of_another() {
    let steps =
        [vec![put("x", "1")], vec![put("y", "1"), absent(put("a", "2"))], vec![put("z", "1")]];
    for atomic in [true, false] {
        let mut model = Model::new(atomic);
        model.applied(&[vec![put("a", "1")]], &Ok(()), Trouble::Never).expect("a write");
        refused(model.clone().applied(&steps, &Ok(()), Trouble::Never));
        refused(model.clone().applied(&steps, &conflict("y"), Trouble::Never));
        model.applied(&steps, &conflict("a"), Trouble::Never).expect("a conflict");
        assert!(holds(&model, "x", None));
        assert_eq!(holds(&model, "x", Some("1")), !atomic);
        assert!(!holds(&model, "y", Some("1")), "nothing of the failing step");
        assert!(!holds(&model, "z", Some("1")), "nothing behind it");
        assert!(holds(&model, "a", Some("1")) && !holds(&model, "a", Some("2")));
    }
}

#[test]
fn later_steps_see_earlier_ones() {
    let mut model = Model::new(true);
    let steps = [vec![put("a", "1")], vec![absent(put("a", "2"))]];
    refused(model.clone().applied(&steps, &Ok(()), Trouble::Never));
    model.applied(&steps, &conflict("a"), Trouble::Never).expect("a conflict with itself");
    let steps = [vec![put("a", "1")], vec![delete("a")], vec![absent(put("a", "3"))]];
    model.applied(&steps, &Ok(()), Trouble::Never).expect("there is nothing by then");
    assert!(holds(&model, "a", Some("3")) && !holds(&model, "a", Some("1")));
}

#[test]
fn a_lost_write_happened_or_not_and_never_later() {
    let steps = [vec![put("a", "2"), put("b", "2")], vec![put("c", "2")]];
    let start = |atomic| {
        let mut model = Model::new(atomic);
        model.applied(&[vec![put("a", "1")]], &Ok(()), Trouble::Never).expect("a write");
        model.applied(&steps, &lost(), Trouble::NowOrNever).expect("trouble");
        model
    };
    // What may be seen of a, b and c at once.
    let sees = |mut model: Model, all: [Option<&str>; 3]| {
        ["a", "b", "c"].iter().zip(all).all(|(path, bytes)| {
            let answer = bytes.map_or(Ok(None), |bytes| value(bytes, 900 + bytes.len() as u64));
            model.got(&at(path), &answer, Trouble::Never).is_ok()
        })
    };
    let two = Some("2");
    for atomic in [true, false] {
        assert!(sees(start(atomic), [Some("1"), None, None]), "nothing happened");
        assert!(sees(start(atomic), [two, two, two]), "all happened");
        assert_eq!(sees(start(atomic), [two, two, None]), !atomic, "the first step");
        assert_eq!(sees(start(atomic), [two, None, None]), !atomic, "part of the first step");
        assert_eq!(sees(start(atomic), [Some("1"), two, None]), !atomic, "in any order");
        assert!(!sees(start(atomic), [two, None, two]), "no step before the one before it");
        assert!(!sees(start(atomic), [None, None, None]));
    }
    let mut model = start(true);
    model.got(&at("a"), &value("1", 1), Trouble::Never).expect("it did not happen");
    assert!(!holds(&model, "b", two), "what did not happen does not happen later");
}

#[test]
fn a_lost_batch_stops_at_a_guard_that_fails() {
    let mut model = Model::new(false);
    let steps = [vec![put("x", "1")], vec![absent(put("x", "2"))], vec![put("z", "1")]];
    model.applied(&steps, &lost(), Trouble::NowOrNever).expect("trouble");
    assert!(holds(&model, "x", Some("1")) && holds(&model, "x", None));
    assert!(!holds(&model, "x", Some("2")) && !holds(&model, "z", Some("1")));
}

#[test]
fn a_large_step_may_be_there_in_order_only() {
    let step: Vec<_> = (0..9).map(|nth| put(&format!("k{nth}"), "1")).collect();
    let mut model = Model::new(false);
    model.applied(&[step], &lost(), Trouble::NowOrNever).expect("trouble");
    assert!(holds(&model, "k0", None) && holds(&model, "k0", Some("1")));
    model.got(&at("k0"), &value("1", 1), Trouble::Never).expect("it happened");
    assert!(holds(&model, "k8", Some("1")));
}

#[test]
fn a_full_store_kept_nothing() {
    for trouble in [Trouble::NowOrNever, Trouble::Later] {
        let mut model = after(&[put("a", "1")]);
        model.applied(&[vec![put("a", "2")]], &full(), trouble).expect("full");
        assert!(holds(&model, "a", Some("1")) && !holds(&model, "a", Some("2")));
    }
    refused(after(&[]).applied(&[vec![put("a", "2")]], &full(), Trouble::Never));
}

#[test]
fn a_dropped_write_may_happen_later() {
    for atomic in [true, false] {
        let mut model = Model::new(atomic);
        let steps = [vec![put("a", "2"), put("b", "2")], vec![put("c", "2")]];
        model.applied(&steps, &lost(), Trouble::Later).expect("a dropped call");
        model.got(&at("a"), &Ok(None), Trouble::Never).expect("not yet");
        assert!(holds(&model, "a", Some("2")), "later");
        model.got(&at("b"), &value("2", 1), Trouble::Never).expect("now");
        assert_eq!(holds(&model, "a", None), !atomic, "the rest of the step comes when it comes");
        assert!(holds(&model, "a", Some("2")));
        assert_eq!(holds(&model, "c", None), !atomic);
        model.got(&at("c"), &value("2", 1), Trouble::Never).expect("the last step");
        assert!(!holds(&model, "a", None), "steps come in order");
    }
    // It overwrites what came after it, once.
    let mut model = after(&[]);
    model.applied(&[vec![put("a", "old")]], &lost(), Trouble::Later).expect("a dropped call");
    model.applied(&[vec![put("a", "new")]], &Ok(()), Trouble::Never).expect("a write");
    assert!(holds(&model, "a", Some("new")));
    model.got(&at("a"), &value("old", 3), Trouble::Never).expect("a late effect");
    model.applied(&[vec![put("a", "newer")]], &Ok(()), Trouble::Never).expect("a write");
    assert!(!holds(&model, "a", Some("old")), "a late effect comes once");
}

#[test]
fn a_dropped_write_ends_at_a_guard_that_fails() {
    for atomic in [true, false] {
        let mut model = Model::new(atomic);
        let steps = [vec![absent(put("a", "late"))], vec![put("b", "late")]];
        model.applied(&steps, &lost(), Trouble::Later).expect("a dropped call");
        model.applied(&[vec![absent(put("a", "now"))]], &Ok(()), Trouble::Never).expect("first");
        model.got(&at("a"), &value("now", 1), Trouble::Never).expect("it came first");
        assert!(!holds(&model, "a", Some("late")));
        assert!(!holds(&model, "b", Some("late")), "nothing behind a guard that fails");
    }
}

#[test]
fn dropped_writes_may_land_between_the_steps_of_another() {
    let mut model = Model::new(false);
    model.applied(&[vec![put("a", "late")]], &lost(), Trouble::Later).expect("a dropped call");
    let steps = [vec![put("b", "1")], vec![absent(put("a", "1"))]];
    model.applied(&steps, &conflict("a"), Trouble::Never).expect("the other was faster");
    assert!(holds(&model, "b", Some("1")));
    assert!(!holds(&model, "a", Some("1")));
}

#[test]
fn an_empty_batch_does_nothing() {
    let mut model = after(&[put("a", "1")]);
    model.applied(&[], &Ok(()), Trouble::Never).expect("no steps");
    model.applied(&[vec![]], &lost(), Trouble::Later).expect("an empty step");
    assert!(holds(&model, "a", Some("1")) && !holds(&model, "a", None));
}

#[test]
fn too_many_unknowns_are_inconclusive() {
    let mut model = Model::new(true);
    // 2^8 worlds are followed in tests, and no more.
    let mut lose = |nth: usize| {
        model.applied(&[vec![put(&format!("k{nth}"), "1")]], &lost(), Trouble::NowOrNever)
    };
    (0..8).try_for_each(&mut lose).expect("as many as may be");
    assert!(lose(8).is_err_and(|failure| failure.inconclusive));
    let mut model = Model::new(true);
    let mut drop =
        |nth: usize| model.applied(&[vec![put(&format!("k{nth}"), "1")]], &lost(), Trouble::Later);
    (0..9).try_for_each(&mut drop).expect("as many as may be");
    assert!(drop(9).is_err_and(|failure| failure.inconclusive));
}

#[test]
fn worlds_that_are_alike_are_one() {
    let mut model = after(&[put("a", "1")]);
    for _ in 0..300 {
        model
            .applied(&[vec![put("a", "2")]], &lost(), Trouble::NowOrNever)
            .expect("there are two worlds, however often");
    }
    assert!(holds(&model, "a", Some("1")) && holds(&model, "a", Some("2")));
}

#[test]
fn what_was_expected_is_said() {
    let mut model = after(&[put("a", "1"), put("b", "1")]);
    let read = model.got(&at("a"), &lost_read(), Trouble::Never).expect_err("trouble");
    assert_eq!(read.what, "get \"team/a\" failed: test store is unavailable: no reply");
    let steps = [vec![absent(put("a", "2")), absent(put("b", "2"))]];
    let done = model.applied(&steps, &Ok(()), Trouble::Never).expect_err("both are there");
    assert_eq!(
        done.what,
        "apply succeeded, but it should have conflicted on \"team/a\" or \"team/b\""
    );
    let plain = [vec![put("a", "2")]];
    let blamed = model.applied(&plain, &conflict("a"), Trouble::Never).expect_err("no guard");
    assert_eq!(blamed.what, "apply conflicts on \"team/a\", but it should have succeeded");
}

#[test]
fn what_is_forgotten_is_gone() {
    let mut model = after(&[put("a", "1")]);
    model.forget();
    assert!(holds(&model, "a", None) && !holds(&model, "a", Some("1")));
}

fn page(entries: &[(&str, u64)], folders: &[&str], next: Option<Cursor>) -> Page {
    let entries = entries.iter().map(|(path, size)| Entry { key: at(path), size: *size });
    let folders = folders.iter().map(|path| folder("team", path));
    Page { entries: entries.collect(), folders: folders.collect(), next }
}

#[test]
fn pages_hold_what_is_left_to_list_in_order() {
    let model = after(&[
        put("a", "1"),
        put("a-b", "22"),
        put("a/b", "333"),
        put("a/c", ""),
        put("z", "1"),
        Change { key: key("other", "a"), value: Some("x".into()), wants: Wants::Anything },
    ]);
    let everything = space("team").everything();
    let judged = |depth, after: Option<&Cursor>, page: Page| {
        let mut model = model.clone();
        model.listed(&everything, depth, after, &Ok(page), Trouble::Never).is_ok()
    };
    let all = [("a", 1), ("a-b", 2), ("a/b", 3), ("a/c", 0), ("z", 1)];
    assert!(judged(Depth::All, None, page(&all, &[], None)));
    assert!(!judged(Depth::All, None, page(&all[..4], &[], None)), "one is missing");
    assert!(!judged(Depth::All, None, page(&all[1..], &[], None)), "the first is missing");
    assert!(!judged(Depth::All, None, page(&[], &[], None)));
    let wrong = [("a", 1), ("a-b", 2), ("a/b", 4), ("a/c", 0), ("z", 1)];
    assert!(!judged(Depth::All, None, page(&wrong, &[], None)), "a wrong size");
    let mut walk = all;
    walk.swap(1, 2);
    assert!(!judged(Depth::All, None, page(&walk, &[], None)), "a directory walk");
    let behind = |path| Cursor::Key(at(path));
    assert!(judged(Depth::All, None, page(&all[..2], &[], Some(behind("a-b")))));
    assert!(!judged(Depth::All, None, page(&all[..2], &[], Some(behind("a/b")))), "skips one");
    assert!(!judged(Depth::All, None, page(&all[..2], &[], Some(behind("a")))), "repeats one");
    assert!(judged(Depth::All, Some(&behind("a-b")), page(&all[2..], &[], None)));
    assert!(!judged(Depth::All, Some(&behind("a-b")), page(&all[1..], &[], None)));
    assert!(judged(Depth::All, None, page(&[], &[], Some(behind("A")))), "empty, with a next");
    let children = [("a", 1), ("a-b", 2), ("z", 1)];
    assert!(judged(Depth::Children, None, page(&children, &["a"], None)));
    assert!(!judged(Depth::Children, None, page(&children, &[], None)), "a folder is missing");
    assert!(!judged(Depth::Children, None, page(&children, &["a", "a"], None)), "twice");
    assert!(!judged(Depth::Children, None, page(&all, &[], None)));
    let inside = Cursor::Folder(folder("team", "a"));
    assert!(judged(Depth::Children, Some(&inside), page(&[("z", 1)], &[], None)));
    assert!(judged(Depth::Children, None, page(&children[..2], &["a"], Some(inside))));
    let mut two = model.clone();
    let below = folder("team", "a");
    let listed = page(&[("a/b", 3), ("a/c", 0)], &[], None);
    two.listed(&below, Depth::All, None, &Ok(listed), Trouble::Never).expect("the folder's own");
}

#[test]
fn folders_come_in_order_as_well() {
    let model = after(&[put("a/x", "1"), put("b/x", "1"), put("c", "1")]);
    let everything = space("team").everything();
    let judged = |folders: &[&str]| {
        let page = page(&[("c", 1)], folders, None);
        model.clone().listed(&everything, Depth::Children, None, &Ok(page), Trouble::Never).is_ok()
    };
    assert!(judged(&["a", "b"]));
    assert!(!judged(&["b", "a"]));
}

#[test]
fn walks_hold_everything() {
    let model = after(&[put("a", "1"), put("b/x", "22"), put("c", "333")]);
    let everything = space("team").everything();
    let judged = |depth, entries: &[(&str, u64)], folders: &[&str]| {
        let page = page(entries, folders, None);
        let walked = Listing { entries: page.entries, folders: page.folders, pages: 1 };
        model.clone().walked(&everything, depth, &walked).is_ok()
    };
    let all = [("a", 1), ("b/x", 2), ("c", 3)];
    assert!(judged(Depth::All, &all, &[]));
    assert!(!judged(Depth::All, &all[..2], &[]));
    assert!(!judged(Depth::All, &[("a", 1), ("b/x", 1), ("c", 3)], &[]));
    assert!(!judged(Depth::All, &[("a", 1), ("b/x", 2), ("c", 3), ("d", 1)], &[]));
    assert!(!judged(Depth::All, &[("a", 1), ("b/y", 2), ("c", 3)], &[]));
    assert!(judged(Depth::Children, &[("a", 1), ("c", 3)], &["b"]));
    assert!(!judged(Depth::Children, &[("a", 1), ("c", 3)], &[]));
    assert!(!judged(Depth::Children, &[("a", 1), ("c", 3)], &["b", "d"]));
    assert!(!judged(Depth::Children, &[("a", 1), ("c", 3)], &["a"]));
}

#[test]
fn namespaces_are_those_that_hold_something() {
    let other = |name: &str| Change { key: key(name, "data/x"), ..put("a", "1") };
    let mut model = after(&[put("a", "1"), other("b"), other("z"), put("b", "2")]);
    let spaces = |names: &[&str]| -> Result<Vec<Namespace>> {
        Ok(names.iter().map(|name| space(name)).collect())
    };
    model.spaces(&spaces(&["b", "team", "z"]), Trouble::Never).expect("those three");
    refused(model.clone().spaces(&spaces(&["b", "team"]), Trouble::Never));
    refused(model.clone().spaces(&spaces(&["team", "b", "z"]), Trouble::Never));
    refused(model.clone().spaces(&spaces(&["b", "b", "team", "z"]), Trouble::Never));
}
