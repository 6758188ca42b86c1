//! The heart: a call, the page it came from and the visitor -> the event both legs report.

use alloc::string::String;

use duet_events::{EventId, EventName};

use crate::{
    config::Config,
    facts::Facts,
    identity::{Identity, Keys},
    joined::{Fields, push_number},
    json::{Object, prepend},
    once::Legs,
};

/// One call of a `track…` function, as `index.js` joined it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The id the caller has in hand already, from before this module was up; empty for none.
    pub given_id: &'a str,
    /// Under what the caller waits for the delivery.
    pub ticket: &'a str,
    /// The legs asked for.
    pub legs: Legs,
    /// The event's name.
    pub event: &'a str,
    /// The properties, as `JSON.stringify` wrote them.
    pub properties: &'a str,
    /// The order it belongs to; empty for none.
    pub order_id: &'a str,
    /// Whether the properties lack the order id.
    pub lacks_order: bool,
    /// Whether the properties have a value and no currency.
    pub lacks_currency: bool,
    /// The caller's own event id; empty for none.
    pub event_id: &'a str,
    /// Whether this event asks for limited data use.
    pub limited_data_use: bool,
    /// When it happened, in seconds since 1970; empty for now.
    pub event_time: &'a str,
    /// TikTok's test event code; empty for none.
    pub test_event_code: &'a str,
    /// The page at the time of the call.
    pub facts: Facts<'a>,
    /// E-mail address, phone number and external id, raw, of this event only.
    pub user: Fields<'a>,
}

impl<'a> Call<'a> {
    /// Reads a joined call.
    pub fn read(mut fields: Fields<'a>) -> Self {
        let given_id = fields.text();
        let ticket = fields.text();
        let legs = Legs {
            pixel: fields.flag(),
            server: fields.flag(),
        };
        Self {
            given_id,
            ticket,
            legs,
            event: fields.text(),
            properties: fields.text(),
            order_id: fields.text(),
            lacks_order: fields.flag(),
            lacks_currency: fields.flag(),
            event_id: fields.text(),
            limited_data_use: fields.flag(),
            event_time: fields.text(),
            test_event_code: fields.text(),
            facts: Facts::read(&mut fields),
            user: fields,
        }
    }

    /// The event's id: the caller's own, else the order's, else a random one. An id the caller holds
    /// already stands.
    pub fn id(&self) -> Result<EventId, duet_events::Invalid> {
        for own in [self.given_id, self.event_id] {
            if !own.is_empty() {
                return EventId::parse(own);
            }
        }
        Ok(self.own_id())
    }

    /// The id Duet gives it.
    pub fn own_id(&self) -> EventId {
        if self.order_id.is_empty() {
            EventId::from_random(self.facts.random_bytes())
        } else {
            EventId::derive(self.event, self.order_id)
        }
    }

    /// The properties both legs report: the caller's, with the order and the currency where they are
    /// missing and known.
    pub fn properties(&self, config: &Config) -> String {
        let mut known = Object::default();
        if self.lacks_currency {
            known.text("currency", &config.currency);
        }
        if self.lacks_order {
            known.text("order_id", self.order_id);
        }
        prepend(known, self.properties)
    }

    /// The proxy's copy, still open: it ends inside `user`, so that what is known only when it is
    /// sent (`_ttp`, which the Pixel may set a second later, and what became of the Pixel) is
    /// [added](close) then.
    pub fn body(
        &self,
        name: &EventName,
        id: &EventId,
        keys: &Keys,
        pixel_id: &str,
        known: (&Config, &Identity),
    ) -> String {
        let (config, identity) = known;
        let mut body = Object::default();
        body.text("event", name.as_str());
        body.text("event_id", id.as_str());
        body.raw("event_time", &self.event_time());
        body.raw("properties", &self.properties(config));
        let mut page = Object::default();
        page.text("url", self.facts.url);
        page.text("referrer", self.facts.referrer);
        body.raw("page", &page.close());
        if self.limited_data_use || config.limited_data_use {
            body.raw("limited_data_use", "true");
        }
        // Whoever has not agreed has no events.
        body.raw("consent", "\"granted\"");
        body.text("test_event_code", self.test_event_code);
        body.text("pixel_id", pixel_id);
        let mut user = keys.for_proxy();
        user.text("ttclid", &identity.ttclid);
        user.text("locale", &config.locale);
        body.raw("user", &user.open());
        body.open()
    }

    fn event_time(&self) -> String {
        let mut seconds = String::from(self.event_time);
        if seconds.is_empty() {
            push_number(&mut seconds, self.facts.now_ms / 1000);
        }
        seconds
    }
}

/// Completes an open body with the browser id from TikTok's cookie and the Pixel's fate; either may
/// be unknown, and then is left out.
pub fn close(body: &str, ttp: &str, pixel: &str) -> String {
    let mut text = String::from(body);
    if !ttp.is_empty() {
        let mut user = Object::default();
        user.text("ttp", ttp);
        text = splice(text, &user.open());
    }
    text.push('}');
    if !pixel.is_empty() {
        let mut rest = Object::default();
        rest.text("pixel", pixel);
        text = splice(text, &rest.open());
    }
    text.push('}');
    text
}

fn splice(mut object: String, members: &str) -> String {
    if !object.ends_with('{') {
        object.push(',');
    }
    object.push_str(members.strip_prefix('{').unwrap_or_default());
    object
}
