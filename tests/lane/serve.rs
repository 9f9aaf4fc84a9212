//! A router on a port of its own for as long as somebody holds it.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tower::ServiceExt as _;

pub(crate) struct Served {
    pub(crate) base: String,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
}

impl Served {
    pub(crate) fn start(router: Router) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let answer = move |request| {
            let router = router.clone();
            async move { router.oneshot(request).await.unwrap_or_else(|never| match never {}) }
        };
        runtime.spawn(larder::http::serve(listener, answer, until, Duration::ZERO));
        Self { base, runtime, stop: Some(stop) }
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// One call without the lane's client; the body of the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, json: &str) -> String {
        let place = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(place).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {place}\r\nx-api-key: secret\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}
