//! The amount to pay for an order, as the shop's server registers it.

use duet_events::order::Order as Registration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Order, Plan};
use crate::money::{Currency, Money};

/// How many earlier registrations of an order are recognised and rejected when they arrive again.
const FORMER: usize = 8;

/// The amount to pay, and the digest of its registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub(super) struct Bill {
    pub(super) due: Money,
    digest: String,
}

/// A bill as this version or an older version stores it. Older versions stored the amount in major units as a
/// floating-point number.
#[derive(Deserialize)]
struct Stored {
    due: Option<Money>,
    amount: Option<f64>,
    currency: Option<Currency>,
    digest: String,
}

impl TryFrom<Stored> for Bill {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let older = || {
            let (amount, currency) = (stored.amount?, stored.currency?);
            // Rust writes the shortest text that parses to the same number. This text is the amount as it was registered.
            let text = format!("{amount}");
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
            let fraction = fraction.get(..currency.decimals()).unwrap_or(fraction);
            let text = format!(
                "{whole}.{}",
                if fraction.is_empty() { "0" } else { fraction }
            );
            Money::major(&text, currency).ok()
        };
        Ok(Self {
            due: stored.due.or_else(older).ok_or(
                "the bill of an order must have an amount and a currency that can be read",
            )?,
            digest: stored.digest,
        })
    }
}

/// Why a registration is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unregistered {
    /// The order is paid.
    Paid,
    /// A later registration has replaced this one.
    Replaced,
    /// One of the references already belongs to another order of the same provider.
    ReferenceTaken,
}

impl Order {
    /// Stores a registration by the shop's server. If the current registration is sent again, nothing changes.
    ///
    /// # Errors
    /// Returns an error if the order is paid, or if a later registration has replaced this one.
    pub fn register(&mut self, order: &Registration, now_ms: i64) -> Result<(), Unregistered> {
        let digest = digest(order);
        let present = self.bill.as_ref().map(|bill| bill.digest.as_str());
        if present == Some(&digest) {
            return Ok(());
        }
        if self.paid_ms.is_some() {
            return Err(Unregistered::Paid);
        }
        if self.former.contains(&digest) {
            return Err(Unregistered::Replaced);
        }
        let bill = Bill {
            due: Money::registered(order),
            digest,
        };
        self.begins(now_ms);
        if let Some(replaced) = self.bill.replace(bill) {
            self.former.push(replaced.digest);
            if self.former.len() > FORMER {
                self.former.remove(0);
            }
        }
        self.plan = Plan {
            id: order.plan_id.clone(),
            name: order.plan_name.clone(),
            billing_cycle: order.billing_cycle.clone(),
        };
        self.references.clone_from(&order.references);
        self.visitor.is_known_as(&order.user);
        self.pixels.register(&order.pixel_ids);
        self.touched_ms = now_ms;
        Ok(())
    }
}

/// Computes a digest to compare registrations without storing their contents.
fn digest(order: &Registration) -> String {
    let user = serde_json::to_vec(&order.user).unwrap_or_default();
    let mut hasher = Sha256::new();
    let amount = Money::registered(order).number();
    let parts = [
        amount.as_bytes(),
        order.currency.as_str().as_bytes(),
        order.plan_id.as_deref().unwrap_or_default().as_bytes(),
        order.plan_name.as_deref().unwrap_or_default().as_bytes(),
        order
            .billing_cycle
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
        &user,
    ];
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    // Without references and pixels, the digest is the same as in older versions. Each reference adds two parts to the
    // digested text, and all pixels together add one part.
    let pixel_ids = order.pixel_ids.join(" ");
    let pixel_ids = (!pixel_ids.is_empty()).then_some(&pixel_ids);
    let references = order.references.iter().flat_map(|(name, id)| [name, id]);
    for part in references.chain(pixel_ids) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    let mut first = [0; 16];
    for (byte, hashed) in first.iter_mut().zip(hasher.finalize()) {
        *byte = hashed;
    }
    format!("{:032x}", u128::from_be_bytes(first))
}
