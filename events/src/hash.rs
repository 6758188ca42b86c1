//! Personal values: normalise, then SHA-256. The only place a [`Hashed`] is made.
//!
//! The rules are TikTok's own where it states them, and the safe reading where senders disagree: an
//! e-mail address is trimmed and lower-cased and nothing else (dots and `+tags` stay); a phone number
//! is hashed as E.164 with its `+`; an external id keeps its case. A value that already is a digest
//! passes, in lower case.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use sha2::{Digest, Sha256};

use crate::{Country, Invalid, phone, push_digit, trim};

/// The SHA-256 of a normalised personal value: 64 lower-case hex digits.
///
/// It prints as `[hashed]`, since a digest still tells two people apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed(String);

impl Hashed {
    /// The digest as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(normalised: &str) -> Self {
        Self(hex(sha256(normalised)))
    }

    #[inline(never)]
    fn already(value: &str) -> Option<Self> {
        let digest = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        digest.then(|| {
            let mut digits = value.to_owned();
            digits.make_ascii_lowercase();
            Self(digits)
        })
    }
}

#[inline(never)]
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Small, for a page.
#[cfg(not(feature = "serde"))]
fn hex(digest: [u8; 32]) -> String {
    let mut digits = String::new();
    for byte in digest {
        push_hex(&mut digits, byte);
    }
    digits
}

/// Quick, for the proxy.
#[cfg(feature = "serde")]
fn hex(digest: [u8; 32]) -> String {
    let digit = |value: u8| char::from(value + if value < 10 { b'0' } else { b'a' - 10 });
    let digits = |byte: u8| [digit(byte >> 4), digit(byte & 15)];
    digest.into_iter().flat_map(digits).collect()
}

#[inline(never)]
pub(crate) fn push_hex(out: &mut String, byte: u8) {
    push_digit(out, (byte >> 4).into());
    push_digit(out, (byte & 15).into());
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hashed]")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Hashed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// An e-mail address: trimmed, lower-cased, hashed.
///
/// `lowercase` is an argument because the Unicode tables behind `str::to_lowercase` would be the
/// largest part of the browser module, and a browser has its own.
///
/// # Errors
/// `email` when it is not one local part, one `@` and one domain, without white space.
pub fn email(raw: &str, lowercase: fn(&str) -> String) -> Result<Hashed, Invalid> {
    let trimmed = trim(raw);
    if let Some(hashed) = Hashed::already(trimmed) {
        return Ok(hashed);
    }
    let mut ats = 0;
    let mut spaced = false;
    for c in trimmed.chars() {
        ats += u32::from(c == '@');
        spaced |= c.is_whitespace();
    }
    let one_sided = trimmed.starts_with('@') || trimmed.ends_with('@');
    if ats != 1 || spaced || one_sided {
        return Err(Invalid::new(
            "user.email",
            "email",
            "an e-mail address has one @ with something on both sides and no spaces",
        ));
    }
    Ok(Hashed::of(&lowercase(trimmed)))
}

/// A phone number, brought to E.164 first; `country` is for numbers written without a country code.
///
/// # Errors
/// As [`phone::e164`]: a number that cannot be dialled is refused, never hashed as typed.
pub fn phone(raw: &str, country: Option<Country>) -> Result<Hashed, Invalid> {
    if let Some(hashed) = Hashed::already(trim(raw)) {
        return Ok(hashed);
    }
    phone::e164(raw, country).map(|number| Hashed::of(&number))
}

/// The advertiser's own id of a person: trimmed, case kept, hashed.
///
/// # Errors
/// `external_id` when nothing is left.
pub fn external_id(raw: &str) -> Result<Hashed, Invalid> {
    let trimmed = trim(raw);
    if trimmed.is_empty() {
        return Err(Invalid::new(
            "user.external_id",
            "external_id",
            "an external_id is not empty",
        ));
    }
    Ok(Hashed::already(trimmed).unwrap_or_else(|| Hashed::of(trimmed)))
}

