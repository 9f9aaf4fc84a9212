//! Listings on servers that do not remove on condition: the marker of a removal (see `erase.rs`) is as
//! good as gone, and so is a folder that holds nothing else.
//!
//! Markers are there for moments, and for longer only where a process died between the two requests of
//! a removal. Listings tell nothing of an object but its size, so what has the size of a marker is
//! looked at: one request for such an entry. What a folder holds is not told at all: one request for
//! every folder that is listed (a page of namespaces, or of the folders of one), and more only where
//! its first objects are markers.

use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::S3;
use super::object::{Current, ERASED_SIZE};
use crate::key::Prefix;
use crate::storage::{Depth, Page, Result};

/// The most looks under way at once.
const AT_ONCE: usize = 32;

/// So many objects of a folder are asked for at first.
const FEW: usize = 8;

impl S3 {
    /// Takes what is as good as gone off a page.
    pub(super) async fn drop_markers(&self, page: &mut Page) -> Result<()> {
        if self.bucket.conditional_delete {
            return Ok(());
        }
        let suspects = page.entries.iter().filter(|entry| entry.size == ERASED_SIZE);
        let suspects: Vec<_> = suspects.map(|entry| entry.key.clone()).collect();
        let mut looks = Vec::with_capacity(suspects.len());
        for key in suspects {
            let name = self.name(&key);
            looks.push(async move { Ok((self.is_value(&name).await?, key)) });
        }
        let looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        for (is_value, key) in looks.try_collect::<Vec<_>>().await? {
            if !is_value {
                page.entries.retain(|entry| entry.key != key);
            }
        }
        let folders = std::mem::take(&mut page.folders);
        page.folders = self.with_values(folders, Prefix::as_str).await?;
        Ok(())
    }

    /// Those of some folders that hold more than markers, in their order.
    pub(super) async fn with_values<T>(
        &self,
        folders: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>> {
        if self.bucket.conditional_delete {
            return Ok(folders);
        }
        let mut looks = Vec::with_capacity(folders.len());
        for folder in &folders {
            looks.push(self.holds_a_value(name(folder)));
        }
        let found: Vec<bool> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(folders.into_iter().zip(found).filter_map(|(it, holds)| holds.then_some(it)).collect())
    }

    async fn holds_a_value(&self, folder: &str) -> Result<bool> {
        let mut start_after: Option<String> = None;
        let mut limit = FEW;
        loop {
            let call = self.call(1, 0);
            let start = start_after.as_deref();
            let names = self.names(&call, folder, Depth::All, start, limit).await?;
            for (name, size) in &names.objects {
                let name = format!("{}{name}", self.prefix);
                if *size != ERASED_SIZE || self.is_value(&name).await? {
                    return Ok(true);
                }
            }
            let Some(last) = names.last else { return Ok(false) };
            start_after = Some(last);
            limit = 1000;
        }
    }

    /// Whether an object is there and no marker.
    async fn is_value(&self, name: &str) -> Result<bool> {
        let found = self.bucket.head(&self.call(1, 0), name).await?;
        Ok(found.as_ref().is_some_and(Current::is_value))
    }
}
