//! The raw storage browser: any key, across namespaces, guarded by the key of the service alone.

use std::sync::Arc;

use axum::http::StatusCode;

use super::App;
use super::error::{self, ApiError};
use super::input::Call;
use super::reply;
use super::route::{Answer, QueryParam, Route, Success};
use crate::cache::pyjson::{self, Value};

const LISTING: &[QueryParam] =
    &[QueryParam::Flag("return_full_path", false), QueryParam::Flag("recursive", false)];

/// The rows of this family, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    let rows = vec![
        Route::get("/admin/storage/bucket-name", Success::Json("BucketName"), |app, _| {
            Box::pin(bucket_name(app))
        })
        .about("admin/storage", "The bucket, where there is one"),
        Route::get(
            "/admin/storage/file/exists/{path:path}",
            Success::Json("FileExists"),
            |app, call| Box::pin(file_exists(app, call)),
        )
        .about("admin/storage", "Whether there is a file"),
        Route::get("/admin/storage/file/bytes/{path:path}", Success::Bytes, |app, call| {
            Box::pin(file_bytes(app, call))
        })
        .about("admin/storage", "Read a file as bytes; empty when there is none"),
        Route::get("/admin/storage/file/content/{path:path}", Success::File, |app, call| {
            Box::pin(file_content(app, call))
        })
        .about("admin/storage", "Read a file as what its name says")
        .may_answer(&[404]),
        Route::get("/admin/storage/file/json/{path:path}", Success::AnyJson, |app, call| {
            Box::pin(file_json(app, call))
        })
        .about("admin/storage", "Read a file as JSON")
        .may_answer(&[404]),
        Route::get("/admin/storage/file/html/{path:path}", Success::Html, |app, call| {
            Box::pin(file_html(app, call))
        })
        .about("admin/storage", "Read the member `html` of a JSON file as a page")
        .may_answer(&[404]),
        Route::get("/admin/storage/files/in/{path:path}", Success::Json("Names"), |app, call| {
            Box::pin(files_in(app, call))
        })
        .about("admin/storage", "List the files in a folder")
        .with_query(LISTING),
        Route::get(
            "/admin/storage/files/all/{path:path}",
            Success::Json("AllFiles"),
            |app, call| Box::pin(files_all(app, call)),
        )
        .about("admin/storage", "List the files below a folder"),
        Route::get("/admin/storage/folders/{path:path}", Success::Json("Names"), |app, call| {
            Box::pin(folders(app, call))
        })
        .about("admin/storage", "List the folders in a folder")
        .with_query(LISTING),
        Route::delete(
            "/admin/storage/file/delete/{path:path}",
            Success::Json("FileDeleted"),
            |app, call| Box::pin(file_delete(app, call)),
        )
        .about("admin/storage", "Delete a file"),
    ];
    rows
}

const CLASS: &str = "Safe_Str__File__Path";

fn cleaned_path(call: &Call) -> Result<String, ApiError> {
    let mut input = call.input();
    let path = input.path("path", CLASS);
    input.checked()?;
    Ok(path)
}

/// The two flags of a listing and its folder, checked in upstream's two rounds.
fn listing(call: &Call) -> Result<(String, bool, bool), ApiError> {
    let mut input = call.input();
    let full = input.flag("return_full_path", false);
    let recursive = input.flag("recursive", false);
    input.checked()?;
    let path = input.path("path", CLASS);
    input.checked()?;
    Ok((path, full, recursive))
}

async fn bucket_name(app: Arc<App>) -> Answer {
    let bucket = app.settings.store.bucket.as_deref().unwrap_or("NA");
    Ok(reply::written(|json| json.object(|json| json.name("bucket-name").string(bucket))))
}

async fn file_exists(app: Arc<App>, call: Call) -> Answer {
    let path = call.param("path");
    let exists = app.cache.raw_exists(path).await?;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("exists").bool(exists);
            json.name("path").string(path);
        });
    }))
}

async fn file_bytes(app: Arc<App>, call: Call) -> Answer {
    let bytes = app.cache.raw_read(call.param("path")).await?;
    Ok(reply::bytes(bytes.unwrap_or_default()))
}

async fn file_content(app: Arc<App>, call: Call) -> Answer {
    let path = cleaned_path(&call)?;
    let found = app.cache.raw_read(&path).await?.filter(|bytes| !bytes.is_empty());
    let bytes = found.ok_or_else(|| ApiError::file_not_found(&path))?;
    let content_type = match path.rsplit_once('.') {
        Some((_, "txt")) => "text/plain; charset=utf-8",
        Some((_, "json")) => "application/json",
        _ => "application/octet-stream",
    };
    Ok(reply::with_type(StatusCode::OK, content_type, bytes))
}

async fn file_json(app: Arc<App>, call: Call) -> Answer {
    let path = call.param("path");
    let found = app.cache.raw_read(path).await?.filter(|bytes| !bytes.is_empty());
    let bytes = found.ok_or_else(|| ApiError::file_not_found(path))?;
    match pyjson::parse(&bytes) {
        Ok(value) => Ok(reply::json(value.to_compact())),
        Err(_) => Err(ApiError::missing("file is not JSON")),
    }
}

async fn file_html(app: Arc<App>, call: Call) -> Answer {
    let none = || error::no_page();
    let Some(bytes) = app.cache.raw_read(call.param("path")).await? else { return Ok(none()) };
    let Ok(value @ Value::Object(_)) = pyjson::parse(&bytes) else {
        return Err(ApiError::missing("file is not a JSON object"));
    };
    Ok(match (&value, value.get("html")) {
        (_, Some(Value::Str(page))) => reply::html(page.to_string_lossy().into_owned()),
        (Value::Object(members), _) if members.is_empty() => none(),
        _ => reply::html(""),
    })
}

async fn files_in(app: Arc<App>, call: Call) -> Answer {
    let (path, full, recursive) = listing(&call)?;
    let files = if recursive {
        app.cache.raw_files(&path).await?
    } else {
        app.cache.raw_files_in(&path).await?
    };
    let shown = files.iter().map(|file| match file.rsplit_once('/') {
        Some((_, name)) if !(full || recursive) => name,
        _ => file.as_str(),
    });
    Ok(reply::written(|json| json.strings(shown)))
}

async fn files_all(app: Arc<App>, call: Call) -> Answer {
    let path = cleaned_path(&call)?;
    let files = app.cache.raw_files(&path).await?;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("timestamp").number(call.now_ms);
            json.name("file_count").number(files.len() as u64);
            json.name("files").strings(&files);
        });
    }))
}

async fn folders(app: Arc<App>, call: Call) -> Answer {
    let (path, full, recursive) = listing(&call)?;
    let folders = if recursive {
        app.cache.raw_folders(&path).await?
    } else {
        app.cache.raw_folders_in(&path).await?
    };
    let above = path.strip_suffix('/').unwrap_or(&path);
    let shown = folders.iter().map(|folder| match folder.strip_prefix(above) {
        Some(rest) if !full => rest.trim_start_matches('/'),
        _ => folder.as_str(),
    });
    Ok(reply::written(|json| json.strings(shown)))
}

async fn file_delete(app: Arc<App>, call: Call) -> Answer {
    let path = cleaned_path(&call)?;
    let deleted = app.cache.raw_delete(&path).await?;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("path").string(&path);
            json.name("deleted").bool(deleted);
        });
    }))
}
