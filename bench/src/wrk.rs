//! One turn of load by wrk. wrk and the loaded server share the machine.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::{
    event,
    server::{Server, bound},
    usage,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wrk/events.lua");

/// The settings of wrk.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
    /// Events in one request.
    pub(crate) events: u32,
}

/// The results of one turn.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Events per second.
    pub(crate) rate: f64,
    /// Answered events.
    pub(crate) events: f64,
    /// The server's CPU time per event, in microseconds.
    pub(crate) cpu_us: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Requests whose answer was not a success.
    pub(crate) refused: f64,
    /// Requests without an answer.
    pub(crate) broken: f64,
    /// The number of cores that wrk used. wrk has one thread, so a number near 1 means that wrk itself was the limit.
    pub(crate) wrk: f64,
    /// The number of cores that were used by other programs than the server and wrk, for example by the sink.
    pub(crate) others: f64,
}

impl Load {
    /// Loads `server` and measures it.
    pub(crate) fn run(&self, server: &Server) -> Result<Turn> {
        let before = Times::now(server)?;
        let said = self.wrk(server)?;
        let used = Times::now(server)?.since(&before);
        let figures = said.lines().find_map(|line| line.strip_prefix("duet "));
        let figures: Vec<f64> = figures
            .unwrap_or_default()
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [requests, took_us, p50_us, p99_us, refused, broken] = *figures.as_slice() else {
            anyhow::bail!("wrk must print a line with its results, got\n{said}");
        };
        let events = requests * f64::from(self.events);
        Ok(Turn {
            rate: events / took_us * 1e6,
            events,
            cpu_us: used.server / events,
            p50_ms: p50_us / 1000.0,
            p99_ms: p99_us / 1000.0,
            refused,
            broken,
            wrk: used.children / took_us,
            others: (used.machine - used.server - used.children).max(0.0) / took_us,
        })
    }

    fn wrk(&self, server: &Server) -> Result<String> {
        // A second thread of wrk would use the server's core.
        let output = bound("wrk")
            .args(["-t", "1", "-s", SCRIPT, "-c", &self.connections.to_string()])
            .args(["-d", &self.seconds.to_string(), "--timeout", "10"])
            .arg(format!("http://{}/", server.address))
            .args(["--", event::FILE, &prefix(), &self.events.to_string()])
            .stdin(Stdio::null())
            .output()
            .context("wrk is needed: apt-get install wrk")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = output.status;
        ensure!(
            status.success(),
            "wrk failed ({status}); the benchmarks use the wrk of the package: apt-get install wrk\n{said}"
        );
        Ok(said)
    }
}

/// Returns a prefix that makes the events of each turn different.
fn prefix() -> String {
    std::iter::repeat_with(fastrand::lowercase)
        .take(8)
        .collect()
}

struct Times {
    server: f64,
    children: f64,
    machine: f64,
}

impl Times {
    fn now(server: &Server) -> Result<Self> {
        Ok(Self {
            server: server.cpu_us()?,
            children: usage::ended_children_cpu_us()?,
            machine: usage::machine_cpu_us()?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            server: self.server - before.server,
            children: self.children - before.children,
            machine: self.machine - before.machine,
        }
    }
}
