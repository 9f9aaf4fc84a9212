//! Is a store sound? Every reference, content, side file and orphan of any store, and the repair of
//! the damage that the Python service leaves behind.
//!
//! The judging is pure (`hash`, `entry`, `files`): facts in, findings and the batch that would
//! repair them out. This module and `inspect` gather the facts and carry the batches out. Every
//! change of a repair is conditional on what was read, so a service may go on working on the store:
//! where it was faster, the facts are gathered again. What is damage and what is only odd is decided
//! here: what the service writes itself is never damage, an entry updated since it was stored, say.
//!
//! A namespace is gone through three times: hash references, entries, files. Of the entries only a
//! mark of each content file and data folder is kept: 16 bytes for each place an entry keeps its
//! content at, so 16 MB for a million entries of the strategy `direct` (twice that for a moment
//! while the list grows), and three times that for `temporal_versioned`.

use std::fmt;

use crate::key::Namespace;
use crate::storage::walk;
use crate::storage::{Result, Storage};

mod entry;
mod files;
mod hash;
mod inspect;
mod orphans;

use inspect::Inspector;

/// What a check may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// Nothing.
    Nothing,
    /// References and side files. No content, no child data.
    References,
    /// Those, and what no entry leads to is deleted: content, child data, side files.
    Orphans,
}

impl Repair {
    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::References => "references",
            Self::Orphans => "orphans",
        }
    }
}

/// How a store is to be checked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which namespaces; none named: all.
    pub namespaces: Vec<Namespace>,
    /// What may be changed.
    pub repair: Repair,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// What was stored less than so many milliseconds ago is no orphan: a store may be under way.
    pub grace_ms: u64,
}

