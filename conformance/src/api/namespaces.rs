//! Namespaces, keys and other names: what is alike stays apart.

use std::cell::RefCell;

use super::client::{Body, path};
use super::content::Content;
use super::history::{self, Relations};
use super::spaces::STRATEGIES;
use super::{Api, check, only};
use crate::check::{Check, Group, Needs, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiNamespaces,
        "H-29",
        "Interleaved histories of namespaces with nearly one name behave like separate models",
        "all routes of a namespace",
        histories,
    ),
    check(
        Group::ApiNamespaces,
        "H-30",
        "Spellings that clean to one name are one namespace, and answers show the clean name",
        "cleaning of namespaces",
        spellings,
    ),
    check(
        Group::ApiNamespaces,
        "H-31",
        "An id or hash of one namespace is a miss in any other, for every route",
        "retrieve, exists, update, delete, data, zip",
        foreign_ids,
    ),
    only(
        Needs::TestDataRoutes,
        Group::ApiNamespaces,
        "H-32",
        "Clearing a namespace leaves those with nearly its name as they were",
        "test-data/clear/{namespace}",
        clearing,
    ),
    check(
        Group::ApiNamespaces,
        "H-33",
        "Keys and file ids that are nearly one stay apart: `a/b`+`c`, `a`+`b_c`, case, dots, spaces",
        "store/…/{key}?file_id",
        keys_apart,
    ),
    check(
        Group::ApiNamespaces,
        "H-34",
        "A key with an empty, `.` or `..` segment is refused, and nothing is stored for it",
        "store/…/{key}",
        traversal,
    ),
    check(
        Group::ApiNamespaces,
        "H-35",
        "Names of the greatest length work and differ by their last character; longer ones are refused",
        "limits of namespace, file id, key",
        long_names,
    ),
];

fn histories(api: &Api) -> Outcome {
    let seen = RefCell::new(Relations::default());
    api.forall(32, history::programs(), |program| {
        history::run(api, program, &mut seen.borrow_mut())
    })?;
    let missing = seen.borrow().missing();
    if !missing.is_empty() && api.rounds(32) >= 32 {
        let missing = missing.join(", no ");
        return Err(Failure::inconclusive(format!("in this run there was no {missing}")));
    }
    Ok(())
}

fn spellings(api: &Api) -> Outcome {
    let first = api.fresh();
    let content = Content::text("one");
    for (clean, spellings) in [
        ("_x", &[".x", "%20x", "~x", "%3Fx", "%C3%A9x", "%00x", "%25x", ";x", "%5Cx"][..]),
        ("", &["%20", "%09", "%E3%80%80"][..]),
        ("Ab", &["%41b", "A%62"][..]),
    ] {
        let plain = first.spelled(clean, clean);
        let stored = plain.store(&content)?;
        for spelling in spellings {
            let other = first.spelled(clean, spelling);
            other.reads(&stored.id, &content)?;
            other.holds_ids([&stored.id])?;
            let exists = other.get(&format!("exists/id/{}", stored.id))?.is(200)?;
            exists.has("namespace", plain.clean.as_str())?;
        }
        plain.delete(&stored.id)?;
    }
    Ok(())
}

fn foreign_ids(api: &Api) -> Outcome {
    for strategy in STRATEGIES {
        let home = api.fresh();
        let content = Content::bytes(b"\xfe secret");
        let stored = home.store_at(strategy, "/k", &content)?;
        let zip = home.post(&format!("{strategy}/zip/create/some/archive"), Body::None)?.is(200)?;
        let zip = zip.text_of("cache_id")?;
        for suffix in ["0", "-", "_", "A"] {
            let other = home.beside(suffix);
            other.lacks(&stored.id)?;
            other.lacks_hash(&stored.hash)?;
            other.delete(&stored.id)?.has("status", "not_found")?;
            let reply = other.update(&stored.id, &Content::bytes(b"changed"))?;
            ensure!(reply.status >= 400, "{reply}, of an entry of another namespace");
            let child = format!("cache/{}/data/store/string/f", stored.id);
            other.post(&child, Body::Json("\"x\""))?.is(404)?;
            for rest in ["retrieve", "files/list"] {
                other.get(&format!("zip/{zip}/{rest}"))?.is(404)?;
            }
            let add = format!("zip/{zip}/file/add/from/string/a.txt");
            other.post(&add, Body::Json("\"x\""))?.refused()?;
            other.holds_ids([])?;
        }
        home.reads(&stored.id, &content)?;
        home.get(&format!("cache/{}/data/list", stored.id))?.is(200)?.has("file_count", 0)?;
        home.holds_ids([&stored.id, &zip])?;
    }
    Ok(())
}

