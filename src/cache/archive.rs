//! Archives: entries whose content is a ZIP file, and what is done with the files in it.
//!
//! An archive is a binary entry like any other, but for its hash, which is that of its members
//! ([`digest::of_members`](super::digest::of_members)): order, compression and dates do not matter.
//! Whatever changes an archive stores a new entry, of the same strategy, and leaves the old one as
//! it was.
//!
//! **Archives are hostile input.** The container is read and written here rather than by a library:
//! duplicate names, which upstream makes and lists, and byte-exact copies of untouched members are
//! beyond those, and parsers that disagree with Python's about which members there are would give
//! the same archive other hashes. Members are names and bytes, never paths of this service and never
//! extracted, so `../evil`, absolute names and symbolic links are harmless here. What cannot be read
//! safely is refused as a [`Refusal`], before anything is stored: limits apply to what comes out,
//! not to what headers say, and archives inside of archives are bytes.

use bytes::Bytes;

use super::Cache;
use super::content::{Content, Prepared};
use super::document::{Document, Writer};
use super::error::Result;
use super::facts::Located;
use super::ident::{CacheId, Strategy, clean_path};
use super::retrieve::Lookup;
use super::store::{NewEntry, Stored};
use crate::key::{Namespace, is_python_space};

pub mod batch;
mod contents;
mod directory;
mod draft;
mod pattern;
mod refusal;
#[cfg(test)]
mod tests;
mod write;

pub use batch::{Action, BatchRequest, Condition, Operation};
pub use pattern::Pattern;
pub use refusal::{ArchiveError, Refusal};

use batch::Progress;
use directory::Directory;
use draft::{Draft, Finished};

/// The longest path of the API, in characters.
const LONGEST_PATH: usize = 1024;

/// The longest message, in characters.
const LONGEST_MESSAGE: usize = 512;

/// An archive without members.
const EMPTY: &[u8; 22] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// What an archive may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// The most members, and the most operations of one batch.
    pub max_members: usize,
    /// The most bytes its members may unpack to together.
    pub max_total_bytes: u64,
    /// The most its members may be larger than their compressed data. Only looked at beyond 16 MiB
    /// of content.
    pub max_ratio: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { max_members: 10_000, max_total_bytes: 256 << 20, max_ratio: 1000 }
    }
}

/// Where a new archive goes.
#[derive(Debug, Clone, Copy)]
pub struct ArchivePlace<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// How the files are laid out.
    pub strategy: Strategy,
    /// The cleaned cache key; may be empty.
    pub cache_key: &'a str,
    /// The cleaned file id; the cache id when there is none.
    pub file_id: Option<&'a str>,
}

/// An archive that was stored.
#[derive(Debug, Clone)]
pub struct StoredArchive {
    /// The entry.
    pub entry: Stored,
    /// How many members it has.
    pub file_count: usize,
}

impl Document for StoredArchive {
    fn write(&self, json: &mut Writer) {
        let entry = &self.entry;
        json.object(|json| {
            entry.write_members(json);
            json.name("file_count").number(self.file_count as u64);
            json.name("stored_at").number(entry.stored_at());
            json.name("error_type").null();
            json.name("error_message").null();
            json.name("success").bool(true);
        });
    }
}

/// What came of an operation on members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operated {
    operation: &'static str,
    cache_id: CacheId,
    original_cache_id: Option<CacheId>,
    message: String,
    file_list: Vec<String>,
    files_affected: Vec<String>,
}

impl Operated {
    fn listed(id: &CacheId, mut names: Vec<&str>) -> Self {
        names.sort_unstable();
        Self {
            operation: "list",
            cache_id: *id,
            original_cache_id: None,
            message: format!("Found {} files in zip", names.len()),
            file_list: names.into_iter().map(listed_name).collect(),
            files_affected: Vec::new(),
        }
    }

    fn changed(
        operation: &'static str,
        done: &str,
        path: &str,
        id: &CacheId,
        new: CacheId,
    ) -> Self {
        Self {
            operation,
            message: shown(&format!(
                "{done} '{path}' {} zip (new cache_id: {new})",
                match operation {
                    "add" => "to",
                    _ => "from",
                }
            )),
            cache_id: new,
            original_cache_id: Some(*id),
            file_list: Vec::new(),
            files_affected: vec![path.to_owned()],
        }
    }

    /// The id of the entry that holds the result.
    #[must_use]
    pub fn cache_id(&self) -> &CacheId {
        &self.cache_id
    }
}

impl Document for Operated {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("success").bool(true);
            json.name("operation").string(self.operation);
            json.name("cache_id").string(self.cache_id.as_str());
            let original = self.original_cache_id.as_ref();
            json.name("original_cache_id").string_or_null(original.map(CacheId::as_str));
            json.name("message").string(&self.message);
            json.name("file_list").strings(&self.file_list);
            json.name("file_content").string("");
            json.name("file_size").number(0);
            json.name("files_affected").strings(&self.files_affected);
            json.name("error_details").string("");
        });
    }
}

