//! Reads the person of a Pixel event into the Events API's field names, so that tests can compare both legs.

use serde_json::{Map, Value, json};

use super::Sender;
use crate::personal::{self, Form};
use crate::rule::Rule;
use crate::violations::Finding;

/// For each key of `identify`: the key, its field in the Events API, and whether the value must be a digest.
const IDENTITY: [(&str, &str, bool); 8] = [
    ("sha256_email", "email", true),
    ("email", "email", false),
    ("sha256_phone_number", "phone", true),
    ("phone_number", "phone", false),
    ("external_id", "external_id", false),
    ("first_name", "first_name", false),
    ("last_name", "last_name", false),
    ("zip_code", "zip_code", false),
];
const PLAIN: [&str; 5] = ["ttp", "locale", "city", "state", "country"];

/// Returns the user and the user's match keys. Every personal value is a digest.
pub(super) fn read(
    context: &Map<String, Value>,
    sender: &Sender,
    findings: &mut Vec<Finding>,
) -> (Map<String, Value>, Vec<&'static str>) {
    let mut user = Map::new();
    let mut match_keys = Vec::new();
    let given = context.get("user").and_then(Value::as_object);
    for (key, field, hashed) in IDENTITY {
        let at = format!("context.user.{key}");
        let Some(value) = given.and_then(|given| given.get(key)) else {
            continue;
        };
        let Some(text) = value.as_str() else {
            findings.push(Finding::new(Rule::WrongType, at, "not a valid string"));
            continue;
        };
        findings.extend(
            objection(key, hashed, text).map(|(rule, message)| Finding::new(rule, at, message)),
        );
        if !match_keys.contains(&field) && personal::form(text) != Form::DigestOfNothing {
            match_keys.push(field);
        }
        user.entry(field)
            .or_insert_with(|| json!(personal::digest(field, text)));
    }
    let clicked = context
        .get("ad")
        .and_then(|ad| ad.get("callback"))
        .and_then(Value::as_str);
    if let Some(ttclid) = clicked {
        match_keys.push("ttclid");
        user.insert("ttclid".to_owned(), json!(ttclid));
    }
    for key in PLAIN {
        if let Some(text) = given
            .and_then(|given| given.get(key))
            .and_then(Value::as_str)
        {
            if key == "ttp" {
                match_keys.push("ttp");
            }
            user.insert(key.to_owned(), json!(text));
        }
    }
    if let Some(ip) = sender.ip {
        match_keys.push("ip");
        user.insert("ip".to_owned(), json!(ip));
    }
    if let Some(user_agent) = &sender.user_agent {
        match_keys.push("user_agent");
        user.insert("user_agent".to_owned(), json!(user_agent));
    }
    (user, match_keys)
}

fn objection(key: &str, hashed: bool, text: &str) -> Option<(Rule, &'static str)> {
    match (personal::form(text), key) {
        (Form::DigestOfNothing, _) => Some((Rule::DigestOfNothing, "the digest of an empty value")),
        (Form::UpperCaseDigest, _) => Some((Rule::UpperCaseDigest, "a digest in upper case")),
        (Form::Digest, "email") => Some((Rule::DigestUnderRawKey, "a digest; use sha256_email")),
        (Form::Digest, "phone_number") => {
            Some((Rule::DigestUnderRawKey, "a digest; use sha256_phone_number"))
        }
        (Form::Raw, _) if hashed => Some((Rule::RawPersonalData, "not a SHA-256 digest")),
        (Form::Raw, "external_id") => Some((Rule::RawExternalId, "not a SHA-256 digest")),
        (Form::Digest | Form::Raw, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(user: &Value) -> (Value, Vec<&'static str>, Vec<Rule>) {
        let sender = Sender {
            ip: None,
            user_agent: None,
            now_ms: 0,
        };
        let context = json!({ "user": user });
        let mut findings = Vec::new();
        let (user, keys) = read(context.as_object().unwrap(), &sender, &mut findings);
        (
            Value::Object(user),
            keys,
            findings.iter().map(|f| f.rule).collect(),
        )
    }

    const EMAIL: &str = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b";

    #[test]
    fn raw_values_are_hashed_before_anything_is_kept() {
        let (user, keys, rules) = visitor(&json!({"email": "Test@Example.com"}));
        assert_eq!(user, json!({"email": EMAIL}));
        assert_eq!(keys, ["email"]);
        assert_eq!(rules, []);
    }

    #[test]
    fn each_form_under_each_key_is_judged() {
        for (user, expected) in [
            (json!({"sha256_email": EMAIL}), vec![]),
            (json!({"email": EMAIL}), vec![Rule::DigestUnderRawKey]),
            (
                json!({"phone_number": EMAIL}),
                vec![Rule::DigestUnderRawKey],
            ),
            (
                json!({"sha256_email": "test@example.com"}),
                vec![Rule::RawPersonalData],
            ),
            (json!({"external_id": "user_1"}), vec![Rule::RawExternalId]),
            (json!({"external_id": EMAIL}), vec![]),
            (
                json!({"sha256_email": personal::DIGEST_OF_NOTHING}),
                vec![Rule::DigestOfNothing],
            ),
            (json!({"email": 7}), vec![Rule::WrongType]),
        ] {
            assert_eq!(visitor(&user).2, expected, "{user}");
        }
    }
}
