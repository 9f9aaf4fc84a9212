//! Child data: store, read, update, exists, list, delete.

use std::sync::Arc;

use super::App;
use super::error::{self, ApiError};
use super::input::{Call, Input};
use super::reply;
use super::route::{Answer, BodyKind, QueryParam, Route, Success};
use crate::cache::data::{DataPlace, NewData};
use crate::cache::ident::{CacheId, DataType};
use crate::key::Namespace;
use crate::storage::Depth;

const RECURSIVE: &[QueryParam] = &[QueryParam::Flag("recursive", true)];

/// A row for each of the forms a path has: as it is, with a file id, with a key and a file id.
macro_rules! rows {
    ($make:expr; $($path:literal),+) => { [$($make(concat!("/{namespace}/cache/{cache_id}/data", $path))),+] };
}

/// The rows of this family, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    let mut rows = store_routes();
    rows.extend(read_routes());
    rows.extend(update_routes());
    rows.extend(rows![
        |path| Route::get(path, Success::Json("DataExists"), |app, call| Box::pin(exists(app, call)))
            .about("data", "Whether a piece of child data is there");
        "/exists/{data_type}/{data_file_id}",
        "/exists/{data_type}/{data_key:path}/{data_file_id}"
    ]);
    rows.extend(rows![
        |path| Route::get(path, Success::Json("DataList"), |app, call| Box::pin(list(app, call)))
            .about("data", "List the child data of an entry")
            .with_query(RECURSIVE)
            .may_answer(&[404]);
        "/list", "/list/{data_key:path}"
    ]);
    rows.extend(rows![
        |path| Route::delete(path, Success::Json("DataAllDeleted"), |app, call| {
            Box::pin(delete_all(app, call))
        })
        .about("data", "Delete the child data of an entry, or what is under a key of it");
        "/delete/all", "/delete/all/{data_key:path}"
    ]);
    rows.extend(rows![
        |path| Route::delete(path, Success::Json("DataDeleted"), |app, call| {
            Box::pin(delete(app, call))
        })
        .about("data", "Delete a piece of child data")
        .may_answer(&[404]);
        "/delete/{data_type}/{data_file_id}",
        "/delete/{data_type}/{data_key:path}/{data_file_id}"
    ]);
    rows
}

fn store_routes() -> Vec<Route> {
    let stored = Success::Json("DataStored");
    let binary = |path| {
        Route::post(path, BodyKind::Bytes, stored, |app, call| Box::pin(store_binary(app, call)))
            .about("data/store", "Store bytes as child data")
            .may_answer(&[404])
    };
    let json = |path| {
        Route::post(path, BodyKind::Object, stored, |app, call| Box::pin(store_json(app, call)))
            .about("data/store", "Store a JSON object as child data")
            .may_answer(&[404])
    };
    let text = |path| {
        Route::post(path, BodyKind::Text, stored, |app, call| Box::pin(store_text(app, call)))
            .about("data/store", "Store a string as child data")
            .may_answer(&[404])
    };
    let mut rows = Vec::new();
    rows.extend(rows![binary; "/store/binary", "/store/binary/{data_file_id}",
        "/store/binary/{data_key:path}/{data_file_id}"]);
    rows.extend(rows![json; "/store/json", "/store/json/{data_file_id}",
        "/store/json/{data_key:path}/{data_file_id}"]);
    rows.extend(rows![text; "/store/string", "/store/string/{data_file_id}",
        "/store/string/{data_key:path}/{data_file_id}"]);
    rows
}

fn read_routes() -> Vec<Route> {
    let binary = |path| {
        Route::get(path, Success::Bytes, |app, call| Box::pin(read(app, call, DataType::Binary)))
            .about("data/retrieve", "Read child data as bytes")
            .may_answer(&[404])
    };
    let json = |path| {
        Route::get(path, Success::AnyJson, |app, call| Box::pin(read_json(app, call)))
            .about("data/retrieve", "Read child data as JSON")
            .may_answer(&[404])
    };
    let text = |path| {
        Route::get(path, Success::Text, |app, call| Box::pin(read(app, call, DataType::String)))
            .about("data/retrieve", "Read child data as text")
            .may_answer(&[404])
    };
    let mut rows = Vec::new();
    rows.extend(rows![binary; "/binary/{data_file_id}", "/binary/{data_key:path}/{data_file_id}"]);
    rows.extend(rows![json; "/json/{data_file_id}", "/json/{data_key:path}/{data_file_id}"]);
    rows.extend(rows![text; "/string/{data_file_id}", "/string/{data_key:path}/{data_file_id}"]);
    rows
}

