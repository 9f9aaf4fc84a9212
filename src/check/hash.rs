//! Judging a hash reference.

use std::collections::HashSet;

use super::Kind;
use crate::cache::pyjson::{self, Value};
use crate::cache::refs::{HashRef, HashVersion};

/// What is known of an entry that a hash reference lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listed {
    /// It is not there.
    Missing,
    /// It is there, and cannot be read.
    Unreadable,
    /// It is there, stored under this hash.
    Of(String),
}

/// What should become of a hash reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rewrite {
    /// It stays.
    Keep,
    /// It becomes this.
    Write(HashRef),
    /// It goes.
    Delete,
}

/// Judges the file of a hash. `listed` tells of the entries it lists, in its order.
pub(super) fn judge(hash: &str, bytes: &[u8], listed: &[Listed]) -> (Vec<(Kind, String)>, Rewrite) {
    let mut found = Vec::new();
    let mut say = |kind, detail: String| found.push((kind, detail));
    let whole = pyjson::parse(bytes).ok();
    if whole.is_none() {
        say(Kind::HashUnreadable, "not one JSON text".to_owned());
    }
    let Some(mut reference) = HashRef::parse(bytes) else {
        if whole.is_some() {
            say(Kind::HashUnreadable, "JSON, but no hash reference".to_owned());
        }
        // The entries that name the hash are found later; they write it again.
        return (found, Rewrite::Keep);
    };
    if *reference.cache_hash != *hash {
        say(Kind::HashMisnamed, format!("says it is {:?}", reference.cache_hash));
        reference.cache_hash = hash.into();
    }
    let stated = whole.as_ref().and_then(|value| match value.get("total_versions") {
        Some(Value::Int(digits)) => digits.parse::<usize>().ok(),
        _ => None,
    });
    let lists = reference.cache_ids.len();
    if whole.is_some() && stated != Some(lists) {
        let stated = stated.map_or("no number".to_owned(), |stated| stated.to_string());
        say(Kind::WrongCount, format!("total_versions is {stated}, and it lists {lists}"));
    }
    if lists > 0 && !reference.lists(reference.latest_id()) {
        say(Kind::WrongLatest, format!("latest_id {:?} is not listed", reference.latest_id()));
    }
    let mut kept = Vec::with_capacity(reference.cache_ids.len());
    let mut seen = HashSet::with_capacity(reference.cache_ids.len());
    for (at, version) in reference.cache_ids.from_old_to_new().into_iter().enumerate() {
        let id = &version.cache_id;
        if !seen.insert(id.clone()) {
            say(Kind::DuplicateId, format!("lists {id} again"));
            continue;
        }
        match listed.get(at) {
            Some(Listed::Missing) => say(Kind::ListsMissingEntry, format!("lists {id}")),
            Some(Listed::Of(other)) if other != hash => {
                say(Kind::ListsForeignEntry, format!("lists {id}, stored under {other:?}"));
            }
            _ => kept.push(version.clone()),
        }
    }
    reference.cache_ids = kept.into_iter().collect();
    if reference.cache_ids.is_empty() {
        if found.is_empty() {
            found.push((Kind::NoEntries, "lists no entry".to_owned()));
        }
        return (found, Rewrite::Delete);
    }
    if !reference.lists(reference.latest_id()) {
        reference.name_newest();
    }
    let rewrite = if found.is_empty() { Rewrite::Keep } else { Rewrite::Write(reference) };
    (found, rewrite)
}

