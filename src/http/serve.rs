//! Carrying connections: accept, serve, and drain at the end so that nothing accepted is dropped.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// How long a connection may take to send the head of a request, the wait for the next request on
/// a kept connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How long connections are still taken, and first requests still read, once serving is to end.
const LAST_CALL: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `stop` is ready; then stops accepting and waits up to
/// `drain` for the requests that are under way. Returns whether all of them were finished.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> bool {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => connection(stream, router.clone(), &graceful),
            Err(error) => pause_after(&error).await,
        }
    }
    // Connections that the system has accepted for us already, as far as they are there.
    let last_call = tokio::time::Instant::now() + LAST_CALL;
    while let Ok(Ok((stream, _))) = tokio::time::timeout_at(last_call, listener.accept()).await {
        connection(stream, router.clone(), &graceful);
    }
    drop(listener);
    // A connection that has not been read from yet would be closed as idle.
    tokio::time::sleep(LAST_CALL).await;
    tokio::time::timeout(drain, graceful.shutdown()).await.is_ok()
}

fn connection(stream: TcpStream, router: Router, graceful: &GracefulShutdown) {
    // Small answers must not wait for the client's delayed acknowledgements.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let request: Request = request.map(Body::new);
            Ok::<_, Infallible>(
                router.oneshot(request).await.unwrap_or_else(|never| match never {}),
            )
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
