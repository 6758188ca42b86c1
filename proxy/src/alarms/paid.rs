//! Counts how many paid orders TikTok has.

use super::facts;
use crate::{
    paid::{Fate, Paid, Sales},
    queue::{Error, History, Orders},
};

const HOUR_MS: i64 = 60 * 60 * 1000;
/// An order that was paid less than this time ago is not counted, because the event of such an order can still be delivered in
/// time.
const DELIVERED_WITHIN_MS: i64 = 2 * HOUR_MS;
/// The length of the period whose paid orders are counted.
const PERIOD_MS: i64 = 24 * HOUR_MS;

/// Returns how many orders were paid in the day that ended 2 hours ago, and for how many of these orders the event was
/// delivered. Returns `None` while the history is empty, for instance after an upgrade from a version without a history.
///
/// # Errors
/// An error if the store cannot be read.
pub fn paid(orders: &Orders, history: &History, now_ms: i64) -> Result<Option<facts::Paid>, Error> {
    let Some(oldest_ms) = history.oldest_ms()? else {
        return Ok(None);
    };
    let end_ms = now_ms - DELIVERED_WITHIN_MS;
    // The history may already have deleted the events of earlier orders.
    let mut sales = Sales::since(orders, history, oldest_ms.max(end_ms - PERIOD_MS))?;
    sales.search(history)?;
    Ok(Some(count(&sales.orders, end_ms)))
}

/// Counts the orders that were paid before `end_ms`. Leaves out an order whose event was withdrawn, and an order that was
/// refunded before it was reported, because no event is missing for them.
fn count(orders: &[Paid], end_ms: i64) -> facts::Paid {
    let counts = |order: &&Paid| match &order.fate {
        Fate::Ended { outcome, .. } => outcome != "withdrawn",
        Fate::Unreported => !order.is_returned,
        Fate::Delivered | Fate::Waiting => true,
    };
    let orders = orders.iter().filter(|order| order.at_ms < end_ms);
    let fates = orders.filter(counts).map(|order| &order.fate);
    facts::Paid {
        orders: fates.clone().count() as u64,
        delivered: fates.filter(|fate| **fate == Fate::Delivered).count() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};

    #[test]
    fn sales_that_were_withdrawn_returned_or_just_paid_are_not_missing() {
        let ended = |outcome: &str| Fate::Ended {
            outcome: outcome.to_owned(),
            code: None,
        };
        let orders = [
            (10, Fate::Delivered),
            (20, ended("refused")),
            (30, ended("withdrawn")),
            (40, Fate::Waiting),
            (50, Fate::Unreported),
            (60, Fate::Unreported),
            (100, Fate::Waiting),
        ];
        let orders = orders.map(|(at_ms, fate)| Paid {
            order_id: at_ms.to_string(),
            at_ms,
            money: Money::zero(Currency::VND),
            is_returned: at_ms == 60,
            fate,
        });
        let paid = count(&orders, 100);
        assert_eq!((paid.orders, paid.delivered), (4, 1));
    }
}
