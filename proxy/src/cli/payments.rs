//! `duet-proxy payments`: lists the transfers that payment providers have reported, and the transfers' results. The command
//! works with a running proxy and without one.

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};
use duet_proxy::{decide::Payment, money::Kind};

use super::{
    access::{self, Access, say, time},
    serve::on_this_thread,
};

/// Returns the command and its arguments.
pub(super) fn command() -> Command {
    let all = Arg::new("all")
        .long("all")
        .action(ArgAction::SetTrue)
        .help("Lists all transfers, including those that paid an order");
    access::command("payments", "Lists transfers").subcommand(
        Command::new("list")
            .about("Lists payments that need manual review, one line each, the newest first")
            .arg(all),
    )
}

/// Runs the command.
pub(super) fn run(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let Some((_, matches)) = matches.subcommand() else {
        return Ok(());
    };
    let is_asked = |payment: &Payment| payment.became.is_parked() || matches.get_flag("all");
    on_this_thread(async {
        let store = Access::to(lookup).await?;
        let mut payments: Vec<Payment> = store.ask("GET", "/payments", &()).await?;
        payments.retain(is_asked);
        payments.sort_by_key(|payment| std::cmp::Reverse(payment.at_ms));
        if payments.is_empty() {
            say("no payment needs manual review");
        }
        for payment in &payments {
            say(&line(payment));
        }
        store.close().await;
        Ok(())
    })
}

fn line(payment: &Payment) -> String {
    let became = payment.reason.as_deref().unwrap_or(payment.became.label());
    let became = match payment.kind {
        Kind::First => became.to_owned(),
        kind => format!("{} {became}", kind.label()),
    };
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let account = payment.account.as_ref().map(|digits| format!("…{digits}"));
    [
        time(payment.at_ms),
        format!("{} {}", payment.provider, payment.id),
        payment.amount.to_string(),
        became,
        or_dash(&payment.order_id),
        or_dash(&account),
        or_dash(&payment.reference),
    ]
    .join("  ")
}
