//! The proxy can reject a request before it has read the body. Even then, the client gets the whole answer. Afterwards the
//! connection can be used again, or the answer states that the proxy closes the connection.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use duet_tests::{
    Answer, Stack,
    stack::{PATIENCE, http_client},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time,
};

use crate::events::event;

const TRACK: &str = "/api/analytics/tiktok/track";
/// A session token whose key is unknown.
const SESSION: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Imluc194In0.e30.c2ln";

/// Returns request lines and headers that the proxy rejects, each with the expected status.
fn rejected() -> Vec<(String, u16)> {
    let track = |headers: &str| format!("POST {TRACK} HTTP/1.1\r\nHost: shop\r\n{headers}");
    vec![
        (track("X-Forwarded-For: 203.0.113.7\r\n"), 429),
        (track("Origin: https://evil.example\r\n"), 403),
        (track("Authorization: Bearer not-the-server-key\r\n"), 401),
        (track(&format!("Authorization: Bearer {SESSION}\r\n")), 503),
        ("POST /nowhere HTTP/1.1\r\nHost: shop\r\n".to_owned(), 404),
        (format!("PUT {TRACK} HTTP/1.1\r\nHost: shop\r\n"), 405),
        (
            "POST /api/orders HTTP/1.1\r\nHost: shop\r\n".to_owned(),
            401,
        ),
        (
            "POST /api/payment/sepay/webhook HTTP/1.1\r\nHost: shop\r\n".to_owned(),
            404,
        ),
    ]
}

/// Starts a proxy that rejects each of these requests.
async fn strict() -> Result<Stack> {
    let stack = Stack::start(&[
        ("DUET_RATE_LIMIT", "20/1h"),
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
        ("DUET_SERVER_KEY", "a-server-key-of-some-length"),
        ("CLERK_ISSUER", "http://127.0.0.1:9"),
        ("CLERK_AUTHORIZED_PARTIES", "https://shop.example"),
    ])
    .await?;
    stack
        .until("an address has used up its rate limit", async |stack| {
            let request = stack.request("POST", TRACK)?.body("{");
            let request = request.header("x-forwarded-for", "203.0.113.7");
            Ok(Answer::to(request).await?.status.as_u16() == 429)
        })
        .await?;
    Ok(stack)
}

/// Both directions of a connection.
struct Connection {
    reads: BufReader<OwnedReadHalf>,
    writes: OwnedWriteHalf,
}

impl Connection {
    async fn to(address: SocketAddr) -> Result<Self> {
        let (reads, writes) = TcpStream::connect(address).await?.into_split();
        let reads = BufReader::new(reads);
        Ok(Self { reads, writes })
    }

    /// Reads the next answer: the head, and as many bytes of the body as the head states.
    async fn answer(&mut self) -> Result<(String, String)> {
        let reading = async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                let read = self.reads.read_line(&mut head).await?;
                ensure!(
                    read > 0,
                    "the proxy closed the connection after {head:?}, before the end of the head"
                );
            }
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| {
                let length = line.strip_prefix("content-length: ")?;
                length.parse::<usize>().ok()
            });
            let mut body = vec![0; length.context("the answer must state its length")?];
            self.reads.read_exact(&mut body).await?;
            Ok((head, String::from_utf8(body)?))
        };
        time::timeout(PATIENCE, reading)
            .await
            .context("the proxy must answer in time")?
    }

    /// Checks that the proxy closes the connection.
    async fn ends(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        let read = time::timeout(PATIENCE, self.reads.read_to_end(&mut rest)).await;
        read.context("the proxy must close the connection, but it stays open")??;
        ensure!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
        Ok(())
    }
}

/// Returns a body with this number of bytes, chunked or plain, as it is sent in a request.
fn framed(bytes: usize, chunked: bool) -> Vec<u8> {
    let body = "x".repeat(bytes);
    if chunked {
        let mut framed = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.as_bytes().chunks(50_000) {
            framed.extend(format!("{:x}\r\n", chunk.len()).bytes());
            framed.extend(chunk);
            framed.extend(b"\r\n");
        }
        framed.extend(b"0\r\n\r\n");
        framed
    } else {
        format!("Content-Length: {bytes}\r\n\r\n{body}").into_bytes()
    }
}

