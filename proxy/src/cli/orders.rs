//! `duet-proxy orders`: shows or withdraws an order. The command works with a running proxy and without one.

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command};
use duet_proxy::{control::OrderNamed, orders::Summary};

use super::{
    access::{self, Access, say},
    serve::on_this_thread,
};

/// Returns the command and its arguments.
pub(super) fn command() -> Command {
    let named = |command: Command| {
        command.arg(
            Arg::new("order")
                .required(true)
                .help("The shop's own id of the order"),
        )
    };
    access::command("orders", "Shows or withdraws an order")
        .subcommand(named(Command::new("show").about(
            "Shows the order's status, its payments and its reported events, as JSON",
        )))
        .subcommand(named(Command::new("withdraw").about(
            "Deletes the order and the data of the visitor who started it; events that wait for its payment become dead letters",
        )))
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let Some((command, matches)) = matches.subcommand() else {
        return Ok(());
    };
    let order_id = matches.get_one::<String>("order").cloned();
    let order_id = order_id.unwrap_or_default();
    let unknown = format!("there is no order {order_id}");
    let named = OrderNamed { order_id };
    on_this_thread(async {
        let store = Access::to(lookup).await?;
        if command == "show" {
            let order: Option<Summary> = store.ask("POST", "/orders/show", &named).await?;
            say(&serde_json::to_string_pretty(&order.context(unknown)?)?);
        } else {
            let waited: Option<usize> = store.ask("POST", "/orders/withdraw", &named).await?;
            let waited = waited.context(unknown)?;
            say(&format!(
                "the order was withdrawn; events that waited for its payment: {waited}"
            ));
        }
        store.close().await;
        Ok(())
    })
}
