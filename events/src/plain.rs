//! Normalises typed texts: if two texts look different but mean the same, both get the same form. Every rule about a person
//! starts with this step.
//!
//! Unicode's tables would make up a fifth of the browser module, but a browser has these tables itself. So a page does this
//! step in JavaScript (`sdk/page/plain.js`) and passes the result to the module. `tests/plain.json` tests both implementations,
//! so white space is defined here as in JavaScript. In a browser, letters are already composed before a text reaches this
//! module.

use alloc::{borrow::Cow, string::String};

/// The characters besides white space that people put between the digits of a phone number.
const SEPARATORS: &str =
    "()-./\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{ff08}\u{ff09}\u{ff0d}";

/// Makes an e-mail address plain: composed letters in lower case. Removes invisible marks, blanks around the address,
/// `mailto:`, quotes and a final dot. Returns `None` if there is white space inside the address.
pub fn email(raw: &str) -> Option<String> {
    let visible = visible(raw);
    let text = trim(&visible);
    let text = match text.split_at_checked("mailto:".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => rest,
        _ => text,
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    (!text.contains(is_space)).then(|| text.replace('"', "").to_lowercase())
}

/// Makes a phone number plain: removes `tel:` and separators. Keeps digits, `+`, and all characters that a phone number cannot
/// have, so that the number is rejected later.
pub fn phone(raw: &str) -> impl Iterator<Item = char> + Clone {
    let number = raw.trim_start_matches(|c| is_space(c) || is_invisible(c));
    let number = match number.split_at_checked("tel:".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => rest,
        _ => raw,
    };
    number
        .chars()
        .filter(|c| {
            c.is_ascii_digit() || !is_space(*c) && !is_invisible(*c) && !SEPARATORS.contains(*c)
        })
        .map(|c| match c {
            '\u{ff0b}' => '+',
            ..'\u{80}' => c,
            _ => digit(c).unwrap_or(c),
        })
}

/// Makes an order id plain: composed letters, without invisible marks and blanks around the id.
pub fn order_id(raw: &str) -> Cow<'_, str> {
    match visible(raw) {
        Cow::Borrowed(visible) => Cow::Borrowed(trim(visible)),
        Cow::Owned(visible) => Cow::Owned(trim(&visible).into()),
    }
}

/// Returns whether a text contains invisible characters or letters that are not composed.
pub fn is_odd(raw: &str) -> bool {
    matches!(visible(raw), Cow::Owned(_))
}

/// Removes white space at both ends of a text.
pub fn trim(raw: &str) -> &str {
    raw.trim_matches(is_space)
}

/// Returns a text with composed letters, and without invisible characters.
pub(crate) fn visible(raw: &str) -> Cow<'_, str> {
    if raw.is_ascii() || !raw.contains(is_invisible) && letters::are_composed(raw) {
        return Cow::Borrowed(raw);
    }
    let visible = raw.chars().filter(|c| !is_invisible(*c));
    Cow::Owned(letters::composed(visible).collect())
}

/// Returns the characters of a text, with letters without accents. Full-width letters become ASCII, and invisible characters
/// are removed.
#[cfg(feature = "serde")]
pub(crate) fn unmarked(text: &str) -> impl Iterator<Item = char> {
    let visible = text.chars().filter(|c| !is_invisible(*c));
    letters::unmarked(visible).map(|c| match c {
        'đ' => 'd',
        'Đ' => 'D',
        c => c,
    })
}

#[cfg(not(target_arch = "wasm32"))]
mod letters {
    #[cfg(feature = "serde")]
    use unicode_normalization::char::is_combining_mark;
    use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

    pub(super) fn are_composed(text: &str) -> bool {
        is_nfc_quick(text.chars()) == IsNormalized::Yes
    }

    pub(super) fn composed(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
        text.nfc()
    }

    #[cfg(feature = "serde")]
    pub(super) fn unmarked(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
        text.nfkd().filter(|c| !is_combining_mark(*c))
    }
}

#[cfg(target_arch = "wasm32")]
mod letters {
    pub(super) fn are_composed(_: &str) -> bool {
        true
    }

    pub(super) fn composed(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
        text
    }

    #[cfg(feature = "serde")]
    pub(super) fn unmarked(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
        text
    }
}

/// Returns whether a character is a soft hyphen, a zero-width character, a direction mark or a byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

fn is_space(c: char) -> bool {
    c == '\u{feff}' || c != '\u{85}' && c.is_whitespace()
}

/// Converts a full-width, Arabic-Indic or extended Arabic-Indic digit to ASCII.
fn digit(c: char) -> Option<char> {
    let zeros = ['\u{ff10}', '\u{660}', '\u{6f0}'];
    let values = zeros.map(|zero| u32::from(c).wrapping_sub(u32::from(zero)));
    let value = values.into_iter().find(|value| *value < 10)?;
    char::from_digit(value, 10)
}
