//! Carrying out a group of batches in one transaction.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use super::fail::{BACKEND, again, failed};
use super::read::{current_version, is_there};
use super::transaction::Transaction;
use crate::key::Key;
use crate::storage::{Batch, Change, Error, Expect, Result, Version};

/// From this many bytes of values on, the log is emptied before a group. Should the disk turn out to
/// be too small, nothing in the log is needed, and all it has grown to can be given back.
const LARGE: u64 = 4 << 20;

/// Carries out a group, and gives an answer for each batch.
pub(super) fn carry_out(connection: &mut Connection, group: &[Batch]) -> Vec<Result<()>> {
    if group.iter().map(Batch::weight).sum::<u64>() >= LARGE {
        // Best effort: it only matters if the disk is full.
        let _ = empty_log(connection);
    }
    match attempt(connection, group) {
        Ok(answers) => answers,
        Err(Stopped::Before(error)) => {
            let others = group.iter().skip(1).map(|_| Err(again(&error)));
            let others: Vec<_> = others.collect();
            std::iter::once(Err(error)).chain(others).collect()
        }
        // One of them is too much for the store, or meets a fault: the others shall not suffer.
        Err(Stopped::Within(_)) if group.len() > 1 => {
            group.iter().map(|batch| alone(connection, batch)).collect()
        }
        Err(Stopped::Within(error)) => match group {
            [batch] => vec![after(connection, batch, error)],
            _ => vec![Err(error)],
        },
    }
}

fn alone(connection: &mut Connection, batch: &Batch) -> Result<()> {
    match once(connection, batch) {
        Ok(()) => Ok(()),
        Err(error) => after(connection, batch, error),
    }
}

fn once(connection: &mut Connection, batch: &Batch) -> Result<()> {
    match attempt(connection, std::slice::from_ref(batch)) {
        Ok(answers) => answers.into_iter().collect(),
        Err(Stopped::Before(error) | Stopped::Within(error)) => Err(error),
    }
}

/// What becomes of a batch that failed by itself. A full disk may have room once the log, which holds
/// pages twice, has been moved into the database and cut.
fn after(connection: &mut Connection, batch: &Batch, error: Error) -> Result<()> {
    if !matches!(error, Error::Full { needed: 0, .. }) {
        return Err(error);
    }
    // The error to tell is that of the batch.
    let _ = empty_log(connection);
    once(connection, batch).map_err(|error| match error {
        Error::Full { needed: 0, .. } => Error::Full { backend: BACKEND, needed: batch.weight() },
        other => other,
    })
}

/// Moves everything from the log into the database and cuts the log, as far as readers let it.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Why a group was given up, with nothing of it left.
enum Stopped {
    /// It could not be begun, so smaller groups cannot either.
    Before(Error),
    /// While writing.
    Within(Error),
}

fn attempt(connection: &mut Connection, group: &[Batch]) -> Result<Vec<Result<()>>, Stopped> {
    let transaction = Transaction::to_write(connection)
        .map_err(|error| Stopped::Before(failed("begin to write to", "the database")(error)))?;
    let mut answers = Vec::with_capacity(group.len());
    for batch in group {
        // Nothing of a batch is written before all of it is known to hold, so a batch that is
        // refused leaves nothing that would have to be taken back from under the others.
        answers.push(match check(&transaction, batch) {
            Ok(()) => write(&transaction, batch).map_err(Stopped::Within).map(Ok)?,
            Err(Error::Conflict { key }) => Err(Error::Conflict { key }),
            Err(error) => return Err(Stopped::Within(error)),
        });
    }
    let done = transaction.commit();
    done.map_err(|error| Stopped::Within(failed("commit to", "the database")(error)))?;
    Ok(answers)
}

/// Checks every expectation against what its step will find.
fn check(connection: &Connection, batch: &Batch) -> Result<()> {
    for (index, step) in batch.steps().iter().enumerate() {
        for change in step {
            if *change.expect() == Expect::Any {
                continue;
            }
            let key = change.key();
            let earlier = batch.steps()[..index]
                .iter()
                .rev()
                .find_map(|step| step.iter().find(|other| other.key() == key));
            let holds = match (change.expect(), earlier) {
                (Expect::Any, _) | (Expect::Absent, Some(Change::Delete { .. })) => true,
                (Expect::Absent, None) => !is_there(connection, key)?,
                (Expect::At(expected), None) => {
                    current_version(connection, key)?.as_ref() == Some(expected)
                }
                (Expect::At(expected), Some(Change::Put { bytes, .. })) => {
                    Version::of_value(bytes.bytes().clone()) == *expected
                }
                (Expect::Absent, Some(Change::Put { .. }))
                | (Expect::At(_), Some(Change::Delete { .. })) => false,
            };
            if !holds {
                return Err(Error::Conflict { key: key.clone() });
            }
        }
    }
    Ok(())
}

fn write(connection: &Connection, batch: &Batch) -> Result<()> {
    let now = now_ms();
    for change in batch.steps().iter().flatten() {
        let key = change.key();
        let done = match change {
            Change::Put { bytes, .. } => put(connection, key, bytes, now),
            Change::Delete { .. } => delete(connection, key),
        };
        done.map_err(failed("write", key.as_str()))?;
    }
    Ok(())
}

/// Milliseconds since 1970, as the Python service counts. Not by SQLite's own functions, which would read a
/// date twice for each value.
#[expect(clippy::disallowed_methods, reason = "no behaviour depends on the times in rows")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn put(connection: &Connection, key: &Key, bytes: &[u8], now: i64) -> rusqlite::Result<()> {
    let update = "UPDATE memory_fs_files INDEXED BY idx__memory_fs_files__path \
         SET data = ?2, updated_at = ?3 WHERE path = ?1";
    let updated = connection.prepare_cached(update)?.execute(params![key.as_str(), bytes, now])?;
    match updated {
        0 => {
            let insert = "INSERT INTO memory_fs_files (path, data, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, ?3)";
            connection.prepare_cached(insert)?.execute(params![key.as_str(), bytes, now])?;
        }
        1 => {}
        // Rows that someone else doubled. The Python service cannot read such a file.
        _ => {
            let others = "DELETE FROM memory_fs_files WHERE path = ?1 \
                 AND id < (SELECT max(id) FROM memory_fs_files WHERE path = ?1)";
            connection.prepare_cached(others)?.execute([key.as_str()])?;
        }
    }
    Ok(())
}

fn delete(connection: &Connection, key: &Key) -> rusqlite::Result<()> {
    let delete =
        "DELETE FROM memory_fs_files INDEXED BY idx__memory_fs_files__path WHERE path = ?1";
    connection.prepare_cached(delete)?.execute([key.as_str()]).map(|_| ())
}
