//! Where a check works: fresh homes, handles that wait for their answers, and the run's randomness.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use larder::key::{Key, Namespace, Prefix};
use larder::storage::{
    Batch, Body, Depth, Entry, Error, Expect, List, Object, Page, Promises, Result, Stat, Storage,
    Version,
};

use crate::adapter::wait_for;
use crate::ensure;
use crate::report::{Failure, chain};
use crate::subject::{AnySubject, Limits};

/// Cases of the property-based checks unless `LARDER_CONFORMANCE_CASES` says otherwise; the other
/// lanes scale with it.
pub const DEFAULT_CASES: u32 = 64;

/// The runtime all calls run on: one for the process, since clients of remote stores are bound to the
/// runtime that made them.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("failed to start the battery's runtime")
    })
}

/// Where one check works.
pub(crate) struct Bench {
    pub(crate) subject: AnySubject,
    pub(crate) promises: Promises,
    pub(crate) limits: Limits,
    /// The seed of the run, mixed with the check's number.
    pub(crate) seed: u64,
    pub(crate) cases: u32,
    /// Where programs that failed before are kept, and new ones are written.
    pub(crate) regressions: Option<PathBuf>,
    /// Where homes are made.
    pub(crate) homes: PathBuf,
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bench({})", self.subject.name())
    }
}

impl Bench {
    /// A directory for a new store.
    pub(crate) fn home(&self) -> Home {
        Home::new(&self.homes)
    }

    /// A handle on the store that lives there.
    pub(crate) fn open(&self, home: &Home) -> Result<Handle, Failure> {
        let opened = runtime().block_on(self.subject.open(home.path()));
        opened
            .map(Handle::new)
            .map_err(|error| Failure::new(format!("failed to open the store: {}", chain(&*error))))
    }

    /// A new store and a handle on it.
    pub(crate) fn fresh(&self) -> Result<(Home, Handle), Failure> {
        let home = self.home();
        let handle = self.open(&home)?;
        Ok((home, handle))
    }

    /// `usual` rounds at the default case count, in proportion otherwise, at least one.
    pub(crate) fn rounds(&self, usual: u32) -> u32 {
        let rounds = u64::from(usual) * u64::from(self.cases) / u64::from(DEFAULT_CASES);
        u32::try_from(rounds).unwrap_or(u32::MAX).max(1)
    }

    /// How many keys stand for many: fewer on stores that say they are slow.
    pub(crate) fn many(&self, usual: usize) -> usize {
        if self.limits.slow { usual / 10 + 1 } else { usual }
    }

    pub(crate) fn random(&self) -> Random {
        Random(self.seed)
    }
}

/// A small generator for schedules and kill points (SplitMix64). Names and programs come from
/// proptest, which can shrink them.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// A directory for one store, removed when dropped.
#[derive(Debug)]
pub(crate) struct Home {
    outer: PathBuf,
    inner: PathBuf,
}

impl Home {
    fn new(homes: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Ends in a letter, so that no home's name begins another's: checks make homes of their own
        // beside this one by adding to its name, and remote stores go by the name alone.
        let name = format!("larder-conformance-{}-{number}h", std::process::id());
        let outer = homes.join(&name);
        let inner = outer.join(&name);
        std::fs::create_dir_all(&inner)
            .expect("failed to make a home under LARDER_CONFORMANCE_HOMES");
        Self { outer, inner }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.inner
    }

    /// The directory around the home, in which the store has no business.
    pub(crate) fn outside(&self) -> &Path {
        &self.outer
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A store that still holds files open may refuse; temporary folders are swept by others.
        let _ = std::fs::remove_dir_all(&self.outer);
    }
}

/// A handle that waits for its answers: checks are plain code, threads are plain threads.
#[derive(Debug, Clone)]
pub(crate) struct Handle(pub(crate) Arc<dyn Storage>);

impl Handle {
    pub(crate) fn new(store: Arc<dyn Storage>) -> Self {
        Self(store)
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Object>> {
        wait_for(self.0.get(key))
    }

    pub(crate) fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        wait_for(self.0.stat(key))
    }

    pub(crate) fn apply(&self, batch: Batch) -> Result<()> {
        wait_for(self.0.apply(batch))
    }

    pub(crate) fn list(&self, query: List) -> Result<Page> {
        wait_for(self.0.list(query))
    }

