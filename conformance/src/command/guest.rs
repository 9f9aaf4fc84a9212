//! The battery as a guest in a store that holds other things: namespaces of its own stand for new
//! stores, and nothing else is touched.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use larder::key::{Key, MAX_KEY_BYTES, MAX_NAMESPACE_CHARS, Namespace, Prefix, RelPath};
use larder::storage::memory::Memory;
use larder::storage::{
    Batch, Change, Cursor, Depth, Entry, Error, List, Object, Page, Promises, Result, Stat,
    Storage, StorageExt as _,
};

use super::place::Place;
use crate::bench::runtime;
use crate::check::Check;
use crate::gate::{ENDED, Gate, Inside, until_gone};
use crate::report::chain;
use crate::subject::{AnySubject, InProcess, Limits, Opened, Subject};

/// What a guest's names are longer than those that the checks chose.
const ROOM: usize = 64;

/// How many keys are deleted at once when clearing up.
const AT_ONCE: usize = 500;

/// Homes in use, and the last handle on the store.
type Open = (Vec<PathBuf>, Option<Weak<dyn Storage>>);

/// The namespaces of a run in one store.
#[derive(Debug)]
pub(super) struct Guests {
    place: Place,
    /// What every namespace of the run begins with.
    run: String,
    /// Whether the checks that kill writers are asked.
    kill: bool,
    /// Homes in use, and the last store opened, for stores that let nobody in a second time.
    open: Mutex<Open>,
    /// Names that had to be cut short, by what they were cut to.
    cut: Mutex<HashMap<String, String>>,
    /// What the calls of the checks go through; those that clear up do not.
    gate: Arc<Gate>,
}

impl Guests {
    /// Opens the store once, to see that it can be used and whether anything is in it.
    pub(super) fn new(place: Place, kill: bool) -> std::result::Result<Arc<Self>, String> {
        let run = crate::run_name();
        let guests = Self::of_run(place, run, kill);
        if guests.place.is_private() {
            return Ok(guests);
        }
        let told = |error: String| format!("{}: {error}", guests.place);
        let store = guests.place.open().map_err(told)?;
        let there = runtime().block_on(store.namespaces()).map_err(|error| error.to_string());
        let is_empty = there.map_err(told)?.is_empty();
        drop(store);
        Ok(Self::of_run(guests.place.clone(), guests.run.clone(), kill || is_empty))
    }

    /// The namespaces of a run that may have been before.
    pub(super) fn of_run(place: Place, run: String, kill: bool) -> Arc<Self> {
        let (open, cut, gate) = (Mutex::default(), Mutex::default(), Arc::default());
        Arc::new(Self { place, run, kill, open, cut, gate })
    }

    /// What the names of all namespaces of the run begin with.
    pub(super) fn run_name(&self) -> &str {
        &self.run
    }

    /// Ends the calls of all checks, those of other processes too: none begins any more. How many are
    /// still under way after so long comes back.
    pub(super) fn halt(&self, patience: Duration) -> usize {
        let under_way = self.gate.shut(patience);
        crate::worker::end_all();
        under_way
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// How the store is used, for the report.
    pub(super) fn manner(&self) -> &'static str {
        if self.place.is_private() {
            "a store made for the run"
        } else {
            "as a guest, in namespaces of the run's own"
        }
    }

