//! `duet-proxy dead-letters`: what was accepted and not delivered. Works beside a running proxy, and
//! without one.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use duet_proxy::{
    config::settings,
    control::{self, Chosen, Done, Letter},
    queue,
};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

use super::serve::on_this_thread;

/// The commands and their words.
pub(super) fn command() -> Command {
    let chosen = |command: Command| {
        command
            .arg(
                Arg::new("letter")
                    .num_args(1..)
                    .required_unless_present("all")
                    .help("Ids as `list` prints them, or event_ids"),
            )
            .arg(
                Arg::new("all")
                    .long("all")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("letter")
                    .help("All of them"),
            )
    };
    let folder = settings::SETTINGS
        .iter()
        .filter(|setting| setting.name == "DUET_DATA_DIR")
        .flat_map(super::arguments);
    Command::new("dead-letters")
        .about("Shows, replays or drops events that TikTok did not take")
        .subcommand_required(true)
        .args(folder.map(|argument| argument.global(true)))
        .subcommand(Command::new("list").about("One line each, the newest first"))
        .subcommand(chosen(
            Command::new("show").about("Everything about some of them, as JSON"),
        ))
        .subcommand(chosen(Command::new("replay").about("Sends them again")))
        .subcommand(chosen(Command::new("drop").about("Removes them for good")))
}

/// More letters than this are not looked at by one command.
const MOST: usize = 100_000;

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let folder = lookup("DUET_DATA_DIR")
        .or_else(|| settings::default_of("DUET_DATA_DIR").map(str::to_owned));
    let folder = folder.context("DUET_DATA_DIR has a default")?;
    let Some((command, matches)) = matches.subcommand() else {
        return Ok(());
    };
    on_this_thread(async {
        let store = Access::open(Path::new(&folder)).await?;
        let letters: Vec<Letter> = store
            .ask("GET", &format!("/dead-letters?most={MOST}"), &())
            .await?;
        match command {
            "list" => list(&letters),
            "show" => show(&choose(letters, matches)?)?,
            _ => {
                let ids = choose(letters, matches)?
                    .into_iter()
                    .map(|letter| letter.id)
                    .collect();
                let Done { letters } = store
                    .ask("POST", &format!("/dead-letters/{command}"), &Chosen { ids })
                    .await?;
                say(&format!("{command}: {letters}"));
            }
        }
        store.close();
        Ok(())
    })
}

/// The way to the letters: through the proxy that runs, or straight to its store.
enum Access {
    Running(reqwest::Client),
    Own {
        router: axum::Router,
        outlet: queue::Outlet,
    },
}

impl Access {
    async fn open(folder: &Path) -> Result<Self> {
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
        let (_, outlet, letters) = queue::open(folder, 0, Arc::default())?;
        Ok(Self::Own {
            router: control::router(letters),
            outlet,
        })
    }

    async fn ask<T: DeserializeOwned>(
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
    fn close(self) {
        if let Self::Own { outlet, .. } = &self
            && outlet.depth() > 0
        {
            say(&format!(
                "{} events wait for the proxy to start",
                outlet.depth()
            ));
        }
    }
}

fn choose(letters: Vec<Letter>, matches: &ArgMatches) -> Result<Vec<Letter>> {
    if matches.get_flag("all") {
        return Ok(letters);
    }
    let names: Vec<_> = matches
        .get_many::<String>("letter")
        .into_iter()
        .flatten()
        .collect();
    let is_named =
        |letter: &Letter, name: &String| *name == letter.id || *name == letter.letter.event_id;
    for name in &names {
        ensure!(
            letters.iter().any(|letter| is_named(letter, name)),
            "there is no dead letter {name}"
        );
    }
    Ok(letters
        .into_iter()
        .filter(|letter| names.iter().any(|name| is_named(letter, name)))
        .collect())
}

fn list(letters: &[Letter]) {
    if letters.is_empty() {
        say("there are no dead letters");
    }
    for Letter { id, letter } in letters {
        let ended =
            jiff::Timestamp::from_millisecond(letter.ended_at_ms).map(|ended| ended.to_string());
        let code = letter.code.map(|code| code.to_string());
        let fields = [
            id,
            ended.as_deref().unwrap_or("-"),
            &letter.outcome,
            code.as_deref().unwrap_or("-"),
            &letter.name,
            &letter.event_id,
            letter.message.as_deref().unwrap_or("-"),
        ];
        say(&fields.join("  "));
    }
}

fn show(letters: &[Letter]) -> Result<()> {
    for letter in letters {
        say(&serde_json::to_string_pretty(letter)?);
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "this is what the command is asked for")]
fn say(line: &str) {
    println!("{line}");
}
