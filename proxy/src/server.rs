//! Accepts connections. Limits how many connections are open, and how long the proxy waits for a slow client.

use std::{
    convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use axum::{http::Request, response::Response};
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

/// The largest number of open connections to the address that accepts events. Further connections wait in the listener's
/// backlog.
pub const CONNECTIONS: usize = 4096;
/// The number of open files that are reserved for the store and for the connections to TikTok.
const OWN_FILES: usize = 256;
/// How long the headers of a request can take to arrive, while more than half of the connections are free. An idle connection
/// is closed after the same time.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// How long the headers of a request can take to arrive while half of the connections, or fewer, are free. The limit is short,
/// so that a client that opens connections and sends nothing loses them before it can use up all connections.
const HEAD_WITHIN_CROWD: Duration = Duration::from_secs(2);
/// The largest size of a request's headers, in bytes.
const HEAD_BYTES: usize = 64 * 1024;
/// How long open requests can take to finish after the signal to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// Serves the answers of `answer` until `shutdown` resolves, then waits for the open requests to finish. At most `most`
/// connections are open at once.
pub async fn serve<F, R>(
    listener: TcpListener,
    most: usize,
    answer: F,
    shutdown: impl Future<Output = ()>,
) where
    F: Fn(SocketAddr, Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let number = connections(open_files(), most);
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
                // The usual reason is that the process has no free file descriptor. Some connections must close before the
                // next can be accepted, so the server waits for a moment.
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
        let connection = connection(stream, peer, answer.clone(), head_within);
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
        tracing::warn!(
            "some open requests did not finish in time after the signal to stop, and were ended"
        );
    }
}

/// Raises the process's limit of open files as far as the system allows, and returns the new limit. `None` means no limit.
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

/// Returns how many connections can be open at once if the process can open this many files.
fn connections(files: Option<u64>, most: usize) -> usize {
    let files = files.and_then(|files| usize::try_from(files).ok());
    let shared = files.map(|files| files.saturating_sub(OWN_FILES).max(files / 4));
    shared.unwrap_or(most).clamp(1, most)
}

fn connection<F, R>(
    stream: TcpStream,
    peer: SocketAddr,
    answer: F,
    head_within: Duration,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error>
where
    F: Fn(SocketAddr, Request<Incoming>) -> R,
    R: Future<Output = Response>,
{
    let answer = move |request: Request<Incoming>| {
        let answered = answer(peer, request);
        async move { Ok::<_, Infallible>(answered.await) }
    };
    // An answer is one small write. Waiting until a packet is full would only delay the answer.
    let _ = stream.set_nodelay(true);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(HEAD_BYTES)
        // Answers are small, so it costs less to copy an answer into one buffer than to write its parts separately.
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
            assert_eq!(connections(files, CONNECTIONS), expected, "{files:?}");
        }
    }
}
