//! The archive: opened, locked, and its directory read.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::index::{ARCHIVE, Index, Place, Slot};
use super::{corrupt, failed, unavailable};
use crate::key::Key;
use crate::storage::{Error, Result};
use crate::zipfile::{EndRecord, LOCAL_BYTES, LONGEST_TAIL_BYTES, Malformed, Member};

/// What a journal calls the archive that it continues: a hash of the directory and its place.
pub(super) type Fingerprint = [u8; 32];

/// An archive that is open and locked.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) file: Arc<File>,
    /// Its length.
    pub(super) bytes: u64,
    /// Where the directory is, from and to; data is before it.
    pub(super) directory: (u64, u64),
    /// To be added to every offset that the directory says.
    pub(super) shift: i128,
    pub(super) comment: Vec<u8>,
    pub(super) fingerprint: Fingerprint,
    /// The file as it was when this process opened or wrote it.
    seen: Seen,
}

/// What tells a file from another, and from what it was before someone else wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Seen {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// Opens a file for this process alone; makes it if it is missing.
pub(super) fn lock(path: &Path) -> Result<File> {
    loop {
        match path.metadata() {
            Ok(found) if !found.is_file() => {
                return Err(failed("open an archive at", path)(io::Error::other("it is no file")));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("open", path)(error));
            }
            _ => {}
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed("open", path))?;
        take(&file, path)?;
        // Whoever held the lock until now may have replaced the file in between.
        if stands_at(&file, path).map_err(failed("open", path))? {
            return Ok(file);
        }
    }
}

/// Takes the lock on an open file; fails if someone has it.
pub(super) fn take(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(unavailable(format!(
            "{} is in use by another process; one process at a time can use a ZIP archive as its store",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed("lock", path)(error)),
    }
}

fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match path.metadata() {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Archive {
    /// Reads an archive, and refuses what is none.
    pub(super) fn read(file: File, path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let bytes = file.metadata().map_err(failed("read", path))?.len();
        let mut tail =
            vec![0; usize::try_from(bytes).unwrap_or(usize::MAX).min(LONGEST_TAIL_BYTES)];
        let skipped = bytes - tail.len() as u64;
        file.read_exact_at(&mut tail, skipped).map_err(failed("read", path))?;
        let (directory, shift, comment) = if bytes == 0 {
            ((0, 0), 0, Vec::new())
        } else {
            let refused = |why: Malformed| corrupt(place.clone(), why);
            let end = EndRecord::find(&tail, skipped).map_err(refused)?;
            let start = end.directory_start().map_err(refused)?;
            let shift = end.shift().map_err(refused)?;
            ((start, end.directory_end), shift, end.comment.to_vec())
        };
        let found = file.metadata().map_err(failed("read", path))?;
        let mut archive = Self {
            file: Arc::new(file),
            bytes,
            directory,
            shift,
            comment,
            fingerprint: [0; 32],
            seen: Seen::of(&found),
        };
        let directory = archive.read_directory().map_err(failed("read", path))?;
        archive.fingerprint = fingerprint(&directory, archive.directory.0);
        Ok(archive)
    }

    /// The directory.
    pub(super) fn read_directory(&self) -> io::Result<Vec<u8>> {
        let length = self.directory.1 - self.directory.0;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut directory = vec![0; length];
        self.file.read_exact_at(&mut directory, self.directory.0)?;
        Ok(directory)
    }

    /// The members, as the directory describes them, in its order. Refuses those that are not where the
    /// directory says, or share bytes.
    pub(super) fn members<'d>(&self, directory: &'d [u8]) -> Result<Vec<Member<'d>>, BadDirectory> {
        let mut members = Vec::new();
        let mut rest = directory;
        while !rest.is_empty() {
            let (member, behind) = Member::read(rest, self.shift)?;
            members.push(member);
            rest = behind;
        }
        let mut spans = Vec::with_capacity(members.len());
        for member in &members {
            let data = (LOCAL_BYTES + member.stored_name.len()) as i128;
            let end = member.header + data + i128::from(member.packed_size);
            if member.header < 0 || end > i128::from(self.directory.0) {
                return Err(BadDirectory::Outside(member.name.to_string()));
            }
            spans.push((member.header, end));
        }
        spans.sort_unstable();
        if spans.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return Err(BadDirectory::Overlap);
        }
        Ok(members)
    }

    /// The names that are keys.
    pub(super) fn index(self, path: &Path) -> Result<Index> {
        let archive = Arc::new(self);
        let directory = archive.read_directory().map_err(failed("read", path))?;
        let members = archive.members(&directory);
        let members = members.map_err(|why| corrupt(path.display().to_string(), why))?;
        let mut index = Index::new(Arc::clone(&archive));
        for member in members {
            let Some(key) = Key::parse_physical(&member.name) else { continue };
            let header = header_of(&member);
            let slot = Slot {
                place: Place { file: ARCHIVE, header },
                packed_size: member.packed_size,
                size: member.size,
                crc: member.crc,
                method: member.method,
                hash: OnceLock::new(),
            };
            index.put(key, slot);
        }
        Ok(index)
    }

    /// Whether the file at `path` is still this one, as this process left it.
    pub(super) fn check_untouched(&self, path: &Path) -> Result<(), Error> {
        let found = match path.metadata() {
            Ok(found) => Some(Seen::of(&found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("look at", path)(error)),
        };
        if found == Some(self.seen) {
            return Ok(());
        }
        let what = if found.is_some() { "changed" } else { "removed" };
        Err(unavailable(format!(
            "{} was {what} by another program while this one used it; it is left as it is, and what \
             was stored since is kept in the files beside it",
            path.display()
        )))
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another thread is just about to start may hold
        // it, and the lock with it, for a moment longer.
        let _ = self.file.unlock();
    }
}

/// Where a member's header starts; [`Archive::members`] has checked that it is in the file.
pub(super) fn header_of(member: &Member<'_>) -> u64 {
    u64::try_from(member.header).unwrap_or(u64::MAX)
}

/// The hash that names an archive. A missing, an empty and a memberless archive are the same.
pub(super) fn fingerprint(directory: &[u8], start: u64) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(start.to_le_bytes());
    hash.update(directory);
    hash.finalize().into()
}

/// Why a directory is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadDirectory {
    /// A record of it cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It points to somewhere else.
    #[error("member {0:?} is outside of the archive")]
    Outside(String),
    /// It points to the same bytes twice.
    #[error("members of the archive overlap")]
    Overlap,
}
