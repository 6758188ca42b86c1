//! Measures how fast a full store is emptied, and at what cost. The reference is a client that posts bodies of the same size
//! from memory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::Client,
    event,
    figures::{count, grouped, median, print},
    fill,
    proxy::{Proxy, waiting},
    references,
    server::Server,
    sink::{self, Mode},
    usage,
};

const TURNS: usize = 5;
const BATCHES: [usize; 2] = [50, 1000];
/// How many requests are sent at the same time, as in the proxy.
const AT_ONCE: usize = 4;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(30);

/// The result of emptying a store.
pub(crate) struct Drain {
    /// The time from the moment when the sink begins to answer until its first event.
    pub(crate) until_first_s: f64,
    /// The time from the first event until no event was pending.
    pub(crate) took_s: f64,
    pub(crate) rate: f64,
    pub(crate) cpu_us: f64,
    pub(crate) sink_cpu_us: f64,
}

/// Delivers all events of a full store, with small and with large batches. The store has 200,000 events, or a million if
/// `long`.
pub(crate) async fn measure(binary: &Path, long: bool) -> Result<()> {
    let events = if long { 1_000_000 } else { 200_000 };
    let mut turns: Vec<(String, Vec<Drain>)> = Vec::new();
    for turn in 0..TURNS {
        for batch in BATCHES {
            for (name, drain) in [
                (
                    format!("posting from memory, {batch} a request"),
                    from_memory(events, batch).await?,
                ),
                (
                    format!("duet-proxy, {batch} a request"),
                    from_store(binary, events, batch).await?,
                ),
            ] {
                if turn == 0 {
                    turns.push((name, vec![drain]));
                } else if let Some((_, drains)) = turns.iter_mut().find(|(known, _)| *known == name)
                {
                    drains.push(drain);
                }
            }
        }
    }
    println!(
        "deliver: {} pending events, medians of {TURNS} turns",
        grouped(count(events))
    );
    let rows: Vec<_> = turns
        .iter()
        .map(|(name, drains)| {
            let of = |figure: fn(&Drain) -> f64| median(drains.iter().map(figure));
            let cells = vec![
                format!("{:.2}", of(|drain| drain.until_first_s)),
                format!("{:.2}", of(|drain| drain.took_s)),
                grouped(of(|drain| drain.rate)),
                format!("{:.2}", of(|drain| drain.cpu_us)),
                format!("{:.2}", of(|drain| drain.sink_cpu_us)),
            ];
            (name.clone(), cells)
        })
        .collect();
    let columns = [
        "s to the first",
        "s to empty",
        "events/s",
        "CPU us/event",
        "sink's",
    ];
    print(&columns, &rows);
    Ok(())
}

async fn from_store(binary: &Path, events: u64, batch: usize) -> Result<Drain> {
    let sink = references::sink()?;
    sink::behave(&sink, Mode::Down)?;
    let proxy = Proxy::new(binary)?
        .delivering_to(sink.address)
        .in_batches_of(batch);
    let folder = proxy.folder()?;
    let server = proxy.start(folder.path())?;
    fill::fill(server.address, 0..events).await?;
    let waits = waiting(server.address)?;
    // The event of the readiness probe is pending too.
    if waits < count(events) {
        println!("!! only {waits} of {events} accepted events are pending");
    }
    drain(&server, &sink, events).await
}

/// Lets the sink answer, and waits until the proxy has no pending event.
pub(crate) async fn drain(server: &Server, sink: &Server, events: u64) -> Result<Drain> {
    let (cpu, sink_cpu) = (server.cpu_us()?, sink.cpu_us()?);
    sink::behave(sink, Mode::Up)?;
    let started = Instant::now();
    while waiting(server.address)? > 0.0 {
        ensure!(
            started.elapsed() < PATIENCE,
            "the proxy did not deliver all events in time"
        );
        sleep(LOOK_EVERY).await;
    }
    let took = started.elapsed();
    let (cpu, sink_cpu) = (server.cpu_us()? - cpu, sink.cpu_us()? - sink_cpu);
    let got = sink::count(sink)?;
    if got.events != events || got.sum != fill::sum(0..events) {
        println!(
            "!! the sink must get all {events} accepted events, got {} or other events",
            got.events
        );
    }
    let first = Duration::from_millis(got.first_ms.context("the sink got nothing")?);
    let took_s = took.saturating_sub(first).as_secs_f64();
    Ok(Drain {
        until_first_s: first.as_secs_f64(),
        took_s,
        rate: count(events) / took_s,
        cpu_us: cpu / count(events),
        sink_cpu_us: sink_cpu / count(events),
    })
}

/// Measures the lower limit: the same requests without a store.
async fn from_memory(events: u64, batch: usize) -> Result<Drain> {
    let sink = references::sink()?;
    let url = format!("http://{}/open_api/v1.3/event/track/", sink.address);
    let data = event::many(0..u64::try_from(batch)?);
    let data = Bytes::from(data.replacen("events", "data", 1));
    let client = Client::new();
    let requests = events / u64::try_from(batch)?;
    let (started, cpu, sink_cpu) = (Instant::now(), usage::own_cpu_us()?, sink.cpu_us()?);
    let mut senders = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, url, data) = (client.clone(), url.clone(), data.clone());
        senders.spawn(async move {
            for _ in 0..requests / u64::try_from(AT_ONCE)? {
                let (status, _) = client.post(&url, data.clone()).await?;
                ensure!(status.is_success(), "the sink answered {status}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let took_s = started.elapsed().as_secs_f64();
    let cpu = usage::own_cpu_us()? - cpu;
    Ok(Drain {
        until_first_s: 0.0,
        took_s,
        rate: count(events) / took_s,
        cpu_us: cpu / count(events),
        sink_cpu_us: (sink.cpu_us()? - sink_cpu) / count(events),
    })
}
