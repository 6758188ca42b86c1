//! payOS' notifications. The signature is over the sorted fields of `data`, and is sent beside `data`.

use serde_json::Value;

use super::notification::{Facts, in_vietnam};
use super::object::Object;
use super::proof::hex;
use super::provider::hmac_sha256;

pub(super) fn data(facts: &Facts<'_>) -> Object {
    let instruction = facts.instruction;
    let code: Value = match instruction.order_code {
        Some(code) => code.into(),
        None => facts.transaction_id.into(),
    };
    Object::default()
        .with("accountNumber", facts.account)
        .with("amount", instruction.amount)
        .with(
            "description",
            instruction.memo.as_deref().unwrap_or(&instruction.order_id),
        )
        .with("reference", format!("FT{}", facts.transaction_id))
        .with("transactionDateTime", in_vietnam(facts.now_s))
        .with("virtualAccountNumber", "")
        .with("counterAccountBankId", Value::Null)
        .with("counterAccountBankName", Value::Null)
        .with("counterAccountName", Value::Null)
        .with("counterAccountNumber", Value::Null)
        .with("virtualAccountName", "")
        .with("currency", instruction.currency("VND"))
        .with("orderCode", code)
        .with("paymentLinkId", format!("link{}", facts.transaction_id))
        .with(
            "code",
            instruction.payment_status.as_deref().unwrap_or("00"),
        )
        .with("desc", "success")
}

pub(super) fn body(data: Object, signature: Option<String>) -> Object {
    let body = Object::default()
        .with("code", "00")
        .with("desc", "success")
        .with("success", true)
        .with_object("data", data);
    match signature {
        Some(signature) => body.with("signature", signature),
        None => body,
    }
}

/// Returns the HMAC-SHA256 of the sorted fields in hexadecimal.
pub(super) fn signature(data: &Object, key: &str) -> String {
    let mut pairs: Vec<_> = data.plain().collect();
    pairs.sort_by_key(|(name, _)| *name);
    let pairs = pairs.iter().map(|(name, value)| match value {
        Value::Null => format!("{name}="),
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    });
    hex(&hmac_sha256(
        key.as_bytes(),
        &pairs.collect::<Vec<_>>().join("&"),
    ))
}
