//! The proxy, as it is measured: its release binary, a store of its own, no rate limit.

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

/// How the proxy is run.
#[derive(Clone)]
pub(crate) struct Proxy {
    binary: PathBuf,
    /// Where TikTok's stand-in listens, or nobody.
    tiktok: SocketAddr,
    /// The most events in one request, where delivery is as fast as it can be.
    batch_events: Option<usize>,
    life: u32,
}

impl Proxy {
    /// The proxy with nobody where TikTok should be.
    pub(crate) fn new(binary: &Path) -> Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            tiktok: free_address()?,
            batch_events: Some(1000),
            life: 0,
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

    /// Sends as an operator's proxy does who changed nothing.
    pub(crate) fn with_default_delivery(mut self) -> Self {
        self.batch_events = None;
        self
    }

    /// Shows TikTok this number as its token, so that the processes of one store can be told apart.
    pub(crate) fn in_life(mut self, life: u32) -> Self {
        self.life = life;
        self
    }

    /// The release binary.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs with the store in `folder`.
    pub(crate) fn start(&self, folder: &Path) -> Result<Server> {
        self.start_at(free_address()?, folder)
    }

    /// Runs at `address`, with the store in `folder`.
    pub(crate) fn start_at(&self, address: SocketAddr, folder: &Path) -> Result<Server> {
        let mut command = bound(&self.binary);
        self.configure(&mut command, address, folder);
        Server::start(command, address)
    }

    /// The settings of every measurement.
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
        if let Some(events) = self.batch_events {
            command
                .env("DUET_BATCH_EVENTS", events.to_string())
                .env("DUET_BATCH_BYTES", "1000000")
                .env("DUET_SEND_LIMIT", "off")
                .env("DUET_SEND_PARALLEL", "4");
        }
    }

    /// A folder for a store, on the disk that the binary is on: a temporary folder may be in memory, where
    /// a sync costs nothing.
    pub(crate) fn folder(&self) -> Result<TempDir> {
        let beside = self.binary.parent().context("the binary has no folder")?;
        Ok(tempfile::Builder::new()
            .prefix("duet-bench-")
            .tempdir_in(beside)?)
    }
}

/// A figure of `GET /metrics`, summed over its labels; 0 where it was never counted.
pub(crate) fn metric(address: SocketAddr, name: &str) -> Result<f64> {
    let text = http::request(address, "GET", "/metrics", "")?.body;
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}

/// How many events wait.
pub(crate) fn waiting(address: SocketAddr) -> Result<f64> {
    metric(address, "duet_queue_events")
}
