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
/// How much of a body that is refused for its size is still taken and thrown away.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// The whole body.
///
/// # Errors
/// [`Rejection::TooLarge`], [`Rejection::TooSlow`], or [`Rejection::Incomplete`] when it breaks off.
pub async fn read<B>(headers: &HeaderMap, mut body: B) -> Result<Bytes, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BYTES as u64) {
        linger(body);
        return Err(Rejection::TooLarge);
    }
    match in_time(Limited::new(&mut body, MAX_BYTES).collect()).await {
        Some(Ok(read)) => Ok(read.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            linger(body);
            Err(Rejection::TooLarge)
        }
        Some(Err(_)) => Err(Rejection::Incomplete),
        None => Err(Rejection::TooSlow),
    }
}

/// What `reading` gives, if it does in time.
async fn in_time<T>(reading: impl Future<Output = T>) -> Option<T> {
    let mut reading = pin!(reading);
    // As a rule it is there already, and needs no timer.
    match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        Poll::Ready(read) => Some(read),
        Poll::Pending => time::timeout(COMES_WITHIN, reading).await.ok(),
    }
}

/// Reads on while the answer goes out. A connection that is closed while its client still sends is reset, and the answer
/// may be lost on the way.
fn linger<B>(body: B)
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let mut rest = Limited::new(body, LINGER_BYTES);
    let reading = async move { while let Some(Ok(_)) = rest.frame().await {} };
    tokio::spawn(time::timeout(COMES_WITHIN, reading));
}
