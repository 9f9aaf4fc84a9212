//! An S3 server in this process: as much of the protocol as the store speaks, conditions included, and
//! any trouble one may wish for. It judges nothing that real servers should judge; those are the
//! integration tier's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use md5::{Digest as _, Md5};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Not carried out; this status and this code.
    Status(u16, &'static str),
    /// Not carried out; the connection ends.
    Reset,
    /// Not carried out, and never answered.
    Stall,
    /// Carried out; the connection ends before the answer.
    LoseReply,
    /// Carried out; the connection ends within the body of the answer.
    CutReply,
    /// Carried out without looking at conditions.
    IgnoreConditions,
}

/// A request, for deciding what goes wrong with it.
#[derive(Debug)]
pub struct Seen<'a> {
    pub method: &'a Method,
    /// Bucket and key.
    pub path: &'a str,
    pub headers: &'a HeaderMap,
}

type Plan = dyn Fn(&Seen<'_>) -> Trouble + Send + Sync;

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    etag: String,
    metadata: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Default)]
struct Buckets(BTreeMap<String, BTreeMap<String, Stored>>);

/// The server. Ends with its runtime.
#[derive(Clone)]
pub struct FakeS3 {
    buckets: Arc<Mutex<Buckets>>,
    plan: Arc<Mutex<Arc<Plan>>>,
    conditional_delete: bool,
    pub address: SocketAddr,
}

