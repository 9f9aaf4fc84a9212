//! Stores by address: `disk:/var/lib/larder`, `sqlite:cache.sqlite`, `s3:bucket/prefix`. One short
//! text where the service has a mode and variables.
//!
//! An address is turned into the variables that say the same, over those that are set; so what else
//! belongs to a store (how it waits for the disk, the way to S3) comes from where the service takes
//! it, and every store has an address that has a mode.

use std::path::Path;

use thiserror::Error;

use super::cli::Flags;
use super::reader::Reader;
use super::{Aws, ConfigErrors, SqlitePath, StorageConfig, storage, table};
use crate::key::InvalidName;

/// The addresses there are, for help and messages.
pub const ADDRESSES: &str =
    "disk:FOLDER, sqlite:FILE, zip:FILE, s3:BUCKET, s3:BUCKET/PREFIX or memory";

/// What the part of an address after the first `/` of an S3 bucket sets.
const S3_KEY_PREFIX: &str = "CACHE__SERVICE__S3_KEY_PREFIX";

/// Why an address is not understood.
#[derive(Debug, Error)]
pub enum AddressError {
    /// It is not of any kind.
    #[error("{address:?} is not the address of a store; accepted: {ADDRESSES}")]
    Unknown {
        /// The address.
        address: String,
    },
    /// The name of a namespace is not accepted.
    #[error("--namespace {name:?}: {error}")]
    Namespace {
        /// The name.
        name: String,
        /// What is wrong.
        error: InvalidName,
    },
    /// A part of it, or a variable that belongs to it, is not accepted.
    #[error("{address}: {source}")]
    Settings {
        /// The address.
        address: String,
        /// What is wrong.
        source: ConfigErrors,
    },
}

/// A store by its address, with all that opening it takes.
#[derive(Debug, Clone)]
pub struct StorePlace {
    /// The address, as given.
    pub address: String,
    /// The backend and its place.
    pub storage: StorageConfig,
    /// The S3 client's settings; all empty for other stores.
    pub aws: Aws,
}

impl StorePlace {
    /// Reads an address. `lookup` answers for the environment.
    ///
    /// # Errors
    ///
    /// The address is not understood, or a variable that belongs to the store is not accepted.
    pub fn from_env(
        address: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, AddressError> {
        let said = variables(address)
            .ok_or_else(|| AddressError::Unknown { address: address.to_owned() })?;
        let overlaid = |name: &str| match said.iter().find(|(said, _)| *said == name) {
            Some((_, value)) => Some((*value).to_owned()),
            None => lookup(name),
        };
        let flags = Flags::default();
        let mut reader = Reader::new(&overlaid, &flags);
        match storage::settle(&mut reader) {
            Ok(settled) if reader.problems.is_empty() => {
                Ok(Self { address: address.to_owned(), storage: settled.config, aws: settled.aws })
            }
            _ => Err(AddressError::Settings {
                address: address.to_owned(),
                source: ConfigErrors::new(reader.problems),
            }),
        }
    }

    /// Whether what is kept there outlives the process that keeps it.
    #[must_use]
    pub fn lasts(&self) -> bool {
        let sqlite = |path: &SqlitePath| *path != SqlitePath::InMemory;
        match &self.storage {
            StorageConfig::Memory { .. } => false,
            StorageConfig::Sqlite { path, .. } => sqlite(path),
            StorageConfig::LocalDisk { .. }
            | StorageConfig::Zip { .. }
            | StorageConfig::S3 { .. } => true,
        }
    }

    /// The file or folder that the store is, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.storage {
            StorageConfig::LocalDisk { root, .. } => Some(root),
            StorageConfig::Sqlite { path: SqlitePath::File(path), .. }
            | StorageConfig::Zip { path, .. } => Some(path),
            StorageConfig::Sqlite { path: SqlitePath::InMemory, .. }
            | StorageConfig::Memory { .. }
            | StorageConfig::S3 { .. } => None,
        }
    }
}

/// The variables that say what an address says.
fn variables(address: &str) -> Option<Vec<(&'static str, &str)>> {
    let mode = table::STORAGE_MODE.name;
    if address == "memory" {
        return Some(vec![(mode, "memory")]);
    }
    let (kind, place) = address.split_once(':')?;
    if place.is_empty() {
        return None;
    }
    Some(match kind {
        "disk" | "local_disk" => {
            vec![(mode, "local_disk"), (table::LOCAL_DISK_PATH.name, place)]
        }
        "sqlite" => vec![(mode, "sqlite"), (table::SQLITE_PATH.name, place)],
        "zip" => vec![(mode, "zip"), (table::ZIP_PATH.name, place)],
        "s3" => {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            // Without a prefix it is the whole bucket, whatever is set.
            vec![(mode, "s3"), (table::BUCKET_NAME.name, bucket), (S3_KEY_PREFIX, prefix)]
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;
    use rstest::rstest;

    fn place(address: &str) -> Result<StorePlace, AddressError> {
        let relaxed = |name: &str| (name == table::DURABILITY.name).then(|| "relaxed".to_owned());
        StorePlace::from_env(address, relaxed)
    }

    #[rstest]
    #[case("disk:/a b/c", "local_disk", Some("/a b/c"))]
    #[case("local_disk:rel", "local_disk", Some("rel"))]
    #[case("sqlite:x:y.db", "sqlite", Some("x:y.db"))]
    #[case("zip:/x.zip", "zip", Some("/x.zip"))]
    #[case("s3:some-bucket/a/b", "s3", None)]
    #[case("s3:some-bucket", "s3", None)]
    fn addresses_name_stores(
        #[case] address: &str,
        #[case] mode: &str,
        #[case] path: Option<&str>,
    ) {
        let place = place(address).unwrap();
        assert_eq!(place.storage.mode(), mode);
        assert_eq!(place.path(), path.map(Path::new));
        assert!(place.lasts());
    }

    #[rstest]
    #[case("memory")]
    #[case("sqlite::memory:")]
    fn what_ends_with_the_process_says_so(#[case] address: &str) {
        assert!(!place(address).unwrap().lasts());
    }

    #[test]
    fn the_rest_comes_from_the_environment() {
        let StorageConfig::Zip { durability, .. } = place("zip:/x.zip").unwrap().storage else {
            panic!("not a ZIP store");
        };
        assert_eq!(durability, Durability::Relaxed);
    }

    #[rstest]
    #[case("")]
    #[case("disk")]
    #[case("disk:")]
    #[case("/var/lib")]
    #[case("ftp:x")]
    #[case("memory:")]
    fn other_texts_are_refused(#[case] address: &str) {
        let error = place(address).unwrap_err().to_string();
        assert!(error.contains("disk:FOLDER"), "{error}");
    }

    #[rstest]
    #[case("s3:UPPER", "BUCKET_NAME")]
    #[case("zip:folder/", "ZIP_PATH")]
    fn parts_are_held_to_the_rules_of_their_variables(#[case] address: &str, #[case] name: &str) {
        let error = place(address).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(address), "{error}");
    }
}