impl Options {
    /// All namespaces, no repairs, an hour of grace.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self { namespaces: Vec::new(), repair: Repair::Nothing, now_ms, grace_ms: 60 * 60 * 1000 }
    }
}

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A hash reference that is not one JSON text: two Python writers left two in one file.
    HashUnreadable,
    /// A hash reference that says it is another's.
    HashMisnamed,
    /// A hash reference that lists one entry twice.
    DuplicateId,
    /// A hash reference whose `total_versions` is not the number of its entries.
    WrongCount,
    /// A hash reference whose `latest_id` is none of its entries.
    WrongLatest,
    /// A hash reference that lists an entry that is not there.
    ListsMissingEntry,
    /// A hash reference that lists an entry of another hash.
    ListsForeignEntry,
    /// A hash reference without entries.
    NoEntries,
    /// An entry without a hash reference.
    HashMissing,
    /// An entry that its hash reference does not list: lost to another Python writer.
    VersionLost,
    /// An entry reference that cannot be read.
    EntryUnreadable,
    /// An entry reference that says it is another's.
    EntryMisnamed,
    /// An entry none of whose content is there.
    ContentMissing,
    /// An entry of which a copy of the content is missing, and another is there.
    CopyMissing,
    /// An entry of JSON whose content is not: the Python service let bytes be written over it.
    ContentUnreadable,
    /// Content whose `.metadata` is missing or cannot be read.
    MetadataMissing,
    /// Content whose `.config` is missing or cannot be read.
    ConfigMissing,
    /// An entry whose paths are not written as a store writes them (`a//b`).
    UncleanPath,
    /// An entry without a folder for child data: odd cache keys made the Python service write none.
    NoDataFolder,
    /// An entry that does not list all its files, so that a delete would leave some.
    PathsIncomplete,
    /// Content that no entry leads to.
    OrphanContent,
    /// Child data that no entry leads to.
    OrphanChildData,
    /// A side file without content.
    OrphanSideFile,
    /// Something that neither service writes.
    Stray,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::HashUnreadable,
        Self::HashMisnamed,
        Self::DuplicateId,
        Self::WrongCount,
        Self::WrongLatest,
        Self::ListsMissingEntry,
        Self::ListsForeignEntry,
        Self::NoEntries,
        Self::HashMissing,
        Self::VersionLost,
        Self::EntryUnreadable,
        Self::EntryMisnamed,
        Self::ContentMissing,
        Self::CopyMissing,
        Self::ContentUnreadable,
        Self::MetadataMissing,
        Self::ConfigMissing,
        Self::UncleanPath,
        Self::NoDataFolder,
        Self::PathsIncomplete,
        Self::OrphanContent,
        Self::OrphanChildData,
        Self::OrphanSideFile,
        Self::Stray,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HashUnreadable => "hash-unreadable",
            Self::HashMisnamed => "hash-misnamed",
            Self::DuplicateId => "duplicate-id",
            Self::WrongCount => "wrong-count",
            Self::WrongLatest => "wrong-latest",
            Self::ListsMissingEntry => "lists-missing-entry",
            Self::ListsForeignEntry => "lists-foreign-entry",
            Self::NoEntries => "no-entries",
            Self::HashMissing => "hash-missing",
            Self::VersionLost => "version-lost",
            Self::EntryUnreadable => "entry-unreadable",
            Self::EntryMisnamed => "entry-misnamed",
            Self::ContentMissing => "content-missing",
            Self::CopyMissing => "copy-missing",
            Self::ContentUnreadable => "content-unreadable",
            Self::MetadataMissing => "metadata-missing",
            Self::ConfigMissing => "config-missing",
            Self::UncleanPath => "unclean-path",
            Self::NoDataFolder => "no-data-folder",
            Self::PathsIncomplete => "paths-incomplete",
            Self::OrphanContent => "orphan-content",
            Self::OrphanChildData => "orphan-child-data",
            Self::OrphanSideFile => "orphan-side-file",
            Self::Stray => "stray",
        }
    }

    /// What a repair of it does; `None` when there is nothing that could be done without a person.
    #[must_use]
    pub fn repair(self) -> Option<&'static str> {
        Some(match self {
            Self::HashUnreadable => {
                "write it again from the first complete text in it and the entries of the hash"
            }
            Self::HashMisnamed => "give it the hash that it is filed under",
            Self::DuplicateId => "list the entry once",
            Self::WrongCount => "write the number of entries it lists",
            Self::WrongLatest => "make the newest entry the latest",
            Self::ListsMissingEntry | Self::ListsForeignEntry => "take the entry out of the list",
            Self::NoEntries => "delete the reference",
            Self::HashMissing => "write a hash reference",
            Self::VersionLost => "list the entry, in order of time",
            Self::EntryUnreadable => "write it again from the metadata of its content",
            Self::ContentMissing => "delete the references, which point at nothing",
            Self::CopyMissing => "copy it from the copy that is there",
            Self::ContentUnreadable => "make the entry one of bytes",
            Self::MetadataMissing => "write it again from the entry and its content",
            Self::ConfigMissing => "write it again from the entry",
            Self::UncleanPath => "write the path as the store has it",
            Self::NoDataFolder => "name the folder beside the content",
            Self::PathsIncomplete => "list the files",
            Self::OrphanContent | Self::OrphanChildData | Self::OrphanSideFile => "delete it",
            Self::EntryMisnamed | Self::Stray => return None,
        })
    }

    /// How much a repair must be allowed to change.
    #[must_use]
    pub fn needs(self) -> Repair {
        match self {
            Self::OrphanContent | Self::OrphanChildData | Self::OrphanSideFile => Repair::Orphans,
            _ => Repair::References,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of damage.
    pub kind: Kind,
    /// The physical name of the file that is wrong.
    pub key: String,
    /// What is wrong with it.
    pub detail: String,
    /// What was done about it.
    pub outcome: Outcome,
}

/// What was done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing, since it was not asked for; [`Kind::repair`] says what would be done.
    Repairable,
    /// It was repaired as [`Kind::repair`] says.
    Repaired,
    /// Nothing, and nothing would be: why.
    Left(&'static str),
}

/// What a check has found, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Namespaces gone through.
    pub namespaces: u64,
    /// Entry references looked at.
    pub entries: u64,
    /// Hash references looked at.
    pub hashes: u64,
    /// Keys below `data/` looked at.
    pub files: u64,
    /// Bytes of content read.
    pub bytes: u64,
    /// Content that is not what its metadata says, as after an update: no damage.
    pub updated: u64,
    /// Files without an entry that are too young to be called orphans.
    pub young: u64,
    /// How many of each kind were found.
    pub found: [u64; Kind::ALL.len()],
    /// Findings that were repaired.
    pub repaired: u64,
}

impl Summary {
    /// All findings.
    #[must_use]
    pub fn findings(&self) -> u64 {
        self.found.iter().sum()
    }

    /// Whether nothing is wrong any more.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.findings() == self.repaired
    }

    /// The kinds found, with their numbers.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.found).filter(|(_, count)| *count > 0)
    }

    fn count(&mut self, finding: &Finding) {
        if let Some(count) = self.found.get_mut(finding.kind as usize) {
            *count += 1;
        }
        self.repaired += u64::from(finding.outcome == Outcome::Repaired);
    }
}

/// What a check tells while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something is wrong.
    Found(&'a Finding),
    /// So far.
    Progress(&'a Summary),
}

/// Checks a store. `tell` hears of every finding at once, so that none needs to be kept.
///
/// # Errors
///
/// The store cannot answer, or cannot carry a repair out. What was found and repaired until then
/// stands; a check can be run again at any time.
pub async fn run(
    storage: &dyn Storage,
    options: &Options,
    tell: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut namespaces = options.namespaces.clone();
    if namespaces.is_empty() {
        namespaces = walk::namespaces(storage).await?;
    }
    for namespace in namespaces {
        let mut inspector = Inspector::new(storage, options, namespace, &mut summary, tell);
        inspector.run().await?;
        summary.namespaces += 1;
    }
    Ok(summary)
}
