//! The person of an event: the match keys.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};
use core::net::{IpAddr, SocketAddr};

use serde::{Serialize, Serializer};

use crate::{
    Country, Hashed, Invalid, Rule,
    fields::{Fields, Problems, has_controls},
    hash::{self, is_nobody},
    nobody::is_macro,
    personal::{any_decoding, has_email, is_personal_part},
    plain,
    rule::{leave_out, repair},
};

/// The match keys that a sender can give.
const KEYS: [&str; 15] = [
    "email",
    "phone",
    "external_id",
    "userId",
    "first_name",
    "last_name",
    "zip_code",
    "city",
    "state",
    "country",
    "ttclid",
    "ttp",
    "ip",
    "user_agent",
    "locale",
];

/// The match keys of one event, hashed if TikTok wants a digest.
///
/// This type cannot contain e-mail addresses, phone numbers or external ids in clear text. A printed user shows no values.
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
    /// City: lower-case letters and digits, not hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State or province, in the form of `city`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Country, in the form of `city`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The id of the ad click that brought this browser to the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttclid: Option<String>,
    /// The browser id from the Pixel's `_ttp` cookie. Duet never generates such an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttp: Option<String>,
    /// The browser's public IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The browser's user agent, unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The language as BCP 47, such as `vi-VN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl core::fmt::Debug for User {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("User [redacted]")
    }
}

impl User {
    /// Returns whether TikTok could match this event with a person. A match needs a click id, a browser id, a digest, or an
    /// IP address together with a user agent.
    pub fn is_matchable(&self) -> bool {
        self.ttclid.is_some()
            || self.ttp.is_some()
            || [&self.email, &self.phone, &self.external_id]
                .into_iter()
                .any(|keys| !keys.is_empty())
            || (self.ip.is_some() && self.user_agent.is_some())
    }

    /// Reads the match keys. A key that breaks its rule is left out with a warning, and the event is still sent.
    pub(crate) fn read(
        mut fields: Fields<'_>,
        country: Option<Country>,
        problems: &mut Problems,
    ) -> Self {
        let email = fields.texts("email", problems);
        let phone = fields.texts("phone", problems);
        let mut external_id = fields.texts("external_id", problems);
        external_id.extend(fields.texts("userId", problems));
        warn_of_marks("user.email", &email, problems);
        warn_of_marks("user.phone", &phone, problems);
        let user = Self {
            email: digests(&email, problems, hash::email),
            phone: digests(&phone, problems, |raw| hash::phone(raw, country)),
            external_id: digests(&external_id, problems, hash::external_id),
            first_name: name("first_name", &mut fields, problems, hash::person_name),
            last_name: name("last_name", &mut fields, problems, hash::person_name),
            zip_code: name("zip_code", &mut fields, problems, hash::zip_code),
            city: place("city", &mut fields, problems),
            state: place("state", &mut fields, problems),
            country: place("country", &mut fields, problems),
            ttclid: key("ttclid", &mut fields, problems),
            ttp: key("ttp", &mut fields, problems),
            ip: address(&mut fields, problems),
            user_agent: token("user_agent", 1024, &mut fields, problems),
            locale: token("locale", 35, &mut fields, problems),
        };
        fields.warn_of_unknown(&KEYS, problems);
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
            Err(broken) => problems.warn_of(|| broken),
        }
    }
    digests
}

/// Adds a warning if an e-mail address or a phone number needs more changes than trimmed blanks and lower case.
fn warn_of_marks(field: &'static str, raw: &[Cow<'_, str>], problems: &mut Problems) {
    let is_odd = |raw: &Cow<'_, str>| {
        let text = plain::trim(raw);
        let starts = |scheme: &str| {
            let start = text.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        plain::is_odd(raw)
            || match field {
                "user.email" => text.contains('"') || text.ends_with('.') || starts("mailto:"),
                _ => starts("tel:"),
            }
    };
    if raw.iter().any(is_odd) {
        problems.warn(field, &repair::PLAIN);
    }
}

