//! Everything that the documents of an entry say, kept once instead of in three texts.
//!
//! A store plans its entry reference, file configuration and file metadata as documents over these
//! facts; they become text where a store keeps bytes, or when somebody reads them.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;

use super::digest::{self, ContentHash, Digest};
use super::document::{Document, Writer};
use super::ident::{CacheId, FileType, Strategy};
use super::layout::Copy;
use super::refs::{
    EntryRef, FileConfig, FileMetadata, HashRef, Paths, REFERENCE_INDENT, SIDECAR_INDENT,
    StoredData,
};
use crate::key::{Key, Namespace};
use crate::storage::{Body, Part, Render};

/// What is known of an entry when it is stored.
#[derive(Debug)]
pub(super) struct Facts {
    pub namespace: Namespace,
    pub strategy: Strategy,
    pub cache_key: Box<str>,
    /// `None` when it is the id.
    pub file_id: Option<Box<str>>,
    pub id: CacheId,
    pub hash: Digest,
    pub file_type: FileType,
    pub encoding: Option<Box<str>>,
    pub field_path: Option<Box<str>>,
    /// Bytes of the content file.
    pub size: u64,
    /// When it is stored, in milliseconds since 1970.
    pub now: u64,
    /// The files of the first copy.
    pub copy: Copy,
    /// Those of the others.
    pub more_copies: Box<[Copy]>,
    pub id_key: Key,
    pub hash_key: Key,
}

impl Facts {
    /// The files, a set for each copy.
    pub(super) fn copies(&self) -> impl Iterator<Item = &Copy> + Clone {
        std::iter::once(&self.copy).chain(&self.more_copies)
    }

    pub(super) fn file_id(&self) -> &str {
        self.file_id.as_deref().unwrap_or(self.id.as_str())
    }

    pub(super) fn paths(&self) -> Paths {
        Paths {
            data: self.data_paths().into_iter().map(str::to_owned).collect(),
            by_hash: vec![self.hash_key.as_str().to_owned()],
            by_id: vec![self.id_key.as_str().to_owned()],
        }
    }

    /// The content files and their side files, sorted.
    fn data_paths(&self) -> Vec<&str> {
        let keys = self.copies().flat_map(|copy| [&copy.content, &copy.config, &copy.metadata]);
        let mut paths: Vec<&str> = keys.map(Key::as_str).collect();
        paths.sort_unstable();
        paths
    }

    /// Writes [`Facts::paths`].
    pub(super) fn write_paths(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("data").strings(self.data_paths());
            json.name("by_hash").strings([self.hash_key.as_str()]);
            json.name("by_id").strings([self.id_key.as_str()]);
        });
    }

    pub(super) fn reference(&self) -> EntryRef {
        let contents = || self.copies().map(|copy| copy.content.as_str().to_owned());
        EntryRef {
            all_paths: self.paths(),
            cache_id: self.id.as_str().to_owned(),
            cache_hash: self.hash.as_str().to_owned(),
            content_files: contents().collect(),
            data_folders: self.copies().map(Copy::data_folder).collect(),
            file_type: self.file_type,
            namespace: self.namespace.as_str().to_owned(),
            strategy: self.strategy.name().to_owned(),
            timestamp: self.now,
        }
    }

    fn config(&self) -> FileConfig {
        // Upstream: a slash at the end of a cache key shows here and nowhere else.
        let keyed = self.strategy == Strategy::KeyBased && self.cache_key.ends_with('/');
        let slash = if keyed { "/" } else { "" };
        FileConfig {
            file_id: self.file_id().to_owned(),
            file_key: self.cache_key.to_string(),
            file_paths: self.copies().map(|copy| format!("{}{slash}", copy.folder())).collect(),
            file_type: self.file_type,
        }
    }

    pub(super) fn stored_data(&self) -> StoredData {
        let owned = |text: &str| Some(text.to_owned());
        StoredData {
            cache_hash: owned(self.hash.as_str()),
            cache_key: owned(&self.cache_key),
            cache_id: owned(self.id.as_str()),
            content_encoding: self.encoding.as_deref().map(str::to_owned),
            file_id: owned(self.file_id()),
            file_type: owned(self.file_type.name()),
            json_field_path: self.field_path.as_deref().map(str::to_owned),
            namespace: owned(self.namespace.as_str()),
            stored_at: Some(self.now),
            strategy: owned(self.strategy.name()),
        }
    }

    /// What one of the documents counts for where memory is bounded: the facts belong to all three.
    fn weight(&self) -> usize {
        let keys: usize = self.copies().map(|copy| copy.content.as_str().len() * 3).sum();
        let own = keys + self.id_key.as_str().len() + self.hash_key.as_str().len();
        (size_of::<Self>() + own + self.cache_key.len()) / 3
    }
}

