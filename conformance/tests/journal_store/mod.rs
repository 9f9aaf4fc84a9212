//! A small durable store as a stranger might write it: one file to which every batch is appended,
//! shared between processes by a lock. With a place for the bugs that need a medium.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use larder::key::{Key, Namespace};
use larder::storage::blocking::BlockingStorage;
use larder::storage::{
    Batch, Change, Cursor, Depth, Entry, Error, Expect, List, Object, Page, Promises, Result, Stat,
};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// Acknowledges before writing, and writes three batches at a time.
    WritesLater,
    /// Writes a batch change by change.
    ChangeByChange,
    /// A lock file that a dead process leaves behind.
    StaleLock,
    /// No lock between processes.
    NoLock,
    /// Numbers versions anew when opened.
    VersionsAnew,
    /// Takes the end of the file for cut and drops the last batch when opened.
    DropsLast,
    /// Writes to the file what belongs into memory only: deletions are forgotten.
    ForgetsDeletes,
    /// Says less than it keeps.
    ClaimsNotDurable,
    /// Says less than it keeps.
    ClaimsNotShared,
    /// Starts a new file when opened.
    StartsAnew,
    /// Keeps the path of its directory in its file.
    KnowsItsPlace,
    /// Keeps names in lower case in the file.
    FoldsInFile,
    /// Removes the file for a moment while opening.
    RewritesOnOpen,
    /// Does not look at what other processes wrote until it writes itself.
    SeesOwnOnly,
    /// Goes on counting versions from the highest that is in use when it is opened.
    CountsInUse,
    /// Writes on behind what a crash left of a record.
    KeepsTail,
    /// Does not compare what it reads with its sum.
    NoSum,
}

pub(crate) struct Journal {
    flaw: Flaw,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    read_to: u64,
    count: u64,
    objects: BTreeMap<Key, (Bytes, u64)>,
    waiting: Vec<Vec<u8>>,
}

fn other(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            Error::Corrupt { backend: "journal", at: "a record".into(), source: error.into() }
        }
        _ => Error::Other { backend: "journal", source: error.into() },
    }
}

/// FNV-1a, in four bytes.
fn sum(bytes: &[u8]) -> [u8; 4] {
    let add = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, add).to_be_bytes()
}

/// Overwrites part of what the file holds for a key.
pub(crate) fn damage(home: &Path, key: &Key) {
    let path = home.join("journal");
    let mut bytes = std::fs::read(&path).expect("failed to read the journal");
    let name = key.as_str().as_bytes();
    let at = bytes.windows(name.len()).rposition(|window| window == name);
    let value = at.expect("the key is in the journal") + name.len() + 100;
    bytes[value..value + 10].fill(b'?');
    std::fs::write(path, bytes).expect("failed to write the journal");
}

