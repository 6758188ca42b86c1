//! A small balancer: it sends each request to the next proxy that accepts connections.
//!
//! The balancer sends a request to a second proxy only if that is safe. If a proxy cannot be reached, it has not received
//! the request, so another proxy can get it. If the connection ends without an answer, the proxy may have accepted the
//! event. In this case the balancer sends only requests that change nothing to another proxy. Other requests get a 502, and
//! their senders repeat them with the same ids.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

/// How long a proxy may take to accept a connection (`CONNECT`) and to answer (`ANSWER`).
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(30);
/// How long a proxy gets no requests after it could not be reached. If every other proxy fails, such a proxy still gets
/// requests.
const REST: Duration = Duration::from_secs(1);
/// A limit for bodies. No proxy accepts a larger body.
const BODY_BYTES: usize = 1 << 20;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The balancer of some proxies.
pub(crate) struct Balancer {
    proxies: Vec<Upstream>,
    next: AtomicUsize,
}

struct Upstream {
    address: SocketAddr,
    rests_until: Mutex<Instant>,
}

/// The reason why a proxy gave no answer.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The proxy has received nothing.
    NotSent,
    /// The proxy may have received the request.
    Unanswered,
}

impl Balancer {
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let proxies = addresses.into_iter().map(|address| Upstream {
            address,
            rests_until: Mutex::new(Instant::now()),
        });
        Self {
            proxies: proxies.collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Sends a request of the client `peer` to a proxy, and returns the proxy's answer.
    pub(crate) async fn forward(&self, peer: SocketAddr, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY_BYTES).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        own_headers(&mut head, peer);
        for proxy in self.in_turn() {
            match proxy.send(head.clone(), body.clone()).await {
                Ok(answer) => return answer,
                Err(Failure::NotSent) => proxy.rest(),
                Err(Failure::Unanswered) if head.method.is_safe() => {}
                Err(Failure::Unanswered) => return StatusCode::BAD_GATEWAY.into_response(),
            }
        }
        let retry_after = [(header::RETRY_AFTER, "1")];
        (StatusCode::SERVICE_UNAVAILABLE, retry_after).into_response()
    }

    /// Returns all proxies, beginning with the next one. The proxies that could not be reached a moment ago come last.
    fn in_turn(&self) -> Vec<&Upstream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.proxies.len().max(1);
        let (before, from) = self.proxies.split_at(first);
        let mut proxies: Vec<_> = from.iter().chain(before).collect();
        proxies.sort_by_key(|proxy| proxy.rests());
        proxies
    }
}

impl Upstream {
    fn rests(&self) -> bool {
        *self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            > Instant::now()
    }

    fn rest(&self) {
        *self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now() + REST;
    }

    /// Sends a request over a new connection. A connection that is kept open may end just before it is used again, and then
    /// nobody knows whether the proxy has read the request.
    async fn send(&self, head: Parts, body: Bytes) -> Result<Response, Failure> {
        let connected = timeout(CONNECT, TcpStream::connect(self.address)).await;
        let Ok(Ok(stream)) = connected else {
            return Err(Failure::NotSent);
        };
        let sent = timeout(ANSWER, async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let request = Request::from_parts(head, Body::from(body));
            sender.send_request(request).await
        });
        let Ok(Ok(mut answer)) = sent.await else {
            return Err(Failure::Unanswered);
        };
        answer.headers_mut().remove(header::CONNECTION);
        answer.headers_mut().remove(header::TRANSFER_ENCODING);
        Ok(answer.map(Body::new).into_response())
    }
}

/// Removes the headers that belong to one connection, and adds a header with the client's address.
fn own_headers(head: &mut Parts, peer: SocketAddr) {
    for name in [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::EXPECT,
    ] {
        head.headers.remove(name);
    }
    if let Ok(client) = HeaderValue::from_str(&peer.ip().to_string()) {
        head.headers.insert(FORWARDED_FOR, client);
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    /// A server that reads one request on each connection, and answers with `answer` or ends the connection.
    async fn server(answer: Option<&'static str>) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut read = [0; 1024];
                let _ = stream.read(&mut read).await;
                if let Some(body) = answer {
                    let length = body.len();
                    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            }
        });
        (address, serving)
    }

    /// An address on which nothing listens.
    async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    async fn answer(balancer: &Balancer, method: &str) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri("/api/orders/A")
            .body(Body::from("{}"))
            .unwrap();
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let answer = balancer.forward(peer, request).await;
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), BODY_BYTES).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_proxy_that_cannot_be_reached_is_passed_over_and_then_left_alone() {
        let (living, _serving) = server(Some("living")).await;
        let balancer = Balancer::new([nobody().await, living]);
        for _ in 0..3 {
            assert_eq!(answer(&balancer, "POST").await, (200, "living".to_owned()));
        }
        let turns: Vec<_> = (0..2).map(|_| balancer.in_turn()[0].address).collect();
        assert_eq!(turns, [living, living]);
        let dead = Balancer::new([nobody().await]);
        assert_eq!(answer(&dead, "POST").await.0, 503);
    }

    #[tokio::test]
    async fn a_request_that_may_have_been_accepted_is_not_sent_again() {
        let (silent, _silent) = server(None).await;
        let (living, _living) = server(Some("living")).await;
        for (method, expected) in [("POST", 502), ("GET", 200)] {
            let balancer = Balancer::new([silent, living]);
            assert_eq!(answer(&balancer, method).await.0, expected, "{method}");
        }
    }
}
