//! VNPay's notifications: a query that is sorted, form-encoded and signed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use super::instruction::{Flaw, Instruction};
use super::notification::{Bodies, Facts, in_vietnam};
use super::proof::hex;

/// Returns the query before it is signed.
pub(super) fn query(facts: &Facts<'_>) -> String {
    let instruction = facts.instruction;
    let status = instruction.payment_status.as_deref().unwrap_or("00");
    let digits = in_vietnam(facts.now_s);
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let info = format!("Thanh toan {}", instruction.order_id);
    let pairs = [
        ("vnp_Amount", (instruction.amount * 100).to_string()),
        ("vnp_BankCode", "NCB".to_owned()),
        ("vnp_BankTranNo", format!("VNP{}", facts.transaction_id)),
        ("vnp_CardType", "ATM".to_owned()),
        ("vnp_OrderInfo", instruction.memo.clone().unwrap_or(info)),
        ("vnp_PayDate", digits),
        ("vnp_ResponseCode", status.to_owned()),
        ("vnp_TmnCode", facts.account.to_owned()),
        ("vnp_TransactionNo", facts.transaction_id.to_string()),
        ("vnp_TransactionStatus", status.to_owned()),
        ("vnp_TxnRef", instruction.order_id.clone()),
    ];
    let pairs = pairs.map(|(name, value)| format!("{name}={}", form_encoded(&value)));
    pairs.join("&")
}

/// Returns the query with its signature. This query is sent.
pub(super) fn signed(instruction: &Instruction, secret: &str, bodies: &Bodies) -> String {
    let signature = match instruction.flaw {
        Some(Flaw::MissingHeader) => return bodies.sent.clone(),
        Some(Flaw::WrongSignature) => "0".repeat(128),
        _ => signature(secret, &bodies.signed),
    };
    format!("{}&vnp_SecureHash={signature}", bodies.sent)
}

fn signature(secret: &str, query: &str) -> String {
    let Ok(mut hmac) = Hmac::<Sha512>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    hmac.update(query.as_bytes());
    hex(&hmac.finalize().into_bytes())
}

fn form_encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_another_implementation() {
        let query = "vnp_Amount=9900000&vnp_BankCode=NCB&vnp_BankTranNo=VNP14226112&vnp_CardType=ATM&vnp_OrderInfo=Thanh+toan+PHO7K3M9Q2X&vnp_PayDate=20260325140237&vnp_ResponseCode=00&vnp_TmnCode=DUETTEST&vnp_TransactionNo=14226112&vnp_TransactionStatus=00&vnp_TxnRef=PHO7K3M9Q2X";
        assert_eq!(
            signature("DUETVNPAYSECRET", query),
            "ddd24b9a80bfafe20b95e5c3b91fb726d28fb15761f61b4980460cda44fb294931e706a01cfe915a3b64557dd3bacea833fc12daed96d505b1ced40c9d38a40c"
        );
        assert_eq!(form_encoded("Phở số 1*~"), "Ph%E1%BB%9F+s%E1%BB%91+1*%7E");
    }
}
