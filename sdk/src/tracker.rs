//! The heart: a call and the visitor -> the event both legs report.

use alloc::{borrow::ToOwned, string::String};

use duet_events::EventId;

use crate::{
    effect::Effects,
    facts::Facts,
    identity::Keys,
    joined::{Fields, put_member},
    once::Legs,
};

/// One call of a `track…` function, as `fire.js` joined it.
#[derive(Debug)]
pub struct Call<'a> {
    /// Under what the caller waits for the delivery.
    pub ticket: u32,
    /// The event's name.
    pub event: &'a str,
    /// The order it belongs to; empty for none.
    pub order_id: &'a str,
    /// The caller's own event id, or the one this call answered with before it was held; empty for none.
    pub own_id: &'a str,
    /// The legs asked for, as far as this page has them.
    pub legs: Legs,
    /// `1` where the Pixel was not asked for.
    pub pixel_off: &'a str,
    /// The pixels that are to get it, apart by spaces; empty for the one the proxy knows.
    pub pixel_ids: &'a str,
    /// The proxy's copy as the page knows it, JSON that ends inside of `user`.
    pub body: &'a str,
    /// E-mail address, phone number and external id, raw, of this event only.
    pub user: Fields<'a>,
}

impl<'a> Call<'a> {
    /// Reads a joined call.
    pub fn read(mut fields: Fields<'a>) -> Self {
        Self {
            ticket: u32::try_from(fields.number()).unwrap_or_default(),
            event: fields.text(),
            order_id: fields.text(),
            own_id: fields.text(),
            legs: Legs {
                pixel: fields.flag(),
                server: fields.flag(),
            },
            pixel_off: fields.text(),
            pixel_ids: fields.text(),
            body: fields.text(),
            user: fields,
        }
    }

    /// The event's id: the caller's own, else the order's, else a random one. What is no id is
    /// reported and replaced.
    pub fn id(&self, facts: &Facts<'_>, fx: &mut Effects) -> EventId {
        let own = EventId::parse(self.own_id);
        if let Ok(own) = own {
            return own;
        }
        let id = if self.order_id.is_empty() {
            EventId::from_random(facts.random_bytes())
        } else {
            EventId::derive(self.event, self.order_id)
        };
        if !self.own_id.is_empty() {
            fx.report("event_id", id.as_str(), "eventId");
        }
        id
    }

    /// The proxy's copy, still open: it ends inside `user`, so that what is known only when it is
    /// sent is added then.
    pub fn body(&self, keys: &Keys, ttclid: &str) -> String {
        let mut body = self.body.to_owned();
        keys.put_members(&mut body);
        put_member(&mut body, "ttclid", ttclid);
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Event, order, own id.
    fn id(fields: [&str; 3]) -> (String, String) {
        let joined = ["7", &fields.join("\u{1f}")].join("\u{1f}");
        let facts = Facts {
            now_ms: 0,
            random: [0x7766_5544_3322_1100, 0xffee_ddcc_bbaa_9988],
            pixel: "",
        };
        let mut fx = Effects::default();
        let id = Call::read(Fields(&joined)).id(&facts, &mut fx);
        (id.as_str().to_owned(), fx.into_text())
    }

    #[test]
    fn an_id_is_own_or_the_orders_or_random() {
        let none = String::new();
        assert_eq!(id(["Search", "A1", "own-1"]), ("own-1".to_owned(), none));
        let (ordered, _) = id(["Subscribe", "PHO7K3M9Q2X", ""]);
        assert_eq!(ordered, "8dfcc057-77d8-88a5-b01a-e0d0586f4129");
        let (random, _) = id(["Subscribe", "", ""]);
        assert_eq!(random, "8899aabb-ccdd-4eff-8011-223344556677");
        let (replaced, report) = id(["Subscribe", "PHO7K3M9Q2X", "a b"]);
        assert_eq!(replaced, ordered);
        assert!(report.ends_with("eventId"));
    }

    #[test]
    fn the_visitor_joins_what_the_page_wrote() {
        let joined = "7\u{1f}Search\u{1f}\u{1f}\u{1f}\u{1f}1\u{1f}\u{1f}\u{1f}{\"event\":\"Search\",\"user\":{";
        let call = Call::read(Fields(joined));
        let body = call.body(&Keys::default(), "E.C.P.x");
        assert_eq!(body, r#"{"event":"Search","user":{"ttclid":"E.C.P.x""#);
    }
}
