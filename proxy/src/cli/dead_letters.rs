//! `duet-proxy dead-letters`: lists, shows, replays or removes events that were accepted but not delivered. The command works
//! with a running proxy and without one.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use duet_proxy::control::{Chosen, Done, Found, Letter};

use super::{
    access::{self, Access, say, time},
    serve::on_this_thread,
};

/// Returns the command and its arguments.
pub(super) fn command() -> Command {
    let pixel = |help| {
        Arg::new("pixel")
            .long("pixel")
            .value_name("CODE")
            .help(help)
    };
    let chosen = |command: Command| {
        command
            .arg(
                Arg::new("letter")
                    .num_args(1..)
                    .required_unless_present_any(["all", "pixel"])
                    .help("Ids that `list` prints, or event_ids"),
            )
            .arg(
                Arg::new("all")
                    .long("all")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("letter")
                    .help("All dead letters"),
            )
            .arg(pixel("All dead letters of this pixel").conflicts_with("letter"))
    };
    access::command(
        "dead-letters",
        "Lists, shows, replays or removes events that were not delivered to TikTok",
    )
    .subcommand(
        Command::new("list")
            .about("Lists dead letters, one line each, the newest first")
            .arg(pixel("Only dead letters of this pixel")),
    )
    .subcommand(chosen(
        Command::new("show").about("Shows all details of the chosen dead letters, as JSON"),
    ))
    .subcommand(chosen(
        Command::new("replay").about("Sends dead letters again"),
    ))
    .subcommand(chosen(
        Command::new("drop").about("Removes dead letters for good"),
    ))
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let Some((command, matches)) = matches.subcommand() else {
        return Ok(());
    };
    on_this_thread(async {
        let store = Access::to(lookup).await?;
        match command {
            "list" => printed(list(&store, pixel(matches)).await)?,
            "show" => printed(show(&store, chosen(matches)).await)?,
            _ => change(&store, command, chosen(matches)).await?,
        }
        store.close().await;
        Ok(())
    })
}

fn pixel(matches: &ArgMatches) -> Option<String> {
    matches.get_one("pixel").cloned()
}

fn chosen(matches: &ArgMatches) -> Chosen {
    let names = || matches.get_many("letter").into_iter().flatten().cloned();
    match pixel(matches) {
        Some(pixel_id) => Chosen::OfPixel(pixel_id),
        None if matches.get_flag("all") => Chosen::All,
        None => Chosen::Named(names().collect()),
    }
}

async fn change(store: &Access, command: &str, chosen: Chosen) -> Result<()> {
    let path = format!("/dead-letters/{command}");
    let Done { letters, unknown } = store.ask("POST", &path, &chosen).await?;
    if letters > 0 || unknown.is_empty() {
        say(&format!("{command}: {letters}"));
    }
    none_unknown(&unknown)
}

async fn list(store: &Access, pixel_id: Option<String>) -> Result<()> {
    let mut lines = BufWriter::new(io::stdout());
    let mut any = false;
    let mut pages = Pages::of(store, pixel_id);
    while let Some(letters) = pages.next().await? {
        any |= !letters.is_empty();
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
        &letter.pixel_id,
        letter.message.as_deref().unwrap_or("-"),
    ]
    .join("  ")
}

async fn show(store: &Access, chosen: Chosen) -> Result<()> {
    let mut text = BufWriter::new(io::stdout());
    let pixel_id = match chosen {
        Chosen::Named(names) => {
            let path = "/dead-letters/show";
            let Found { letters, unknown } = store.ask("POST", path, &names).await?;
            write_all(&mut text, &letters)?;
            return none_unknown(&unknown);
        }
        Chosen::OfPixel(pixel_id) => Some(pixel_id),
        Chosen::All => None,
    };
    let mut pages = Pages::of(store, pixel_id);
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

/// Returns success also if the program that reads the output stops reading before the output's end, as `head` does.
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

/// All dead letters, or the dead letters of one pixel, page by page, the newest first.
struct Pages<'a> {
    store: &'a Access,
    pixel_id: Option<String>,
    before: Option<String>,
}

impl<'a> Pages<'a> {
    fn of(store: &'a Access, pixel_id: Option<String>) -> Self {
        Self {
            store,
            pixel_id,
            before: None,
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<Letter>>> {
        let path = match &self.before {
            None => "/dead-letters".to_owned(),
            Some(id) => format!("/dead-letters?before={id}"),
        };
        let mut letters: Vec<Letter> = self.store.ask("GET", &path, &()).await?;
        self.before = letters.last().map(|letter| letter.id.clone());
        if let Some(pixel_id) = &self.pixel_id {
            letters.retain(|letter| letter.letter.pixel_id == *pixel_id);
        }
        Ok(self.before.is_some().then_some(letters))
    }
}
