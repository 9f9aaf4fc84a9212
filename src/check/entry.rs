//! Judging an entry: its reference, the copies of its content, their side files.

use super::Kind;
use crate::cache::content;
use crate::cache::digest;
use crate::cache::document::Document;
use crate::cache::ident::{FileType, Strategy};
use crate::cache::pyjson;
use crate::cache::refs::{
    EntryRef, FileConfig, FileMetadata, REFERENCE_INDENT, SIDECAR_INDENT, StoredData,
};
use crate::key::{Key, Namespace};
use crate::storage::{Batch, Body, Expect, Object, Version};

/// What is known of an entry.
#[derive(Debug)]
pub(super) struct Facts {
    pub namespace: Namespace,
    /// The key of its reference, and the version it was read at.
    pub key: Key,
    pub version: Version,
    /// The id it is filed under.
    pub id: String,
    pub reference: EntryRef,
    /// The copies of its content, in order.
    pub copies: Vec<Copy>,
}

/// What is known of a copy of content.
#[derive(Debug)]
pub(super) struct Copy {
    /// The path in the reference.
    pub path: String,
    /// The files, by clean names; `None` when the path is the name of none.
    pub files: Option<Files>,
}

/// The three files of a copy.
#[derive(Debug)]
pub(super) struct Files {
    pub content: (Key, Option<Object>),
    pub metadata: (Key, Option<Object>),
    pub config: (Key, Option<Object>),
}

/// What was found of an entry, and what would repair it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub found: Vec<(Kind, String)>,
    /// Content that is not what its metadata says.
    pub updated: bool,
    pub remedy: Remedy,
    /// The entry as it is after the repair.
    pub reference: EntryRef,
}

/// What to do about an entry.
#[derive(Debug)]
pub(super) enum Remedy {
    /// Nothing, or this (empty for nothing).
    Write(Batch),
    /// Its content is gone: its references and the side files that are left go, too.
    Remove(Vec<(Key, Version)>),
}

/// A path as a store writes it: without empty and `.` segments. `None` with `..` in it.
pub(super) fn cleaned(path: &str) -> Option<String> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => return None,
            segment => kept.push(segment),
        }
    }
    Some(kept.join("/"))
}

/// The folder of child data that belongs to a content file.
pub(super) fn data_folder(content: &str) -> String {
    let stem = content.strip_suffix(".json").or_else(|| content.strip_suffix(".bin"));
    format!("{}/data", stem.unwrap_or(content))
}

/// Judges an entry.
pub(super) fn judge(facts: Facts) -> Verdict {
    let Facts { namespace, key, version, id, mut reference, copies } = facts;
    let mut found = Vec::new();
    let mut batch = Batch::new(&namespace);
    if reference.cache_id != id {
        let detail = format!("says it is {:?}", reference.cache_id);
        found.push((Kind::EntryMisnamed, detail));
        return Verdict { found, updated: false, remedy: Remedy::Write(batch), reference };
    }
    let before = reference.clone();
    unclean_paths(&mut reference, &copies, &mut found);

    let whole = copies.iter().filter_map(|copy| copy.files.as_ref());
    let contents = || whole.clone().filter_map(|files| files.content.1.as_ref());
    let path = copies.first().map_or("no path", |copy| &copy.path);
    let Some(bytes) = contents().next().map(|object| object.bytes.clone()) else {
        // What may lie at a path that cannot be named is not missing.
        if copies.iter().any(|copy| copy.files.is_none()) {
            return Verdict { found, updated: false, remedy: Remedy::Write(batch), reference };
        }
        found.push((Kind::ContentMissing, format!("nothing at {path}")));
        return Verdict { found, updated: false, remedy: remains(&id, &copies), reference };
    };
    let first = whole.clone().next().and_then(|files| files.content.1.as_ref());
    let read = first.map_or(&bytes, |object| &object.bytes);
    if reference.file_type == FileType::Json && pyjson::parse(read).is_err() {
        found.push((Kind::ContentUnreadable, format!("{path} is not JSON")));
        reference.file_type = FileType::Binary;
    }
    let mut updated = false;
    for files in whole {
        updated |= judge_copy(&reference, files, &bytes, &mut batch, &mut found);
    }
    data_folders(&namespace, &mut reference, &mut found);
    all_paths(&mut reference, &copies, &mut found);
    batch.then();
    if reference != before {
        let document = reference.indented(REFERENCE_INDENT);
        batch.put_if(key, document, Expect::At(version));
    }
    Verdict { found, updated, remedy: Remedy::Write(batch), reference }
}

