//! Writing the journal: one open part, to which records are appended.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::archive::Fingerprint;
use super::paths::{Paths, remove};
use super::record::{Check, Draft, HEADER_BYTES, Header, Salt};
use super::{failed, unavailable};
use crate::storage::{Error, Result};

/// The journal. Whoever holds it is the one who writes.
#[derive(Debug)]
pub(super) struct Journal {
    paths: Paths,
    current: Option<Part>,
    /// Parts before the current one whose records are not in the archive yet, and their length.
    closed: Vec<u64>,
    closed_bytes: u64,
    /// The highest number of a part so far.
    last: u64,
    /// Whether everything written so far is on disk.
    settled: bool,
    /// Whether the names of all parts are on disk.
    named: bool,
    /// Why nothing can be written any more.
    lost: Option<String>,
}

/// A part of the journal that is written to.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) file: Arc<File>,
    pub(super) salt: Salt,
    /// The check of the last record.
    pub(super) check: Check,
    /// The length as far as it counts.
    pub(super) bytes: u64,
    /// Whether there are batches in it.
    pub(super) used: bool,
    /// What could not be cut off behind that length.
    pub(super) ragged: bool,
}

/// Where a record was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) number: u64,
    pub(super) file: Arc<File>,
    pub(super) at: u64,
}

impl Journal {
    /// The journal as it was found: closed parts with their length, and the one to go on with.
    pub(super) fn new(
        paths: Paths,
        closed: Vec<u64>,
        closed_bytes: u64,
        current: Option<Part>,
        last: u64,
    ) -> Self {
        Self {
            paths,
            current,
            closed,
            closed_bytes,
            last,
            settled: false,
            named: false,
            lost: None,
        }
    }

    /// Whether there are no batches in it.
    pub(super) fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.current.as_ref().is_none_or(|part| !part.used)
    }

    /// The bytes of all parts.
    pub(super) fn bytes(&self) -> u64 {
        self.closed_bytes + self.current.as_ref().map_or(0, |part| part.bytes)
    }

    /// Refuses all writes from now on, for this reason.
    pub(super) fn give_up(&mut self, why: Error) -> Error {
        if let Error::Unavailable { source, .. } = &why {
            self.lost = Some(source.to_string());
        }
        why
    }

    /// Appends a record, and brings it to disk if `sync` says so. If it fails, nothing of it is left.
    pub(super) fn append(
        &mut self,
        draft: Draft,
        base: &Fingerprint,
        sync: bool,
        used: bool,
    ) -> Result<Written> {
        if let Some(why) = &self.lost {
            return Err(unavailable(why.clone()));
        }
        if self.current.is_none() {
            let previous = self.closed.last().copied().unwrap_or(0);
            self.current = Some(self.begin(base, previous, sync)?);
        }
        let (settled, named) = (self.settled, self.named);
        let Some(part) = &mut self.current else { return Err(unavailable("no journal")) };
        let path = self.paths.segment(part.number);
        if part.ragged {
            part.cut(true).map_err(failed("cut", &path))?;
        }
        if sync && !named {
            self.paths.sync().map_err(failed("sync", &path))?;
            self.named = true;
        }
        let (bytes, check) = draft.seal(&part.salt, part.check, settled);
        let written = part
            .file
            .write_all_at(&bytes, part.bytes)
            .and_then(|()| if sync { part.file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // The error to tell is the first one; what cannot be cut off now is cut off before the
            // next record, and nothing is written until that is done.
            part.ragged = part.cut(sync).is_err();
            return Err(failed("write", &path)(error));
        }
        let written = Written { number: part.number, file: Arc::clone(&part.file), at: part.bytes };
        part.bytes += bytes.len() as u64;
        part.check = check;
        part.used |= used;
        self.settled = sync;
        Ok(written)
    }

    /// Closes the current part, if there is one, and begins another. Returns the number from which on
    /// parts hold what is written after this call.
    pub(super) fn rotate(&mut self, base: &Fingerprint, sync: bool) -> Result<u64> {
        let Some(current) = &self.current else { return Ok(self.last + 1) };
        if let Some(why) = &self.lost {
            return Err(unavailable(why.clone()));
        }
        let path = self.paths.segment(current.number);
        // A closed part is never cut: what is behind its records is damage.
        if current.ragged {
            current.cut(sync).map_err(failed("cut", &path))?;
        }
        if sync {
            current.file.sync_data().map_err(failed("sync", &path))?;
        }
        let next = self.begin(base, current.number, sync)?;
        let cut = next.number;
        if let Some(closed) = self.current.replace(next) {
            self.closed.push(closed.number);
            self.closed_bytes += closed.bytes;
        }
        Ok(cut)
    }

    /// The number of the part that is written to.
    pub(super) fn current(&self) -> Option<u64> {
        self.current.as_ref().map(|part| part.number)
    }

    /// Removes the parts whose records are all in the archive, and the current one if it has none.
    pub(super) fn forget(&mut self, up_to: u64, sync: bool) -> io::Result<()> {
        while let Some(first) = self.closed.first().copied().filter(|first| *first < up_to) {
            remove(&self.paths.segment(first))?;
            self.closed.remove(0);
        }
        self.closed_bytes = 0;
        if !self.closed.is_empty() {
            return Ok(());
        }
        if let Some(part) = self.current.take_if(|part| !part.used) {
            // It says that the parts before it are in the archive, so they must be gone first.
            let path = self.paths.segment(part.number);
            let gone = if sync { self.paths.sync() } else { Ok(()) }.and_then(|()| remove(&path));
            if let Err(error) = gone {
                self.current = Some(part);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes a new part.
    fn begin(&mut self, base: &Fingerprint, previous: u64, sync: bool) -> Result<Part> {
        let number = self.last + 1;
        let path = self.paths.segment(number);
        let header = Header { base: *base, previous, salt: salt() };
        let (bytes, check) = header.encode();
        let make = || {
            let file =
                File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
            file.write_all_at(&bytes, 0)?;
            if sync {
                file.sync_all()?;
                self.paths.sync()?;
            }
            io::Result::Ok(file)
        };
        let file = match make() {
            Ok(file) => Arc::new(file),
            Err(error) => {
                let _ = remove(&path);
                return Err(failed("begin a journal at", &path)(error));
            }
        };
        self.last = number;
        self.named = sync;
        let bytes = HEADER_BYTES as u64;
        Ok(Part { number, file, salt: header.salt, check, bytes, used: false, ragged: false })
    }
}

impl Part {
    /// Cuts off what is behind the last record.
    fn cut(&self, sync: bool) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        if sync { self.file.sync_all() } else { Ok(()) }
    }
}

#[expect(clippy::disallowed_methods, reason = "random bytes, which no plan ever sees")]
fn salt() -> Salt {
    uuid::Uuid::new_v4().into_bytes()
}