    /// Why a check cannot be asked by a guest, if it cannot.
    pub(super) fn refuses(&self, check: &Check) -> Option<&'static str> {
        if self.place.is_private() {
            return None;
        }
        match check.number {
            "N-14" => Some("what lies around a store in use changes by itself"),
            "N-15" => Some("a guest's namespaces have no room for names of the greatest length"),
            "X-07" => Some("a store in use is not copied"),
            "X-04" | "X-05" | "X-06" | "X-11" if !self.kill => {
                Some("kills writers, and the store holds data; --kill asks it")
            }
            _ => None,
        }
    }

    /// The prefix of a home: the part of its path that no other home has, in letters of namespaces.
    /// Without `_`, so that the first one ends it.
    fn prefix(&self, home: &Path) -> String {
        let own = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
            let own = name.splitn(4, '-').nth(3).unwrap_or_default();
            own.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
        };
        format!("{}-{}-{}", self.run, own(home.parent()), own(Some(home)))
    }

    fn enter(&self, home: &Path) -> std::result::Result<Arc<dyn Storage>, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match (self.place.open(), open.1.as_ref().and_then(Weak::upgrade)) {
            (Ok(store), _) => store,
            (Err(_), Some(store)) => store,
            (Err(error), None) => return Err(error),
        };
        open.1 = Some(Arc::downgrade(&store));
        if !open.0.iter().any(|known| known == home) {
            open.0.push(home.to_owned());
        }
        Ok(store)
    }

    /// The homes whose directory is gone: nobody opens them again.
    fn left(&self) -> Vec<PathBuf> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |home: &PathBuf| home.try_exists().is_ok_and(|there| !there);
        let (left, used) = std::mem::take(&mut open.0).into_iter().partition(gone);
        open.0 = used;
        left
    }

    /// Deletes everything the run has written; what could not be deleted comes back.
    pub(super) fn clean_up(&self) -> Vec<String> {
        if self.place.is_private() {
            return Vec::new();
        }
        let own = format!("{}-", self.run);
        until_gone(|| {
            let all = self.place.open().or_else(|error| {
                let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                open.1.as_ref().and_then(Weak::upgrade).ok_or(error)
            });
            match all {
                Ok(store) => runtime().block_on(clear(&*store, |name| name.starts_with(&own))),
                Err(error) => vec![format!("what begins with {own} ({error})")],
            }
        })
    }

    /// The namespace in the store that stands for one of a home.
    fn inside(&self, prefix: &str, namespace: &Namespace) -> Result<Namespace> {
        let name = namespace.as_str();
        let mut inside =
            if name.is_empty() { prefix.to_owned() } else { format!("{prefix}_{name}") };
        if inside.len() > MAX_NAMESPACE_CHARS {
            let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
            inside = format!("{prefix}_-cut-{hash:016x}");
            let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
            cut.insert(inside.clone(), name.to_owned());
        }
        Namespace::parse(&inside).ok_or_else(|| trouble(format!("no namespace: {inside}")))
    }
}

/// Deletes what these namespaces hold; those that held something come back, with what went wrong.
async fn clear(store: &dyn Storage, own: impl Fn(&str) -> bool) -> Vec<String> {
    let all = match store.namespaces().await {
        Ok(all) => all,
        Err(error) => return vec![format!("the run's namespaces ({error})")],
    };
    let mut found = Vec::new();
    for namespace in all.iter().filter(|namespace| own(namespace.as_str())) {
        found.push(match empty(store, namespace).await {
            Ok(()) => namespace.to_string(),
            Err(error) => format!("{namespace} ({})", chain(&error)),
        });
    }
    found
}

async fn empty(store: &dyn Storage, namespace: &Namespace) -> Result<()> {
    let (entries, _) = store.list_all(&namespace.everything(), Depth::All).await?;
    for some in entries.chunks(AT_ONCE) {
        let mut batch = Batch::new(namespace);
        some.iter().for_each(|entry| batch.delete(entry.key.clone()));
        store.apply(batch).await?;
    }
    Ok(())
}

fn trouble(what: String) -> Error {
    Error::Other { backend: "guest", source: what.into() }
}

/// The store as it looks from one home.
#[derive(Debug)]
struct Guest {
    store: Arc<dyn Storage>,
    guests: Arc<Guests>,
    prefix: String,
}

impl Guest {
    /// Every call begins with this.
    fn enter(&self) -> Result<Inside> {
        self.guests.gate.enter().ok_or_else(|| trouble(ENDED.to_owned()))
    }

    fn key_in(&self, key: &Key) -> Result<Key> {
        let namespace = self.guests.inside(&self.prefix, &key.namespace())?;
        let path = RelPath::parse(key.path()).map_err(|error| trouble(error.to_string()))?;
        namespace.key(path).map_err(|error| trouble(error.to_string()))
    }

    fn folder_in(&self, folder: &Prefix) -> Result<Prefix> {
        let namespace = self.guests.inside(&self.prefix, folder.namespace())?;
        let own = folder.namespace().everything();
        let path = folder.as_str()[own.as_str().len()..].trim_end_matches('/');
        if path.is_empty() {
            return Ok(namespace.everything());
        }
        let path = RelPath::parse(path).map_err(|error| trouble(error.to_string()))?;
        Ok(namespace.under(path))
    }

