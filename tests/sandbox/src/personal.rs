//! Distinguishes raw personal values from their digests, and hashes raw values so that none of them is stored.

use sha2::{Digest, Sha256};

pub(crate) const DIGEST_OF_NOTHING: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The kind of a value in a field for digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Digest,
    UpperCaseDigest,
    DigestOfNothing,
    Raw,
}

pub(crate) fn form(value: &str) -> Form {
    if value.len() != 64 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Form::Raw
    } else if value.eq_ignore_ascii_case(DIGEST_OF_NOTHING) {
        Form::DigestOfNothing
    } else if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Form::UpperCaseDigest
    } else {
        Form::Digest
    }
}

/// Normalises a value as its field demands, and returns the digest. If the value is already a digest, returns it in lower case.
pub(crate) fn digest(field: &str, value: &str) -> String {
    if form(value) != Form::Raw {
        return value.to_ascii_lowercase();
    }
    let trimmed = value.trim();
    let normalised = match field {
        "external_id" => trimmed.to_owned(),
        "phone" => trimmed
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == '+')
            .collect(),
        _ => trimmed.to_lowercase(),
    };
    sha256_hex(normalised.as_bytes())
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Returns whether a text contains something like an e-mail address, even if it is percent-encoded.
pub(crate) fn has_email(text: &str) -> bool {
    let decoded = text.replace("%40", "@");
    decoded.match_indices('@').any(|(at, _)| {
        let (before, after) = decoded.split_at(at);
        let local = before
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || "._+-".contains(c));
        let domain: String = after
            .chars()
            .skip(1)
            .take_while(|c| c.is_alphanumeric() || *c == '.' || *c == '-')
            .collect();
        let top_level = domain
            .trim_end_matches('.')
            .rsplit_once('.')
            .map(|(_, top)| top);
        local && top_level.is_some_and(|top| top.len() >= 2 && top.chars().all(char::is_alphabetic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_follow_the_contract_vectors() {
        for (field, value, expected) in [
            (
                "email",
                " Test@Example.com ",
                "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b",
            ),
            (
                "phone",
                "+84 901-234-567",
                "0c450d4175db5d08e888c726767096ac29c6dfa0cc8e755e42af0629a1d7ca4c",
            ),
            (
                "external_id",
                "user_2abcDEF",
                "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3",
            ),
        ] {
            assert_eq!(digest(field, value), expected, "{field}");
            assert_eq!(digest(field, &expected.to_uppercase()), expected, "{field}");
        }
        assert_eq!(sha256_hex(b""), DIGEST_OF_NOTHING);
    }

    #[test]
    fn the_form_of_a_value_is_recognised() {
        assert_eq!(form(&"a".repeat(64)), Form::Digest);
        assert_eq!(form(&"A".repeat(64)), Form::UpperCaseDigest);
        assert_eq!(form(DIGEST_OF_NOTHING), Form::DigestOfNothing);
        assert_eq!(form(&"g".repeat(64)), Form::Raw);
        assert_eq!(form("test@example.com"), Form::Raw);
    }

    #[test]
    fn an_email_is_seen_in_a_text_and_a_handle_is_not_taken_for_one() {
        for text in [
            "a.b@example.com",
            "https://x.test/?e=a%40example.com&x=1",
            "Mail a@b.vn.",
        ] {
            assert!(has_email(text), "{text}");
        }
        for text in [
            "https://tiktok.com/@user",
            "a@b",
            "5 @ 3.20",
            "",
            "@example.com",
        ] {
            assert!(!has_email(text), "{text}");
        }
    }
}
