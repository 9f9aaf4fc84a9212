//! What becomes of an entry: stored, shown, updated, deleted.

use super::content::{Content, contents};
use super::spaces::STRATEGIES;
use super::{Api, check, only};
use crate::check::{Check, Group, Needs, Outcome};
use crate::ensure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiEntries,
        "H-07",
        "An entry tells its namespace, strategy, key, file id, hash and kind as they were given",
        "retrieve/{id}, …/metadata",
        shown,
    ),
    check(
        Group::ApiEntries,
        "H-08",
        "The size of an entry is the number of bytes stored, wherever it is told",
        "EntryMetadata.content_size, BinaryReference.size",
        sizes,
    ),
    check(
        Group::ApiEntries,
        "H-09",
        "After an update every way to read the entry shows the new content, and its hash stays",
        "update/{id}/…",
        updates,
    ),
    check(
        Group::ApiEntries,
        "H-10",
        "An update changes one entry, not others of the same content",
        "update/{id}/…",
        update_is_single,
    ),
    check(
        Group::ApiEntries,
        "H-11",
        "An update with another kind is refused or leaves an entry that can be read",
        "update/{id}/…",
        update_of_another_kind,
    ),
    check(
        Group::ApiEntries,
        "H-12",
        "A deleted entry is gone for every way to ask, and deleting it again says so",
        "delete/{id}",
        deleted,
    ),
    check(
        Group::ApiEntries,
        "H-13",
        "Deleting an entry spares its siblings: same content, same key, same folder, child data of others",
        "delete/{id}",
        siblings,
    ),
    check(
        Group::ApiEntries,
        "H-14",
        "Storing again at one key and file id answers with what was stored now, not before",
        "StoreResponse.size",
        stored_again,
    ),
    check(
        Group::ApiEntries,
        "H-15",
        "Child data goes with its entry: a later entry at the same place begins without any",
        "delete/{id}; data/list",
        children_go_too,
    ),
    only(
        Needs::AdminRoutes,
        Group::ApiEntries,
        "H-16",
        "Every path a store answers with is there, and none of them after the delete",
        "StoreResponse.paths; admin/storage/file/exists",
        paths,
    ),
];

fn place_of(strategy: &str) -> &'static str {
    if strategy == "key_based" { "/team/report" } else { "" }
}

fn shown(api: &Api) -> Outcome {
    let kinds = [
        (Content::text("text"), "string", "json"),
        (Content::json("{\"a\":1}"), "json", "json"),
        (Content::bytes(b"\xff\x00"), "binary", "binary"),
    ];
    for strategy in STRATEGIES {
        for (content, data_type, file_type) in &kinds {
            let space = api.fresh();
            let place = "/some/key?file_id=a-file";
            let stored = space.store_at(strategy, place, content)?;
            let by_hash = format!("hash/{}", stored.hash);
            for way in [&stored.id, &by_hash] {
                let reply = space.get(&format!("retrieve/{way}"))?.is(200)?;
                reply
                    .has("data_type", *data_type)?
                    .has("metadata.cache_id", stored.id.as_str())?
                    .has("metadata.cache_hash", stored.hash.as_str())?
                    .has("metadata.namespace", space.clean.as_str())?
                    .has("metadata.strategy", strategy)?
                    .has("metadata.cache_key", "some/key")?
                    .has("metadata.file_id", "a-file")?
                    .has("metadata.file_type", *file_type)?;
                if *data_type == "binary" {
                    let url = reply.text_of("binary_url")?;
                    content.is_in(&api.client.get(&url)?.is(200)?)?;
                }
            }
            let refs = space.get(&format!("retrieve/{}/refs", stored.id))?.is(200)?;
            refs.has("cache_hash", stored.hash.as_str())?.has("strategy", strategy)?;
            let exists = space.get(&format!("exists/id/{}", stored.id))?.is(200)?;
            exists.has("exists", true)?;
            space.get(&format!("exists/hash/{}", stored.hash))?.is(200)?.has("exists", true)?;
        }
    }
    Ok(())
}

fn sizes(api: &Api) -> Outcome {
    for (content, size) in [
        (Content::bytes(b"12345"), 5_u64),
        (Content::text("text"), 6),
        (Content::bytes(&[7; 3000]), 3000),
    ] {
        let space = api.fresh();
        let reply = space.try_store("direct", "", &content)?.is(200)?;
        reply.has("size", size)?;
        let shown = space.get(&format!("retrieve/{}", reply.text_of("cache_id")?))?.is(200)?;
        shown.has("metadata.content_size", size)?;
        if content.kind() == "binary" {
            shown.has("size", size)?;
        }
    }
    Ok(())
}

fn updates(api: &Api) -> Outcome {
    let pairs = (contents(), contents());
    api.forall(32, pairs, |(before, after)| {
        // Of one kind: what an update with another means is a property of its own.
        if before.kind() != after.kind() {
            return Ok(());
        }
        for strategy in STRATEGIES {
            let space = api.fresh();
            let stored = space.store_at(strategy, place_of(strategy), before)?;
            space.reads(&stored.id, before)?;
            space.reads_hash(&stored.hash, before)?;
            let reply = space.update(&stored.id, after)?.is(200)?;
            reply.has("cache_id", stored.id.as_str())?.has("cache_hash", stored.hash.as_str())?;
            space.reads(&stored.id, after)?;
            space.reads_hash(&stored.hash, after)?;
            let shown = space.get(&format!("retrieve/{}/metadata", stored.id))?.is(200)?;
            shown.has("data.cache_hash", stored.hash.as_str())?;
            space.holds_ids([&stored.id])?;
        }
        Ok(())
    })
}

