//! One HTTP request to a webhook.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The largest number of bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 * 1024;

/// An answer to a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A request.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) headers: Vec<(&'static str, String)>,
    /// The query string of the address.
    pub(super) query: Option<String>,
    /// The body to post. Without a body, the request is a GET.
    pub(super) body: Option<String>,
}

/// Sends a request and reads the answer. If no answer comes, returns the reason as a sentence.
pub(super) async fn send(url: &Uri, message: Message, timeout: Duration) -> Result<Answer, String> {
    tokio::time::timeout(timeout, exchange(url, message))
        .await
        .unwrap_or_else(|_| Err("no answer within timeout_ms".to_owned()))
}

async fn exchange(url: &Uri, message: Message) -> Result<Answer, String> {
    let host = url.host().ok_or("the address has no host")?;
    let plain_host = host.trim_matches(['[', ']']);
    let authority = url.authority().ok_or("the address has no host")?.as_str();
    let stream = TcpStream::connect((plain_host, url.port_u16().unwrap_or(80)));
    let stream = stream.await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let mut path = url
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    if let Some(query) = message.query {
        path = format!("{path}?{query}");
    }
    let mut request = match &message.body {
        Some(_) => Request::post(path).header(header::CONTENT_TYPE, "application/json"),
        None => Request::get(path),
    };
    request = request
        .header(header::HOST, authority)
        .header(header::USER_AGENT, "duet-sandbox");
    for (name, value) in message.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(message.body.map_or_else(Body::empty, Body::from))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES);
        // A real provider would not read an answer that is too long.
        let body = body.collect().await.map_or_else(
            |_| Bytes::from_static(b"(too long or incomplete)"),
            http_body_util::Collected::to_bytes,
        );
        Ok::<_, hyper::Error>(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    let answer = answer.await;
    connection.abort();
    answer.map_err(|error| error.to_string())
}