fn update_routes() -> Vec<Route> {
    let updated = Success::Json("DataUpdated");
    let binary = |path| {
        Route::post(path, BodyKind::Bytes, updated, |app, call| Box::pin(update_binary(app, call)))
            .about("data/update", "Replace child data with bytes")
            .may_answer(&[404])
    };
    let json = |path| {
        Route::post(path, BodyKind::Object, updated, |app, call| Box::pin(update_json(app, call)))
            .about("data/update", "Replace child data with a JSON object")
            .may_answer(&[404])
    };
    let text = |path| {
        Route::post(path, BodyKind::Text, updated, |app, call| Box::pin(update_text(app, call)))
            .about("data/update", "Replace child data with a string")
            .may_answer(&[404])
    };
    let mut rows = Vec::new();
    rows.extend(rows![binary; "/update/binary/{data_file_id}",
        "/update/binary/{data_key:path}/{data_file_id}"]);
    rows.extend(rows![json; "/update/json/{data_file_id}",
        "/update/json/{data_key:path}/{data_file_id}"]);
    rows.extend(rows![text; "/update/string/{data_file_id}",
        "/update/string/{data_key:path}/{data_file_id}"]);
    rows
}

/// What a path of this family names. The file id is empty where the path has none.
struct Target {
    namespace: Namespace,
    cache_id: CacheId,
    data_key: String,
    data_file_id: String,
}

impl Target {
    /// Reads and checks the identifiers, the second round of a request.
    fn new(call: &Call, classes: &Classes) -> Result<Self, ApiError> {
        let mut input = call.input();
        let target = Self {
            cache_id: input.cache_id(),
            namespace: input.namespace_of(classes.namespace),
            data_key: input.path("data_key", classes.data_key),
            data_file_id: input.id("data_file_id", classes.data_file_id),
        };
        input.checked()?;
        Ok(target)
    }

    fn place(&self) -> DataPlace<'_> {
        DataPlace {
            namespace: &self.namespace,
            cache_id: &self.cache_id,
            data_key: &self.data_key,
            data_file_id: &self.data_file_id,
        }
    }
}

/// Names of the classes in errors. Upstream: keyed JSON stores have classes of their own.
struct Classes {
    namespace: &'static str,
    data_key: &'static str,
    data_file_id: &'static str,
}

const PLAIN: Classes = Classes {
    namespace: "Safe_Str__Id",
    data_key: "Safe_Str__File__Path",
    data_file_id: "Safe_Str__Id",
};

const KEYED_JSON: Classes = Classes {
    namespace: "Safe_Str__Cache__Namespace",
    data_key: "Safe_Str__Cache__File__Data_Key",
    data_file_id: "Safe_Str__Cache__File__File_Id",
};

async fn store_text(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let text = input.text_body()?;
    input.checked()?;
    store(&app, Target::new(&call, &PLAIN)?, NewData::Text(&text)).await
}

async fn store_json(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let value = input.object_body()?;
    input.checked()?;
    let keyed = call.params.iter().any(|(name, _)| *name == "data_key");
    let classes = if keyed { &KEYED_JSON } else { &PLAIN };
    store(&app, Target::new(&call, classes)?, NewData::Json(&value)).await
}

async fn store_binary(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let bytes = input.bytes_body()?;
    input.checked()?;
    store(&app, Target::new(&call, &PLAIN)?, NewData::Binary(bytes)).await
}

async fn store(app: &App, mut target: Target, data: NewData<'_>) -> Answer {
    if target.data_file_id.is_empty() {
        target.data_file_id = app.cache.next_id().to_string();
    }
    let Some(stored) = app.cache.store_data(&target.place(), data).await? else {
        let Target { namespace, cache_id, .. } = target;
        let message = format!("Cache entry '{cache_id}' in namespace '{namespace}' not found");
        return Err(entry_missing(&message, &cache_id));
    };
    Ok(reply::document(&stored))
}

fn entry_missing(message: &str, cache_id: &CacheId) -> ApiError {
    ApiError::not_found(&[
        ("error_type", "NOT_FOUND"),
        ("message", message),
        ("cache_id", cache_id.as_str()),
    ])
}

/// Upstream: what is not found has neither body nor type.
async fn read(app: Arc<App>, call: Call, data_type: DataType) -> Answer {
    let target = Target::new(&call, &PLAIN)?;
    Ok(match (app.cache.data(&target.place(), data_type).await?, data_type) {
        (None, _) => error::nothing(),
        (Some(bytes), DataType::String) => reply::text(bytes),
        (Some(bytes), _) => reply::bytes(bytes),
    })
}

async fn read_json(app: Arc<App>, call: Call) -> Answer {
    let target = Target::new(&call, &PLAIN)?;
    let found = app.cache.data_json(&target.place()).await?;
    let named = Some(target.data_file_id.as_str()).filter(|id| !id.is_empty());
    Ok(reply::json(found.ok_or_else(|| ApiError::data_not_found(&target.cache_id, named))?))
}

