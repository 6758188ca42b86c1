//! Texts with several fields: how the page and this module speak.
//!
//! A crossing between JavaScript and WebAssembly costs more than what it carries, so everything a call
//! needs crosses as one text: fields apart by `U+001F`, records by `U+001E`. The page takes both
//! characters out of what it sends, and JSON escapes them, so they cannot occur inside a field.

use alloc::string::String;
use core::str::Split;

/// Between two fields.
pub const FIELD: char = '\u{1f}';
/// Between two records.
pub const RECORD: char = '\u{1e}';

/// The fields of one record, read in order. A missing field reads as an empty one.
#[derive(Clone, Debug)]
pub struct Fields<'a>(Split<'a, char>);

impl<'a> Fields<'a> {
    /// The fields of `record`.
    pub fn of(record: &'a str) -> Self {
        Self(record.split(FIELD))
    }

    /// The next field.
    pub fn text(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }

    /// Whether the next field says `1`.
    pub fn flag(&mut self) -> bool {
        self.text() == "1"
    }

    /// The next field as a whole number; 0 where it is none.
    pub fn number(&mut self) -> u64 {
        number(self.text())
    }
}

/// Reads a whole number; anything else, and what does not fit, is 0.
pub fn number(text: &str) -> u64 {
    text.bytes()
        .try_fold(0u64, |sum, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then(|| sum.wrapping_mul(10).wrapping_add(u64::from(digit)))
        })
        .unwrap_or(0)
}

/// Writes a whole number. The formatting machinery of `core` would be a tenth of the module.
pub fn push_number(out: &mut String, number: u64) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    let digit = u8::try_from(number % 10).unwrap_or_default();
    out.push(char::from(b'0' + digit));
}

/// Joins fields into a record.
pub fn push_record(out: &mut String, fields: &[&str]) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(FIELD);
        }
        out.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_out_in_order_and_missing_ones_are_empty() {
        let mut record = String::new();
        push_record(&mut record, &["a", "", "1", "42"]);
        let mut fields = Fields::of(&record);
        assert_eq!(fields.text(), "a");
        assert_eq!(fields.text(), "");
        assert!(fields.flag());
        assert_eq!(fields.number(), 42);
        assert_eq!(fields.text(), "");
        assert!(!fields.flag());
    }

    #[test]
    fn numbers_read_back_as_they_were_written() {
        for number in [0, 7, 10, 1_767_323_045_123, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
            assert_eq!(super::number(&text), number);
        }
        assert_eq!(super::number("-1"), 0);
        assert_eq!(super::number(""), 0);
    }
}
