//! Child data: files that hang on an entry; and archives.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::client::Body;
use super::content::{Content, few};
use super::spaces::{STRATEGIES, Space};
use super::{Api, check};
use crate::check::{Check, Group, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiChildren,
        "H-23",
        "Any history of child files is answered as by a map: read, exists and list agree with it",
        "cache/{id}/data/…",
        histories,
    ),
    check(
        Group::ApiChildren,
        "H-24",
        "An empty child string is a child string: it reads back empty",
        "data/store/string; data/string",
        empty_string,
    ),
    check(
        Group::ApiChildren,
        "H-25",
        "Listing or deleting below a key goes by whole segments: `k` is neither `kk` nor `k-x`",
        "data/list/{key}; data/delete/all/{key}",
        whole_segments,
    ),
    check(
        Group::ApiChildren,
        "H-26",
        "Child files of other entries and of other kinds are not seen",
        "data/{kind}/{file}",
        apart,
    ),
    check(
        Group::ApiChildren,
        "H-27",
        "Changing or deleting a child file that is not there is 404 and makes nothing",
        "data/update; data/delete",
        missing,
    ),
    check(
        Group::ApiChildren,
        "H-28",
        "An archive's members are those put in; every change makes a new entry and keeps the old",
        "zip/create, zip/{id}/…",
        archives,
    ),
];

/// Keys that begin with each other.
const KEYS: &[&str] = &["", "k", "kk", "k/x", "k-x", "K", "k/x/y"];
const FILES: &[&str] = &["f", "ff", "F"];
const KINDS: &[&str] = &["string", "json", "binary"];

