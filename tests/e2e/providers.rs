//! Tests the payment providers other than SePay with the real proxy: the answer to each provider, the status of the order,
//! and the events that TikTok gets.

use anyhow::{Context, Result, ensure};
use duet_sandbox::{Fault, Flaw, Instruction, Provider};
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

mod answers;
mod goes_back;
mod kinds;
mod survives;
mod trials;

const KEY: &str = "e2e-server-key-0123456789";
const SECRET: &str = "whsec_ZHVldC1lMmUtc2VjcmV0LW9mLTMyLWJ5dGVzISE=";
const SUCCESS: &str = r#"{"success":true}"#;
const OTHERS: [Provider; 4] = [
    Provider::Polar,
    Provider::Stripe,
    Provider::Payos,
    Provider::Vnpay,
];

pub(crate) const SETTINGS: [(&str, &str); 7] = [
    ("POLAR_WEBHOOK_SECRET", SECRET),
    ("STRIPE_WEBHOOK_SECRET", SECRET),
    ("PAYOS_CHECKSUM_KEY", SECRET),
    ("VNPAY_HASH_SECRET", SECRET),
    ("VNPAY_TMN_CODE", "DUETTEST"),
    ("DUET_SERVER_KEY", KEY),
    ("DUET_SEND_LIMIT", "off"),
];

/// A proxy with four webhooks, and a bank that sends notifications to them.
pub(crate) struct Shop {
    pub(crate) stack: Stack,
}

/// A sale: the order's id, and the number that payOS uses for this order.
pub(crate) struct Sale {
    pub(crate) order_id: String,
    pub(crate) code: u64,
}

pub(crate) fn sale(number: u64) -> Sale {
    Sale {
        order_id: format!("PHO7K3M9{number:04}"),
        code: 92_000 + number,
    }
}

impl Shop {
    async fn open() -> Result<Self> {
        let stack = Stack::start(&SETTINGS).await?;
        Ok(Self { stack })
    }

    /// Registers a sale as the shop's server does: 29.00 USD, or 99,000 dong if the provider uses dong.
    pub(crate) async fn register(&self, sale: &Sale, provider: Provider) -> Result<()> {
        let (amount, currency) = match provider {
            Provider::Polar | Provider::Stripe => (29, "USD"),
            _ => (99_000, "VND"),
        };
        let order = json!({ "order_id": sale.order_id, "amount": amount, "currency": currency,
                            "references": { "payos": sale.code } });
        let request = self.stack.request("POST", "/api/orders")?;
        let answer = Answer::to(request.bearer_auth(KEY).json(&order)).await?;
        ensure!(answer.status.as_u16() == 200, "{answer:?}");
        Ok(())
    }

    /// Returns the instruction for the payment of a sale, with the address of this proxy's webhook.
    pub(crate) fn payment(&self, sale: &Sale, provider: Provider) -> Instruction {
        let amount = match provider {
            Provider::Polar | Provider::Stripe => 2900,
            _ => 99_000,
        };
        let path = format!("/api/payment/{}/webhook", provider.name());
        Instruction {
            provider,
            webhook_url: Some(format!("http://{}{path}", self.stack.address())),
            secret: Some(SECRET.to_owned()),
            order_id: sale.order_id.clone(),
            order_code: Some(sale.code),
            amount,
            transaction_id: Some(sale.code),
            ..Instruction::default()
        }
    }

    /// Sends the payment and returns the status and the body of the first answer.
    async fn answer(&self, instruction: Instruction) -> Result<(u16, String)> {
        let told = self.stack.sandbox.bank().send(instruction).await?;
        let attempt = told
            .attempts
            .first()
            .context("the bank must have sent the notification")?;
        let status = attempt.status.with_context(|| format!("{attempt:?}"))?;
        Ok((status, attempt.answer.clone().unwrap_or_default()))
    }

    async fn status(&self, sale: &Sale) -> Result<String> {
        let path = format!("/api/orders/{}", sale.order_id);
        let answer = self.stack.get(&path).await?;
        ensure!(answer.status.as_u16() == 200, "{answer:?}");
        Ok(answer.body["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// Returns how many of a provider's notifications ended with the result `became`.
    async fn payments(&self, provider: Provider, became: &str) -> Result<i64> {
        let provider = provider.name();
        let series = format!("duet_payments_total{{provider=\"{provider}\",became=\"{became}\"}}");
        Ok(self.stack.metrics().await?.count(&series))
    }

    /// Waits until all events have arrived. Returns the sales that TikTok has, sorted: order, value and currency.
    pub(crate) async fn reported(&self) -> Result<Vec<(String, Value, String)>> {
        self.stack
            .until("no event is pending", async |stack| {
                Ok(stack.metrics().await?.count("duet_queue_events") == 0)
            })
            .await?;
        let conversions = self.stack.sandbox.conversions();
        let mut reported: Vec<_> = conversions
            .iter()
            .map(|sale| {
                let text = |name: &str| {
                    sale.properties[name]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned()
                };
                (
                    text("order_id"),
                    sale.properties["value"].clone(),
                    text("currency"),
                )
            })
            .collect();
        reported.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(reported)
    }
}

fn expected(sale: &Sale, provider: Provider) -> (String, Value, String) {
    match provider {
        Provider::Polar | Provider::Stripe => (sale.order_id.clone(), json!(29), "USD".to_owned()),
        _ => (sale.order_id.clone(), json!(99_000), "VND".to_owned()),
    }
}

/// Returns the body with which the proxy must answer the provider's payment.
fn thanks(provider: Provider) -> &'static str {
    match provider {
        Provider::Vnpay => r#"{"RspCode":"00","Message":"Confirm Success"}"#,
        _ => SUCCESS,
    }
}
