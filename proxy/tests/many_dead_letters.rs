//! Tests the real commands and the real proxy with a backlog after a long outage: there are more dead letters than one
//! request could name.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use duet_events::{EventId, EventName, Invalid};
use duet_proxy::{
    decide::{Class, DedupKey, Destination, Remember},
    history::Trace,
    outcome::Outcome,
    queue::{self, Entry, Limits},
};
use serde_json::json;

/// The number of dead letters. Their ids do not fit into 2 MB, the size that a request can have by default.
const LETTERS: usize = 110_000;
const AT_ONCE: usize = 1_000;
/// How long each step may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Stores `LETTERS` dead letters in a new store.
async fn letters(folder: &Path) -> Result<()> {
    let (intake, mut outlet, _letters) = queue::open(folder, 0, Arc::default())?;
    let destination = Arc::new(Destination {
        pixel_id: "C4A1B2C3D4E5F6G7H8I9".to_owned(),
        test_event_code: None,
    });
    let name = EventName::parse("Lead").map_err(|rule| broken(&rule))?;
    let limits = Limits {
        events: AT_ONCE,
        bytes: usize::MAX,
    };
    let mut lane = None;
    for first in (0..LETTERS).step_by(AT_ONCE) {
        let events: Vec<_> = (first..first + AT_ONCE)
            .map(|number| json!({ "event": "Lead", "event_id": format!("backlog-{number}") }))
            .collect();
        let mut entries = Vec::new();
        for event in &events {
            let id = event["event_id"]
                .as_str()
                .context("the event must have an id")?;
            let id = EventId::parse(id).map_err(|rule| broken(&rule))?;
            entries.push(Entry {
                key: DedupKey::of(&destination, &name, &id),
                remember: Remember::Hours48,
                destination: Arc::clone(&destination),
                class: Class::Second,
                trace: Trace::default(),
                note: None,
                event,
            });
        }
        intake.enqueue(entries).await?;
        let lane = match &mut lane {
            Some(lane) => lane,
            None => lane.insert(outlet.lane().await),
        };
        let batch = lane
            .claim(Class::Second, limits)?
            .context("events must be pending")?;
        // Use current times, as the proxy does. With times in 1970, the sweep that runs every minute would remove the dead
        // letters.
        let at_ms = duet_proxy::clock::now_ms();
        lane.settle(&batch.events, &Outcome::Expired, at_ms).await?;
    }
    Ok(())
}

fn broken(rule: &Invalid) -> anyhow::Error {
    anyhow::anyhow!("{}", rule.message)
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet-proxy"));
    command.args(words).env_clear().env("DUET_DATA_DIR", folder);
    command
}

/// Returns the output of a command about dead letters. Repeats the command while the earlier user of the store still
/// releases it.
fn said(folder: &Path, words: &[&str]) -> Result<String> {
    let words = [&["dead-letters"], words].concat();
    let until = Instant::now() + PATIENCE;
    loop {
        let output = command(folder, &words).output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        if error.contains("another process") && Instant::now() < until {
            continue;
        }
        ensure!(output.status.success(), "{words:?}: {error}");
        return Ok(String::from_utf8(output.stdout)?);
    }
}

/// A proxy that cannot reach TikTok, so that pending events stay pending.
struct Proxy {
    process: Child,
    address: SocketAddr,
}

impl Proxy {
    fn start(folder: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = command(folder, &["serve"])
            .env("DUET_LISTEN", address.to_string())
            .env("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9")
            .env("TIKTOK_ACCESS_TOKEN", "sandbox-access-token")
            .env("TIKTOK_API_BASE", "http://127.0.0.1:9")
            .stderr(Stdio::null())
            .spawn()?;
        let proxy = Self { process, address };
        let until = Instant::now() + PATIENCE;
        while proxy.get("/healthz").is_err() {
            ensure!(Instant::now() < until, "the proxy does not answer");
        }
        Ok(proxy)
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(answer)
    }

    fn waiting(&self) -> Result<usize> {
        let metrics = self.get("/metrics")?;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("duet_queue_events "));
        Ok(line.context("the proxy must have the metric")?.parse()?)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Copies a store that no process has open.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_backlog_of_any_size_is_listed_replayed_and_dropped() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, second) = (folder.path().join("data"), folder.path().join("second"));
    letters(&data).await?;
    assert_eq!(said(&data, &["list"])?.lines().count(), LETTERS);
    copy(&data, &second)?;

    assert_eq!(
        said(&second, &["drop", "--all"])?,
        format!("drop: {LETTERS}\n")
    );
    assert_eq!(said(&second, &["drop", "--all"])?, "drop: 0\n");
    assert_eq!(said(&second, &["list"])?, "there are no dead letters\n");

    let proxy = Proxy::start(&data)?;
    // The test reads only the first line, so the listing stays open. Meanwhile the proxy must answer other requests.
    let mut listing = command(&data, &["dead-letters", "list"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines =
        BufReader::new(listing.stdout.take().context("the output must be piped")?).lines();
    lines
        .next()
        .context("the command must list a dead letter")??;
    assert!(
        listing.try_wait()?.is_none(),
        "the listing must stay open until its output is read"
    );
    proxy.get("/healthz")?;
    drop(lines);
    assert!(
        listing.wait()?.success(),
        "the command must end without an error when its reader closes the pipe"
    );

    let mut replay = command(&data, &["dead-letters", "replay", "--all"])
        .stdout(Stdio::null())
        .spawn()?;
    let until = Instant::now() + PATIENCE;
    while proxy.waiting()? == 0 {
        ensure!(Instant::now() < until, "the replay must begin in time");
    }
    replay.kill()?;
    replay.wait()?;
    let said_at_last = said(&data, &["replay", "--all"])?;
    assert!(said_at_last.starts_with("replay: "), "{said_at_last}");
    assert_eq!(proxy.waiting()?, LETTERS);
    assert_eq!(said(&data, &["list"])?, "there are no dead letters\n");
    Ok(())
}