    pub(crate) fn namespaces(&self) -> Result<Vec<Namespace>> {
        wait_for(self.0.namespaces())
    }

    pub(crate) fn put(&self, key: &Key, bytes: impl Into<Body>) -> Result<()> {
        self.put_if(key, bytes, Expect::Any)
    }

    pub(crate) fn put_if(&self, key: &Key, bytes: impl Into<Body>, expect: Expect) -> Result<()> {
        let mut batch = Batch::new(&key.namespace());
        batch.put_if(key.clone(), bytes, expect);
        self.apply(batch)
    }

    pub(crate) fn delete(&self, key: &Key) -> Result<()> {
        self.delete_if(key, Expect::Any)
    }

    pub(crate) fn delete_if(&self, key: &Key, expect: Expect) -> Result<()> {
        let mut batch = Batch::new(&key.namespace());
        batch.delete_if(key.clone(), expect);
        self.apply(batch)
    }

    /// The value alone.
    pub(crate) fn read(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.get(key)?.map(|object| object.bytes.into_bytes()))
    }

    /// The version of a key that must be there.
    pub(crate) fn version(&self, key: &Key) -> Result<Version, Failure> {
        match self.get(key)? {
            Some(object) => Ok(object.version),
            None => Err(Failure::new(format!("{key} is absent, though it was put"))),
        }
    }

    /// Fails unless get and stat agree that the key holds exactly this.
    pub(crate) fn holds(&self, key: &Key, value: Option<&[u8]>) -> Result<(), Failure> {
        let found = self.get(key)?;
        let bytes = found.as_ref().map(|object| &*object.bytes);
        ensure!(bytes == value, "get {} gave {}, not {}", show_key(key), show(bytes), show(value));
        let stat = self.stat(key)?;
        let expected = found.map(|object| Stat {
            size: (object.bytes.len() as u64).into(),
            version: object.version,
        });
        ensure!(
            stat == expected,
            "stat {} gave {stat:?}, but get says {expected:?}",
            show_key(key)
        );
        Ok(())
    }

    /// Lists a whole folder by pages and holds each page to what the contract says of pages.
    pub(crate) fn walk(&self, prefix: &Prefix, depth: Depth, limit: usize) -> Walked {
        let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        let mut walked = Listing::default();
        let mut after = None;
        let mut idle = 0;
        loop {
            let query = List { prefix: prefix.clone(), depth, after: after.clone(), limit };
            let mut page = self.list(query)?;
            check_page(prefix, depth, limit.get(), &walked, &page)?;
            idle = if page.entries.is_empty() && page.folders.is_empty() { idle + 1 } else { 0 };
            ensure!(idle < 1000, "listing {prefix} gives empty pages without an end");
            walked.entries.append(&mut page.entries);
            walked.folders.append(&mut page.folders);
            walked.pages += 1;
            match page.next {
                Some(next) => {
                    ensure!(
                        after.as_ref() != Some(&next),
                        "listing {prefix} does not move on from {next:?}"
                    );
                    after = Some(next);
                }
                None => return Ok(walked),
            }
        }
    }

    /// All keys of a namespace, in the order listed.
    pub(crate) fn keys(&self, namespace: &Namespace) -> Result<Vec<Key>, Failure> {
        let walked = self.walk(&namespace.everything(), Depth::All, 1000)?;
        Ok(walked.entries.into_iter().map(|entry| entry.key).collect())
    }

    /// Fails unless the namespace holds exactly these keys with these values, whichever way one asks.
    pub(crate) fn holds_exactly(
        &self,
        namespace: &Namespace,
        expected: &[(Key, Bytes)],
    ) -> Result<(), Failure> {
        let mut expected = expected.to_vec();
        expected.sort_by(|one, two| one.0.cmp(&two.0));
        let listed = self.keys(namespace)?;
        let keys: Vec<_> = expected.iter().map(|(key, _)| key.clone()).collect();
        ensure!(listed == keys, "{namespace:?} lists {listed:?}, not {keys:?}");
        expected.iter().try_for_each(|(key, value)| self.holds(key, Some(value)))
    }
}

/// What a walk over all pages of a folder found.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    pub(crate) folders: Vec<Prefix>,
    pub(crate) pages: usize,
}

type Walked = Result<Listing, Failure>;