/// What came of a batch.
#[derive(Debug, PartialEq, Eq)]
pub struct BatchDone {
    cache_id: CacheId,
    original_cache_id: CacheId,
    progress: Progress,
    new_file_count: usize,
    new_size: usize,
    completed_at: u64,
    /// Why there was nothing to work on.
    error: Option<String>,
}

impl Document for BatchDone {
    fn write(&self, json: &mut Writer) {
        let progress = &self.progress;
        let given_up = progress.given_up.as_deref();
        // What was done before a batch was given up was done to a copy that is gone.
        let names = |names: &[String]| match given_up {
            Some(_) => Vec::new(),
            None => names.iter().map(|name| listed_name(name)).collect(),
        };
        json.object(|json| {
            json.name("success").bool(progress.failed() == 0 && self.error.is_none());
            json.name("cache_id").string(self.cache_id.as_str());
            json.name("original_cache_id").string(self.original_cache_id.as_str());
            json.name("operations_applied").number(progress.applied as u64);
            json.name("operations_failed").number(progress.failed() as u64);
            json.name("operation_results").list(|json| {
                for result in &progress.results {
                    json.document(result);
                }
            });
            json.name("files_added").strings(names(&progress.added));
            json.name("files_removed").strings(names(&progress.removed));
            json.name("files_modified").strings(names(&progress.modified));
            json.name("new_file_count").number(self.new_file_count as u64);
            json.name("new_size").number(self.new_size as u64);
            json.name("completed_at").number(self.completed_at);
            json.name("rollback_performed").bool(given_up.is_some());
            json.name("error_message")
                .string(given_up.or(self.error.as_deref()).unwrap_or_default());
        });
    }
}

impl Cache {
    /// Stores an archive without members.
    pub async fn create_archive(
        &self,
        place: ArchivePlace<'_>,
    ) -> Result<StoredArchive, ArchiveError> {
        self.store_archive(place, Bytes::from_static(EMPTY)).await
    }

    /// Stores an archive, as it is.
    pub async fn store_archive(
        &self,
        place: ArchivePlace<'_>,
        bytes: Bytes,
    ) -> Result<StoredArchive, ArchiveError> {
        let limits = &self.settings.archive;
        let (hash, file_count) = {
            let directory = Directory::read(&bytes, limits.max_members)?;
            (Draft::of(&directory).hash(limits)?, directory.members.len())
        };
        let entry = self.store(place.entry(Prepared::hashed(bytes, hash))).await?;
        Ok(StoredArchive { entry, file_count })
    }

    /// Lists the members of an archive.
    pub async fn members(
        &self,
        namespace: &Namespace,
        id: &CacheId,
    ) -> Result<Operated, ArchiveError> {
        let (_, bytes) = self.archive(namespace, id).await?;
        let directory = Directory::read(&bytes, self.settings.archive.max_members)?;
        let names = directory.members.iter().map(|member| &*member.name).collect();
        Ok(Operated::listed(id, names))
    }

    /// Reads a member of an archive.
    pub async fn member(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        path: &str,
    ) -> Result<Bytes, ArchiveError> {
        if path.is_empty() {
            return Err(Refusal::NoPath("get").into());
        }
        let (_, bytes) = self.archive(namespace, id).await?;
        let limits = &self.settings.archive;
        let directory = Directory::read(&bytes, limits.max_members)?;
        let Some(member) = directory.member(path) else {
            return Err(Refusal::NoMember(path.to_owned()).into());
        };
        Ok(contents::read(&directory, member, limits)?.into())
    }

    /// Appends a member to an archive. One of the same name stays, and is read no more.
    pub async fn add_member(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        path: &str,
        content: &[u8],
    ) -> Result<Operated, ArchiveError> {
        let name = member_name(path).ok_or(Refusal::NoPath("add"))?;
        let new = self.changed_archive(namespace, id, Change::Add { name, content }).await?;
        Ok(Operated::changed("add", "Added", path, id, new))
    }

    /// Removes every member of a name from an archive. That there is none is no failure.
    pub async fn remove_member(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        path: &str,
    ) -> Result<Operated, ArchiveError> {
        if path.is_empty() {
            return Err(Refusal::NoPath("remove").into());
        }
        let new = self.changed_archive(namespace, id, Change::Remove { name: path }).await?;
        Ok(Operated::changed("remove", "Removed", path, id, new))
    }

    /// Carries a batch out. That the archive cannot be worked on is part of what came of it; an
    /// error is a limit that was broken, or a failure of the service.
    pub async fn batch(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        request: &BatchRequest,
    ) -> Result<BatchDone, ArchiveError> {
        match self.carried_out(namespace, id, request).await {
            Err(ArchiveError::Refused(refusal)) if refusal.is_limit() => Err(refusal.into()),
            Err(error @ (ArchiveError::NotFound | ArchiveError::Refused(_))) => Ok(BatchDone {
                cache_id: *id,
                original_cache_id: *id,
                progress: Progress::default(),
                new_file_count: 0,
                new_size: 0,
                completed_at: self.now_ms(),
                error: Some(shown(&error.to_string())),
            }),
            other => other,
        }
    }

