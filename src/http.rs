//! The HTTP API: one table of routes, and what happens to a request on its way to its row.
//!
//! A request meets, in this order: its id; the probes, which need no key; the preflight; the key;
//! the table (404, 405, or a redirect that adds or drops a trailing slash); its body, with a limit;
//! its handler, with a deadline; and, whatever came of it, the headers every response has and one
//! line in the log.

use std::fmt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::cache::ident::CacheId;

mod admin;
mod archives;
mod auth;
mod cors;
mod data;
mod entries;
mod error;
mod info;
mod input;
mod openapi;
mod reply;
mod route;
mod samples;
mod schemas;
mod serve;
mod spaces;

pub use auth::ApiKey;
pub use error::chain;
pub use serve::serve;

use error::ApiError;
use input::Call;
use route::{Answer, BodyKind, Match, Route, Table};

/// What the API needs to know beside the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The key; without one the API is open.
    pub key: Option<ApiKey>,
    /// The most bytes a body may have.
    pub max_body_bytes: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// What is reported as the time to live, in hours.
    pub ttl_hours: u32,
    /// What `/info/status` calls the environment.
    pub environment: &'static str,
    /// What `/info/server` calls the server's id.
    pub server_id: Option<String>,
    /// What `/info/server` calls the server's name.
    pub server_name: Option<String>,
    /// Whether only this machine is to be answered: an open API on a loopback address. A web page
    /// elsewhere must not reach it through somebody's browser.
    pub local_only: bool,
    /// What is reported about the store.
    pub store: StoreInfo,
    /// Whether the raw storage browser is served.
    pub admin_routes: bool,
    /// Whether the routes that write and clear test data are served.
    pub test_data_routes: bool,
}

/// What is reported about the store.
#[derive(Debug, Clone, Default)]
pub struct StoreInfo {
    /// The mode, by upstream's name.
    pub mode: &'static str,
    /// The mode's own member of `/server/storage/info`, and its value.
    pub place: Option<(&'static str, String)>,
    /// The bucket, where there is one.
    pub bucket: Option<String>,
}

impl Default for Settings {
    /// An open API over memory, with the limits of the command line's defaults.
    fn default() -> Self {
        Self {
            key: None,
            max_body_bytes: 64 << 20,
            request_timeout: Duration::from_secs(30),
            ttl_hours: 24,
            environment: "local",
            server_id: None,
            server_name: None,
            local_only: false,
            store: StoreInfo { mode: "memory", ..StoreInfo::default() },
            admin_routes: true,
            test_data_routes: true,
        }
    }
}

impl Settings {
    /// The name of the cookie that carries the key.
    fn cookie_name(&self) -> &str {
        self.key.as_ref().map_or("auth-cookie", ApiKey::name)
    }
}

/// The API: the service, its settings and its routes.
pub struct App {
    cache: Cache,
    settings: Settings,
    table: Table,
    instance_id: CacheId,
    boot_time_ms: u64,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// The routes of an API with these settings, in the order they are tried.
fn routes(settings: &Settings) -> Vec<Route> {
    let mut rows = entries::routes();
    rows.extend(data::routes());
    rows.extend(archives::routes());
    rows.extend(spaces::routes());
    if settings.admin_routes {
        rows.extend(admin::routes());
    }
    rows.extend(info::server_routes());
    if settings.test_data_routes {
        rows.extend(samples::fixture_routes());
    }
    rows.extend(info::routes());
    if settings.test_data_routes {
        rows.extend(samples::routes());
    }
    rows.extend(openapi::routes());
    rows
}

/// The API over a service, as an axum router: to put something around it, or into a server of one's own.
pub fn router(cache: Cache, settings: Settings) -> Router {
    let app = Arc::new(App::new(cache, settings));
    Router::new().fallback(move |request: Request| Arc::clone(&app).answer(request))
}

/// What came of a request.
struct Outcome {
    /// What the request is called in the log: the template of its route, never its path, since
    /// names of clients may be secrets and labels must be few.
    label: &'static str,
    response: Response,
    /// What was behind a failure of ours.
    cause: Option<String>,
}

impl Outcome {
    fn new(label: &'static str, answer: Answer) -> Self {
        match answer {
            Ok(response) => Self { label, response, cause: None },
            Err(mut error) => {
                let cause = error.cause.take();
                Self { label, response: error.into_response(), cause }
            }
        }
    }
}

impl App {
    /// The API over a service.
    #[must_use]
    pub fn new(cache: Cache, settings: Settings) -> Self {
        Self {
            table: Table::new(routes(&settings)),
            instance_id: cache.next_id(),
            boot_time_ms: cache.now_ms(),
            cache,
            settings,
        }
    }

