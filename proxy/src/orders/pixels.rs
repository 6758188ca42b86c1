//! The pixels to which an order is reported, and the events that were reported to each pixel.

use std::collections::{BTreeMap, BTreeSet};

use duet_events::{EventName, name::canonical};
use serde::{Deserialize, Serialize};

use super::Order;
use crate::limits::DELIVERY_MS;

/// The names of the events that report a payment, in the form that [`EventName::canonical`] returns.
const SALES: [&str; 2] = ["Purchase", "Subscribe"];

/// The pixels of an order, by their codes. An older version stored no pixels, because it supported only one pixel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pixels {
    /// The pixels of the events that began the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<String>,
    /// The pixels that the order's registration names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    registered: Vec<String>,
    /// The names of the events that were reported to each pixel, each with the event's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reported: BTreeMap<String, BTreeMap<String, String>>,
    /// The pixels that did not get the event of the sale, because TikTok did not accept the event.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unreported: BTreeSet<String>,
}

impl Pixels {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn register(&mut self, pixel_ids: &[String]) {
        pixel_ids.clone_into(&mut self.registered);
    }

    fn has(&self, name: &str) -> bool {
        let mut reported = self.reported.values();
        reported.any(|reported| reported.contains_key(name))
    }
}

impl Order {
    /// Stores that an event for this pixel has begun the order. Does nothing if the order is paid.
    pub fn is_begun_at(&mut self, pixel_id: &str) {
        let begun = &mut self.pixels.begun;
        if self.paid_ms.is_none() && !begun.iter().any(|known| known == pixel_id) {
            begun.push(pixel_id.to_owned());
        }
    }

    /// Returns two lists of pixels for the payment's event. The first list has the pixels of the events that began the
    /// order. The second list has the pixels in the registration, and is used if no pixel of the first list is configured
    /// any more.
    pub fn pixel_ids(&self) -> [&[String]; 2] {
        [&self.pixels.begun, &self.pixels.registered]
    }

    /// Returns the names of the events that were reported to any pixel, each with the event's id.
    pub fn reported(&self) -> &BTreeMap<String, String> {
        &self.reported
    }

    /// Stores that an event of the order was reported to a pixel.
    pub fn reports(&mut self, name: &str, event_id: &str, pixel_id: &str) {
        let (name, event_id) = (name.to_owned(), event_id.to_owned());
        self.reported.insert(name.clone(), event_id.clone());
        let of_pixel = self.pixels.reported.entry(pixel_id.to_owned());
        of_pixel.or_default().insert(name, event_id);
        if self.has_sale_at(pixel_id) {
            self.pixels.unreported.remove(pixel_id);
        }
    }

    /// Removes the entry that an event was reported to a pixel, because TikTok does not have the event. Returns whether
    /// an entry was removed.
    pub fn takes_back(&mut self, name: &str, event_id: &str, pixel_id: &str) -> bool {
        let is_meant = |reported: &BTreeMap<String, String>| {
            reported.get(name).is_some_and(|known| known == event_id)
        };
        let of_pixel = self.pixels.reported.get_mut(pixel_id);
        if let Some(of_pixel) = of_pixel.filter(|reported| is_meant(reported)) {
            of_pixel.remove(name);
        } else if self.pixels.has(name) || !is_meant(&self.reported) {
            return false;
        }
        let mut others = self.pixels.reported.values();
        match others.find_map(|reported| reported.get(name)).cloned() {
            Some(other_id) => self.reported.insert(name.to_owned(), other_id),
            None => self.reported.remove(name),
        };
        if self.paid_ms.is_some() && !self.has_sale_at(pixel_id) {
            self.pixels.unreported.insert(pixel_id.to_owned());
        }
        true
    }

    /// Returns the ids of the events that were reported to any pixel.
    pub(super) fn reported_ids(&self) -> impl Iterator<Item = &String> {
        let of_pixels = self.pixels.reported.values().flat_map(BTreeMap::values);
        self.reported.values().chain(of_pixels)
    }

    /// Whether a pixel did not get the event of the sale, and no event will be sent to it. Always false if the order is
    /// not paid, or if all its money went back.
    pub fn is_unreported(&self) -> bool {
        let is_missing = !self.pixels.unreported.is_empty();
        self.is_sold() && !self.is_returned() && (is_missing || !self.has_sale())
    }

