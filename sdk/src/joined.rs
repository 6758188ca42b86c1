//! Texts with several fields: how the page and this module speak.
//!
//! A crossing between JavaScript and WebAssembly costs more than what it carries, so everything a call
//! needs crosses as one text: fields apart by `U+001F`, records by `U+001E`. The page takes both
//! characters out of what it sends, and JSON escapes them, so they cannot occur inside a field.
//!
//! The standard library's ways to split and to format would be a tenth of the module each; these are
//! a hundred bytes.

use alloc::string::String;

const FIELD: u8 = 0x1f;
const RECORD: u8 = 0x1e;

/// The fields of one record, read in order. A missing field reads as an empty one.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a str);

impl<'a> Fields<'a> {
    /// The next field.
    pub fn text(&mut self) -> &'a str {
        cut(&mut self.0, FIELD)
    }

    /// Whether the next field says `1`.
    pub fn flag(&mut self) -> bool {
        !self.text().is_empty()
    }

    /// The next field as a whole number; 0 where it is none.
    pub fn number(&mut self) -> u64 {
        number(self.text())
    }

    /// The field after `skipped` others.
    pub fn nth(mut self, skipped: usize) -> &'a str {
        for _ in 0..skipped {
            self.text();
        }
        self.text()
    }
}

/// The records of a text, read in order.
#[derive(Clone, Debug)]
pub struct Records<'a>(pub &'a str);

impl<'a> Iterator for Records<'a> {
    type Item = Fields<'a>;

    fn next(&mut self) -> Option<Fields<'a>> {
        (!self.0.is_empty()).then(|| Fields(cut(&mut self.0, RECORD)))
    }
}

/// Takes the part before the first `separator`, an ASCII character, off `rest`.
#[inline(never)]
pub fn cut<'a>(rest: &mut &'a str, separator: u8) -> &'a str {
    let end = rest
        .bytes()
        .position(|byte| byte == separator)
        .unwrap_or(rest.len());
    let part = rest.get(..end).unwrap_or_default();
    *rest = rest.get(end + 1..).unwrap_or_default();
    part
}

/// Reads a whole number; the page writes nothing else.
pub fn number(text: &str) -> u64 {
    text.bytes().fold(0, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return 0;
        }
        u64::wrapping_add(sum.wrapping_mul(10), digit.into())
    })
}

/// Writes a whole number.
pub fn push_number(out: &mut String, number: u64) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    let digit = u8::try_from(number % 10).unwrap_or_default();
    out.push(char::from(b'0' + digit));
}

/// Appends `text`. One call instead of the growing and copying it stands for.
#[inline(never)]
pub fn put(out: &mut String, text: &str) {
    out.push_str(text);
}

/// Appends a field to those that are there.
#[inline(never)]
pub fn put_field(out: &mut String, field: &str) {
    put(out, "\u{1f}");
    put(out, field);
}

/// Appends a member with a text to a JSON object that is still open, unless the text is empty. Only
/// texts that JSON takes as they are go through here: digests, ids, words.
#[inline(never)]
pub fn put_member(object: &mut String, name: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    if !object.ends_with('{') {
        put(object, ",");
    }
    for part in ["\"", name, "\":\"", text, "\""] {
        put(object, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_out_in_order_and_missing_ones_are_empty() {
        let mut fields = Fields("a\u{1f}\u{1f}1\u{1f}42");
        assert_eq!(fields.nth(3), "42");
        assert_eq!(fields.text(), "a");
        assert_eq!(fields.text(), "");
        assert!(fields.flag());
        assert_eq!(fields.number(), 42);
        assert_eq!(fields.text(), "");
        assert!(!fields.flag());
    }

    #[test]
    fn records_come_out_in_order() {
        let texts = |text| Records(text).map(|record| record.0).collect::<Vec<_>>();
        assert_eq!(texts("đ\u{1f}b\u{1e}c"), ["đ\u{1f}b", "c"]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn an_object_has_commas_between_its_members_only() {
        let mut object = String::from("{");
        put_member(&mut object, "none", "");
        put_member(&mut object, "a", "x");
        put_member(&mut object, "b", "1");
        assert_eq!(object, r#"{"a":"x","b":"1""#);
    }

    #[test]
    fn numbers_read_back_as_they_were_written() {
        for number in [0, 7, 10, 1_767_323_045_123, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
            assert_eq!(super::number(&text), number);
        }
        assert_eq!(super::number("x"), 0);
        assert_eq!(super::number(""), 0);
    }
}
