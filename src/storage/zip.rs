//! One ZIP archive: the value of a key is the member of that name.
//!
//! This is the layout of the Python service (one member a key, deflate, UTF-8 names, no folders, no
//! comment), so either can open what the other left; and any program that reads ZIP can read it, also
//! while the store is in use. What other programs may have put in is tolerated: members that are not
//! compressed, several members of one name (the last counts), 64-bit forms; and members whose names are
//! no keys are kept as they are and not listed. A missing or empty file is an empty store. Anything else
//! is refused and not touched.
//!
//! # The files
//!
//! | beside `cache.zip` | |
//! |---|---|
//! | `cache.zip.larder-journal-N` | batches that are not in the archive yet; gone after a clean end |
//! | `cache.zip.larder-new` | the next archive, while it is being written; of no worth to anyone else |
//!
//! **The archive itself is never changed, only replaced**, by a finished and synced one, in one system
//! call. So it is whole at any moment, whoever looks at it and wherever a crash stops us. To append to it
//! in place would be cheaper, but while that goes on no other program can read it; and if it is cut
//! short, the Python service takes the archive for empty and overwrites it.
//!
//! # Writing
//!
//! A batch goes to the *journal*, an append-only file of checksummed records (see `journal`), compressed
//! and with the very headers it will have in the archive. Batches that arrive while another is written
//! wait and go into one record with one sync (`commit`). With [`Durability::Full`] the sync comes before
//! the batch can be seen and before it is acknowledged. So a batch costs what its own bytes cost, however
//! large the archive is.
//!
//! # Checkpoints
//!
//! A *checkpoint* (`checkpoint`) writes the next archive: members that are still wanted are copied from
//! file to file as they stand, those in the journal are appended, so that members are in order of their last
//! write, and what was overwritten or deleted is left out. Reads and writes go on meanwhile. It takes
//! place
//!
//! - when journal and garbage together exceed half of the archive (and 4 MiB): copying then costs a small
//!   multiple of what was written, however large the archive is;
//! - every half minute, while the archive is small or a fair share of it is new;
//! - when the store is closed, which leaves the archive alone; and on request ([`Zip::checkpoint`]).
//!
//! It needs room for a second archive. While there is none, the journal goes on, and opening the store
//! brings both together.
//!
//! # After a crash
//!
//! A journal names the archive that it continues by a hash of its directory, and the next archive is
//! noted in it before it replaces the present one. So whichever of them is found, what is to be done again is
//! known. If it is neither, another program has changed the archive after a crash, and the store refuses to
//! open: to drop acknowledged batches or to write them over someone's changes is not for us to choose. A
//! record that is cut at the end of the journal was never acknowledged, and is dropped; a broken record
//! with whole ones behind it is damage, and refused.
//!
//! # Who uses it
//!
//! One process, which holds a lock on the archive (`flock`, so that it ends with the process). Another
//! that opens it is refused. Within the process, all handles on one archive are one store.
//!
//! # Memory, reading, versions
//!
//! Names and places of members are in memory, values are not: they are read from the archive or the
//! journal, and their checksum is compared. The version of a value is its SHA-256, as on disk, so equal
//! versions mean equal bytes without a thought of checksums that collide or of what another program did
//! to the archive in between. Those of members from an archive are found out when they are first asked
//! for, so that opening does not read all values.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blocking::BlockingStorage;
use super::{Batch, Durability, Error, List, Object, Page, Promises, Result, Stat, files, sorted};
use crate::key::{Key, Namespace};
use shared::Shared;

mod archive;
mod checkpoint;
mod commit;
mod index;
mod journal;
mod keeper;
mod member;
mod open;
mod paths;
mod record;
mod shared;
mod store;

/// The name of this store in errors.
const BACKEND: &str = "zip";

/// A handle on a store in a ZIP archive. When the last one in the process is dropped, the archive is
/// brought up to date and the journal removed.
pub struct Zip {
    shared: Arc<Shared>,
    durability: Durability,
}

impl Zip {
    /// Opens the store in an archive, and makes the archive (and the folders above it) if it is missing.
    ///
    /// Fails with a clear error when another process uses it, when there is something else than an
    /// archive at `path`, and when a journal is found that does not belong to the archive.
    pub fn open(path: impl AsRef<Path>, durability: Durability) -> Result<Self> {
        Ok(Self { shared: Shared::open(path.as_ref(), durability)?, durability })
    }

    /// Where the archive is, links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.store().path()
    }

    /// Brings the archive up to date, so that it alone holds all that was acknowledged before this
    /// call, and gives back the space of what was overwritten or deleted.
    pub fn checkpoint(&self) -> Result<()> {
        self.shared.store().checkpoint()
    }
}

impl BlockingStorage for Zip {
    fn promises(&self) -> Promises {
        Promises { atomic_batches: true, survives_restart: true, shared_between_processes: false }
    }

    fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.shared.store().get(key)
    }

    fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.shared.store().stat(key)
    }

    fn apply(&self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.shared.apply(batch, self.durability)
    }

    fn list(&self, query: List) -> Result<Page> {
        Ok(sorted::page(self.shared.store().index().slots(), &query, |slot| slot.size))
    }

    fn namespaces(&self) -> Result<Vec<Namespace>> {
        Ok(sorted::namespaces(self.shared.store().index().slots()))
    }
}

impl fmt::Debug for Zip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zip")
            .field("path", &self.path())
            .field("durability", &self.durability)
            .field("objects", &self.shared.store().index().slots().len())
            .finish()
    }
}

/// [`files::failed`] of this store.
fn failed<E: Into<std::io::Error>>(
    doing: &'static str,
    place: &Path,
) -> impl FnOnce(E) -> Error + use<E> {
    files::failed(BACKEND, doing, place.display().to_string())
}

fn corrupt(at: impl Into<String>, why: impl Into<super::BoxError>) -> Error {
    Error::Corrupt { backend: BACKEND, at: at.into(), source: why.into() }
}

fn unavailable(why: impl Into<super::BoxError>) -> Error {
    Error::Unavailable { backend: BACKEND, source: why.into() }
}

/// A path with something appended to its last name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
