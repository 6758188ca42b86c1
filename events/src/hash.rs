//! Normalises personal values and hashes them with SHA-256. A [`Hashed`] is made only here.
//!
//! If TikTok states a rule, Duet follows it. If TikTok states none and other senders follow different rules, Duet changes the
//! value as little as possible. An e-mail address is only trimmed and lower-cased: its dots and `+tags` are kept. A phone
//! number is hashed as E.164 with its `+`. An external id keeps its case. A value that is already a digest is kept, in lower
//! case.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use crate::{
    Country, Invalid, nobody, phone, plain,
    rule::leave_out::{EMAIL, NOBODY},
};

/// The SHA-256 of a normalised personal value.
///
/// A digest prints as `[hashed]`, because it still identifies a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed([u8; 32]);

impl Hashed {
    /// Returns the bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the digest in the form for sending: 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        self.hex(str::to_owned)
    }

    fn hex<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
        let mut digits = [0; 64];
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        then(str::from_utf8(&digits).unwrap_or_default())
    }

    /// Hashes an e-mail address that is [plain](plain::email). If the text is already a digest, keeps the digest. Returns
    /// `None` if the address is not one local part, one `@` and one domain, or if it stands for [nobody].
    pub fn of_email(plain: &str) -> Option<Self> {
        match Self::already(plain.chars()) {
            Some(digest) => digest.of_somebody(),
            None => Self::of_plain_email(plain),
        }
    }

    /// Brings a phone number that is [plain](plain::phone) to E.164, and hashes it. If the text is already a digest, keeps the
    /// digest. `country` is the country of numbers without a country code.
    ///
    /// # Errors
    /// Returns the error of [`phone::e164`]. A number that cannot be dialled is rejected, and never hashed as it was typed.
    pub fn of_phone(
        plain: impl Iterator<Item = char> + Clone,
        country: Option<Country>,
    ) -> Result<Self, phone::Flaw> {
        match Self::already(plain.clone()) {
            Some(digest) => digest.of_somebody().ok_or(phone::Flaw::Malformed),
            None => Self::of_plain_phone(plain, country),
        }
    }

    /// Hashes the advertiser's own id of a person, in its own case. If the text is already a digest, keeps the digest. The
    /// caller must have [trimmed](plain::trim) the id. Returns `None` if the id stands for [nobody].
    pub fn of_external_id(trimmed: &str) -> Option<Self> {
        match Self::already(trimmed.chars()) {
            Some(digest) => digest.of_somebody(),
            None => (!nobody::is_no_person(trimmed)).then(|| Self::of_plain_id(trimmed)),
        }
    }

    /// Hashes an e-mail address in clear text.
    fn of_plain_email(plain: &str) -> Option<Self> {
        let text = plain.as_bytes();
        let one_sided = text.starts_with(b"@") || text.ends_with(b"@");
        let ats = text
            .iter()
            .fold(0, |ats, byte| ats + u32::from(*byte == b'@'));
        (ats == 1 && !one_sided).then(|| Self::of(text))
    }

    /// Hashes a phone number that is not a digest, as [`of_phone`](Self::of_phone) does.
    ///
    /// # Errors
    /// Returns the error of [`phone::e164`].
    fn of_plain_phone(
        plain: impl Iterator<Item = char>,
        country: Option<Country>,
    ) -> Result<Self, phone::Flaw> {
        phone::e164(plain, country).map(|number| Self::of(number.write(&mut [0; 16])))
    }

    /// Hashes the advertiser's own id of a person. The caller must ensure that the id is neither a digest nor a word for
    /// [nobody].
    fn of_plain_id(trimmed: &str) -> Self {
        Self::of(trimmed.as_bytes())
    }

    /// Returns the digest, or `None` if it is the digest of a word for nobody.
    fn of_somebody(self) -> Option<Self> {
        (!nobody::is_digest(&self.0)).then_some(self)
    }

    fn of(normalised: &[u8]) -> Self {
        Self(sha256(normalised))
    }

    /// Reads a value that is already a digest.
    fn already(value: impl Iterator<Item = char>) -> Option<Self> {
        let mut digest = [0; 32];
        let mut digits = value.map(|c| c.to_digit(16));
        for byte in &mut digest {
            let (high, low) = (digits.next()??, digits.next()??);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then_some(Self(digest))
    }
}

/// Returns the SHA-256 of a message.
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;

    sha2::Sha256::digest(message).into()
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hashed]")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Hashed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.hex(|digits| serializer.serialize_str(digits))
    }
}

/// Makes an e-mail address [plain](plain::email) and hashes it.
///
/// # Errors
/// Returns the rule `email` or `nobody` if [`Hashed::of_email`] returns `None`.
pub fn email(raw: &str) -> Result<Hashed, Invalid> {
    let hashed = plain::email(raw).and_then(|plain| Hashed::of_email(&plain));
    hashed.ok_or_else(|| Invalid::of(if is_nobody(raw) { &NOBODY } else { &EMAIL }, "user.email"))
}

