//! `duet-proxy dead-letters`: what was accepted and not delivered. Works beside a running proxy, and
//! without one.

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use duet_proxy::control::{Chosen, Done, Letter};

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

/// More letters than this are not looked at by one command.
const MOST: usize = 100_000;

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let Some((command, matches)) = matches.subcommand() else {
        return Ok(());
    };
    on_this_thread(async {
        let store = Access::to(lookup).await?;
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
        let ended = time(letter.ended_at_ms);
        let code = letter.code.map(|code| code.to_string());
        let fields = [
            id,
            &ended,
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
