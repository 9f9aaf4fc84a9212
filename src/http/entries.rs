//! Entries: store, retrieve, exists, update, delete.

use std::sync::Arc;

use axum::response::Response;

use super::App;
use super::error::ApiError;
use super::input::{Call, Input};
use super::reply;
use super::route::{Answer, BodyKind, QueryParam, Route, Success};
use crate::cache::document::Document;
use crate::cache::ident::{CacheHash, CacheId, Strategy};
use crate::cache::pyjson::{Text, Value};
use crate::cache::retrieve::{Lookup, Retrieved};
use crate::cache::store::NewEntry;
use crate::cache::update::NewContent;
use crate::cache::{Content, Prepared};
use crate::key::Namespace;

const FILE_ID: &[QueryParam] = &[QueryParam::Text("file_id")];
const FILE_ID_AND_FIELD: &[QueryParam] =
    &[QueryParam::Text("file_id"), QueryParam::Text("json_field_path")];

/// The rows of this family, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    let mut rows = store_routes();
    rows.extend(retrieve_routes());
    rows.extend([
        Route::get("/{namespace}/exists/id/{cache_id}", Success::Json("Exists"), |app, call| {
            Box::pin(exists_id(app, call))
        })
        .about("exists", "Whether an id has an entry"),
        Route::get(
            "/{namespace}/exists/hash/{cache_hash}",
            Success::Json("Exists"),
            |app, call| Box::pin(exists_hash(app, call)),
        )
        .about("exists", "Whether a hash has an entry"),
        Route::post(
            "/{namespace}/update/{cache_id}/string",
            BodyKind::Text,
            Success::Json("Updated"),
            |app, call| Box::pin(update_text(app, call)),
        )
        .about("update", "Replace the content of an entry with a string")
        .may_answer(&[404]),
        Route::post(
            "/{namespace}/update/{cache_id}/json",
            BodyKind::Object,
            Success::Json("Updated"),
            |app, call| Box::pin(update_json(app, call)),
        )
        .about("update", "Replace the content of an entry with a JSON object")
        .may_answer(&[404]),
        Route::post(
            "/{namespace}/update/{cache_id}/binary",
            BodyKind::Bytes,
            Success::Json("Updated"),
            |app, call| Box::pin(update_binary(app, call)),
        )
        .about("update", "Replace the content of an entry with bytes")
        .may_answer(&[404]),
        Route::delete("/{namespace}/delete/{cache_id}", Success::Json("Deleted"), |app, call| {
            Box::pin(delete(app, call))
        })
        .about("delete", "Delete an entry, its files and its child data"),
    ]);
    rows
}

fn store_routes() -> Vec<Route> {
    let stored = Success::Json("Stored");
    vec![
        Route::post("/{namespace}/{strategy}/store/string", BodyKind::Text, stored, |app, call| {
            Box::pin(store_text(app, call, Keyed::No))
        })
        .about("store", "Store a string"),
        Route::post(
            "/{namespace}/{strategy}/store/string/{cache_key:path}",
            BodyKind::Text,
            stored,
            |app, call| Box::pin(store_text(app, call, Keyed::Yes)),
        )
        .about("store", "Store a string under a key")
        .with_query(FILE_ID),
        Route::post("/{namespace}/{strategy}/store/json", BodyKind::Object, stored, |app, call| {
            Box::pin(store_json(app, call, Keyed::No))
        })
        .about("store", "Store a JSON object"),
        Route::post(
            "/{namespace}/{strategy}/store/json/{cache_key:path}",
            BodyKind::Object,
            stored,
            |app, call| Box::pin(store_json(app, call, Keyed::Yes)),
        )
        .about("store", "Store a JSON object under a key")
        .with_query(FILE_ID_AND_FIELD),
        Route::post(
            "/{namespace}/{strategy}/store/binary",
            BodyKind::Bytes,
            stored,
            |app, call| Box::pin(store_binary(app, call, Keyed::No)),
        )
        .about("store", "Store bytes"),
        Route::post(
            "/{namespace}/{strategy}/store/binary/{cache_key:path}",
            BodyKind::Bytes,
            stored,
            |app, call| Box::pin(store_binary(app, call, Keyed::Yes)),
        )
        .about("store", "Store bytes under a key")
        .with_query(FILE_ID),
    ]
}

