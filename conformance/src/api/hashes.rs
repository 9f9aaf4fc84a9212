//! The hash of a content, and the versions filed under it.

use super::client::Body;
use super::content::{Content, contents};
use super::spaces::STRATEGIES;
use super::{Api, check};
use crate::check::{Check, Group, Outcome};
use crate::ensure;
use larder::cache::digest;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiHashes,
        "H-17",
        "The hash is the documented function of the content, whatever the strategy, key and namespace",
        "cache::digest",
        documented,
    ),
    check(
        Group::ApiHashes,
        "H-18",
        "With a field path the hash is that of the field; a path that leads nowhere is refused",
        "store/json/{key}?json_field_path",
        fields,
    ),
    check(
        Group::ApiHashes,
        "H-19",
        "Equal bytes share one hash across kinds, and each version keeps its own kind",
        "cache::digest",
        across_kinds,
    ),
    check(
        Group::ApiHashes,
        "H-20",
        "The versions of a hash are listed oldest first, all of them, each once",
        "retrieve/hash/{hash}/refs-hash",
        versions,
    ),
    check(
        Group::ApiHashes,
        "H-21",
        "Reading by hash gives the latest version, and the one before once that is deleted",
        "retrieve/hash/{hash}",
        latest,
    ),
    check(
        Group::ApiHashes,
        "H-22",
        "A hash is there from its first version to its last, and a miss before is not remembered",
        "exists/hash/{hash}",
        comes_and_goes,
    ),
];

fn documented(api: &Api) -> Outcome {
    api.forall(40, contents(), |content| {
        let expected = content.hash()?;
        let spaces = [api.fresh(), api.fresh()];
        for (nth, strategy) in STRATEGIES.into_iter().enumerate() {
            let space = &spaces[nth % 2];
            let stored = space.store_at(strategy, &format!("/key-{nth}"), content)?;
            ensure!(
                stored.hash == expected,
                "{strategy}: the hash of {content:?} is {}, not {expected}",
                stored.hash
            );
        }
        Ok(())
    })
}

fn fields(api: &Api) -> Outcome {
    let body = "{\"user\":{\"name\":\"ann\",\"age\":42,\"ok\":true,\"tags\":[1,2]},\"none\":null}";
    for (field, expected) in [
        ("user.name", digest::of_bytes(b"ann")),
        ("user.age", digest::of_bytes(b"42")),
        ("user.ok", digest::of_bytes(b"True")),
        ("user.tags", digest::of_bytes(b"[1, 2]")),
    ] {
        let space = api.fresh();
        let rest = format!("direct/store/json/key?json_field_path={field}");
        let reply = space.post(&rest, Body::Json(body))?.is(200)?;
        reply.has("cache_hash", expected.to_string())?;
    }
    for nowhere in ["missing", "none", "user.name.first", "user..name", ".user"] {
        let space = api.fresh();
        let rest = format!("direct/store/json/key?json_field_path={nowhere}");
        space.post(&rest, Body::Json(body))?.refused()?;
        space.holds_ids([])?;
    }
    Ok(())
}

fn across_kinds(api: &Api) -> Outcome {
    let space = api.fresh();
    let kinds =
        [Content::text("{\"a\": 1}"), Content::bytes(b"{\"a\": 1}"), Content::json("{\"a\":1}")];
    let mut ids = Vec::new();
    let hash = kinds[0].hash()?;
    for content in &kinds {
        let stored = space.store(content)?;
        ensure!(stored.hash == hash, "{content:?} has the hash {}, not {hash}", stored.hash);
        ids.push(stored.id);
        space.reads_hash(&hash, content)?;
    }
    for (id, content) in ids.iter().zip(&kinds) {
        space.reads(id, content)?;
    }
    let found = space.versions(&hash)?;
    ensure!(found == ids, "the versions of {hash} are {found:?}, not {ids:?}");
    Ok(())
}

fn versions(api: &Api) -> Outcome {
    let space = api.fresh();
    let content = Content::text("again and again");
    let mut ids = Vec::new();
    for nth in 0..12 {
        let strategy = STRATEGIES[nth % 5];
        let stored = space.store_at(strategy, &format!("/key-{}", nth % 3), &content)?;
        ids.push(stored.id);
        let found = space.versions(&stored.hash)?;
        ensure!(found == ids, "after {} stores the versions are {found:?}, not {ids:?}", nth + 1);
    }
    space.holds_ids(&ids)
}

fn latest(api: &Api) -> Outcome {
    let space = api.fresh();
    let content = Content::text("first");
    let hash = content.hash()?;
    let mut ids = Vec::new();
    // Each version is updated to something of its own, so that one can tell them apart.
    for nth in 0..6 {
        let stored = space.store(&content)?;
        space.update(&stored.id, &Content::text(&format!("version {nth}")))?.is(200)?;
        ids.push((stored.id, Content::text(&format!("version {nth}"))));
    }
    let mut random = api.random();
    while let Some((last, shown)) = ids.last() {
        space.reads_hash(&hash, shown)?;
        let reply = space.get(&format!("retrieve/hash/{hash}/cache-id"))?.is(200)?;
        reply.has("cache_id", last.as_str())?;
        let gone = if random.one_in(2) { ids.len() - 1 } else { random.below(ids.len()) };
        let (id, _) = ids.remove(gone);
        space.delete(&id)?;
        for (id, shown) in &ids {
            space.reads(id, shown)?;
        }
        if !ids.is_empty() {
            let found = space.versions(&hash)?;
            let left: Vec<_> = ids.iter().map(|(id, _)| id.clone()).collect();
            ensure!(found == left, "the versions are {found:?}, not {left:?}");
        }
    }
    space.lacks_hash(&hash)
}

fn comes_and_goes(api: &Api) -> Outcome {
    let space = api.fresh();
    let content = Content::text("now and then");
    let hash = content.hash()?;
    for _ in 0..3 {
        space.lacks_hash(&hash)?;
        let one = space.store(&content)?;
        space.reads_hash(&hash, &content)?;
        let two = space.store(&content)?;
        space.get(&format!("exists/hash/{hash}"))?.is(200)?.has("exists", true)?;
        space.delete(&one.id)?;
        space.reads_hash(&hash, &content)?;
        space.delete(&two.id)?;
    }
    space.lacks_hash(&hash)?;
    let hashes = space.hashes()?;
    ensure!(hashes.is_empty(), "the hashes listed after all was deleted are {hashes:?}");
    Ok(())
}
