//! The lower limit for the proxy's cost: an axum server on one thread that reads the body and answers 202.

use anyhow::Result;
use axum::{Router, body::Bytes, http::StatusCode};
use tokio::net::TcpListener;

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let router = Router::new().fallback(answer);
    Ok(axum::serve(listener, router).await?)
}

async fn answer(_: Bytes) -> StatusCode {
    StatusCode::ACCEPTED
}
