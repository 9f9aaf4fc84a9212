//! Transactions whose statements are prepared once: the library's own prepare theirs each time, which
//! takes a tenth of a short read.

use std::ops::Deref;

use rusqlite::Connection;

/// A transaction of a connection, rolled back when it is dropped before it is committed.
pub(super) struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    /// One that reads, as of the moment of its first statement.
    pub(super) fn to_read(connection: &'c Connection) -> rusqlite::Result<Self> {
        Self::begin(connection, "BEGIN DEFERRED")
    }

    /// One that writes, and holds the write lock from now on.
    pub(super) fn to_write(connection: &'c mut Connection) -> rusqlite::Result<Self> {
        Self::begin(connection, "BEGIN IMMEDIATE")
    }

    fn begin(connection: &'c Connection, sql: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(sql)?.execute([])?;
        Ok(Self(connection))
    }

    /// Commits it. When that fails, nothing of it is left.
    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // A commit ended it, and so may an error have.
        if !self.0.is_autocommit() {
            // Should this fail as well, the next one cannot begin, and says so.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}