#[tokio::test]
async fn a_rejected_request_gets_its_answer_whole_and_the_connection_serves_on() -> Result<()> {
    let stack = strict().await?;
    for (head, status) in rejected() {
        for bytes in [1_000, 6_000, 200_000, 5_000_000] {
            for chunked in [false, true] {
                let case = format!("{status} {bytes} {chunked} {head}");
                let mut connection = Connection::to(stack.address()).await?;
                let request = [head.as_bytes(), &framed(bytes, chunked)].concat();
                // Like a client that expects no early answer, the test reads only after it has written the whole request.
                let written = time::timeout(PATIENCE, connection.writes.write_all(&request)).await;
                written
                    .context("the proxy must read the whole request")?
                    .context(case.clone())?;
                let (answer, body) = connection.answer().await.context(case.clone())?;
                assert!(
                    answer.starts_with(&format!("http/1.1 {status} ")),
                    "{answer}"
                );
                assert!(body.ends_with('}') && body.contains("\"code\""), "{body}");
                if answer.contains("\r\nconnection: close\r\n") {
                    connection.ends().await.context(case)?;
                    continue;
                }
                let next = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n";
                connection.writes.write_all(next).await?;
                let (answer, _) = connection.answer().await.context(case)?;
                assert!(answer.starts_with("http/1.1 200 "), "{answer}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_pooled_clients_next_request_does_not_break() -> Result<()> {
    let stack = strict().await?;
    let client = http_client();
    let url = format!("http://{}{TRACK}", stack.address());
    for bytes in [6_000, 60_000, 200_000] {
        for number in 0..10 {
            let request = client.post(&url).header("origin", "https://evil.example");
            let request = request.body("x".repeat(bytes));
            let answer = Answer::to(request)
                .await
                .with_context(|| format!("{bytes} {number}"))?;
            assert_eq!(answer.body["code"], "origin_not_allowed");
        }
    }
    let request = client.post(&url).body(event("a").to_string());
    assert_eq!(Answer::to(request).await?.status.as_u16(), 202);
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_not_told_to_go_on() -> Result<()> {
    let stack = strict().await?;
    for (head, status) in rejected() {
        for sends in [false, true] {
            let mut connection = Connection::to(stack.address()).await?;
            let head = format!("{head}Expect: 100-continue\r\nContent-Length: 200000\r\n\r\n");
            connection.writes.write_all(head.as_bytes()).await?;
            if sends {
                // Some clients send the body without waiting for the answer to `Expect`.
                connection.writes.write_all(&vec![b'x'; 200_000]).await?;
            }
            let (answer, _) = connection.answer().await?;
            assert!(
                answer.starts_with(&format!("http/1.1 {status} ")),
                "{answer}"
            );
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
            connection.ends().await?;
        }
    }
    let mut connection = Connection::to(stack.address()).await?;
    let body = event("a").to_string();
    let head = format!(
        "POST {TRACK} HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.writes.write_all(head.as_bytes()).await?;
    let mut told = String::new();
    connection.reads.read_line(&mut told).await?;
    assert_eq!(told, "HTTP/1.1 100 Continue\r\n");
    connection.reads.read_line(&mut told).await?;
    connection.writes.write_all(body.as_bytes()).await?;
    let (answer, _) = connection.answer().await?;
    assert!(answer.starts_with("http/1.1 202 "), "{answer}");
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_ends_its_connection() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let mut connection = Connection::to(stack.address()).await?;
    let head = format!("POST {TRACK} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\n{{");
    connection.writes.write_all(head.as_bytes()).await?;
    let (answer, _) = connection.answer().await?;
    assert!(answer.starts_with("http/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    connection.ends().await
}
