//! What the tests say often.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use larder::key::{Key, Namespace};
use larder::storage::blocking::BlockingStorage;
use larder::storage::zip::Zip;
use larder::storage::{Batch, Depth, Durability, Error, List, Version};
use tempfile::TempDir;
use zip::{CompressionMethod, ZipArchive};

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

pub(crate) fn key(name: &str) -> Key {
    Key::parse_physical(name).unwrap_or_else(|| panic!("{name:?} is no key"))
}

pub(crate) fn batch_of(name: &str) -> Batch {
    Batch::new(&key(name).namespace())
}

pub(crate) fn put(store: &Zip, name: &str, value: &str) -> Result<(), Error> {
    let mut batch = batch_of(name);
    batch.put(key(name), value.to_owned());
    store.apply(batch)
}

pub(crate) fn delete(store: &Zip, name: &str) -> Result<(), Error> {
    let mut batch = batch_of(name);
    batch.delete(key(name));
    store.apply(batch)
}

pub(crate) fn text(store: &Zip, name: &str) -> Result<Option<String>, Error> {
    let object = store.get(&key(name))?;
    Ok(object.map(|object| String::from_utf8(object.bytes.to_vec()).unwrap()))
}

pub(crate) fn version(store: &Zip, name: &str) -> Version {
    store.get(&key(name)).unwrap().unwrap().version
}

/// The keys of a namespace.
pub(crate) fn keys(store: &Zip, namespace: &str) -> Vec<String> {
    let prefix = Namespace::clean(namespace).unwrap().everything();
    let limit = NonZeroUsize::new(100_000).unwrap();
    let page = store.list(List { prefix, depth: Depth::All, after: None, limit }).unwrap();
    page.entries.iter().map(|entry| entry.key.to_string()).collect()
}

/// The names in a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
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

/// The causes of an error, in words.
pub(crate) fn told(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        words = format!("{words}: {found}");
        cause = found.source();
    }
    words
}

/// Numbers that look random: xorshift.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    /// Letters that do not compress.
    pub(crate) fn noise(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b' ' + self.below(90) as u8)).collect()
    }
}

/// This program again, to run the one test named, which is to look at `LARDER_TEST_CHILD`.
pub(crate) fn child(test: &str, home: &Path) -> Command {
    under(Command::new(std::env::current_exe().unwrap()), test, home)
}

/// As [`child`], started by another program.
pub(crate) fn child_of(mut program: Command, test: &str, home: &Path) -> Command {
    program.arg(std::env::current_exe().unwrap());
    under(program, test, home)
}

fn under(mut command: Command, test: &str, home: &Path) -> Command {
    command
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, home)
        .stdin(Stdio::null());
    command
}

const CHILD: &str = "LARDER_TEST_CHILD";

/// The store a child was started for; `None` when the ignored test was started by hand.
pub(crate) fn child_home() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// A line that gets through to whoever reads the standard output, at once.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A line for the person at the terminal: something was not tested.
pub(crate) fn announce(line: &str) {
    // Not `eprintln!`, which the test runner hides when the test passes.
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {line}");
}
