//! Tests payments: the answer to SePay, the status of the order, and the events that reach TikTok.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use duet_sandbox::{Conversion, Instruction, Told};
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

mod adds_up;
mod alike;
mod believes;
mod late;
mod outsiders;
mod reports;
mod survives;

pub(crate) const SECRET: &str = "sandbox-secret";
const SERVER_KEY: &str = "e2e-server-key-0123456789";
pub(crate) const PRICE: i64 = 99_000;
pub(crate) const WEBHOOK: &str = "/api/payment/sepay/webhook";
/// The answer that SePay expects.
const THANKS: &str = r#"{"success":true}"#;

const OWN: [(&str, &str); 5] = [
    ("SEPAY_WEBHOOK_SECRET", SECRET),
    ("SEPAY_SECRET_KEY", "demo-secret"),
    ("SEPAY_ACCOUNTS", "0123499999"),
    ("DUET_SERVER_KEY", SERVER_KEY),
    ("DUET_SEND_LIMIT", "off"),
];

/// A proxy with a payment webhook, and a bank that sends notifications to it.
pub(crate) struct Shop {
    pub(crate) stack: Stack,
}

impl Shop {
    pub(crate) async fn open(settings: &[(&str, &str)]) -> Result<Self> {
        let stack = Stack::start(&[&OWN, settings].concat()).await?;
        Ok(Self { stack })
    }

    pub(crate) async fn open_with_faults(settings: &[(&str, &str)]) -> Result<Self> {
        let stack = Stack::start_with_faults(&[&OWN, settings].concat()).await?;
        Ok(Self { stack })
    }

    /// Opens a shop as [`Shop::open`] does. The clock of its proxy is wrong by `offset_ms` milliseconds.
    pub(crate) async fn open_at(offset_ms: i64) -> Result<Self> {
        let mut stack = Stack::prepare_with_faults(&OWN).await?;
        stack.faults()?.set_clock(offset_ms)?;
        stack.run_proxy().await?;
        Ok(Self { stack })
    }

    /// Registers an order for a plan, as the shop's server does.
    pub(crate) async fn register(&self, order_id: &str) -> Result<()> {
        let order = json!({ "order_id": order_id, "amount": PRICE, "currency": "VND", "plan_id": "starter",
                            "plan_name": "Starter", "billing_cycle": "monthly" });
        self.register_as(&order).await
    }

    pub(crate) async fn register_as(&self, order: &Value) -> Result<()> {
        let request = self.stack.request("POST", "/api/orders")?;
        let answer = Answer::to(request.bearer_auth(SERVER_KEY).json(order)).await?;
        ensure!(answer.status.as_u16() == 200, "{answer:?}");
        Ok(())
    }

    /// Returns the instruction with the address of this shop's webhook.
    pub(crate) fn addressed(&self, instruction: Instruction) -> Instruction {
        let webhook = format!("http://{}{WEBHOOK}", self.stack.address());
        Instruction {
            webhook_url: Some(webhook),
            ..instruction
        }
    }

    /// Lets the bank carry out an instruction that gets the address of this shop's webhook.
    pub(crate) async fn told(&self, instruction: Instruction) -> Result<Told> {
        let instruction = self.addressed(instruction);
        Ok(self.stack.sandbox.bank().send(instruction).await?)
    }

    /// Lets the bank carry out an instruction. Returns the status and the body of the proxy's answer.
    pub(crate) async fn answer(&self, instruction: Instruction) -> Result<(u16, String)> {
        let told = self.told(instruction).await?;
        let attempt = told
            .attempts
            .first()
            .context("the bank must have sent the notification")?;
        let status = attempt.status.with_context(|| format!("{attempt:?}"))?;
        Ok((status, attempt.answer.clone().unwrap_or_default()))
    }

    /// Pays an order. The proxy must answer as SePay expects for a success.
    pub(crate) async fn pay(&self, order_id: &str, amount: i64) -> Result<()> {
        let answer = self.answer(transfer(order_id, amount)).await?;
        ensure!(answer == (200, THANKS.to_owned()), "{answer:?}");
        Ok(())
    }

    /// Returns the status of an order as a page gets it.
    pub(crate) async fn standing(&self, order_id: &str) -> Result<Value> {
        let answer = self.stack.get(&format!("/api/orders/{order_id}")).await?;
        ensure!(answer.status.as_u16() == 200, "{answer:?}");
        Ok(answer.body)
    }

    pub(crate) async fn status(&self, order_id: &str) -> Result<String> {
        let standing = self.standing(order_id).await?;
        Ok(standing["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns how many of SePay's payments ended with the result `became`.
    pub(crate) async fn payments(&self, became: &str) -> Result<i64> {
        let series = format!("duet_payments_total{{provider=\"sepay\",became=\"{became}\"}}");
        Ok(self.stack.metrics().await?.count(&series))
    }

    /// Posts a marker event, then waits until it has arrived and no event is pending. Returns all payment events that
    /// TikTok has.
    pub(crate) async fn reported(&self) -> Result<Vec<Conversion>> {
        let last = format!("last-{}", self.stack.sandbox.conversions().len());
        let marker =
            json!({ "event": "ViewContent", "event_id": last, "user": { "external_id": "u" } });
        self.stack.accepted(&marker).await?;
        self.stack
            .until("no event is pending", async |stack| {
                let arrived = !stack.sandbox.conversions_of(&last).is_empty();
                Ok(arrived && stack.metrics().await?.count("duet_queue_events") == 0)
            })
            .await?;
        let mut conversions = self.stack.sandbox.conversions();
        conversions.retain(|conversion| {
            conversion.event != "ViewContent" && conversion.event != "InitiateCheckout"
        });
        Ok(conversions)
    }

    /// Returns the orders that were reported to TikTok as paid. Each order must have been reported once.
    pub(crate) async fn reported_orders(&self) -> Result<BTreeSet<String>> {
        let conversions = self.reported().await?;
        let mut orders = BTreeSet::new();
        for conversion in &conversions {
            let order = conversion.properties["order_id"]
                .as_str()
                .unwrap_or_default();
            ensure!(conversion.signals.len() == 1, "{conversion:?}");
            ensure!(
                orders.insert(order.to_owned()),
                "{order} must be reported once, but was reported twice"
            );
        }
        Ok(orders)
    }
}

/// Returns a correct bank transfer for an order.
pub(crate) fn transfer(order_id: &str, amount: i64) -> Instruction {
    Instruction {
        order_id: order_id.to_owned(),
        amount,
        ..Instruction::default()
    }
}
