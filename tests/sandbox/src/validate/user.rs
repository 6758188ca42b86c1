//! Checks `user` of an Events API event: the match keys.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::value;
use crate::network::is_public;
use crate::personal::{self, Form};
use crate::rule::Rule;
use crate::violations::Finding;

/// The fields that must be digests, in the order in which match keys are reported.
const DIGESTS: [&str; 6] = [
    "email",
    "phone",
    "external_id",
    "first_name",
    "last_name",
    "zip_code",
];
const PLAIN: [&str; 8] = [
    "ttclid",
    "ttp",
    "ip",
    "user_agent",
    "locale",
    "city",
    "state",
    "country",
];

/// Returns the user as TikTok stores it, and the user's match keys. Every personal value is a digest.
pub(super) fn read(
    at: &str,
    user: &Map<String, Value>,
    findings: &mut Vec<Finding>,
) -> (Map<String, Value>, Vec<&'static str>) {
    let mut kept = Map::new();
    let mut match_keys = Vec::new();
    for key in DIGESTS {
        let Some(value) = user.get(key) else { continue };
        let digests = digests(key, &format!("{at}.{key}"), value, findings);
        if digests
            .iter()
            .any(|digest| digest != personal::DIGEST_OF_NOTHING)
        {
            match_keys.push(key);
        }
        match digests.as_slice() {
            [] => {}
            [only] => drop(kept.insert(key.to_owned(), json!(only))),
            several => drop(kept.insert(key.to_owned(), json!(several))),
        }
    }
    for key in PLAIN {
        let Some(value) = user.get(key) else { continue };
        let Some(text) = plain(key, &format!("{at}.{key}"), value, findings) else {
            continue;
        };
        if matches!(key, "ttclid" | "ttp" | "user_agent") || key == "ip" && visitor_ip(text) {
            match_keys.push(key);
        }
        kept.insert(key.to_owned(), json!(text));
    }
    other_keys(at, user, findings);
    if !can_match(&match_keys) {
        let message =
            "the event has no click id, no browser id, no digest, and no ip with user agent";
        findings.push(Finding::new(Rule::NoMatchKey, at, message));
    }
    (kept, match_keys)
}

fn digests(key: &str, field: &str, value: &Value, findings: &mut Vec<Finding>) -> Vec<String> {
    let takes_several = matches!(key, "email" | "phone" | "external_id");
    if value.is_array() && !takes_several {
        findings.push(Finding::new(Rule::WrongType, field, "not a valid string"));
    }
    let texts = value::texts(value, field, findings);
    for text in &texts {
        let fault = match personal::form(text) {
            Form::Digest => continue,
            Form::UpperCaseDigest => {
                Finding::new(Rule::UpperCaseDigest, field, "a digest in upper case")
            }
            Form::DigestOfNothing => {
                Finding::new(Rule::DigestOfNothing, field, "the digest of an empty value")
            }
            Form::Raw if key == "external_id" && !personal::has_email(text) => {
                Finding::new(Rule::RawExternalId, field, "not a SHA-256 digest")
            }
            Form::Raw => Finding::new(Rule::RawPersonalData, field, "not a SHA-256 digest"),
        };
        findings.push(fault);
    }
    texts
        .into_iter()
        .map(|text| personal::digest(key, text))
        .collect()
}

fn plain<'a>(
    key: &str,
    field: &str,
    value: &'a Value,
    findings: &mut Vec<Finding>,
) -> Option<&'a str> {
    let text = value::text(value, field, findings)?;
    if personal::form(text) != Form::Raw {
        findings.push(Finding::new(
            Rule::HashedPlainField,
            field,
            "a digest; must be the plain value",
        ));
    } else if personal::has_email(text) {
        findings.push(Finding::new(
            Rule::PossiblePersonalData,
            field,
            "contains an e-mail address",
        ));
    } else if key == "ip" {
        match text.parse::<IpAddr>() {
            Err(_) => findings.push(Finding::new(Rule::InvalidIp, field, "not an IP address")),
            Ok(address) if !is_public(address) => {
                findings.push(Finding::new(
                    Rule::PrivateIp,
                    field,
                    "a private or loopback address",
                ));
            }
            Ok(_) => {}
        }
    }
    Some(text)
}

fn visitor_ip(text: &str) -> bool {
    text.parse().is_ok_and(is_public)
}

fn other_keys(at: &str, user: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for (key, value) in user {
        if DIGESTS.contains(&key.as_str()) || PLAIN.contains(&key.as_str()) {
            continue;
        }
        let field = format!("{at}.{key}");
        let (rule, message) = if key == "phone_number" {
            (
                Rule::PhoneNumberKey,
                "phone_number is not a key of the Events API 2.0",
            )
        } else {
            (Rule::UnknownKey, "not a known key of a user")
        };
        findings.push(Finding::new(rule, field.as_str(), message));
        let raw = value::texts(value, &field, findings).iter().any(|text| {
            personal::form(text) == Form::Raw
                && (key == "phone_number" || personal::has_email(text))
        });
        if raw {
            findings.push(Finding::new(
                Rule::RawPersonalData,
                field,
                "not a SHA-256 digest",
            ));
        }
    }
}

fn can_match(match_keys: &[&str]) -> bool {
    let has = |key: &str| match_keys.contains(&key);
    has("ip") && has("user_agent")
        || match_keys
            .iter()
            .any(|key| !matches!(*key, "ip" | "user_agent"))
}
