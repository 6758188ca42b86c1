//! Counts the proxy's disk syncs with strace, and compares them with the proxy's own count of commits.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    event,
    proxy::{Proxy, metric},
    server::{Server, bound, free_address},
    wrk::Load,
};

const CALLS: [&str; 4] = ["fsync", "fdatasync", "sync_file_range", "pwrite64"];
const SUMMARY_WITHIN: Duration = Duration::from_secs(10);

/// Runs a proxy under strace, sends it many requests, and prints the proxy's system calls. strace makes the proxy slow, so
/// rates are not printed.
pub(crate) fn count(proxy: &Proxy, load: Load) -> Result<()> {
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        println!("syncs: strace is needed: apt-get install strace");
        return Ok(());
    }
    let folder = proxy.folder()?;
    let (summary, address) = (folder.path().join("strace"), free_address()?);
    // With -D the proxy is our child, and strace is the proxy's child. strace writes its summary when the proxy has ended.
    let mut command = bound("strace");
    command
        .args(["-D", "-f", "-c", "-e"])
        .arg(format!("trace={}", CALLS.join(",")))
        .arg("-o")
        .arg(&summary)
        .arg(proxy.binary());
    proxy.configure(&mut command, address, &folder.path().join("store"));
    let server = Server::start(command, address)?;
    let turn = load.run(&server)?;
    let commits = metric(address, "duet_commit_seconds_count")?;
    drop(server);
    let calls = read(&summary)?;
    println!(
        "syncs: {} events of {} bytes in {commits} commits",
        turn.events,
        event::bytes()
    );
    for name in CALLS {
        let times = calls
            .iter()
            .find(|(call, _)| call == name)
            .map_or(0.0, |(_, times)| *times);
        println!("  {name:<16} {times:>8}   {:.3} a commit", times / commits);
    }
    Ok(())
}

/// Returns the system calls in the summary with their counts.
fn read(summary: &Path) -> Result<Vec<(String, f64)>> {
    let started = Instant::now();
    while started.elapsed() < SUMMARY_WITHIN {
        let text = fs::read_to_string(summary).unwrap_or_default();
        if !text.contains(" total") {
            std::thread::yield_now();
            continue;
        }
        // % time, seconds, usecs/call, calls, errors (which may be missing), syscall.
        let calls = text.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let times = words.get(3)?.parse().ok()?;
            Some(((*words.last()?).to_owned(), times))
        });
        return Ok(calls.collect());
    }
    bail!("strace wrote no summary")
}
