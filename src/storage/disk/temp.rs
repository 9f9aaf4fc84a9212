//! Where files are made before they are put in their place: one folder per open store, below
//! `.larder/tmp`, which is emptied by whoever opens the store after its owner is dead.
//!
//! An owner holds the lock on `ID.lock` as long as it lives, makes the folder `ID` after taking the
//! lock and removes it before giving the lock up. So a lock that is free means that nobody uses the
//! folder.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::locks::{open_lock, take_if_free};
use super::names::names;
use super::tree::{open_folder, same};

const LOCK: &str = ".lock";

/// The folder of one open store.
#[derive(Debug)]
pub(super) struct Temp {
    above: OwnedFd,
    id: String,
    _lock: File,
    folder: OwnedFd,
    next: AtomicU64,
}

impl Temp {
    /// Makes a folder of one's own in `above`.
    #[expect(clippy::disallowed_methods, reason = "the name of a folder, which no plan ever sees")]
    pub(super) fn claim(above: OwnedFd) -> io::Result<Self> {
        loop {
            let id = uuid::Uuid::new_v4().simple().to_string();
            let lock_name = format!("{id}{LOCK}");
            let lock = open_lock(&above, &lock_name)?;
            // Someone who cleans up may have taken the new lock for an old one: before this lock
            // was taken, or (the name is gone then) in between.
            let free = take_if_free(&lock)?;
            if !free || !stands_at(&lock, &above, &lock_name)? {
                continue;
            }
            rustix::fs::mkdirat(&above, &*id, Mode::from_raw_mode(0o777))?;
            let folder = open_folder(&above, &id)?;
            return Ok(Self { above, id, _lock: lock, folder, next: AtomicU64::new(0) });
        }
    }

    /// Removes what dead owners left. Best effort: what cannot be removed now can be later.
    pub(super) fn clean(above: BorrowedFd<'_>) -> io::Result<()> {
        for (name, _) in names(above)? {
            let Some(id) = name.strip_suffix(LOCK) else { continue };
            let lock = match open_existing(above, &name) {
                Ok(lock) => lock,
                // Its owner or another cleaner was faster, or it is another user's.
                Err(Errno::NOENT | Errno::ACCESS | Errno::PERM) => continue,
                Err(error) => return Err(error.into()),
            };
            if take_if_free(&lock)? && stands_at(&lock, above, &name)? {
                remove(above, id);
                let _ = rustix::fs::unlinkat(above, &*name, AtFlags::empty());
            }
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// A name that nothing in the folder has.
    pub(super) fn name(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Creates a file.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.folder, name, flags, Mode::from_raw_mode(0o666))?.into())
    }

    /// Removes a file or folder of this place, if it is there.
    pub(super) fn remove(&self, name: &str) {
        remove(self.folder.as_fd(), name);
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        remove(self.above.as_fd(), &self.id);
        let lock_name = format!("{}{LOCK}", self.id);
        let _ = rustix::fs::unlinkat(&self.above, lock_name, AtFlags::empty());
    }
}

fn open_existing(folder: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty()).map(File::from)
}

/// Whether the open file is still what the name means.
fn stands_at(file: &File, folder: impl AsFd, name: &str) -> io::Result<bool> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok(same(&named, &rustix::fs::fstat(file)?)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes a file, or a folder with all in it. Temporary files are nobody's data: what cannot be
/// removed stays for the next cleaner.
fn remove(folder: BorrowedFd<'_>, name: &str) {
    // Whoever was about to make a folder in one that was then moved here makes it here: one for each
    // who was about to, so that few turns are enough for all.
    remove_in(folder, name, &mut 10);
}

/// The same. Folders that are not empty when they should be are looked into again, `turns` times in all.
fn remove_in(folder: BorrowedFd<'_>, name: &str, turns: &mut u32) {
    let is_folder = matches!(
        rustix::fs::unlinkat(folder, name, AtFlags::empty()),
        Err(Errno::ISDIR | Errno::PERM)
    );
    if !is_folder {
        return;
    }
    loop {
        if let Ok(inside) = open_folder(folder, name)
            && let Ok(found) = names(inside.as_fd())
        {
            for (name, _) in found {
                remove_in(inside.as_fd(), &name, turns);
            }
        }
        let removed = rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR);
        if *turns == 0 || !matches!(removed, Err(Errno::NOTEMPTY | Errno::EXIST)) {
            return;
        }
        *turns -= 1;
    }
}
