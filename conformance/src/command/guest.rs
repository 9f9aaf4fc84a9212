//! The battery as a guest in a store that holds other things: namespaces of its own stand for new
//! stores, and nothing else is touched.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use larder::key::{Key, MAX_KEY_BYTES, Namespace};
use larder::storage::memory::Memory;
use larder::storage::{
    Batch, Depth, Error, List, Object, Page, Promises, Result, Stat, Storage, StorageExt as _,
};

use super::place::Place;
use crate::bench::runtime;
use crate::check::Check;
use crate::gate::{ENDED, Gate, Inside, until_gone};
use crate::report::chain;
use crate::subject::{AnySubject, InProcess, Limits, Opened, Subject};
use crate::wrappers::{Apart, LongNames};

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
    long: Arc<LongNames>,
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
        let (open, long, gate) = (Mutex::default(), Arc::default(), Arc::default());
        Arc::new(Self { place, run, kill, open, long, gate })
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

/// The store as it looks from one home.
#[derive(Debug)]
struct Guest {
    store: Apart,
    gate: Arc<Gate>,
}

impl Guest {
    /// Every call begins with this.
    fn enter(&self) -> Result<Inside> {
        let ended = || Error::Other { backend: "guest", source: ENDED.into() };
        self.gate.enter().ok_or_else(ended)
    }
}

#[async_trait]
impl Storage for Guest {
    fn promises(&self) -> Promises {
        self.store.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let _inside = self.enter()?;
        self.store.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let _inside = self.enter()?;
        self.store.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let _inside = self.enter()?;
        self.store.apply(batch).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        let _inside = self.enter()?;
        self.store.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        let _inside = self.enter()?;
        self.store.namespaces().await
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
        let store = Apart::new(store, prefix, Arc::clone(&self.guests.long));
        Ok(Arc::new(Guest { store, gate: Arc::clone(&self.guests.gate) }))
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
