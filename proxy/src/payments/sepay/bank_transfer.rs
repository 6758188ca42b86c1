//! Format A: a transfer to or from a bank account.

use duet_events::Invalid;
use serde_json::Value;

use super::{Fields, PROVIDER};
use crate::payments::{Notification, OrderHint, Refused, Transfer, memo::Memo};

/// How many characters of an account's number are stored.
const SHOWN: usize = 4;

pub(super) fn read(fields: &Fields<'_>, accounts: &[String]) -> Result<Notification, Refused> {
    if fields.is("transferType", "out") {
        return Ok(Notification::Ignored("outgoing"));
    }
    let mut problems = Vec::new();
    if !fields.is("transferType", "in") {
        problems.push(Invalid::new(
            "transferType",
            "one_of",
            "transferType must be in or out",
        ));
    }
    let id = transaction_id(fields.0.get("id"), &mut problems);
    let money = fields.dong(&["transferAmount"], &mut problems);
    let (Some(id), Some(money), []) = (id, money, problems.as_slice()) else {
        return Err(Refused::Invalid(problems));
    };
    let account = fields.remark(&["accountNumber"]);
    let virtual_account = fields.remark(&["subAccount"]);
    let is_ours = |account: &Option<String>| {
        let account = account.as_ref();
        account.is_some_and(|account| accounts.contains(account))
    };
    let ours = accounts.is_empty() || is_ours(&account) || is_ours(&virtual_account);
    let memo = Memo {
        code: fields.text(&["code"]),
        content: fields.text(&["content"]).unwrap_or_default(),
        description: fields.text(&["description"]).unwrap_or_default(),
    };
    let transfer = Transfer {
        account: account.or(virtual_account).map(|account| end_of(&account)),
        reference: fields.remark(&["referenceCode"]),
        ..Transfer::new(PROVIDER, id, money, OrderHint::Memo(memo))
    };
    Ok(if !ours {
        Notification::Parked(transfer, "wrong_account")
    } else if money.is_zero() {
        Notification::Parked(transfer, "zero_amount")
    } else {
        Notification::Paid(transfer)
    })
}

/// Reads a transaction's id from a number or a text of digits. `28956687` and `"28956687"` are the same id.
fn transaction_id(value: Option<&Value>, problems: &mut Vec<Invalid>) -> Option<String> {
    let digits = match value {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        _ => String::new(),
    };
    let plain =
        (1..=32).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        problems.push(Invalid::new(
            "id",
            "transaction_id",
            "id must be SePay's transaction id, a whole number of at most 32 digits",
        ));
        return None;
    }
    let significant = digits.trim_start_matches('0');
    Some(
        if significant.is_empty() {
            "0"
        } else {
            significant
        }
        .to_owned(),
    )
}

fn end_of(account: &str) -> String {
    let skipped = account.chars().count().saturating_sub(SHOWN);
    account.chars().skip(skipped).collect()
}