    fn cursor_in(&self, cursor: &Cursor) -> Result<Cursor> {
        Ok(match cursor {
            Cursor::Key(key) => Cursor::Key(self.key_in(key)?),
            Cursor::Folder(folder) => Cursor::Folder(self.folder_in(folder)?),
        })
    }

    /// A conflict names the key that the check knows.
    fn error_out(&self, namespace: &Namespace, error: Error) -> Error {
        match error {
            Error::Conflict { key } => match key_out(namespace, &key) {
                Ok(key) => Error::Conflict { key },
                Err(error) => error,
            },
            other => other,
        }
    }
}

fn namespace_of(cursor: &Cursor) -> Namespace {
    match cursor {
        Cursor::Key(key) => key.namespace(),
        Cursor::Folder(folder) => folder.namespace().clone(),
    }
}

/// Where a cursor of one namespace stands in a listing of another.
enum Elsewhere {
    Before,
    Behind,
    At(Cursor),
}

/// By the order of names as the check sees them, which is not that of what stands for them.
fn elsewhere(listed: &Prefix, cursor: &Cursor) -> Elsewhere {
    let text = match cursor {
        Cursor::Key(key) => key.as_str(),
        Cursor::Folder(folder) => folder.as_str(),
    };
    if !text.starts_with(listed.as_str()) {
        return if text < listed.as_str() { Elsewhere::Before } else { Elsewhere::Behind };
    }
    // Only the root namespace has others between its keys, which lie in two folders.
    let root = listed.namespace();
    for folder in ["data", "refs"] {
        let inside = format!("{folder}/");
        if text < inside.as_str() {
            return match RelPath::parse("data") {
                Ok(data) if folder == "refs" => Elsewhere::At(Cursor::Folder(root.under(data))),
                _ => Elsewhere::Before,
            };
        }
        if let Some(rest) = text.strip_prefix(&inside) {
            // `data/data/…` of the namespace `data`: behind everything that begins with `data/data.`.
            let second = rest.split('/').next().unwrap_or_default();
            let at = root.key_from_physical(&format!("{inside}{second}.\u{10ffff}"));
            return at.map_or(Elsewhere::Before, |key| Elsewhere::At(Cursor::Key(key)));
        }
    }
    Elsewhere::Behind
}

fn key_out(namespace: &Namespace, key: &Key) -> Result<Key> {
    let path = RelPath::parse(key.path()).map_err(|error| trouble(error.to_string()))?;
    namespace.key(path).map_err(|error| trouble(error.to_string()))
}

fn folder_out(namespace: &Namespace, inside: &Namespace, folder: &Prefix) -> Result<Prefix> {
    let path = folder.as_str()[inside.everything().as_str().len()..].trim_end_matches('/');
    let path = RelPath::parse(path).map_err(|error| trouble(error.to_string()))?;
    Ok(namespace.under(path))
}

#[async_trait]
impl Storage for Guest {
    fn promises(&self) -> Promises {
        self.store.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let _inside = self.enter()?;
        self.store.get(&self.key_in(key)?).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let _inside = self.enter()?;
        self.store.stat(&self.key_in(key)?).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let _inside = self.enter()?;
        let namespace = batch.namespace().clone();
        let mut inside = Batch::new(&self.guests.inside(&self.prefix, &namespace)?);
        for step in batch.into_steps() {
            inside.then();
            for change in step {
                match change {
                    Change::Put { key, bytes, expect } => {
                        inside.put_if(self.key_in(&key)?, bytes, expect);
                    }
                    Change::Delete { key, expect } => {
                        inside.delete_if(self.key_in(&key)?, expect);
                    }
                }
            }
        }
        self.store.apply(inside).await.map_err(|error| self.error_out(&namespace, error))
    }

