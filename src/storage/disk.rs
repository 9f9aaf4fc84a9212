//! Files in a folder: the value of a key is the file `ROOT/key`, byte for byte.
//!
//! This is the layout of the Python service, so either can open what the other left (not both at
//! once: the Python service neither locks nor replaces files whole). Nothing is kept in memory that
//! a second process could contradict, and nothing is scanned at start.
//!
//! # What is not a value
//!
//! `ROOT/.larder` is the store's own, on the same file system, so that files can be moved out of it;
//! no namespace can have a dot in its name. It may be deleted while no process uses the store.
//!
//! | in `.larder` | |
//! |---|---|
//! | `locks-1/` | empty files to lock: see `locks` |
//! | `names/`   | empty files that show whether the file system keeps names apart |
//! | `tmp/`     | a folder for each open store that has written, with files in the making: see `temp` |
//!
//! Other names that cannot be part of a key (not UTF-8, a control character, a first name that is
//! no namespace) are neither listed nor touched, and neither are links, pipes, sockets and devices:
//! to read one of those as a value, or to pass through one, is an error.
//!
//! # A value and a folder of one name
//!
//! `a/b` and `a/b/c` cannot both be plain files. Then, and only then, the value of `a/b` lies in the
//! folder: as `a/b/\u{1f}value`, under a name that is no part of any key because of its control
//! character, and the same for every key, so that it is never too long. Deeper keys stay where they
//! are. Hence:
//!
//! - *folder first*: a new value of `a/b` is moved to the name in the folder;
//! - *value first*: a folder with the value in it (a second link to the same file) is made ready in
//!   `tmp` and exchanged with the file in one system call (`RENAME_EXCHANGE`), so that there is no
//!   moment without a value, neither for a reader nor for a crash;
//! - *the last key below goes*: the same exchange backwards; a plain file again.
//!
//! The alternatives need a second place to look for every key that is not found, or a moment in which
//! the value is nowhere. The price is that a file system without that call (NFS, some FUSE) refuses
//! the write that would need it, with an error that says so; every other write works there.
//!
//! # Writing
//!
//! A batch is carried out like this; *sync* is left out with [`Durability::Relaxed`]:
//!
//! 1. Expectations are looked at without locks, to spare a late batch the rest.
//! 2. The new files of *all* steps are written to `tmp`, in groups, and each is synced. A full disk is
//!    found out here, before anything is to be seen.
//! 3. For each step in turn:
//!    1. Missing folders are made from the top down, and the parent of each is synced, also when
//!       someone else made it and this process has not synced it yet.
//!    2. The locks of the step's keys are taken, and the expectations checked: now they count.
//!    3. New files are renamed to their places, then what is to be deleted is unlinked, then folders
//!       left empty are removed. The locks are given back.
//!    4. Every folder that changed is synced once, before the next step begins and before the batch is
//!       acknowledged.
//!
//! So after a crash a key has its old value or its new one, whole; the steps of a batch are there up
//! to one of them, of which some keys may be old and some new; and what was acknowledged is there. A
//! crash can leave files in `tmp`, which the next to open the store removes (if their owner is dead),
//! and empty folders, which are never listed and go with the next key that is deleted in them.
//! Another user may see a step that is not on disk yet; the steps before it are, and whoever replaces
//! one of its values takes it there. An error while a folder is synced leaves open whether the step
//! survives.
//!
//! # Versions
//!
//! The version of a value is its SHA-256. Equal versions then mean equal bytes without a thought of
//! clocks, of the numbers of files (ext4 gives the number of a replaced file to the next one, and
//! times tick every few milliseconds, so that number, time and size together can name two values), or
//! of what the Python service or a restored backup does to times. The price is that [`Disk::stat`] and
//! a guarded write read the value.
//!
//! [`Disk::stat`]: BlockingStorage::stat

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use rustix::fs::{Access, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::blocking::BlockingStorage;
use super::durability::{Durability, make_folder};
use super::{Batch, List, Object, Page, Promises, Result, Stat, Version};
use crate::key::{Key, Namespace};
use fail::failed;
use locks::Locks;
use temp::Temp;
use tree::{Tree, open_or_make};

mod fail;
mod fold;
mod list;
mod locks;
mod names;
mod temp;
mod tree;
mod write;

/// The store's own folder in the root. No namespace can have a dot in its name.
const OWN: &str = ".larder";
/// Files that show whether the file system keeps names apart.
const NAMES: &str = "names";
/// Its locks. The name stands for their number and for which key belongs to which.
const LOCKS: &str = "locks-1";
/// Its files in the making.
const TEMP: &str = "tmp";

/// The store on a local disk.
#[derive(Debug)]
pub struct Disk {
    tree: Tree,
    locks: Locks,
    /// Made by the first write, so that a store on a full disk can be opened, read and cleared.
    temp: OnceLock<Temp>,
    temps: OwnedFd,
}

impl Disk {
    /// Opens the store in a folder, and makes the folder (and those above it) if it is missing.
    ///
    /// Fails with a clear error when the folder cannot be made, is no folder or cannot be written
    /// to, and when its file system takes different names for one.
    pub fn open(root: impl AsRef<Path>, durability: Durability) -> Result<Self> {
        let path = root.as_ref();
        Self::set_up(path, durability)
            .map_err(failed("open a store at", path.display().to_string()))
    }

    /// The folder that the store is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.tree.path
    }

    fn set_up(path: &Path, durability: Durability) -> io::Result<Self> {
        make_folder(path, durability)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&root, ".", access, AtFlags::EACCESS)?;
        let (own, _) = open_or_make(&root, OWN)?;
        let (names, _) = open_or_make(&own, NAMES)?;
        probe_names(&names)?;
        let (locks, _) = open_or_make(&own, LOCKS)?;
        let locks = Locks::open(locks)?;
        let (temps, _) = open_or_make(&own, TEMP)?;
        Temp::clean(temps.as_fd())?;
        let tree = Tree::new(root, PathBuf::from(path), durability);
        Ok(Self { tree, locks, temp: OnceLock::new(), temps })
    }

    /// The place for files in the making.
    fn temp(&self) -> Result<&Temp> {
        if let Some(temp) = self.temp.get() {
            return Ok(temp);
        }
        let claimed = self.temps.try_clone().and_then(Temp::claim);
        let claimed = claimed.map_err(failed("make a folder in", format!("{OWN}/{TEMP}")))?;
        // Who was not first drops its own again.
        Ok(self.temp.get_or_init(|| claimed))
    }
}

