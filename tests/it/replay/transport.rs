//! How requests reach a server: the trait, and the transport for a server in the same process.

use std::io;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{Request, Response};
use tower::ServiceExt;

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header; the last one, should there be several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().rev();
        let (_, value) = values.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// A way to a server.
pub trait Transport {
    /// Sends one request and waits for the whole reply.
    ///
    /// The target goes out as it stands, dot segments, doubled slashes and escapes included. The
    /// headers are those of the transcript and the API key; what HTTP itself needs (`host`,
    /// `content-length`) the transport adds. An error means that there was no reply; a reply with
    /// an error status is a reply.
    fn send(
        &self,
        method: &str,
        raw_target: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> impl Future<Output = io::Result<Reply>> + Send;
}

/// Calls a router directly, without a socket.
pub struct InProcess {
    router: Router,
}

impl InProcess {
    pub fn new(router: Router) -> Self {
        Self { router }
    }
}

impl Transport for InProcess {
    async fn send(
        &self,
        method: &str,
        raw_target: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> io::Result<Reply> {
        let request = request(method, raw_target, headers, body).map_err(io::Error::other)?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        reply(response).await
    }
}

fn request(
    method: &str,
    raw_target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
) -> Result<Request<Body>, axum::http::Error> {
    // `Uri::from_str` would take what follows a leading `//` for a host.
    let target = PathAndQuery::try_from(raw_target)?;
    let mut builder =
        Request::builder().method(method).uri(Uri::from(target)).header(HOST, "localhost");
    if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
        builder = builder.header(CONTENT_LENGTH, body.as_ref().map_or(0, Vec::len));
    }
    for (name, value) in headers {
        let name = HeaderName::try_from(name)?;
        let value = HeaderValue::from_bytes(&latin1_bytes(&value))?;
        builder = builder.header(name, value);
    }
    builder.body(body.map_or_else(Body::empty, Body::from))
}

async fn reply(response: Response<Body>) -> io::Result<Reply> {
    let (parts, body) = response.into_parts();
    let latin1 = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
    let headers =
        parts.headers.iter().map(|(name, value)| (name.to_string(), latin1(value))).collect();
    let body = to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
    Ok(Reply { status: parts.status.as_u16(), headers, body: body.to_vec() })
}

/// Header text is ISO 8859-1; what does not fit goes out as UTF-8.
fn latin1_bytes(text: &str) -> Vec<u8> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.unwrap_or_else(|_| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers with what it was sent.
    fn echo() -> InProcess {
        let answer = async |request: Request<Body>| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a request body should be readable");
            let header = |name| {
                parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
            };
            format!(
                "{} {} {:?} {:?} {:?} {}",
                parts.method,
                parts.uri,
                parts.uri.authority(),
                header("content-length"),
                header("x-a"),
                String::from_utf8_lossy(&body),
            )
        };
        InProcess::new(Router::new().fallback(answer))
    }

    async fn echoed(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> String {
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = body.map(|body| body.as_bytes().to_vec());
        let reply = echo().send(method, target.to_owned(), headers, body).await;
        let reply = reply.unwrap_or_else(|e| panic!("{target}: {e}"));
        String::from_utf8(reply.body).expect("the echo should be text")
    }

    #[tokio::test]
    async fn targets_arrive_as_written() {
        for target in [
            "/",
            "//h/a",
            "/a//b/",
            "/a/../b",
            "/..",
            "/a%2Fb%20%C3%A9?q=%2F&r=+",
            "/a?",
            "/%zz",
            "/{x}",
        ] {
            let expected = format!("GET {target} None None None ");
            assert_eq!(echoed("GET", target, &[], None).await, expected);
        }
    }

    #[tokio::test]
    async fn bodies_have_a_length_and_so_do_requests_that_could_have_one() {
        for (method, body, expected) in [
            ("GET", None, "None"),
            ("DELETE", None, "None"),
            ("POST", None, "Some(\"0\")"),
            ("PUT", None, "Some(\"0\")"),
            ("PATCH", None, "Some(\"0\")"),
            ("POST", Some("abc"), "Some(\"3\")"),
            ("DELETE", Some("abc"), "Some(\"3\")"),
        ] {
            let expected = format!("{method} /a None {expected} None {}", body.unwrap_or_default());
            assert_eq!(echoed(method, "/a", &[], body).await, expected);
        }
    }

    #[tokio::test]
    async fn headers_go_both_ways() {
        let sent = echoed("GET", "/", &[("X-A", "1")], None).await;
        assert_eq!(sent, "GET / None None Some(\"1\") ");
        let answer = async || ([("X-B", "2"), ("X-B", "3")], "body");
        let server = InProcess::new(Router::new().fallback(answer));
        let reply = server.send("GET", "/".to_owned(), vec![], None).await.expect("a reply");
        assert_eq!((reply.status, reply.body), (200, b"body".to_vec()));
        assert!(reply.headers.contains(&("x-b".to_owned(), "3".to_owned())), "{:?}", reply.headers);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_an_error() {
        let server = echo();
        assert!(server.send("GET", "/a b".to_owned(), vec![], None).await.is_err());
        assert!(server.send("G T", "/a".to_owned(), vec![], None).await.is_err());
        let header = ("a b".to_owned(), "1".to_owned());
        assert!(server.send("GET", "/a".to_owned(), vec![header], None).await.is_err());
    }
}
