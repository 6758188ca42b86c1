//! Reduces a text to its letters and digits, in capitals and without accents.

use std::{iter, ops::Range};

use super::{Candidate, LOOKED_AT, Strength};

/// Returns the form of an order's id by which ids are compared: only the letters and digits, in capitals and without
/// accents.
pub fn normalised(order_id: &str) -> String {
    order_id
        .chars()
        .filter_map(folded)
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

/// The beginning of a text, both with and without the characters between its words.
pub(super) struct Plain {
    /// The text in capitals, without accents.
    pub(super) written: String,
    /// Only the letters and digits of the text.
    pub(super) bare: String,
    /// For each byte of `written`, how many bytes of `bare` come before it.
    before: Vec<usize>,
    /// The words of the text, as ranges in `bare`. The list has the words between spaces, and also the words between
    /// punctuation.
    words: Vec<Range<usize>>,
}

impl Plain {
    pub(super) fn of(text: &str) -> Self {
        let mut plain = Self {
            written: String::new(),
            bare: String::new(),
            before: Vec::new(),
            words: Vec::new(),
        };
        let (mut spaced, mut signed) = (0, 0);
        for char in text.chars().take(LOOKED_AT).filter_map(folded) {
            let at = plain.bare.len();
            plain.before.extend(iter::repeat_n(at, char.len_utf8()));
            plain.written.push(char);
            if char.is_ascii_alphanumeric() {
                plain.bare.push(char);
                continue;
            }
            plain.words.push(signed..at);
            signed = at;
            if char.is_whitespace() {
                plain.words.push(spaced..at);
                spaced = at;
            }
        }
        let end = plain.bare.len();
        plain.before.push(end);
        plain.words.extend([signed..end, spaced..end]);
        plain
            .words
            .sort_unstable_by_key(|word| (word.start, word.end));
        plain.words.dedup();
        plain
    }

    pub(super) fn len(&self) -> usize {
        self.bare.len()
    }

    /// Returns the range in `bare` for a range in `written`.
    pub(super) fn bared(&self, span: &Range<usize>) -> Option<Range<usize>> {
        Some(*self.before.get(span.start)?..*self.before.get(span.end)?)
    }

    /// Returns every range of `bare` that has this length.
    pub(super) fn windows(&self, length: usize) -> Vec<Range<usize>> {
        let starts = (self.len() + 1).saturating_sub(length);
        (0..starts).map(|start| start..start + length).collect()
    }

    /// Returns every word that has this length.
    pub(super) fn words_of(&self, length: usize) -> Vec<Range<usize>> {
        let words = self.words.iter().filter(|word| word.len() == length);
        words.cloned().collect()
    }

    /// Returns the candidate at this range of `bare`.
    pub(super) fn candidate(&self, strength: Strength, span: Range<usize>) -> Option<Candidate> {
        let text = self
            .bare
            .get(span.clone())
            .filter(|text| !text.is_empty())?;
        let words = || self.words.iter().filter(|word| !word.is_empty());
        Some(Candidate {
            strength,
            is_whole: words().any(|word| word.start == span.start)
                && words().any(|word| word.end == span.end),
            text: text.to_owned(),
            span,
            rebuilt: None,
        })
    }
}

/// Returns the character as banks write it: as a capital letter without an accent. Returns `None` for a separate accent.
fn folded(char: char) -> Option<char> {
    const LETTERS: [(char, &str); 7] = [
        ('A', "ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ"),
        ('D', "Đ"),
        ('E', "ÈÉẺẼẸÊỀẾỂỄỆ"),
        ('I', "ÌÍỈĨỊ"),
        ('O', "ÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ"),
        ('U', "ÙÚỦŨỤƯỪỨỬỮỰ"),
        ('Y', "ỲÝỶỸỴ"),
    ];
    if char.is_ascii() {
        return Some(char.to_ascii_uppercase());
    }
    if ('\u{300}'..='\u{36f}').contains(&char) {
        return None;
    }
    let capital = char.to_uppercase().next().unwrap_or(char);
    let base = LETTERS.iter().find(|(_, with)| with.contains(capital));
    Some(base.map_or(capital, |(base, _)| *base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_compared_without_case_accents_and_signs() {
        for (id, plain) in [
            ("PHO_SUB_1762228747088_ntk3u9", "PHOSUB1762228747088NTK3U9"),
            ("đơn-01", "DON01"),
            ("ĐƠN 01", "DON01"),
            // The same letters, but with the accents as separate characters.
            ("\u{111}o\u{31b}n-01", "DON01"),
            ("Nguyễn Thị Ỷ Ưỡn", "NGUYENTHIYUON"),
            ("订单-7", "7"),
            ("", ""),
        ] {
            assert_eq!(normalised(id), plain, "{id}");
        }
    }

    #[test]
    fn every_vietnamese_letter_has_its_base() {
        let letters =
            "aàảãáạăằẳẵắặâầẩẫấậ eèẻẽéẹêềểễếệ iìỉĩíị oòỏõóọôồổỗốộơờởỡớợ uùủũúụưừửữứự yỳỷỹýỵ dđ";
        for group in letters.split(' ') {
            let base = group[..1].to_uppercase();
            for letter in group.chars() {
                assert_eq!(normalised(&letter.to_string()), base, "{letter}");
            }
        }
    }
}
