//! Cross-origin requests, as upstream answers them: any origin is echoed. The preflight of guarded
//! paths names a fixed key header, so that browsers get by with the cookie.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::{error, reply};

/// The answer to `OPTIONS` on a guarded path.
pub(crate) fn preflight(headers: &HeaderMap) -> Response {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let origin = headers.get(header::ORIGIN).cloned();
    let allowed = response.headers_mut();
    allowed.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        origin.unwrap_or(HeaderValue::from_static("*")),
    );
    allowed.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS"),
    );
    allowed.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("api-key__for__mgraph-ai__service, content-type"),
    );
    allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// The headers a preflight on an open path may ask for.
const ALLOWED_HEADERS: &str = "Accept, Accept-Language, Authorization, Content-Language, \
                               Content-Type, Origin, X-Requested-With";

/// The answer to a preflight on an open path. `None` when the request is not a preflight.
pub(crate) fn open_preflight(headers: &HeaderMap) -> Option<Response> {
    let method = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let origin = headers.get(header::ORIGIN)?;
    let mut refused = Vec::new();
    if !["GET", "POST", "HEAD"].iter().any(|known| method == known) {
        refused.push("method");
    }
    if let Some(asked) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        let asked = String::from_utf8_lossy(asked.as_bytes()).to_ascii_lowercase();
        let simple = ALLOWED_HEADERS.to_ascii_lowercase();
        let simple: Vec<&str> = simple.split(", ").collect();
        if asked.split(',').any(|name| !simple.contains(&name.trim())) {
            refused.push("headers");
        }
    }
    let mut response =
        if refused.is_empty() { reply::text("OK") } else { error::disallowed_cors(&refused) };
    let allowed = response.headers_mut();
    allowed.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    allowed
        .insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, HEAD"));
    allowed.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    allowed.insert(
        header::VARY,
        HeaderValue::from_static(
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        ),
    );
    Some(response)
}

/// Adds the headers of a request that passed the key check.
pub(crate) fn decorate(origin: Option<HeaderValue>, response: &mut HeaderMap) {
    response.insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return };
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    response.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Content-Type, X-Requested-With, Origin, Accept, Authorization"),
    );
}
