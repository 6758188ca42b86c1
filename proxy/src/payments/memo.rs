//! Memos: what a payer typed, after banks were done with it.
//!
//! Banks drop `_`, `-`, dots and accents, change case, put words of their own around a memo, and cut it off.
//! So an order's id is compared as its letters and digits in capitals, [`normalised`], and a memo is asked for
//! everything in it that could be one, the most certain first. Which of these orders exist, and what follows
//! when several do, is for the caller to decide.

use std::{fmt, ops::Range};

mod order_pattern;
mod plain;

pub use order_pattern::OrderPattern;
pub use plain::normalised;

use plain::Plain;

/// How many characters of each text are looked at; a bank's memo has at most 210.
pub const LOOKED_AT: usize = 256;
/// The longest id that is found in a text.
pub const LONGEST: usize = 40;
/// The shortest id that is found anywhere in a text.
pub const ANYWHERE: usize = 8;
/// The shortest id that is found where it stands as a word.
pub const AS_A_WORD: usize = 4;

/// The texts that came with a transfer. They can hold names, and do not print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Memo {
    /// What the provider itself recognised as a payment code.
    pub code: Option<String>,
    /// What the payer wrote.
    pub content: String,
    /// The bank's whole message.
    pub description: String,
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo([redacted])")
    }
}

/// What might be an order's id.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// How certain it is; the most certain is the smallest.
    pub strength: Strength,
    /// Where it stands, counted in the letters and digits of the text it was found in.
    pub span: Range<usize>,
    /// Whether it begins where a word of the text begins, and ends where one ends.
    pub is_whole: bool,
    /// The id, [`normalised`].
    pub text: String,
    /// The id as the shop's template spells it, where the shop's pattern found it.
    pub rebuilt: Option<String>,
}

/// How certain it is that a [`Candidate`] is meant as an order's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// The provider recognised it.
    Code,
    /// The shop's pattern found it in what the payer wrote.
    ContentPattern,
    /// The shop's pattern found it in the bank's message.
    DescriptionPattern,
    /// It stands in what the payer wrote.
    Content,
    /// It stands in the bank's message.
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
    /// Whether both have letters of the text in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.strength.same_text(other.strength)
            && self.span.start < other.span.end
            && other.span.start < self.span.end
    }

    /// Whether this is a piece of `other`: it is found only because it is part of something longer.
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

    /// Everything in the memo that might be an order's id: by strength, of the same strength the longest
    /// first. Some 17,000 at the most; they are made as they are asked for.
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

/// Every part of `text` that is long enough.
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
