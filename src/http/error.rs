//! Errors as clients see them: the one place that picks status codes and error bodies.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::reply;
use crate::cache::archive::{self, ArchiveError};
use crate::cache::document::Writer;
use crate::cache::{self, ident::CacheHash, ident::CacheId};
use crate::key::Namespace;
use crate::storage;

/// A refusal or a failure, ready to be sent.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    /// The whole body, JSON.
    body: String,
    /// For the log: what was behind a failure of ours.
    pub(crate) cause: Option<String>,
    retry_after: bool,
    allow: Option<HeaderValue>,
}

impl ApiError {
    fn new(status: StatusCode, body: String) -> Self {
        Self { status, body, cause: None, retry_after: false, allow: None }
    }

    /// `{"detail":"…"}`.
    fn plain(status: StatusCode, detail: &str) -> Self {
        Self::detail(status, |json| json.string(detail))
    }

    fn detail(status: StatusCode, detail: impl FnOnce(&mut Writer)) -> Self {
        let mut json = Writer::compact();
        json.object(|json| {
            json.name("detail");
            detail(json);
        });
        Self::new(status, json.finish())
    }

    /// 400 with a list of items, each the JSON text of one problem.
    pub(crate) fn validation(items: &[String]) -> Self {
        let body = format!(r#"{{"detail":[{}]}}"#, items.join(","));
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    /// 400 with a text.
    pub(crate) fn invalid(detail: &str) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, detail)
    }

    /// 400 for content or a key that is empty where it must not be, in the form of the store routes.
    pub(crate) fn empty(
        message: &str,
        field_name: &str,
        expected_type: &str,
        now_ms: u64,
        request_id: &str,
    ) -> Self {
        Self::detail(StatusCode::BAD_REQUEST, |json| {
            json.object(|json| {
                json.name("field_value").null();
                json.name("constraints").null();
                json.name("error_type").string("INVALID_INPUT");
                json.name("message").string(message);
                json.name("timestamp").number(now_ms);
                json.name("request_id").string(request_id);
                json.name("field_name").string(field_name);
                json.name("expected_type").string(expected_type);
            });
        })
    }

    /// 400 for content that is empty where it must not be, in the form of the update routes.
    pub(crate) fn empty_update(message: &str, field_name: &str) -> Self {
        Self::detail(StatusCode::BAD_REQUEST, |json| {
            json.object(|json| {
                json.name("error_type").string("INVALID_INPUT");
                json.name("message").string(message);
                json.name("field_name").string(field_name);
            });
        })
    }

    /// 403 for a request that came through a web page or a name of another machine.
    pub(crate) fn not_local() -> Self {
        Self::plain(
            StatusCode::FORBIDDEN,
            "without a key only this machine is answered: Host and Origin must be local; \
             set a key to be reached in other ways",
        )
    }