async fn update_text(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let text = input.text_body()?;
    input.checked()?;
    let target = Target::new(&call, &PLAIN)?;
    if text.is_empty() {
        return Err(ApiError::empty_update("String data cannot be empty", "data"));
    }
    update(&app, &target, NewData::Text(&text)).await
}

async fn update_json(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let value = input.object_body()?;
    input.checked()?;
    update(&app, &Target::new(&call, &PLAIN)?, NewData::Json(&value)).await
}

async fn update_binary(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let bytes = input.bytes_body()?;
    input.checked()?;
    let target = Target::new(&call, &PLAIN)?;
    if bytes.is_empty() {
        return Err(ApiError::empty_update("Binary data cannot be empty", "body"));
    }
    update(&app, &target, NewData::Binary(bytes)).await
}

async fn update(app: &App, target: &Target, data: NewData<'_>) -> Answer {
    let Some(updated) = app.cache.update_data(&target.place(), data).await? else {
        let Target { cache_id, data_file_id, .. } = target;
        let message = format!("Data file '{data_file_id}' not found in cache entry '{cache_id}'");
        return Err(ApiError::not_found(&[
            ("error_type", "NOT_FOUND"),
            ("message", &message),
            ("cache_id", cache_id.as_str()),
            ("data_file_id", data_file_id),
        ]));
    };
    Ok(reply::document(&updated))
}

/// The data type, checked in the first round, and what the path names.
fn typed_target(call: &Call) -> Result<(DataType, Target), ApiError> {
    let mut input: Input<'_> = call.input();
    let data_type = input.data_type();
    input.checked()?;
    Ok((data_type, Target::new(call, &PLAIN)?))
}

async fn exists(app: Arc<App>, call: Call) -> Answer {
    let (data_type, target) = typed_target(&call)?;
    if target.data_file_id.is_empty() {
        return Err(ApiError::id_required("data_file_id is required to check existence"));
    }
    let exists = app.cache.data_exists(&target.place(), data_type).await?;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("cache_id").string(target.cache_id.as_str());
            json.name("data_type").string(data_type.name());
            json.name("data_key").string(&target.data_key);
            json.name("data_file_id").string(&target.data_file_id);
            json.name("exists").bool(exists);
            json.name("namespace").string(target.namespace.as_str());
        });
    }))
}

async fn list(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let depth = if input.flag("recursive", true) { Depth::All } else { Depth::Children };
    input.checked()?;
    let Target { namespace, cache_id, data_key, .. } = Target::new(&call, &PLAIN)?;
    match app.cache.list_data(&namespace, &cache_id, &data_key, depth).await? {
        Some(list) => Ok(reply::document(&list)),
        None => Err(entry_missing(&format!("Cache entry '{cache_id}' not found"), &cache_id)),
    }
}

async fn delete(app: Arc<App>, call: Call) -> Answer {
    let (data_type, target) = typed_target(&call)?;
    let Target { namespace, cache_id, data_key, data_file_id } = &target;
    if data_file_id.is_empty() {
        let message = "data_file_id is required to delete a specific data file";
        return Err(ApiError::id_required(message));
    }
    if !app.cache.delete_data(&target.place(), data_type).await? {
        return Err(ApiError::not_found(&[
            ("error_type", "NOT_FOUND"),
            ("message", &format!("Data file {data_file_id} not found")),
            ("cache_id", cache_id.as_str()),
            ("data_file_id", data_file_id),
            ("data_type", data_type.name()),
        ]));
    }
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("status").string("success");
            json.name("message").string("Data file deleted successfully");
            json.name("cache_id").string(cache_id.as_str());
            json.name("data_file_id").string(data_file_id);
            json.name("data_type").string(data_type.name());
            json.name("data_key").string_or_null(key_or_none(data_key));
            json.name("namespace").string(namespace.as_str());
        });
    }))
}

async fn delete_all(app: Arc<App>, call: Call) -> Answer {
    let Target { namespace, cache_id, data_key, .. } = Target::new(&call, &PLAIN)?;
    let deleted = app.cache.delete_all_data(&namespace, &cache_id, &data_key).await?;
    let message = match deleted.len() {
        0 => "No data files to delete".to_owned(),
        count => format!("Deleted {count} data files"),
    };
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("status").string("success");
            json.name("message").string(&message);
            json.name("cache_id").string(cache_id.as_str());
            json.name("deleted_count").number(deleted.len() as u64);
            if !deleted.is_empty() {
                json.name("deleted_files").strings(&deleted);
            }
            json.name("data_key").string_or_null(key_or_none(&data_key));
            json.name("namespace").string(namespace.as_str());
        });
    }))
}

fn key_or_none(data_key: &str) -> Option<&str> {
    Some(data_key).filter(|key| !key.is_empty())
}