/// Writes paths as the store has them, where it has them.
fn unclean_paths(reference: &mut EntryRef, copies: &[Copy], found: &mut Vec<(Kind, String)>) {
    for copy in copies {
        let Some(files) = &copy.files else {
            found.push((Kind::UncleanPath, format!("{:?} is the name of no file", copy.path)));
            continue;
        };
        let clean = files.content.0.as_str();
        if clean == copy.path || files.content.1.is_none() {
            continue;
        }
        found.push((Kind::UncleanPath, format!("{:?} for {clean:?}", copy.path)));
        let replace = |paths: &mut Vec<String>| {
            for path in paths {
                if let Some(rest) = path.strip_prefix(&copy.path) {
                    *path = format!("{clean}{rest}");
                }
            }
        };
        replace(&mut reference.content_files);
        replace(&mut reference.all_paths.data);
    }
}

/// Judges a copy. Whether its content is not what its metadata says.
fn judge_copy(
    reference: &EntryRef,
    files: &Files,
    bytes: &Body,
    batch: &mut Batch,
    found: &mut Vec<(Kind, String)>,
) -> bool {
    let (content_key, content) = &files.content;
    let here = content.as_ref().map_or(bytes, |object| &object.bytes);
    if content.is_none() {
        found.push((Kind::CopyMissing, content_key.to_string()));
        batch.put_if(content_key.clone(), bytes.clone(), Expect::Absent);
    }
    let (metadata_key, metadata) = &files.metadata;
    let known = metadata.as_ref().and_then(|object| FileMetadata::parse(&object.bytes));
    if known.is_none() {
        let rebuilt = metadata_of(reference, content_key, here);
        found.push((Kind::MetadataMissing, metadata_key.to_string()));
        batch.put_if(metadata_key.clone(), rebuilt.indented(SIDECAR_INDENT), at(metadata));
    }
    let (config_key, config) = &files.config;
    if config.as_ref().and_then(|object| FileConfig::parse(&object.bytes)).is_none() {
        let cache_key = known.as_ref().and_then(|metadata| metadata.data.cache_key.clone());
        let rebuilt = config_of(reference, content_key, cache_key);
        found.push((Kind::ConfigMissing, config_key.to_string()));
        batch.put_if(config_key.clone(), rebuilt.indented(SIDECAR_INDENT), at(config));
    }
    known.is_some_and(|known| {
        known.content_size != here.len() as u64
            || known.content_hash != digest::content_hash(here).as_str()
    })
}

fn at(object: &Option<Object>) -> Expect {
    object.as_ref().map_or(Expect::Absent, |object| Expect::At(object.version.clone()))
}

/// Names a folder for child data where there is none. Upstream: odd cache keys left `""`.
fn data_folders(namespace: &Namespace, reference: &mut EntryRef, found: &mut Vec<(Kind, String)>) {
    let folders = &reference.data_folders;
    let named = folders.iter().filter(|folder| namespace.folder_from_physical(folder).is_some());
    if named.count() == reference.content_files.len() {
        return;
    }
    let wanted: Vec<String> = reference
        .content_files
        .iter()
        .map(|content| data_folder(content))
        .filter(|folder| namespace.folder_from_physical(folder).is_some())
        .collect();
    if !wanted.is_empty() && wanted != reference.data_folders {
        let detail = format!("{:?} for {wanted:?}", reference.data_folders);
        found.push((Kind::NoDataFolder, detail));
        reference.data_folders = wanted;
    }
}

