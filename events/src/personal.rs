//! Personal data where none belongs: what looks like an e-mail address, and names that stand for a person's data.
//!
//! Digits are no sign of a phone number: order ids, prices and times are digits too. A phone number is looked for only
//! under a name that says that it is one.

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
};

use percent_encoding::percent_decode_str;

use crate::plain;

/// How often a text may have been percent-encoded.
const ENCODINGS: usize = 3;

/// Names that stand for a person's data, each written as one word; such a name may end a longer one: `customer_email`,
/// `billing.phone`, `contactFirstName`. Each may stand in the plural.
pub const NAMES: [&str; 39] = [
    "emails",
    "mail",
    "phone",
    "phones",
    "mobile",
    "tel",
    "telephone",
    "msisdn",
    "sdt",
    "dienthoai",
    "sodienthoai",
    "memberid",
    "username",
    "middlename",
    "familyname",
    "givenname",
    "surname",
    "hoten",
    "contactname",
    "customername",
    "buyername",
    "recipientname",
    "birthday",
    "birthdate",
    "dateofbirth",
    "dob",
    "ip",
    "passport",
    "cccd",
    "cmnd",
    "ssn",
    "password",
    "passwd",
    "pwd",
    "billingaddress",
    "deliveryaddress",
    "homeaddress",
    "shippingaddress",
    "streetaddress",
];

/// Names that are short for one of those, and mean something else at the end of a longer name.
pub const WHOLE: [&str; 4] = ["em", "fn", "ln", "ph"];

/// Names that do so even where no sign parts the words: `customeremail`, `userfirstname`.
pub const GLUED: [&str; 8] = [
    "email",
    "firstname",
    "lastname",
    "fullname",
    "phonenumber",
    "userid",
    "customerid",
    "externalid",
];

/// What may stand behind such a name, as digits may, without changing what it stands for: `email_sha256`, `phone_e164`.
pub const BEHIND: [&str; 12] = [
    "address", "hash", "hashed", "md5", "no", "number", "num", "raw", "sha", "sha256", "value",
    "so",
];

/// What the proxy takes for a personal name, and the page has no room for.
const RARER: [&str; 5] = [
    "phoneno",
    "cellphone",
    "homephone",
    "mobilephone",
    "hovaten",
];

/// The same of what may stand behind one, parted from its digits: `email_md5`, `phone_e164`.
const RARER_BEHIND: [&str; 2] = ["e", "md"];

/// Whether a name says that a person's data stands under it, in any spelling. `sdk/page/personal.js` does the same for
/// the Pixel's leg.
pub(crate) fn is_name(name: &str) -> bool {
    let plain: Cow<'_, str> = if name.is_ascii() {
        name.into()
    } else {
        plain::unmarked(name).collect()
    };
    let mut name = &*plain;
    while !ends_with_name(name) {
        let Some(start) = word_starts(name).next() else {
            return false;
        };
        let (before, last) = name.split_at(start);
        let mut behind = BEHIND.iter().chain(&RARER_BEHIND);
        if !behind.any(|word| is_word(last, word)) && !letters(last).all(|c| c.is_ascii_digit()) {
            return false;
        }
        name = before;
    }
    true
}

fn ends_with_name(name: &str) -> bool {
    // The longest personal name has fewer letters, so earlier words cannot matter.
    const LONGEST: usize = 64;
    for start in word_starts(name) {
        let end = name.get(start..).unwrap_or_default();
        let mut names = NAMES.iter().chain(&RARER);
        if names.any(|name| is_one_or_many(end, name)) {
            return true;
        }
        if end.len() > LONGEST {
            break;
        }
    }
    let all = letters(name).rev();
    let one = without_end(&all, "address").or_else(|| without_end(&all, "s"));
    let one = one.unwrap_or(all);
    WHOLE.iter().any(|whole| is_word(name, whole))
        || GLUED.iter().any(|glued| without_end(&one, glued).is_some())
            && !is_word(name, "voicemail")
}

/// Where the words and numbers of a name begin, the last one first: `billing[phoneNumber2]` is billing, phone, number, 2.
fn word_starts(name: &str) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    (0..bytes.len()).rev().filter(move |at| {
        let (before, first) = (at.checked_sub(1).map_or(b' ', byte), byte(*at));
        first.is_ascii_alphanumeric()
            && (!before.is_ascii_alphanumeric()
                || first.is_ascii_digit() != before.is_ascii_digit()
                || first.is_ascii_uppercase() && before.is_ascii_lowercase())
    })
}

/// The letters and digits of a name, in lower case.
fn letters(name: &str) -> impl DoubleEndedIterator<Item = u8> + Clone {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase())
}

fn is_word(name: &str, word: &str) -> bool {
    letters(name).eq(word.bytes())
}

fn is_one_or_many(name: &str, one: &str) -> bool {
    let mut letters = letters(name);
    one.bytes().all(|letter| letters.next() == Some(letter))
        && matches!(
            (letters.next(), letters.next()),
            (None, _) | (Some(b's'), None)
        )
}

/// What is left of letters that are read from their end, without that end.
fn without_end<I: Iterator<Item = u8> + Clone>(letters: &I, end: &str) -> Option<I> {
    let mut rest = letters.clone();
    let mut end = end.bytes().rev();
    end.all(|letter| rest.next() == Some(letter))
        .then_some(rest)
}

