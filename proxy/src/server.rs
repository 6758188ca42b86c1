//! Connections: bounded in number, and in the patience shown to slow ones.

use std::{
    convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use axum::http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};

use crate::router::Surface;

/// The most connections at once; more wait in the listener's backlog.
const CONNECTIONS: usize = 4096;
/// Files that the store and the way to TikTok may need at once.
const OWN_FILES: usize = 256;
/// How long the head of a request may take to come, for as long as half of the places are free. Also ends idle
/// connections.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// The same when fewer are: whoever holds places without a request then gives them up faster than he can
/// keep others out.
const HEAD_WITHIN_CROWD: Duration = Duration::from_secs(2);
/// The largest head of a request.
const HEAD_BYTES: usize = 64 * 1024;
/// How long requests under way may take to finish after the signal to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// Serves `surface` until `shutdown` resolves, then lets the requests under way finish.
pub async fn serve(listener: TcpListener, surface: Surface, shutdown: impl Future<Output = ()>) {
    let surface = Arc::new(surface);
    let graceful = GracefulShutdown::new();
    let number = connections(open_files());
    let places = Arc::new(Semaphore::new(number));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, as a rule: those in use have to close first.
                tracing::warn!(error = %error, "a connection could not be accepted");
                time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let head_within = if places.available_permits() > number / 2 {
            HEAD_WITHIN
        } else {
            HEAD_WITHIN_CROWD
        };
        let connection = connection(stream, peer, Arc::clone(&surface), head_within);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if time::timeout(FINISH_WITHIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Asks for as many files as the system allows, and says how many that is: `None` for any number.
fn open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// How many connections there may be at once, where so many files may be open.
fn connections(files: Option<u64>) -> usize {
    let files = files.and_then(|files| usize::try_from(files).ok());
    let shared = files.map(|files| files.saturating_sub(OWN_FILES).max(files / 4));
    shared.unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS)
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    surface: Arc<Surface>,
    head_within: Duration,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let answer = move |request: Request<Incoming>| {
        let surface = Arc::clone(&surface);
        async move { Ok::<_, Infallible>(surface.answer(peer, request).await) }
    };
    // Answers are one small write; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(HEAD_BYTES)
        // Answers are small: to copy one costs less than to write it in parts.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_store() {
        for (files, expected) in [
            (None, 4096),
            (Some(u64::MAX), 4096),
            (Some(1024), 768),
            (Some(256), 64),
            (Some(0), 1),
        ] {
            assert_eq!(connections(files), expected, "{files:?}");
        }
    }
}
