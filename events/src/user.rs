//! Who an event is about: the match keys.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};
use core::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::{
    Country, Hashed, Invalid,
    fields::{Fields, Problems, has_controls},
    hash,
};

/// The match keys of one event, hashed where TikTok wants a digest.
///
/// Raw e-mail addresses, phone numbers and ids have no place in this type. It does not print.
#[derive(Clone, Default, Serialize)]
pub struct User {
    /// E-mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "one_or_many")]
    pub email: Vec<Hashed>,
    /// Phone numbers, hashed as E.164.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "one_or_many")]
    pub phone: Vec<Hashed>,
    /// The advertiser's own ids of the person.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "one_or_many")]
    pub external_id: Vec<Hashed>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Hashed>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Hashed>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip_code: Option<Hashed>,
    /// City, lower-case letters and digits, not hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State or province, as `city`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Country, as `city`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The click that brought this browser here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttclid: Option<String>,
    /// The browser id in the Pixel's `_ttp` cookie; never invented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttp: Option<String>,
    /// The browser's public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The browser's user agent, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// BCP 47, such as `vi-VN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl core::fmt::Debug for User {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("User [redacted]")
    }
}

impl User {
    /// Whether TikTok could match this event with anybody: a click id, a browser id, a digest, or an
    /// address together with a user agent.
    pub fn is_matchable(&self) -> bool {
        self.ttclid.is_some()
            || self.ttp.is_some()
            || [&self.email, &self.phone, &self.external_id]
                .into_iter()
                .any(|keys| !keys.is_empty())
            || (self.ip.is_some() && self.user_agent.is_some())
    }

    /// A key that breaks its rule is left out and said so; the event goes on without it.
    pub(crate) fn read(
        mut fields: Fields<'_>,
        country: Option<Country>,
        problems: &mut Problems,
    ) -> Self {
        let email = fields.texts("email", problems);
        let phone = fields.texts("phone", problems);
        let mut external_id = fields.texts("external_id", problems);
        external_id.extend(fields.texts("userId", problems));
        let user = Self {
            email: digests(&email, problems, hash::email),
            phone: digests(&phone, problems, |raw| hash::phone(raw, country)),
            external_id: digests(&external_id, problems, hash::external_id),
            first_name: fields
                .text("first_name", problems)
                .and_then(|raw| hash::person_name(&raw)),
            last_name: fields
                .text("last_name", problems)
                .and_then(|raw| hash::person_name(&raw)),
            zip_code: fields
                .text("zip_code", problems)
                .and_then(|raw| hash::zip_code(&raw)),
            city: place("city", &mut fields, problems),
            state: place("state", &mut fields, problems),
            country: place("country", &mut fields, problems),
            ttclid: token("ttclid", 1024, &mut fields, problems),
            ttp: token("ttp", 256, &mut fields, problems),
            ip: address(&mut fields, problems),
            user_agent: token("user_agent", 1024, &mut fields, problems),
            locale: token("locale", 35, &mut fields, problems),
        };
        for path in fields.unknown() {
            problems.warn(
                path,
                "unknown_field",
                "user has no such key; it was left out",
            );
        }
        user
    }
}

fn digests(
    raw: &[Cow<'_, str>],
    problems: &mut Problems,
    hash: impl Fn(&str) -> Result<Hashed, Invalid>,
) -> Vec<Hashed> {
    let mut digests = Vec::new();
    for raw in raw {
        match hash(raw) {
            Ok(digest) if !digests.contains(&digest) => digests.push(digest),
            Ok(_) => {}
            Err(broken) => problems.warnings.push(broken),
        }
    }
    digests
}

/// Lower-case letters and digits of any script: `Hồ Chí Minh` -> `hồchíminh`.
fn place(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.text(name, problems)?;
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    (!plain.is_empty()).then_some(plain)
}

/// A value that travels as it is: printable, of a bounded length.
fn token(
    name: &str,
    longest: usize,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let text = fields.text(name, problems)?;
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.len() > longest || has_controls(text) {
        problems.warn(
            fields.path_of(name),
            "text",
            "this is too long or not printable; it was left out",
        );
        return None;
    }
    Some(text.to_string())
}

fn address(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<IpAddr> {
    let text = fields.text("ip", problems)?;
    let address = text.trim().parse().map_err(|_| {
        Invalid::new(
            "user.ip",
            "ip",
            "this is an IPv4 or IPv6 address; it was left out",
        )
    });
    problems.keep_or_drop(address)
}

fn one_or_many<S: Serializer>(digests: &[Hashed], serializer: S) -> Result<S::Ok, S::Error> {
    match digests {
        [one] => one.serialize(serializer),
        many => many.serialize(serializer),
    }
}
