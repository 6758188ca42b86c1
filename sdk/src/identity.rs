//! What is remembered of a visitor: digests of who they said they are, and the click that brought them.

use alloc::{borrow::ToOwned, string::String};

use duet_events::{Country, Hashed, Invalid, hash};

use crate::{
    effect::{Effects, Report},
    host::Host,
    joined::{FIELD, Fields, push_number},
    json::Object,
};

/// Where the digests of an identified visitor are kept.
const USER_KEY: &str = "duet:user";
/// Where the newest click id is kept.
const CLICK_KEY: &str = "duet:ttclid";
/// How long either is believed.
const MAX_AGE_MS: u64 = 30 * 86_400_000;

/// The digests by which TikTok may recognise a person. An empty one is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// SHA-256 of the e-mail address.
    pub email: String,
    /// SHA-256 of the phone number in E.164.
    pub phone: String,
    /// SHA-256 of the shop's own id.
    pub external_id: String,
}

impl Keys {
    /// Reads `email`, `phone` and `externalId` and hashes them. What cannot be one is reported and
    /// left out: a wrong key matches nobody, or the wrong person.
    pub fn read(
        fields: &mut Fields<'_>,
        country: Option<Country>,
        host: &Host,
        fx: &mut Effects,
    ) -> Self {
        let mut key = |hash: &dyn Fn(&str) -> Result<Hashed, Invalid>| {
            let raw = fields.text();
            if raw.is_empty() {
                return String::new();
            }
            match hash(raw) {
                Ok(digest) => digest.as_str().to_owned(),
                Err(invalid) => {
                    fx.report(Report {
                        code: &invalid.rule,
                        message: &invalid.message,
                        field: &invalid.field,
                        event_id: "",
                    });
                    String::new()
                }
            }
        };
        Self {
            email: key(&|raw| hash::email(raw, host.lowercase)),
            phone: key(&|raw| hash::phone(raw, country)),
            external_id: key(&hash::external_id),
        }
    }

    /// These keys, and those of `known` where one is missing.
    #[must_use]
    pub fn or(mut self, known: &Self) -> Self {
        for (key, known) in [
            (&mut self.email, &known.email),
            (&mut self.phone, &known.phone),
            (&mut self.external_id, &known.external_id),
        ] {
            if key.is_empty() {
                key.push_str(known);
            }
        }
        self
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The keys as the proxy names them.
    pub fn for_proxy(&self) -> Object {
        let mut user = Object::default();
        user.text("email", &self.email);
        user.text("phone", &self.phone);
        user.text("external_id", &self.external_id);
        user
    }

    /// The keys as the Pixel names digests. Under its plain names it would hash them again.
    pub fn for_pixel(&self) -> String {
        let mut user = Object::default();
        user.text("sha256_email", &self.email);
        user.text("sha256_phone_number", &self.phone);
        user.text("external_id", &self.external_id);
        user.close()
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
    /// Remembers `keys`. Another external id is another person, of whom nothing is known yet.
    pub fn identify(&mut self, keys: Keys) {
        let other = !keys.external_id.is_empty()
            && !self.keys.external_id.is_empty()
            && keys.external_id != self.keys.external_id;
        self.keys = if other { keys } else { keys.or(&self.keys) };
    }

    /// Takes up what this browser remembers, now that it may be read. A click in the address is
    /// newer than one that is stored.
    pub fn recall(&mut self, clicked: &str, now_ms: u64, host: &Host, fx: &mut Effects) {
        if let Some(mut user) = fresh(&(host.read)(USER_KEY), now_ms) {
            let stored = Keys {
                email: user.text().to_owned(),
                phone: user.text().to_owned(),
                external_id: user.text().to_owned(),
            };
            let said = core::mem::replace(&mut self.keys, stored);
            self.identify(said);
        }
        self.remember(now_ms, fx);
        if is_click_id(clicked) {
            clicked.clone_into(&mut self.ttclid);
            fx.cookie(clicked);
            fx.write(CLICK_KEY, &stamped(now_ms, &[clicked]));
            return;
        }
        let cookies = (host.cookies)();
        let in_cookie = cookie(&cookies, "ttclid");
        if is_click_id(in_cookie) {
            in_cookie.clone_into(&mut self.ttclid);
        } else if let Some(mut click) = fresh(&(host.read)(CLICK_KEY), now_ms) {
            click.text().clone_into(&mut self.ttclid);
        }
    }

    /// Keeps the identified visitor for this browser's next pages.
    pub fn remember(&self, now_ms: u64, fx: &mut Effects) {
        let Keys {
            email,
            phone,
            external_id,
        } = &self.keys;
        if !self.keys.is_empty() {
            fx.write(USER_KEY, &stamped(now_ms, &[email, phone, external_id]));
        }
    }

    /// Forgets who they said they are; the click stays, it is the browser's.
    pub fn reset(&mut self, fx: &mut Effects) {
        self.keys = Keys::default();
        fx.remove(USER_KEY);
    }
}

/// The value of a cookie; empty where there is none.
pub fn cookie<'a>(header: &'a str, name: &str) -> &'a str {
    header
        .split(';')
        .find_map(|pair| pair.trim_start().strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_default()
}

/// TikTok says nothing of a click id's alphabet; this much fits a cookie and a header unchanged.
fn is_click_id(text: &str) -> bool {
    (1..=1024).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\\'))
}

fn stamped(now_ms: u64, fields: &[&str]) -> String {
    let mut text = String::new();
    push_number(&mut text, now_ms);
    for field in fields {
        text.push(FIELD);
        text.push_str(field);
    }
    text
}

fn fresh(stored: &str, now_ms: u64) -> Option<Fields<'_>> {
    let mut fields = Fields::of(stored);
    let at = fields.number();
    (at > 0 && now_ms < at + MAX_AGE_MS).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let header = "my_ttp=no; _ttp=abc=1; ttclid=E.C.P.x";
        assert_eq!(cookie(header, "_ttp"), "abc=1");
        assert_eq!(cookie(header, "ttclid"), "E.C.P.x");
        assert_eq!(cookie(header, "ttp"), "");
        assert_eq!(cookie("", "_ttp"), "");
    }

    #[test]
    fn a_click_id_that_would_break_a_cookie_is_none() {
        assert!(is_click_id("E.C.P.CtwBabc-_~%3D"));
        let long = "x".repeat(1025);
        for text in ["", "a b", "a;b", "a\nb", "đ", &long] {
            assert!(!is_click_id(text), "{text}");
        }
    }

    #[test]
    fn another_external_id_is_another_person() {
        let keys = |email: &str, external_id: &str| Keys {
            email: email.to_owned(),
            phone: String::new(),
            external_id: external_id.to_owned(),
        };
        let mut identity = Identity::default();
        identity.identify(keys("mail", "one"));
        identity.identify(keys("", "one"));
        assert_eq!(identity.keys, keys("mail", "one"));
        identity.identify(keys("", "two"));
        assert_eq!(identity.keys, keys("", "two"));
    }
}
