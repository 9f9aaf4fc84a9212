//! Listings, by ListObjectsV2: S3 lists in the byte order of UTF-8, which is the order of keys.
//!
//! Pages go on by `start-after` and not by the server's token, so that a cursor is a place and holds no
//! state. Names come as they are. XML cannot say all of them (U+FFFE and U+FFFF), so an answer that
//! cannot be read is asked for again with percent-encoded names; not always, since LocalStack compares
//! encoded names with a `start-after` that is not.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

use super::request::{Call, Ended, Fault, Kind, fault, words};
use super::{S3, other};
use crate::key::{MAX_KEY_BYTES, Namespace, Prefix};
use crate::storage::{Cursor, Depth, Entry, List, Page, Result};

/// The most S3 gives at once.
const PAGE: usize = 1000;

/// What one answer holds, as names below the store's prefix.
pub(super) struct Names {
    /// With their sizes.
    pub(super) objects: Vec<(String, u64)>,
    folders: Vec<String>,
    /// The last of all, when there are more.
    pub(super) last: Option<String>,
}

impl S3 {
    pub(super) async fn page(&self, query: List) -> Result<Page> {
        let mut start_after = query.after.as_ref().map(behind);
        loop {
            let call = self.call(1, 0);
            let limit = query.limit.get().min(PAGE);
            let start = start_after.as_deref();
            let prefix = query.prefix.as_str();
            let names = self.names(&call, prefix, query.depth, start, limit).await?;
            let mut page = Page::default();
            for (name, size) in names.objects {
                let Some(key) = query.prefix.key_from_physical(&name) else { continue };
                if !query.after.as_ref().is_some_and(|after| after.passed(&key)) {
                    page.entries.push(Entry { key, size });
                }
            }
            for name in names.folders {
                let Some(folder) = self.folder(&query.prefix, &name).await? else { continue };
                match &query.after {
                    Some(Cursor::Folder(last)) if folder <= *last => {}
                    _ => page.folders.push(folder),
                }
            }
            let Some(last) = names.last else {
                self.drop_markers(&mut page).await?;
                return Ok(page);
            };
            page.next = end(&page);
            if page.next.is_some() {
                self.drop_markers(&mut page).await?;
                return Ok(page);
            }
            // Nothing of these was a key of this folder; a cursor cannot say where they ended.
            start_after = Some(beyond(&query.prefix, last));
        }
    }

    pub(super) async fn first_segments(&self) -> Result<Vec<Namespace>> {
        let mut found = BTreeSet::new();
        let mut start_after: Option<String> = None;
        loop {
            let call = self.call(1, 0);
            let start = start_after.as_deref();
            let names = self.names(&call, "", Depth::Children, start, PAGE).await?;
            let folders = self.with_values(names.folders, String::as_str).await?;
            let firsts = folders.iter().filter_map(|name| name.strip_suffix('/'));
            found.extend(firsts.filter_map(Namespace::parse));
            match names.last {
                Some(last) => start_after = Some(after_folder(last)),
                None => return Ok(found.into_iter().collect()),
            }
        }
    }