/// Refuses a file system that takes different names for one: keys would overwrite each other. The
/// files stay, so that a store on a full disk can be probed as well.
fn probe_names(folder: &OwnedFd) -> io::Result<()> {
    // Names that differ by case, by composition and by compatibility of characters.
    for (name, other) in [("larder", "LARDER"), ("\u{e9}", "e\u{301}"), ("\u{fb01}", "fi")] {
        locks::open_lock(folder, name)?;
        match rustix::fs::statat(folder, other, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                return Err(io::Error::other(
                    "its file system takes names for one that differ by case or by Unicode form",
                ));
            }
        }
    }
    Ok(())
}

impl BlockingStorage for Disk {
    fn promises(&self) -> Promises {
        Promises { atomic_batches: false, survives_restart: true, shared_between_processes: true }
    }

    fn get(&self, key: &Key) -> Result<Option<Object>> {
        let Some(value) = self.tree.value(key.as_str())? else { return Ok(None) };
        let bytes = value.read().map_err(failed("read", key.as_str()))?;
        let bytes = Bytes::from(bytes);
        let version = Version::of_value(bytes.clone());
        Ok(Some(Object { bytes: bytes.into(), version }))
    }

    fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let Some(value) = self.tree.value(key.as_str())? else { return Ok(None) };
        let (version, size) =
            Version::of_reader(value.file).map_err(failed("read", key.as_str()))?;
        Ok(Some(Stat { size: size.into(), version }))
    }

    fn apply(&self, batch: Batch) -> Result<()> {
        self.carry_out(&batch)
    }

    fn list(&self, query: List) -> Result<Page> {
        self.tree.page(&query)
    }

    fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.tree.namespaces()
    }
}