fn update_is_single(api: &Api) -> Outcome {
    let (before, after) = (Content::text("before"), Content::text("after"));
    for strategy in STRATEGIES {
        let space = api.fresh();
        let place = place_of(strategy);
        let one = space.store_at(strategy, place, &before)?;
        let two = space.store_at(strategy, place, &before)?;
        let three = space.store_at(strategy, place, &before)?;
        space.update(&two.id, &after)?.is(200)?;
        space.reads(&one.id, &before)?;
        space.reads(&two.id, &after)?;
        space.reads(&three.id, &before)?;
    }
    Ok(())
}

fn update_of_another_kind(api: &Api) -> Outcome {
    let kinds =
        [Content::text("text"), Content::json("{\"a\":1}"), Content::bytes(b"\xff\x00 no text")];
    for before in &kinds {
        for after in &kinds {
            let space = api.fresh();
            let stored = space.store(before)?;
            space.update(&stored.id, after)?.no_failure()?;
            for suffix in ["", "/string", "/json", "/binary"] {
                let reply = space.get(&format!("retrieve/{}{suffix}", stored.id))?;
                ensure!(
                    matches!(reply.status, 200 | 415),
                    "a {} updated with a {}: {reply}",
                    before.kind(),
                    after.kind()
                );
            }
        }
    }
    Ok(())
}

fn deleted(api: &Api) -> Outcome {
    for strategy in STRATEGIES {
        for content in
            [Content::text("text"), Content::json("{\"a\":1}"), Content::bytes(b"\xff\x00")]
        {
            let space = api.fresh();
            let stored = space.store_at(strategy, place_of(strategy), &content)?;
            let reply = space.delete(&stored.id)?;
            reply.has("status", "success")?.has("cache_id", stored.id.as_str())?;
            space.lacks(&stored.id)?;
            space.lacks_hash(&stored.hash)?;
            space.holds_ids([])?;
            space.delete(&stored.id)?.has("status", "not_found")?;
            // And what is stored anew is not taken for what was deleted.
            let again = space.store_at(strategy, place_of(strategy), &content)?;
            ensure!(again.id != stored.id, "the id {} was given twice", stored.id);
            space.reads(&again.id, &content)?;
            space.lacks(&stored.id)?;
        }
    }
    Ok(())
}

fn siblings(api: &Api) -> Outcome {
    for strategy in STRATEGIES {
        for victim in 0..4 {
            let space = api.fresh();
            let contents = [
                (Content::text("same"), "/k/a"),
                (Content::text("same"), "/k/a"),
                (Content::text("other"), "/k/a"),
                (Content::json("{\"a\":1}"), "/k"),
                (Content::bytes(b"same"), "/k/ab"),
            ];
            let mut stored = Vec::new();
            for (content, place) in &contents {
                let entry = space.store_at(strategy, place, content)?;
                space
                    .post(
                        &format!("cache/{}/data/store/string/child", entry.id),
                        Content::text(&entry.id).body(),
                    )?
                    .is(200)?;
                stored.push(entry);
            }
            space.delete(&stored[victim].id)?;
            space.lacks(&stored[victim].id)?;
            for (nth, (entry, (content, _))) in stored.iter().zip(&contents).enumerate() {
                if nth == victim {
                    continue;
                }
                space.reads(&entry.id, content)?;
                let child = space.get(&format!("cache/{}/data/string/child", entry.id))?.is(200)?;
                Content::text(&entry.id).is_in(&child)?;
            }
        }
    }
    Ok(())
}

fn stored_again(api: &Api) -> Outcome {
    for strategy in ["direct", "key_based"] {
        let space = api.fresh();
        let place = "/some/key?file_id=one-file";
        let (short, long) = (Content::text("v"), Content::text("a longer value"));
        space.try_store(strategy, place, &short)?.is(200)?.has("size", 3)?;
        let again = space.try_store(strategy, place, &long)?.is(200)?;
        again.has("size", 16)?;
        space.reads(&again.text_of("cache_id")?, &long)?;
    }
    Ok(())
}

fn children_go_too(api: &Api) -> Outcome {
    let space = api.fresh();
    let place = "/some/key?file_id=one-file";
    let content = Content::text("text");
    let stored = space.store_at("key_based", place, &content)?;
    let child = format!("cache/{}/data/store/string/child", stored.id);
    space.post(&child, Content::text("a child").body())?.is(200)?;
    space.delete(&stored.id)?;
    let again = space.store_at("key_based", place, &content)?;
    space.get(&format!("cache/{}/data/list", again.id))?.is(200)?.has("file_count", 0)?;
    space.get(&format!("cache/{}/data/string/child", again.id))?.is(404)?;
    Ok(())
}

fn paths(api: &Api) -> Outcome {
    for strategy in STRATEGIES {
        let space = api.fresh();
        let reply = space.try_store(strategy, "/some/key", &Content::text("text"))?.is(200)?;
        let mut paths = Vec::new();
        for kind in ["data", "by_hash", "by_id"] {
            let list = reply.member(&format!("paths.{kind}"))?;
            let list = list.as_array().cloned().unwrap_or_default();
            ensure!(!list.is_empty(), "{reply}: no paths for {kind}");
            paths.extend(list.iter().filter_map(|path| path.as_str().map(str::to_owned)));
        }
        let exists = |path: &str, is: bool| -> Outcome {
            let own = format!("{}/", space.clean);
            ensure!(path.starts_with(&own), "{path} lies outside of {own}");
            let reply = api
                .client
                .get(&format!("/admin/storage/file/exists/{}", super::client::path(path)))?;
            reply.is(200)?.has("exists", is)?;
            Ok(())
        };
        paths.iter().try_for_each(|path| exists(path, true))?;
        space.delete(&reply.text_of("cache_id")?)?;
        paths.iter().try_for_each(|path| exists(path, false))?;
    }
    Ok(())
}
