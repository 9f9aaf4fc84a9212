//! Where a store is: the service's own addresses, and its own way of opening what is there.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use larder::config::{Config, Flags, SqlitePath, StorageConfig, StorePlace};
use larder::storage::Storage;
use larder::storage::open::{OpenError, open_place};

use crate::bench::runtime;
use crate::report::chain;

const NOBODYS: &str = "a database in memory belongs to its process; there is none to visit";

/// What stands for the store that the service's variables name.
const ENV: &str = "env";

/// The address of a store, and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    store: StorePlace,
    /// Why the service would take this store, where its variables decide.
    reason: Option<String>,
}

impl Place {
    /// Whether the store is made for the run and gone after it.
    pub(super) fn is_private(&self) -> bool {
        !self.store.lasts()
    }

    /// What is to be said of a store that the service's variables name.
    pub(super) fn note(&self) -> Option<String> {
        let reason = self.reason.as_deref()?;
        let mode = self.store.storage.mode();
        Some(if self.is_private() {
            format!(
                "the variables name a {mode} store ({reason}): a new one was judged, made for this run; \
                 whatever a service holds in memory was not looked at"
            )
        } else {
            format!("the variables name a {mode} store ({reason})")
        })
    }

    /// Fails unless there is something to open.
    pub(super) fn is_there(&self) -> Result<(), String> {
        let Some(path) = self.store.path() else { return Ok(()) };
        let (is, what) = match &self.store.storage {
            StorageConfig::LocalDisk { .. } => (path.is_dir(), "folder"),
            StorageConfig::Zip { .. } => (path.is_file(), "archive"),
            _ => (path.is_file(), "database"),
        };
        if is { Ok(()) } else { Err(format!("there is no {what} {}", path.display())) }
    }

    /// Opens it as the service does. Blocks.
    pub(super) fn open(&self) -> Result<Arc<dyn Storage>, String> {
        let opened = runtime().block_on(open_place(&self.store));
        opened.map_err(|error| match (&self.reason, error) {
            // The variable is spoken of where a variable was read.
            (None, OpenError::Unusable { source, .. }) => chain(&source),
            (None, OpenError::NotYet { mode }) => format!("this build has no {mode} store"),
            (_, error) => chain(&error),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.store.address)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lookup = |name: &str| std::env::var(name).ok();
        let place = if text == ENV {
            let Config { storage, storage_reason, aws, .. } =
                Config::from_env(lookup, &Flags::default()).map_err(|error| error.to_string())?;
            let store = StorePlace { address: text.to_owned(), storage, aws };
            Self { store, reason: Some(storage_reason) }
        } else {
            let store = StorePlace::from_env(text, lookup).map_err(|error| {
                // What is wrong with a variable is said below the address.
                format!("{}; or {ENV}, for the store that the variables name", chain(&error))
            })?;
            Self { store, reason: None }
        };
        match &place.store.storage {
            StorageConfig::Sqlite { path: SqlitePath::InMemory, .. } => Err(NOBODYS.into()),
            _ => Ok(place),
        }
    }
}
