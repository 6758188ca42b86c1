//! Removes personal data from page addresses.
//!
//! Shops put e-mail addresses and phone numbers into paths, parameters and fragments, often encoded more than once.

use alloc::string::String;

use crate::{
    fields::has_controls,
    personal::{self, is_personal_part},
};

/// The longest page address that is sent, in bytes. TikTok states no limit, but no page needs a longer address.
const MAX_LENGTH: usize = 4096;

/// Returns a page's address without personal data, and whether any data was removed. Returns `None` if the text is not a full
/// `http` or `https` URL of at most 4096 bytes.
pub fn clean(text: &str) -> Option<(String, bool)> {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })?;
    if text.len() > MAX_LENGTH || has_controls(text) {
        return None;
    }
    let (scheme, rest) = text.split_at_checked(scheme.len())?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return None;
    }
    let (rest, fragment) = cut(rest, '#');
    let (path, query) = cut(rest, '?');
    let mut clean = String::with_capacity(text.len());
    clean.push_str(scheme);
    clean.push_str(host);
    push_path(path, &mut clean);
    push_query(query, &mut clean);
    if let Some(fragment) = fragment.strip_prefix('#') {
        let (path, query) = cut(fragment, '?');
        let start = clean.len();
        // A fragment such as `#token=…&email=…` has parameters without a question mark.
        if path.contains('=') {
            push_pairs(path, "", &mut clean);
        } else {
            push_path(path, &mut clean);
        }
        push_query(query, &mut clean);
        if clean.len() > start {
            clean.insert(start, '#');
        }
    }
    let is_changed = clean.len() != text.len();
    // Check the whole address too, because the parts together can contain personal data that no single part contains.
    let path_start = scheme.len() + host.len();
    if personal::has_email(clean.get(path_start..).unwrap_or_default()) {
        clean.truncate(path_start);
        return Some((clean, true));
    }
    Some((clean, is_changed))
}

/// Removes e-mail addresses and personal data from a text and from the page addresses in the text. Returns `None` if there
/// is nothing to remove.
pub(crate) fn clean_text(text: &str) -> Option<String> {
    if !text.contains("://") {
        return personal::without_email(text);
    }
    if let Some((left, is_changed)) = clean(text) {
        return is_changed.then_some(left);
    }
    let mut left = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let lower = word.to_ascii_lowercase();
        let schemes = ["http://", "https://"].into_iter();
        let start = schemes.filter_map(|scheme| lower.find(scheme)).min();
        let (before, address) = word.split_at(start.unwrap_or(word.len()));
        let bare = address.trim_end();
        let cleaned = clean(bare).map(|(cleaned, _)| cleaned);
        left.push_str(before);
        left.push_str(cleaned.as_deref().unwrap_or(bare));
        left.push_str(address.get(bare.len()..).unwrap_or_default());
    }
    personal::without_email(&left).or((left != text).then_some(left))
}

/// Splits a text before the first `sign`. The second returned part starts with the sign, or is empty if the text has no such
/// sign.
fn cut(text: &str, sign: char) -> (&str, &str) {
    text.split_at(text.find(sign).unwrap_or(text.len()))
}

fn push_path(path: &str, clean: &mut String) {
    for segment in path.split_inclusive(['/', '\\']) {
        let word = segment.trim_end_matches(['/', '\\']);
        let kept = if is_personal_part(word) { "" } else { word };
        clean.push_str(kept);
        clean.push_str(segment.get(word.len()..).unwrap_or_default());
    }
}

fn push_query(query: &str, clean: &mut String) {
    if let Some(pairs) = query.strip_prefix('?') {
        push_pairs(pairs, "?", clean);
    }
}

