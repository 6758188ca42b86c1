//! Finds the paid orders, and decides whether TikTok has the events that report them. The console and the alarms both use
//! this module.

use std::collections::{BTreeMap, HashMap};

use duet_events::{EventId, name::STANDARD};

use crate::{
    decide::{Became, Payment},
    history::{Digest, End, Ended, Wanted},
    money::Money,
    orders::Order,
    queue::{Error, History, Orders},
    why::is_money,
};

/// The orders that were paid in a period.
#[derive(Debug, Default)]
pub struct Sales {
    /// The orders.
    pub orders: Vec<Paid>,
    /// For each event that reports an order: the position of this order in `orders`. [`Sales::settle`] removes the event from
    /// this map.
    reported: HashMap<Digest, usize>,
}

/// An order that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The shop's id of the order.
    pub order_id: String,
    /// When the order was paid, in Unix milliseconds.
    pub at_ms: i64,
    /// The money that was paid for the order.
    pub money: Money,
    /// Whether all of the order's money was refunded. If the refund came before the order's event was sent, no event is
    /// missing.
    pub is_returned: bool,
    /// What happened to the order's event.
    pub fate: Fate,
}

/// What happened to the event that reports a paid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// TikTok has the event.
    Delivered,
    /// TikTok does not have the event.
    Ended {
        /// The name of the outcome.
        outcome: String,
        /// TikTok's code.
        code: Option<i64>,
    },
    /// The event is waiting for its delivery.
    Waiting,
    /// No event was sent for the order.
    Unreported,
}

impl Sales {
    /// Reads the orders that were paid since this time. Leaves out an order that an operator withdrew after its payment.
    ///
    /// # Errors
    /// [`Error::Stopped`] and [`Error::Store`] if the disk fails.
    pub fn since(orders: &Orders, history: &History, since_ms: i64) -> Result<Self, Error> {
        let mut sums: BTreeMap<String, (i64, Money, Money)> = BTreeMap::new();
        let mut payments = orders.payments()?;
        payments.sort_by_key(|payment| payment.at_ms);
        for payment in payments {
            let Some(order_id) = payment.order_id.clone().filter(|_| is_sale(&payment)) else {
                continue;
            };
            let nothing = Money::zero(payment.amount.currency());
            let (paid_ms, sum, coming) = sums.entry(order_id).or_insert((0, nothing, nothing));
            *coming = coming.plus(payment.amount).unwrap_or(payment.amount);
            // An order can be paid again only after all of its money was refunded. The sums then start anew.
            if payment.became != Became::Partial {
                (*paid_ms, *sum) = (payment.at_ms, *coming);
                *coming = nothing;
            }
        }
        let mut sales = Self::default();
        for (order_id, (at_ms, money, _)) in sums {
            let is_withdrawn = |removed_ms| removed_ms >= at_ms;
            if at_ms < since_ms || history.removed(&order_id)?.is_some_and(is_withdrawn) {
                continue;
            }
            let order = orders.find(&order_id)?;
            let is_returned = order.as_ref().is_some_and(Order::is_returned);
            let event_ids = order.map(|order| order.summary().event_ids);
            let event_ids: Vec<_> = event_ids.unwrap_or_default().into_values().collect();
            // An order forgets the id of an event that TikTok refused. So if the order names no event, its event is searched
            // for by the ids that are derived from the order.
            let fate = if event_ids.is_empty() {
                Fate::Unreported
            } else {
                Fate::Waiting
            };
            let is_sale = |name: &&&str| is_money(name) && **name != "PlaceAnOrder";
            let names = STANDARD.iter().filter(is_sale);
            let names = names.filter(|_| event_ids.is_empty());
            let derived = names.map(|name| EventId::derive(name, &order_id).into());
            let events = event_ids.iter().cloned().chain(derived);
            let index = sales.orders.len();
            let events = events.map(|id: String| (history.salt().event(&id), index));
            sales.reported.extend(events);
            sales.orders.push(Paid {
                order_id,
                at_ms,
                money,
                is_returned,
                fate,
            });
        }
        Ok(sales)
    }

    /// Stores what happened to an event, if the event reports one of the orders. If an event has ended several times, the
    /// caller must pass its newest end first, because only the first end that is passed counts.
    pub fn settle(&mut self, end: &End, event: &Ended) {
        let index = self.reported.remove(&event.event);
        let Some(order) = index.and_then(|index| self.orders.get_mut(index)) else {
            return;
        };
        if end.is_delivered() {
            order.fate = Fate::Delivered;
        } else if matches!(order.fate, Fate::Waiting | Fate::Unreported) {
            order.fate = Fate::Ended {
                outcome: end.outcome.clone(),
                code: end.code,
            };
        }
    }

    /// Searches the whole history for the events of the orders that are still [`Fate::Waiting`] or [`Fate::Unreported`].
    ///
    /// # Errors
    /// The same as those of [`Sales::since`].
    pub fn search(&mut self, history: &History) -> Result<(), Error> {
        let is_open = |index: &usize| {
            let order = self.orders.get(*index);
            order.is_some_and(|order| matches!(order.fate, Fate::Waiting | Fate::Unreported))
        };
        let open = self.reported.iter().filter(|(_, index)| is_open(index));
        let wanted = Wanted {
            events: open.map(|(digest, _)| *digest).collect(),
            ..Wanted::default()
        };
        if wanted.events.is_empty() {
            return Ok(());
        }
        for (_, end) in history.find(&wanted, usize::MAX)? {
            for event in &end.events {
                self.settle(&end, event);
            }
        }
        Ok(())
    }
}

/// Returns whether this payment paid for the sale of its order, in full or in part.
fn is_sale(payment: &Payment) -> bool {
    matches!(
        payment.became,
        Became::Paid | Became::Overpaid | Became::AmountDiffers | Became::Partial
    )
}
