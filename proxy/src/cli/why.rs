//! `duet-proxy why`: explains what happened to an id. The command works with a running proxy and without one.

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser};
use duet_proxy::{
    control::{Asked, WHY},
    why::{Chain, Text},
};

use super::{
    access::{self, Access, say, time},
    serve::on_this_thread,
};

/// Returns the command and its arguments.
pub(super) fn command() -> Command {
    access::command(
        "why",
        "Explains what happened to an order, an event, a request to TikTok or a transfer",
    )
    .subcommand_required(false)
    .arg(
        Arg::new("id")
            .required(true)
            .help("The id of the order, the event_id, TikTok's request_id, the provider's id of the transfer, or the bank's reference"),
    )
    .arg(
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print the answer as JSON"),
    )
    .arg(
        Arg::new("language")
            .long("language")
            .value_parser(PossibleValuesParser::new(["en", "vi"]))
            .default_value("en")
            .help("The language of the answer"),
    )
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let id = matches.get_one::<String>("id").cloned();
    let id = id.unwrap_or_default();
    let is_vietnamese = matches
        .get_one::<String>("language")
        .is_some_and(|language| language == "vi");
    on_this_thread(async {
        let store = Access::to(lookup).await?;
        let chain: Chain = store.ask("POST", WHY, &Asked { id }).await?;
        if matches.get_flag("json") {
            say(&serde_json::to_string_pretty(&chain)?);
        } else {
            print(&chain, is_vietnamese);
        }
        store.close().await;
        Ok(())
    })
}

fn print(chain: &Chain, is_vietnamese: bool) {
    let in_words = |text: &Text| {
        let text = if is_vietnamese { &text.vi } else { &text.en };
        text.clone()
    };
    if let Some(order_id) = &chain.order_id {
        say(&format!("order {order_id}"));
    }
    for step in &chain.steps {
        say(&format!("{}  {}", time(step.at_ms), in_words(&step.says)));
    }
    for found in &chain.causes {
        say("");
        say(&format!(
            "{}: {}",
            found.cause.code(),
            in_words(&found.says)
        ));
        say(&format!("  -> {}", in_words(&found.next)));
    }
}