/// The reference of a hash with one more entry in its place by time. `bytes` is what is there.
pub(super) fn with_entry(hash: &str, bytes: Option<&[u8]>, id: &str, timestamp: u64) -> HashRef {
    let there = bytes.and_then(HashRef::parse);
    let mut reference = there.unwrap_or_else(|| HashRef::new(hash));
    reference.cache_hash = hash.into();
    if !reference.lists(id) {
        let all = reference.cache_ids.from_old_to_new().into_iter();
        let mut all: Vec<HashVersion> = all.cloned().collect();
        let earlier = all.iter().rposition(|other| other.timestamp <= timestamp);
        let at = earlier.map_or(0, |at| at + 1);
        if at == all.len() {
            reference.name_newest();
        }
        all.insert(at, HashVersion { cache_id: id.into(), timestamp });
        reference.cache_ids = all.into_iter().collect();
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::document::Document;
    use rstest::rstest;

    const HASH: &str = "0123456789abcdef";

    fn kinds(text: &str, listed: &[Listed]) -> (Vec<Kind>, Rewrite) {
        let (found, rewrite) = judge(HASH, text.as_bytes(), listed);
        (found.into_iter().map(|(kind, _)| kind).collect(), rewrite)
    }

    fn text(ids: &[&str], latest: &str, total: usize) -> String {
        let ids: Vec<String> =
            ids.iter().map(|id| format!(r#"{{"cache_id":"{id}","timestamp":1}}"#)).collect();
        format!(
            r#"{{"cache_hash":"{HASH}","cache_ids":[{}],"latest_id":"{latest}","total_versions":{total}}}"#,
            ids.join(",")
        )
    }

    fn ours() -> Listed {
        Listed::Of(HASH.to_owned())
    }

    #[rstest]
    #[case::sound(text(&["a", "b"], "b", 2), vec![ours(), ours()], vec![])]
    #[case::stored_again(text(&["a", "b"], "a", 2), vec![ours(), ours()], vec![])]
    #[case::unreadable_entry(text(&["a"], "a", 1), vec![Listed::Unreadable], vec![])]
    #[case::count(text(&["a"], "a", 7), vec![ours()], vec![Kind::WrongCount])]
    #[case::latest(text(&["a"], "x", 1), vec![ours()], vec![Kind::WrongLatest])]
    #[case::twice(text(&["a", "a"], "a", 2), vec![ours(), ours()], vec![Kind::DuplicateId])]
    #[case::gone(text(&["a", "b"], "b", 2), vec![ours(), Listed::Missing], vec![Kind::ListsMissingEntry])]
    #[case::foreign(text(&["a"], "a", 1), vec![Listed::Of("x".into())], vec![Kind::ListsForeignEntry])]
    #[case::empty(text(&[], "", 0), vec![], vec![Kind::NoEntries])]
    #[case::glued(text(&["a"], "a", 1) + "{", vec![ours()], vec![Kind::HashUnreadable])]
    #[case::nothing("nonsense".to_owned(), vec![], vec![Kind::HashUnreadable])]
    #[case::no_reference("{}".to_owned(), vec![], vec![Kind::HashUnreadable])]
    fn damage_is_told_apart(
        #[case] text: String,
        #[case] listed: Vec<Listed>,
        #[case] expected: Vec<Kind>,
    ) {
        let (found, rewrite) = kinds(&text, &listed);
        assert_eq!(found, expected);
        // What the rewrite leaves is sound.
        if let Rewrite::Write(reference) = rewrite {
            let listed = vec![ours(); reference.cache_ids.len()];
            let again = reference.indented(2);
            assert_eq!(kinds(&again, &listed), (vec![], Rewrite::Keep));
        }
    }

    #[test]
    fn a_lost_entry_takes_its_place_in_time() {
        let mut reference = HashRef::new(HASH);
        for (id, timestamp) in [("b", 20), ("a", 10), ("c", 30), ("b", 20)] {
            let bytes = reference.indented(2);
            reference = with_entry(HASH, Some(bytes.as_bytes()), id, timestamp);
        }
        let all = reference.cache_ids.from_old_to_new().into_iter();
        let ids: Vec<&str> = all.map(|version| &*version.cache_id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(reference.latest_id(), "c");
        assert_eq!(with_entry(HASH, Some(b"nonsense"), "a", 1).latest_id(), "a");
    }
}
