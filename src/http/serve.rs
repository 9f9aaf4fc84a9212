//! Carrying connections: accept, serve, and drain at the end so that nothing accepted is dropped.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

/// How long a connection may take to send the head of a request, the wait for the next request on
/// a kept connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How long connections are still taken, and first requests still read, once serving is to end.
const LAST_CALL: Duration = Duration::from_millis(50);

/// How long answers may take to leave once every request has one.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Has requests on `listener` answered until `stop` is ready; then stops accepting and waits up to
/// `drain` for the requests that are under way. Returns whether all of them were finished.
pub async fn serve<A, F>(
    listener: TcpListener,
    answer: A,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> bool
where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let under_way = Arc::new(AtomicUsize::new(0));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => connection(stream, answer.clone(), &graceful, &under_way),
            Err(error) => pause_after(&error).await,
        }
    }
    // Connections that the system has accepted for us already, as far as they are there.
    let last_call = tokio::time::Instant::now() + LAST_CALL;
    while let Ok(Ok((stream, _))) = tokio::time::timeout_at(last_call, listener.accept()).await {
        connection(stream, answer.clone(), &graceful, &under_way);
    }
    drop(listener);
    // A connection that has not been read from yet would be closed as idle.
    tokio::time::sleep(LAST_CALL).await;
    // Connections that never sent the whole head of a request have nothing to lose: what counts is
    // that no request is under way, and that the last answers had time to leave.
    let answered = async {
        while under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let drained = async {
        tokio::select! {
            () = graceful.shutdown() => {}
            () = answered => {}
        }
    };
    tokio::time::timeout(drain + LAST_ANSWERS, drained).await.is_ok()
}

/// Counts a request for as long as it lives.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn connection<A, F>(
    stream: TcpStream,
    answer: A,
    graceful: &GracefulShutdown,
    under_way: &Arc<AtomicUsize>,
) where
    A: Fn(Request) -> F + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let under_way = Arc::clone(under_way);
    // Small answers must not wait for the client's delayed acknowledgements.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let request_under_way = UnderWay::new(&under_way);
        let answered = answer(request.map(Body::new));
        async move {
            let _until_answered = request_under_way;
            Ok::<_, Infallible>(answered.await)
        }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(serving);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "connection ended early");
        }
    });
}

/// A connection that was gone before it was accepted is nobody's trouble; anything else (no file
/// descriptors left, say) gets better only with time.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%error, "connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
