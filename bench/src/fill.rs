//! Posts a known number of events, a hundred per request, and checks that the proxy accepts each of them.

use std::{net::SocketAddr, ops::Range, time::Duration};

use anyhow::{Result, ensure};
use hyper::{StatusCode, body::Bytes};
use serde::Deserialize;
use tokio::{task::JoinSet, time::sleep};

use crate::{client::Client, event};

/// The largest number of events in a request.
const A_REQUEST: u64 = 100;
const AT_ONCE: usize = 8;
/// The wait before a body is posted again that the proxy was too busy to accept. The proxy's answer asks for a longer wait,
/// but then the benchmark would take too long.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const BUSY_AT_MOST: usize = 3000;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    results: Vec<Verdict<'a>>,
}

#[derive(Deserialize)]
struct Verdict<'a> {
    status: &'a str,
}

/// Posts the events `numbers` to the proxy at `address`.
pub(crate) async fn fill(address: SocketAddr, numbers: Range<u64>) -> Result<()> {
    let client = Client::new();
    let mut posts = JoinSet::new();
    let mut from = numbers.start;
    while from < numbers.end {
        if posts.len() >= AT_ONCE
            && let Some(posted) = posts.join_next().await
        {
            posted??;
        }
        let to = numbers.end.min(from + A_REQUEST);
        posts.spawn(post(client.clone(), address, from..to));
        from = to;
    }
    while let Some(posted) = posts.join_next().await {
        posted??;
    }
    Ok(())
}

async fn post(client: Client, address: SocketAddr, numbers: Range<u64>) -> Result<()> {
    let url = format!("http://{address}{}", event::TRACK);
    let body = Bytes::from(event::many(numbers.clone()));
    for _ in 0..BUSY_AT_MOST {
        let (status, text) = client.post(&url, body.clone()).await?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            sleep(BUSY_PAUSE).await;
            continue;
        }
        ensure!(
            status == StatusCode::ACCEPTED,
            "the proxy answered {status}: {}",
            String::from_utf8_lossy(&text)
        );
        let answer: Answer<'_> = serde_json::from_slice(&text)?;
        let accepted = answer
            .results
            .iter()
            .filter(|verdict| verdict.status == "accepted");
        ensure!(
            accepted.count() == body_events(&numbers),
            "not every event of a request was accepted"
        );
        return Ok(());
    }
    anyhow::bail!("the proxy stayed busy and did not accept a request in time")
}

fn body_events(numbers: &Range<u64>) -> usize {
    usize::try_from(numbers.end - numbers.start).unwrap_or(usize::MAX)
}

/// Returns the sum of all event numbers in the range, computed like the sink's sum, so that both can be compared.
pub(crate) fn sum(numbers: Range<u64>) -> u64 {
    numbers.fold(0, u64::wrapping_add)
}
