//! Checks the promises after the end of a week and of the time that follows it.

use std::collections::{BTreeMap, BTreeSet};

use duet_events::EventId;
use duet_proxy::decide::Named as NamedText;
use duet_sandbox::Channel;

use crate::{process::Named, shop::ShopOrder, world::World};

mod payments;

/// The names of the events that TikTok counts as a payment.
const SALES: [&str; 2] = ["Subscribe", "Purchase"];

impl World {
    /// Checks one promise after another, until one is broken.
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
                Err(format!("TikTok's contract is violated: {violation:?}"))
            }
            _ => Ok(()),
        }
    }

    fn check_waiting(&self) -> Result<(), String> {
        let process = self.process().ok_or("the proxy must run at the end")?;
        match process.depth() {
            0 => Ok(()),
            left => Err(format!(
                "no event may be pending at the end, but {left} are pending"
            )),
        }
    }

    /// Checks that the store has counted its pending and held events correctly. If a lane's count were zero, the lane would
    /// not be read after a start.
    fn check_counts(&self) -> Result<(), String> {
        self.disk.miscounts().map_or(Ok(()), Err)
    }

    /// Checks that no event was sent under the id of another order's event. Otherwise the proxy would call that other event
    /// a repeat, and the event would be lost.
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
                    "the id of {name} of the order {owner} was used for an event of {sent_for:?}"
                ));
            }
        }
        Ok(())
    }

    /// Checks every event that the proxy called accepted, held or a repeat. TikTok must have the event, or the event must
    /// be a dead letter.
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
        // The sale may have been reported by another event with the same name, for example by the event of the bank's payment.
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
        // If the payment of an order was refunded completely, the proxy calls the page's event a repeat and does not send it.
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
                "the proxy accepted {} {} for {}, but TikTok does not have it, and it is no dead letter",
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
                "a page reported {id} for {pixel}, but the proxy never got it"
            )),
            None => Ok(()),
        }
    }

    /// Checks the conversions of each order. A paid order must have exactly one conversion at each of its pixels, with the
    /// right value and click. An unpaid order must have none.
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
            // The event of the bank's payment is a `Subscribe` if the plan is known or if the page reported one.
            let sales: BTreeMap<_, _> = of_order
                .iter()
                .filter(|(named, _)| {
                    let derived = |name: &str| EventId::derive(name, id).as_str() == named.id;
                    SALES.iter().any(|name| derived(name)) || derived("CompletePayment")
                })
                .map(|(named, (_, sale))| (named.pixel.clone(), sale))
                .collect();
            // If the payment was refunded completely before its event was sent, the event is withdrawn.
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
                    return Err(format!(
                        "{id} is reported with {stated:?}, but {due} was paid"
                    ));
                }
            }
            let known = self.process().and_then(|process| process.order(id));
            let received = known.as_ref().and_then(duet_proxy::orders::Order::received);
            let received = received.map(duet_proxy::money::Money::minor_units);
            let value = sale["properties"]["value"].as_i64();
            let value = value.filter(|_| order.card.is_none());
            if received.is_some() && value > received || value == Some(0) {
                return Err(format!(
                    "{id} is reported with {value:?}, but {received:?} was paid"
                ));
            }
            let click = sale["user"]["ttclid"].as_str();
            if click.is_some_and(|click| click != order.click) {
                return Err(format!(
                    "{id} is reported with the click {click:?} of another visitor"
                ));
            }
            if click.is_none() && order.is_begun_before_payment(self) {
                return Err(format!("{id} is reported without its click"));
            }
            for name in ["Subscribe", "Purchase", "CompletePayment"] {
                let event_id = EventId::derive(name, id);
                let conversions = self.tiktok.sandbox().conversions_of(event_id.as_str());
                // More than 48 hours after the Pixel's copy, the proxy's copy counts again, because TikTok has forgotten
                // the first copy. Therefore only conversions that the proxy's copy began are counted here.
                for pixel in self.pixels() {
                    let by_server = conversions.iter().filter(|conversion| {
                        let first = conversion.signals.first();
                        conversion.pixel == pixel
                            && first.is_some_and(|signal| signal.channel == Channel::Server)
                    });
                    let by_server = by_server.count();
                    if by_server > 1 {
                        return Err(format!(
                            "{name} of {id} must count once at {pixel}, but counts {by_server} times"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}
