//! Archives: create, store, download, list, read, add, delete, and batches.

use std::sync::Arc;

use super::App;
use super::error::ApiError;
use super::input::{Call, Input};
use super::reply;
use super::route::{Answer, BodyKind, Route, Success};
use crate::cache::Content;
use crate::cache::archive::ArchivePlace;
use crate::cache::ident::{CacheId, Strategy};
use crate::cache::retrieve::Lookup;
use crate::key::Namespace;

mod batch;

/// The rows of this family, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    let mut rows = archive_routes();
    rows.extend(member_routes());
    rows
}

fn archive_routes() -> Vec<Route> {
    vec![
        Route::post(
            "/{namespace}/{strategy}/zip/create/{cache_key:path}/{file_id}",
            BodyKind::None,
            Success::Json("ZipStored"),
            |app, call| Box::pin(create(app, call)),
        )
        .about("zip", "Store an archive without members"),
        Route::post(
            "/{namespace}/{strategy}/zip/store/{cache_key:path}/{file_id}",
            BodyKind::Bytes,
            Success::Json("ZipStored"),
            |app, call| Box::pin(store(app, call)),
        )
        .about("zip", "Store an archive"),
        Route::get("/{namespace}/zip/{cache_id}/retrieve", Success::Zip, |app, call| {
            Box::pin(download(app, call))
        })
        .about("zip", "Download an archive")
        .may_answer(&[404]),
        Route::get(
            "/{namespace}/zip/{cache_id}/files/list",
            Success::Json("ZipOp"),
            |app, call| Box::pin(list(app, call)),
        )
        .about("zip", "List the members of an archive")
        .may_answer(&[404, 413]),
    ]
}

fn member_routes() -> Vec<Route> {
    vec![
        Route::get(
            "/{namespace}/zip/{cache_id}/file/retrieve/{file_path:path}",
            Success::Bytes,
            |app, call| Box::pin(read(app, call)),
        )
        .about("zip", "Read a member of an archive")
        .may_answer(&[404, 413]),
        Route::post(
            "/{namespace}/zip/{cache_id}/file/add/from/bytes/{file_path:path}",
            BodyKind::Bytes,
            Success::Json("ZipOp"),
            |app, call| Box::pin(add_bytes(app, call)),
        )
        .about("zip", "Store a copy of an archive with bytes added"),
        Route::post(
            "/{namespace}/zip/{cache_id}/file/add/from/string/{file_path:path}",
            BodyKind::Text,
            Success::Json("ZipOp"),
            |app, call| Box::pin(add_text(app, call)),
        )
        .about("zip", "Store a copy of an archive with a string added"),
        Route::delete(
            "/{namespace}/zip/{cache_id}/file/delete/{file_path:path}",
            Success::Json("ZipOp"),
            |app, call| Box::pin(remove(app, call)),
        )
        .about("zip", "Store a copy of an archive without a member")
        .may_answer(&[413]),
        Route::post(
            "/{namespace}/zip/{cache_id}/batch/operations",
            BodyKind::Schema("ZipBatch"),
            Success::Json("ZipBatchDone"),
            |app, call| Box::pin(batch(app, call)),
        )
        .about("zip", "Store a copy of an archive with several changes"),
    ]
}

/// Where an archive goes, of a route that makes one.
struct Place {
    namespace: Namespace,
    strategy: Strategy,
    cache_key: String,
    file_id: String,
}

impl Place {
    fn borrowed(&self) -> ArchivePlace<'_> {
        ArchivePlace {
            namespace: &self.namespace,
            strategy: self.strategy,
            cache_key: &self.cache_key,
            file_id: Some(self.file_id.as_str()).filter(|id| !id.is_empty()),
        }
    }
}

fn place(mut input: Input<'_>, strategy: Strategy) -> Result<Place, ApiError> {
    let namespace = input.namespace();
    let cache_key = input.path("cache_key", "Safe_Str__File__Path");
    let file_id = input.id("file_id", "Safe_Str__Id");
    input.checked()?;
    Ok(Place { namespace, strategy, cache_key, file_id })
}

