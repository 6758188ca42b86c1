//! Measures how long `duet-proxy why` takes with a million events on disk. Each id belongs to one of the oldest events or
//! to no event, so that a search reads nearly everything.

use std::{
    path::Path,
    process::Command,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use duet_proxy::{
    decide::{Books, LetterId, Records},
    history::{End, Ended, Salt, Sender, Sent, Trace},
    money::{Currency, Money},
    store::{Commit, Embedded, Position, Source, Store},
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{
    event,
    figures::{median, print},
    fill,
    proxy::Proxy,
};

const EVENTS: u64 = 1_000_000;
const TURNS: usize = 5;
/// How many events are written in one commit.
const A_COMMIT: u64 = 10_000;
/// One event in a hundred is a sale with an order.
const A_SALE: u64 = 100;
/// The number of the event that the command searches. The event is among the oldest, but not so old that the history drops
/// it when the proxy adds its first event.
const ASKED: u64 = 10_000;
const TRANSFER: &str = "92704";

/// Measures with three stores: ended events that were sent in large batches, ended events that were each sent alone, and
/// pending events.
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    let proxy = Proxy::new(binary)?;
    println!("why: medians of {TURNS} turns, {EVENTS} events on disk, ms");
    let mut rows = Vec::new();
    for (name, together) in [("ended, 1,000 a request", 1000), ("ended, 1 a request", 1)] {
        let folder = history(&proxy, together)?;
        rows.push((
            format!("{name}, no proxy runs"),
            times(&proxy, folder.path(), true)?,
        ));
        let server = proxy.start(folder.path())?;
        rows.push((
            format!("{name}, beside a proxy"),
            times(&proxy, folder.path(), true)?,
        ));
        drop(server);
    }
    let folder = proxy.folder()?;
    let server = proxy.start(folder.path())?;
    fill::fill(server.address, 0..EVENTS).await?;
    rows.push((
        "pending, beside a proxy".to_owned(),
        times(&proxy, folder.path(), false)?,
    ));
    print(
        &["event_id", "order", "request_id", "transfer", "unknown"],
        &rows,
    );
    Ok(())
}

/// Makes a store whose history has [`EVENTS`] events. Each record in the history contains `together` events.
fn history(proxy: &Proxy, together: u64) -> Result<TempDir> {
    let folder = proxy.folder()?;
    let store = Embedded::at(folder.path())?;
    let mut writer = store.open()?;
    let salt = writer.salt();
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let first_ms = now_ms - i64::try_from(EVENTS)?;
    for from in (0..EVENTS).step_by(usize::try_from(A_COMMIT)?) {
        let mut records = Records::default();
        for first in (from..from + A_COMMIT).step_by(usize::try_from(together)?) {
            let at_ms = first_ms + i64::try_from(first)?;
            let ended = (first..first + together).map(|number| ended(number, at_ms, &salt));
            let end = End {
                pixel_id: "CDUETBENCH0000000001".to_owned(),
                is_test: false,
                outcome: "delivered".to_owned(),
                code: Some(0),
                request_id: Some(request(first)),
                at_ms,
                sent: Sent {
                    attempts: 1,
                    batch: u32::try_from(together)?,
                },
                events: ended.collect::<Result<_>>()?,
            };
            records.ends.insert(LetterId::new(at_ms, first), end);
        }
        if from == 0 {
            let payment = json!({
                "provider": "sepay", "id": TRANSFER, "order_id": order(ASKED), "at_ms": first_ms, "became": "paid",
                "amount": Money::of_minor(99_000, Currency::VND),
            });
            let payment = serde_json::from_value(payment)?;
            records
                .payments
                .insert(("sepay".to_owned(), TRANSFER.to_owned()), payment);
        }
        writer.write(&mut Commit {
            rows: Vec::new(),
            settled: Vec::new(),
            records,
            position: &mut Position::default(),
            probe_ms: None,
            sync: false,
        })?;
    }
    writer.close()?;
    Ok(folder)
}

fn order(number: u64) -> String {
    format!("BENCH{number}")
}

fn request(first: u64) -> String {
    format!("20260102030405{first:018}")
}

/// Returns the record of one event.
fn ended(number: u64, at_ms: i64, salt: &Salt) -> Result<Ended> {
    let mut event: Map<String, Value> = serde_json::from_str(&event::one(number))?;
    event.insert("event_time".to_owned(), json!(at_ms / 1000));
    if number.is_multiple_of(A_SALE) {
        event.insert("event".to_owned(), json!("CompletePayment"));
        let properties = json!({ "value": 99_000, "currency": "VND", "order_id": order(number) });
        event.insert("properties".to_owned(), properties);
    }
    let event = serde_json::to_vec(&event)?;
    let trace = Trace::new(Sender::Page, None, &[]);
    Ok(Ended::of(&event, trace, at_ms - 100, salt))
}

/// Returns the time of the command for each kind of id.
fn times(proxy: &Proxy, folder: &Path, is_ended: bool) -> Result<Vec<String>> {
    let event = format!("{ASKED:032}");
    let ids = [&event, &order(ASKED), &request(ASKED), TRANSFER, "NOBODY"];
    let mut times = Vec::new();
    for id in ids {
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            turns.push(why(proxy, folder, id, is_ended && id != "NOBODY")?);
        }
        times.push(format!("{:.0}", median(turns)));
    }
    Ok(times)
}

/// Runs the command, and returns its time in milliseconds.
fn why(proxy: &Proxy, folder: &Path, id: &str, is_delivered: bool) -> Result<f64> {
    let started = Instant::now();
    let said = Command::new(proxy.binary())
        .args(["why", "--json", id])
        .env_clear()
        .env("DUET_DATA_DIR", folder)
        .output()?;
    let took = started.elapsed();
    let answer = String::from_utf8_lossy(&said.stdout);
    ensure!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    ensure!(
        !is_delivered || answer.contains(": delivered"),
        "{id}: {answer}"
    );
    Ok(took.as_secs_f64() * 1000.0)
}
