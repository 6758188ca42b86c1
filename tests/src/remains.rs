//! Checks the events that remain when a stack is dropped. By default, every accepted event must have ended or must be held.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{Metrics, stack::PATIENCE};

/// Waits until the proxy has exactly `pending` pending events. If `its_own_store`, also waits until the proxy's metrics
/// balance.
pub(crate) fn wait_for(pending: i64, proxy: SocketAddr, its_own_store: bool) -> Result<()> {
    let since = Instant::now();
    loop {
        let checked = read(proxy).and_then(|metrics| check(&metrics, pending, its_own_store));
        if checked.is_ok() || since.elapsed() > PATIENCE {
            return checked;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn check(metrics: &Metrics, pending: i64, its_own_store: bool) -> Result<()> {
    let found = metrics.count("duet_queue_events");
    ensure!(
        found == pending,
        "{found} events are pending instead of {pending}"
    );
    let (came, went) = metrics.balance();
    ensure!(
        came == went || !its_own_store,
        "both sums must be equal: {came} events were accepted, found or replayed, and {went} have ended, are pending or are held"
    );
    Ok(())
}

/// Reads `/metrics` without tokio, because the test's own runtime may be blocked or already dropped.
fn read(proxy: SocketAddr) -> Result<Metrics> {
    let patience = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&proxy, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer must be complete")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{status}");
    Ok(Metrics::read(body))
}

/// A proxy that is started only to deliver the events of an earlier process. Dropping the value ends the process.
pub(crate) struct Successor(Child);

impl Successor {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        Ok(Self(command.stdout(Stdio::null()).spawn()?))
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        // `kill` fails only if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_pending_or_missing_fails_the_check() {
        for (text, pending, passes) in [
            ("", 0, true),
            ("", 1, false),
            (
                "duet_events_accepted_total{pixel=\"off\"} 2\nduet_events_ended_total{outcome=\"expired\"} 1",
                0,
                false,
            ),
            (
                "duet_events_accepted_total{pixel=\"off\"} 1\nduet_queue_events 1",
                0,
                false,
            ),
            (
                "duet_events_accepted_total{pixel=\"off\"} 1\nduet_queue_events 1",
                1,
                true,
            ),
            (
                "duet_events_found 3\nduet_events_replayed_total 1\nduet_events_held 3\nduet_queue_events 1",
                1,
                true,
            ),
            ("duet_events_found 3\nduet_events_held 2", 0, false),
        ] {
            let checked = check(&Metrics::read(text), pending, true);
            assert_eq!(checked.is_ok(), passes, "{text} {pending} {checked:?}");
        }
    }
}
