//! Listings and counts agree with what was stored.

use std::collections::BTreeSet;

use super::content::{Content, few};
use super::spaces::STRATEGIES;
use super::{Api, check, only};
use crate::check::{Check, Group, Needs, Outcome};
use crate::ensure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiListings,
        "H-36",
        "The ids and hashes listed are those stored and not deleted, each once, sorted",
        "file-ids; file-hashes",
        lists,
    ),
    check(
        Group::ApiListings,
        "H-37",
        "The list of namespaces has those that hold something; asking for one does not make it",
        "namespaces/list",
        namespaces,
    ),
    check(
        Group::ApiListings,
        "H-38",
        "The counts of a namespace are its own: they follow what is stored in it, and nothing else",
        "{namespace}/stats",
        stats,
    ),
    only(
        Needs::AdminRoutes,
        Group::ApiListings,
        "H-39",
        "The raw listing of a folder goes by whole segments, flat or deep, sorted",
        "admin/storage/files, folders",
        raw,
    ),
    check(
        Group::ApiListings,
        "H-40",
        "Hundreds of entries are listed whole",
        "file-ids; file-hashes",
        many,
    ),
];

fn lists(api: &Api) -> Outcome {
    let space = api.fresh();
    space.holds_ids([])?;
    ensure!(space.hashes()?.is_empty(), "an unused namespace lists hashes");
    let mut stored = Vec::new();
    for (nth, content) in few().iter().cycle().take(24).enumerate() {
        let strategy = STRATEGIES[nth % 5];
        stored.push(space.store_at(strategy, &format!("/key-{}", nth % 4), content)?);
    }
    let mut random = api.random();
    loop {
        space.holds_ids(stored.iter().map(|entry| &entry.id))?;
        let expected: BTreeSet<_> = stored.iter().map(|entry| entry.hash.clone()).collect();
        let found = space.hashes()?;
        let expected: Vec<_> = expected.into_iter().collect();
        ensure!(found == expected, "the hashes are {found:?}, not {expected:?}");
        if stored.is_empty() {
            return Ok(());
        }
        let gone = stored.swap_remove(random.below(stored.len()));
        space.delete(&gone.id)?;
    }
}

fn namespaces(api: &Api) -> Outcome {
    let space = api.fresh();
    let (used, unused) = (space.beside("1"), space.beside("10"));
    let listed = || -> Result<Vec<String>, crate::report::Failure> {
        let all = api.client.get("/namespaces/list")?.is(200)?.texts()?;
        let sorted = all.windows(2).all(|pair| pair[0] < pair[1]);
        ensure!(sorted, "the namespaces are not in order, or not each once");
        Ok(all.into_iter().filter(|name| name.starts_with(&space.clean)).collect())
    };
    let nobody = "00000000-0000-4000-8000-000000000000";
    unused.lacks(nobody)?;
    unused.holds_ids([])?;
    unused.get("stats")?.is(200)?;
    unused.delete(nobody)?;
    let found = listed()?;
    ensure!(found.is_empty(), "reading made namespaces: {found:?}");
    let stored = used.store_text("text")?;
    let found = listed()?;
    ensure!(found == [used.clean.clone()], "the namespaces are {found:?}, not {:?}", used.clean);
    used.delete(&stored.id)?;
    let found = listed()?;
    ensure!(found.is_empty(), "what was emptied is still listed: {found:?}");
    Ok(())
}

fn stats(api: &Api) -> Outcome {
    let space = api.fresh();
    let other = space.beside("0");
    let count = |name: &str| space.get("stats")?.is(200)?.number_of(name);
    let all = ["refs_hash_files", "refs_id_files", "direct_files", "temporal_files", "total_files"];
    for name in all {
        let found = count(name)?;
        ensure!(found == 0, "{name} of an unused namespace is {found}");
    }
    space.store_text("one")?;
    let second = space.store_text("one")?;
    other.store_text("in another namespace")?;
    for (name, expected) in [("refs_id_files", 2), ("refs_hash_files", 1), ("temporal_files", 0)] {
        let found = count(name)?;
        ensure!(found == expected, "{name} is {found}, not {expected}");
    }
    let before = (count("direct_files")?, count("total_files")?);
    ensure!(before.0 > 0, "direct_files is 0 with two entries");
    space.delete(&second.id)?;
    let after = (count("direct_files")?, count("total_files")?);
    ensure!(
        after.0 < before.0 && after.1 < before.1,
        "direct_files and total_files were {before:?} and are {after:?} after a delete"
    );
    Ok(())
}

fn raw(api: &Api) -> Outcome {
    let space = api.fresh();
    let names = ["1", "10", "1-"];
    for name in names {
        space.beside(name).store_at("key_based", "/k/x?file_id=f", &Content::text(name))?;
    }
    let folder = format!("{}1", space.clean);
    let all = api.client.get(&format!("/admin/storage/files/all/{folder}"))?.is(200)?;
    let files = all.member("files")?;
    let files: Vec<String> = files
        .as_array()
        .map(|files| files.iter().filter_map(|file| file.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    all.has("file_count", files.len())?;
    ensure!(!files.is_empty(), "{folder} holds an entry, and no file is listed");
    ensure!(files.is_sorted(), "the files of {folder} are not in order: {files:?}");
    let own = format!("{folder}/");
    let foreign = files.iter().find(|file| !file.starts_with(&own));
    ensure!(foreign.is_none(), "the files of {folder} include {foreign:?}");
    let deep = format!("/admin/storage/files/in/{folder}?recursive=true");
    let deep = api.client.get(&deep)?.is(200)?.texts()?;
    ensure!(deep == files, "files/in with recursive shows {deep:?}, not {files:?}");
    let flat = format!("/admin/storage/files/in/{folder}/data/key-based/k/x");
    let flat = api.client.get(&flat)?.is(200)?.texts()?;
    ensure!(
        flat == ["f.json", "f.json.config", "f.json.metadata"],
        "the files in the folder of f are {flat:?}"
    );
    let folders = api.client.get(&format!("/admin/storage/folders/{folder}"))?.is(200)?.texts()?;
    ensure!(folders == ["data", "refs"], "the folders of {folder} are {folders:?}");
    Ok(())
}

fn many(api: &Api) -> Outcome {
    let space = api.fresh();
    let mut ids = Vec::new();
    let mut hashes = BTreeSet::new();
    // More than a thousand files: what pages of a store hold.
    for nth in 0..260 {
        let stored = space.store_text(&format!("number {nth}"))?;
        ids.push(stored.id);
        hashes.insert(stored.hash);
    }
    let found: BTreeSet<_> = space.hashes()?.into_iter().collect();
    ensure!(found == hashes, "of {} hashes {} are listed", hashes.len(), found.len());
    let listed = space.ids()?;
    ensure!(listed.len() == ids.len(), "of {} ids {} are listed", ids.len(), listed.len());
    space.holds_ids(&ids)
}
