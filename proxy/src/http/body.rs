//! Reads a request's body: bounded in size and time.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use axum::{
    BoxError,
    body::{Bytes, HttpBody},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time;

use super::rejection::Rejection;

/// The largest body that is read.
pub const MAX_BYTES: usize = 256 * 1024;
/// How long a body may take to come.
const COMES_WITHIN: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// [`Rejection::TooLarge`], [`Rejection::TooSlow`], or [`Rejection::Incomplete`] when it breaks off.
pub async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BYTES as u64) {
        return Err(Rejection::TooLarge);
    }
    let mut body = pin!(Limited::new(body, MAX_BYTES).collect());
    // As a rule it is there already, and needs no timer.
    let read = match poll_fn(|context| Poll::Ready(body.as_mut().poll(context))).await {
        Poll::Ready(read) => Ok(read),
        Poll::Pending => time::timeout(COMES_WITHIN, body).await,
    };
    match read {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge),
        Ok(Err(_)) => Err(Rejection::Incomplete),
        Err(_) => Err(Rejection::TooSlow),
    }
}