    async fn list(&self, query: List) -> Result<Page> {
        let _inside = self.enter()?;
        let namespace = query.prefix.namespace().clone();
        let inside = self.guests.inside(&self.prefix, &namespace)?;
        let after = match &query.after {
            None => None,
            Some(cursor) if namespace_of(cursor) == namespace => Some(self.cursor_in(cursor)?),
            Some(foreign) => match elsewhere(&query.prefix, foreign) {
                Elsewhere::Before => None,
                Elsewhere::Behind => return Ok(Page::default()),
                Elsewhere::At(cursor) => Some(self.cursor_in(&cursor)?),
            },
        };
        let prefix = self.folder_in(&query.prefix)?;
        let page = self.store.list(List { prefix, after, ..query }).await?;
        let entry = |entry: Entry| {
            Ok::<_, Error>(Entry { key: key_out(&namespace, &entry.key)?, size: entry.size })
        };
        let folder = |folder: &Prefix| folder_out(&namespace, &inside, folder);
        Ok(Page {
            entries: page.entries.into_iter().map(entry).collect::<Result<_>>()?,
            folders: page.folders.iter().map(folder).collect::<Result<_>>()?,
            next: match page.next {
                None => None,
                Some(Cursor::Key(key)) => Some(Cursor::Key(key_out(&namespace, &key)?)),
                Some(Cursor::Folder(last)) => Some(Cursor::Folder(folder(&last)?)),
            },
        })
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        let _inside = self.enter()?;
        let own = format!("{}_", self.prefix);
        let mut names = Vec::new();
        for namespace in self.store.namespaces().await? {
            if namespace.as_str() == self.prefix {
                // The root namespace shows as the first segments of its keys.
                let (_, folders) =
                    self.store.list_all(&namespace.everything(), Depth::Children).await?;
                names.extend(folders.iter().map(|folder| folder.name().to_owned()));
            }
            let cut = self.guests.cut.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(name) = cut.get(namespace.as_str()) {
                names.extend(namespace.as_str().starts_with(&own).then(|| name.clone()));
            } else if let Some(name) = namespace.as_str().strip_prefix(&own) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.dedup();
        let parsed = names.iter().map(|name| {
            Namespace::parse(name).ok_or_else(|| trouble(format!("no namespace: {name}")))
        });
        parsed.collect()
    }
}

/// A store as a subject, named by its address and the run, so that other processes find it.
struct Visited {
    name: &'static str,
    guests: Arc<Guests>,
}

impl Subject for Visited {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn open(&self, home: &Path) -> Opened {
        let _inside = self.guests.gate.enter().ok_or(ENDED)?;
        let (guests, at) = (Arc::clone(&self.guests), home.to_owned());
        // Opening a store blocks.
        let entered = std::thread::spawn(move || guests.enter(&at)).join();
        let store = entered.map_err(|_| "opening the store panicked")??;
        let prefix = self.guests.prefix(home);
        for left in self.guests.left() {
            let gone = self.guests.prefix(&left);
            let own = format!("{gone}_");
            clear(&*store, |name| name == gone || name.starts_with(&own)).await;
        }
        Ok(Arc::new(Guest { store, guests: Arc::clone(&self.guests), prefix }))
    }

    fn limits(&self) -> Limits {
        // Slow: what is there may be large, and every write is waited for.
        Limits { key_bytes: MAX_KEY_BYTES - ROOM, slow: true, ..Limits::default() }
    }
}

/// A memory store, which nobody else can have.
struct Private(&'static str, InProcess<Memory>, Arc<Gate>);

impl Subject for Private {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn open(&self, home: &Path) -> Opened {
        let _inside = self.2.enter().ok_or(ENDED)?;
        Ok(self.1.open(home, Memory::new))
    }

    fn bounded(&self, _home: &Path, bytes: u64) -> Option<Opened> {
        Some(Ok(Arc::new(Memory::bounded(bytes))))
    }
}

/// What stands between an address and the name of the run.
const RUN: char = '\u{1f}';

/// The subject of a run.
pub(super) fn subject(guests: &Arc<Guests>) -> AnySubject {
    let name = format!("{}{RUN}{}", guests.place, guests.run);
    // One name for each run of the program.
    let name: &'static str = Box::leak(name.into_boxed_str());
    if guests.place.is_private() {
        return AnySubject::new(Private(name, InProcess::new(), Arc::clone(&guests.gate)));
    }
    AnySubject::new(Visited { name, guests: Arc::clone(guests) })
}

/// The subject that another process of the battery names.
pub(super) fn for_worker(name: &str) -> Vec<AnySubject> {
    let guests = name
        .split_once(RUN)
        .and_then(|(place, run)| Some(Guests::of_run(place.parse().ok()?, run.to_owned(), true)));
    guests.iter().map(subject).collect()
}