fn retrieve_routes() -> Vec<Route> {
    let retrieved = Success::Json("Retrieved");
    let rows = [
        Route::get("/{namespace}/retrieve/{cache_id}", retrieved, |app, call| {
            Box::pin(retrieve(app, call, By::Id))
        })
        .about("retrieve", "Read an entry with its metadata, by id"),
        Route::get(
            "/{namespace}/retrieve/{cache_id}/config",
            Success::Json("FileConfig"),
            |app, call| Box::pin(config(app, call)),
        )
        .about("retrieve", "Read the file configuration of an entry"),
        Route::get(
            "/{namespace}/retrieve/{cache_id}/metadata",
            Success::Json("FileMetadata"),
            |app, call| Box::pin(metadata(app, call)),
        )
        .about("retrieve", "Read the file metadata of an entry"),
        Route::get("/{namespace}/retrieve/{cache_id}/refs", Success::Json("Refs"), |app, call| {
            Box::pin(refs(app, call))
        })
        .about("retrieve", "Read the entry reference"),
        Route::get(
            "/{namespace}/retrieve/{cache_id}/refs/all",
            Success::Json("AllRefs"),
            |app, call| Box::pin(refs_all(app, call)),
        )
        .about("retrieve", "Read the entry reference and every file it names, but for content"),
        Route::get("/{namespace}/retrieve/{cache_id}/string", Success::Text, |app, call| {
            Box::pin(content(app, call, By::Id, Form::Text))
        })
        .about("retrieve", "Read an entry as text, by id"),
        Route::get("/{namespace}/retrieve/{cache_id}/json", Success::AnyJson, |app, call| {
            Box::pin(content(app, call, By::Id, Form::Json))
        })
        .about("retrieve", "Read an entry as JSON, by id")
        .may_answer(&[404, 415]),
        Route::get("/{namespace}/retrieve/{cache_id}/binary", Success::Bytes, |app, call| {
            Box::pin(content(app, call, By::Id, Form::Bytes))
        })
        .about("retrieve", "Read an entry as bytes, by id")
        .with_query(&[QueryParam::Flag("redirect", false)])
        .may_answer(&[307, 404]),
        Route::get("/{namespace}/retrieve/hash/{cache_hash}", retrieved, |app, call| {
            Box::pin(retrieve(app, call, By::Hash))
        })
        .about("retrieve", "Read the newest entry of a hash with its metadata"),
        Route::get("/{namespace}/retrieve/hash/{cache_hash}/string", Success::Text, |app, call| {
            Box::pin(content(app, call, By::Hash, Form::Text))
        })
        .about("retrieve", "Read the newest entry of a hash as text"),
        Route::get(
            "/{namespace}/retrieve/hash/{cache_hash}/json",
            Success::AnyJson,
            |app, call| Box::pin(content(app, call, By::Hash, Form::Json)),
        )
        .about("retrieve", "Read the newest entry of a hash as JSON")
        .may_answer(&[404, 415]),
        Route::get(
            "/{namespace}/retrieve/hash/{cache_hash}/binary",
            Success::Bytes,
            |app, call| Box::pin(content(app, call, By::Hash, Form::Bytes)),
        )
        .about("retrieve", "Read the newest entry of a hash as bytes")
        .with_query(&[QueryParam::Flag("redirect", false)])
        .may_answer(&[307, 404]),
        Route::get(
            "/{namespace}/retrieve/hash/{cache_hash}/metadata",
            Success::Json("EntryMetadata"),
            |app, call| Box::pin(hash_metadata(app, call)),
        )
        .about("retrieve", "Read the metadata of the newest entry of a hash"),
        Route::get(
            "/{namespace}/retrieve/hash/{cache_hash}/refs-hash",
            Success::Json("HashRef"),
            |app, call| Box::pin(hash_refs(app, call)),
        )
        .about("retrieve", "Read the hash reference: every entry of a hash"),
        Route::get(
            "/{namespace}/retrieve/hash/{cache_hash}/cache-id",
            Success::Json("HashId"),
            |app, call| Box::pin(hash_id(app, call)),
        )
        .about("retrieve", "Read the id of the newest entry of a hash"),
    ];
    rows.into_iter()
        .map(|row| if row.statuses.is_empty() { row.may_answer(&[404]) } else { row })
        .collect()
}

/// Whether a store route takes a cache key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyed {
    Yes,
    No,
}

/// Where an entry goes, of a store route.
struct Place {
    namespace: Namespace,
    strategy: Strategy,
    cache_key: String,
    file_id: Option<String>,
}

