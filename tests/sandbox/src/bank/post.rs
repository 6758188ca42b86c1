//! One HTTP request to a webhook.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How much of an answer is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// An answer to a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Posts `body` and reads the answer; a sentence where there is none.
pub(super) async fn post(
    url: &Uri,
    headers: &[(&'static str, String)],
    body: String,
    timeout: Duration,
) -> Result<Answer, String> {
    tokio::time::timeout(timeout, exchange(url, headers, body))
        .await
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn exchange(
    url: &Uri,
    headers: &[(&'static str, String)],
    body: String,
) -> Result<Answer, String> {
    let host = url.host().ok_or("the address has no host")?;
    let plain_host = host.trim_matches(['[', ']']);
    let authority = url.authority().ok_or("the address has no host")?.as_str();
    let stream = TcpStream::connect((plain_host, url.port_u16().unwrap_or(80)));
    let stream = stream.await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "SePay-Webhook/1.0 (duet-sandbox)");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request
        .body(Body::from(body))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES);
        // What is too long is not an answer that anybody reads.
        let body = body.collect().await.map_or_else(
            |_| Bytes::from_static(b"(too long, or broken off)"),
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
