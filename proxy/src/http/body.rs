//! A request's body: read within bounds of size and time, or read and thrown away once its request is rejected.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Bytes, HttpBody},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::{runtime::Handle, time};

use super::rejection::Rejection;
use crate::headers::text;

/// The largest body that is read.
pub const MAX_BYTES: usize = 256 * 1024;
/// How long a body may take to come.
const COMES_WITHIN: Duration = Duration::from_secs(10);
/// How long a body may take to come whose client asked whether to send it and got the final answer.
const COMES_UNASKED_WITHIN: Duration = Duration::from_secs(1);
/// How much of an unread body is still taken and thrown away.
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// The body of a request on its connection. Whatever of it no handler reads is read while the answer goes out, and thrown
/// away: a connection that is closed while its client still sends is reset, the answer may be lost on the way, and
/// the next request of a pooled client fails.
pub struct RequestBody {
    /// `None` once it has come to its end.
    incoming: Option<Incoming>,
    linger: Duration,
}

impl RequestBody {
    /// The body of a request with these headers.
    pub fn new(headers: &HeaderMap, incoming: Incoming) -> Self {
        let linger = if headers.contains_key(header::EXPECT) {
            COMES_UNASKED_WITHIN
        } else {
            COMES_WITHIN
        };
        Self {
            incoming: Some(incoming),
            linger,
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let incoming = self.incoming.as_ref();
        incoming.is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let incoming = self.incoming.as_ref();
        incoming.map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let unread = self.incoming.take().filter(|body| !body.is_end_stream());
        // Without a runtime the process ends, and the connection with it.
        let (Some(unread), Ok(runtime)) = (unread, Handle::try_current()) else {
            return;
        };
        let mut unread = Limited::new(unread, LINGER_BYTES);
        let reading = async move { while let Some(Ok(_)) = unread.frame().await {} };
        let linger = self.linger;
        runtime.spawn(async move { time::timeout(linger, reading).await });
    }
}

/// Whether the connection of a rejected request with these headers ends with the answer: its client holds the body back
/// until it is asked for it, or the body is too large to be thrown away.
pub fn ends_connection(headers: &HeaderMap) -> bool {
    headers.contains_key(header::EXPECT)
        || announced(headers).is_some_and(|length| length > LINGER_BYTES as u64)
}

/// The length that a request states.
fn announced(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.parse().ok()
}

/// Reads the whole body.
///
/// # Errors
/// [`Rejection::TooLarge`], [`Rejection::TooSlow`], or [`Rejection::Incomplete`] when it breaks off.
pub async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    if announced(headers).is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(Rejection::TooLarge);
    }
    match in_time(Limited::new(body, MAX_BYTES).collect()).await {
        Some(Ok(read)) => Ok(read.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge),
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
