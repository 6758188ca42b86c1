//! Reads the body of a request, within limits of size and time. Discards the body of a rejected request.

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

/// The largest accepted body, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// How long a body can take to arrive.
const COMES_WITHIN: Duration = Duration::from_secs(10);
/// How long the proxy waits for the unread body of a rejected request with `Expect`. With `Expect`, the client has asked
/// whether to send the body.
const COMES_UNASKED_WITHIN: Duration = Duration::from_secs(1);
/// How many bytes of an unread body the proxy reads and discards.
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// The body of a request. If no handler reads the whole body, the rest of the body is read and discarded while the answer is
/// sent. If the rest were not read, the connection would close while the client still sends. The client could then lose the
/// answer, and the client's next request on the same connection would fail.
pub struct RequestBody {
    /// The unread body. `None` after the whole body was read.
    incoming: Option<Incoming>,
    linger: Duration,
}

impl RequestBody {
    /// Wraps the body of a request with these headers.
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
        // If there is no runtime, the process is stopping, and the connection closes with the process.
        let (Some(unread), Ok(runtime)) = (unread, Handle::try_current()) else {
            return;
        };
        let mut unread = Limited::new(unread, LINGER_BYTES);
        let reading = async move { while let Some(Ok(_)) = unread.frame().await {} };
        let linger = self.linger;
        runtime.spawn(async move { time::timeout(linger, reading).await });
    }
}

/// Returns whether the proxy closes the connection after it has rejected a request with these headers. The proxy closes the
/// connection if the client waits for permission to send the body (`Expect`), or if the body is too large to be discarded.
pub fn ends_connection(headers: &HeaderMap) -> bool {
    headers.contains_key(header::EXPECT)
        || announced(headers).is_some_and(|length| length > LINGER_BYTES as u64)
}

/// Returns the body length that the headers state.
fn announced(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.parse().ok()
}

/// Reads the whole body.
///
/// # Errors
/// [`Rejection::TooLarge`], [`Rejection::TooSlow`], or [`Rejection::Incomplete`] if the connection closes before the whole body
/// arrived.
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

/// Returns the result of `reading`, or `None` if `reading` takes too long.
async fn in_time<T>(reading: impl Future<Output = T>) -> Option<T> {
    let mut reading = pin!(reading);
    // Usually the whole body has already arrived, and no timer is needed.
    match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        Poll::Ready(read) => Some(read),
        Poll::Pending => time::timeout(COMES_WITHIN, reading).await.ok(),
    }
}
