//! placeholder

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::blocking::BlockingStorage;
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
/// Its locks. The name stands for their number and for which key belongs to which.
const LOCKS: &str = "locks-1";
/// Its files in the making.
const TEMP: &str = "tmp";

/// What a write waits for before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Until the disk has it: it survives the loss of power.
    #[default]
    Full,
    /// Until the operating system has it: it survives the end of this process, however that comes.
    /// After a loss of power, recent values may be missing, and on some file systems cut or empty.
    Relaxed,
}

/// The store on a local disk.
#[derive(Debug)]
pub struct Disk {
    tree: Tree,
    temp: Temp,
    locks: Locks,
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
        make_root(path, durability)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
        rustix::fs::accessat(
            &root,
            ".",
            rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
            AtFlags::EACCESS,
        )?;
        let (own, _) = open_or_make(&root, OWN)?;
        let (locks, _) = open_or_make(&own, LOCKS)?;
        let (above, _) = open_or_make(&own, TEMP)?;
        let locks = Locks::open(locks)?;
        Temp::clean(above.as_fd())?;
        let temp = Temp::claim(above)?;
        probe_names(&root, &temp)?;
        Ok(Self { tree: Tree::new(root, PathBuf::from(path), durability), temp, locks })
    }
}

/// Refuses a file system that takes different names for one: keys would overwrite each other.
fn probe_names(root: &OwnedFd, temp: &Temp) -> io::Result<()> {
    let found = |folder: &dyn AsFd, name: &str| match rustix::fs::statat(
        folder.as_fd(),
        name,
        AtFlags::SYMLINK_NOFOLLOW,
    ) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(io::Error::from(error)),
    };
    // Names differing in case, in composition, and in compatibility of characters.
    let pairs = [("larder", "LARDER"), ("\u{e9}", "e\u{301}"), ("\u{fb01}", "fi")];
    let mut folds = found(root, &OWN.to_uppercase())?;
    for (name, other) in pairs {
        temp.create(name)?;
        folds |= found(&temp.folder(), other)?;
        temp.remove(name);
    }
    if folds {
        return Err(io::Error::other(
            "its file system takes names for one that differ by case or by Unicode form",
        ));
    }
    Ok(())
}

/// Makes the root and what is missing above it, and brings that to disk.
fn make_root(path: &Path, durability: Durability) -> io::Result<()> {
    let is_missing = |path: &&Path| {
        !path.as_os_str().is_empty()
            && matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
    };
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    std::fs::create_dir_all(path)?;
    if durability == Durability::Full {
        for made in missing.iter().rev() {
            let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = File::open(parent.unwrap_or(Path::new(".")))?;
            tree::sync_folder(parent.as_fd())?;
        }
    }
    Ok(())
}

impl BlockingStorage for Disk {
    fn promises(&self) -> Promises {
        Promises { atomic_batches: false, survives_restart: true, shared_between_processes: true }
    }

    fn get(&self, key: &Key) -> Result<Option<Object>> {
        let Some(file) = self.tree.value(key.as_str())? else { return Ok(None) };
        let bytes = read(file).map_err(failed("read", key.as_str()))?;
        let version = version(Sha256::digest(&bytes).as_slice());
        Ok(Some(Object { bytes: Bytes::from(bytes), version }))
    }

    fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let Some(file) = self.tree.value(key.as_str())? else { return Ok(None) };
        let (version, size) = version_of_file(file, key.as_str())?;
        Ok(Some(Stat { size, version }))
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

fn read(mut file: File) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The version of a value, and its size, without holding it in memory.
fn version_of_file(mut file: File, key: &str) -> Result<(Version, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = [0; 16 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((version(hash.finalize().as_slice()), size)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read", key)(error)),
        }
    }
}

fn version(digest: &[u8]) -> Version {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let text: String =
        digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    Version::from(&*text)
}
