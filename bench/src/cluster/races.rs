//! The same event, the same order and the same transfer are sent to three proxies at the same moment.

use std::path::Path;

use anyhow::Result;
use duet_sandbox::Instruction;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    load::{Call, Caller, KEY, PRICE, WEBHOOK},
    nodes::Nodes,
    report::Report,
    scene::Scene,
};
use crate::event;

const AT_ONCE: usize = 8;

/// Counts the races that did not have exactly one winner.
#[derive(Default)]
struct Lost {
    events: u32,
    orders: u32,
    transfers: u32,
}

pub(super) fn measure(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let nodes = Nodes::start()?;
    let scene = Scene::open(binary, nodes.ports())?;
    let lost = scene.runtime().block_on(async {
        let mut lost = Lost::default();
        let mut races = JoinSet::new();
        for _ in 0..rounds {
            if races.len() >= AT_ONCE
                && let Some(raced) = races.join_next().await
            {
                lost.add(&raced?);
            }
            races.spawn(race(scene.caller.clone()));
        }
        while let Some(raced) = races.join_next().await {
            lost.add(&raced?);
        }
        anyhow::Ok(lost)
    })?;
    let what = format!("{rounds} races of three proxies");
    for (subject, lost) in [
        ("for one event", lost.events),
        ("for one order", lost.orders),
        ("for one transfer", lost.transfers),
    ] {
        report.gate(
            format!("{what} {subject}: without exactly one winner"),
            lost.to_string(),
            "0",
            lost == 0,
        );
    }
    scene.close(&what, report)
}

impl Lost {
    fn add(&mut self, raced: &Lost) {
        self.events += raced.events;
        self.orders += raced.orders;
        self.transfers += raced.transfers;
    }
}

async fn race(caller: Caller) -> Lost {
    let number = caller.book.new_number();
    let order = format!("NET{number:010}");
    let registration = json!({ "order_id": order, "amount": PRICE, "currency": "VND", "plan_id": "starter",
                               "plan_name": "Starter", "billing_cycle": "monthly" });
    let paid = json!({ "event": "CompletePayment", "user": { "external_id": "u" },
                       "properties": { "order_id": order, "value": PRICE, "currency": "VND" } });
    let events = everywhere(&caller, event::TRACK, None, &event::one(number)).await;
    // Registering an order again changes nothing, so every proxy may answer that the order is registered.
    let registered = everywhere(&caller, "/api/orders", Some(KEY), &registration.to_string()).await;
    let reported = everywhere(&caller, event::TRACK, None, &paid.to_string()).await;
    let transfers = transfers(&caller, &order, number).await;
    caller.book.accept(number);
    caller.book.sell(order, true);
    let is_known = |answer: &Value| answer["success"] == true;
    let is_registered = registered.iter().all(is_known);
    Lost {
        events: u32::from(!has_one_winner(&events, "accepted")),
        orders: u32::from(!(is_registered && has_one_winner(&reported, "held"))),
        transfers: u32::from(!transfers),
    }
}

/// Returns whether exactly one answer has this status and both others have the status `duplicate`.
fn has_one_winner(answers: &[Value; 3], status: &str) -> bool {
    let of = |status: &str| {
        let with = answers.iter().filter(|answer| answer["status"] == status);
        with.count()
    };
    (of(status), of("duplicate")) == (1, 2)
}

/// Calls all proxies at the same time. An answer that is not JSON becomes null.
async fn everywhere(caller: &Caller, path: &str, key: Option<&str>, body: &str) -> [Value; 3] {
    let call = Call {
        path,
        key,
        body: body.to_owned(),
    };
    let answer = async |at| match caller.once(at, &call).await {
        Ok(Ok((_, body))) => serde_json::from_slice(&body).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    tokio::join!(answer(0), answer(1), answer(2)).into()
}

/// Sends the same notification to all proxies at the same time. Returns whether all proxies accepted it. The number of
/// conversions shows later whether the payment counted once.
async fn transfers(caller: &Caller, order: &str, transaction: u64) -> bool {
    let send = async |at| {
        let notification = Instruction {
            webhook_url: Some(caller.url(at, WEBHOOK)),
            order_id: order.to_owned(),
            amount: PRICE,
            transaction_id: Some(transaction),
            ..Instruction::default()
        };
        let told = caller.bank.send(notification).await;
        told.is_ok_and(|told| told.attempts.last().is_some_and(|attempt| attempt.taken))
    };
    tokio::join!(send(0), send(1), send(2)) == (true, true, true)
}
