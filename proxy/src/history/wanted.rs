//! A search in the history.

use memchr::memmem::Finder;

use super::{Digest, End, Ended};

/// The text before the digest of each event in the JSON of an [`End`]. No value in the JSON can contain this text,
/// because JSON escapes quotes.
const EVENT: &[u8] = b"{\"i\":\"";
/// The text between the digest of an event and the digest of its order.
const ORDER: &[u8] = b"\",\"o\":\"";
/// The length of a digest as text.
const DIGEST: usize = 16;

/// The ids to search for. An event is found if it has one of these ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Digests of `event_id`s.
    pub events: Vec<Digest>,
    /// The digest of an order id.
    pub order: Option<Digest>,
    /// TikTok's id of a request.
    pub request_id: Option<String>,
}

impl Wanted {
    /// Returns a search for these ids in the JSON of stored ends.
    pub fn search(&self) -> Search {
        let digests = self.events.iter().chain(&self.order);
        let mut digests: Vec<_> = digests
            .map(|digest| digest.to_string().into_bytes())
            .collect();
        digests.sort_unstable();
        let request = self.request_id.as_ref().map(|id| {
            let text = format!("\"request\":{}", serde_json::Value::from(id.as_str()));
            Finder::new(&text).into_owned()
        });
        Search {
            digests,
            request,
            event: Finder::new(EVENT),
        }
    }

    /// Returns the end with only its wanted events, or `None` if no event is wanted. `is_covered` returns whether the
    /// records of an event's order were removed. Such events are left out.
    pub fn pick(&self, mut end: End, is_covered: impl Fn(&Ended) -> bool) -> Option<End> {
        let is_request = self.request_id.is_some() && end.request_id == self.request_id;
        end.events.retain(|ended| {
            let is_wanted = is_request
                || self.events.contains(&ended.event)
                || self.order.is_some() && ended.order == self.order;
            is_wanted && !is_covered(ended)
        });
        (!end.events.is_empty()).then_some(end)
    }
}

/// A search that finds the stored ends that can have a wanted event, without parsing the ends. The search reads each JSON
/// text once, for any number of wanted ids.
pub struct Search {
    /// The wanted digests as text, sorted.
    digests: Vec<Vec<u8>>,
    request: Option<Finder<'static>>,
    event: Finder<'static>,
}

impl Search {
    /// Returns whether an end with this JSON can have a wanted event.
    pub fn finds(&self, end: &[u8]) -> bool {
        let first = self.event.find(end).unwrap_or(end.len());
        let (head, events) = end.split_at_checked(first).unwrap_or_default();
        let is_request = |request: &Finder<'_>| request.find(head).is_some();
        self.request.as_ref().is_some_and(is_request)
            || self.event.find_iter(events).any(|at| {
                let at = at + EVENT.len();
                self.wants(events, at) || self.wants_order(events, at + DIGEST)
            })
    }

    fn wants(&self, end: &[u8], at: usize) -> bool {
        let digest = end.get(at..at + DIGEST);
        digest.is_some_and(|digest| {
            let found = self
                .digests
                .binary_search_by(|known| known.as_slice().cmp(digest));
            found.is_ok()
        })
    }

    fn wants_order(&self, end: &[u8], at: usize) -> bool {
        let rest = end.get(at..).unwrap_or_default();
        rest.starts_with(ORDER) && self.wants(end, at + ORDER.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Keys, Salt, Sent, Trace};

    #[test]
    fn a_search_finds_what_is_picked_and_no_text_of_a_person() {
        let salt = Salt::from([1; 16]);
        let ended = |event: &str, order: Option<&str>, name: &str| Ended {
            event: salt.event(event),
            order: order.map(|order| salt.order(order)),
            name: name.to_owned(),
            happened_s: 1,
            accepted_ms: 2,
            keys: Keys::default(),
            trace: Trace::default(),
            value: None,
        };
        let digest = salt.event("in a name");
        let name = format!(r#"{{"i":"{digest}"#);
        let end = End {
            pixel_id: "P".to_owned(),
            is_test: false,
            outcome: "delivered".to_owned(),
            code: None,
            request_id: Some("R\"1".to_owned()),
            at_ms: 3,
            sent: Sent::default(),
            events: vec![
                ended("a", None, "Lead"),
                ended("b", Some("B"), &name),
                ended("c", Some("C"), "Purchase"),
            ],
        };
        let json = serde_json::to_vec(&end).unwrap();
        let event = |id| Wanted {
            events: vec![salt.event("none"), salt.event(id)],
            ..Wanted::default()
        };
        let order = |id| Wanted {
            order: Some(salt.order(id)),
            ..Wanted::default()
        };
        let request = |id: &str| Wanted {
            request_id: Some(id.to_owned()),
            ..Wanted::default()
        };
        for (wanted, is_found) in [
            (event("a"), true),
            (event("c"), true),
            (event("d"), false),
            (event("in a name"), false),
            (order("B"), true),
            (order("C"), true),
            (order("a"), false),
            (request("R\"1"), true),
            (request("R"), false),
            (request("Lead"), false),
            (Wanted::default(), false),
        ] {
            assert_eq!(wanted.search().finds(&json), is_found, "{wanted:?}");
            let picked = wanted.pick(end.clone(), |_| false);
            assert_eq!(picked.is_some(), is_found, "{wanted:?}");
        }
    }
}