    /// Answers one request, and logs it.
    pub async fn answer(self: Arc<Self>, request: Request) -> Response {
        let started = Instant::now();
        let id = self.cache.next_id().to_string();
        let method = request.method().clone();
        let Outcome { label, mut response, cause } = guarded(&self, request, &id).await;
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("fast-api-request-id", value);
        }
        let status = response.status().as_u16();
        let bytes = response.body().size_hint().exact();
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        match cause {
            Some(cause) => {
                tracing::error!(id, %method, route = label, status, bytes, micros, cause, "request failed");
            }
            None => tracing::info!(id, %method, route = label, status, bytes, micros, "request"),
        }
        response
    }
}

/// What a request is called in the log that never came to a row of the table.
const NO_ROUTE: &str = "-";

async fn guarded(app: &Arc<App>, request: Request, request_id: &str) -> Outcome {
    let path = decoded_path(request.uri());
    match path.as_str() {
        "/livez" => return Outcome::new("/livez", probe(request.method(), Ok(()))),
        "/readyz" => {
            let check = match within(app.settings.request_timeout, app.cache.check()).await {
                Ok(check) => check.map_err(|error| chain(&error)),
                Err(_) => Err("store did not answer in time".to_owned()),
            };
            return Outcome::new("/readyz", probe(request.method(), check));
        }
        _ => {}
    }
    if app.settings.local_only && !auth::is_local(request.headers()) {
        return Outcome::new(NO_ROUTE, Err(ApiError::not_local()));
    }
    let open = auth::OPEN_PATHS.contains(&path.as_str());
    if request.method() == Method::OPTIONS {
        let preflight = match open {
            true => cors::open_preflight(request.headers()),
            false => Some(cors::preflight(request.headers())),
        };
        if let Some(response) = preflight {
            return Outcome::new("preflight", Ok(response));
        }
    }
    if let (false, Some(key)) = (open, &app.settings.key)
        && let Err(error) = key.check(request.headers())
    {
        return Outcome::new(NO_ROUTE, Err(error));
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (label, answer) = routed(app, request, &path, request_id).await;
    let mut outcome = Outcome::new(label, answer);
    cors::decorate(origin, outcome.response.headers_mut());
    outcome
}

async fn routed(
    app: &Arc<App>,
    request: Request,
    path: &str,
    request_id: &str,
) -> (&'static str, Answer) {
    let (route, params) = match app.table.find(request.method(), path) {
        Match::Found(route, params) => (route, params),
        Match::OtherMethod(route, head) => {
            let allow = if head { "GET, HEAD" } else { route.method.as_str() };
            return (route.path, Err(ApiError::other_method(allow)));
        }
        Match::None => return (NO_ROUTE, slash_redirect(app, &request, path)),
    };
    let deadline = app.settings.request_timeout;
    let query = request.uri().query().map(input::parse_query).unwrap_or_default();
    let (parts, body) = request.into_parts();
    let body = match route.body {
        BodyKind::None => Bytes::new(),
        _ => {
            let read = read_body(body, &parts.headers, app.settings.max_body_bytes);
            match within(deadline, read).await {
                Ok(Ok(body)) => body,
                Ok(Err(error)) => return (route.path, Err(error)),
                Err(_) => return (route.path, Err(ApiError::slow_body())),
            }
        }
    };
    let call = Call {
        params,
        query,
        headers: parts.headers,
        body,
        request_id: request_id.to_owned(),
        now_ms: app.cache.now_ms(),
    };
    let handled = AssertUnwindSafe((route.handler)(Arc::clone(app), call)).catch_unwind();
    let answer = match within(deadline, handled).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(ApiError::unexpected("a handler panicked".to_owned())),
        Err(_) => Err(ApiError::deadline()),
    };
    (route.path, answer)
}

/// What a future gives, unless it makes somebody wait for longer than this. Most never wait, and a timer
/// would make what holds them large and costly to place.
async fn within<F: Future>(longest: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Box::pin(timeout(longest, future)).await,
    }
}

/// The path as it is matched: decoded, bytes that are not UTF-8 as U+FFFD.
fn decoded_path(uri: &Uri) -> String {
    percent_decode_str(uri.path()).decode_utf8_lossy().into_owned()
}

/// Reads a body whole, up to the limit.
async fn read_body(body: Body, headers: &HeaderMap, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::too_large(&format!("request body exceeds {limit} bytes"));
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(ApiError::invalid(&format!("request body could not be read: {error}"))),
    }
}

/// 307 to the path that differs by a trailing slash, if the table has it; else 404.
fn slash_redirect(app: &App, request: &Request, path: &str) -> Answer {
    let other = match path.strip_suffix('/') {
        Some(_) => path.trim_end_matches('/').to_owned(),
        None => format!("{path}/"),
    };
    if path == "/" || !app.table.knows(&other) {
        return Err(ApiError::unknown_path());
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.map(|host| format!("http://{host}")).unwrap_or_default();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{authority}{}{query}", utf8_percent_encode(&other, NOT_IN_PATH));
    let location = HeaderValue::from_str(&location).map_err(|_| ApiError::unknown_path())?;
    let mut response = reply::empty(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// What must be escaped in a path (RFC 3986, `pchar` and `/` need not).
const NOT_IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A probe's answer: needs no key and is read by machines that only look at the status.
fn probe(method: &Method, check: Result<(), String>) -> Answer {
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::other_method("GET"));
    }
    check.map_err(ApiError::not_ready)?;
    Ok(reply::json(r#"{"status":"ok"}"#.to_owned()))
}