/// Lists every file that is there or will be. Upstream: a store over existing files listed none of
/// those.
fn all_paths(reference: &mut EntryRef, copies: &[Copy], found: &mut Vec<(Kind, String)>) {
    let files = copies.iter().filter_map(|copy| copy.files.as_ref());
    let keys = files.flat_map(|files| [&files.content.0, &files.metadata.0, &files.config.0]);
    let listed = &reference.all_paths.data;
    let missing: Vec<String> =
        keys.map(Key::to_string).filter(|key| !listed.contains(key)).collect();
    if !missing.is_empty() {
        found.push((Kind::PathsIncomplete, format!("does not list {}", missing.join(", "))));
        reference.all_paths.data.extend(missing);
        reference.all_paths.data.sort_unstable();
        reference.all_paths.data.dedup();
    }
}

/// The side files that are left of content that is gone, if they are this entry's.
fn remains(id: &str, copies: &[Copy]) -> Remedy {
    let mut left = Vec::new();
    for files in copies.iter().filter_map(|copy| copy.files.as_ref()) {
        let metadata = files.metadata.1.as_ref();
        let owner = metadata.and_then(|object| FileMetadata::parse(&object.bytes)?.data.cache_id);
        if owner.is_some_and(|owner| owner != id) {
            continue;
        }
        for (key, object) in [&files.metadata, &files.config] {
            if let Some(object) = object {
                left.push((key.clone(), object.version.clone()));
            }
        }
    }
    Remedy::Remove(left)
}

/// The file id and the folder of a content file.
fn parts(content: &Key) -> (&str, &str) {
    let name = content.name();
    let folder = content.as_str().strip_suffix(name).unwrap_or_default().trim_end_matches('/');
    (name.rsplit_once('.').map_or(name, |(stem, _)| stem), folder)
}

/// The cache key of an entry, as far as its place tells.
fn cache_key_of(reference: &EntryRef, content: &Key) -> String {
    if reference.strategy != Strategy::KeyBased.name() {
        return String::new();
    }
    let top = format!("data/{}", Strategy::KeyBased.folder());
    let folder = content.path().strip_suffix(content.name()).unwrap_or_default();
    folder.trim_start_matches(&top).trim_matches('/').to_owned()
}

fn metadata_of(reference: &EntryRef, content: &Key, bytes: &Body) -> FileMetadata {
    let (file_id, _) = parts(content);
    let encoding = (reference.file_type == FileType::Binary)
        .then(|| content::gunzip(bytes, MOST_INFLATED).ok())
        .flatten()
        .filter(|inflated| digest::of_bytes(inflated).as_str() == reference.cache_hash)
        .map(|_| "gzip".to_owned());
    FileMetadata {
        content_hash: digest::content_hash(bytes).to_string(),
        content_size: bytes.len() as u64,
        timestamp: reference.timestamp,
        data: StoredData {
            cache_hash: Some(reference.cache_hash.clone()),
            cache_key: Some(cache_key_of(reference, content)),
            cache_id: Some(reference.cache_id.clone()),
            content_encoding: encoding,
            file_id: Some(file_id.to_owned()),
            file_type: Some(reference.file_type.name().to_owned()),
            json_field_path: None,
            namespace: Some(reference.namespace.clone()),
            stored_at: Some(reference.timestamp),
            strategy: Some(reference.strategy.clone()),
        },
    }
}

/// The most that content may inflate to when it is looked at for its encoding.
const MOST_INFLATED: usize = 256 << 20;

fn config_of(reference: &EntryRef, content: &Key, cache_key: Option<String>) -> FileConfig {
    let (file_id, _) = parts(content);
    let folder = |path: &String| {
        path.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned())
    };
    FileConfig {
        file_id: file_id.to_owned(),
        file_key: cache_key.unwrap_or_else(|| cache_key_of(reference, content)),
        file_paths: reference.content_files.iter().map(folder).collect(),
        file_type: reference.file_type,
    }
}
