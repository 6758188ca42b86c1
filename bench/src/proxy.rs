//! The measured proxy: its release binary, a separate store, no rate limit.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    http,
    server::{Server, bound, free_address},
};

/// The settings of the proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    binary: PathBuf,
    /// The address of the fake TikTok. A server may listen there or not.
    tiktok: SocketAddr,
    /// The largest number of events in one request, for the fastest delivery.
    batch_events: Option<usize>,
    life: u32,
    /// The address and the token of the console, if it is served.
    console: Option<(SocketAddr, &'static str)>,
    /// Further settings.
    settings: Vec<(&'static str, String)>,
}

impl Proxy {
    /// Makes a proxy with a TikTok address at which no server listens.
    pub(crate) fn new(binary: &Path) -> Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            tiktok: free_address()?,
            batch_events: Some(1000),
            life: 0,
            console: None,
            settings: Vec::new(),
        })
    }

    /// Delivers to `sink`.
    pub(crate) fn delivering_to(mut self, sink: SocketAddr) -> Self {
        self.tiktok = sink;
        self
    }

    /// Sends at most `events` in one request.
    pub(crate) fn in_batches_of(mut self, events: usize) -> Self {
        self.batch_events = Some(events);
        self
    }

    /// Sends with the default settings.
    pub(crate) fn with_default_delivery(mut self) -> Self {
        self.batch_events = None;
        self
    }

    /// Sends this number as TikTok's token, so that the sink can tell which process of the proxy sent an event.
    pub(crate) fn in_life(mut self, life: u32) -> Self {
        self.life = life;
        self
    }

    /// Serves the console at `address`.
    pub(crate) fn with_console(mut self, address: SocketAddr, token: &'static str) -> Self {
        self.console = Some((address, token));
        self
    }

    /// Adds a setting.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Returns the path of the release binary.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Starts the proxy with the store in `folder`.
    pub(crate) fn start(&self, folder: &Path) -> Result<Server> {
        self.start_at(free_address()?, folder)
    }

    /// Starts the proxy at `address`, with the store in `folder`.
    pub(crate) fn start_at(&self, address: SocketAddr, folder: &Path) -> Result<Server> {
        let mut command = bound(&self.binary);
        self.configure(&mut command, address, folder);
        Server::start(command, address)
    }

    /// Adds the settings of every measurement.
    pub(crate) fn configure(&self, command: &mut Command, address: SocketAddr, folder: &Path) {
        command
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DUET_DATA_DIR", folder)
            .env("DUET_LISTEN", address.to_string())
            .env("DUET_LOG", "error")
            .env("DUET_RATE_LIMIT", "off")
            .env("TIKTOK_PIXEL_ID", "CDUETBENCH0000000001")
            .env("TIKTOK_ACCESS_TOKEN", format!("life-{}", self.life))
            .env("TIKTOK_API_BASE", format!("http://{}", self.tiktok));
        command.envs(self.settings.iter().cloned());
        if let Some((address, token)) = self.console {
            command
                .env("DUET_CONSOLE_LISTEN", address.to_string())
                .env("DUET_CONSOLE_TOKEN", token);
        }
        if let Some(events) = self.batch_events {
            command
                .env("DUET_BATCH_EVENTS", events.to_string())
                .env("DUET_BATCH_BYTES", "1000000")
                .env("DUET_SEND_LIMIT", "off")
                .env("DUET_SEND_PARALLEL", "4");
        }
    }

    /// Makes a folder for a store beside the binary, on the same disk. A temporary folder may be in memory, where a sync
    /// costs nothing.
    pub(crate) fn folder(&self) -> Result<TempDir> {
        let beside = self.binary.parent().context("the binary has no folder")?;
        Ok(tempfile::Builder::new()
            .prefix("duet-bench-")
            .tempdir_in(beside)?)
    }
}

/// Returns a value of `GET /metrics`, summed over its labels. Returns 0 if the metric is missing.
pub(crate) fn metric(address: SocketAddr, name: &str) -> Result<f64> {
    let text = http::request(address, "GET", "/metrics", "")?.body;
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}

/// Returns the number of pending events.
pub(crate) fn waiting(address: SocketAddr) -> Result<f64> {
    metric(address, "duet_queue_events")
}