#[derive(Debug, Clone)]
enum Op {
    Store(usize, usize, Content),
    Update(usize, usize, Content),
    Delete(usize, usize, usize),
    DeleteBelow(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = 0..KEYS.len();
    let file = 0..FILES.len();
    let content = select(few());
    vec(
        prop_oneof![
            5 => (key.clone(), file.clone(), content.clone())
                .prop_map(|(key, file, content)| Op::Store(key, file, content)),
            2 => (key.clone(), file.clone(), content)
                .prop_map(|(key, file, content)| Op::Update(key, file, content)),
            2 => (key.clone(), file, 0..KINDS.len())
                .prop_map(|(key, file, kind)| Op::Delete(key, file, kind)),
            1 => key.prop_map(Op::DeleteBelow),
        ],
        1..14,
    )
}

/// Key, file and kind to content.
type Files = BTreeMap<(String, String, &'static str), Content>;

/// Where a file is in a path.
fn place(key: &str, file: &str) -> String {
    if key.is_empty() { file.to_owned() } else { format!("{key}/{file}") }
}

fn below(key: &str, folder: &str) -> bool {
    folder.is_empty() || key == folder || key.starts_with(&format!("{folder}/"))
}

fn histories(api: &Api) -> Outcome {
    let cases = (select(&STRATEGIES[..]), ops());
    api.forall(32, cases, |(strategy, ops)| {
        let space = api.fresh();
        let parent = space.store_at(strategy, "/parent", &Content::text("parent"))?;
        let base = format!("cache/{}/data", parent.id);
        let mut files = Files::new();
        for op in ops {
            step(&space, &base, op, &mut files)?;
            compare(&space, &base, &files)?;
        }
        space.reads(&parent.id, &Content::text("parent"))
    })
}

fn step(space: &Space<'_>, base: &str, op: &Op, files: &mut Files) -> Outcome {
    let named = |key: usize, file: usize, kind: &'static str| {
        (KEYS[key].to_owned(), FILES[file].to_owned(), kind)
    };
    match op {
        Op::Store(key, file, content) => {
            let at = place(KEYS[*key], FILES[*file]);
            let rest = format!("{base}/store/{}/{at}", content.kind());
            space.post(&rest, content.body())?.is(200)?.has("file_id", FILES[*file])?;
            files.insert(named(*key, *file, content.kind()), content.clone());
        }
        Op::Update(key, file, content) => {
            let at = place(KEYS[*key], FILES[*file]);
            let reply =
                space.post(&format!("{base}/update/{}/{at}", content.kind()), content.body())?;
            let known = files.get_mut(&named(*key, *file, content.kind()));
            reply.is(if known.is_some() { 200 } else { 404 })?;
            if let Some(known) = known {
                *known = content.clone();
            }
        }
        Op::Delete(key, file, kind) => {
            let at = place(KEYS[*key], FILES[*file]);
            let reply = space.remove(&format!("{base}/delete/{}/{at}", KINDS[*kind]))?;
            let known = files.remove(&named(*key, *file, KINDS[*kind]));
            reply.is(if known.is_some() { 200 } else { 404 })?;
        }
        Op::DeleteBelow(key) => {
            let folder = KEYS[*key];
            let slash = if folder.is_empty() { "" } else { "/" };
            space.remove(&format!("{base}/delete/all{slash}{folder}"))?.is(200)?;
            files.retain(|(key, ..), _| !below(key, folder));
        }
    }
    Ok(())
}

/// Compares every file that there can be, and the listing of the whole.
fn compare(space: &Space<'_>, base: &str, files: &Files) -> Outcome {
    for (key, file, kind) in files.keys() {
        let at = place(key, file);
        let reply = space.get(&format!("{base}/{kind}/{at}"))?.is(200)?;
        if let Some(content) = files.get(&(key.clone(), file.clone(), *kind)) {
            content.is_in(&reply)?;
        }
        space.get(&format!("{base}/exists/{kind}/{at}"))?.is(200)?.has("exists", true)?;
    }
    let listed = listing(space, &format!("{base}/list"))?;
    let expected: Vec<_> = files
        .keys()
        .map(|(key, file, kind)| (key.clone(), file.clone(), (*kind).to_owned()))
        .collect();
    ensure!(listed == expected, "{base}/list shows {listed:?}, not {expected:?}");
    Ok(())
}

/// What a listing shows, in order and each once: entries that are written twice list children twice.
fn listing(space: &Space<'_>, rest: &str) -> Result<Vec<(String, String, String)>, Failure> {
    let reply = space.get(rest)?.is(200)?;
    let files = reply.member("files")?;
    let files = files.as_array().cloned().unwrap_or_default();
    reply.has("file_count", files.len())?;
    let text = |file: &serde_json::Value, name: &str| {
        file.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut found: Vec<_> = files
        .iter()
        .map(|file| (text(file, "data_key"), text(file, "data_file_id"), text(file, "data_type")))
        .collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn empty_string(api: &Api) -> Outcome {
    let space = api.fresh();
    let parent = space.store_text("parent")?;
    let base = format!("cache/{}/data", parent.id);
    space.post(&format!("{base}/store/string/e"), Body::Json("\"\""))?.is(200)?;
    space.get(&format!("{base}/exists/string/e"))?.is(200)?.has("exists", true)?;
    let reply = space.get(&format!("{base}/string/e"))?.is(200)?;
    ensure!(reply.body.is_empty(), "{reply} instead of nothing");
    Ok(())
}

fn whole_segments(api: &Api) -> Outcome {
    for strategy in STRATEGIES {
        let space = api.fresh();
        let parent = space.store_at(strategy, "/parent", &Content::text("parent"))?;
        let base = format!("cache/{}/data", parent.id);
        let keys = ["k", "kk", "k-x", "k/x", "K", "k.x"];
        for key in keys {
            let rest = format!("{base}/store/string/{key}/f");
            space.post(&rest, Content::text(key).body())?.is(200)?;
        }
        let inside: Vec<_> =
            listing(&space, &format!("{base}/list/k"))?.into_iter().map(|(key, ..)| key).collect();
        ensure!(inside == ["k", "k/x"], "below k are {inside:?}, not [\"k\", \"k/x\"]");
        let flat = listing(&space, &format!("{base}/list/k?recursive=false"))?;
        ensure!(flat.len() == 1, "directly in k are {flat:?}, not one file");
        space.remove(&format!("{base}/delete/all/k"))?.is(200)?;
        for key in keys {
            let status = if ["k", "k/x"].contains(&key) { 404 } else { 200 };
            space.get(&format!("{base}/string/{key}/f"))?.is(status)?;
        }
    }
    Ok(())
}

fn apart(api: &Api) -> Outcome {
    for strategy in STRATEGIES {
        let space = api.fresh();
        let content = Content::text("parent");
        let one = space.store_at(strategy, "/parent", &content)?;
        let two = space.store_at(strategy, "/parent", &content)?;
        let child = Content::text("a child of one");
        let at = |id: &str, rest: &str| format!("cache/{id}/data/{rest}");
        space.post(&at(&one.id, "store/string/f"), child.body())?.is(200)?;
        child.is_in(&space.get(&at(&one.id, "string/f"))?.is(200)?)?;
        space.get(&at(&one.id, "json/f"))?.is(404)?;
        space.get(&at(&one.id, "binary/f"))?.is(404)?;
        space.get(&at(&two.id, "string/f"))?.is(404)?;
        space.get(&at(&two.id, "list"))?.is(200)?.has("file_count", 0)?;
        space.remove(&at(&two.id, "delete/all"))?.is(200)?;
        child.is_in(&space.get(&at(&one.id, "string/f"))?.is(200)?)?;
        // Nor from another namespace.
        let other = api.space(format!("{}x", space.clean), &format!("{}x", space.clean));
        other.get(&at(&one.id, "string/f"))?.is(404)?;
        other.remove(&at(&one.id, "delete/all"))?.no_failure()?;
        child.is_in(&space.get(&at(&one.id, "string/f"))?.is(200)?)?;
    }
    Ok(())
}

fn missing(api: &Api) -> Outcome {
    let space = api.fresh();
    let parent = space.store_text("parent")?;
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (kind, body) in [
        ("string", Body::Json("\"x\"")),
        ("json", Body::Json("{\"a\":1}")),
        ("binary", Body::Bytes(b"x")),
    ] {
        for (id, at) in [(&*parent.id, "f"), (&*parent.id, "k/f"), (nobody, "f")] {
            space.post(&format!("cache/{id}/data/update/{kind}/{at}"), body)?.is(404)?;
            space.remove(&format!("cache/{id}/data/delete/{kind}/{at}"))?.is(404)?;
            space.get(&format!("cache/{id}/data/{kind}/{at}"))?.is(404)?;
        }
        space.post(&format!("cache/{nobody}/data/store/{kind}/f"), body)?.is(404)?;
    }
    space.get(&format!("cache/{nobody}/data/list"))?.is(404)?;
    let list = space.get(&format!("cache/{}/data/list", parent.id))?.is(200)?;
    list.has("file_count", 0)?;
    space.holds_ids([&parent.id])
}

fn archives(api: &Api) -> Outcome {
    let space = api.fresh();
    let made = space.post("direct/zip/create/some/archive", Body::None)?.is(200)?;
    let mut id = made.text_of("cache_id")?;
    let mut members: BTreeMap<String, String> = BTreeMap::new();
    let mut older = Vec::new();
    let names = ["a.txt", "b/a.txt", "A.txt", "b/c/d.txt"];
    let mut random = api.random();
    for round in 0..api.rounds(12) {
        let name = names[random.below(names.len())];
        let reply = if members.contains_key(name) {
            members.remove(name);
            space.remove(&format!("zip/{id}/file/delete/{name}"))?.is(200)?
        } else {
            let text = format!("round {round}");
            let rest = format!("zip/{id}/file/add/from/bytes/{name}");
            let reply = space.post(&rest, Body::Bytes(text.as_bytes()))?.is(200)?;
            members.insert(name.to_owned(), text);
            reply
        };
        let new = reply.text_of("cache_id")?;
        ensure!(new != id, "{reply}: the entry was changed in place");
        older.push((std::mem::replace(&mut id, new), members.clone()));
        archive_is(&space, &id, &members)?;
    }
    // The one before each change is as it was then.
    for ((id, _), (_, members)) in older.iter().skip(1).zip(&older) {
        archive_is(&space, id, members)?;
    }
    Ok(())
}

fn archive_is(space: &Space<'_>, id: &str, members: &BTreeMap<String, String>) -> Outcome {
    let list = space.get(&format!("zip/{id}/files/list"))?.is(200)?;
    let names: Vec<_> = members.keys().map(String::as_str).collect();
    list.has("file_list", names)?;
    for (name, text) in members {
        let reply = space.get(&format!("zip/{id}/file/retrieve/{name}"))?.is(200)?;
        Content::text(text).is_in(&reply)?;
    }
    Ok(())
}
