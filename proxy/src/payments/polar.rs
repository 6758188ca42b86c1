//! Polar's webhooks follow Standard Webhooks. Polar has two forms of keys.

use base64::{Engine, prelude::BASE64_STANDARD};
use duet_events::Invalid;

use super::{
    Kind, Name, Notification, OrderHint, Refused, Share, Transfer,
    fields::Fields,
    proof,
    provider::{Provider, Request},
};
use crate::{
    money::Money,
    secret::{Secrets, SharedSecret},
};

const PROVIDER: &str = "polar";
/// The states of an order that reports no payment.
const NOT_PAID: [&str; 3] = ["draft", "pending", "void"];

/// The webhook of a shop at Polar.
#[derive(Clone, Debug)]
pub struct Polar {
    /// `POLAR_WEBHOOK_SECRET`.
    pub secrets: Secrets,
}

impl Provider for Polar {
    fn read(&self, request: &Request<'_>) -> Result<Notification, Refused> {
        let key = self.key_of(request).ok_or(Refused::Unauthorised)?;
        tracing::info!(
            key,
            "the signature of Polar's notification is valid; the field `key` says whether Polar used the text of the secret or the decoded secret"
        );
        let map = super::object(request.body)?;
        let fields = Fields(&map);
        let event = fields.text(&["type"]).unwrap_or_default();
        let mut problems = Vec::new();
        let data = fields.part("data", &mut problems);
        let read = data.and_then(|data| match event.as_str() {
            "order.paid" => paid(&data, &mut problems),
            "order.refunded" => refunded(&data, &mut problems),
            "refund.created" | "refund.updated" if data.is("status", "succeeded") => {
                refund(&data, &mut problems)
            }
            _ => None,
        });
        super::unless_nothing(read, problems)
    }

    fn after_failures(&self) -> Option<&'static str> {
        Some(
            "Polar switches an endpoint off after 10 failures in a row: switch the endpoint on again in Polar's settings, and redeliver the failed notifications there",
        )
    }
}

impl Polar {
    /// Returns how the secret was used as the key that signed the request: `decoded` or `text`. If Polar has made the
    /// secret since September 8th 2026, the key is the bytes that the secret encodes. The key of an older secret is the
    /// text of the secret.
    fn key_of(&self, request: &Request<'_>) -> Option<&'static str> {
        let mut keys = Vec::new();
        for secret in self.secrets.iter().map(SharedSecret::expose) {
            keys.push(("text", secret.to_vec()));
            let encoded = secret.strip_prefix(b"whsec_").unwrap_or(secret);
            // Anybody can guess a key of a few bytes, so short keys are not tried.
            let decoded = BASE64_STANDARD.decode(encoded).ok();
            if let Some(bytes) = decoded.filter(|bytes| bytes.len() >= Secrets::MIN_LENGTH) {
                keys.push(("decoded", bytes));
            }
        }
        let (names, keys): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let Request {
            headers,
            body,
            now_s,
            ..
        } = *request;
        let found = proof::standard_webhook(&keys, headers, body, now_s)?;
        names.get(found).copied()
    }
}

/// Reads an order of Polar as one payment: the first payment of a sale, or a later payment of its subscription.
fn paid(order: &Fields<'_>, problems: &mut Vec<Invalid>) -> Option<Transfer> {
    if NOT_PAID.iter().any(|status| order.is("status", status)) {
        return None;
    }
    let id = order.transaction_id(&["id"], problems);
    let money = order.minor(&["total_amount"], &[], problems);
    let kind = super::kind_of(order);
    let subscription = order.ids(&["subscription_id"]);
    let (also, of) = match kind {
        Kind::First => (subscription, Vec::new()),
        _ => (Vec::new(), subscription),
    };
    let transfer = transfer(kind, (id?, money?), orders(order), of);
    Some(Transfer { also, ..transfer })
}

/// Reads an order of Polar that has refunds. Polar states the sum of all refunds of the order.
fn refunded(order: &Fields<'_>, problems: &mut Vec<Invalid>) -> Option<Transfer> {
    let id = order.transaction_id(&["id"], problems);
    let amounts = ["refunded_amount", "refunded_tax_amount"];
    let money = order.minor(&amounts, &[], problems)?;
    let id = id?;
    let refund = format!("{id}:refunded:{}", money.minor_units());
    let names = orders(order);
    let transfer = transfer(Kind::Refund, (refund, money), names, vec![id]);
    let share = Share::Sum(money);
    Some(Transfer { share, ..transfer })
}

/// Reads one refund. The refund names its order by the order's id at Polar.
fn refund(refund: &Fields<'_>, problems: &mut Vec<Invalid>) -> Option<Transfer> {
    let id = refund.transaction_id(&["id"], problems);
    let order = refund.transaction_id(&["order_id"], problems);
    let money = refund.minor(&["amount", "tax_amount"], &[], problems)?;
    let order = order?;
    let kind = match refund.object("dispute") {
        Some(_) => Kind::Chargeback,
        None => Kind::Refund,
    };
    let transfer = transfer(kind, (id?, money), orders(refund), vec![order]);
    let share = Share::Part;
    Some(Transfer { share, ..transfer })
}

fn transfer(
    kind: Kind,
    (id, money): (String, Money),
    mut names: Vec<Name>,
    of: Vec<String>,
) -> Transfer {
    names.extend(of.into_iter().map(|id| Name::transfer(PROVIDER, id)));
    Transfer {
        kind,
        knows: true,
        ..Transfer::new(PROVIDER, id, money, OrderHint::Exact(names))
    }
}

/// Returns the shop's own id of the order, if the metadata of the checkout or of the subscription has it.
fn orders(data: &Fields<'_>) -> Vec<Name> {
    let subscription = data.object("subscription");
    let of_subscription = subscription.and_then(|subscription| subscription.order_of_metadata());
    let own = data.order_of_metadata().into_iter();
    own.chain(of_subscription).collect()
}

#[cfg(test)]
mod tests;
