//! Where the store's files are.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::beside;
use crate::storage::Durability;
use crate::storage::durability::{make_folder, sync_folder};

const JOURNAL: &str = ".larder-journal-";
const NEXT: &str = ".larder-new";

/// The archive and what may stand beside it.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) archive: PathBuf,
}

impl Paths {
    /// Makes the folder of an archive and finds out what the archive is really called, so that one that is
    /// reached through a link is replaced itself and not the link.
    pub(super) fn resolve(path: &Path, durability: Durability) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        match fs::canonicalize(path) {
            Ok(archive) => return Ok(Self { archive }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // Anything else that is there after all was made a moment ago, by another who opens it.
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
                return Err(io::Error::other("it is a link that leads nowhere"));
            }
            Err(_) => {}
        }
        make_folder(folder_of(path), durability)?;
        Ok(Self { archive: fs::canonicalize(folder_of(path))?.join(name) })
    }

    /// The next archive in the making.
    pub(super) fn next(&self) -> PathBuf {
        beside(&self.archive, NEXT)
    }

    /// A part of the journal.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        beside(&self.archive, &format!("{JOURNAL}{number}"))
    }

    /// The numbers of the parts of the journal that are there, in order.
    pub(super) fn segments(&self) -> io::Result<Vec<u64>> {
        let mut prefix = self.archive.file_name().unwrap_or_default().to_owned();
        prefix.push(JOURNAL);
        let mut found = Vec::new();
        for entry in fs::read_dir(folder_of(&self.archive))? {
            let name = entry?.file_name();
            let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
            let number = rest.and_then(|rest| std::str::from_utf8(rest).ok());
            found.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Brings names that were made, moved or removed to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&File::open(folder_of(&self.archive))?)
    }
}

/// Removes a file. That it is not there is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