/// Names of the classes in errors. Upstream: keyed JSON stores have classes of their own.
struct Classes {
    namespace: &'static str,
    cache_key: &'static str,
    file_id: &'static str,
}

const PLAIN: Classes = Classes {
    namespace: "Safe_Str__Id",
    cache_key: "Safe_Str__File__Path",
    file_id: "Safe_Str__Id",
};

const KEYED_JSON: Classes = Classes {
    namespace: "Safe_Str__Cache__Namespace",
    cache_key: "Safe_Str__Cache__File__Cache_Key",
    file_id: "Safe_Str__Cache__File__File_Id",
};

/// Reads the identifiers of a store route; the round is not ended yet.
fn place(input: &mut Input<'_>, strategy: Strategy, keyed: Keyed, classes: &Classes) -> Place {
    let namespace = input.namespace_of(classes.namespace);
    let (cache_key, file_id) = match keyed {
        Keyed::No => (String::new(), None),
        Keyed::Yes => (
            input.path("cache_key", classes.cache_key),
            input.id_in_query("file_id", classes.file_id),
        ),
    };
    Place { namespace, strategy, cache_key, file_id }
}

fn refuse_empty_key(call: &Call, place: &Place, keyed: Keyed) -> Result<(), ApiError> {
    if keyed == Keyed::Yes && place.cache_key.is_empty() {
        let message = "Cache key is required for this endpoint";
        return Err(empty(call, message, "cache_key", "valid_file_path"));
    }
    Ok(())
}

fn empty(call: &Call, message: &str, field: &str, expected: &str) -> ApiError {
    ApiError::empty(message, field, expected, call.now_ms, &call.request_id)
}

async fn store(app: &App, place: &Place, content: Prepared) -> Answer {
    let entry = NewEntry {
        namespace: &place.namespace,
        strategy: place.strategy,
        cache_key: &place.cache_key,
        file_id: place.file_id.as_deref(),
        cache_id: None,
        content,
    };
    Ok(reply::document(&app.cache.store(entry).await?))
}

async fn store_text(app: Arc<App>, call: Call, keyed: Keyed) -> Answer {
    let (place, content) = {
        let mut input = call.input();
        let strategy = input.strategy();
        let text = input.text_body()?;
        input.checked()?;
        let place = place(&mut input, strategy, keyed, &PLAIN);
        input.checked()?;
        if text.is_empty() {
            return Err(empty(&call, "String data cannot be empty", "data", "non-empty_string"));
        }
        refuse_empty_key(&call, &place, keyed)?;
        (place, Prepared::text(&text)?)
    };
    store(&app, &place, content).await
}

async fn store_json(app: Arc<App>, call: Call, keyed: Keyed) -> Answer {
    let (place, content) = {
        let mut input = call.input();
        let strategy = input.strategy();
        let value = input.object_body()?;
        let served = input.served_body();
        input.checked()?;
        let classes = if keyed == Keyed::Yes { &KEYED_JSON } else { &PLAIN };
        let place = place(&mut input, strategy, keyed, classes);
        let field_path = (keyed == Keyed::Yes).then(|| input.field_path());
        input.checked()?;
        refuse_empty_key(&call, &place, keyed)?;
        let limit = app.cache.settings().max_inflated_bytes;
        (place, Prepared::json_of(&value, served, field_path.as_deref(), limit)?)
    };
    store(&app, &place, content).await
}

async fn store_binary(app: Arc<App>, call: Call, keyed: Keyed) -> Answer {
    let (place, content) = {
        let mut input = call.input();
        let strategy = input.strategy();
        let bytes = input.bytes_body()?;
        input.checked()?;
        let place = place(&mut input, strategy, keyed, &PLAIN);
        input.checked()?;
        if bytes.is_empty() {
            let message = "Binary data cannot be empty";
            return Err(empty(&call, message, "body", "non-empty_binary_data"));
        }
        refuse_empty_key(&call, &place, keyed)?;
        let limit = app.cache.settings().max_inflated_bytes;
        (place, Prepared::binary(bytes, call.content_encoding()?, limit)?)
    };
    store(&app, &place, content).await
}

/// How a retrieve route looks for its entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Id,
    Hash,
}

/// What a content route serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Bytes,
}

/// An id or a hash that a request names.
enum Target {
    Id(CacheId),
    Hash(CacheHash),
}

