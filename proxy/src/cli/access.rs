//! Gives commands access to the stored data. If a proxy runs, a command asks the proxy. If no proxy runs, the command opens the
//! store itself.

use std::{path::Path, pin::Pin, sync::Arc};

use anyhow::{Context, Result, anyhow, bail, ensure};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::Request,
};
use clap::Command;
use duet_proxy::{
    config::{self, settings},
    control, queue,
};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

use super::given;

/// A request that has been sent. Resolves to whether the request succeeded, and the answer's body.
type Sent<'a> = Pin<Box<dyn Future<Output = Result<(bool, Bytes)>> + Send + 'a>>;

/// The access of one command.
pub(super) enum Access {
    Running(reqwest::Client),
    Own {
        router: axum::Router,
        intake: queue::Intake,
    },
}

impl Access {
    /// Opens the access to the store in `DUET_DATA_DIR`.
    pub(super) async fn to(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let folder = given(&lookup, "DUET_DATA_DIR");
        let reserve = config::disk_reserve_bytes(&given(&lookup, "DUET_DISK_RESERVE_MB"))
            .map_err(|rule| anyhow!("DUET_DISK_RESERVE_MB: {rule}"))?;
        let database = database(&lookup)?;
        Self::open(Path::new(&folder), reserve, database.as_deref()).await
    }

    /// Returns the access through the proxy that uses the store in `folder`. Returns `None` if no proxy uses the store.
    pub(super) async fn running(folder: &Path) -> Result<Option<Self>> {
        let socket = control::socket(folder);
        if tokio::net::UnixStream::connect(&socket).await.is_err() {
            return Ok(None);
        }
        let client = reqwest::Client::builder().unix_socket(socket);
        Ok(Some(Self::Running(
            client.build().context("no HTTP client")?,
        )))
    }

    async fn open(
        folder: &Path,
        reserve_bytes: u64,
        database: Option<&queue::Database>,
    ) -> Result<Self> {
        if database.is_none()
            && let Some(running) = Self::running(folder).await?
        {
            return Ok(running);
        }
        let (intake, _, letters) = if let Some(database) = database {
            queue::open_shared(database, false, Arc::default())?
        } else {
            ensure!(
                folder.exists(),
                "DUET_DATA_DIR: there is no folder {}",
                folder.display()
            );
            queue::open(folder, reserve_bytes, Arc::default())?
        };
        Ok(Self::Own {
            router: control::router(letters, &intake).merge(control::why_stopped(intake.clone())),
            intake,
        })
    }

    /// Sends a request to the running proxy, or, if no proxy runs, to the routes in this process. Reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = serde_json::to_vec(body)?;
        let (is_success, answer) = self.send(method, path, body).await?;
        if !is_success {
            bail!("{}", String::from_utf8_lossy(&answer));
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Sends a request. The returned future is boxed, so that the binary contains its code once, not once in each command.
    fn send<'a>(&'a self, method: &'a str, path: &'a str, body: Vec<u8>) -> Sent<'a> {
        let json = ("content-type", "application/json");
        Box::pin(async move {
            Ok(match self {
                Self::Running(client) => {
                    let request = client.request(method.parse()?, format!("http://duet{path}"));
                    let request = request.header(json.0, json.1).body(body);
                    let answer = request.send().await?;
                    (answer.status().is_success(), answer.bytes().await?)
                }
                Self::Own { router, .. } => {
                    let request = Request::builder().method(method).uri(path);
                    let request = request.header(json.0, json.1).body(Body::from(body))?;
                    let answer = router.clone().oneshot(request).await?;
                    let is_success = answer.status().is_success();
                    (is_success, to_bytes(answer.into_body(), usize::MAX).await?)
                }
            })
        })
    }

    /// Closes the store, if this command has opened it. Prints how many events stay pending until a proxy starts.
    pub(super) async fn close(self) {
        let Self::Own { intake, .. } = self else {
            return;
        };
        intake.close().await;
        if intake.depth() > 0 {
            say(&format!(
                "events that stay pending until a proxy starts: {}",
                intake.depth()
            ));
        }
    }
}

/// Returns the database that `DUET_QUEUE` names, if it names one.
pub(super) fn database(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<Box<queue::Database>>> {
    config::queue_database(lookup).map_err(|problems| {
        let problems = problems.iter().map(ToString::to_string);
        anyhow!("{}", problems.collect::<Vec<_>>().join("; "))
    })
}

/// Returns a command about the stored data, with the settings that name the store.
pub(super) fn command(name: &'static str, about: &'static str) -> Command {
    let settings = settings::SETTINGS
        .iter()
        .filter(|setting| {
            [
                "DUET_DATA_DIR",
                "DUET_DISK_RESERVE_MB",
                "DUET_QUEUE",
                "DUET_QUEUE_PASSWORD",
            ]
            .contains(&setting.name)
        })
        .map(super::argument);
    Command::new(name)
        .about(about)
        .subcommand_required(true)
        .args(settings.map(|argument| argument.global(true)))
}

/// Formats a time in Unix milliseconds for people.
pub(super) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

#[allow(
    clippy::print_stdout,
    reason = "printing the result is the purpose of the commands"
)]
pub(super) fn say(line: &str) {
    println!("{line}");
}