/// Whether something in a text looks like an e-mail address, as it is or after up to three decodings.
pub(crate) fn has_email(text: &str) -> bool {
    any_decoding(text, shows_email)
}

/// Whether a part of an address holds personal data: an e-mail address, or a parameter with a personal name, as it is
/// or after up to three decodings.
pub(crate) fn is_personal_part(part: &str) -> bool {
    let parameter = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        !value.is_empty() && is_name(name.trim_start_matches('/'))
    };
    any_decoding(part, |text| {
        shows_email(text) || text.contains('=') && text.split(['?', '&', ';', '#']).any(parameter)
    })
}

/// Whether something holds of a text, as it is or after up to three decodings.
pub(crate) fn any_decoding(text: &str, is: impl Fn(&str) -> bool) -> bool {
    if is(text) {
        return true;
    }
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..ENCODINGS {
        if !decoded.contains('%') {
            return false;
        }
        decoded = Cow::Owned(percent_decoded(&decoded));
        if is(&decoded) {
            return true;
        }
    }
    false
}

/// What is left of a text without its e-mail addresses. `None` when it has none; empty where they are encoded, and
/// so stand nowhere in it as such.
pub(crate) fn without_email(text: &str) -> Option<String> {
    if !has_email(text) {
        return None;
    }
    let visible = plain::visible(text);
    let mut rest = &*visible;
    let mut left = String::new();
    while let Some((start, end)) = find_email(rest) {
        left.push_str(rest.get(..start).unwrap_or_default());
        rest = rest.get(end..).unwrap_or_default();
    }
    left.push_str(rest);
    Some(if has_email(&left) {
        String::new()
    } else {
        left.trim().to_owned()
    })
}

fn shows_email(text: &str) -> bool {
    let has_at = text.contains('@') || !text.is_ascii() && text.contains(is_at);
    has_at && find_email(&plain::visible(text)).is_some()
}

fn is_at(c: char) -> bool {
    c == '@' || c == '\u{ff20}'
}

/// Where the first e-mail address in a text begins and ends.
fn find_email(text: &str) -> Option<(usize, usize)> {
    text.match_indices(is_at).find_map(|(at, sign)| {
        let behind = at + sign.len();
        let (local, domain) = (text.get(..at)?, text.get(behind..)?);
        let start = if let Some(quoted) = local.strip_suffix('"') {
            quoted.rfind('"')?
        } else {
            let letters = local.char_indices().rev();
            let is_local = |c: char| c.is_alphanumeric() || "._+-'!#$%*".contains(c);
            letters.take_while(|(_, c)| is_local(*c)).last()?.0
        };
        let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
        let end = domain.find(|c| !is_domain(c)).unwrap_or(domain.len());
        let domain = domain.get(..end)?.trim_end_matches(['.', '-']);
        let (name, top) = domain.rsplit_once('.')?;
        let is_top = top.chars().count() > 1 && top.starts_with(char::is_alphabetic);
        (is_top && !name.is_empty()).then_some((start, behind + domain.len()))
    })
}

/// Percent-encoding undone once; what is not UTF-8 then becomes U+FFFD.
pub fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_two_hexadecimal_digits_behind_each_sign() {
        for (encoded, decoded) in [
            ("%41%c4%91", "Ađ"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%+1%-1% 1", "%+1%-1% 1"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(percent_decoded(encoded), decoded);
        }
    }

    #[test]
    fn an_email_is_seen_in_any_text_and_a_handle_is_none() {
        for text in [
            "lan@example.com",
            "mail Lan <lan.t+ads@mail.example.co.uk>, please",
            "lan%40example.com",
            "lan%2540example.com",
            "lan%252540example.com",
            "l%61n%40ex%61mple.com",
            "lan＠example.com",
            "đơn@ví-dụ.vn.",
            "lan%40example.com+caf%E9",
            "%E1%BB lan%40example.com",
            "l\u{200b}an\u{ad}@\u{2060}example\u{200e}.com",
            "lan%E2%80%8B%40example.com",
            "le\u{302}@example.com",
            "\"lan\"@example.com",
            "for \"lan nguyen\"@example.com",
            "%22lan%22%40example.com",
        ] {
            assert!(has_email(text), "{text}");
        }
        for text in [
            "",
            "@name",
            "#/@name",
            "lan@",
            "@example.com",
            "5 @ 3.20",
            "a@1.20",
            "lan @ shop",
            "lan@localhost",
            "50%",
            "100%25",
            "%",
            "%4",
            "2@2",
            "\"@example.com",
            "\"5\" @ 3.20",
        ] {
            assert!(!has_email(text), "{text}");
        }
    }

    #[test]
    fn a_text_loses_the_address_and_keeps_the_rest() {
        for (text, left) in [
            (
                "for lan@example.com and a@b.vn, thanks",
                Some("for  and , thanks"),
            ),
            ("lan@example.com", Some("")),
            (
                "for \"lan nguyen\"@example.com, thanks",
                Some("for , thanks"),
            ),
            ("for lan%40example.com", Some("")),
            (
                "for la\u{200b}n@example\u{ad}.com, thanks",
                Some("for , thanks"),
            ),
            ("phở bò", None),
        ] {
            assert_eq!(without_email(text).as_deref(), left, "{text}");
        }
    }
}
