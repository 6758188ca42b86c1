//! Serves a sandbox over TCP.

use std::io;
use std::time::Duration;

use axum::ServiceExt;
use axum::extract::Request;
use tokio::net::TcpListener;

use crate::Sandbox;
use crate::connection::{Connection, Sockets};

/// How long open connections may still take after the stop signal, in real time.
const GRACE: Duration = Duration::from_secs(2);

/// Serves the sandbox until `shutdown` is complete. Then requests that hang get their answers.
///
/// [`Fault::Reset`](crate::Fault::Reset) can reset a connection only if this function serves the sandbox. If another server
/// serves the router, the sandbox answers 502 instead.
pub async fn serve(
    listener: TcpListener,
    sandbox: Sandbox,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let service =
        ServiceExt::<Request>::into_make_service_with_connect_info::<Connection>(sandbox.router());
    let server = axum::serve(Sockets(listener), service).with_graceful_shutdown(async move {
        shutdown.await;
        sandbox.stop_hanging();
        stopping.send_replace(true);
    });
    let too_late = async move {
        // If waiting returns an error, the server has ended and the other branch of `select!` returns.
        if stopped.wait_for(|stopped| *stopped).await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = server => ended,
        () = too_late => Ok(()),
    }
}
