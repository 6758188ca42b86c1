//! Memos: text that a payer typed and that banks then changed.
//!
//! Banks remove `_`, `-`, dots and accents. They change small letters to capitals, add words before and after a memo, and
//! cut off its end. Ids are therefore compared by their letters and digits in capitals (see [`normalised`]). This module
//! finds every part of a memo that could be an order's id, the most certain parts first. The caller looks up which of
//! these orders exist, and decides what to do if there are several.

use std::{fmt, ops::Range};

mod order_pattern;
mod plain;

pub use order_pattern::OrderPattern;
pub use plain::normalised;

use plain::Plain;

/// How many characters of each text are searched. A bank's memo has at most 210 characters.
pub const LOOKED_AT: usize = 256;
/// The longest id that the search finds in a text.
pub const LONGEST: usize = 40;
/// The shortest id that the search finds anywhere in a text, also inside a word.
pub const ANYWHERE: usize = 8;
/// The shortest id that the search finds as a whole word.
pub const AS_A_WORD: usize = 4;

/// The texts that came with a transfer. The texts can contain names of people, so this type cannot be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Memo {
    /// The text that the provider recognised as a payment code.
    pub code: Option<String>,
    /// The text that the payer wrote.
    pub content: String,
    /// The bank's whole message.
    pub description: String,
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo([redacted])")
    }
}

/// A text that might be an order's id.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// How certain it is that the text is an order's id. The smallest value means the most certain.
    pub strength: Strength,
    /// The position of the candidate in the searched text. Only letters and digits are counted.
    pub span: Range<usize>,
    /// Whether the candidate begins at the beginning of a word and ends at the end of a word.
    pub is_whole: bool,
    /// The candidate in its [`normalised`] form.
    pub text: String,
    /// The id as the shop's template spells it. `None` if the shop's pattern did not find the candidate.
    pub rebuilt: Option<String>,
}

/// How certain it is that a [`Candidate`] is an order's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// The provider recognised the id.
    Code,
    /// The shop's pattern found the id in the payer's text.
    ContentPattern,
    /// The shop's pattern found the id in the bank's message.
    DescriptionPattern,
    /// The payer's text contains the id.
    Content,
    /// The bank's message contains the id.
    Description,
}

impl Strength {
    fn same_text(self, other: Self) -> bool {
        let content = |strength| matches!(strength, Self::Content | Self::ContentPattern);
        let code = |strength| strength == Self::Code;
        content(self) == content(other) && code(self) == code(other)
    }
}

impl Candidate {
    /// Whether the two candidates share letters of the same text.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.strength.same_text(other.strength)
            && self.span.start < other.span.end
            && other.span.start < self.span.end
    }

    /// Whether this candidate is only a piece of the longer candidate `other`.
    pub fn lies_inside(&self, other: &Self) -> bool {
        self.strength.same_text(other.strength)
            && self.span.len() < other.span.len()
            && other.span.start <= self.span.start
            && self.span.end <= other.span.end
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({:?}, {:?})", self.strength, self.span)
    }
}

impl Memo {
    /// Whether the text in which `candidate` was found spells an order's id exactly.
    pub fn spells(&self, candidate: &Candidate, order_id: &str) -> bool {
        let text = match candidate.strength {
            Strength::Code => self.code.as_deref().unwrap_or_default(),
            Strength::Content | Strength::ContentPattern => &self.content,
            Strength::Description | Strength::DescriptionPattern => &self.description,
        };
        candidate.rebuilt.as_deref() == Some(order_id) || text.contains(order_id)
    }

    /// Returns every text in the memo that might be an order's id, sorted by strength. Among candidates of the same
    /// strength, the longest comes first. There are at most about 17,000 candidates, and the iterator makes each one only
    /// when it is needed.
    pub fn candidates(&self, pattern: Option<&OrderPattern>) -> impl Iterator<Item = Candidate> {
        let code = self.code.as_deref().map(Plain::of);
        let code = code.and_then(|code| code.candidate(Strength::Code, 0..code.len()));
        let content = Plain::of(&self.content);
        let description = Plain::of(&self.description);
        let rebuilt = pattern.map(|pattern| {
            let mut rebuilt = pattern.candidates(&content, Strength::ContentPattern);
            rebuilt.extend(pattern.candidates(&description, Strength::DescriptionPattern));
            rebuilt
        });
        code.into_iter()
            .chain(rebuilt.into_iter().flatten())
            .chain(pieces(content, Strength::Content))
            .chain(pieces(description, Strength::Description))
    }
}

/// Returns every part of `text` that is long enough to be an id.
fn pieces(text: Plain, strength: Strength) -> impl Iterator<Item = Candidate> {
    (AS_A_WORD..=LONGEST).rev().flat_map(move |length| {
        let spans = if length >= ANYWHERE {
            text.windows(length)
        } else {
            text.words_of(length)
        };
        let found = spans.into_iter().map(|span| text.candidate(strength, span));
        found.flatten().collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests;