/// Reads an entry reference. `None` when the body is not one.
pub(super) fn entry_ref(body: &Body) -> Option<EntryRef> {
    match body.document_of::<Facts>() {
        Some(facts) => Some(facts.reference()),
        None => EntryRef::parse(body),
    }
}

/// Reads a hash reference. `None` when the body is not one.
pub(super) fn hash_ref(body: &Body) -> Option<HashRef> {
    body.document_of().cloned().or_else(|| HashRef::parse(body))
}

/// Reads file metadata. `None` when the body is not any.
pub(super) fn file_metadata(body: &Body) -> Option<FileMetadata> {
    match body.document_of::<MetadataOf>() {
        Some(document) => Some(document.metadata()),
        None => FileMetadata::parse(body),
    }
}

/// Reads what file metadata says of the entry. `None` when the body is no metadata.
pub(super) fn stored_data(body: &Body) -> Option<StoredData> {
    match body.document_of::<MetadataOf>() {
        Some(document) => Some(document.facts.stored_data()),
        None => Some(FileMetadata::parse(body)?.data),
    }
}

/// An entry that was found, as far as reading its content needs to know it.
#[derive(Debug)]
pub(super) enum Located {
    /// By the facts that its reference is kept as.
    Kept(Arc<Facts>),
    /// By its reference.
    Read(Box<EntryRef>),
}

impl Located {
    /// Of an entry reference. `None` when the body is not one.
    pub(super) fn of(body: &Body) -> Option<Self> {
        match body.shared_document_of() {
            Some(facts) => Some(Self::Kept(facts)),
            None => EntryRef::parse(body).map(|reference| Self::Read(Box::new(reference))),
        }
    }

    pub(super) fn cache_id(&self) -> &str {
        match self {
            Self::Kept(facts) => facts.id.as_str(),
            Self::Read(reference) => &reference.cache_id,
        }
    }

    pub(super) fn cache_hash(&self) -> &str {
        match self {
            Self::Kept(facts) => facts.hash.as_str(),
            Self::Read(reference) => &reference.cache_hash,
        }
    }

    pub(super) fn file_type(&self) -> FileType {
        match self {
            Self::Kept(facts) => facts.file_type,
            Self::Read(reference) => reference.file_type,
        }
    }

    pub(super) fn strategy(&self) -> Option<Strategy> {
        match self {
            Self::Kept(facts) => Some(facts.strategy),
            Self::Read(reference) => Strategy::parse(&reference.strategy),
        }
    }

    /// The key of the first copy of the content, as [`EntryRef::content_key`].
    pub(super) fn content_key(&self, namespace: &Namespace) -> Option<Cow<'_, Key>> {
        match self {
            Self::Kept(facts) => Some(Cow::Borrowed(&facts.copy.content)),
            Self::Read(reference) => reference.content_key(namespace).map(Cow::Owned),
        }
    }

    /// The key of the configuration beside the first copy of the content.
    pub(super) fn config_key(&self, namespace: &Namespace) -> Option<Cow<'_, Key>> {
        match self {
            Self::Kept(facts) => Some(Cow::Borrowed(&facts.copy.config)),
            Self::Read(reference) => beside(reference, namespace, ".config").map(Cow::Owned),
        }
    }

    /// The key of the metadata beside the first copy of the content.
    pub(super) fn metadata_key(&self, namespace: &Namespace) -> Option<Cow<'_, Key>> {
        match self {
            Self::Kept(facts) => Some(Cow::Borrowed(&facts.copy.metadata)),
            Self::Read(reference) => beside(reference, namespace, ".metadata").map(Cow::Owned),
        }
    }
}