/// Appends the parameters that contain no personal data to `clean`, and puts `before` in front of the first of them.
fn push_pairs<'a>(pairs: &'a str, mut before: &'a str, clean: &mut String) {
    if pairs.is_empty() {
        clean.push_str(before);
    }
    for pair in pairs.split_inclusive(['&', ';']) {
        let word = pair.trim_end_matches(['&', ';']);
        if !is_personal_part(word) {
            clean.push_str(before);
            clean.push_str(word);
            before = pair.get(word.len()..).unwrap_or_default();
        }
    }
    // Keep a separator at the very end of the parameters.
    if pairs.ends_with(['&', ';']) && clean.ends_with(|c| c != '?') && before != "?" {
        clean.push_str(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_what_is_personal_and_nothing_else() {
        for (url, left) in [
            ("https://shop.vn", "https://shop.vn"),
            ("https://shop.vn/?plan=pro", "https://shop.vn/?plan=pro"),
            (
                "https://shop.vn/a//b/?x=1&y=2&#top",
                "https://shop.vn/a//b/?x=1&y=2&#top",
            ),
            ("https://shop.vn/?", "https://shop.vn/?"),
            ("HTTPS://Shop.vn/A", "HTTPS://Shop.vn/A"),
            (
                "https://shop.vn/?email=a@b.vn&plan=pro",
                "https://shop.vn/?plan=pro",
            ),
            (
                "https://shop.vn/?plan=pro&e=a%40b.vn",
                "https://shop.vn/?plan=pro",
            ),
            (
                "https://shop.vn/?plan=pro&e=a%2540b.vn&x=1",
                "https://shop.vn/?plan=pro&x=1",
            ),
            ("https://shop.vn/?e=a%252540b.vn", "https://shop.vn/"),
            ("https://shop.vn/#a@b.vn", "https://shop.vn/"),
            ("https://shop.vn/u/lan@example.com", "https://shop.vn/u/"),
            (
                "https://shop.vn/u/lan%40example.com/orders",
                "https://shop.vn/u//orders",
            ),
            ("https://lan@example.com@shop.vn/", "https://shop.vn/"),
            ("https://lan:secret@shop.vn/a", "https://shop.vn/a"),
            ("https://shop.vn/?phone=0901234567", "https://shop.vn/"),
            (
                "https://shop.vn/?a=1&phoneNumber=0901234567&b=2",
                "https://shop.vn/?a=1&b=2",
            ),
            (
                "https://shop.vn/?customer%5Bphone%5D=0901234567",
                "https://shop.vn/",
            ),
            (
                "https://shop.vn/?next=%2Fpay%3Fphone%3D0901234567",
                "https://shop.vn/",
            ),
            (
                "https://shop.vn/?a=1;tel=0901234567;b=2",
                "https://shop.vn/?a=1;b=2",
            ),
            (
                "https://shop.vn/pay;phone=0901234567/next",
                "https://shop.vn//next",
            ),
            (
                "https://shop.vn/#/pay?phone=0901234567&x=1",
                "https://shop.vn/#/pay?x=1",
            ),
            ("https://shop.vn/#email=lan&x=1", "https://shop.vn/#x=1"),
            ("https://shop.vn/?phone=", "https://shop.vn/?phone="),
            (
                "https://shop.vn/orders/0901234567",
                "https://shop.vn/orders/0901234567",
            ),
            (
                "https://www.tiktok.com/@lan.shop?lang=vi",
                "https://www.tiktok.com/@lan.shop?lang=vi",
            ),
            (
                "https://shop.vn/?ttclid=E.C.P.x#/@name",
                "https://shop.vn/?ttclid=E.C.P.x#/@name",
            ),
            (
                "https://shop.vn/?ttclid=E.C.P.x&email=a@b.vn",
                "https://shop.vn/?ttclid=E.C.P.x",
            ),
        ] {
            let (clean, is_changed) = clean(url).unwrap();
            assert_eq!(clean, left);
            assert_eq!(is_changed, clean != url, "{url}");
        }
        for url in [
            "",
            "shop.vn",
            "/a",
            "ftp://shop.vn",
            "https://",
            "https:///a",
            "https://a@/",
            "https://a\u{7}b",
        ] {
            assert!(clean(url).is_none(), "{url}");
        }
    }
}
