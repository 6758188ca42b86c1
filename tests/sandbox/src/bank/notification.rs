//! The bodies of SePay's notifications.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::instruction::{Flaw, Format, Instruction};
use super::memo::Memo;
use super::object::Object;
use super::proof;

/// The values in a body.
pub(super) struct Facts<'a> {
    pub(super) instruction: &'a Instruction,
    pub(super) transaction_id: u64,
    pub(super) account: &'a str,
    pub(super) form_key: &'a str,
    pub(super) secret: &'a str,
    pub(super) now_s: i64,
}

/// The body that is signed and the body that is sent. The two bodies differ only if the notification has an error.
pub(super) struct Bodies {
    pub(super) signed: String,
    pub(super) sent: String,
}

pub(super) fn bodies(facts: &Facts<'_>) -> Bodies {
    let flaw = facts.instruction.flaw;
    let mut object = match facts.instruction.format {
        Format::BankTransfer => bank_transfer(facts),
        Format::Gateway => gateway(facts),
        Format::SignedForm | Format::CompletedForm => form(facts),
    };
    match flaw {
        Some(Flaw::NullsAbsent) => object = object.without_nulls(),
        Some(Flaw::UnknownField) => object = object.with("newField", json!({ "since": 2027 })),
        Some(Flaw::TooLarge) => object = object.with("padding", "x".repeat(1024 * 1024)),
        _ => {}
    }
    let signed = match flaw {
        Some(Flaw::NotJson) => "id=92704&transferType=in&transferAmount=99000".to_owned(),
        _ => object.json(),
    };
    let sent = match flaw {
        Some(Flaw::Reordered) => object.reversed().json(),
        Some(Flaw::ChangedByte) => with_another_amount(&signed),
        _ => signed.clone(),
    };
    Bodies { signed, sent }
}

fn bank_transfer(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let memo = Memo::of(instruction);
    let id = match instruction.flaw {
        Some(Flaw::IdAsText) => json!(facts.transaction_id.to_string()),
        _ => json!(facts.transaction_id),
    };
    Object::default()
        .with("id", id)
        .with("gateway", "Vietcombank")
        .with("transactionDate", in_vietnam(facts.now_s))
        .with("accountNumber", facts.account)
        .with("subAccount", Value::Null)
        .with("code", memo.code)
        .with("content", memo.content)
        .with("transferType", json!(instruction.direction))
        .with("description", memo.description)
        .with("transferAmount", amount(instruction))
        .with("accumulated", 19_077_000)
        .with("referenceCode", format!("MBVCB.{}", facts.transaction_id))
}

fn gateway(facts: &Facts<'_>) -> Object {
    let Instruction {
        order_id, amount, ..
    } = facts.instruction;
    let order = Object::default()
        .with("id", "256")
        .with("order_id", format!("NPSETVI{}", facts.transaction_id))
        .with("order_status", "CAPTURED")
        .with("order_currency", "VND")
        .with("order_amount", format!("{amount}.00"))
        .with("order_invoice_number", order_id.as_str())
        .with("custom_data", json!([]))
        .with("user_agent", "Mozilla/5.0")
        .with("ip_address", "203.0.113.7")
        .with("order_description", "Thanh toan don hang");
    let transaction = Object::default()
        .with("id", facts.transaction_id.to_string())
        .with("payment_method", "BANK_TRANSFER")
        .with("transaction_id", format!("T{}", facts.transaction_id))
        .with("transaction_type", "PAYMENT")
        .with("transaction_date", in_vietnam(facts.now_s))
        .with("transaction_status", "APPROVED")
        .with("transaction_amount", amount.to_string())
        .with("transaction_currency", "VND")
        .with("authentication_status", Value::Null);
    Object::default()
        .with("timestamp", facts.now_s)
        .with(
            "notification_type",
            facts.instruction.notification_type.as_str(),
        )
        .with_object("order", order)
        .with_object("transaction", transaction)
        .with_object("customer", Object::default())
}

fn form(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let fields = Object::default()
        .with("orderId", instruction.order_id.as_str())
        .with("transactionId", format!("TXN_{}", facts.transaction_id))
        .with("amount", amount(instruction))
        .with("currency", "VND")
        .with("status", instruction.status.as_str())
        .with("timestamp", (facts.now_s * 1000).to_string());
    let signature = match (instruction.flaw, instruction.format) {
        (Some(Flaw::WrongSignature), _) => "0".repeat(32),
        (_, Format::CompletedForm) => {
            let completed = fields
                .clone()
                .with("paymentMethod", "credit_card")
                .with("maskedCardNumber", "undefined");
            proof::form_signature(&completed, facts.form_key)
        }
        _ => proof::form_signature(&fields, facts.form_key),
    };
    fields.with("signature", signature)
}

fn amount(instruction: &Instruction) -> Value {
    match instruction.flaw {
        Some(Flaw::AmountAsText) => json!(format!("{}.00", instruction.amount)),
        _ => json!(instruction.amount),
    }
}

/// Returns the body with a different first digit of the amount.
pub(super) fn with_another_amount(body: &str) -> String {
    let names = [
        "\"transferAmount\":",
        "\"order_amount\":",
        "\"amount\":",
        "\"total_amount\":",
        "\"amount_total\":",
        "vnp_Amount=",
    ];
    let Some(from) = names
        .iter()
        .find_map(|name| Some(body.find(name)? + name.len()))
    else {
        return body.to_owned();
    };
    let mut changed = false;
    let char = |(at, char): (usize, char)| {
        if at < from || changed || !char.is_ascii_digit() {
            return char;
        }
        changed = true;
        if char == '9' { '1' } else { '9' }
    };
    body.char_indices().map(char).collect()
}

/// Returns the time of day in Vietnam; Vietnamese providers write it without a time zone.
pub(super) fn in_vietnam(now_s: i64) -> String {
    written(now_s, Duration::hours(7))
}

/// Returns the time in RFC 3339.
pub(super) fn utc(now_s: i64) -> String {
    written(now_s, Duration::ZERO).replacen(' ', "T", 1) + "Z"
}

fn written(now_s: i64, offset: Duration) -> String {
    let utc = OffsetDateTime::from_unix_timestamp(now_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let local = utc.saturating_add(offset);
    let (year, month, day) = local.to_calendar_date();
    let (hour, minute, second) = local.to_hms();
    let month = u8::from(month);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}
