//! VNPay's notifications (IPN). VNPay signs the query of the address, and expects answers in a format of its own.

use std::collections::BTreeMap;

use form_urlencoded::{byte_serialize, parse};
use serde_json::Value;

use super::{
    Name, Notification, OrderHint, Refused, Transfer,
    fields::Fields,
    proof::{self, hmac_sha512},
    provider::{Provider, Request, Verdict},
};
use crate::{money::Currency, secret::Secrets};

const PROVIDER: &str = "vnpay";
const SIGNATURE: &str = "vnp_SecureHash";
/// How many decimals VNPay uses for amounts in dong.
const DECIMALS: usize = 2;

/// The terminal of a shop at VNPay.
#[derive(Clone, Debug)]
pub struct Vnpay {
    /// `VNPAY_TMN_CODE`.
    pub terminal: String,
    /// `VNPAY_HASH_SECRET`.
    pub secrets: Secrets,
}

impl Provider for Vnpay {
    fn read(&self, request: &Request<'_>) -> Result<Notification, Refused> {
        let mut fields = BTreeMap::new();
        for pair in request.query.split('&') {
            let sent = pair.split_once('=').map_or("", |(_, value)| value);
            for (name, value) in parse(pair.as_bytes()) {
                // Parameters with other names are ignored. Other systems add them to the address, and VNPay does not sign
                // them.
                if name.starts_with("vnp_") && fields.insert(name, (value, sent)).is_some() {
                    return Err(Refused::Unauthorised);
                }
            }
        }
        let signature = fields.remove(SIGNATURE);
        let signature = signature.and_then(|(digits, _)| proof::hex(&digits));
        fields.remove("vnp_SecureHashType");
        fields.retain(|_, (value, _)| !value.is_empty());
        // VNPay's samples encode the values again before they check the signature. Programming languages encode different
        // characters, so both the values as sent and the newly encoded values are tried.
        let (mut as_sent, mut again) = (Vec::new(), Vec::new());
        for (name, (value, sent)) in &fields {
            as_sent.push((name.as_ref(), (*sent).to_owned()));
            again.push((name.as_ref(), byte_serialize(value.as_bytes()).collect()));
        }
        let is_signed = |signature: Vec<u8>| {
            [as_sent, again].iter().any(|pairs| {
                let fields = (pairs.as_slice(), &[][..]);
                proof::fields(&self.secrets, hmac_sha512, fields, signature.clone())
            })
        };
        if !signature.is_some_and(is_signed) {
            return Err(Refused::Unauthorised);
        }
        let fields = fields.iter();
        let map = fields.map(|(name, (value, _))| (name.to_string(), Value::from(value.as_ref())));
        self.told(&Fields(&map.collect()))
    }

    fn answer(&self, verdict: Verdict) -> Option<&'static str> {
        Some(match verdict {
            Verdict::Recorded | Verdict::Ignored => {
                r#"{"RspCode":"00","Message":"Confirm Success"}"#
            }
            Verdict::UnknownOrder => r#"{"RspCode":"01","Message":"Order not found"}"#,
            Verdict::Repeat => r#"{"RspCode":"02","Message":"Order already confirmed"}"#,
            Verdict::OtherAmount => r#"{"RspCode":"04","Message":"Invalid amount"}"#,
            Verdict::Unproven => r#"{"RspCode":"97","Message":"Invalid checksum"}"#,
            Verdict::NotCounted | Verdict::Unusable | Verdict::Unavailable => {
                r#"{"RspCode":"99","Message":"Unknown error"}"#
            }
        })
    }

    fn uses_references(&self) -> bool {
        true
    }
}

impl Vnpay {
    fn told(&self, fields: &Fields<'_>) -> Result<Notification, Refused> {
        if !fields.is("vnp_ResponseCode", "00") || !fields.is("vnp_TransactionStatus", "00") {
            return Ok(Notification::Ignored("not_paid"));
        }
        let mut problems = Vec::new();
        let order = fields.order_id(&["vnp_TxnRef"], &mut problems);
        let id = fields.transaction_id(&["vnp_TransactionNo"], &mut problems);
        let money = fields.money(&["vnp_Amount"], (Currency::VND, DECIMALS), &mut problems);
        let read = (|| {
            let order = order?;
            let code = Name::reference(PROVIDER, order.clone());
            let hint = OrderHint::Exact(vec![Name::Order(order), code]);
            Some(Transfer {
                reference: fields.remark(&["vnp_BankTranNo"]),
                ..Transfer::new(PROVIDER, id?, money?, hint)
            })
        })();
        match super::unless_nothing(read, problems)? {
            Notification::Paid(transfer)
                if fields.text(&["vnp_TmnCode"]).as_ref() != Some(&self.terminal) =>
            {
                Ok(Notification::Parked(transfer, "wrong_terminal"))
            }
            read => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests;
