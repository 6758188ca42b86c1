//! The proxy rejects callers that are too slow, send too much or are too many. The proxy still serves other callers.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack, stack::PATIENCE};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::JoinSet,
    time,
};

use crate::events::{event, ids, post_all};

const HEAD: &str = "POST /api/analytics/tiktok/track HTTP/1.1\r\nHost: shop\r\n";

/// Opens a connection and writes the text `sent` to it.
async fn said(to: SocketAddr, sent: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(sent.as_bytes()).await?;
    Ok(stream)
}

/// Returns everything that the proxy sends until it closes the connection.
async fn heard(mut stream: TcpStream) -> Result<String> {
    let mut all = Vec::new();
    let reading = stream.read_to_end(&mut all);
    let read = time::timeout(PATIENCE, reading)
        .await
        .context("the proxy must close the connection, but it stays open")?;
    // A reset after the answer counts as closing too.
    if let Err(error) = read {
        ensure!(error.kind() == std::io::ErrorKind::ConnectionReset, error);
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}

/// Sends a request that asks the proxy to close the connection afterwards. Returns the whole answer.
async fn answer_to(to: SocketAddr, sent: &str) -> Result<String> {
    heard(said(to, &sent.replacen("Host", "Connection: close\r\nHost", 1)).await?).await
}

/// Raises the limit of open files to the maximum, for this process and for the proxy that it starts next. Returns the limit.
async fn many_files() -> Result<usize> {
    let own = std::process::id().to_string();
    let ask = [
        "--pid",
        &own,
        "--nofile",
        "--noheadings",
        "--raw",
        "--output=HARD",
    ];
    let hard = Command::new("prlimit").args(ask).output().await?.stdout;
    let hard = String::from_utf8(hard)?.trim().parse().unwrap_or(20_000);
    let limit = format!("--nofile={hard}:{hard}");
    let raised = Command::new("prlimit")
        .args(["--pid", &own, &limit])
        .status()
        .await?;
    ensure!(
        raised.success(),
        "prlimit must raise the limit of open files"
    );
    Ok(hard)
}

#[tokio::test]
async fn slow_callers_are_closed_and_hold_up_nobody() -> Result<()> {
    let stack = Stack::start(&[("DUET_RATE_LIMIT", "off")]).await?;
    let to = stack.address();
    let mut slow = JoinSet::new();
    for _ in 0..200 {
        slow.spawn(async move {
            let mut stream = said(to, HEAD).await?;
            let mut pace = time::interval(Duration::from_millis(500));
            let mut heard = [0; 64];
            loop {
                tokio::select! {
                    read = stream.read(&mut heard) => {
                        if matches!(read, Ok(0) | Err(_)) {
                            return Ok(());
                        }
                    }
                    _ = pace.tick() => if stream.write_all(b"x").await.is_err() {
                        return anyhow::Ok(());
                    },
                }
            }
        });
    }
    post_all(&stack, &ids("e", 20)).await?;
    stack.conversions(20).await?;
    // A caller whose body arrives too slowly gets an answer that states the reason.
    let mut trickling = said(to, &format!("{HEAD}Content-Length: 100\r\n\r\n{{")).await?;
    let told = heard_to(&mut trickling, "\n").await?;
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    let closed = async {
        while let Some(done) = slow.join_next().await {
            done??;
        }
        anyhow::Ok(())
    };
    time::timeout(PATIENCE, closed)
        .await
        .context("the proxy must close the connections of slow callers")?
}

/// Reads from the proxy until the text contains `words`.
async fn heard_to(stream: &mut TcpStream, words: &str) -> Result<String> {
    let mut heard = String::new();
    let mut some = [0; 512];
    while !heard.contains(words) {
        match time::timeout(PATIENCE, stream.read(&mut some)).await?? {
            0 => bail!(
                "the proxy closed the connection after {heard:?}, before it sent the expected text"
            ),
            read => heard.push_str(&String::from_utf8_lossy(&some[..read])),
        }
    }
    Ok(heard)
}

#[tokio::test]
async fn a_body_over_256_kib_is_refused_whether_or_not_it_says_so() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let to = stack.address();
    let event = event("a").to_string();
    let padded = |bytes: usize| format!("{event}{}", " ".repeat(bytes - event.len()));
    let (most, more) = (256 * 1024, 256 * 1024 + 1);

    let mut sender = said(to, &format!("{HEAD}Content-Length: {more}\r\n\r\n")).await?;
    let announced = heard_to(&mut sender, "too_large").await?;
    let chunk = padded(more);
    let unannounced =
        format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{more:x}\r\n{chunk}\r\n0\r\n\r\n");
    let unannounced = answer_to(to, &unannounced).await?;
    for answer in [announced, unannounced] {
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("too_large"), "{answer}");
    }
    // The proxy must not close a connection while the caller still sends, because the caller might then miss the answer.
    // Afterwards the connection accepts another request.
    sender.write_all(padded(more).as_bytes()).await?;
    let fits = format!("{HEAD}Connection: close\r\nContent-Length: {most}\r\n\r\n");
    sender
        .write_all(format!("{fits}{}", padded(most)).as_bytes())
        .await?;
    let fits = heard(sender).await?;
    assert!(fits.contains("HTTP/1.1 202 "), "{fits}");
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_when_to_come_back_and_others_are_served() -> Result<()> {
    let key = "a-server-key-of-some-length";
    let stack = Stack::start(&[
        ("DUET_RATE_LIMIT", "3/1h"),
        ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
        ("DUET_SERVER_KEY", key),
    ])
    .await?;
    let from = |client: &str, id: &str| {
        anyhow::Ok(stack.track(&event(id))?.header("x-forwarded-for", client))
    };
    for id in ["a", "b", "c"] {
        assert_eq!(
            Answer::to(from("203.0.113.7", id)?).await?.status.as_u16(),
            202
        );
    }
    for _ in 0..20 {
        let greedy = Answer::to(from("203.0.113.7", "d")?).await?;
        assert_eq!(
            (greedy.status.as_u16(), &greedy.body["code"]),
            (429, &json!("too_many"))
        );
        let wait: u32 = greedy.headers["retry-after"].to_str()?.parse()?;
        assert!((1..=1200).contains(&wait), "{wait}");
    }
    let other = Answer::to(from("203.0.113.8", "e")?).await?;
    assert_eq!(other.status.as_u16(), 202);
    let server = Answer::to(from("203.0.113.7", "f")?.bearer_auth(key)).await?;
    assert_eq!(server.status.as_u16(), 202);
    stack.conversions(5).await?;
    Ok(())
}

