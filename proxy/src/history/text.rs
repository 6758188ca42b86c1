//! Reads from an event's JSON the parts that the history keeps.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{Ended, Key, Keys, Salt, Trace};
use crate::money::{Currency, Money};

#[derive(Default, Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default)]
    event_time: i64,
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(default)]
    user: Had,
    #[serde(borrow, default)]
    properties: Properties<'a>,
}

#[derive(Default, Deserialize)]
struct Properties<'a> {
    #[serde(borrow, default)]
    order_id: Option<Cow<'a, str>>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
}

/// The names of the keys in `user`, without their values.
#[derive(Default)]
struct Had(Keys);

impl Ended {
    /// Reads an event in the JSON that TikTok receives. If the JSON cannot be read, the name is empty.
    pub fn of(json: &[u8], trace: Trace, accepted_ms: i64, salt: &Salt) -> Self {
        let text: Text<'_> = serde_json::from_slice(json).unwrap_or_default();
        let Properties {
            order_id,
            value,
            currency,
        } = text.properties;
        let currency = currency.and_then(|code| Currency::parse(&code));
        Self {
            event: salt.event(&text.event_id),
            order: order_id.map(|id| salt.order(&id)),
            name: text.event.into_owned(),
            happened_s: text.event_time,
            accepted_ms,
            keys: text.user.0,
            trace,
            value: Money::of_event(value, currency),
        }
    }
}

impl<'de> Deserialize<'de> for Had {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Had;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the match keys of an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Had, A::Error> {
                let mut had = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<Cow<'_, str>, _>()? {
                    had.extend(Key::ALL.into_iter().find(|key| key.as_str() == name));
                }
                Ok(Had(had.into_iter().collect()))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Sender;

    #[test]
    fn the_history_keeps_what_it_needs_and_no_value_of_a_key() {
        let salt = Salt::from([3; 16]);
        let json = r#"{"event":"Purchase","event_time":1767323045,"event_id":"a",
            "user":{"email":["aa","bb"],"ttclid":"E.C.P.secret","locale":"vi-VN","new_key":{"x":1}},
            "properties":{"contents":[{"price":1}],"value":29.5,"currency":"USD","order_id":"đơn-01"},
            "page":{"url":"https://shop.example/?ttclid=secret"}}"#;
        let trace = Trace::new(Sender::Page, None, &[]);
        let ended = Ended::of(json.as_bytes(), trace, 1_767_323_046_000, &salt);
        assert_eq!(ended.event, salt.event("a"));
        assert_eq!(ended.order, Some(salt.order("đơn-01")));
        assert_eq!(
            (ended.name.as_str(), ended.happened_s),
            ("Purchase", 1_767_323_045)
        );
        let keys: Vec<_> = ended.keys.iter().map(Key::as_str).collect();
        assert_eq!(keys, ["ttclid", "email", "locale"]);
        assert_eq!(
            ended.value.map(|value| value.to_string()).as_deref(),
            Some("29.50 USD")
        );
        let stored = serde_json::to_string(&ended).unwrap();
        for personal in ["secret", "vi-VN", "đơn", "aa"] {
            assert!(!stored.contains(personal), "{stored}");
        }
        assert_eq!(serde_json::from_str::<Ended>(&stored).unwrap(), ended);
        let torn = Ended::of(b"{", Trace::default(), 1, &salt);
        assert_eq!((torn.name.as_str(), torn.accepted_ms), ("", 1));
    }
}
