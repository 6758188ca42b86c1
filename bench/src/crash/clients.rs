//! Clients that act like pages: they post, and repeat each post without an answer.

use std::{net::SocketAddr, ops::Range, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use hyper::StatusCode;
use serde::Deserialize;
use tokio::time::sleep;

use super::books::Books;
use crate::{client::Client, event};

/// The wait between two tries. A wait is needed because no proxy runs between two lives.
const PAUSE: Duration = Duration::from_millis(3);
/// One post in 50 repeats an accepted event.
const REPEAT_ONE_IN: u32 = 50;

#[derive(Deserialize)]
struct Answer {
    results: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    status: String,
}

/// Posts until the records are closed.
pub(super) async fn post(books: Arc<Books>, address: SocketAddr) -> Result<()> {
    let client = Client::new();
    let url = format!("http://{address}{}", event::TRACK);
    while books.are_open() {
        let size = if fastrand::u8(..10) < 7 {
            1
        } else {
            fastrand::u64(2..20)
        };
        let numbers = books.new_numbers(size);
        if !until_answered(&client, &url, &books, numbers.clone()).await? {
            break;
        }
        books.accept(numbers.clone());
        if fastrand::u32(..REPEAT_ONE_IN) == 0 {
            let number = fastrand::u64(numbers);
            let answer = once(&client, &url, number..number + 1).await?;
            books.repeat(answer.map(|statuses| statuses == ["duplicate"]));
        }
    }
    Ok(())
}

/// Posts the events until the proxy has accepted all of them, or until the records are closed. If the records are closed
/// first, nobody knows whether the proxy has accepted the events.
async fn until_answered(
    client: &Client,
    url: &str,
    books: &Books,
    numbers: Range<u64>,
) -> Result<bool> {
    while books.are_open() {
        if let Some(statuses) = once(client, url, numbers.clone()).await? {
            // A post without an answer may have been accepted, so its repeat is a duplicate.
            let is_taken = |status: &String| status == "accepted" || status == "duplicate";
            ensure!(statuses.iter().all(is_taken), "answers: {statuses:?}");
            return Ok(true);
        }
        books.again();
        sleep(PAUSE).await;
    }
    Ok(false)
}

/// Returns the proxy's result for each event. Returns nothing if the proxy does not answer or is busy.
async fn once(client: &Client, url: &str, numbers: Range<u64>) -> Result<Option<Vec<String>>> {
    let is_one = numbers.end - numbers.start == 1;
    let expected = usize::try_from(numbers.end - numbers.start)?;
    let body = if is_one {
        event::one(numbers.start)
    } else {
        event::many(numbers)
    };
    let Ok((status, text)) = client.post(url, body).await else {
        return Ok(None);
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return Ok(None);
    }
    ensure!(
        status == StatusCode::ACCEPTED,
        "the proxy answered {status}: {}",
        String::from_utf8_lossy(&text)
    );
    let answer: Answer = serde_json::from_slice(&text)
        .context("the body of a 202 must be JSON with one result for each event")?;
    ensure!(
        answer.results.len() == expected,
        "a 202 must have a result for every event"
    );
    let statuses = answer.results.into_iter().map(|verdict| verdict.status);
    Ok(Some(statuses.collect()))
}