impl Journal {
    pub(crate) fn open(home: &Path, flaw: Flaw) -> io::Result<Self> {
        let path = home.join("journal");
        if flaw == Flaw::StaleLock && !path.with_extension("lock").exists() {
            File::create_new(path.with_extension("lock"))?;
        } else if flaw == Flaw::StaleLock {
            let owner = std::fs::read_to_string(path.with_extension("lock"))?;
            if owner != std::process::id().to_string() && !owner.is_empty() {
                return Err(io::Error::other("locked by another process"));
            }
        }
        if flaw == Flaw::StaleLock {
            std::fs::write(path.with_extension("lock"), std::process::id().to_string())?;
        }
        if flaw == Flaw::StartsAnew {
            let _ = std::fs::remove_file(&path);
        }
        if flaw == Flaw::RewritesOnOpen {
            let kept = std::fs::read(&path).unwrap_or_default();
            std::fs::write(&path, b"")?;
            std::thread::sleep(std::time::Duration::from_millis(8));
            std::fs::write(&path, kept)?;
        }
        if flaw == Flaw::KnowsItsPlace {
            let at = home.join("place");
            let here = home.to_string_lossy().into_owned();
            if std::fs::read_to_string(&at).is_ok_and(|there| there != here) {
                return Err(io::Error::other("this is not where the store was made"));
            }
            std::fs::write(at, here)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let journal = Self {
            flaw,
            inner: Mutex::new(Inner {
                file,
                read_to: 0,
                count: 0,
                objects: BTreeMap::new(),
                waiting: Vec::new(),
            }),
        };
        if flaw == Flaw::CountsInUse {
            let mut inner = journal.lock();
            inner.catch_up(flaw)?;
            inner.count = inner.objects.values().map(|(_, version)| *version).max().unwrap_or(0);
        }
        if flaw == Flaw::DropsLast {
            let mut inner = journal.lock();
            inner.file.lock()?;
            let len = inner.file.metadata()?.len();
            inner.catch_up(Flaw::None)?;
            if len > 400 {
                inner.file.set_len(len - 1)?;
            }
            inner.file.unlock()?;
            inner.read_to = 0;
            inner.count = 0;
            inner.objects.clear();
        }
        Ok(journal)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the store as it is now, with all other processes waiting.
    fn with<T>(&self, call: impl FnOnce(&mut Inner) -> Result<T>) -> Result<T> {
        let mut inner = self.lock();
        if self.flaw != Flaw::NoLock {
            inner.file.lock().map_err(other)?;
        }
        let answer = inner.catch_up(self.flaw).map_err(other).and_then(|()| call(&mut inner));
        if self.flaw != Flaw::NoLock {
            inner.file.unlock().map_err(other)?;
        }
        answer
    }
}

impl Inner {
    /// Reads what others wrote; a last record that was cut by a crash is cut off.
    fn catch_up(&mut self, flaw: Flaw) -> io::Result<()> {
        if flaw == Flaw::NoLock {
            std::thread::yield_now();
        }
        let len = self.file.metadata()?.len();
        if len <= self.read_to {
            return Ok(());
        }
        let mut news = Vec::new();
        self.file.seek(SeekFrom::Start(self.read_to))?;
        (&self.file).take(len - self.read_to).read_to_end(&mut news)?;
        let mut rest = &news[..];
        let cut = io::ErrorKind::InvalidData;
        while let Some((record, behind)) =
            take(rest).filter(|(record, _)| record.last() == Some(&b'.'))
        {
            let (record, kept) = record[..record.len() - 1].split_last_chunk::<4>().ok_or(cut)?;
            if flaw != Flaw::NoSum && sum(record) != *kept {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong sum"));
            }
            self.replay(record, flaw);
            self.read_to += (rest.len() - behind.len()) as u64;
            rest = behind;
        }
        if !rest.is_empty() && flaw != Flaw::NoLock && flaw != Flaw::KeepsTail {
            self.file.set_len(self.read_to)?;
        }
        Ok(())
    }

    fn replay(&mut self, mut record: &[u8], flaw: Flaw) {
        while let Some((key, rest)) = take(record) {
            let Some((value, rest)) = take(rest) else { return };
            record = rest;
            let key = String::from_utf8_lossy(key);
            let key = if flaw == Flaw::FoldsInFile { key.to_lowercase() } else { key.into_owned() };
            let Some(key) = Key::parse_physical(&key) else { continue };
            self.count += 1;
            match value.split_first() {
                Some((b'+', value)) => {
                    let salt =
                        if flaw == Flaw::VersionsAnew { u64::from(std::process::id()) } else { 0 };
                    self.objects.insert(key, (Bytes::copy_from_slice(value), self.count + salt));
                }
                _ => drop(self.objects.remove(&key)),
            }
        }
    }
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

fn push(record: &mut Vec<u8>, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    record.extend_from_slice(&(len as u32).to_be_bytes());
    parts.iter().for_each(|part| record.extend_from_slice(part));
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

impl BlockingStorage for Journal {
    fn promises(&self) -> Promises {
        Promises {
            atomic_batches: true,
            survives_restart: self.flaw != Flaw::ClaimsNotDurable,
            shared_between_processes: self.flaw != Flaw::ClaimsNotShared,
        }
    }

    fn get(&self, key: &Key) -> Result<Option<Object>> {
        let look = |inner: &mut Inner| {
            let found = inner.objects.get(key).cloned();
            Ok(found
                .map(|(bytes, version)| Object { bytes: bytes.into(), version: version.into() }))
        };
        if self.flaw == Flaw::SeesOwnOnly && self.lock().count > 0 {
            return look(&mut self.lock());
        }
        self.with(look)
    }

    fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let object = self.get(key)?;
        Ok(object.map(|object| Stat {
            size: (object.bytes.len() as u64).into(),
            version: object.version,
        }))
    }

    fn apply(&self, batch: Batch) -> Result<()> {
        self.with(|inner| {
            let mut overlay: BTreeMap<&Key, bool> = BTreeMap::new();
            for change in batch.steps().iter().flatten() {
                let key = change.key();
                let there = overlay.get(key).copied();
                let holds = match change.expect() {
                    Expect::Any => true,
                    Expect::Absent => !there.unwrap_or_else(|| inner.objects.contains_key(key)),
                    Expect::At(version) => {
                        let now = inner.objects.get(key).map(|(_, version)| (*version).into());
                        there.is_none() && now.as_ref() == Some(version)
                    }
                };
                if !holds {
                    return Err(Error::Conflict { key: key.clone() });
                }
                overlay.insert(key, matches!(change, Change::Put { .. }));
            }
            if self.flaw == Flaw::NoLock {
                std::thread::sleep(std::time::Duration::from_micros(150));
            }
            let mut records = vec![Vec::new()];
            for change in batch.steps().iter().flatten() {
                if self.flaw == Flaw::ChangeByChange {
                    records.push(Vec::new());
                }
                let Some(record) = records.last_mut() else { continue };
                push(record, &[change.key().as_str().as_bytes()]);
                match change {
                    Change::Put { bytes, .. } => push(record, &[b"+", bytes]),
                    Change::Delete { .. } => push(record, &[b"-"]),
                }
            }
            if self.flaw == Flaw::ForgetsDeletes {
                let deletes = batch
                    .steps()
                    .iter()
                    .flatten()
                    .all(|change| matches!(change, Change::Delete { .. }));
                if deletes {
                    for change in batch.steps().iter().flatten() {
                        inner.objects.remove(change.key());
                    }
                    return Ok(());
                }
            }
            for record in records.into_iter().filter(|record| !record.is_empty()) {
                let mut framed = Vec::new();
                push(&mut framed, &[&record, &sum(&record), b"."]);
                if self.flaw == Flaw::WritesLater {
                    inner.waiting.push(framed);
                    inner.replay(&record, self.flaw);
                    if inner.waiting.len() == 3 {
                        let waiting = std::mem::take(&mut inner.waiting).concat();
                        inner.file.write_all(&waiting).map_err(other)?;
                        inner.read_to += waiting.len() as u64;
                    }
                    continue;
                }
                inner.file.write_all(&framed).map_err(other)?;
                if self.flaw == Flaw::ChangeByChange {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
            }
            if self.flaw == Flaw::WritesLater {
                Ok(())
            } else {
                inner.catch_up(self.flaw).map_err(other)
            }
        })
    }

    fn list(&self, query: List) -> Result<Page> {
        self.with(|inner| {
            let mut page = Page::default();
            let mut last = None;
            for (key, (value, _)) in &inner.objects {
                let passed = |cursor: &Option<Cursor>| {
                    cursor.as_ref().is_some_and(|cursor| cursor.passed(key))
                };
                if !query.prefix.contains(key) || passed(&query.after) || passed(&last) {
                    continue;
                }
                if page.entries.len() + page.folders.len() == query.limit.get() {
                    page.next = last;
                    break;
                }
                let folder = match query.depth {
                    Depth::All => None,
                    Depth::Children => query.prefix.child_towards(key),
                };
                last = Some(match folder {
                    Some(folder) => {
                        page.folders.push(folder.clone());
                        Cursor::Folder(folder)
                    }
                    None => {
                        page.entries.push(Entry { key: key.clone(), size: value.len() as u64 });
                        Cursor::Key(key.clone())
                    }
                });
            }
            Ok(page)
        })
    }

    fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.with(|inner| {
            let firsts = inner.objects.keys().filter_map(|key| key.as_str().split('/').next());
            let mut found: Vec<_> = firsts.filter_map(Namespace::parse).collect();
            found.sort();
            found.dedup();
            Ok(found)
        })
    }
}