fn beside(reference: &EntryRef, namespace: &Namespace, suffix: &str) -> Option<Key> {
    namespace.key_from_physical(&format!("{}{suffix}", reference.content_files.first()?))
}

/// The number of the entry reference among the documents of [`Facts`].
const REFERENCE: u8 = 0;
/// That of the file configuration.
const CONFIG: u8 = 1;

/// The entry reference.
pub(super) fn reference_of(facts: &Arc<Facts>) -> Body {
    Part::new(Arc::clone(facts) as _, REFERENCE).into()
}

/// The file configuration.
pub(super) fn config_of(facts: &Arc<Facts>) -> Body {
    Part::new(Arc::clone(facts) as _, CONFIG).into()
}

impl Render for Facts {
    fn render(&self, part: u8) -> Bytes {
        match part {
            CONFIG => self.config().indented(SIDECAR_INDENT).into(),
            _ => self.reference().indented(REFERENCE_INDENT).into(),
        }
    }

    fn weight(&self) -> usize {
        self.weight()
    }

    fn fetch(&self) {
        black_box((self.file_type, self.copy.content.as_str().len()));
    }
}

/// The file metadata. It holds on to the content for its hash, so it is no part of the facts, which
/// outlive content that is replaced.
#[derive(Debug)]
pub(super) struct MetadataOf {
    pub facts: Arc<Facts>,
    pub stored: StoredContent,
}

/// The content that metadata is about.
#[derive(Debug, Clone)]
pub(super) enum StoredContent {
    /// Its hash.
    Hash(ContentHash),
    /// What its hash is taken of, once somebody asks.
    Document(Part),
}

impl StoredContent {
    /// Hashes content now, unless it is a document as well, which this one may as well hold on to.
    pub(super) fn new(body: &Body) -> Self {
        match body.document() {
            Some(document) => Self::Document(document.clone()),
            None => Self::Hash(digest::content_hash(body)),
        }
    }

    fn hash(&self) -> ContentHash {
        match self {
            Self::Hash(hash) => *hash,
            Self::Document(document) => digest::content_hash(&document.render()),
        }
    }
}

impl MetadataOf {
    fn document(&self, content_hash: &str) -> FileMetadata {
        FileMetadata {
            content_hash: content_hash.to_owned(),
            content_size: self.facts.size,
            timestamp: self.facts.now,
            data: self.facts.stored_data(),
        }
    }

    pub(super) fn metadata(&self) -> FileMetadata {
        self.document(self.stored.hash().as_str())
    }
}

impl Render for MetadataOf {
    fn render(&self, _: u8) -> Bytes {
        self.metadata().indented(SIDECAR_INDENT).into()
    }

    fn size(&self, _: u8) -> u64 {
        // All hashes are of one length.
        self.document("0123456789").indented(SIDECAR_INDENT).len() as u64
    }

    fn weight(&self) -> usize {
        self.facts.weight()
    }
}

impl Render for HashRef {
    fn render(&self, _: u8) -> Bytes {
        self.indented(REFERENCE_INDENT).into()
    }

    fn fetch(&self) {
        black_box((self.latest_id().len(), self.cache_ids.len()));
    }

    fn weight(&self) -> usize {
        // An identifier and the links of a list for each older entry, all but one shared with the
        // reference before, which is gone.
        size_of::<Self>() + 128 * self.cache_ids.len().saturating_sub(1)
    }
}
