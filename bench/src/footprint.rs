//! Measures the proxy's size, start time and memory. The reference is a Node server that only answers.

use std::{fs, path::Path, process::Command};

use anyhow::Result;

use crate::{
    figures::{count, median},
    proxy::Proxy,
    server::{Server, free_address},
};

const RUNS: usize = 11;
const NODE: &str = "require('http').createServer((q, a) => { q.resume(); q.on('end', () => { a.statusCode = 202; a.end('{}') }) }).listen(process.env.PORT, '127.0.0.1')";

/// Runs the proxy and the Node server in turn and prints medians.
pub(crate) fn measure(binary: &Path) -> Result<()> {
    let mut ours = Vec::new();
    let mut node = Vec::new();
    for _ in 0..RUNS {
        ours.push(run_proxy(binary)?);
        node.push(run_node()?);
    }
    println!("footprint: medians of {RUNS} turns");
    let megabytes = count(fs::metadata(binary)?.len()) / 1e6;
    println!("  release binary                     {megabytes:>8.2} MB");
    row("process start to first 202, ms", &ours, &node, |run| {
        run.first_answer_ms
    });
    row("resident memory when idle, MiB", &ours, &node, |run| {
        run.resident_mib
    });
    Ok(())
}

struct Run {
    first_answer_ms: f64,
    resident_mib: f64,
}

/// Starts the program directly, without the helper program of `bound`, because the time from the process start is measured.
fn run_proxy(binary: &Path) -> Result<Run> {
    let proxy = Proxy::new(binary)?;
    let (folder, address) = (proxy.folder()?, free_address()?);
    let mut command = Command::new(binary);
    proxy.configure(&mut command, address, folder.path());
    figures(&Server::start(command, address)?)
}

fn run_node() -> Result<Run> {
    let address = free_address()?;
    let mut command = Command::new("node");
    command
        .args(["-e", NODE])
        .env("PORT", address.port().to_string());
    figures(&Server::start(command, address)?)
}

fn figures(server: &Server) -> Result<Run> {
    Ok(Run {
        first_answer_ms: server.first_answer.as_secs_f64() * 1000.0,
        resident_mib: server.resident_mib()?,
    })
}

fn row(what: &str, ours: &[Run], node: &[Run], figure: impl Fn(&Run) -> f64) {
    let (ours, node) = (
        median(ours.iter().map(&figure)),
        median(node.iter().map(&figure)),
    );
    println!(
        "  {what:<34} {ours:>8.1}    Node {node:>8.1}    1/{:.0}",
        node / ours
    );
}