    /// 404 for an unknown path.
    pub(crate) fn unknown_path() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "Not Found")
    }

    /// 400 for an id that is empty where it must not be.
    pub(crate) fn id_required(message: &str) -> Self {
        Self::detail(StatusCode::BAD_REQUEST, |json| {
            json.object(|json| {
                json.name("error_type").string("INVALID_INPUT");
                json.name("message").string(message);
            });
        })
    }

    /// 405 with the methods that the path has.
    pub(crate) fn other_method(allow: &str) -> Self {
        let error = Self::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        Self { allow: HeaderValue::from_str(allow).ok(), ..error }
    }

    /// 404 for an entry, in the short form.
    pub(crate) fn entry_not_found() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "Cache entry not found")
    }

    /// 404 for an entry, in the long form.
    pub(crate) fn entry_not_found_long(
        namespace: &Namespace,
        id: Option<&CacheId>,
        hash: Option<&CacheHash>,
        now_ms: u64,
        request_id: &str,
    ) -> Self {
        Self::detail(StatusCode::NOT_FOUND, |json| {
            json.object(|json| {
                json.name("resource_id").null();
                json.name("cache_hash").string_or_null(hash.map(CacheHash::as_str));
                json.name("cache_id").string_or_null(id.map(CacheId::as_str));
                json.name("namespace").string(namespace.as_str());
                json.name("error_type").string("NOT_FOUND");
                json.name("message").string("The requested cache entry was not found");
                json.name("timestamp").number(now_ms);
                json.name("request_id").string(request_id);
                json.name("resource_type").string("cache_entry");
            });
        })
    }

    /// 404 with an object of texts as its detail.
    pub(crate) fn not_found(members: &[(&str, &str)]) -> Self {
        Self::detail(StatusCode::NOT_FOUND, |json| {
            json.object(|json| {
                for (name, value) in members {
                    json.name(name).string(value);
                }
            });
        })
    }

    /// 404 for child data that was asked for as JSON.
    pub(crate) fn data_not_found(cache_id: &CacheId, data_file_id: Option<&str>) -> Self {
        Self::detail(StatusCode::NOT_FOUND, |json| {
            json.object(|json| {
                json.name("error_type").string("NOT_FOUND");
                json.name("message").string("Data file not found");
                json.name("cache_id").string(cache_id.as_str());
                json.name("data_file_id").string_or_null(data_file_id);
            });
        })
    }

    /// 404 with a text.
    pub(crate) fn missing(detail: &str) -> Self {
        Self::plain(StatusCode::NOT_FOUND, detail)
    }

    /// 404 for a file of the raw storage, indented as upstream indents it.
    pub(crate) fn file_not_found(path: &str) -> Self {
        let mut json = Writer::indented(4);
        json.object(|json| {
            json.name("error_type").string("FILE_NOT_FOUND");
            json.name("resource").string("file");
            json.name("message").string("The requested file does not exist in storage");
            json.name("path").string(path);
        });
        Self::new(StatusCode::NOT_FOUND, json.finish())
    }

    /// 404 for an update of an unknown entry. Upstream: the same body with status 500.
    pub(crate) fn update_failed(id: &CacheId) -> Self {
        Self::not_found(&[
            ("error_type", "UPDATE_FAILED"),
            ("message", &format!("Failed to update cache entry {id}")),
            ("cache_id", id.as_str()),
        ])
    }

    /// For an archive that cannot be read: 404 if it is not there, is none or has no such member, 413
    /// if a limit keeps it from being read.
    pub(crate) fn unreadable_archive(error: ArchiveError) -> Self {
        Self::archive(StatusCode::NOT_FOUND, "", error)
    }

    /// For an archive that cannot be changed: 400, or 413 for a limit.
    pub(crate) fn unchangeable_archive(error: ArchiveError) -> Self {
        Self::archive(StatusCode::BAD_REQUEST, "", error)
    }

    /// For an archive that cannot be stored: 400, or 413 for a limit.
    pub(crate) fn invalid_archive(error: ArchiveError) -> Self {
        Self::archive(StatusCode::BAD_REQUEST, "Invalid zip file: ", error)
    }

    fn archive(status: StatusCode, prefix: &str, error: ArchiveError) -> Self {
        match error {
            ArchiveError::Service(error) => error.into(),
            ArchiveError::Refused(refusal) if refusal.is_limit() => {
                Self::too_large(&refusal.to_string())
            }
            ArchiveError::Refused(_) | ArchiveError::NotFound => {
                Self::plain(status, &archive::shown(&format!("{prefix}{error}")))
            }
        }
    }

    /// 415 for a string that was asked for as JSON.
    pub(crate) fn not_json(detail: &str) -> Self {
        Self::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 401, indented as upstream indents it.
    pub(crate) fn unauthorized(message: &str) -> Self {
        let mut json = Writer::indented(4);
        json.object(|json| {
            json.name("data").null();
            json.name("error").null();
            json.name("message").string(message);
            json.name("status").string("error");
        });
        Self::new(StatusCode::UNAUTHORIZED, json.finish())
    }

    /// 413.
    pub(crate) fn too_large(detail: &str) -> Self {
        Self::plain(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 408 for a body that did not arrive in time.
    pub(crate) fn slow_body() -> Self {
        Self::plain(StatusCode::REQUEST_TIMEOUT, "request body did not arrive in time")
    }

    /// 503 for an operation that took too long. It may still take effect.
    pub(crate) fn deadline() -> Self {
        let error = Self::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "request was not finished in time; it may still take effect",
        );
        Self { retry_after: true, cause: Some("request deadline".to_owned()), ..error }
    }

    /// 503 for a service that is not ready.
    pub(crate) fn not_ready(cause: String) -> Self {
        let error = Self::plain(StatusCode::SERVICE_UNAVAILABLE, "store does not answer");
        Self { retry_after: true, cause: Some(cause), ..error }
    }

    /// 500 in upstream's form. Its `error` and `stack_trace` told more than a client should know.
    pub(crate) fn unexpected(cause: String) -> Self {
        let body = concat!(
            r#"{"detail":"An unexpected error occurred.","#,
            r#""error":"internal error, see the server's log","stack_trace":""}"#
        );
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, body.to_owned());
        Self { cause: Some(cause), ..error }
    }

    /// The response.
    pub(crate) fn into_response(self) -> Response {
        let mut response = reply::json_with(self.status, self.body);
        if self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(allow) = self.allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

/// 404 for child data, which upstream answers with neither body nor type.
pub(crate) fn nothing() -> Response {
    reply::empty(StatusCode::NOT_FOUND)
}

/// 404 for a page.
pub(crate) fn no_page() -> Response {
    reply::html_with(StatusCode::NOT_FOUND, "File not found.")
}

/// 400 for a preflight on an open path.
pub(crate) fn disallowed_cors(what: &[&str]) -> Response {
    let text = format!("Disallowed CORS {}", what.join(", "));
    reply::with_type(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", text)
}

impl From<cache::Error> for ApiError {
    fn from(error: cache::Error) -> Self {
        let cause = chain(&error);
        match error {
            cache::Error::Invalid(detail) => Self::invalid(&detail),
            cache::Error::TooLarge { .. } => Self::too_large(&error.to_string()),
            cache::Error::Busy { .. } => {
                let busy = Self::plain(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
                Self { retry_after: true, cause: Some(cause), ..busy }
            }
            cache::Error::Damaged { .. } => Self::unexpected(cause),
            cache::Error::Storage(error) => Self::from_storage(&error, cause),
        }
    }
}

impl ApiError {
    fn from_storage(error: &storage::Error, cause: String) -> Self {
        match error {
            storage::Error::Full { .. } => {
                let full = Self::plain(StatusCode::INSUFFICIENT_STORAGE, "store is full");
                Self { cause: Some(cause), ..full }
            }
            storage::Error::Unavailable { .. } => {
                let detail = "store is unavailable, try again";
                let unavailable = Self::plain(StatusCode::SERVICE_UNAVAILABLE, detail);
                Self { retry_after: true, cause: Some(cause), ..unavailable }
            }
            storage::Error::Conflict { .. }
            | storage::Error::Corrupt { .. }
            | storage::Error::Other { .. } => Self::unexpected(cause),
        }
    }
}

/// An error and what caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
