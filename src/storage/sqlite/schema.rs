//! The Python service's table: made when there is nothing, used when it is there, and anything else
//! refused before a byte of it changes.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::fail::{failed, foreign};
use crate::storage::Result;

/// Letter for letter what the Python service runs: SQLite keeps the text in the file.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS memory_fs_files \
     (id INTEGER PRIMARY KEY, path TEXT, data BLOB, created_at INTEGER, updated_at INTEGER)";
const INDEX: &str =
    "CREATE INDEX IF NOT EXISTS idx__memory_fs_files__path ON memory_fs_files(path)";

/// Name, type, position in the primary key.
const COLUMNS: [(&str, &str, i64); 5] = [
    ("id", "INTEGER", 1),
    ("path", "TEXT", 0),
    ("data", "BLOB", 0),
    ("created_at", "INTEGER", 0),
    ("updated_at", "INTEGER", 0),
];

/// Checks what is there, and makes the table and its index if they are not. `place` is for messages.
pub(super) fn prepare(connection: &mut Connection, place: &str) -> Result<()> {
    let trouble = || failed("open a store at", place);
    // Without a lock first: a store that is there is opened while others write to it.
    if is_complete(connection, place)? {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(trouble())?;
    is_complete(&transaction, place)?;
    transaction.execute_batch(TABLE).map_err(trouble())?;
    transaction.execute_batch(INDEX).map_err(trouble())?;
    if !is_complete(&transaction, place)? {
        return Err(foreign(place, "its table could not be made"));
    }
    transaction.commit().map_err(trouble())
}

/// Whether table and index are there; an error when there is something that is not of this format.
fn is_complete(connection: &Connection, place: &str) -> Result<bool> {
    let refuse = |what: String| Err(foreign(place, what));
    let pragma = |name: &str| -> Result<Value> {
        let value = connection.pragma_query_value(None, name, |row| row.get(0));
        value.map_err(failed("open a store at", place))
    };
    for (name, meaning) in [
        ("user_version", "a newer or foreign format"),
        ("application_id", "another program's file"),
    ] {
        match pragma(name)? {
            Value::Integer(0) => {}
            Value::Integer(other) => return refuse(format!("its {name} is {other}: {meaning}")),
            other => return refuse(format!("its {name} is {other:?}")),
        }
    }
    match pragma("encoding")? {
        Value::Text(utf8) if utf8 == "UTF-8" => {}
        Value::Text(other) => {
            return refuse(format!("its text is in {other}, so names sort in another order"));
        }
        other => return refuse(format!("its encoding is {other:?}")),
    }

    let mut found = 0;
    for (kind, name) in objects(connection).map_err(failed("open a store at", place))? {
        match (kind.as_str(), name.as_str()) {
            ("table", "memory_fs_files") | ("index", "idx__memory_fs_files__path") => found += 1,
            // Statistics and the like, which SQLite keeps for itself.
            (_, own) if own.starts_with("sqlite_") => {}
            _ => return refuse(format!("it holds a {kind} {name:?}, which is not of this format")),
        }
    }
    let table =
        check_table(connection).map_err(failed::<rusqlite::Error>("open a store at", place));
    let index =
        check_index(connection).map_err(failed::<rusqlite::Error>("open a store at", place));
    match (table?, index?) {
        (Some(wrong), _) | (None, Some(wrong)) => refuse(wrong),
        (None, None) => Ok(found == 2),
    }
}

fn objects(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT type, name FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// What is wrong with the table, if it is there.
fn check_table(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let kind: Option<(bool, bool)> = connection
        .query_row(
            "SELECT wr, strict FROM pragma_table_list('memory_fs_files') WHERE schema = 'main'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some(kind) = kind else { return Ok(None) };
    let mut statement = connection.prepare(
        "SELECT name, upper(type), pk FROM pragma_table_xinfo('memory_fs_files') \
         WHERE \"notnull\" = 0 AND dflt_value IS NULL AND hidden = 0",
    )?;
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let columns: Vec<(String, String, i64)> = columns.collect::<rusqlite::Result<_>>()?;
    let total: i64 = connection.query_row(
        "SELECT count(*) FROM pragma_table_xinfo('memory_fs_files')",
        [],
        |row| row.get(0),
    )?;
    let columns = columns.iter().map(|(name, kind, key)| (name.as_str(), kind.as_str(), *key));
    let is_ours = kind == (false, false) && total == COLUMNS.len() as i64 && columns.eq(COLUMNS);
    Ok((!is_ours).then(|| "its table \"memory_fs_files\" has other columns".to_owned()))
}

/// What is wrong with the index, if it is there: listing needs the order of bytes.
fn check_index(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let kind: Option<(bool, bool)> = connection
        .query_row(
            "SELECT \"unique\", partial FROM pragma_index_list('memory_fs_files') \
             WHERE name = 'idx__memory_fs_files__path'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some(kind) = kind else { return Ok(None) };
    let mut statement = connection.prepare(
        "SELECT name, coll, \"desc\" FROM pragma_index_xinfo('idx__memory_fs_files__path') \
         WHERE key = 1",
    )?;
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let columns: Vec<(Option<String>, String, bool)> = columns.collect::<rusqlite::Result<_>>()?;
    let is_ours = kind == (false, false)
        && matches!(&columns[..], [(Some(name), collation, false)]
            if name == "path" && collation == "BINARY");
    Ok((!is_ours).then(|| "its index on \"path\" is another one".to_owned()))
}
