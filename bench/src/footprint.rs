//! How large the proxy is, how soon it answers, how much memory it holds: beside a Node server that does
//! nothing but answer.

use std::{fs, path::Path, process::Command};

use anyhow::Result;

use crate::server::Server;

const RUNS: usize = 11;
const TRACK: &str = "/api/analytics/tiktok/track";
const NODE: &str = "require('http').createServer((q, a) => { q.resume(); q.on('end', () => { a.statusCode = 202; a.end('{}') }) }).listen(process.env.PORT, '127.0.0.1')";

/// Runs both, turn by turn, and prints medians.
pub(crate) fn measure(proxy: &Path) -> Result<()> {
    let mut ours = Vec::new();
    let mut node = Vec::new();
    for _ in 0..RUNS {
        ours.push(run_proxy(proxy)?);
        node.push(run_node()?);
    }
    let size = fs::metadata(proxy)?.len();
    println!(
        "release binary                     {:>8.2} MB",
        megabytes(size)
    );
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

fn run_proxy(binary: &Path) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .env_clear()
        .env("DUET_DATA_DIR", folder.path());
    figures(&Server::start(command, TRACK, |command, address| {
        command
            .env("DUET_LISTEN", address.to_string())
            .env("TIKTOK_PIXEL_ID", "CDUETBENCH0000000001")
            .env("TIKTOK_ACCESS_TOKEN", "none")
            // Nobody listens there: delivery waits, as in an outage.
            .env("TIKTOK_API_BASE", "http://127.0.0.1:9");
    })?)
}

fn run_node() -> Result<Run> {
    let mut command = Command::new("node");
    command.args(["-e", NODE]);
    figures(&Server::start(command, "/", |command, address| {
        command.env("PORT", address.port().to_string());
    })?)
}

fn figures(server: &Server) -> Result<Run> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "memory in KiB is far below 2^52"
    )]
    let resident_mib = server.resident_kib()? as f64 / 1024.0;
    Ok(Run {
        first_answer_ms: server.first_answer.as_secs_f64() * 1000.0,
        resident_mib,
    })
}

fn row(what: &str, ours: &[Run], node: &[Run], figure: impl Fn(&Run) -> f64) {
    let (ours, node) = (
        median(ours.iter().map(&figure)),
        median(node.iter().map(&figure)),
    );
    println!(
        "{what:<34} {ours:>8.1}    Node {node:>8.1}    1/{:.0}",
        node / ours
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::cast_precision_loss, reason = "a file size is far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