impl Target {
    fn lookup(&self) -> Lookup<'_> {
        match self {
            Self::Id(id) => Lookup::Id(id),
            Self::Hash(hash) => Lookup::Hash(hash),
        }
    }

    fn not_found_long(&self, call: &Call, namespace: &Namespace) -> ApiError {
        let (id, hash) = match self {
            Self::Id(id) => (Some(id), None),
            Self::Hash(hash) => (None, Some(hash)),
        };
        ApiError::entry_not_found_long(namespace, id, hash, call.now_ms, &call.request_id)
    }
}

fn target(call: &Call, by: By) -> Result<(Namespace, Target), ApiError> {
    let mut input = call.input();
    let id = (by == By::Id).then(|| input.cache_id());
    let hash = if by == By::Hash { input.cache_hash() } else { None };
    let namespace = input.namespace();
    input.checked()?;
    let target = match (id, hash) {
        (Some(id), _) => Target::Id(id),
        (None, Some(hash)) => Target::Hash(hash),
        (None, None) => return Err(ApiError::entry_not_found()),
    };
    Ok((namespace, target))
}

fn hash_target(call: &Call) -> Result<(Namespace, CacheHash), ApiError> {
    let mut input = call.input();
    let hash = input.cache_hash();
    let namespace = input.namespace();
    input.checked()?;
    Ok((namespace, hash.ok_or_else(ApiError::entry_not_found)?))
}

async fn retrieve(app: Arc<App>, call: Call, by: By) -> Answer {
    let (namespace, target) = target(&call, by)?;
    let Some(found) = app.cache.retrieve(&namespace, target.lookup()).await? else {
        return Err(target.not_found_long(&call, &namespace));
    };
    Ok(match &found.content {
        Content::Binary(_) => binary_reference(&namespace, &target, &found),
        Content::Text(_) | Content::Json(_) | Content::Served(_) => retrieved(&found),
    })
}

fn retrieved(found: &Retrieved) -> Response {
    reply::written(|json| {
        json.object(|json| {
            json.name("data");
            match &found.content {
                Content::Text(text) => json.served_text(text),
                Content::Json(value) => json.value(value),
                Content::Served(text) => json.served_value(text),
                Content::Binary(_) => json.null(),
            }
            json.name("metadata").document(&found.metadata);
            json.name("data_type").string(found.content.data_type());
        });
    })
}

fn binary_reference(namespace: &Namespace, target: &Target, found: &Retrieved) -> Response {
    let url = match target {
        Target::Id(id) => format!("/{namespace}/retrieve/{id}/binary"),
        Target::Hash(hash) => format!("/{namespace}/retrieve/hash/{}/binary", hash.as_str()),
    };
    reply::written(|json| {
        json.object(|json| {
            json.name("message").string("Binary data requires separate endpoint");
            json.name("data_type").string("binary");
            json.name("size").number(found.metadata.content_size);
            json.name("cache_hash").string(&found.cache_hash);
            json.name("cache_id").string(&found.cache_id);
            json.name("namespace").string(namespace.as_str());
            json.name("binary_url").string(&url);
            json.name("metadata").document(&found.metadata);
        });
    })
}

async fn content(app: Arc<App>, call: Call, by: By, form: Form) -> Answer {
    let (namespace, target) = target(&call, by)?;
    if form == Form::Bytes && call.wants_redirect()? {
        let address = app.cache.address(&namespace, target.lookup()).await?;
        if let Some(address) = address {
            return reply::elsewhere(&address);
        }
    }
    let content = app
        .cache
        .content(&namespace, target.lookup())
        .await?
        .ok_or_else(ApiError::entry_not_found)?;
    match form {
        Form::Text => Ok(reply::text(content.to_text(by == By::Hash))),
        Form::Bytes => Ok(reply::bytes(content.to_bytes())),
        Form::Json => match content.to_json() {
            Ok(body) => Ok(reply::json(body)),
            Err(not_json) if by == By::Id => {
                let start = not_json.start;
                Err(ApiError::not_json(&format!("Data is string, not JSON: {start}")))
            }
            Err(_) => Err(ApiError::not_json("Data is string, not JSON")),
        },
    }
}

async fn config(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    let found = app.cache.config(&namespace, &id).await?;
    let config = found.ok_or_else(|| Target::Id(id).not_found_long(&call, &namespace))?;
    Ok(reply::written(|json| config.write_served(json)))
}