fn name(
    name: &str,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
    hash: fn(&str) -> Option<Hashed>,
) -> Option<Hashed> {
    let text = fields.text(name, problems)?;
    let hashed = Some(&text)
        .filter(|text| !is_nobody(text))
        .and_then(|text| hash(text));
    if hashed.is_none() {
        problems.warn(fields.path_of(name), &leave_out::NOBODY);
    }
    hashed
}

/// Reads a place name as lower-case letters and digits of any script: `Hồ Chí Minh` -> `hồchíminh`.
fn place(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.text(name, problems)?;
    if is_nobody(&text) {
        problems.warn(fields.path_of(name), &leave_out::NOBODY);
        return None;
    }
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    (!plain.is_empty()).then_some(plain)
}

/// Reads a value that is sent unchanged. The value must be printable, not too long, and not a word for a missing value.
fn token(
    name: &str,
    longest: usize,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let text = fields.text(name, problems)?;
    let text = text.trim();
    let rule = if is_nobody(text) {
        &leave_out::NOBODY
    } else if has_email(text) {
        &leave_out::PERSONAL_DATA
    } else if text.len() > longest || has_controls(text) {
        &leave_out::TEXT
    } else {
        return Some(text.to_string());
    };
    problems.warn(fields.path_of(name), rule);
    None
}

fn key(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.text(name, problems)?;
    let usable = usable_key(&text);
    usable
        .map_err(|rule| problems.warn(fields.path_of(name), rule))
        .ok()
}

/// Normalises the id of a click or of a browser from any source: removes the blanks around the id, and invisible characters.
///
/// # Errors
/// Returns the rule that the id breaks: `macro`, `nobody`, `personal_data` or `text`. The caller must then leave the id out.
/// The rules `macro` and `nobody` also find values that are still percent-encoded.
pub fn usable_key(stated: &str) -> Result<String, &'static Rule> {
    const LONGEST: usize = 1024;
    let text = plain::order_id(stated);
    if any_decoding(&text, is_nobody) {
        Err(&leave_out::NOBODY)
    } else if any_decoding(&text, |text| {
        is_macro(plain::order_id(text).trim_matches(is_form_blank))
    }) {
        Err(&leave_out::MACRO)
    } else if is_personal_part(&text) {
        Err(&leave_out::PERSONAL_DATA)
    } else if text.len() > LONGEST || has_controls(&text) {
        Err(&leave_out::TEXT)
    } else {
        Ok(text.into_owned())
    }
}

/// Returns whether a character is a blank, or a blank as forms encode it.
fn is_form_blank(c: char) -> bool {
    c == '+' || c.is_whitespace()
}

fn address(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<IpAddr> {
    let text = fields.text("ip", problems)?;
    let text = text.trim();
    let bare = text.parse::<IpAddr>().ok();
    let Some(stated) = bare.or_else(|| without_port(text)) else {
        problems.warn("user.ip", &leave_out::IP);
        return None;
    };
    let address = stated.to_canonical();
    if !is_public(address) {
        problems.warn("user.ip", &leave_out::PRIVATE_IP);
        return None;
    }
    if bare.is_none() {
        problems.warn("user.ip", &repair::IP_PORT);
    }
    if address != stated {
        problems.warn("user.ip", &repair::MAPPED_IP);
    }
    Some(address)
}

/// Returns the address in a text such as `203.0.113.7:443`, `[2001:db8::1]:443` or `[2001:db8::1]`. Server libraries write the
/// address of a connection in these forms.
fn without_port(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse::<SocketAddr>().ok().map(|peer| peer.ip()),
    }
}

/// Returns whether an address is public: not private, loopback, link-local or multicast.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(a == 0
                || shared
                || ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast())
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}

fn one_or_many<S: Serializer>(digests: &[Hashed], serializer: S) -> Result<S::Ok, S::Error> {
    match digests {
        [one] => one.serialize(serializer),
        many => many.serialize(serializer),
    }
}
