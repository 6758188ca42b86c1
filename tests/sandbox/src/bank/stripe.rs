//! Stripe's events.

use serde_json::{Value, json};

use super::instruction::{Flaw, Instruction, Kind};
use super::notification::Facts;
use super::object::Object;
use super::proof::hex;
use super::provider::{hmac_sha256, named};

pub(super) fn body(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let usual = match instruction.kind {
        Kind::First => "checkout.session.completed",
        Kind::Renewal => "invoice.paid",
        Kind::Refund => "charge.refunded",
        Kind::Chargeback => "charge.dispute.created",
    };
    let event = instruction.event.as_deref().unwrap_or(usual);
    let object = match event.split('.').next() {
        Some("invoice") => invoice(facts),
        Some("charge") if event.starts_with("charge.dispute") => dispute(facts),
        Some("charge") => charge(facts),
        Some("refund") => refund(facts),
        _ => session(facts),
    };
    Object::default()
        .with("id", format!("evt_{}_{event}", facts.transaction_id))
        .with("object", "event")
        .with("api_version", "2026-06-30.duet")
        .with("created", facts.now_s)
        .with("livemode", !instruction.is_test)
        .with("type", event)
        .with_object("data", Object::default().with_object("object", object))
}

fn session(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let is_subscription = instruction.subscription.is_some();
    let intent = format!("pi_{}", facts.transaction_id);
    let invoice = format!("in_{}", facts.transaction_id);
    // A payment of a subscription has an invoice. Every other payment has a payment intent.
    let or = |text: String, when| if when { json!(text) } else { Value::Null };
    Object::default()
        .with("id", format!("cs_{}", facts.transaction_id))
        .with("object", "checkout.session")
        .with("amount_total", instruction.amount)
        .with("client_reference_id", instruction.order_id.as_str())
        .with("currency", currency(instruction))
        .with("invoice", or(invoice, is_subscription))
        .with_object("metadata", Object::default())
        .with(
            "mode",
            if is_subscription {
                "subscription"
            } else {
                "payment"
            },
        )
        .with("payment_intent", or(intent, !is_subscription))
        .with(
            "payment_status",
            instruction.payment_status.as_deref().unwrap_or("paid"),
        )
        .with("subscription", json!(instruction.subscription))
}

fn invoice(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let reason = match instruction.kind {
        Kind::Renewal => "subscription_cycle",
        _ => "subscription_create",
    };
    let details = Object::default()
        .with_object("metadata", named("order_id", &instruction.order_id))
        .with("subscription", json!(instruction.subscription));
    let parent = Object::default()
        .with("type", "subscription_details")
        .with_object("subscription_details", details);
    Object::default()
        .with("id", format!("in_{}", facts.transaction_id))
        .with("object", "invoice")
        .with("amount_paid", instruction.amount)
        .with("billing_reason", reason)
        .with("currency", currency(instruction))
        .with_object("metadata", Object::default())
        .with_object("parent", parent)
        .with("status", "paid")
}

fn charge(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    Object::default()
        .with("id", format!("ch_{}", facts.transaction_id))
        .with("object", "charge")
        .with("amount", instruction.amount)
        .with("amount_refunded", instruction.refunded())
        .with("currency", currency(instruction))
        .with_object("metadata", named("order_id", &instruction.order_id))
        .with("payment_intent", format!("pi_{}", facts.transaction_id))
        .with("refunded", instruction.refunded() == instruction.amount)
}

fn refund(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    Object::default()
        .with("id", format!("re_{}", facts.transaction_id))
        .with("object", "refund")
        .with("amount", instruction.refunded())
        .with("charge", format!("ch_{}", facts.transaction_id))
        .with("currency", currency(instruction))
        .with_object("metadata", Object::default())
        .with("payment_intent", format!("pi_{}", facts.transaction_id))
        .with("status", "succeeded")
}

fn dispute(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    Object::default()
        .with("id", format!("dp_{}", facts.transaction_id))
        .with("object", "dispute")
        .with("amount", instruction.refunded())
        .with("charge", format!("ch_{}", facts.transaction_id))
        .with("currency", currency(instruction))
        .with_object("metadata", Object::default())
        .with("payment_intent", format!("pi_{}", facts.transaction_id))
        .with("reason", "fraudulent")
        .with("status", "needs_response")
}

fn currency(instruction: &Instruction) -> String {
    instruction.currency("USD").to_lowercase()
}

pub(super) fn headers(
    instruction: &Instruction,
    secret: &str,
    body: &str,
    time_s: i64,
) -> Vec<(&'static str, String)> {
    let signature = match instruction.flaw {
        Some(Flaw::WrongSignature) => "0".repeat(64),
        _ => hex(&hmac_sha256(secret.as_bytes(), &format!("{time_s}.{body}"))),
    };
    vec![("stripe-signature", format!("t={time_s},v1={signature}"))]
}
