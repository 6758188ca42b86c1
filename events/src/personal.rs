//! Finds personal data in fields that must not contain any: texts that look like e-mail addresses, and fields with names of
//! personal data.
//!
//! A phone number is recognised only by the name of its field, because order ids, prices and times consist of digits too.

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};

use percent_encoding::percent_decode_str;

use crate::plain;

/// The number of letters of the longest name in [`NAMES`], including the `s` of its plural.
const LONGEST: usize = 16;

/// The largest number of times that a text is percent-decoded.
const ENCODINGS: usize = 3;

/// Names of personal data, each written as one word. A longer name that ends with such a name is a name of personal data too:
/// `customer_email`, `billing.phone`, `contactFirstName`. Each name can also be in the plural.
pub const NAMES: [&str; 42] = [
    "mail",
    "phone",
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
    "phoneno",
    "cellphone",
    "homephone",
    "mobilephone",
    "hovaten",
];

/// Short names of personal data. They count only if they are the whole name, because at the end of a longer name they have
/// other meanings.
pub const WHOLE: [&str; 4] = ["em", "fn", "ln", "ph"];

/// Personal names that can end a longer name even without a separator: `customeremail`, `userfirstname`.
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

/// Words that can follow a personal name without changing its meaning: `email_sha256`. Digits can follow too: `phone2`.
pub const BEHIND: [&str; 12] = [
    "address", "e", "hash", "hashed", "md", "no", "num", "number", "raw", "sha", "so", "value",
];

/// Returns whether a name, in any spelling, is a name of personal data. `sdk/page/personal.js` does the same for the Pixel's
/// leg.
pub(crate) fn is_name(name: &str) -> bool {
    let plain: Cow<'_, str> = if name.is_ascii() {
        name.into()
    } else {
        plain::unmarked(name).collect()
    };
    let (letters, starts) = words(&plain);
    let (mut letters, mut starts) = (&*letters, &*starts);
    while !ends_with_name(letters, starts) {
        let Some((last, before)) = starts.split_last() else {
            return false;
        };
        let (start, end) = letters.split_at(*last);
        if !BEHIND.contains(&end) && !end.bytes().all(|c| c.is_ascii_digit()) {
            return false;
        }
        (letters, starts) = (start, before);
    }
    true
}

fn ends_with_name(letters: &str, starts: &[usize]) -> bool {
    let mut ends = starts
        .iter()
        .rev()
        .map(|start| letters.get(*start..).unwrap_or_default())
        .take_while(|end| end.len() <= LONGEST && !end.starts_with(|c: char| c.is_ascii_digit()));
    let last = letters.strip_suffix("address");
    let last = last.or_else(|| letters.strip_suffix('s'));
    let last = last.unwrap_or(letters);
    ends.any(is_one_or_many)
        || WHOLE.contains(&letters)
        || GLUED.iter().any(|glued| last.ends_with(glued)) && letters != "voicemail"
}

fn is_one_or_many(word: &str) -> bool {
    let first = |name: &str| name.bytes().next();
    let one = word.strip_suffix('s').unwrap_or(word);
    // Compare the first letters first, because most words differ there from every name of personal data.
    NAMES
        .iter()
        .any(|name| first(name) == first(word) && (*name == word || *name == one))
}

/// Returns the letters and digits of a name in lower case, and the positions at which its words and numbers begin: for
/// `billing[phoneNumber2]`, returns `billingphonenumber2` with 0, 7, 12 and 18.
fn words(name: &str) -> (String, Vec<usize>) {
    let (mut letters, mut starts) = (String::with_capacity(name.len()), Vec::new());
    let mut before = b' ';
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            if !before.is_ascii_alphanumeric()
                || byte.is_ascii_digit() != before.is_ascii_digit()
                || byte.is_ascii_uppercase() && before.is_ascii_lowercase()
            {
                starts.push(letters.len());
            }
            letters.push(char::from(byte.to_ascii_lowercase()));
        }
        before = byte;
    }
    (letters, starts)
}

/// Returns whether a text, or the text after one, two or three decodings, contains something like an e-mail address.
pub(crate) fn has_email(text: &str) -> bool {
    any_decoding(text, shows_email)
}

/// Returns whether a part of an address contains personal data: an e-mail address, or a parameter with a name of personal data.
/// Checks the part itself, and the part after one, two and three decodings.
pub(crate) fn is_personal_part(part: &str) -> bool {
    let parameter = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        !value.is_empty() && is_name(name.trim_start_matches('/'))
    };
    any_decoding(part, |text| {
        shows_email(text) || text.contains('=') && text.split(['?', '&', ';', '#']).any(parameter)
    })
}

/// Returns whether `is` is true for a text, or for the text after one, two or three decodings.
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

/// Removes e-mail addresses from a text. Returns `None` if the text contains no e-mail address. If an address in the text is
/// encoded, it cannot be cut out, so returns an empty text.
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

/// Returns where the first e-mail address in a text begins and ends.
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

/// Decodes percent-encoding once. Bytes that are not UTF-8 become U+FFFD.
pub fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_personal_names_are_short_and_without_digits() {
        assert!(NAMES.iter().all(|name| name.len() < LONGEST));
        assert!(
            NAMES
                .iter()
                .flat_map(|name| name.bytes())
                .all(|c| c.is_ascii_lowercase())
        );
    }

    #[test]
    fn a_name_of_many_numbers_is_read_in_time() {
        let numbers = "_e1".repeat(50_000);
        assert!(is_name(&["email", &numbers].concat()));
        assert!(!is_name(&["plan", &numbers].concat()));
    }

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