#[tokio::test]
async fn of_many_calls_at_once_each_is_taken_or_told_to_come_back() -> Result<()> {
    const CALLS: usize = 1500;
    let files = many_files().await?;
    ensure!(
        files > 2 * CALLS,
        "the system must allow more than twice as many open files as calls, got a limit of {files}"
    );
    let stack = Stack::start(&[("DUET_RATE_LIMIT", "off"), ("DUET_SEND_LIMIT", "off")]).await?;
    let to = stack.address();
    // Open all connections first. Then send all requests at the same moment.
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let body = event(&format!("e{number}")).to_string();
        let length = body.len();
        let call = format!("{HEAD}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        calls.push((said(to, "").await?, call));
    }
    let mut answers = JoinSet::new();
    for (mut stream, call) in calls {
        answers.spawn(async move {
            stream.write_all(call.as_bytes()).await?;
            heard(stream).await
        });
    }
    let (mut taken, mut turned_away) = (0, 0);
    while let Some(answer) = answers.join_next().await {
        let answer = answer??.to_lowercase();
        if answer.starts_with("http/1.1 202 ") {
            taken += 1;
        } else {
            let told = ["http/1.1 503 ", "retry-after: 1\r\n", "\"overloaded\""];
            assert!(told.iter().all(|words| answer.contains(words)), "{answer}");
            turned_away += 1;
        }
    }
    println!("{taken} calls were accepted, {turned_away} were rejected");
    assert_eq!(taken + turned_away, CALLS);
    stack.conversions(taken).await?;
    Ok(())
}

/// Opens `connections` connections and sends only a part of a request on each. The proxy must serve another connection long
/// before it closes these idle connections.
async fn served_beside(connections: usize, stack: &Stack) -> Result<()> {
    let mut idle = Vec::new();
    for _ in 0..connections {
        idle.push(said(stack.address(), HEAD).await?);
    }
    // Start the timeout after all connections are open, because opening them takes longer on a slow machine.
    let event = event("a");
    let served = time::timeout(Duration::from_secs(15), stack.accepted(&event)).await;
    served.context("the proxy must serve a caller while other connections are idle")??;
    drop(idle);
    stack.conversions(1).await?;
    assert!(!stack.log().contains("could not be accepted"));
    Ok(())
}

#[tokio::test]
async fn five_thousand_idle_connections_keep_nobody_out() -> Result<()> {
    let files = many_files().await?;
    let stack = Stack::start(&[]).await?;
    served_beside(5000.min(files - 1000), &stack).await
}

#[tokio::test]
async fn few_files_are_shared_so_that_the_store_and_tiktok_get_theirs() -> Result<()> {
    many_files().await?;
    let mut stack = Stack::start(&[]).await?;
    stack.kill().await?;
    stack.run_proxy_within("--nofile=1024:1024").await?;
    served_beside(1500, &stack).await
}

#[tokio::test]
async fn memory_does_not_grow_with_what_waits() -> Result<()> {
    let stack = Stack::start(&[
        ("DUET_RATE_LIMIT", "off"),
        ("DUET_SEND_LIMIT", "off"),
        ("DUET_LOG", "warn"),
    ])
    .await?;
    stack.sandbox.inject(Fault::BadGateway {});
    let process = stack.process()?;
    let peak_mb = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes: u64 = line
            .context("the status of the process must have VmHWM")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        anyhow::Ok(kilobytes / 1024)
    };
    let mut peaks = Vec::new();
    for round in 0..5 {
        post_all(&stack, &ids(&format!("{round}-"), 20_000)).await?;
        peaks.push(peak_mb()?);
    }
    println!("VmHWM after each 20,000 events: {peaks:?} MB");
    assert_eq!(stack.metrics().await?.count("duet_queue_events"), 100_000);
    assert!(peaks[4] <= 96, "{peaks:?} MB");
    stack.leaves_waiting(100_000);
    Ok(())
}
