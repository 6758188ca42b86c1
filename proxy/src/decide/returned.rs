//! The money of one payment that went back. A provider can report each refund, or the sum of all refunds, or both.

use serde::{Deserialize, Serialize};

use crate::{money::Money, payments::Share};

/// The money of one payment that went back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// The sum of the refunds that were reported one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<Money>,
    /// The largest sum of all refunds that the provider has stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<Money>,
    /// Money that went back, but that the provider does not include in its sums of refunds. An example is a dispute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alone: Option<Money>,
}

impl Returned {
    /// Adds a refund. Returns by how much the money that went back has grown.
    pub(super) fn add(&mut self, money: Money, share: Share) -> Money {
        let before = self.all();
        match share {
            Share::Alone => self.alone = Some(plus(self.alone, money)),
            Share::Part => self.parts = Some(plus(self.parts, money)),
            Share::Sum(sum) => self.sum = Some(larger(self.sum, sum)),
        }
        let added = self
            .all()
            .and_then(|all| before.map_or(Some(all), |before| all.minus(before)));
        added.unwrap_or(money)
    }

    /// Whether at least this amount of the payment went back.
    pub(super) fn covers(&self, money: Money) -> bool {
        let all = self.all().and_then(|all| all.covers(money));
        all.unwrap_or(false)
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn all(&self) -> Option<Money> {
        let refunds = match (self.parts, self.sum) {
            (Some(parts), Some(sum)) => Some(larger(Some(parts), sum)),
            (parts, sum) => parts.or(sum),
        };
        match refunds {
            Some(refunds) => Some(plus(self.alone, refunds)),
            None => self.alone,
        }
    }
}

/// Adds two amounts. If their currencies differ, returns the first amount.
fn plus(known: Option<Money>, money: Money) -> Money {
    known.map_or(money, |known| known.plus(money).unwrap_or(known))
}

fn larger(known: Option<Money>, money: Money) -> Money {
    let is_larger = |known: &Money| known.covers(money).unwrap_or(true);
    known.filter(is_larger).unwrap_or(money)
}
