//! Turning a value into a folder that holds it, and back: the only two moves that change where a
//! value lies. Both need the whole tree (see [`super::locks`]), and both swap a finished file or
//! folder into place in one system call, so that a reader, or a crash, finds one or the other.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::fail::failed;
use super::temp::Temp;
use super::tree::{Tree, VALUE, is_file, open_folder, split, sync_folder};
use crate::storage::Result;

impl Tree {
    /// Makes a folder of the value at `path`, with the value in it. Nothing happens if no value is
    /// there.
    pub(super) fn unfold(&self, path: &str, temp: &Temp) -> Result<()> {
        let (parent, name) = split(path);
        let Some(parent) = self.folder(parent)? else { return Ok(()) };
        match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_file(&stat) => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(failed("read", path)(error)),
        }
        let made = temp.name();
        let swapped = (|| {
            rustix::fs::mkdirat(temp.folder(), &*made, Mode::from_raw_mode(0o777))?;
            let folder = open_folder(temp.folder(), &made)?;
            double(parent.as_fd(), name, folder.as_fd(), VALUE, temp)?;
            if self.syncs() {
                sync_folder(folder.as_fd())?;
            }
            swap(temp, &made, parent.as_fd(), name)?;
            if self.syncs() { sync_folder(parent.as_fd()) } else { Ok(()) }
        })();
        temp.remove(&made);
        swapped.map_err(failed("make a folder beside the value", path))
    }

    /// Makes a plain value of the folder at `path` if there is nothing but a value in it. Where that
    /// does not work the value stays in the folder, which is as good for all but other programs.
    pub(super) fn fold(&self, path: &str, temp: &Temp) -> Result<()> {
        let (parent, name) = split(path);
        let Some(parent) = self.folder(parent)? else { return Ok(()) };
        let made = temp.name();
        let swapped = (|| {
            let folder = open_folder(&parent, name)?;
            if !is_lonely(folder.as_fd())? {
                return Ok(());
            }
            double(folder.as_fd(), VALUE, temp.folder(), &made, temp)?;
            swap(temp, &made, parent.as_fd(), name)?;
            if self.syncs() { sync_folder(parent.as_fd()) } else { Ok(()) }
        })();
        temp.remove(&made);
        match swapped {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
                Err(failed("tidy", path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether there is nothing in a folder but the value of its own path.
    pub(super) fn lonely_value(&self, path: &str) -> Result<bool> {
        let Some(folder) = self.folder(path)? else { return Ok(false) };
        Ok(holds_value(folder.as_fd()).map_err(failed("read", path))?
            && is_lonely(folder.as_fd()).map_err(failed("read", path))?)
    }
}

/// Whether a folder holds the value of its own path.
pub(super) fn holds_value(folder: BorrowedFd<'_>) -> io::Result<bool> {
    match rustix::fs::statat(folder, VALUE, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Names that no key can have, which [`names`](super::names) passes over, count as well: what they name
/// is not the store's to move.
fn is_lonely(folder: BorrowedFd<'_>) -> io::Result<bool> {
    let mut is_lonely = false;
    for entry in Dir::read_from(folder)? {
        match entry?.file_name().to_bytes() {
            b"." | b".." => {}
            name if name == VALUE.as_bytes() => is_lonely = true,
            _ => return Ok(false),
        }
    }
    Ok(is_lonely)
}

/// Gives a file a second name; where the file system or a permission is against it, a second copy.
fn double(
    from: BorrowedFd<'_>,
    name: &str,
    to: BorrowedFd<'_>,
    other: &str,
    temp: &Temp,
) -> io::Result<()> {
    match rustix::fs::linkat(from, name, to, other, AtFlags::empty()) {
        Ok(()) => return Ok(()),
        Err(
            Errno::PERM
            | Errno::ACCESS
            | Errno::MLINK
            | Errno::NOTSUP
            | Errno::NOSYS
            | Errno::INVAL,
        ) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut original = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
    let staged = temp.name();
    let copied = (|| {
        let mut copy = temp.create(&staged)?;
        io::copy(&mut original, &mut copy)?;
        copy.sync_all()?;
        Ok(rustix::fs::renameat(temp.folder(), &*staged, to, other)?)
    })();
    if copied.is_err() {
        temp.remove(&staged);
    }
    copied
}

/// Exchanges what is made with what stands in the tree.
fn swap(temp: &Temp, made: &str, parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match rustix::fs::renameat_with(temp.folder(), made, parent, name, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::Error::other(
            "this file system cannot exchange a file and a folder in one step \
             (RENAME_EXCHANGE), without which two such keys cannot be kept side by side",
        )),
        answer => Ok(answer?),
    }
}
