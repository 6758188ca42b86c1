//! Stripe's events. The first invoice of a subscription reports the same payment as the session that began the
//! subscription. Both name an id in common, by which the proxy counts the payment only once.

use duet_events::Invalid;

use super::{
    Kind, Name, Notification, OrderHint, Refused, Share, Transfer,
    fields::{Fields, decimals},
    proof::{self, Timed},
    provider::{Provider, Request},
};
use crate::{money::Money, secret::Secrets};

const PROVIDER: &str = "stripe";
const INVOICE: &str = "invoice.paid";
const REFUNDED: &str = "charge.refunded";
/// The currencies for which Stripe uses another number of decimals than ISO 4217.
const DECIMALS: [(&str, usize); 3] = [("MGA", 0), ("ISK", 2), ("UGX", 2)];

/// The webhook of a shop at Stripe.
#[derive(Clone, Debug)]
pub struct Stripe {
    /// `STRIPE_WEBHOOK_SECRET`.
    pub secrets: Secrets,
}

impl Provider for Stripe {
    fn read(&self, request: &Request<'_>) -> Result<Notification, Refused> {
        if !self.is_signed(request) {
            return Err(Refused::Unauthorised);
        }
        let map = super::object(request.body)?;
        let fields = Fields(&map);
        let event = fields.text(&["type"]).unwrap_or_default();
        let mut problems = Vec::new();
        // Objects of other events are not read, because they can have another form.
        let read = meaning(&event).and_then(|meaning| {
            let data = fields.part("data", &mut problems)?;
            let object = data.part("object", &mut problems)?;
            let before = data.object("previous_attributes");
            transfer(&event, meaning, (&object, before), &mut problems)
        });
        let read = read.map(|transfer| Transfer {
            is_test: !fields.is_true("livemode"),
            ..transfer
        });
        super::unless_nothing(read, problems)
    }
}

impl Stripe {
    /// Whether `Stripe-Signature` has exactly one time, and a valid signature of this time and the body.
    fn is_signed(&self, request: &Request<'_>) -> bool {
        let header = proof::text(request.headers, "stripe-signature");
        let listed = header.and_then(proof::listed);
        listed.is_some_and(|(time, signatures)| {
            let signed = Timed {
                time,
                separator: ".",
                body: request.body,
            };
            proof::timed_body(&self.secrets, &signed, &signatures, request.now_s)
        })
    }
}

/// Returns which kind of money an event reports, and which field has the amount. Returns `None` if the event does not
/// report money.
fn meaning(event: &str) -> Option<(Kind, &'static str)> {
    Some(match event {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            (Kind::First, "amount_total")
        }
        INVOICE => (Kind::First, "amount_paid"),
        REFUNDED => (Kind::Refund, "amount_refunded"),
        "refund.created" | "refund.updated" => (Kind::Refund, "amount"),
        "charge.dispute.created" | "charge.dispute.funds_withdrawn" => (Kind::Chargeback, "amount"),
        _ => return None,
    })
}

/// Whether the object reports that money moved. A session that needs no payment counts if its amount is 0, because it
/// begins a free trial. A dispute that is only an inquiry of the payer's bank does not count.
fn is_done(kind: Kind, object: &Fields<'_>) -> bool {
    let status = object.text(&["payment_status", "status"]);
    match status.as_deref().unwrap_or_default() {
        status if kind == Kind::Chargeback => !status.starts_with("warning_"),
        "no_payment_required" => object.is("amount_total", "0"),
        status => status == "paid" || status == "succeeded",
    }
}

fn transfer(
    event: &str,
    (kind, amount): (Kind, &'static str),
    (object, before): (&Fields<'_>, Option<Fields<'_>>),
    problems: &mut Vec<Invalid>,
) -> Option<Transfer> {
    let kind = match event {
        INVOICE => super::kind_of(object),
        REFUNDED => kind,
        _ => is_done(kind, object).then_some(kind)?,
    };
    let own = object.transaction_id(&["id"], problems);
    let money = object.minor(&[amount], &DECIMALS, problems)?;
    let own = own?;
    // Since 2025, an invoice has the data about its subscription in `parent`. Before, the invoice had this data itself.
    let parent = object.object("parent").unwrap_or(Fields(object.0));
    let mut parts = vec![Fields(object.0)];
    parts.extend(parent.object("subscription_details"));
    let ids = |of: &[&str]| -> Vec<_> { parts.iter().flat_map(|part| part.ids(of)).collect() };
    let client = object.clean_id("client_reference_id").map(Name::Order);
    let metadata = parts.iter().filter_map(Fields::order_of_metadata);
    let mut names: Vec<_> = client.into_iter().chain(metadata).collect();
    if kind != Kind::First {
        let mut of = ids(&["payment_intent", "invoice", "charge", "subscription"]);
        of.extend((event == REFUNDED).then(|| own.clone()));
        names.extend(of.into_iter().map(|id| Name::transfer(PROVIDER, id)));
    }
    let mut also = match kind {
        // A payment also has the id of its invoice. The first payment of a subscription also has the id of the
        // subscription.
        Kind::First => ids(&["invoice", "payment_intent", "id", "subscription"]),
        Kind::Renewal => ids(&["payment_intent"]),
        _ => Vec::new(),
    };
    let sum = format!("{own}:refunded:{}", money.minor_units());
    let (id, share) = match kind {
        Kind::Refund if event == REFUNDED => (sum, Share::Sum(money)),
        Kind::Refund => (own, Share::Part),
        Kind::First if event != INVOICE => (also.first().cloned().unwrap_or(own), Share::Alone),
        _ => (own, Share::Alone),
    };
    also.retain(|other| *other != id);
    let money = added(money, before)?;
    Some(Transfer {
        also,
        kind,
        share,
        knows: true,
        ..Transfer::new(PROVIDER, id, money, OrderHint::Exact(names))
    })
}

/// Returns by how much a refund has raised the sum of all refunds of its charge. `all` is the sum after the refund, and
/// `before` has the sum before it. If the event does not state the sum before the refund, returns `all`.
fn added(all: Money, before: Option<Fields<'_>>) -> Option<Money> {
    let unit = (all.currency(), decimals(all.currency(), &DECIMALS));
    let before = before.and_then(|part| part.money(&["amount_refunded"], unit, &mut Vec::new()));
    let added = before.map_or(Some(all), |before| all.minus(before));
    added.filter(|added| added.minor_units() >= 0)
}

#[cfg(test)]
mod tests;
