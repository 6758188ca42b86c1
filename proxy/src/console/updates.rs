//! Keeps open pages up to date over server-sent events. A page gets a section again when the section has changed. A slow page
//! gets fewer updates, and each update has the newest state.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::Frame;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time,
};

use super::{Shared, access, page, view::View};

/// The largest number of pages that are kept up to date at once.
pub(super) const CLIENTS: usize = 32;
/// The shortest time between two updates of a page.
const EVERY: Duration = Duration::from_secs(1);
/// The head is updated only with every tenth update, because screen readers read the head's sentence aloud.
const HEAD_EVERY: u32 = 10;
/// If nothing has changed, the server sends a comment with every 15th update, so that the page sees that the connection still
/// works.
const COMMENT_EVERY: u32 = 15;
/// After this many updates, the server closes the connection. The page then connects again, and the server checks its session
/// again.
const UPDATES: u32 = 15 * 60;

/// Answers with updates of the view.
pub(super) async fn updates(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
        return access::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_pages",
            "32 pages are already kept up to date, which is the maximum; close one of them",
        );
    };
    let view = View::of(query.as_deref(), &headers);
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(send(shared, view, sender, place));
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::new(Updates(receiver))).into_response()
}

/// Sends updates until the page is closed or the proxy stops.
async fn send(
    shared: Arc<Shared>,
    view: View,
    sender: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let mut closed = shared.closed.clone();
    let hashes = RandomState::new();
    let mut sent = page::SECTIONS.map(|_| 0);
    for number in 0..UPDATES {
        let mut text = String::new();
        for (section, sent) in page::SECTIONS.into_iter().zip(&mut sent) {
            if section == "head" && number % HEAD_EVERY != 0 {
                continue;
            }
            let html = page::of_section(&shared, section, &view)
                .await
                .into_string();
            let hash = hashes.hash_one(&html);
            if *sent != hash {
                *sent = hash;
                text.push_str(&event(&html));
            }
        }
        if text.is_empty() && number % COMMENT_EVERY == 0 {
            text.push_str(":\n\n");
        }
        // If the page is slow, the task waits here, and the next update has a newer state.
        if !text.is_empty() && sender.send(text.into()).await.is_err() {
            return;
        }
        tokio::select! {
            () = time::sleep(EVERY) => {}
            () = sender.closed() => return,
            _ = closed.wait_for(|closed| *closed) => return,
        }
    }
}

/// Returns HTML as one event.
fn event(html: &str) -> String {
    let lines = html.split(['\n', '\r']);
    let lines: Vec<_> = lines.map(|line| format!("data:{line}\n")).collect();
    format!("{}\n", lines.concat())
}

/// The body of an answer that continues until the page is closed.
struct Updates(mpsc::Receiver<Bytes>);

impl HttpBody for Updates {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_message_is_no_event_of_its_own() {
        assert_eq!(
            event("<p>a\n\nevent: x\rb</p>"),
            "data:<p>a\ndata:\ndata:event: x\ndata:b</p>\n\n"
        );
    }
}
