//! Reading single values.

use std::io::{self, Read};

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB};

use super::fail::{failed, foreign};
use crate::key::Key;
use crate::storage::{Error, Object, Result, Stat, Version};

/// The newest row of a path, should there be several; not the value itself if it is long: that is read
/// piece by piece, where SQLite would put it together in memory first.
const FIND: &str = "SELECT id, CASE WHEN octet_length(data) < 65536 THEN data END \
     FROM memory_fs_files INDEXED BY idx__memory_fs_files__path \
     WHERE path = ?1 ORDER BY id DESC LIMIT 1";

/// See [`Storage::get`](crate::storage::Storage::get).
pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Object>> {
    find(connection, key, |value, size| {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        value.read_to_end(&mut bytes)?;
        let bytes = Bytes::from(bytes);
        let version = Version::of_value(bytes.clone());
        Ok(Object { bytes: bytes.into(), version })
    })
}

/// See [`Storage::stat`](crate::storage::Storage::stat).
pub(super) fn stat(connection: &Connection, key: &Key) -> Result<Option<Stat>> {
    find(connection, key, |value, _| {
        Version::of_reader(value).map(|(version, size)| Stat { size: size.into(), version })
    })
}

/// The version of a key's value.
pub(super) fn current_version(connection: &Connection, key: &Key) -> Result<Option<Version>> {
    stat(connection, key).map(|stat| stat.map(|stat| stat.version))
}

/// Whether a key has a value.
pub(super) fn is_there(connection: &Connection, key: &Key) -> Result<bool> {
    let sql = "SELECT 1 FROM memory_fs_files INDEXED BY idx__memory_fs_files__path \
         WHERE path = ?1 LIMIT 1";
    let found = connection.prepare_cached(sql).and_then(|mut sql| sql.exists([key.as_str()]));
    found.map_err(failed("read", key.as_str()))
}

/// Finds a value and hands it to `read` with its length, all of it as of one moment.
fn find<T>(
    connection: &Connection,
    key: &Key,
    read: impl FnOnce(&mut dyn Read, u64) -> io::Result<T>,
) -> Result<Option<T>> {
    let trouble = || failed::<rusqlite::Error>("read", key.as_str());
    let mut statement = connection.prepare_cached(FIND).map_err(trouble())?;
    let mut rows = statement.query([key.as_str()]).map_err(trouble())?;
    let Some(row) = rows.next().map_err(trouble())? else { return Ok(None) };
    let value = row.get_ref(1).map_err(trouble())?;
    let found = match value {
        ValueRef::Blob(mut bytes) | ValueRef::Text(mut bytes) => {
            let size = bytes.len() as u64;
            read(&mut bytes, size)
        }
        // While the row is held, the connection stays at the moment it was found.
        ValueRef::Null => {
            let id = row.get(0).map_err(trouble())?;
            let Some(size) = length(connection, id).map_err(trouble())? else {
                return Err(no_bytes(key, value));
            };
            let value = connection.blob_open(MAIN_DB, c"memory_fs_files", c"data", id, true);
            read(&mut value.map_err(trouble())?, size)
        }
        other => return Err(no_bytes(key, other)),
    };
    found.map(Some).map_err(failed("read", key.as_str()))
}

/// The length of a row's value in bytes; `None` when it has none.
fn length(connection: &Connection, id: i64) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT octet_length(data) FROM memory_fs_files WHERE id = ?1";
    let length: Option<i64> = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
    Ok(length.map(i64::unsigned_abs))
}

fn no_bytes(key: &Key, value: ValueRef<'_>) -> Error {
    foreign(key.as_str(), format!("its data is {}, not bytes", value.data_type()))
}
