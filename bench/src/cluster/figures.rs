//! Rates, CPU time and latency of proxies on PostgreSQL, compared with those of other proxies that were measured in turn
//! with them.

use std::{path::Path, thread};

use anyhow::{Context, Result};
use duet_tests::Server as Database;
use tempfile::TempDir;

use super::{quota::Quota, report::Report};
use crate::{
    accept,
    figures::{count, grouped, median},
    proxy::Proxy,
    server::Server,
    wrk::{Load, Turn},
};

const LOAD: Load = Load {
    connections: 64,
    seconds: 4,
    events: 1,
};
/// The share of one core that each of several proxies may use. Three of them leave most of two cores to the database and wrk.
const PERCENT: u32 = 15;
/// The promised ratios. `TWO` and `THREE`: the rate of two and of three proxies, divided by the rate of one. `CPU` and
/// `P50`: CPU time and median latency, divided by those of the embedded store.
const TWO: f64 = 1.7;
const THREE: f64 = 2.5;
const CPU: f64 = 1.2;
const P50: f64 = 4.0;
/// The smallest promised ratio of the rate with many remembered keys to the rate without them.
const WITH_KEYS: f64 = 2.0 / 3.0;

/// Several proxies on a primary that has a synchronous standby. TikTok is unreachable.
struct Several {
    proxies: Vec<Server>,
    primary: Database,
    /// The standby and the proxies' folders. The fields are unused, but dropping them would remove the standby and the folders.
    _others: (Database, Vec<TempDir>),
}

impl Several {
    fn start(binary: &Path, count: usize) -> Result<Self> {
        let primary = Database::start()?;
        let standby = primary.standby()?;
        let proxy = Proxy::new(binary)?.with("DUET_QUEUE", primary.setting_with(&standby, "shop"));
        let (mut proxies, mut folders) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let folder = proxy.folder()?;
            proxies.push(proxy.start(folder.path())?);
            folders.push(folder);
        }
        Ok(Self {
            proxies,
            primary,
            _others: (standby, folders),
        })
    }

    /// Returns how much the primary has written to its log until now.
    fn log_bytes(&self) -> Result<f64> {
        let written = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')";
        Ok(self.primary.sql("shop", written)?.trim().parse()?)
    }

    /// Loads the first `count` proxies at the same time, and returns the sum of their rates.
    fn rate(&self, count: usize) -> Result<f64> {
        let turns: Vec<Result<Turn>> = thread::scope(|scope| {
            let loads: Vec<_> = self
                .proxies
                .iter()
                .take(count)
                .map(|proxy| scope.spawn(|| LOAD.run(proxy)))
                .collect();
            let turn = |load: thread::ScopedJoinHandle<'_, Result<Turn>>| {
                let joined = load.join();
                joined.unwrap_or_else(|_| Err(anyhow::anyhow!("a load must not panic")))
            };
            loads.into_iter().map(turn).collect()
        });
        let mut rate = 0.0;
        for turn in turns {
            let turn = turn?;
            if turn.refused + turn.broken > 0.0 {
                println!("!! {} calls failed", turn.refused + turn.broken);
            }
            rate += turn.rate;
        }
        Ok(rate)
    }
}

