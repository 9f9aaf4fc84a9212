//! What the tests of the stores in files say often, of any of them.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use larder::key::{Key, Namespace, RelPath};
use larder::storage::blocking::BlockingStorage;
use larder::storage::{Batch, Depth, Error, Expect, List, Page, Version};
use tempfile::TempDir;

pub(crate) fn key(name: &str) -> Key {
    Key::parse_physical(name).unwrap_or_else(|| panic!("{name:?} is no key"))
}

pub(crate) fn batch_of(name: &str) -> Batch {
    Batch::new(&key(name).namespace())
}

pub(crate) fn put(store: &impl BlockingStorage, name: &str, value: &str) -> Result<(), Error> {
    put_if(store, name, value, Expect::Any)
}

pub(crate) fn put_if(
    store: &impl BlockingStorage,
    name: &str,
    value: &str,
    expect: Expect,
) -> Result<(), Error> {
    let mut batch = batch_of(name);
    batch.put_if(key(name), value.to_owned(), expect);
    store.apply(batch)
}

pub(crate) fn delete(store: &impl BlockingStorage, name: &str) -> Result<(), Error> {
    let mut batch = batch_of(name);
    batch.delete(key(name));
    store.apply(batch)
}

pub(crate) fn text(store: &impl BlockingStorage, name: &str) -> Result<Option<String>, Error> {
    let object = store.get(&key(name))?;
    Ok(object.map(|object| String::from_utf8(object.bytes.to_vec()).unwrap()))
}

pub(crate) fn version(store: &impl BlockingStorage, name: &str) -> Version {
    store.get(&key(name)).unwrap().unwrap().version
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace::clean(name).unwrap()
}

pub(crate) fn keys(store: &impl BlockingStorage, name: &str) -> Vec<String> {
    let page = page(store, name, "", Depth::All);
    page.entries.iter().map(|entry| entry.key.to_string()).collect()
}

/// A whole folder, in small pages.
pub(crate) fn page(store: &impl BlockingStorage, name: &str, folder: &str, depth: Depth) -> Page {
    let namespace = namespace(name);
    let prefix = match RelPath::parse(folder) {
        Ok(folder) => namespace.under(folder),
        Err(_) => namespace.everything(),
    };
    let mut all = Page::default();
    let mut query = List { prefix, depth, after: None, limit: NonZeroUsize::new(3).unwrap() };
    loop {
        let mut page = store.list(query.clone()).unwrap();
        assert!(page.entries.len() + page.folders.len() <= 3);
        all.entries.append(&mut page.entries);
        all.folders.append(&mut page.folders);
        query.after = page.next;
        if query.after.is_none() {
            return all;
        }
    }
}

/// The names in a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
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

/// As [`child`], with a limit that only a shell can set (`ulimit` and what follows it).
pub(crate) fn limited_child(limit: &str, test: &str, home: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\""));
    child_of(command, test, home)
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

/// A file system in memory, gone when dropped.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Of so many bytes, as `mount` has it. `None` when only others may mount.
    pub(crate) fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}