    async fn carried_out(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        request: &BatchRequest,
    ) -> Result<BatchDone, ArchiveError> {
        let limits = &self.settings.archive;
        let (reference, bytes) = self.archive(namespace, id).await?;
        let (progress, file_count, finished) = {
            let directory = Directory::read(&bytes, limits.max_members)?;
            let mut draft = Draft::of(&directory);
            let progress = batch::run(&mut draft, request, limits)?;
            let changes = progress.given_up.is_none() && progress.applied > 0;
            let finished = changes.then(|| draft.finish(limits, self.now_ms())).transpose()?;
            (progress, draft.len(), finished)
        };
        let given_up = progress.given_up.is_some();
        let mut done = BatchDone {
            cache_id: *id,
            original_cache_id: *id,
            progress,
            new_file_count: if given_up { 0 } else { file_count },
            new_size: if given_up { 0 } else { bytes.len() },
            completed_at: 0,
            error: None,
        };
        if let Some(finished) = finished {
            done.new_size = finished.bytes.len();
            let content = Prepared::hashed(finished.bytes, finished.hash);
            done.cache_id = self.store_beside(namespace, &reference, content).await?;
        }
        done.completed_at = self.now_ms();
        Ok(done)
    }

    /// Reads an archive, changes a copy of it, and stores that as a new entry.
    async fn changed_archive(
        &self,
        namespace: &Namespace,
        id: &CacheId,
        change: Change<'_>,
    ) -> Result<CacheId, ArchiveError> {
        let (reference, bytes) = self.archive(namespace, id).await?;
        let finished = change.plan(&bytes, &self.settings.archive, self.now_ms())?;
        let content = Prepared::hashed(finished.bytes, finished.hash);
        Ok(self.store_beside(namespace, &reference, content).await?)
    }

    /// Stores an archive that was made of another one: of the same strategy, but without its cache
    /// key and file id, so that the other one stays.
    async fn store_beside(
        &self,
        namespace: &Namespace,
        original: &Located,
        content: Prepared,
    ) -> Result<CacheId> {
        let strategy = original.strategy().unwrap_or(Strategy::Direct);
        let place = ArchivePlace { namespace, strategy, cache_key: "", file_id: None };
        Ok(*self.store(place.entry(content)).await?.cache_id())
    }

    /// Reads a binary entry.
    async fn archive(
        &self,
        namespace: &Namespace,
        id: &CacheId,
    ) -> Result<(Located, Bytes), ArchiveError> {
        let reference =
            self.find(namespace, Lookup::Id(id)).await?.ok_or(ArchiveError::NotFound)?;
        match self.content_of(namespace, &reference, None).await? {
            Some((Content::Binary(bytes), _)) => Ok((reference, bytes)),
            Some(_) | None => Err(ArchiveError::NotFound),
        }
    }
}

impl<'a> ArchivePlace<'a> {
    fn entry(self, content: Prepared) -> NewEntry<'a> {
        let Self { namespace, strategy, cache_key, file_id } = self;
        NewEntry { namespace, strategy, cache_key, file_id, cache_id: None, content }
    }
}

/// A change of one member.
#[derive(Debug, Clone, Copy)]
enum Change<'c> {
    Add { name: &'c str, content: &'c [u8] },
    Remove { name: &'c str },
}

impl Change<'_> {
    fn plan(self, bytes: &[u8], limits: &ArchiveLimits, now_ms: u64) -> Result<Finished, Refusal> {
        let directory = Directory::read(bytes, limits.max_members)?;
        let mut draft = Draft::of(&directory);
        match self {
            Self::Add { name, content } => draft.add(name, content, limits)?,
            Self::Remove { name } => {
                draft.remove(|known| known == name);
            }
        }
        draft.finish(limits, now_ms)
    }
}

/// The name under which a path is written. `None` when nothing is left without its leading slashes
/// and backslashes, which upstream drops.
fn member_name(path: &str) -> Option<&str> {
    Some(path.trim_start_matches(['/', '\\'])).filter(|name| !name.is_empty())
}

/// A member's name in a list: cleaned as a path is, but never refused, since it is there.
fn listed_name(name: &str) -> String {
    let start: String = name.chars().take(LONGEST_PATH).collect();
    match clean_path(&start) {
        Ok(cleaned) => cleaned,
        // Nothing but underscores was left of it.
        Err(_) => "_".repeat(start.trim_matches(is_python_space).chars().count()),
    }
}

/// A message or an error text: everything outside `A-Z a-z 0-9 : . ' " ( )` and space becomes `_`,
/// as upstream has it. A long text loses its middle; upstream fails after the work was done.
#[must_use]
pub fn shown(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":.'\"() ".contains(c);
    let cleaned: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    if cleaned.len() <= LONGEST_MESSAGE {
        return cleaned;
    }
    // All ASCII by now. The end of a message holds the new id.
    const END: usize = 100;
    let start = LONGEST_MESSAGE - END - "...".len();
    format!("{}...{}", &cleaned[..start], &cleaned[cleaned.len() - END..])
}
