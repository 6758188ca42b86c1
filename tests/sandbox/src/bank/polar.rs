//! Polar's notifications, with Standard Webhooks.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::instruction::{Flaw, Instruction, Kind};
use super::notification::Facts;
use super::object::Object;
use super::provider::{hmac_sha256, named, uuid};

pub(super) fn body(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let usual = match instruction.kind {
        Kind::First | Kind::Renewal => "order.paid",
        Kind::Refund => "order.refunded",
        Kind::Chargeback => "refund.created",
    };
    let event = instruction.event.as_deref().unwrap_or(usual);
    let data = if event.starts_with("refund.") {
        refund(facts)
    } else {
        order(facts)
    };
    Object::default()
        .with("type", event)
        .with("timestamp", super::notification::utc(facts.now_s))
        .with_object("data", data)
}

fn order(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let is_refund = matches!(instruction.kind, Kind::Refund | Kind::Chargeback);
    let refunded = if is_refund { instruction.refunded() } else { 0 };
    let status = match refunded {
        0 => "paid",
        all if all == instruction.amount => "refunded",
        _ => "partially_refunded",
    };
    let reason = match instruction.kind {
        Kind::Renewal => "subscription_cycle",
        _ if instruction.subscription.is_some() => "subscription_create",
        _ => "purchase",
    };
    Object::default()
        .with("id", uuid(facts.transaction_id))
        .with("status", status)
        .with("paid", true)
        .with("subtotal_amount", instruction.amount)
        .with("tax_amount", 0)
        .with("total_amount", instruction.amount)
        .with("refunded_amount", refunded)
        .with("refunded_tax_amount", 0)
        .with("currency", instruction.currency("USD").to_lowercase())
        .with("billing_reason", reason)
        .with("subscription_id", json!(instruction.subscription))
        .with_object("metadata", named("order_id", &instruction.order_id))
}

fn refund(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let dispute = match instruction.kind {
        Kind::Chargeback => json!({ "id": "dispute-1", "status": "lost" }),
        _ => Value::Null,
    };
    Object::default()
        .with("id", format!("refund-{}", facts.transaction_id))
        .with("status", "succeeded")
        .with("reason", "customer_request")
        .with("amount", instruction.refunded())
        .with("tax_amount", 0)
        .with("currency", instruction.currency("USD").to_lowercase())
        .with("order_id", uuid(facts.transaction_id))
        .with("subscription_id", json!(instruction.subscription))
        .with("dispute", dispute)
        .with_object("metadata", Object::default())
}

/// Signs a notification. A secret from before September 2026 is itself the key. If such a secret begins like a new secret
/// (`whsec_`) and the rest is base64, the decoded rest is the key.
pub(super) fn headers(
    instruction: &Instruction,
    secret: &str,
    body: &str,
    transaction_id: u64,
    time_s: i64,
) -> Vec<(&'static str, String)> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or_default();
    let key = match BASE64_STANDARD.decode(encoded) {
        Ok(bytes) if !bytes.is_empty() => bytes,
        _ => secret.as_bytes().to_vec(),
    };
    let id = uuid(transaction_id);
    let signature = match instruction.flaw {
        Some(Flaw::WrongSignature) => vec![0; 32],
        _ => hmac_sha256(&key, &format!("{id}.{time_s}.{body}")),
    };
    vec![
        ("webhook-id", id),
        ("webhook-timestamp", time_s.to_string()),
        (
            "webhook-signature",
            format!("v1,{}", BASE64_STANDARD.encode(signature)),
        ),
    ]
}