/// A first or last name: trimmed, lower-cased, inner spaces kept, hashed. `None` when empty.
pub fn person_name(raw: &str, lowercase: fn(&str) -> String) -> Option<Hashed> {
    lowered(raw.trim(), lowercase)
}

/// A postal code: lower-cased, without spaces and dashes, hashed. `None` when empty.
pub fn zip_code(raw: &str, lowercase: fn(&str) -> String) -> Option<Hashed> {
    let joined: String = raw
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    lowered(&joined, lowercase)
}

fn lowered(text: &str, lowercase: fn(&str) -> String) -> Option<Hashed> {
    if text.is_empty() {
        return None;
    }
    Some(Hashed::already(text).unwrap_or_else(|| Hashed::of(&lowercase(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use proptest::prelude::*;

    const EMAIL: &str = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b";
    const PHONE: &str = "0c450d4175db5d08e888c726767096ac29c6dfa0cc8e755e42af0629a1d7ca4c";
    const ID: &str = "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3";

    fn email_of(raw: &str) -> Hashed {
        email(raw, str::to_lowercase).unwrap()
    }

    #[test]
    fn the_published_vectors_hold() {
        assert_eq!(email_of("test@example.com").as_str(), EMAIL);
        assert_eq!(email_of("  TEST@Example.com\n").as_str(), EMAIL);
        assert_eq!(phone("+84901234567", None).unwrap().as_str(), PHONE);
        assert_eq!(external_id(" user_2abcDEF ").unwrap().as_str(), ID);
    }

    #[test]
    fn dots_tags_and_the_case_of_an_external_id_stay() {
        assert_ne!(email_of("te.st@example.com").as_str(), EMAIL);
        assert_ne!(email_of("test+ad@example.com").as_str(), EMAIL);
        assert_ne!(external_id("user_2abcdef").unwrap().as_str(), ID);
    }

    #[test]
    fn letters_beyond_ascii_are_lower_cased_by_the_callers_function() {
        assert_eq!(email_of("ĐƠN@Ví-dụ.vn"), email_of("đơn@ví-dụ.vn"));
    }

    #[test]
    fn a_digest_passes_in_lower_case() {
        assert_eq!(email_of(&EMAIL.to_uppercase()).as_str(), EMAIL);
        assert_eq!(phone(PHONE, None).unwrap().as_str(), PHONE);
        assert_eq!(external_id(ID).unwrap().as_str(), ID);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for raw in [
            "",
            "test",
            "@example.com",
            "test@",
            "a@b@c",
            "a b@example.com",
        ] {
            assert_eq!(
                email(raw, str::to_lowercase).unwrap_err().field,
                "user.email",
                "{raw}"
            );
        }
    }

    #[test]
    fn a_digest_does_not_print() {
        assert_eq!(format!("{:?}", email_of("test@example.com")), "[hashed]");
    }

    #[test]
    fn names_and_zip_codes_follow_their_rules() {
        let lower = str::to_lowercase;
        assert_eq!(person_name(" Văn A ", lower), person_name("văn a", lower));
        assert_eq!(zip_code("SW1A 1-AA", lower), zip_code("sw1a1aa", lower));
        assert_eq!(person_name("  ", lower), None);
    }

    proptest! {
        #[test]
        fn hashing_twice_changes_nothing(raw in "[a-zA-Z0-9.+]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-z]{2,4}") {
            let once = email_of(&raw);
            prop_assert_eq!(email_of(once.as_str()), once.clone());
            prop_assert_eq!(email_of(&raw.to_ascii_uppercase()), once);
        }

        #[test]
        fn any_text_is_hashed_or_refused_without_panic(raw in any::<String>()) {
            let _ = email(&raw, str::to_lowercase);
            let _ = phone(&raw, Country::parse("VN"));
            if let Ok(hashed) = external_id(&raw) {
                prop_assert_eq!(hashed.as_str().len(), 64);
                prop_assert_eq!(hashed.as_str().to_string(), hashed.as_str().to_ascii_lowercase());
            }
        }
    }
}
