//! What the tests say often.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder::storage::zip::Zip;
use larder::storage::{Durability, Error};
use tempfile::TempDir;
use zip::{CompressionMethod, ZipArchive};

pub(crate) use crate::stores::*;

/// A folder for a store, and a store in it that does not wait for the disk.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) store: Zip,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        Self { dir, store }
    }

    pub(crate) fn put(&self, name: &str, value: &str) {
        put(&self.store, name, value).unwrap();
    }

    pub(crate) fn archive(&self) -> PathBuf {
        archive(self.dir.path())
    }

    /// Closes the store; what is left.
    pub(crate) fn close(self) -> TempDir {
        drop(self.store);
        self.dir
    }
}

pub(crate) fn archive(folder: &Path) -> PathBuf {
    folder.join("cache.zip")
}

pub(crate) fn try_open(folder: &Path) -> Result<Zip, Error> {
    Zip::open(archive(folder), Durability::Relaxed)
}

pub(crate) fn open(folder: &Path) -> Zip {
    try_open(folder).unwrap_or_else(|error| panic!("{}", told(&error)))
}

/// The part of the journal that is written to.
pub(crate) fn journal(folder: &Path) -> PathBuf {
    let last = files(folder).into_iter().rfind(|name| name.contains(".larder-journal-")).unwrap();
    folder.join(last)
}

/// Copies the files of a store as they are, in use or not.
pub(crate) fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in files(from) {
        fs::copy(from.join(&name), to.path().join(&name)).unwrap();
    }
    to
}

/// The members of an archive as another program reads them, all of them checked.
pub(crate) fn members(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(File::open(archive).unwrap()).unwrap();
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        assert_eq!(member.compression(), CompressionMethod::Deflated);
        found.insert(member.name().unwrap().into_owned(), content);
    }
    found
}

/// Runs a Python program with the archive as its argument; what it prints. Upstream is Python, so
/// its reader is the one that counts.
pub(crate) fn python(program: &str, archive: &Path) -> String {
    let output = Command::new("python3").arg("-c").arg(program).arg(archive).output();
    let output = output.expect("python3, whose zipfile module is the reader to agree with");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether Python finds all members sound, and how many.
pub(crate) fn sound_members(archive: &Path) -> usize {
    let program = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                   assert z.testzip() is None and z.comment == b''\nprint(len(z.namelist()))";
    python(program, archive).parse().unwrap()
}