/// A member that a request names.
struct Target {
    namespace: Namespace,
    id: CacheId,
    path: String,
}

fn member_target(call: &Call) -> Result<Target, ApiError> {
    let mut input = call.input();
    let id = input.cache_id();
    let path = input.path("file_path", "Safe_Str__File__Path");
    let namespace = input.namespace();
    input.checked()?;
    Ok(Target { namespace, id, path })
}

async fn create(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let strategy = input.strategy();
    input.checked()?;
    let place = place(input, strategy)?;
    let stored = app.cache.create_archive(place.borrowed()).await;
    Ok(reply::document(&stored.map_err(ApiError::invalid_archive)?))
}

async fn store(app: Arc<App>, call: Call) -> Answer {
    let (place, bytes) = {
        let mut input = call.input();
        let strategy = input.strategy();
        let bytes = input.bytes_body()?;
        input.checked()?;
        (place(input, strategy)?, bytes)
    };
    let stored = app.cache.store_archive(place.borrowed(), bytes).await;
    Ok(reply::document(&stored.map_err(ApiError::invalid_archive)?))
}

async fn download(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    match app.cache.content(&namespace, Lookup::Id(&id)).await? {
        Some(Content::Binary(bytes)) => Ok(reply::archive(bytes, &format!("{id}.zip"))),
        Some(Content::Text(_) | Content::Json(_) | Content::Served(_)) => {
            Err(ApiError::invalid("Cached item is not a binary file"))
        }
        None => Err(ApiError::missing("Zip file not found")),
    }
}

async fn list(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    let listed = app.cache.members(&namespace, &id).await;
    Ok(reply::document(&listed.map_err(ApiError::unreadable_archive)?))
}

async fn read(app: Arc<App>, call: Call) -> Answer {
    let Target { namespace, id, path } = member_target(&call)?;
    let content = app.cache.member(&namespace, &id, &path).await;
    Ok(reply::bytes(content.map_err(ApiError::unreadable_archive)?))
}

async fn add_bytes(app: Arc<App>, call: Call) -> Answer {
    let (target, content) = {
        let mut input = call.input();
        let content = input.bytes_body()?;
        input.checked()?;
        (member_target(&call)?, content)
    };
    add(&app, &target, &content).await
}

async fn add_text(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let text = input.text_body()?;
    input.checked()?;
    let target = member_target(&call)?;
    match text.as_str() {
        Some(content) => add(&app, &target, content.as_bytes()).await,
        None => Err(ApiError::invalid("text holds a lone surrogate, which cannot be encoded")),
    }
}

async fn add(app: &App, target: &Target, content: &[u8]) -> Answer {
    let Target { namespace, id, path } = target;
    if path.is_empty() {
        return Err(ApiError::invalid("file_path required"));
    }
    let added = app.cache.add_member(namespace, id, path, content).await;
    Ok(reply::document(&added.map_err(ApiError::unchangeable_archive)?))
}

async fn remove(app: Arc<App>, call: Call) -> Answer {
    let Target { namespace, id, path } = member_target(&call)?;
    let removed = app.cache.remove_member(&namespace, &id, &path).await;
    Ok(reply::document(&removed.map_err(ApiError::unchangeable_archive)?))
}

async fn batch(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id, request) = {
        let mut input = call.input();
        let body = input.model_body()?;
        let shaped = batch::shape(&mut input, &body);
        input.checked()?;
        let id = input.cache_id();
        let namespace = input.namespace();
        let request = batch::cleaned(&mut input, &shaped);
        input.checked()?;
        (namespace, id, request)
    };
    let done = app.cache.batch(&namespace, &id, &request).await;
    Ok(reply::document(&done.map_err(ApiError::unchangeable_archive)?))
}