impl FakeS3 {
    /// Starts on a free port, without trouble. Needs a tokio runtime.
    pub async fn start(conditional_delete: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self {
            buckets: Arc::default(),
            plan: Arc::new(Mutex::new(Arc::new(|_: &Seen<'_>| Trouble::None))),
            conditional_delete,
            address: listener.local_addr().expect("an address"),
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Answers come as head and body, and nobody should wait for an acknowledgement.
                let _ = stream.set_nodelay(true);
                let server = accepting.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| server.clone().answer(request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    // An error of the service ends the connection, which is what it is for.
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, this goes wrong.
    pub fn trouble(&self, plan: impl Fn(&Seen<'_>) -> Trouble + Send + Sync + 'static) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }

    async fn answer(self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
        let path = path.trim_start_matches('/');
        let seen = Seen { method: &parts.method, path, headers: &parts.headers };
        let plan = Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        let trouble = plan(&seen);
        match trouble {
            Trouble::Reset => return Err(io::Error::other("planned")),
            Trouble::Stall => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            Trouble::Status(status, code) => return Ok(error(status, code)),
            _ => {}
        }
        let query: BTreeMap<String, String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| {
                let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
                (name.to_owned(), value)
            })
            .collect();
        let look = trouble != Trouble::IgnoreConditions;
        let reply = self.carry_out(&seen, &query, body, look);
        match trouble {
            Trouble::LoseReply => Err(io::Error::other("planned")),
            Trouble::CutReply => cut(reply).await,
            _ => Ok(reply),
        }
    }

    fn carry_out(
        &self,
        seen: &Seen<'_>,
        query: &BTreeMap<String, String>,
        body: Bytes,
        look: bool,
    ) -> Response<Body> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (bucket, key) = seen.path.split_once('/').unwrap_or((seen.path, ""));
        if key.is_empty() && *seen.method == Method::PUT {
            buckets.0.entry(bucket.to_owned()).or_default();
            return reply(200);
        }
        let Some(objects) = buckets.0.get_mut(bucket) else { return error(404, "NoSuchBucket") };
        if key.is_empty() {
            return match *seen.method {
                Method::HEAD => reply(200),
                Method::GET => list(objects, query),
                Method::POST if query.contains_key("delete") => delete_many(objects, &body),
                _ => error(501, "NotImplemented"),
            };
        }
        let held = objects.get(key).cloned();
        let wants = |name| seen.headers.get(name).filter(|_| look).and_then(|v| v.to_str().ok());
        if wants(IF_NONE_MATCH).is_some() && held.is_some() {
            return error(412, "PreconditionFailed");
        }
        match (wants(IF_MATCH), &held) {
            (Some(_), _) if *seen.method == Method::DELETE && !self.conditional_delete => {
                return error(501, "NotImplemented");
            }
            (Some(_), None) => return error(404, "NoSuchKey"),
            (Some(tag), Some(held)) if tag != held.etag => return error(412, "PreconditionFailed"),
            _ => {}
        }
        match (seen.method, held) {
            (&Method::PUT, _) => {
                let metadata = seen.headers.iter().filter(|(name, _)| {
                    name.as_str().starts_with("x-amz-meta-")
                        || name.as_str().starts_with("x-amz-server-side-encryption")
                });
                let metadata = metadata.map(|(name, value)| (name.clone(), value.clone()));
                let stored =
                    Stored { etag: etag(&body), metadata: metadata.collect(), bytes: body };
                let mut answer = reply(200);
                tag(&mut answer, &stored);
                objects.insert(key.to_owned(), stored);
                answer
            }
            (&Method::GET | &Method::HEAD, Some(held)) => {
                let mut answer = Response::new(Body::from(held.bytes.clone()));
                // Said of empty ones, too, and in answers to HEAD.
                let length = HeaderValue::from(held.bytes.len());
                answer.headers_mut().insert(CONTENT_LENGTH, length);
                tag(&mut answer, &held);
                answer
            }
            (&Method::GET, None) => error(404, "NoSuchKey"),
            (&Method::HEAD, None) => reply(404),
            (&Method::DELETE, _) => {
                objects.remove(key);
                reply(204)
            }
            _ => error(501, "NotImplemented"),
        }
    }
}

fn etag(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in Md5::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text + "\""
}

fn tag(answer: &mut Response<Body>, stored: &Stored) {
    let etag = HeaderValue::from_str(&stored.etag).expect("a tag");
    answer.headers_mut().insert(ETAG, etag);
    answer.headers_mut().extend(stored.metadata.iter().cloned());
}

fn reply(status: u16) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    answer
}

fn error(status: u16, code: &str) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code><Message>planned</Message></Error>");
    let mut answer = reply(status);
    *answer.body_mut() = Body::from(body);
    answer
}

/// The answer with the connection ending half way through its body.
async fn cut(answer: Response<Body>) -> io::Result<Response<Body>> {
    let (mut parts, body) = answer.into_parts();
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    let half = Ok::<_, io::Error>(bytes.slice(..bytes.len() / 2));
    let parts_of_body = [half, Err(io::Error::other("planned"))];
    Ok(Response::from_parts(parts, Body::from_stream(stream::iter(parts_of_body))))
}

fn list(objects: &BTreeMap<String, Stored>, query: &BTreeMap<String, String>) -> Response<Body> {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (prefix, start_after, delimiter) = (text("prefix"), text("start-after"), text("delimiter"));
    let limit = text("max-keys").parse().unwrap_or(1000);
    let encode = |name: &str| match text("encoding-type") {
        "url" => utf8_percent_encode(name, NON_ALPHANUMERIC).to_string(),
        _ => name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
    };
    let (mut body, mut last_folder, mut count, mut more) = (String::new(), None, 0, false);
    for (key, stored) in objects {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        if key.as_str() <= start_after {
            continue;
        }
        let end = (!delimiter.is_empty()).then(|| rest.find(delimiter)).flatten();
        let folder = end.map(|end| &key[..=prefix.len() + end]);
        if folder.is_some() && folder == last_folder {
            continue;
        }
        if count == limit {
            more = true;
            break;
        }
        count += 1;
        last_folder = folder;
        let _ = match folder {
            Some(folder) => {
                write!(body, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encode(folder))
            }
            None => write!(
                body,
                "<Contents><Key>{}</Key><Size>{}</Size></Contents>",
                encode(key),
                stored.bytes.len()
            ),
        };
    }
    let body =
        format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{body}</ListBucketResult>");
    Response::new(Body::from(body))
}

fn delete_many(objects: &mut BTreeMap<String, Stored>, body: &[u8]) -> Response<Body> {
    let body = String::from_utf8_lossy(body);
    let names = body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    for (name, _) in names {
        let mut name = name.to_owned();
        for (escaped, plain) in [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&apos;", "'"),
            ("&#xD;", "\r"),
            ("&amp;", "&"),
        ] {
            name = name.replace(escaped, plain);
        }
        objects.remove(&name);
    }
    Response::new(Body::from("<DeleteResult></DeleteResult>"))
}