async fn metadata(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    let found = app.cache.metadata(&namespace, &id).await?;
    let metadata = found.ok_or_else(|| Target::Id(id).not_found_long(&call, &namespace))?;
    Ok(reply::written(|json| metadata.write_served(json)))
}

async fn refs(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    let found = app.cache.refs(&namespace, &id).await?;
    found_or_long(found, &call, &namespace, id)
}

async fn refs_all(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    let found = app.cache.refs_all(&namespace, &id).await?;
    found_or_long(found, &call, &namespace, id)
}

fn found_or_long(
    found: Option<impl Document>,
    call: &Call,
    namespace: &Namespace,
    id: CacheId,
) -> Answer {
    match found {
        Some(found) => Ok(reply::document(&found)),
        None => Err(Target::Id(id).not_found_long(call, namespace)),
    }
}

async fn hash_metadata(app: Arc<App>, call: Call) -> Answer {
    let (namespace, hash) = hash_target(&call)?;
    let found = app.cache.entry_metadata(&namespace, Lookup::Hash(&hash)).await?;
    Ok(reply::document(&found.ok_or_else(ApiError::entry_not_found)?))
}

async fn hash_refs(app: Arc<App>, call: Call) -> Answer {
    let (namespace, hash) = hash_target(&call)?;
    let found = app.cache.hash_refs(&namespace, &hash).await?;
    Ok(reply::document(&found.ok_or_else(ApiError::entry_not_found)?))
}

async fn hash_id(app: Arc<App>, call: Call) -> Answer {
    let (namespace, hash) = hash_target(&call)?;
    let found = app.cache.hash_refs(&namespace, &hash).await?;
    let reference = found.ok_or_else(ApiError::entry_not_found)?;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("namespace").string(namespace.as_str());
            json.name("cache_hash").string(hash.as_str());
            json.name("cache_id").string(reference.latest_id());
        });
    }))
}

async fn exists_id(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    let exists = app.cache.exists(&namespace, Lookup::Id(&id)).await?;
    Ok(exists_reply(exists, Some(id.as_str()), None, &namespace))
}

async fn exists_hash(app: Arc<App>, call: Call) -> Answer {
    let (namespace, hash) = hash_target(&call)?;
    let exists = app.cache.exists(&namespace, Lookup::Hash(&hash)).await?;
    Ok(exists_reply(exists, None, Some(hash.as_str()), &namespace))
}

fn exists_reply(
    exists: bool,
    id: Option<&str>,
    hash: Option<&str>,
    namespace: &Namespace,
) -> Response {
    reply::written(|json| {
        json.object(|json| {
            json.name("exists").bool(exists);
            json.name("cache_id").string_or_null(id);
            json.name("cache_hash").string_or_null(hash);
            json.name("namespace").string(namespace.as_str());
        });
    })
}

async fn update_text(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let text = input.text_body()?;
    input.checked()?;
    let (namespace, id) = call.entry()?;
    if text.is_empty() {
        return Err(ApiError::empty_update("String data cannot be empty", "data"));
    }
    update(&app, &namespace, &id, New::Text(text)).await
}

async fn update_json(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let value = input.object_body()?;
    input.checked()?;
    let (namespace, id) = call.entry()?;
    update(&app, &namespace, &id, New::Json(value)).await
}

async fn update_binary(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let bytes = input.bytes_body()?;
    input.checked()?;
    let (namespace, id) = call.entry()?;
    if bytes.is_empty() {
        return Err(ApiError::empty_update("Binary data cannot be empty", "body"));
    }
    update(&app, &namespace, &id, New::Binary(bytes)).await
}

enum New<'a> {
    Text(Text<'a>),
    Json(Value<'a>),
    Binary(bytes::Bytes),
}

async fn update(app: &App, namespace: &Namespace, id: &CacheId, new: New<'_>) -> Answer {
    let content = match &new {
        New::Text(text) => NewContent::Text(text),
        New::Json(value) => NewContent::Json(value),
        New::Binary(bytes) => NewContent::Binary(bytes.clone()),
    };
    let updated = app.cache.update(namespace, id, content).await?;
    Ok(reply::document(&updated.ok_or_else(|| ApiError::update_failed(id))?))
}

async fn delete(app: Arc<App>, call: Call) -> Answer {
    let (namespace, id) = call.entry()?;
    Ok(reply::document(&app.cache.delete(&namespace, &id).await?))
}
