//! Measures Duet and prints the results. Each result has a reference that was measured within the same minutes.
//!
//! `cargo xtask bench` builds the release binary and runs this program. Most benchmarks only print results. The results
//! belong in `docs/benchmarks.md`, with the command that produces them.
#![allow(
    clippy::print_stdout,
    reason = "this program's purpose is to print results"
)]

mod accept;
mod bare;
mod batches;
mod client;
mod cluster;
mod console;
mod crash;
mod deliver;
mod event;
mod figures;
mod fill;
mod footprint;
mod growth;
mod http;
mod outage;
mod proxy;
mod references;
mod server;
mod sink;
mod syncs;
mod usage;
mod why;
mod wrk;

use std::{future::Future, path::Path};

use anyhow::{Context, Result, bail};
use tokio::{net::TcpListener, runtime};

const USAGE: &str = "\
duet-bench PATH-OF-DUET-PROXY [NAME] [--long] [--rounds N]
duet-bench PATH-OF-DUET-PROXY cluster [PART[=COUNT]]...
duet-bench serve bare|sink ADDRESS";
const NAMES: [&str; 9] = [
    "footprint",
    "accept",
    "batches",
    "deliver",
    "growth",
    "crash",
    "outage",
    "why",
    "console",
];

/// How much is measured.
#[derive(Clone, Copy, Default)]
struct Extent {
    long: bool,
    /// The number of rounds of `crash`.
    rounds: Option<u32>,
}

fn main() -> Result<()> {
    let (words, extent) = arguments(std::env::args().skip(1))?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["serve", what, address] => on_this_thread(serve(what, address)),
        [proxy, "cluster", ref parts @ ..] => cluster::measure(Path::new(proxy), parts),
        [proxy] => NAMES
            .iter()
            .try_for_each(|name| measure(Path::new(proxy), name, extent)),
        [proxy, name] => measure(Path::new(proxy), name, extent),
        _ => bail!("{USAGE}"),
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(Vec<String>, Extent)> {
    let (mut words, mut extent) = (Vec::new(), Extent::default());
    while let Some(word) = given.next() {
        match word.as_str() {
            "--long" => extent.long = true,
            "--rounds" => extent.rounds = Some(given.next().context(USAGE)?.parse()?),
            _ => words.push(word),
        }
    }
    Ok((words, extent))
}

fn measure(proxy: &Path, name: &str, Extent { long, rounds }: Extent) -> Result<()> {
    match name {
        "footprint" => footprint::measure(proxy),
        "accept" => accept::measure(proxy, long),
        "batches" => batches::measure(proxy),
        "deliver" => on_this_thread(deliver::measure(proxy, long)),
        "growth" => on_this_thread(growth::measure(proxy, long)),
        "crash" => {
            let rounds = rounds.unwrap_or(if long { 1000 } else { 50 });
            on_this_thread(crash::measure(proxy, rounds))
        }
        "outage" => on_this_thread(outage::measure(proxy, long)),
        "console" => console::measure(proxy),
        "why" => on_this_thread(why::measure(proxy)),
        _ => bail!(
            "the benchmark must be one of {}, got {name}",
            NAMES.join(", ")
        ),
    }
}

async fn serve(what: &str, address: &str) -> Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .context("cannot listen at this address")?;
    match what {
        "bare" => bare::serve(listener).await,
        "sink" => sink::Sink::new(false).serve(listener).await,
        _ => bail!("{USAGE}"),
    }
}

/// Runs work on one thread, as the proxy does.
fn on_this_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not start")?
        .block_on(work)
}
