//! The heart: a call, the page it came from and the visitor -> the event both legs report.

use alloc::{borrow::ToOwned, string::String};

use duet_events::{EventId, EventName, Invalid};

use crate::{
    config::Config,
    facts::Facts,
    identity::{Identity, Keys},
    joined::{Fields, push_number},
    json::Object,
    once::Legs,
};

/// One call of a `track…` function, as `browser.js` joined it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The id the caller has in hand already; empty for none.
    pub given_id: &'a str,
    /// Under what the caller waits for the delivery.
    pub ticket: u32,
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
    pub own_id: &'a str,
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
    pub fn read(input: &'a str) -> Self {
        let mut fields = Fields(input);
        Self {
            given_id: fields.text(),
            ticket: u32::try_from(fields.number()).unwrap_or_default(),
            legs: Legs {
                pixel: fields.flag(),
                server: fields.flag(),
            },
            event: fields.text(),
            properties: fields.text(),
            order_id: fields.text(),
            lacks_order: fields.flag(),
            lacks_currency: fields.flag(),
            own_id: fields.text(),
            limited_data_use: fields.flag(),
            event_time: fields.text(),
            test_event_code: fields.text(),
            facts: Facts::read(&mut fields),
            user: fields,
        }
    }

    /// The event's id: the one the caller has already, else their own, else Duet's.
    pub fn id(&self) -> Result<EventId, Invalid> {
        if !self.given_id.is_empty() {
            return EventId::parse(self.given_id);
        }
        if !self.own_id.is_empty() {
            return EventId::parse(self.own_id);
        }
        Ok(self.duets_id())
    }

    /// The order's id, else a random one.
    pub fn duets_id(&self) -> EventId {
        if self.order_id.is_empty() {
            EventId::from_random(self.facts.random_bytes())
        } else {
            EventId::derive(self.event, self.order_id)
        }
    }

    /// The properties both legs report: the caller's, with the currency and the order where they are
    /// missing and known.
    pub fn properties(&self, config: &Config) -> String {
        let mut properties = Object::default();
        if self.lacks_currency {
            properties.text("currency", &config.currency);
        }
        if self.lacks_order {
            properties.text("order_id", self.order_id);
        }
        properties.members(self.properties);
        properties.close()
    }

    /// The proxy's copy, still open: it ends inside `user`, so that what is known only when it is
    /// sent is [added](close) then.
    pub fn body(
        &self,
        name: &EventName,
        id: &EventId,
        keys: &Keys,
        pixel_id: &str,
        known: (&Config, &Identity),
    ) -> String {
        let (config, identity) = known;
        let mut page = Object::default();
        page.text("url", self.facts.url);
        page.text("referrer", self.facts.referrer);
        let mut user = keys.named(["email", "phone", "external_id"]);
        user.text("ttclid", &identity.ttclid);
        user.text("locale", &config.locale);
        let mut time = self.event_time.to_owned();
        if time.is_empty() {
            push_number(&mut time, self.facts.now_ms / 1000);
        }
        // Whoever has not agreed has no events.
        let mut body = Object::resume(r#"{"consent":"granted""#.to_owned());
        body.text("event", name.as_str());
        body.text("event_id", id.as_str());
        body.raw("event_time", &time);
        body.raw("properties", &self.properties(config));
        body.raw("page", &page.close());
        if self.limited_data_use || config.limited_data_use {
            body.raw("limited_data_use", "true");
        }
        body.text("test_event_code", self.test_event_code);
        body.text("pixel_id", pixel_id);
        body.raw("user", &user.open());
        body.open()
    }
}

/// Completes an open body with the browser id from TikTok's cookie, which the Pixel may set a second
/// after the call, and with the Pixel's fate; either may be unknown, and then is left out.
pub fn close(body: &str, ttp: &str, pixel: &str) -> String {
    let mut user = Object::resume(body.to_owned());
    user.text("ttp", ttp);
    let mut event = Object::resume(user.close());
    event.text("pixel", pixel);
    event.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effects;

    const FACTS: &str =
        "1767323045123\u{1f}00112233445566778899aabbccddeeff\u{1f}https://shop.example/\u{1f}";

    fn config() -> Config {
        let joined = "\u{1f}off\u{1f}\u{1f}\u{1f}VN\u{1f}VND\u{1f}granted\u{1f}\u{1f}vi-VN";
        Config::read(&mut Fields(joined), &mut Effects::default()).0
    }

    /// Name, properties, order, lacks order, lacks currency, own id, LDU, time, test code.
    fn call(fields: [&str; 9]) -> String {
        ["", "7", "1", "1", &fields.join("\u{1f}"), FACTS].join("\u{1f}")
    }

    fn body_of(input: &str) -> String {
        let call = Call::read(input);
        let name = EventName::parse(call.event).unwrap();
        let id = call.id().unwrap();
        let identity = Identity::default();
        let known = (&config(), &identity);
        close(&call.body(&name, &id, &Keys::default(), "", known), "", "")
    }

    #[test]
    fn an_event_is_what_the_proxy_reads() {
        let input = call([
            "Purchase",
            r#"{"value":99000}"#,
            "A1",
            "1",
            "1",
            "",
            "",
            "",
            "",
        ]);
        assert_eq!(
            body_of(&input),
            r#"{"consent":"granted","event":"Purchase","event_id":"f4bd44ba-a5d9-88cb-a0ae-dd5c3ba3e1b3","event_time":1767323045,"properties":{"currency":"VND","order_id":"A1","value":99000},"page":{"url":"https://shop.example/"},"user":{"locale":"vi-VN"}}"#
                .replace("f4bd44ba-a5d9-88cb-a0ae-dd5c3ba3e1b3", EventId::derive("Purchase", "A1").as_str())
        );
    }

    #[test]
    fn what_the_caller_states_is_not_touched() {
        let input = call([
            "Search",
            r#"{"query":"phở"}"#,
            "",
            "1",
            "",
            "own-1",
            "1",
            "1700000000",
            "TEST1",
        ]);
        let body = body_of(&input);
        for part in [
            r#""event_id":"own-1""#,
            r#""event_time":1700000000,"#,
            r#""properties":{"query":"phở"},"#,
            r#""limited_data_use":true"#,
            r#""test_event_code":"TEST1""#,
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
    }

    #[test]
    fn an_id_is_given_or_own_or_the_orders_or_random() {
        let id = |input: &str| Call::read(input).id().map(|id| id.as_str().to_owned());
        let ordered = call(["Subscribe", "{}", "PHO7K3M9Q2X", "", "", "", "", "", ""]);
        assert_eq!(
            id(&ordered).unwrap(),
            "8dfcc057-77d8-88a5-b01a-e0d0586f4129"
        );
        assert_eq!(id(&["given", &ordered].concat()).unwrap(), "given");
        let random = call(["Subscribe", "{}", "", "", "", "", "", "", ""]);
        assert_eq!(id(&random).unwrap(), "00112233-4455-4677-8899-aabbccddeeff");
        let wrong = call(["Subscribe", "{}", "", "", "", "a b", "", "", ""]);
        assert_eq!(id(&wrong).unwrap_err().field, "event_id");
    }

    #[test]
    fn what_is_known_late_is_added_late() {
        assert_eq!(close(r#"{"user":{"#, "", ""), r#"{"user":{}}"#);
        assert_eq!(
            close(r#"{"user":{"locale":"vi""#, "TTP", "fired"),
            r#"{"user":{"locale":"vi","ttp":"TTP"},"pixel":"fired"}"#
        );
    }
}
