//! What is to be paid for an order, as the shop's server registers it.

use duet_events::order::Order as Registration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Order, Plan};

/// How many former registrations are recognised as such.
const FORMER: usize = 8;

/// What is to be paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bill {
    /// In major units.
    pub(super) amount: f64,
    pub(super) currency: String,
    digest: String,
}

/// Why a registration changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unregistered {
    /// The order is paid.
    Paid,
    /// A later registration has replaced this one.
    Replaced,
}

impl Order {
    /// Takes what the shop's server says of it. The same word twice changes nothing.
    ///
    /// # Errors
    /// When it is paid, or when this is an old registration that somebody sends again.
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
            amount: order.amount,
            currency: order.currency.as_str().to_owned(),
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
        self.visitor.is_known_as(&order.user);
        self.touched_ms = now_ms;
        Ok(())
    }
}

impl Bill {
    /// What is to be paid in dong; `None` in another currency.
    pub(super) fn dong(&self) -> Option<i64> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "an amount in dong is whole and at most 10^15"
        )]
        (self.currency == "VND").then_some(self.amount as i64)
    }
}

/// Tells registrations apart, without keeping what they say.
fn digest(order: &Registration) -> String {
    let user = serde_json::to_vec(&order.user).unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [
        order.amount.to_string().as_bytes(),
        order.currency.as_str().as_bytes(),
        order.plan_id.as_deref().unwrap_or_default().as_bytes(),
        order.plan_name.as_deref().unwrap_or_default().as_bytes(),
        order
            .billing_cycle
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
        &user,
    ] {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    let mut first = [0; 16];
    for (byte, hashed) in first.iter_mut().zip(hasher.finalize()) {
        *byte = hashed;
    }
    format!("{:032x}", u128::from_be_bytes(first))
}
