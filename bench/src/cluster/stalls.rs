//! Processes that hang and networks that pass no bytes on, under load.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    kills::wait,
    nodes::Nodes,
    relay::Relay,
    report::Report,
    scene::{Scene, runtime},
};

/// How long a process hangs. This is longer than the time limit of a call and than the duration of a lease.
const HANG: Duration = Duration::from_secs(25);
/// How long everything works before a fault.
const CALM: Duration = Duration::from_secs(2);
/// The time limit of a call under a fault. The call waits at most 10 s for a connection. Or it waits at most 4 s for a
/// lock, then 8 s for a standby. A call that waits behind another call fails together with it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// How long the proxies may take to accept again after a fault.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

/// Stops processes and lets them continue later.
pub(super) fn stops(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let nodes = Nodes::start()?;
    let mut scene = Scene::open(binary, nodes.ports())?;
    scene.load();
    for _ in 0..rounds {
        let hang = |name: &str| nodes.primary().signal(name);
        let primary = (|| hang("STOP"), || hang("CONT"));
        let what = "primary stopped";
        stall(&scene, report, what, HANG, primary)?.ends_calls(what, report);
        let some = |count, name: &str| {
            let mut standbys = nodes.standbys().iter().take(count);
            standbys.try_for_each(|standby| standby.signal(name))
        };
        let both = (|| some(2, "STOP"), || some(2, "CONT"));
        let what = "both standbys stopped";
        stall(&scene, report, what, HANG, both)?.ends_calls(what, report);
        let one = (|| some(1, "STOP"), || some(1, "CONT"));
        let Stall { pause, .. } = stall(&scene, report, "one of two standbys stopped", HANG, one)?;
        report.gate(
            "one of two standbys stopped: time without a success",
            seconds(pause),
            "at most 1 s",
            pause <= Duration::from_secs(1),
        );
        let deliverer = scene.process(scene.deliverer()?)?;
        let hang = |name: &str| signal(deliverer, name);
        let proxy = (|| hang("STOP"), || hang("CONT"));
        stall(&scene, report, "delivering proxy stopped", HANG, proxy)?;
    }
    scene.close("stopped processes", report)
}

/// Cuts the network between the proxies and the primary, and between the primary and its standbys.
pub(super) fn partitions(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let nodes = Nodes::start()?;
    let runtime = runtime()?;
    let to_standbys = Relay::start(&runtime, nodes.primary().port())?;
    for standby in nodes.standbys() {
        standby.follow(to_standbys.port)?;
    }
    nodes.wait_for_standbys()?;
    let relayed = |port: &u16| Relay::start(&runtime, *port);
    let to_proxies: Vec<_> = nodes.ports().iter().map(relayed).collect::<Result<_>>()?;
    let ports: Vec<_> = to_proxies.iter().map(|relay| relay.port).collect();
    let to_primary = to_proxies
        .first()
        .context("there must be a relay to the primary")?;
    let mut scene = Scene::open(binary, &ports)?;
    scene.load();
    for _ in 0..rounds {
        let pass = |relay: &Relay, is_open| {
            relay.pass(is_open);
            Ok(())
        };
        let proxies = (|| pass(to_primary, false), || pass(to_primary, true));
        let what = "no network between proxies and primary";
        stall(&scene, report, what, HANG, proxies)?.ends_calls(what, report);
        let standbys = (|| pass(&to_standbys, false), || pass(&to_standbys, true));
        let what = "no network between primary and standbys";
        stall(&scene, report, what, HANG, standbys)?.ends_calls(what, report);
    }
    scene.close("partitions", report)
}

/// The effects of a fault that the callers measured.
struct Stall {
    /// The longest time without a success.
    pause: Duration,
    /// The longest call.
    call: Duration,
}

impl Stall {
    /// Checks that a proxy's calls end in time although the database does not answer.
    fn ends_calls(&self, what: &str, report: &mut Report) {
        report.note(
            format!("{what}: longest time without a success"),
            seconds(self.pause),
        );
        report.gate(
            format!("{what}: the longest call"),
            seconds(self.call),
            format!("at most {} s", ANSWERED_WITHIN.as_secs()),
            self.call <= ANSWERED_WITHIN,
        );
    }
}

/// Begins a fault, ends it after some time, and waits until every proxy accepts.
fn stall(
    scene: &Scene,
    report: &mut Report,
    what: &str,
    lasts: Duration,
    (begin, end): (impl Fn() -> Result<()>, impl Fn() -> Result<()>),
) -> Result<Stall> {
    wait(CALM);
    scene.book.begin_pause();
    begin()?;
    wait(lasts);
    end()?;
    let ended = Instant::now();
    scene.wait_until_all_accept()?;
    let recovered = ended.elapsed();
    let pause = scene.book.take_pause();
    report.gate(
        format!(
            "{what} for {} s: until every proxy accepts again",
            lasts.as_secs()
        ),
        seconds(recovered),
        format!("at most {} s", RECOVERED_WITHIN.as_secs()),
        recovered <= RECOVERED_WITHIN,
    );
    let call = scene.book.take_longest_call();
    Ok(Stall { pause, call })
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn signal(process: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()?;
    ensure!(
        sent.success(),
        "the signal {name} could not be sent to the process"
    );
    Ok(())
}
