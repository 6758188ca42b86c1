//! Kills of the primary, of proxies, and of everything at once, under load.

use std::{
    path::Path,
    thread::park_timeout,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{nodes::Nodes, report::Report, scene::Scene};
use crate::figures::median;

/// The limit of the median time between a promotion and the moment when every proxy accepts again.
const ACCEPTED_WITHIN_S: f64 = 1.0;

/// Kills the primary, and promotes a standby.
pub(super) fn primary(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let mut nodes = Nodes::start()?;
    let mut scene = Scene::open(binary, nodes.ports())?;
    scene.load();
    let (mut after_promotion, mut without) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        some_time(300..1200);
        scene.book.begin_pause();
        let promotion = nodes.fail_over()?;
        scene.wait_until_all_accept()?;
        after_promotion.push(promotion.elapsed().as_secs_f64());
        without.push(scene.book.take_pause().as_secs_f64());
        nodes.replace()?;
    }
    let what = format!("primary killed {rounds} times");
    let accepted = median(after_promotion.iter().copied());
    report.gate(
        format!("{what}: promotion until every proxy accepts"),
        spread(&after_promotion),
        format!("median of at most {ACCEPTED_WITHIN_S} s"),
        accepted <= ACCEPTED_WITHIN_S,
    );
    report.note(format!("{what}: time without a success"), spread(&without));
    scene.close(&what, report)
}

/// Kills one proxy after another. No call to the other proxies may fail.
pub(super) fn proxies(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let nodes = Nodes::start()?;
    let mut scene = Scene::open(binary, nodes.ports())?;
    scene.load();
    let mut noticed = 0;
    for round in 0..rounds {
        some_time(300..1200);
        // In every other round, kill the proxy that delivers.
        let at = if round.is_multiple_of(2) {
            scene.deliverer()?
        } else {
            fastrand::usize(..scene.addresses.len())
        };
        let before = scene.book.failures();
        scene.kill_proxy(at);
        some_time(500..3000);
        let failures = scene.book.failures();
        let others = failures.iter().zip(before).enumerate();
        noticed += others
            .filter(|(other, _)| *other != at)
            .map(|(_, (after, before))| after - before)
            .sum::<u64>();
        scene.start_proxy(at)?;
    }
    let what = format!("a proxy killed {rounds} times");
    report.gate(
        format!("{what}: failed calls of the other proxies"),
        noticed.to_string(),
        "0",
        noticed == 0,
    );
    scene.close(&what, report)
}

/// Kills all proxies and all servers at once.
pub(super) fn all(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let mut nodes = Nodes::start()?;
    let mut scene = Scene::open(binary, nodes.ports())?;
    scene.load();
    let mut took = Vec::new();
    for _ in 0..rounds {
        some_time(500..1500);
        for at in 0..scene.addresses.len() {
            scene.kill_proxy(at);
        }
        nodes.kill_all()?;
        let begun = Instant::now();
        for at in 0..scene.addresses.len() {
            scene.start_proxy(at)?;
        }
        scene.wait_until_all_accept()?;
        took.push(begun.elapsed().as_secs_f64());
    }
    let what = format!("everything killed {rounds} times");
    report.note(
        format!("{what}: start of the proxies until all accept"),
        spread(&took),
    );
    scene.close(&what, report)
}

/// Waits for a random number of milliseconds.
fn some_time(ms: std::ops::Range<u64>) {
    wait(Duration::from_millis(fastrand::u64(ms)));
}

/// Waits while the callers continue to call.
pub(super) fn wait(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        park_timeout(left);
    }
}

/// Returns the median and the worst of some times.
pub(super) fn spread(seconds: &[f64]) -> String {
    let worst = seconds.iter().copied().fold(0.0, f64::max);
    format!(
        "median {:.2} s, worst {worst:.2} s",
        median(seconds.iter().copied())
    )
}
