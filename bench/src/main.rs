//! Measures Duet and prints what it found, each figure beside a reference that ran in the same minutes.
//!
//! `cargo xtask bench` builds the release binary and runs this. Nothing is asserted: the figures belong
//! into `docs/benchmarks.md`, with the command that makes them.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

mod accept;
mod bare;
mod batches;
mod deliver;
mod event;
mod figures;
mod fill;
mod footprint;
mod http;
mod proxy;
mod references;
mod server;
mod sink;
mod usage;
mod wrk;

use std::{future::Future, path::Path};

use anyhow::{Context, Result, bail};
use tokio::{net::TcpListener, runtime};

const USAGE: &str = "\
duet-bench PATH-OF-DUET-PROXY [NAME] [--long]
duet-bench serve bare|sink ADDRESS";
const NAMES: [&str; 4] = ["footprint", "accept", "batches", "deliver"];

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let long = arguments.iter().any(|argument| argument == "--long");
    arguments.retain(|argument| argument != "--long");
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["serve", what, address] => on_this_thread(serve(what, address)),
        [proxy] => NAMES
            .iter()
            .try_for_each(|name| measure(Path::new(proxy), name, long)),
        [proxy, name] => measure(Path::new(proxy), name, long),
        _ => bail!("{USAGE}"),
    }
}

fn measure(proxy: &Path, name: &str, long: bool) -> Result<()> {
    match name {
        "footprint" => footprint::measure(proxy),
        "accept" => accept::measure(proxy, long),
        "batches" => batches::measure(proxy),
        "deliver" => on_this_thread(deliver::measure(proxy, long)),
        _ => bail!("there is no bench called {name}, only {}", NAMES.join(", ")),
    }
}

async fn serve(what: &str, address: &str) -> Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .context("cannot listen there")?;
    match what {
        "bare" => bare::serve(listener).await,
        "sink" => sink::Sink::new(false).serve(listener).await,
        _ => bail!("{USAGE}"),
    }
}

/// One thread, as the proxy has.
fn on_this_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not start")?
        .block_on(work)
}
