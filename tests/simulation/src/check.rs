//! Checks the promises after everything has ended.

use std::collections::{BTreeMap, BTreeSet};

use duet_events::EventId;
use duet_proxy::decide::Named as NamedText;
use duet_sandbox::Channel;

use crate::{process::Named, shop::ShopOrder, world::World};

mod payments;

/// Names that TikTok counts as a payment.
const SALES: [&str; 2] = ["Subscribe", "Purchase"];

impl World {
    /// Checks every promise in order.
    pub(crate) fn check_the_end(&mut self) {
        let checks = [
            Self::check_contract,
            Self::check_waiting,
            Self::check_counts,
            Self::check_promised,
            Self::check_ids,
            Self::check_pages,
            Self::check_orders,
            Self::check_payments,
            Self::check_cards,
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
            left => Err(format!("{left} events still wait at the end")),
        }
    }

    /// Checks that the store counts its pending and held events. A lane without counted events is not read after a start.
    fn check_counts(&self) -> Result<(), String> {
        self.disk.miscounts().map_or(Ok(()), Err)
    }

    /// Checks that no event was sent under the id of another order. Otherwise the event of that order is called a repeat and is lost.
    fn check_ids(&self) -> Result<(), String> {
        let names = [
            "InitiateCheckout",
            "Subscribe",
            "Purchase",
            "CompletePayment",
        ];
        let of_order = |order: &ShopOrder| {
            let id = order.id.clone();
            names.map(|name| (EventId::derive(name, &id).as_str().to_owned(), id.clone()))
        };
        let owners: BTreeMap<String, String> = self.orders.iter().flat_map(of_order).collect();
        for (named, (_, event)) in &self.tiktok.stored {
            let sent_for = event["properties"]["order_id"].as_str();
            if let Some(owner) = owners.get(&named.id)
                && sent_for != Some(owner)
            {
                let name = &named.name;
                return Err(format!(
                    "{name} of {owner} was sent under its id for {sent_for:?}"
                ));
            }
        }
        Ok(())
    }

    /// Checks every event that the proxy called accepted, held or a repeat. Such an event must be at TikTok or a dead letter.
    fn check_promised(&self) -> Result<(), String> {
        let letters = self.process().map(super::process::Process::dead_letters);
        let letters = letters.unwrap_or_default();
        let dead: BTreeSet<(&str, String)> = letters
            .iter()
            .map(|(_, letter)| {
                let id = NamedText::of(letter.event.get()).event_id.into_owned();
                (letter.destination.pixel_id.as_str(), id)
            })
            .collect();
        // Another event with the same name may have reported the sale, for example the event of the bank's payment.
        let sold: BTreeSet<(&str, &str, &str)> = self
            .tiktok
            .stored
            .iter()
            .filter_map(|(named, (_, event))| {
                let order_id = event["properties"]["order_id"].as_str()?;
                Some((named.pixel.as_str(), named.name.as_str(), order_id))
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
                let sale = (named.pixel.as_str(), named.name.as_str(), order.id.as_str());
                of_order(&order.id) && sold.contains(&sale)
            })
        };
        // If an order was refunded, its page's event is called a repeat and is not sent.
        let is_taken_back = |named: &Named| {
            let mut orders = self.orders.iter().filter(|order| self.is_taken_back(order));
            orders.any(|order| {
                let names = ["Subscribe", "Purchase", "CompletePayment"];
                let derived = |name| EventId::derive(name, &order.id).as_str() == named.id;
                names.into_iter().any(derived)
            })
        };
        let arrived = |named: &Named| {
            self.tiktok.stored.contains_key(named) || is_sold(named) || is_taken_back(named)
        };
        let is_dead = |named: &Named| dead.contains(&(named.pixel.as_str(), named.id.clone()));
        let lost = |named: &&Named| !arrived(named) && !is_dead(named);
        match self
            .promised
            .keys()
            .find(lost)
            .filter(|_| !self.started_wrong)
        {
            Some(named) => Err(format!(
                "{} {} was promised for {}, but is neither at TikTok nor a dead letter",
                named.name, named.id, named.pixel
            )),
            None => Ok(()),
        }
    }

    /// Checks that every event of a page has reached the proxy, however the page ended.
    fn check_pages(&self) -> Result<(), String> {
        let came: BTreeSet<(&str, &str)> = self
            .promised
            .keys()
            .map(|named| (named.pixel.as_str(), named.id.as_str()))
            .collect();
        let mut reported = self.reported.iter();
        match reported.find(|(pixel, id)| !came.contains(&(pixel.as_str(), id.as_str()))) {
            Some((pixel, id)) => Err(format!(
                "{id} was reported by a page for {pixel}, but never reached the proxy"
            )),
            None => Ok(()),
        }
    }

    /// Checks that a paid order has exactly one conversion at each of its pixels with the right value and click, and that an
    /// unpaid order has none.
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
                    return Err(format!("{id} is not paid, but {} was reported", named.name));
                }
                continue;
            }
            if order.is_withdrawn || self.started_wrong {
                continue;
            }
            // The bank's own event reports a subscription if the plan is known or the page reported one.
            let sales: BTreeMap<_, _> = of_order
                .iter()
                .filter(|(named, _)| {
                    let derived = |name: &str| EventId::derive(name, id).as_str() == named.id;
                    SALES.iter().any(|name| derived(name)) || derived("CompletePayment")
                })
                .map(|(named, (_, sale))| (named.pixel.clone(), sale))
                .collect();
            // An order that was refunded before sending is withdrawn.
            let is_taken_back = self.is_taken_back(order);
            let mut pixels = self.pixels().into_iter();
            let is_missing = |pixel: &String| {
                order.is_due_at(pixel, self) && !sales.contains_key(pixel) && !is_taken_back
            };
            if let Some(pixel) = pixels.find(is_missing) {
                return Err(format!("{id} is paid, but nothing was reported to {pixel}"));
            }
            let Some(sale) = sales.values().next() else {
                if is_taken_back {
                    continue;
                }
                return Err(format!("{id} is paid, but nothing was reported"));
            };
            if order.card.is_some() {
                let stated = (
                    &sale["properties"]["value"],
                    &sale["properties"]["currency"],
                );
                let due = order.money(order.amount).number();
                let value = stated.0.to_string();
                if value != due || stated.1 != "USD" {
                    return Err(format!("{id} is reported with {stated:?}, and {due} came"));
                }
            }
            let known = self.process().and_then(|process| process.order(id));
            let received = known.as_ref().and_then(duet_proxy::orders::Order::received);
            let received = received.map(duet_proxy::money::Money::minor_units);
            let value = sale["properties"]["value"].as_i64();
            let value = value.filter(|_| order.card.is_none());
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
                // If a copy comes more than 48 hours after the Pixel's copy, it counts again, because TikTok has forgotten
                // the first copy.
                for pixel in self.pixels() {
                    let by_server = conversions.iter().filter(|conversion| {
                        let first = conversion.signals.first();
                        conversion.pixel == pixel
                            && first.is_some_and(|signal| signal.channel == Channel::Server)
                    });
                    let by_server = by_server.count();
                    if by_server > 1 {
                        return Err(format!(
                            "{name} of {id} counts {by_server} times at {pixel}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}
