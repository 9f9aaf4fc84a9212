//! The tree of files: finding the value of a key, making folders, and keeping a value and a folder
//! of the same name side by side. The encoding is told in the module above.
//!
//! Every path is walked name by name from the open root, and no name is followed if it is a link, so
//! nothing outside the root is ever touched, whatever others do to the tree meanwhile.
//!
//! Readers take no locks. What they must not fall for is a value that moves between `a/b` and
//! `a/b/VALUE`: [`Tree::value_at`] says how.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::fail::{failed, foreign, root_gone};
use super::names::names;
use crate::storage::Result;
use crate::storage::durability::{self, Durability};

/// Where the value of a key lies that is also a folder: in the folder, under a name with a control
/// character, which no key can have in it.
pub(super) const VALUE: &str = "\u{1f}value";

/// How many folders are remembered as safely on disk, at 16 bytes each.
const MAX_SYNCED: usize = 1 << 16;

/// The files below the root.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    pub(super) path: PathBuf,
    durability: Durability,
    /// Folders whose names in their parents are known to be on disk, as numbers of parent and folder.
    synced: Mutex<HashSet<(u64, u64)>>,
}

/// The file of a value, open for reading.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) file: File,
    /// Its length in bytes when it was opened.
    size: u64,
}

impl Value {
    /// All of it. (`File::read_to_end` asks for length and position once more: two more calls of the
    /// system, where a short value takes six.)
    pub(super) fn read(self) -> io::Result<Vec<u8>> {
        // One byte more than there should be, so that its end shows without making more room.
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0) + 1);
        loop {
            if bytes.len() == bytes.capacity() {
                bytes.reserve(bytes.len());
            }
            match rustix::io::read(&self.file, spare_capacity(&mut bytes)) {
                Ok(0) => return Ok(bytes),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A folder that was to be made, or the path of a value in its way.
pub(super) enum Made {
    Folder(OwnedFd),
    Clash(String),
}

/// Whether a folder was made just now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum New {
    Yes,
    No,
}

impl Tree {
    pub(super) fn new(root: OwnedFd, path: PathBuf, durability: Durability) -> Self {
        Self { root, path, durability, synced: Mutex::default() }
    }

    pub(super) fn syncs(&self) -> bool {
        self.durability == Durability::Full
    }

    /// Opens the value of a key, if it has one.
    pub(super) fn value(&self, key: &str) -> Result<Option<Value>> {
        if let Some(file) = self.quick(key, READ)
            && let Ok(stat) = rustix::fs::fstat(&file)
            && is_file(&stat)
        {
            return Ok(Some(Value { file, size: stat.st_size as u64 }));
        }
        let (parent, name) = split(key);
        match self.folder(parent)? {
            Some(folder) => self.value_at(folder.as_fd(), name, key),
            None => Ok(None),
        }
    }

    /// The quick way to what lies where one expects it: one call instead of one per name. Whatever
    /// it does not find is looked for the long way, which knows why.
    fn quick(&self, path: &str, flags: OFlags) -> Option<File> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{ResolveFlags, openat2};
            let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
            openat2(&self.root, path, flags, Mode::empty(), resolve).ok().map(File::from)
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Opens the value called `name` in a folder, be it a file or a folder with a value.
    ///
    /// A folder without a value may have lost it to [`Tree::fold`] a moment ago, which puts it back
    /// in place of the folder. So absence counts only if the folder is still the one in place; it
    /// cannot be in place again, since folders never return to the tree.
    fn value_at(&self, parent: BorrowedFd<'_>, name: &str, place: &str) -> Result<Option<Value>> {
        loop {
            let found = match rustix::fs::openat(parent, name, READ, Mode::empty()) {
                Ok(found) => File::from(found),
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP | Errno::NXIO) => return Err(foreign(place)),
                Err(error) => return Err(failed("read", place)(error)),
            };
            let stat = rustix::fs::fstat(&found).map_err(failed("read", place))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {
                    return Ok(Some(Value { file: found, size: stat.st_size as u64 }));
                }
                FileType::Directory => {}
                _ => return Err(foreign(place)),
            }
            match rustix::fs::openat(&found, VALUE, READ, Mode::empty()) {
                Ok(value) => {
                    let stat = rustix::fs::fstat(&value).map_err(failed("read", place))?;
                    return Ok(Some(Value { file: value.into(), size: stat.st_size as u64 }));
                }
                Err(Errno::NOENT) if self.moved(parent, name, &stat, place)? => {}
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(failed("read", place)(error)),
            }
        }
    }

    /// The size of the value called `name` in a folder; `None` also for what is no value.
    pub(super) fn size_at(
        &self,
        parent: BorrowedFd<'_>,
        name: &str,
        place: &str,
    ) -> Result<Option<u64>> {
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failed("list", place)(error)),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Some(stat.st_size as u64)),
            FileType::Directory => Ok(self.value_at(parent, name, place)?.map(|value| value.size)),
            _ => Ok(None),
        }
    }

    fn moved(
        &self,
        parent: BorrowedFd<'_>,
        name: &str,
        before: &Stat,
        place: &str,
    ) -> Result<bool> {
        match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(now) => Ok(!same(before, &now)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(failed("read", place)(error)),
        }
    }

    /// Opens a folder, if it is there. The path is relative to the root; empty means the root.
    pub(super) fn folder(&self, path: &str) -> Result<Option<OwnedFd>> {
        if let Some(folder) = self.quick(path, FOLDER) {
            return Ok(Some(folder.into()));
        }
        let mut here = self.open_root()?;
        for (name, place) in names_of(path) {
            here = match open_folder(&here, name) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => return self.absent(place).map(|()| None),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return not_a_folder(here.as_fd(), name, place).map(|()| None);
                }
                Err(error) => return Err(failed("open", place)(error)),
            };
        }
        Ok(Some(here))
    }

    /// Opens a folder, and makes it and those above it where they are missing. `known` is what an
    /// earlier call returned, if there was one: as long as it stands there is nothing to make.
    pub(super) fn make_folder(&self, path: &str, known: Option<&OwnedFd>) -> Result<Made> {
        if let Some(found) = self.quick(path, FOLDER) {
            let stands = || -> Result<bool, Errno> {
                let Some(known) = known else { return Ok(false) };
                Ok(same(&rustix::fs::fstat(known)?, &rustix::fs::fstat(&found)?))
            };
            if !self.syncs() || stands().map_err(failed("open", path))? {
                return Ok(Made::Folder(found.into()));
            }
        }
        let mut tries = Tries::default();
        'again: loop {
            tries.next(path)?;
            let mut here = self.open_root()?;
            for (name, place) in names_of(path) {
                let (folder, new) = match open_or_make(&here, name) {
                    Ok(found) => found,
                    // Someone removed this folder, empty as it was, before a name could be added.
                    Err(Errno::NOENT) => {
                        self.absent(place)?;
                        continue 'again;
                    }
                    Err(Errno::NOTDIR | Errno::LOOP) => {
                        not_a_folder(here.as_fd(), name, place)?;
                        return Ok(Made::Clash(place.to_owned()));
                    }
                    Err(error) => return Err(failed("make", place)(error)),
                };
                self.sync_name(here.as_fd(), folder.as_fd(), new, place)?;
                here = folder;
            }
            return Ok(Made::Folder(here));
        }
    }

    /// Brings the name of a folder in its parent to disk, whoever made it, unless that was done
    /// before: its maker may be about to do so, and crash. `new` says that this process made it.
    fn sync_name(
        &self,
        parent: BorrowedFd<'_>,
        folder: BorrowedFd<'_>,
        new: New,
        place: &str,
    ) -> Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        let number = |fd| rustix::fs::fstat(fd).map(|stat| stat.st_ino);
        let parent_number = number(parent).map_err(failed("sync", place))?;
        let pair = (parent_number, number(folder).map_err(failed("sync", place))?);
        let known = || self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if new == New::No && known().contains(&pair) {
            return Ok(());
        }
        sync_folder(parent).map_err(failed("sync", place))?;
        let mut known = known();
        if known.len() >= MAX_SYNCED {
            known.clear();
        }
        known.insert(pair);
        Ok(())
    }

    /// Forgets a folder that was removed: the next of its number is another one.
    fn forget(&self, parent: BorrowedFd<'_>, folder: &Stat) {
        if let Ok(parent) = rustix::fs::fstat(parent) {
            let mut known = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
            known.remove(&(parent.st_ino, folder.st_ino));
        }
    }

    /// As [`Tree::make_folder`] makes sure of every folder it passes, for one that was there.
    pub(super) fn sync_found(
        &self,
        parent: BorrowedFd<'_>,
        folder: BorrowedFd<'_>,
        place: &str,
    ) -> Result<()> {
        self.sync_name(parent, folder, New::No, place)
    }

    /// Brings to disk what was changed in a folder, or in the nearest one above it that is left.
    pub(super) fn sync_changes(&self, path: &str) -> Result<()> {
        let mut path = path;
        loop {
            if let Some(folder) = self.folder(path)? {
                return sync_folder(folder.as_fd()).map_err(failed("sync", path));
            }
            path = split(path).0;
        }
    }

    /// Removes a folder if it is empty, then the one above it, and so on. Returns the folder where
    /// it stopped. Best effort, since empty folders are invisible; those who make a folder for a
    /// file notice when it goes, and make it again.
    pub(super) fn prune<'p>(&self, path: &'p str) -> Result<&'p str> {
        let mut path = path;
        while !path.is_empty() {
            let (parent, name) = split(path);
            if let Some(folder) = self.folder(parent)? {
                let stat = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
                match rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR) {
                    Ok(()) => {
                        if let Ok(stat) = stat {
                            self.forget(folder.as_fd(), &stat);
                        }
                    }
                    Err(Errno::NOENT) => {}
                    Err(_) => break,
                }
            }
            path = parent;
        }
        Ok(path)
    }

    /// A name is missing in a folder. Everything is missing in a store whose root was deleted, which
    /// must not look like an empty store.
    pub(super) fn absent(&self, place: &str) -> Result<()> {
        if !place.contains('/') {
            let root = rustix::fs::fstat(&self.root).map_err(failed("read", place))?;
            if root.st_nlink == 0 {
                return Err(root_gone(&self.path));
            }
        }
        Ok(())
    }

    /// The root, opened anew: a duplicate would share the place up to which its names were read with
    /// every other listing of it.
    fn open_root(&self) -> Result<OwnedFd> {
        open_folder(&self.root, ".").map_err(failed("open", ""))
    }
}