/// Measures one proxy beside the embedded store, and then one, two and three proxies with equal quotas of CPU time.
pub(super) fn measure(binary: &Path, turns: u32, report: &mut Report) -> Result<()> {
    let several = Several::start(binary, 3)?;
    let one = several.proxies.first().context("three proxies must run")?;
    let embedded = Proxy::new(binary)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut log_bytes = Vec::new();
    for _ in 0..turns {
        let folder = embedded.folder()?;
        let server = embedded.start(folder.path())?;
        theirs.push(accept::turn(&server, LOAD)?);
        drop(server);
        accept::WARM_UP.run(one)?;
        let before = several.log_bytes()?;
        let turn = LOAD.run(one)?;
        log_bytes.push((several.log_bytes()? - before) / turn.events);
        ours.push(turn);
    }
    let of = |turns: &[Turn], figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    let pairs = |figure: fn(&Turn) -> f64| (of(&ours, figure), of(&theirs, figure));
    let (rate, reference) = pairs(|turn| turn.rate);
    report.note(
        "events/s of one proxy on PostgreSQL, and of the embedded store",
        format!("{} and {}", grouped(rate), grouped(reference)),
    );
    let (cpu, reference) = pairs(|turn| turn.cpu_us);
    let ratio = cpu / reference;
    report.gate(
        "CPU time of the proxy for an event / embedded store",
        format!("{cpu:.1} us / {reference:.1} us = {ratio:.2}"),
        format!("at most {CPU}"),
        ratio <= CPU,
    );
    let (p50, reference) = pairs(|turn| turn.p50_ms);
    let ratio = p50 / reference;
    report.gate(
        "p50 of a 202 with 64 connections / embedded store",
        format!("{p50:.2} ms / {reference:.2} ms = {ratio:.2}"),
        format!("at most {P50}"),
        ratio <= P50,
    );
    report.note(
        "write-ahead log of an event, in bytes",
        grouped(median(log_bytes)),
    );
    // On a quiet machine, only the servers of the database run besides the proxy and wrk, so `others` is their CPU time.
    let database_us = |turn: &Turn| turn.others / turn.rate * 1e6;
    report.note(
        "CPU time of both servers of the database for an event",
        format!("{:.1} us", of(&ours, database_us)),
    );
    scale(&several, turns, report)
}

fn scale(several: &Several, turns: u32, report: &mut Report) -> Result<()> {
    let mut quotas = Vec::new();
    for proxy in &several.proxies {
        let quota = match Quota::new(PERCENT) {
            Ok(quota) => quota,
            Err(error) => {
                report.note(
                    "rate of several proxies",
                    format!("not measured: {error:#}"),
                );
                return Ok(());
            }
        };
        quota.add(proxy.id())?;
        quotas.push(quota);
    }
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..turns {
        for (of, count) in rates.iter_mut().zip(1..) {
            of.push(several.rate(count)?);
        }
    }
    let [one, two, three] = rates.map(median);
    report.note(
        format!("events/s of one, two and three proxies, each with {PERCENT} % of a core"),
        [one, two, three].map(grouped).join(", "),
    );
    for (what, ratio, least) in [
        ("two proxies / one", two / one, TWO),
        ("three proxies / one", three / one, THREE),
    ] {
        report.gate(
            what,
            format!("{ratio:.2}"),
            format!("at least {least}"),
            ratio >= least,
        );
    }
    Ok(())
}

/// Measures the rate of one proxy before and after `keys` keys are added to the keys that the database remembers.
pub(super) fn keys(binary: &Path, keys: u32, report: &mut Report) -> Result<()> {
    const TURNS: u32 = 5;
    const A_STATEMENT: u32 = 500_000;
    let several = Several::start(binary, 1)?;
    let rate = || -> Result<f64> {
        let rates: Result<Vec<_>> = (0..TURNS).map(|_| several.rate(1)).collect();
        Ok(median(rates?))
    };
    let before = rate()?;
    let mut left = keys;
    while left > 0 {
        let some = left.min(A_STATEMENT);
        let insert = format!(
            "insert into duet.seen (key, until)
             select gen_random_uuid(), extract(epoch from now())::bigint + 172800 from generate_series(1, {some})"
        );
        several.primary.sql("shop", &insert)?;
        left -= some;
    }
    several.primary.sql("shop", "vacuum analyze duet.seen")?;
    let size = "select pg_total_relation_size('duet.seen')::float8 / count(*) from duet.seen";
    let bytes: f64 = several.primary.sql("shop", size)?.trim().parse()?;
    report.note("bytes of a remembered key", format!("{bytes:.0}"));
    several.primary.sql("shop", "checkpoint")?;
    let after = rate()?;
    let ratio = after / before;
    report.gate(
        format!(
            "rate with {} remembered keys / without",
            grouped(count(keys.into()))
        ),
        format!("{} / {} = {ratio:.2}", grouped(after), grouped(before)),
        format!("at least {WITH_KEYS:.2}"),
        ratio >= WITH_KEYS,
    );
    Ok(())
}
