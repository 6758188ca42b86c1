//! `duet-proxy dead-letters`: what was accepted and not delivered. Works beside a running proxy, and
//! without one.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use duet_proxy::control::{Chosen, Done, Found, Letter};

use super::{
    access::{self, Access, say, time},
    serve::on_this_thread,
};

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
    access::command(
        "dead-letters",
        "Shows, replays or drops events that TikTok did not take",
    )
    .subcommand(Command::new("list").about("One line each, the newest first"))
    .subcommand(chosen(
        Command::new("show").about("Everything about some of them, as JSON"),
    ))
    .subcommand(chosen(Command::new("replay").about("Sends them again")))
    .subcommand(chosen(Command::new("drop").about("Removes them for good")))
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let Some((command, matches)) = matches.subcommand() else {
        return Ok(());
    };
    on_this_thread(async {
        let store = Access::to(lookup).await?;
        match command {
            "list" => printed(list(&store).await)?,
            "show" => printed(show(&store, names(matches)).await)?,
            _ => change(&store, command, names(matches)).await?,
        }
        store.close().await;
        Ok(())
    })
}

/// The letters' names; `None` for all of them.
fn names(matches: &ArgMatches) -> Option<Vec<String>> {
    let names = || matches.get_many::<String>("letter");
    (!matches.get_flag("all")).then(|| names().into_iter().flatten().cloned().collect())
}

async fn change(store: &Access, command: &str, names: Option<Vec<String>>) -> Result<()> {
    let chosen = names.map_or(Chosen::All, Chosen::Named);
    let path = format!("/dead-letters/{command}");
    let Done { letters, unknown } = store.ask("POST", &path, &chosen).await?;
    if letters > 0 || unknown.is_empty() {
        say(&format!("{command}: {letters}"));
    }
    none_unknown(&unknown)
}

async fn list(store: &Access) -> Result<()> {
    let mut lines = BufWriter::new(io::stdout());
    let mut any = false;
    let mut pages = Pages::of(store);
    while let Some(letters) = pages.next().await? {
        any = true;
        for letter in &letters {
            writeln!(lines, "{}", line(letter))?;
        }
        lines.flush()?;
    }
    if !any {
        say("there are no dead letters");
    }
    Ok(())
}

fn line(Letter { id, letter }: &Letter) -> String {
    let ended = time(letter.ended_at_ms);
    let code = letter.code.map(|code| code.to_string());
    [
        id,
        &ended,
        &letter.outcome,
        code.as_deref().unwrap_or("-"),
        &letter.name,
        &letter.event_id,
        letter.message.as_deref().unwrap_or("-"),
    ]
    .join("  ")
}

async fn show(store: &Access, names: Option<Vec<String>>) -> Result<()> {
    let mut text = BufWriter::new(io::stdout());
    if let Some(names) = names {
        let Found { letters, unknown } = store.ask("POST", "/dead-letters/show", &names).await?;
        write_all(&mut text, &letters)?;
        return none_unknown(&unknown);
    }
    let mut pages = Pages::of(store);
    while let Some(letters) = pages.next().await? {
        write_all(&mut text, &letters)?;
    }
    Ok(())
}

fn write_all(text: &mut impl Write, letters: &[Letter]) -> Result<()> {
    for letter in letters {
        writeln!(text, "{}", serde_json::to_string_pretty(letter)?)?;
    }
    Ok(text.flush()?)
}

fn none_unknown(unknown: &[String]) -> Result<()> {
    ensure!(
        unknown.is_empty(),
        "there is no dead letter {}",
        unknown.join(", ")
    );
    Ok(())
}

/// Whoever reads the output may have enough of it, as `head` does.
fn printed(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// All letters, the newest first, a page at a time.
struct Pages<'a> {
    store: &'a Access,
    before: Option<String>,
}

impl<'a> Pages<'a> {
    fn of(store: &'a Access) -> Self {
        let before = None;
        Self { store, before }
    }

    async fn next(&mut self) -> Result<Option<Vec<Letter>>> {
        let path = match &self.before {
            None => "/dead-letters".to_owned(),
            Some(id) => format!("/dead-letters?before={id}"),
        };
        let letters: Vec<Letter> = self.store.ask("GET", &path, &()).await?;
        self.before = letters.last().map(|letter| letter.id.clone());
        Ok(self.before.is_some().then_some(letters))
    }
}