/// Counts attempts at something that others can only spoil now and then.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Another attempt; an error when there were too many for bad luck.
    pub(super) fn next(&mut self, place: &str) -> Result<u32> {
        self.0 += 1;
        if self.0 > 1000 {
            let source = io::Error::other("folders keep disappearing");
            return Err(failed("write", place)(source));
        }
        Ok(self.0)
    }
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder, following no link.
pub(super) fn open_folder(parent: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, FOLDER, Mode::empty())
}

/// Opens a folder, and makes it if it is missing.
pub(super) fn open_or_make(parent: impl AsFd, name: &str) -> Result<(OwnedFd, New), Errno> {
    match open_folder(&parent, name) {
        Err(Errno::NOENT) => {}
        answer => return Ok((answer?, New::No)),
    }
    match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
        Ok(()) => Ok((open_folder(parent, name)?, New::Yes)),
        Err(Errno::EXIST) => Ok((open_folder(parent, name)?, New::No)),
        Err(error) => Err(error),
    }
}

/// Brings the names in a folder to disk. Some file systems offer no such thing, and say so.
pub(super) fn sync_folder(folder: BorrowedFd<'_>) -> io::Result<()> {
    durability::sync_folder(&File::from(folder.try_clone_to_owned()?))
}

/// Removes a folder that holds nothing but empty folders, as the Python service leaves them. `false`
/// when there is something in it.
pub(super) fn remove_hollow(parent: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    let folder = match open_folder(parent, name) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(true),
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    for (inside, _) in names(folder.as_fd())? {
        if !remove_hollow(folder.as_fd(), &inside)? {
            return Ok(false);
        }
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // The last: someone else found it hollow, and has a value there by now.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether two looks were at the same file.
pub(super) fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Splits a path into its parent (empty for the root) and its last name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The names of a path, each with the path up to it.
fn names_of(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    path.split('/').filter(|name| !name.is_empty()).map(move |name| {
        let end = at + name.len();
        at = end + 1;
        (name, &path[..end])
    })
}

/// What stands where a folder was expected: a value is nothing to worry about.
fn not_a_folder(parent: BorrowedFd<'_>, name: &str, place: &str) -> Result<()> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => Ok(()),
            _ => Err(foreign(place)),
        },
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(failed("read", place)(error)),
    }
}
