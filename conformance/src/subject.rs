//! What the author of a store writes: how to open it. Everything else follows from that.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use larder::key::{Key, MAX_KEY_BYTES};
use larder::storage::Storage;
use larder::storage::blocking::{Blocking, BlockingStorage};

use crate::adapter::Adapter;
use crate::worker::let_processes_start;

/// A cause, of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A handle on a store, or why there is none.
pub type Opened = Result<Arc<dyn Storage>, BoxError>;

/// A store under test.
///
/// The one law: **the same home shows the same data, different homes share nothing.** Two handles are
/// two calls of `open`, a restart is dropping all handles and opening again, a second process is this
/// test binary run again. A remote store takes the last component of the path (unique, harmless
/// characters) as a bucket's prefix or a schema's name.
pub trait Subject: Send + Sync + 'static {
    /// What reports call it: the type's name unless said otherwise.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>().rsplit("::").next().unwrap_or("store")
    }

    /// Opens the store that lives in this directory, which exists and is empty the first time.
    fn open(&self, home: &Path) -> impl Future<Output = Opened> + Send;

    /// Names and values this store takes. Smaller than the contract's is stated in every report.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Opens a fresh store that holds at most about this many bytes, if there is such a thing.
    /// Without it, what happens in a full store is listed as not checked.
    fn bounded(&self, _home: &Path, _bytes: u64) -> Option<Opened> {
        None
    }

    /// For a wrapper around another store that keeps its names: the wrapper around this one, in which
    /// the battery will plant faults. Without it, how a wrapper hands on trouble is listed as not checked.
    fn over(&self, _inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>> {
        None
    }

    /// How to damage what the medium of this home holds for a key, for stores that promise to notice.
    /// Without it, whether damage is noticed is listed as not checked.
    fn damage(&self) -> Option<Damage> {
        None
    }
}

/// Changes what a medium holds for a key: part of the value is overwritten, cut off or gone.
pub type Damage = fn(home: &Path, key: &Key);

/// What names and values a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest key in bytes, `namespace/path`.
    pub key_bytes: usize,
    /// The largest value that the ordinary checks write.
    pub value_bytes: usize,
    /// Whether the store is slow enough that scale is tried with hundreds instead of thousands.
    pub slow: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { key_bytes: MAX_KEY_BYTES, value_bytes: 8 << 20, slow: false }
    }
}

/// A blocking store as the battery drives it: through the adapter that the service uses, but for threads
/// that have nothing to do but to wait, which call it in place.
pub fn blocking(store: impl BlockingStorage) -> Arc<dyn Storage> {
    Arc::new(Adapter(Blocking::new(store)))
}

/// The same for a store that others hold as well, as one in [`InProcess`].
pub fn blocking_shared(store: Arc<impl BlockingStorage>) -> Arc<dyn Storage> {
    Arc::new(Adapter(Blocking::shared(store)))
}

/// For stores that live in this process: one per home for as long as somebody holds it, so that two
/// calls of [`Subject::open`] give two handles on one store.
pub struct InProcess<S>(Mutex<HashMap<PathBuf, Weak<S>>>);

impl<S> InProcess<S> {
    /// No homes yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// The store of this home, made now if nobody holds it.
    pub fn open(&self, home: &Path, make: impl FnOnce() -> S) -> Arc<S> {
        let made = self.try_open(home, || Ok::<_, std::convert::Infallible>(make()));
        made.unwrap_or_else(|never| match never {})
    }

    /// The store of this home, made now if nobody holds it and it can be.
    pub fn try_open<E>(
        &self,
        home: &Path,
        make: impl FnOnce() -> Result<S, E>,
    ) -> Result<Arc<S>, E> {
        let mut homes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = homes.get(home).and_then(Weak::upgrade) {
            return Ok(store);
        }
        homes.retain(|_, store| store.strong_count() > 0);
        let store = Arc::new(make()?);
        homes.insert(home.to_owned(), Arc::downgrade(&store));
        Ok(store)
    }
}

impl<S> Default for InProcess<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for InProcess<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

/// A [`Subject`] of any type.
#[derive(Clone)]
pub struct AnySubject(Arc<dyn Erased>);

impl AnySubject {
    /// Takes a subject.
    pub fn new(subject: impl Subject) -> Self {
        Self(Arc::new(subject))
    }

    /// See [`Subject::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    pub(crate) async fn open(&self, home: &Path) -> Opened {
        let_processes_start();
        self.0.open(home).await
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits()
    }

    pub(crate) fn bounded(&self, home: &Path, bytes: u64) -> Option<Opened> {
        let_processes_start();
        self.0.bounded(home, bytes)
    }

    pub(crate) fn over(&self, inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>> {
        self.0.over(inner)
    }

    pub(crate) fn damage(&self) -> Option<Damage> {
        self.0.damage()
    }
}

impl fmt::Debug for AnySubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.name())
    }
}

/// [`Subject`] as a trait object: `open` returns a box, so that authors may write `async fn open`.
trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn open<'a>(&'a self, home: &'a Path) -> Pin<Box<dyn Future<Output = Opened> + Send + 'a>>;
    fn limits(&self) -> Limits;
    fn bounded(&self, home: &Path, bytes: u64) -> Option<Opened>;
    fn over(&self, inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>>;
    fn damage(&self) -> Option<Damage>;
}

impl<S: Subject> Erased for S {
    fn name(&self) -> &'static str {
        Subject::name(self)
    }

    fn open<'a>(&'a self, home: &'a Path) -> Pin<Box<dyn Future<Output = Opened> + Send + 'a>> {
        Box::pin(Subject::open(self, home))
    }

    fn limits(&self) -> Limits {
        Subject::limits(self)
    }

    fn bounded(&self, home: &Path, bytes: u64) -> Option<Opened> {
        Subject::bounded(self, home, bytes)
    }

    fn over(&self, inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>> {
        Subject::over(self, inner)
    }

    fn damage(&self) -> Option<Damage> {
        Subject::damage(self)
    }
}
