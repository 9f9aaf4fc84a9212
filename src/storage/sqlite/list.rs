//! Listings: ranges of the index on paths, which SQLite keeps in the order of bytes.
//!
//! What lies in a folder is jumped over by seeking behind it, so a page costs what it holds. Rows that
//! are no keys are passed by.

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row};

use super::fail::failed;
use super::transaction::Transaction;
use crate::key::{Key, Namespace};
use crate::storage::{Cursor, Depth, Entry, List, Page, Result};

/// Rows of one path are adjacent, the one that counts last.
const RANGE: &str = "SELECT path, octet_length(data) \
     FROM memory_fs_files INDEXED BY idx__memory_fs_files__path \
     WHERE path >= ?1 AND path < ?2 ORDER BY path, id";

const FROM: &str = "SELECT path FROM memory_fs_files INDEXED BY idx__memory_fs_files__path \
     WHERE path >= ?1 ORDER BY path";

/// See [`Storage::list`](crate::storage::Storage::list).
pub(super) fn page(connection: &Connection, query: &List) -> Result<Page> {
    let trouble = || failed::<rusqlite::Error>("list", query.prefix.as_str());
    // A page is of one moment, however often it seeks.
    let moment = Transaction::to_read(connection).map_err(trouble())?;
    let mut statement = moment.prepare_cached(RANGE).map_err(trouble())?;
    let page = walk(&mut statement, query).map_err(trouble())?;
    drop(statement);
    moment.commit().map_err(trouble())?;
    Ok(page)
}

fn walk(statement: &mut CachedStatement<'_>, query: &List) -> rusqlite::Result<Page> {
    let prefix = query.prefix.as_str();
    let end = match prefix {
        "" => char::MAX.to_string(),
        folder => behind(folder),
    };
    let mut from = match &query.after {
        Some(Cursor::Key(key)) if key.as_str() >= prefix => key.as_str().to_owned(),
        Some(Cursor::Folder(folder)) if folder.as_str() >= prefix => behind(folder.as_str()),
        _ => prefix.to_owned(),
    };
    let mut page = Page::default();
    let mut ends_in_folder = false;
    'seek: loop {
        let mut rows = statement.query([&from, &end])?;
        while let Some(row) = rows.next()? {
            let Some(path) = path(row)? else { continue };
            let Some(key) = query.prefix.key_from_physical(path) else {
                if let Some(next) = behind_foreign(query, path) {
                    from = next;
                    continue 'seek;
                }
                continue;
            };
            if query.after.as_ref().is_some_and(|after| after.passed(&key)) {
                continue;
            }
            let size: Option<i64> = row.get(1)?;
            let size = size.map_or(0, i64::unsigned_abs);
            if let Some(entry) = page.entries.last_mut()
                && entry.key == key
            {
                entry.size = size;
                continue;
            }
            if page.entries.len() + page.folders.len() == query.limit.get() {
                page.next = if ends_in_folder {
                    page.folders.last().cloned().map(Cursor::Folder)
                } else {
                    page.entries.last().map(|entry| Cursor::Key(entry.key.clone()))
                };
                break 'seek;
            }
            let folder = match query.depth {
                Depth::Children => query.prefix.child_towards(&key),
                Depth::All => None,
            };
            if let Some(folder) = folder {
                from = behind(folder.as_str());
                ends_in_folder = true;
                page.folders.push(folder);
                continue 'seek;
            }
            ends_in_folder = false;
            page.entries.push(Entry { key, size });
        }
        break;
    }
    Ok(page)
}

/// In the root namespace, whose keys have no prefix, those of others come in between: where to go on
/// when no key of it can begin as this path does.
fn behind_foreign(query: &List, path: &str) -> Option<String> {
    let (first, _) = path.split_once('/')?;
    let is_possible = || query.prefix.key_from_physical(&format!("{first}/x/x")).is_some();
    (query.prefix.as_str().is_empty() && !is_possible()).then(|| format!("{first}0"))
}

/// See [`Storage::namespaces`](crate::storage::Storage::namespaces).
pub(super) fn namespaces(connection: &Connection) -> Result<Vec<Namespace>> {
    let moment = Transaction::to_read(connection).map_err(failed("list", "/"))?;
    let mut statement = moment.prepare_cached(FROM).map_err(failed("list", "/"))?;
    let mut found =
        first_segments(&mut statement).map_err(failed::<rusqlite::Error>("list", "/"))?;
    drop(statement);
    moment.commit().map_err(failed("list", "/"))?;
    // `a-b/` comes before `a/`.
    found.sort();
    Ok(found)
}

fn first_segments(statement: &mut CachedStatement<'_>) -> rusqlite::Result<Vec<Namespace>> {
    let mut found = Vec::new();
    let mut from = String::new();
    'seek: loop {
        let mut rows = statement.query([&from])?;
        while let Some(row) = rows.next()? {
            let Some(path) = path(row)? else { continue };
            let is_key = Key::parse_physical(path).is_some();
            let Some((first, _)) = path.split_once('/').filter(|_| is_key) else { continue };
            found.extend(Namespace::parse(first));
            from = format!("{first}0");
            continue 'seek;
        }
        return Ok(found);
    }
}

/// The path of a row, if it is text. Anything else does not sort as text does.
fn path<'r>(row: &'r Row<'_>) -> rusqlite::Result<Option<&'r str>> {
    match row.get_ref(0)? {
        ValueRef::Text(bytes) => Ok(std::str::from_utf8(bytes).ok()),
        _ => Ok(None),
    }
}

/// The first text behind everything in a folder: `0` is the character after `/`.
fn behind(folder: &str) -> String {
    format!("{}0", folder.trim_end_matches('/'))
}
