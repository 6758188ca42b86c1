//! The way to what the proxy keeps: through the proxy that runs, or straight to its store where none does.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, anyhow, bail, ensure};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use clap::Command;
use duet_proxy::{
    config::{self, settings},
    control, queue,
};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

/// An opened way.
pub(super) enum Access {
    Running(reqwest::Client),
    Own {
        router: axum::Router,
        intake: queue::Intake,
    },
}

impl Access {
    /// To the store that `DUET_DATA_DIR` names.
    pub(super) async fn to(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let setting = |name: &str| {
            let default = || settings::default_of(name).map(str::to_owned);
            lookup(name).or_else(default).unwrap_or_default()
        };
        let folder = setting("DUET_DATA_DIR");
        let reserve = config::disk_reserve_bytes(&setting("DUET_DISK_RESERVE_MB"))
            .map_err(|rule| anyhow!("DUET_DISK_RESERVE_MB: {rule}"))?;
        Self::open(Path::new(&folder), reserve).await
    }

    async fn open(folder: &Path, reserve_bytes: u64) -> Result<Self> {
        let socket = control::socket(folder);
        if tokio::net::UnixStream::connect(&socket).await.is_ok() {
            let client = reqwest::Client::builder()
                .unix_socket(socket)
                .build()
                .context("no HTTP client")?;
            return Ok(Self::Running(client));
        }
        ensure!(
            folder.exists(),
            "DUET_DATA_DIR: there is no folder {}",
            folder.display()
        );
        let (intake, _, letters) = queue::open(folder, reserve_bytes, Arc::default())?;
        Ok(Self::Own {
            router: control::router(letters, intake.orders().clone()),
            intake,
        })
    }

    /// Asks and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = serde_json::to_vec(body)?;
        let (status, answer) = match self {
            Self::Running(client) => {
                let request = client.request(method.parse()?, format!("http://duet{path}"));
                let answer = request
                    .header("content-type", "application/json")
                    .body(body)
                    .send()
                    .await?;
                (answer.status(), answer.bytes().await?)
            }
            Self::Own { router, .. } => {
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header("content-type", "application/json");
                let answer = router
                    .clone()
                    .oneshot(request.body(Body::from(body))?)
                    .await?;
                (
                    answer.status(),
                    to_bytes(answer.into_body(), usize::MAX).await?,
                )
            }
        };
        if !status.is_success() {
            bail!("{}", String::from_utf8_lossy(&answer));
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// What was replayed without a proxy waits for the next one.
    pub(super) async fn close(self) {
        let Self::Own { intake, .. } = self else {
            return;
        };
        intake.close().await;
        if intake.depth() > 0 {
            say(&format!(
                "{} events wait for the proxy to start",
                intake.depth()
            ));
        }
    }
}

/// A command about what the proxy keeps.
pub(super) fn command(name: &'static str, about: &'static str) -> Command {
    let settings = settings::SETTINGS
        .iter()
        .filter(|setting| ["DUET_DATA_DIR", "DUET_DISK_RESERVE_MB"].contains(&setting.name))
        .map(super::argument);
    Command::new(name)
        .about(about)
        .subcommand_required(true)
        .args(settings.map(|argument| argument.global(true)))
}

/// A time in Unix milliseconds as people read it.
pub(super) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

#[allow(
    clippy::print_stdout,
    reason = "this is what the commands are asked for"
)]
pub(super) fn say(line: &str) {
    println!("{line}");
}
