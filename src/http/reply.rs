//! Successes as clients see them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use super::error::ApiError;
use super::route::Answer;
use crate::cache::document::{Document, Writer};

/// A document as compact JSON.
pub(crate) fn document(document: &impl Document) -> Response {
    json(document.compact())
}

/// Compact JSON that `write` writes.
pub(crate) fn written(write: impl FnOnce(&mut Writer)) -> Response {
    let mut writer = Writer::compact();
    write(&mut writer);
    json(writer.finish())
}

/// A JSON text.
pub(crate) fn json(body: impl Into<Bytes>) -> Response {
    json_with(StatusCode::OK, body)
}

/// A JSON text with a status.
pub(crate) fn json_with(status: StatusCode, body: impl Into<Bytes>) -> Response {
    with_type(status, "application/json", body)
}

/// Text.
pub(crate) fn text(body: impl Into<Bytes>) -> Response {
    with_type(StatusCode::OK, "text/plain; charset=utf-8", body)
}

/// A page.
pub(crate) fn html(body: impl Into<Bytes>) -> Response {
    with_type(StatusCode::OK, "text/html; charset=utf-8", body)
}

/// A page with a status.
pub(crate) fn html_with(status: StatusCode, body: impl Into<Bytes>) -> Response {
    with_type(status, "text/html; charset=utf-8", body)
}

/// Bytes.
pub(crate) fn bytes(body: Bytes) -> Response {
    with_type(StatusCode::OK, "application/octet-stream", body)
}

/// An archive to be saved under a name.
pub(crate) fn archive(body: Bytes, name: &str) -> Response {
    let mut response = with_type(StatusCode::OK, "application/zip", body);
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename={name}")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A body with its type.
pub(crate) fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The way to another address (307). Whoever has it can read what is there, so no cache may keep it.
pub(crate) fn elsewhere(address: &str) -> Answer {
    let unfit = |_| ApiError::unexpected("the store signed what is no address".to_owned());
    let location = HeaderValue::from_str(address).map_err(unfit)?;
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Neither body nor type.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
