//! What people type, without what only looks different: the first step of every rule about a person.
//!
//! Unicode's tables would be a fifth of the browser module, and a browser has its own. So a page takes this
//! step in JavaScript (`sdk/page/plain.js`) and hands over the rest, and `tests/plain.json` holds both
//! sides to one table. White space is therefore what JavaScript takes for it.

use alloc::string::String;

/// What people put between the digits of a phone number, beside white space.
const SEPARATORS: &str =
    "()-./\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{ff08}\u{ff09}\u{ff0d}";

/// An e-mail address: trimmed, in lower case. `None` with white space inside.
pub fn email(raw: &str) -> Option<String> {
    let text = trim(raw);
    (!text.contains(is_space)).then(|| text.to_lowercase())
}

/// A phone number: its digits, `+` and what does not belong there.
pub fn phone(raw: &str) -> impl Iterator<Item = char> + Clone {
    raw.chars()
        .filter(|c| c.is_ascii_digit() || !is_space(*c) && !SEPARATORS.contains(*c))
        .map(|c| match c {
            '\u{ff0b}' => '+',
            ..'\u{80}' => c,
            _ => digit(c).unwrap_or(c),
        })
}

/// Any text without white space at its ends.
pub fn trim(raw: &str) -> &str {
    raw.trim_matches(is_space)
}

fn is_space(c: char) -> bool {
    c == '\u{feff}' || c != '\u{85}' && c.is_whitespace()
}

/// Full-width, Arabic-Indic and extended Arabic-Indic digits as they are in ASCII.
fn digit(c: char) -> Option<char> {
    let zeros = ['\u{ff10}', '\u{660}', '\u{6f0}'];
    let values = zeros.map(|zero| u32::from(c).wrapping_sub(u32::from(zero)));
    let value = values.into_iter().find(|value| *value < 10)?;
    char::from_digit(value, 10)
}
