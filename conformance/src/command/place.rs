//! Where a store is: addresses, and the service's own way of opening what is there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use larder::config::{Aws, Config, Durability, Flags, SqlitePath, StorageConfig};
use larder::storage::Storage;
use larder::storage::open::{OpenError, open};

use crate::bench::runtime;
use crate::report::chain;

const NOBODYS: &str = "a database in memory belongs to its process; there is none to visit";

/// The address of a store, and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    text: String,
    config: StorageConfig,
    /// The way to buckets; without settings of its own, the one the AWS tools take.
    aws: Aws,
    /// Why the service would take this store, where its variables decide.
    reason: Option<String>,
}

impl Place {
    /// Whether the store is made for the run and gone after it.
    pub(super) fn is_private(&self) -> bool {
        matches!(self.config, StorageConfig::Memory { .. })
    }

    /// What is to be said of a store that the service's variables name.
    pub(super) fn note(&self) -> Option<String> {
        let reason = self.reason.as_deref()?;
        let mode = self.config.mode();
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
        let (path, is, what) = match &self.config {
            StorageConfig::LocalDisk { root, .. } => (root, root.is_dir(), "folder"),
            StorageConfig::Sqlite { path: SqlitePath::File(path), .. } => {
                (path, path.is_file(), "database")
            }
            StorageConfig::Zip { path, .. } => (path, path.is_file(), "archive"),
            StorageConfig::Memory { .. }
            | StorageConfig::Sqlite { path: SqlitePath::InMemory, .. }
            | StorageConfig::S3 { .. } => return Ok(()),
        };
        if is { Ok(()) } else { Err(format!("there is no {what} {}", path.display())) }
    }

    /// Opens it as the service does. Blocks.
    pub(super) fn open(&self) -> Result<Arc<dyn Storage>, String> {
        let opened = runtime().block_on(open(&self.config, &self.aws));
        opened.map(|opened| opened.storage).map_err(|error| match (&self.reason, error) {
            // The variable is spoken of where a variable was read.
            (None, OpenError::Unusable { source, .. }) => chain(&source),
            (None, OpenError::NotYet { mode }) => format!("this build has no {mode} store"),
            (_, error) => chain(&error),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "env" {
            let lookup = |name: &str| std::env::var(name).ok();
            let config =
                Config::from_env(lookup, &Flags::default()).map_err(|error| error.to_string())?;
            if matches!(config.storage, StorageConfig::Sqlite { path: SqlitePath::InMemory, .. }) {
                return Err(NOBODYS.into());
            }
            return Ok(Self {
                text: text.to_owned(),
                config: config.storage,
                aws: config.aws,
                reason: Some(config.storage_reason),
            });
        }
        let (scheme, rest) =
            text.split_once(':').ok_or("no store's address; say memory:, disk:/path, …")?;
        let path = || -> Result<PathBuf, String> {
            // `file:///path` and `disk:/path` alike.
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() { Err(format!("{scheme}: needs a path")) } else { Ok(path.into()) }
        };
        // What the service does unless it is told otherwise.
        let durability = Durability::Full;
        let config = match scheme {
            "memory" => StorageConfig::Memory { max_bytes: None },
            "disk" | "file" => StorageConfig::LocalDisk { root: path()?, durability },
            "sqlite" if rest == ":memory:" => return Err(NOBODYS.into()),
            "sqlite" => StorageConfig::Sqlite { path: SqlitePath::File(path()?), durability },
            "zip" => StorageConfig::Zip { path: path()?, durability },
            "s3" => {
                let bucket = rest.trim_start_matches('/').to_owned();
                if bucket.is_empty() {
                    return Err("s3: needs a bucket".into());
                }
                StorageConfig::S3 { bucket }
            }
            _ => return Err(format!("no store is called {scheme}:")),
        };
        Ok(Self { text: text.to_owned(), config, aws: Aws::default(), reason: None })
    }
}
