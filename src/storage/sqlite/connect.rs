//! Connections: how they are opened, how long they wait for others, and a few of them for reading.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::fail::{failed, foreign};
use super::schema;
use crate::storage::{Durability, Result};

/// How long a write waits for another process, or opening for another handle, before it gives up.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most connections for reading. Reads are short, and more than a few threads do not run at once.
const READERS: usize = 8;
/// How many statements each connection keeps prepared: all there are.
const STATEMENTS: usize = 32;
/// After how many pages in the log they are moved into the database: 16 MiB. Later than SQLite would,
/// since the same pages are written again and again, and each is moved once.
const CHECKPOINT_PAGES: u32 = 4096;

/// The connection that writes to a file. Makes the file, its table and its index if they are missing.
pub(super) fn writer(path: &Path, durability: Durability) -> Result<Connection> {
    let place = path.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    // SQLite takes a file of one byte for an empty one, and would write over it.
    if path.metadata().is_ok_and(|file| file.len() == 1) {
        return Err(foreign(place, "file is not a database"));
    }
    let mut connection = open(path, flags).map_err(failed("open a store at", &place))?;
    if connection.is_readonly(MAIN_DB).map_err(failed("open a store at", &place))? {
        return Err(foreign(place, "the file may not be written to"));
    }
    schema::prepare(&mut connection, &place)?;
    settle(&connection, durability).map_err(failed("open a store at", &place))?;
    // A file system without shared memory keeps the mode it had.
    match journal_mode(&connection).map_err(failed("open a store at", &place))?.as_str() {
        "wal" => Ok(connection),
        mode => Err(foreign(place, format!("it cannot be written ahead, its journal is {mode:?}"))),
    }
}

/// A database in memory, for writing and reading.
pub(super) fn in_memory() -> Result<Connection> {
    let place = ":memory:";
    let trouble = || failed("open a store at", place);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open(Path::new(place), flags).map_err(trouble())?;
    schema::prepare(&mut connection, place)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // A connection is used by one thread at a time, which Rust sees to.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let mut connection = connection?;
    let mut since = Instant::now();
    connection.busy_handler(Some(move |turn: i32| {
        if turn == 0 {
            since = Instant::now();
        }
        pause(turn.unsigned_abs());
        since.elapsed() < PATIENCE
    }))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else SQLite plans a statement anew for each value it is bound to, if it may think the plan could
    // depend on it: for reads by path always, at three times the price of the read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Others hold the lock for the time of a transaction, so shorter than SQLite would wait by itself.
fn pause(turn: u32) {
    thread::sleep(Duration::from_micros(50 << turn.min(6)));
}

fn settle(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    // SQLite does not wait by itself when others are about to change the mode as well.
    let since = Instant::now();
    let mut turn = 0;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && since.elapsed() < PATIENCE =>
            {
                pause(turn);
                turn += 1;
            }
            answer => break answer?,
        }
    }
    let synchronous = match durability {
        Durability::Full => "full",
        Durability::Relaxed => "normal",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // On macOS an ordinary sync does not reach the disk; elsewhere these say nothing.
    connection.pragma_update(None, "fullfsync", durability == Durability::Full)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

fn journal_mode(connection: &Connection) -> rusqlite::Result<String> {
    connection.pragma_query_value(None, "journal_mode", |row| row.get(0))
}

/// Connections that only read, opened when first needed and kept.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    back: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
    /// Readers that wait for one: waking calls the system, whether or not somebody waits.
    waiting: usize,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, pool: Mutex::default(), back: Condvar::new() }
    }

    /// Reads on a connection of its own, as soon as there is one.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut pool = self.pool();
        let idle = loop {
            match pool.idle.pop() {
                None if pool.open >= READERS => {
                    pool.waiting += 1;
                    pool = self.back.wait(pool).unwrap_or_else(PoisonError::into_inner);
                    pool.waiting -= 1;
                }
                idle => break idle,
            }
        };
        let mut lent = Lent { readers: self, connection: idle };
        if lent.connection.is_none() {
            pool.open += 1;
        }
        drop(pool);
        let connection = match &mut lent.connection {
            Some(connection) => connection,
            none => none.insert(self.open()?),
        };
        read(connection)
    }

    fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        open(&self.path, flags).map_err(failed("read", self.path.display().to_string()))
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // A panic cannot leave it half changed.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back when dropped; nothing, when it could not be opened.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        match self.connection.take() {
            Some(connection) => pool.idle.push(connection),
            None => pool.open -= 1,
        }
        let wake = pool.waiting > 0;
        drop(pool);
        if wake {
            self.readers.back.notify_one();
        }
    }
}