fn check_page(
    prefix: &Prefix,
    depth: Depth,
    limit: usize,
    before: &Listing,
    page: &Page,
) -> Result<(), Failure> {
    let found = page.entries.len() + page.folders.len();
    ensure!(found <= limit, "a page of {prefix} holds {found} items, though the limit is {limit}");
    ensure!(
        depth == Depth::Children || page.folders.is_empty(),
        "a flat listing of {prefix} has folders: {:?}",
        page.folders
    );
    let last_entry = before.entries.last().map(|entry| entry.key.as_str());
    let last_folder = before.folders.last().map(Prefix::as_str);
    let entries = last_entry.into_iter().chain(page.entries.iter().map(|entry| entry.key.as_str()));
    let folders = last_folder.into_iter().chain(page.folders.iter().map(Prefix::as_str));
    ascending(prefix, entries)?;
    ascending(prefix, folders)?;
    // Items of this page lie behind all items of the pages before, of either kind.
    let last = last_entry.max(last_folder);
    let first_entry = page.entries.first().map(|entry| entry.key.as_str());
    let first_folder = page.folders.first().map(Prefix::as_str);
    for first in first_entry.into_iter().chain(first_folder) {
        ensure!(
            last.is_none_or(|last| last < first),
            "the page of {prefix} with {first:?} comes after the page with {last:?}"
        );
    }
    for entry in &page.entries {
        ensure!(prefix.contains(&entry.key), "listing {prefix} shows {}", show_key(&entry.key));
        ensure!(
            depth == Depth::All || prefix.child_towards(&entry.key).is_none(),
            "the children of {prefix} include {}, which lies deeper",
            show_key(&entry.key)
        );
        if let Some(next) = &page.next {
            ensure!(next.passed(&entry.key), "the cursor {next:?} does not cover {}", entry.key);
        }
    }
    Ok(())
}

fn ascending<'a>(prefix: &Prefix, mut names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let Some(mut before) = names.next() else { return Ok(()) };
    for name in names {
        ensure!(before < name, "listing {prefix} shows {name:?} after {before:?}");
        before = name;
    }
    Ok(())
}

/// A value as failures show it.
pub(crate) fn show(value: Option<&[u8]>) -> String {
    match value {
        None => "nothing".into(),
        Some(bytes) if bytes.len() <= 40 => format!("\"{}\"", bytes.escape_ascii()),
        Some(bytes) => {
            format!("{} bytes \"{}\"…", bytes.len(), bytes[..24].escape_ascii())
        }
    }
}

/// A key as failures show it.
pub(crate) fn show_key(key: &Key) -> String {
    let text = key.as_str();
    if text.chars().count() <= 80 {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(40).collect();
    let end: String = text.chars().skip(text.chars().count() - 20).collect();
    format!("{start:?}…{end:?} ({} bytes)", text.len())
}

/// Whether a write was refused because its expectation on this key failed.
pub(crate) fn conflict_on(answer: &Result<()>, key: &Key) -> bool {
    matches!(answer, Err(Error::Conflict { key: named }) if named == key)
}

/// A key by its namespace and path, both known to be good.
pub(crate) fn key(namespace: &str, path: &str) -> Key {
    let namespace = space(namespace);
    let path = larder::key::RelPath::parse(path).expect("battery bug: a bad path");
    namespace.key(path).expect("battery bug: a bad key")
}

/// A namespace whose name is known to be clean; empty for the root namespace.
pub(crate) fn space(name: &str) -> Namespace {
    if name.is_empty() {
        return Namespace::root();
    }
    Namespace::parse(name).expect("battery bug: a bad namespace")
}

/// A folder of a namespace.
pub(crate) fn folder(namespace: &str, path: &str) -> Prefix {
    let path = larder::key::RelPath::parse(path).expect("battery bug: a bad path");
    space(namespace).under(path)
}

#[cfg(test)]
mod tests {
    use super::Home;

    #[test]
    fn no_homes_name_begins_anothers() {
        let homes: Vec<_> = (0..200).map(|_| Home::new(&std::env::temp_dir())).collect();
        let names: Vec<_> =
            homes.iter().map(|home| home.path().file_name().unwrap().to_string_lossy()).collect();
        for one in &names {
            let longer = names.iter().filter(|other| other.starts_with(&**one)).count();
            assert_eq!(longer, 1, "{one} begins another home's name");
        }
    }
}