fn clearing(api: &Api) -> Outcome {
    let first = api.fresh();
    let content = Content::text("kept");
    let names = ["1", "10", "1-", "1_", "A", "a"];
    let spaces: Vec<_> = names.iter().map(|name| first.beside(name)).collect();
    let mut stored = Vec::new();
    for space in &spaces {
        stored.push((space.store(&content)?, space.store_at("key_based", "/k", &content)?));
    }
    for cleared in 0..spaces.len() {
        let path = format!("/test-data/clear/{}", spaces[cleared].written);
        api.client.delete(&path)?.is(200)?.has("success", true)?;
        for (nth, (space, (one, two))) in spaces.iter().zip(&stored).enumerate() {
            if nth <= cleared {
                space.holds_ids([])?;
                space.lacks(&one.id)?;
            } else {
                space.holds_ids([&one.id, &two.id])?;
                space.reads(&one.id, &content)?;
                space.reads(&two.id, &content)?;
            }
        }
    }
    Ok(())
}

fn keys_apart(api: &Api) -> Outcome {
    let places: &[(&str, &str)] = &[
        ("a/b", "c"),
        ("a", "b_c"),
        ("a/b/c", "c"),
        ("a_b", "c"),
        ("a-b", "c"),
        ("a.b", "c"),
        ("a b", "c"),
        ("A/b", "c"),
        ("a/B", "c"),
        ("ab", "c"),
        ("a/b", "C"),
        ("a/b", "cc"),
        ("a/b", "-c"),
        ("a/b.json", "c"),
        ("a/b/c.json", "c"),
    ];
    let space = api.fresh();
    let mut stored = Vec::new();
    for (nth, (key, file)) in places.iter().enumerate() {
        let content = Content::text(&format!("number {nth}"));
        let place = format!("/{}?file_id={file}", path(key));
        stored.push((space.store_at("key_based", &place, &content)?, content));
    }
    while let Some((gone, _)) = stored.pop() {
        for (entry, content) in &stored {
            space.reads(&entry.id, content)?;
        }
        space.delete(&gone.id)?.has("status", "success")?;
        space.lacks(&gone.id)?;
    }
    Ok(())
}

fn traversal(api: &Api) -> Outcome {
    // Kept below the namespace's own folder: a server that is wrong here writes no further than that.
    for key in ["x//y", "/x", "x/../y", "x/./y", "./x", "x/..", "x/%2E%2E/y"] {
        let space = api.fresh();
        let rest = format!("key_based/store/string/{key}?file_id=f");
        space.post(&rest, Body::Json("\"text\""))?.is(400)?;
        space.holds_ids([])?;
    }
    // One slash at the end is not an empty segment.
    let space = api.fresh();
    space.store_at("key_based", "/x/y/?file_id=f", &Content::text("text"))?;
    Ok(())
}

fn long_names(api: &Api) -> Outcome {
    let first = api.fresh();
    let content = Content::text("text");
    let room = 127 - first.clean.len();
    let stem = "n".repeat(room);
    let (one, two) = (first.beside(&format!("{stem}1")), first.beside(&format!("{stem}2")));
    let stored = one.store(&content)?;
    one.reads(&stored.id, &content)?;
    two.lacks(&stored.id)?;
    let too_long = format!("/{}{stem}12/direct/store/string", first.clean);
    api.client.post(&too_long, content.body())?.is(400)?;
    let space = api.fresh();
    let file = "f".repeat(127);
    let one = space.store_at("key_based", &format!("/k?file_id={file}1"), &content)?;
    let other = Content::text("other");
    space.store_at("key_based", &format!("/k?file_id={file}2"), &other)?;
    space.reads(&one.id, &content)?;
    for place in [format!("/k?file_id={file}12"), format!("/{}?file_id=f", "k".repeat(1025))] {
        space.try_store("key_based", &place, &content)?.is(400)?;
    }
    Ok(())
}
