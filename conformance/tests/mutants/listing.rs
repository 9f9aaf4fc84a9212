//! Listing by sorting everything, with a place for each bug.

use larder::key::{Key, Namespace};
use larder::storage::{Cursor, Depth, Entry, List, Page};

use crate::handle::Broken;
use crate::names::{place, shows, sort};
use crate::state::gap;
use crate::table::Bug;

#[derive(Clone, PartialEq)]
enum Item {
    Entry(Key, u64),
    Folder(larder::key::Prefix),
}

/// The keys there are, as this bug sees them.
fn keys(store: &Broken, query: &List) -> Vec<Key> {
    let bug = store.core.bug;
    let mut state = store.core.lock();
    let mut keys: Vec<Key> = state.map.values().map(|slot| slot.key.clone()).collect();
    match bug {
        Bug::EmptyNotListed => keys.retain(|key| !state.map[&place(bug, key)].bytes.is_empty()),
        Bug::HandleListsOwn => keys.retain(|key| state.map[&place(bug, key)].by == store.id()),
        Bug::HiddenNotListed => {
            keys.retain(|key| !key.path().split('/').any(|s| s.starts_with('.')))
        }
        Bug::TmpNotListed => keys.retain(|key| !key.path().ends_with(".tmp")),
        Bug::DeepCut => keys.retain(|key| key.path().split('/').count() < 50),
        Bug::Ghost => keys.append(&mut state.ghosts),
        Bug::EmptyingStale => {
            let fresh = state.ghosts.pop();
            keys.extend(fresh.filter(|key| !keys.contains(key)));
        }
        Bug::ListCached => {
            let at = query.prefix.as_str().to_owned();
            keys = state.cached.entry(at).or_insert(keys).clone();
        }
        _ => {}
    }
    drop(state);
    sort(bug, &mut keys);
    keys
}

fn items(store: &Broken, query: &List) -> Vec<Item> {
    let bug = store.core.bug;
    let (prefix, depth) = (&query.prefix, query.depth);
    let space = match &query.after {
        Some(Cursor::Key(key)) => Some(key.namespace_str()),
        Some(Cursor::Folder(folder)) => Some(folder.namespace().as_str()),
        None => None,
    };
    let passed = |key: &Key| match &query.after {
        None => false,
        Some(Cursor::Key(last)) if bug == Bug::AfterInclusive => key < last,
        Some(Cursor::Key(last))
            if bug == Bug::ForeignCursorAll && last.as_str() > prefix.as_str() =>
        {
            prefix.contains(last) && key <= last
        }
        Some(Cursor::Folder(last)) if bug == Bug::AfterFolderIgnored => {
            key.as_str() < last.as_str()
        }
        Some(Cursor::Folder(last)) if bug == Bug::FolderAgain => key.as_str() <= last.as_str(),
        Some(cursor) => cursor.passed(key),
    };
    let all = keys(store, query);
    if let (Bug::CursorMustExist, Some(Cursor::Key(last))) = (bug, &query.after)
        && !all.contains(last)
    {
        return Vec::new();
    }
    let mut found: Vec<Item> = Vec::new();
    let state = store.core.lock();
    for key in all.iter().filter(|key| shows(bug, prefix, key, space)) {
        if bug != Bug::OffsetCursor && passed(key) {
            continue;
        }
        let towards = if prefix.contains(key) { prefix.child_towards(key) } else { None };
        let folder = match depth {
            Depth::All => None,
            Depth::Children if bug == Bug::ChildrenDeep => None,
            Depth::Children => towards,
        };
        let item = match folder {
            Some(folder) => Item::Folder(folder),
            None => {
                let slot = state.map.get(&place(bug, key));
                let size = match bug {
                    Bug::ListedSizeStale => slot.map_or(0, |slot| slot.first_size),
                    _ => slot.map_or(0, |slot| slot.bytes.len() as u64),
                };
                Item::Entry(key.clone(), size)
            }
        };
        let twice = bug == Bug::PutTwiceListedTwice
            && state
                .map
                .get(&place(bug, key))
                .is_some_and(|slot| slot.first_size == 4 && slot.version == 2);
        if found.last() != Some(&item) || matches!(item, Item::Entry(..)) {
            found.push(item.clone());
            if twice {
                found.push(item);
            }
        }
    }
    if bug == Bug::EmptyFolderStays && depth == Depth::Children && query.after.is_none() {
        for key in &state.folders {
            let folder = if prefix.contains(key) { prefix.child_towards(key) } else { None };
            let item = folder.map(Item::Folder);
            found.extend(item.filter(|item| !found.contains(item)));
        }
    }
    drop(state);
    let text = |item: &Item| match item {
        Item::Entry(key, _) => key.as_str().to_owned(),
        Item::Folder(folder) => folder.as_str().trim_end_matches('/').to_owned(),
    };
    let names: Vec<(String, bool)> =
        found.iter().map(|item| (text(item), matches!(item, Item::Folder(_)))).collect();
    match bug {
        Bug::FolderHidesKey => {
            found.retain(|item| {
                matches!(item, Item::Folder(_)) || !names.contains(&(text(item), true))
            });
        }
        Bug::KeyHidesFolder => {
            found.retain(|item| {
                matches!(item, Item::Entry(..)) || !names.contains(&(text(item), false))
            });
        }
        Bug::ChildrenOnlyFirst if depth == Depth::Children => {
            let first = found.iter().position(|item| matches!(item, Item::Folder(_)));
            let mut nth = 0;
            found.retain(|item| {
                nth += 1;
                matches!(item, Item::Folder(_)) || first.is_none_or(|first| nth <= first)
            });
        }
        Bug::RecursionShort
            if depth == Depth::Children && prefix.as_str().matches('/').count() > 2 =>
        {
            found.pop();
        }
        _ => {}
    }
    found
}