    pub(super) async fn names(
        &self,
        call: &Call,
        prefix: &str,
        depth: Depth,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Names> {
        let request = self.bucket.client.list_objects_v2().bucket(&self.bucket.name);
        let request = request
            .prefix(format!("{}{prefix}", self.prefix))
            .set_start_after(start_after.map(|start| format!("{}{start}", self.prefix)))
            .set_delimiter((depth == Depth::Children).then(|| "/".to_owned()))
            .max_keys(i32::try_from(limit).unwrap_or(1000));
        let plain = || answered(request.clone());
        let (answer, encoded) = match self.bucket.send(call, Kind::List, 0, plain).await {
            Err(Ended::Unreadable(_)) => {
                let encoded = || answered(request.clone().encoding_type(EncodingType::Url));
                (self.bucket.send(call, Kind::List, 0, encoded).await, true)
            }
            answer => (answer, false),
        };
        let answer = answer.map_err(Ended::into_error)?;
        let mut objects = Vec::with_capacity(answer.contents().len());
        for object in answer.contents() {
            let name = self.below(object.key().unwrap_or_default(), encoded)?;
            let size = object.size().and_then(|size| u64::try_from(size).ok());
            objects.push((name, size.unwrap_or_default()));
        }
        let mut folders = Vec::with_capacity(answer.common_prefixes().len());
        for folder in answer.common_prefixes() {
            folders.push(self.below(folder.prefix().unwrap_or_default(), encoded)?);
        }
        // LocalStack sorts these as it writes them.
        folders.sort_unstable();
        let more = answer.is_truncated() == Some(true);
        let last = objects.iter().map(|(name, _)| name).chain(&folders).max().cloned();
        Ok(Names { objects, folders, last: last.filter(|_| more) })
    }

    /// A name as S3 lists it, without the store's prefix.
    fn below(&self, listed: &str, encoded: bool) -> Result<String> {
        let plain = if encoded {
            // A space comes as a plus; a plus is percent-encoded.
            let plain = listed.replace('+', " ");
            percent_decode_str(&plain).decode_utf8().ok().map(|name| name.into_owned())
        } else {
            Some(listed.to_owned())
        };
        let name = plain.and_then(|name| Some(name.strip_prefix(&*self.prefix)?.to_owned()));
        name.ok_or_else(|| other(format!("S3 listed {listed:?}, which was not asked for")))
    }

    /// The folder of this name directly below another.
    async fn folder(&self, parent: &Prefix, name: &str) -> Result<Option<Prefix>> {
        let Some(folder) = parent.folder_from_physical(name) else { return Ok(None) };
        if !parent.as_str().is_empty() {
            return Ok(Some(folder));
        }
        // The root namespace shares its two folders with the namespaces that are called so: it has one
        // only where there is a key of its own.
        let limit = NonZeroUsize::new(PAGE).unwrap_or(NonZeroUsize::MIN);
        let query = List { prefix: folder.clone(), depth: Depth::All, after: None, limit };
        let page = Box::pin(self.page(query)).await?;
        Ok((!page.entries.is_empty()).then_some(folder))
    }
}

/// Asks once. What came whole and cannot be read will not be read next time either.
async fn answered(request: ListObjectsV2FluentBuilder) -> Result<ListObjectsV2Output, Fault> {
    request.send().await.map_err(|error| {
        let (whole, status) = match &error {
            SdkError::ResponseError(answer) => {
                (answer.raw().body().bytes().is_some(), answer.raw().status())
            }
            SdkError::ServiceError(answer) => (true, answer.raw().status()),
            _ => return fault(error),
        };
        if whole && status.is_success() { Fault::Unreadable(words(&error)) } else { fault(error) }
    })
}

/// Where a page ends.
fn end(page: &Page) -> Option<Cursor> {
    match (page.entries.last(), page.folders.last()) {
        (Some(entry), Some(folder)) if entry.key.as_str() < folder.as_str() => {
            Some(Cursor::Folder(folder.clone()))
        }
        (Some(entry), _) => Some(Cursor::Key(entry.key.clone())),
        (None, folder) => folder.cloned().map(Cursor::Folder),
    }
}

/// From where on to list behind a cursor.
fn behind(cursor: &Cursor) -> String {
    match cursor {
        Cursor::Key(key) => key.as_str().to_owned(),
        Cursor::Folder(folder) => after_folder(folder.as_str().to_owned()),
    }
}

/// A place behind nearly all that is in a folder; what little there may be behind it is left out by
/// the cursor.
fn after_folder(mut folder: String) -> String {
    if folder.ends_with('/') && folder.len() + char::MAX.len_utf8() <= MAX_KEY_BYTES {
        folder.push(char::MAX);
    }
    folder
}

/// Where to go on behind names that are no keys of the folder. In the root namespace these are the
/// other namespaces, each of which is passed at once.
fn beyond(folder: &Prefix, last: String) -> String {
    match last.split_once('/') {
        Some((first, _)) if folder.as_str().is_empty() && !matches!(first, "data" | "refs") => {
            after_folder(format!("{first}/"))
        }
        _ => after_folder(last),
    }
}
