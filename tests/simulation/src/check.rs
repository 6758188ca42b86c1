//! What has to be true once everything has come to an end.

use std::collections::BTreeSet;

use duet_events::EventId;
use duet_proxy::{decide::Named as NamedText, orders::Status};
use duet_sandbox::Channel;

use crate::{process::Named, world::World};

/// Names that report a payment, as TikTok counts them.
const SALES: [&str; 2] = ["Subscribe", "Purchase"];

impl World {
    /// Checks every promise, one after the other.
    pub(crate) fn check_the_end(&mut self) {
        let checks = [
            Self::check_contract,
            Self::check_waiting,
            Self::check_promised,
            Self::check_pages,
            Self::check_orders,
            Self::check_payments,
        ];
        for check in checks {
            if let Err(wrong) = check(self) {
                return self.fails(wrong);
            }
        }
    }

    fn check_contract(&self) -> Result<(), String> {
        let violations = self.tiktok.sandbox().violations();
        match violations.first() {
            Some(violation)
                if !self.started_wrong && self.tiktok.sandbox().totals().violations > 0 =>
            {
                Err(format!("TikTok objects: {violation:?}"))
            }
            _ => Ok(()),
        }
    }

    fn check_waiting(&self) -> Result<(), String> {
        let process = self.process().ok_or("the proxy does not run at the end")?;
        match process.depth() {
            0 => Ok(()),
            left => Err(format!("{left} events wait for ever")),
        }
    }

    /// What was called accepted, held or a repeat is at TikTok, or a dead letter.
    fn check_promised(&self) -> Result<(), String> {
        let letters = self.process().map(super::process::Process::dead_letters);
        let letters = letters.unwrap_or_default();
        let dead: BTreeSet<String> = letters
            .iter()
            .map(|(_, letter)| NamedText::of(letter.event.get()).event_id.into_owned())
            .collect();
        // A sale may have been reported by another event of its name: one that the bank's payment made, say.
        let sold: BTreeSet<(&str, &str)> = self
            .tiktok
            .stored
            .iter()
            .filter_map(|(named, (_, event))| {
                let order_id = event["properties"]["order_id"].as_str()?;
                Some((named.name.as_str(), order_id))
            })
            .collect();
        let is_sold = |named: &Named| {
            let of_order = |id: &str| {
                let derived = |name: &&str| EventId::derive(name, id).as_str() == named.id;
                ["Subscribe", "Purchase", "CompletePayment"]
                    .iter()
                    .any(derived)
            };
            let mut orders = self.orders.iter();
            orders.any(|order| {
                of_order(&order.id) && sold.contains(&(named.name.as_str(), order.id.as_str()))
            })
        };
        let arrived = |named: &Named| self.tiktok.stored.contains_key(named) || is_sold(named);
        let lost = |named: &&Named| !arrived(named) && !dead.contains(&named.id);
        match self
            .promised
            .keys()
            .find(lost)
            .filter(|_| !self.started_wrong)
        {
            Some(named) => Err(format!(
                "{} {} was promised, and is nowhere",
                named.name, named.id
            )),
            None => Ok(()),
        }
    }

    /// What a page reported has come to the proxy, whatever became of the page.
    fn check_pages(&self) -> Result<(), String> {
        let came: BTreeSet<&str> = self
            .promised
            .keys()
            .map(|named| named.id.as_str())
            .collect();
        match self.reported.iter().find(|id| !came.contains(id.as_str())) {
            Some(id) => Err(format!("{id} was reported by a page, and never came")),
            None => Ok(()),
        }
    }

    /// A paid order has exactly one conversion, with the right value and click; an unpaid one has none.
    fn check_orders(&self) -> Result<(), String> {
        for order in &self.orders {
            let id = &order.id;
            let of_order: Vec<_> = self
                .tiktok
                .stored
                .iter()
                .filter(|(named, (_, event))| {
                    SALES.contains(&named.name.as_str())
                        && event["properties"]["order_id"].as_str() == Some(id)
                })
                .collect();
            if !self.paid.contains_key(id) {
                if let Some((named, _)) = of_order.first() {
                    return Err(format!("{id} is not paid, and {} was reported", named.name));
                }
                continue;
            }
            if order.is_withdrawn || self.started_wrong {
                continue;
            }
            // The bank's own event is a subscription here where a plan is known, or the page said so.
            let mut sales = of_order.iter().filter(|(named, _)| {
                let derived = |name: &str| EventId::derive(name, id).as_str() == named.id;
                SALES.iter().any(|name| derived(name)) || derived("CompletePayment")
            });
            let Some((_, (_, sale))) = sales.next() else {
                return Err(format!("{id} is paid, and nothing was reported"));
            };
            let known = self.process().and_then(|process| process.order(id));
            let received = known.as_ref().map(duet_proxy::orders::Order::received);
            let value = sale["properties"]["value"].as_i64();
            if received.is_some() && value > received || value == Some(0) {
                return Err(format!(
                    "{id} is reported with {value:?}, and {received:?} came"
                ));
            }
            let click = sale["user"]["ttclid"].as_str();
            if click.is_some_and(|click| click != order.click) {
                return Err(format!("{id} is reported with the click {click:?}"));
            }
            if click.is_none() && order.is_begun_before_payment(self) {
                return Err(format!("{id} is reported without its click"));
            }
            for name in ["Subscribe", "Purchase", "CompletePayment"] {
                let event_id = EventId::derive(name, id);
                let conversions = self.tiktok.sandbox().conversions_of(event_id.as_str());
                // A copy that comes more than 48 hours after the Pixel's counts again: TikTok remembers no longer.
                let by_server = conversions.iter().filter(|conversion| {
                    let first = conversion.signals.first();
                    first.is_some_and(|signal| signal.channel == Channel::Server)
                });
                let by_server = by_server.count();
                if by_server > 1 {
                    return Err(format!("{name} of {id} counts {by_server} times"));
                }
            }
        }
        Ok(())
    }

    /// Every transfer of an order that was known when it came is counted for it.
    fn check_payments(&self) -> Result<(), String> {
        // An hour after such a start, orders may be as old as the clock says.
        if self.started_wrong {
            return Ok(());
        }
        for order in self.orders.iter().filter(|order| !order.is_withdrawn) {
            let of_order = || order.transfers.iter().map(|paying| &self.payings[*paying]);
            if of_order().count() == 0 || !of_order().all(|paying| paying.was_known) {
                continue;
            }
            let sum: i64 = of_order().map(|paying| paying.amount).sum();
            let is_paid = self.paid.contains_key(&order.id);
            if order.registers && is_paid != (sum >= order.amount) || !order.registers && !is_paid {
                return Err(format!(
                    "{} is to be paid with {}, {sum} came, and it is {}",
                    order.id,
                    order.amount,
                    if is_paid { "paid" } else { "not paid" }
                ));
            }
            let known = self.process().and_then(|process| process.order(&order.id));
            if is_paid && known.is_some_and(|order| order.status() != Status::Paid) {
                return Err(format!("{} was paid, and is not any more", order.id));
            }
        }
        Ok(())
    }
}