/// Brings a phone number to E.164 and hashes it.
///
/// # Errors
/// Returns the rule `phone` or `nobody` if [`Hashed::of_phone`] returns an error.
pub fn phone(raw: &str, country: Option<Country>) -> Result<Hashed, Invalid> {
    Hashed::of_phone(plain::phone(raw), country).map_err(|flaw| {
        if is_nobody(raw) {
            Invalid::of(&NOBODY, "user.phone")
        } else {
            Invalid::from(flaw)
        }
    })
}

/// Trims the advertiser's own id of a person, keeps its case, and hashes it.
///
/// # Errors
/// Returns the rule `nobody` if [`Hashed::of_external_id`] returns `None`.
pub fn external_id(raw: &str) -> Result<Hashed, Invalid> {
    let hashed = Hashed::of_external_id(plain::trim(raw)).filter(|_| !is_nobody(raw));
    hashed.ok_or_else(|| Invalid::of(&NOBODY, "user.external_id"))
}

/// Trims, lower-cases and hashes a first or last name. Inner spaces are kept. Returns `None` if the name stands for
/// [nobody].
pub fn person_name(raw: &str) -> Option<Hashed> {
    lowered(raw.trim())
}

/// Lower-cases a postal code, removes spaces and dashes, and hashes it. Returns `None` if the code stands for [nobody].
pub fn zip_code(raw: &str) -> Option<Hashed> {
    let joined: String = raw
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    lowered(&joined)
}

fn lowered(text: &str) -> Option<Hashed> {
    match Hashed::already(text.chars()) {
        Some(digest) => digest.of_somebody(),
        None => (!is_nobody(text)).then(|| Hashed::of(text.to_lowercase().as_bytes())),
    }
}

/// Returns whether a value, in clear text or as a digest, stands for nobody.
pub(crate) fn is_nobody(raw: &str) -> bool {
    let text = plain::order_id(raw);
    nobody::is_no_person(&text)
        || Hashed::already(text.chars()).is_some_and(|digest| digest.of_somebody().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    const EMAIL: &str = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b";
    const PHONE: &str = "0c450d4175db5d08e888c726767096ac29c6dfa0cc8e755e42af0629a1d7ca4c";
    const ID: &str = "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3";

    fn email_of(raw: &str) -> Hashed {
        email(raw).unwrap()
    }

    #[test]
    fn the_published_vectors_hold() {
        assert_eq!(email_of("test@example.com").to_hex(), EMAIL);
        assert_eq!(email_of("  TEST@Example.com\n").to_hex(), EMAIL);
        assert_eq!(phone("+84901234567", None).unwrap().to_hex(), PHONE);
        assert_eq!(external_id(" user_2abcDEF ").unwrap().to_hex(), ID);
    }

    #[test]
    fn dots_tags_and_the_case_of_an_external_id_stay() {
        assert_ne!(email_of("te.st@example.com").to_hex(), EMAIL);
        assert_ne!(email_of("test+ad@example.com").to_hex(), EMAIL);
        assert_ne!(external_id("user_2abcdef").unwrap().to_hex(), ID);
    }

    #[test]
    fn letters_beyond_ascii_are_lower_cased() {
        assert_eq!(email_of("ĐƠN@Ví-dụ.vn"), email_of("đơn@ví-dụ.vn"));
    }

    #[test]
    fn a_digest_passes_in_lower_case() {
        assert_eq!(email_of(&EMAIL.to_uppercase()).to_hex(), EMAIL);
        assert_eq!(phone(PHONE, None).unwrap().to_hex(), PHONE);
        assert_eq!(external_id(ID).unwrap().to_hex(), ID);
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
            assert_eq!(email(raw).unwrap_err().field, "user.email", "{raw}");
        }
    }

    #[test]
    fn a_digest_does_not_print() {
        assert_eq!(format!("{:?}", email_of("test@example.com")), "[hashed]");
    }

    #[test]
    fn names_and_zip_codes_follow_their_rules() {
        assert_eq!(person_name(" Văn A "), person_name("văn a"));
        assert_eq!(zip_code("SW1A 1-AA"), zip_code("sw1a1aa"));
        assert_eq!(person_name("  "), None);
    }

    proptest! {
        #[test]
        fn hashing_twice_changes_nothing(raw in "[a-zA-Z0-9.+]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-z]{2,4}") {
            let once = email_of(&raw);
            prop_assert_eq!(email_of(&once.to_hex()), once.clone());
            prop_assert_eq!(email_of(&raw.to_ascii_uppercase()), once);
        }

        #[test]
        fn any_text_is_hashed_or_refused_without_panic(raw in any::<String>()) {
            let _ = email(&raw);
            let _ = phone(&raw, Country::parse("VN"));
            if let Ok(hashed) = external_id(&raw) {
                prop_assert_eq!(hashed.to_hex().len(), 64);
                prop_assert_eq!(hashed.to_hex(), hashed.to_hex().to_ascii_lowercase());
            }
        }
    }
}
