//! What is remembered of a visitor: digests of who they said they are, and the click that brought them.

use alloc::{borrow::ToOwned, string::String};

use duet_events::{Country, hash};

use crate::{
    effect::Effects,
    host::Host,
    joined::{Fields, push_number, put, put_field, put_member},
};

/// Where the digests of an identified visitor are kept.
const USER_KEY: &str = "duet:user";
/// Where the newest click id is kept, and the name of its cookie.
const CLICK_KEY: &str = "duet:ttclid";
const CLICK_COOKIE: &str = "ttclid";
/// How long either is believed.
const MAX_AGE_MS: u64 = 30 * 86_400_000;

/// The digests by which TikTok may recognise a person - of the e-mail address, the phone number and
/// the shop's own id - joined; an empty one is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(String);

impl Keys {
    /// Reads `email`, `phone` and `externalId` and hashes them; those that are missing are taken from
    /// `known`. What cannot be one is reported and left out: a wrong key matches nobody, or the wrong
    /// person.
    pub fn read(
        mut raw: Fields<'_>,
        known: &Self,
        country: Option<Country>,
        host: &Host,
        fx: &mut Effects,
    ) -> Self {
        let mut keys = String::new();
        let mut known = Fields(&known.0);
        for at in 0..3 {
            let (known, raw) = (known.text(), raw.text());
            if at > 0 {
                put(&mut keys, "\u{1f}");
            }
            if raw.is_empty() {
                put(&mut keys, known);
                continue;
            }
            let digest = match at {
                0 => hash::email(raw, host.lowercase),
                1 => hash::phone(raw, country),
                _ => hash::external_id(raw),
            };
            match digest {
                Ok(digest) => put(&mut keys, digest.as_str()),
                Err(invalid) => fx.report(invalid.rule(), "", invalid.field()),
            }
        }
        Self(keys)
    }

    /// The three, joined.
    pub fn joined(&self) -> &str {
        &self.0
    }

    /// Adds the keys to an open object.
    pub fn put_members(&self, user: &mut String) {
        let mut keys = Fields(&self.0);
        for name in ["email", "phone", "external_id"] {
            put_member(user, name, keys.text());
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.len() < 3
    }

    fn external_id(&self) -> &str {
        Fields(&self.0).nth(2)
    }
}

/// Who is here.
#[derive(Debug, Default)]
pub struct Identity {
    /// Who they said they are.
    pub keys: Keys,
    /// The newest click that brought them; empty for none.
    pub ttclid: String,
}

impl Identity {
    /// Learns who is here. Another external id is another person, of whom nothing is known yet.
    pub fn identify(
        &mut self,
        raw: Fields<'_>,
        country: Option<Country>,
        host: &Host,
        fx: &mut Effects,
    ) {
        let keys = Keys::read(raw, &self.keys, country, host, fx);
        let before = self.keys.external_id();
        self.keys = if before.is_empty() || keys.external_id() == before {
            keys
        } else {
            Keys::read(
                raw,
                &Keys::default(),
                country,
                host,
                &mut Effects::default(),
            )
        };
    }

    /// Takes up what this browser remembers, now that it may be read. A click in the address is
    /// newer than one that is stored.
    pub fn recall(&mut self, clicked: &str, now_ms: u64, host: &Host, fx: &mut Effects) {
        if self.keys.is_empty() {
            self.keys.0 = stored(USER_KEY, now_ms, host);
        } else {
            self.remember(now_ms, fx);
        }
        clicked.clone_into(&mut self.ttclid);
        if !clicked.is_empty() {
            fx.cookie(clicked);
            store(CLICK_KEY, clicked, now_ms, fx);
            return;
        }
        self.ttclid = (host.cookie)(CLICK_COOKIE);
        if self.ttclid.is_empty() {
            self.ttclid = stored(CLICK_KEY, now_ms, host);
        }
    }

    /// Keeps the identified visitor for this browser's next pages.
    pub fn remember(&self, now_ms: u64, fx: &mut Effects) {
        store(USER_KEY, &self.keys.0, now_ms, fx);
    }

    /// Forgets who they said they are; the click stays, it is the browser's.
    pub fn reset(&mut self, fx: &mut Effects) {
        self.keys = Keys::default();
        fx.remove(USER_KEY);
    }
}

fn store(key: &str, value: &str, now_ms: u64, fx: &mut Effects) {
    let mut text = String::new();
    push_number(&mut text, now_ms);
    put_field(&mut text, value);
    fx.write(key, &text);
}

fn stored(key: &str, now_ms: u64, host: &Host) -> String {
    let text = (host.read)(key);
    let mut fields = Fields(&text);
    if fields.number() + MAX_AGE_MS < now_ms {
        return String::new();
    }
    fields.0.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Host = Host {
        read: |key| match key {
            USER_KEY => "1000\u{1f}\u{1f}\u{1f}stored".to_owned(),
            CLICK_KEY => "1000\u{1f}E.C.P.stored".to_owned(),
            _ => String::new(),
        },
        cookie: |_| String::new(),
        lowercase: str::to_lowercase,
    };

    fn identify(identity: &mut Identity, email: &str, external_id: &str) -> String {
        let raw = [email, "", external_id].join("\u{1f}");
        let mut fx = Effects::default();
        identity.identify(Fields(&raw), None, &HOST, &mut fx);
        fx.into_text()
    }

    fn named(identity: &Identity) -> String {
        let mut user = String::from("{");
        identity.keys.put_members(&mut user);
        user
    }

    #[test]
    fn what_is_learnt_later_joins_what_was_known() {
        let mut identity = Identity::default();
        identify(&mut identity, "test@example.com", "");
        identify(&mut identity, "", "one");
        let both = named(&identity);
        assert!(both.starts_with(r#"{"email":"973dfe463ec85785"#), "{both}");
        assert!(both.contains("external_id"));
    }

    #[test]
    fn another_external_id_is_another_person() {
        let mut identity = Identity::default();
        identify(&mut identity, "test@example.com", "one");
        identify(&mut identity, "", "two");
        assert!(!named(&identity).contains("email"));
        assert!(named(&identity).contains("external_id"));
    }

    #[test]
    fn a_wrong_address_is_reported_and_never_hashed() {
        let mut identity = Identity::default();
        let report = identify(&mut identity, "no address", "one");
        assert!(report.ends_with("\u{1f}user.email"), "{report}");
        assert!(!report.contains("no address"));
        assert!(!named(&identity).contains("email"));
    }

    #[test]
    fn what_this_browser_remembers_counts_for_30_days() {
        for (now_ms, ttclid) in [(1000 + MAX_AGE_MS, "E.C.P.stored"), (1001 + MAX_AGE_MS, "")] {
            let mut identity = Identity::default();
            identity.recall("", now_ms, &HOST, &mut Effects::default());
            assert_eq!(identity.ttclid, ttclid);
            assert_eq!(identity.keys.is_empty(), ttclid.is_empty());
        }
    }

    #[test]
    fn a_click_in_the_address_is_the_newest() {
        let mut identity = Identity::default();
        let mut fx = Effects::default();
        identity.recall("E.C.P.new", 2000, &HOST, &mut fx);
        assert_eq!(identity.ttclid, "E.C.P.new");
        let fx = fx.into_text();
        assert!(fx.contains("k\u{1f}E.C.P.new"));
        assert!(fx.contains("w\u{1f}duet:ttclid\u{1f}2000\u{1f}E.C.P.new"));
    }
}