pub(crate) fn page(store: &Broken, query: &List) -> Page {
    let bug = store.core.bug;
    let mut found = items(store, query);
    let mut limit = query.limit.get();
    match bug {
        Bug::LimitPlusOne => limit = limit.saturating_add(1),
        Bug::LimitOverflow if limit == usize::MAX => limit = 0,
        Bug::ListCut1000 => limit = limit.min(1000),
        _ => {}
    }
    if bug == Bug::OffsetCursor
        && let Some(Cursor::Key(last)) = &query.after
    {
        // How many keys there were before the cursor, counted now.
        let before =
            found.iter().filter(|item| matches!(item, Item::Entry(key, _) if key <= last)).count();
        let state = store.core.lock();
        let gone = state
            .graves
            .values()
            .filter(|slot| slot.key <= *last && !state.map.contains_key(slot.key.as_str()));
        let skip = (before + gone.count().min(1)).min(found.len());
        drop(state);
        found.drain(..skip);
    }
    if bug == Bug::PageSkips && query.after.is_some() && found.len() > 1 {
        found.remove(0);
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|item| match item {
        Item::Entry(key, _) => Cursor::Key(key.clone()),
        Item::Folder(folder) => Cursor::Folder(folder.clone()),
    });
    let mut page = Page::default();
    if more {
        page.next = last.clone();
    }
    match bug {
        Bug::EndsWhenFull if query.after.is_some() => page.next = None,
        Bug::NeverEnds if page.next.is_none() => {
            page.next = query.after.clone().or_else(|| last.clone())
        }
        Bug::ListCut1000 if limit == 1000 => page.next = None,
        Bug::ListCut100 if found.len() == 100 => page.next = None,
        Bug::ListDup1000 if found.len() >= 999 && more => {
            if let Some(Item::Entry(key, _)) = found.get(found.len() - 2) {
                page.next = Some(Cursor::Key(key.clone()));
            }
        }
        _ => {}
    }
    for item in found {
        match item {
            Item::Entry(key, size) => page.entries.push(Entry { key, size }),
            Item::Folder(folder) => page.folders.push(folder),
        }
    }
    page
}

pub(crate) fn namespaces(store: &Broken) -> Vec<Namespace> {
    let bug = store.core.bug;
    if bug == Bug::NamespaceGap {
        gap(5);
    }
    let state = store.core.lock();
    let mut keys: Vec<Key> = state.map.values().map(|slot| slot.key.clone()).collect();
    if bug == Bug::NsStaysListed {
        keys.extend(state.graves.values().map(|slot| slot.key.clone()));
    }
    keys.sort();
    let firsts =
        keys.iter().filter_map(|key| key.as_str().split('/').next()).filter_map(Namespace::parse);
    let mut found: Vec<_> = firsts.collect();
    if bug != Bug::NsUnsorted {
        found.sort();
    }
    found.dedup();
    if bug == Bug::NsCap {
        found.truncate(500);
    }
    found
}