    /// Whether all money of the order went back, and TikTok may not have counted the sale, because the event of the sale
    /// ended undelivered or was withdrawn.
    pub fn is_unsold(&self, now_ms: i64) -> bool {
        let is_old = self
            .paid_ms
            .is_none_or(|paid_ms| now_ms >= paid_ms + DELIVERY_MS);
        let may_wait = !is_old && !self.withdrawn.is_empty();
        self.is_returned() && (may_wait || !self.has_sale())
    }

    fn has_sale(&self) -> bool {
        self.reported.keys().any(|name| is_sale(name))
    }

    /// Whether an event whose name has the canonical form `canonical` was reported to this pixel.
    pub fn has_reported(&self, canonical: &str, pixel_id: &str) -> bool {
        self.reported_to(pixel_id)
            .any(|name| name.canonical() == canonical)
    }

    fn has_sale_at(&self, pixel_id: &str) -> bool {
        self.reported_to(pixel_id)
            .any(|name| SALES.contains(&name.canonical()))
    }

    /// Returns the names of the events that were reported to a pixel, or may have been reported to it. An older version
    /// did not store the pixel of an event. Such an event counts as reported to every pixel, so that it is not reported
    /// again.
    fn reported_to(&self, pixel_id: &str) -> impl Iterator<Item = EventName> {
        let of_pixel = self.pixels.reported.get(pixel_id).into_iter();
        let of_any = self.reported.keys();
        let of_any = of_any.filter(|name| !self.pixels.has(name));
        let names = of_pixel.flat_map(BTreeMap::keys).chain(of_any);
        names.filter_map(|name| EventName::parse(name).ok())
    }
}

fn is_sale(name: &str) -> bool {
    SALES.contains(&canonical(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};

    fn dong(minor: i64) -> Money {
        Money::of_minor(minor, Currency::VND).unwrap()
    }

    const A: &str = "CAAAAAAAAAAAAAAAAAAA";
    const B: &str = "CBBBBBBBBBBBBBBBBBBB";

    #[test]
    fn what_is_reported_to_one_pixel_is_not_to_the_other() {
        let mut order = Order::begin("A1", 0);
        order.receive(dong(1000), 1);
        assert!(order.is_unreported());
        order.reports("CompletePayment", "a", A);
        let has = |order: &Order| [A, B].map(|pixel| order.has_reported("Purchase", pixel));
        assert_eq!((has(&order), order.is_unreported()), ([true, false], false));
        order.reports("CompletePayment", "b", B);
        assert_eq!(has(&order), [true, true]);
        assert_eq!(order.reported()["CompletePayment"], "b");
        assert!(!order.takes_back("CompletePayment", "a", B));
        assert!(order.takes_back("CompletePayment", "b", B));
        assert_eq!((has(&order), order.is_unreported()), ([true, false], true));
        assert_eq!(order.reported()["CompletePayment"], "a");
        order.reports("Subscribe", "c", B);
        assert!(!order.is_unreported());
        assert!(order.takes_back("CompletePayment", "a", A));
        assert!(order.is_unreported() && !order.reported().contains_key("CompletePayment"));
    }

    #[test]
    fn an_order_of_an_older_version_is_reported_to_all() {
        let text = r#"{"id":"A1","touched_ms":1,"paid_ms":2,"reported":{"Purchase":"a"},"held":[{"name":"Subscribe","until_ms":1,"sequence":2}]}"#;
        let mut order: Order = serde_json::from_str(text).unwrap();
        let has = |order: &Order| [A, B].map(|pixel| order.has_reported("Purchase", pixel));
        assert_eq!(has(&order), [true, true]);
        let name = EventName::parse("Subscribe").unwrap();
        for pixel_id in [A, B] {
            assert_eq!(order.gate(&name, "x", pixel_id), super::super::Gate::Repeat);
        }
        assert!(order.takes_back("Purchase", "a", A) && order.is_unreported());
        assert_eq!(has(&order), [false, false]);
        assert!(order.pixel_ids().concat().is_empty());
    }

    #[test]
    fn an_order_remembers_the_pixels_of_the_events_that_began_it_until_it_is_paid() {
        let mut order = Order::begin("A1", 0);
        for pixel_id in [B, A, B] {
            order.is_begun_at(pixel_id);
        }
        order.receive(dong(1000), 1);
        order.is_begun_at("CCCCCCCCCCCCCCCCCCCC");
        let read: Order = serde_json::from_str(&serde_json::to_string(&order).unwrap()).unwrap();
        assert_eq!(read.pixel_ids(), [&[B.to_owned(), A.to_owned()][..], &[]]);
    }
}
