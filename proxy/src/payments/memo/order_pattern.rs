//! The shop's own pattern of its order ids. With this pattern the proxy finds ids in memos that banks have changed.

use std::{cmp::Reverse, fmt, ops::Range};

use regex_lite::{Captures, Regex, RegexBuilder};

use super::{Candidate, Strength, normalised, plain::Plain};

/// `SEPAY_ORDER_PATTERN` and `SEPAY_ORDER_TEMPLATE`. The pattern describes an id in a memo, and the template restores the
/// original id. For example, `([0-9]{13})([0-9A-Z]{6})` with `PHO_SUB_$1_$2` finds `PHO_SUB_1762228747088_NTK3U9` in
/// `phohat 1762228747088NTK3U9 FT25308`.
#[derive(Clone)]
pub struct OrderPattern {
    regex: Regex,
    template: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Text(String),
    Group(usize),
}

impl OrderPattern {
    /// Compiles a regular expression and a template. The expression is matched against text in capitals. In the template,
    /// `$1` or `${1}` means the text of the first group, `$0` means the whole match, and `$$` means a dollar sign.
    ///
    /// # Errors
    /// Returns a message that states why the expression or the template cannot be used.
    pub fn new(pattern: &str, template: &str) -> Result<Self, &'static str> {
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()
            .map_err(|_| "must be a regular expression")?;
        let template = parts(template)
            .ok_or("each $ in SEPAY_ORDER_TEMPLATE must be followed by the number of a group, by {number} or by $")?;
        let exists = |part: &Part| match part {
            Part::Text(_) => true,
            Part::Group(group) => *group < regex.captures_len(),
        };
        if !template.iter().all(exists) {
            return Err(
                "must have a group in parentheses for each number that SEPAY_ORDER_TEMPLATE names, such as ([0-9]+) for $1",
            );
        }
        if !template.iter().any(|part| matches!(part, Part::Group(_))) {
            return Err(
                "SEPAY_ORDER_TEMPLATE must name a group such as $1, because otherwise every memo would name the same order",
            );
        }
        Ok(Self { regex, template })
    }

    /// Returns all ids that the pattern finds in `text`. The search begins at every position, and searches the text with
    /// and without punctuation. The longest match comes first.
    pub(super) fn candidates(&self, text: &Plain, strength: Strength) -> Vec<Candidate> {
        let written = self.matches(&text.written).into_iter();
        let written = written.filter_map(|(span, id)| Some((text.bared(&span)?, id)));
        let mut found: Vec<_> = written
            .chain(self.matches(&text.bare))
            .map(|(span, id)| Candidate {
                strength,
                span,
                // The shop's own pattern defines where an id begins and ends.
                is_whole: true,
                text: normalised(&id),
                rebuilt: Some(id),
            })
            .filter(|found| !found.span.is_empty() && !found.text.is_empty())
            .collect();
        found.sort_by_key(|found| (Reverse(found.span.len()), found.span.start));
        found.dedup();
        found
    }

    fn matches(&self, haystack: &str) -> Vec<(Range<usize>, String)> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(captures) = self.regex.captures_at(haystack, from) {
            let Some(whole) = captures.get(0) else { break };
            found.push((whole.range(), self.rebuilt(&captures)));
            // The next search begins one character later, and not after the match. Digits before an id can be a part of
            // the first match, and a later search then finds the id itself.
            let rest = haystack.get(whole.start()..).unwrap_or_default();
            let Some(next) = rest.chars().next() else {
                break;
            };
            from = whole.start() + next.len_utf8();
        }
        found
    }

    fn rebuilt(&self, captures: &Captures<'_>) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(group) => captures
                .get(*group)
                .map_or_else(String::new, |group| group.as_str().to_owned()),
        };
        self.template.iter().map(part).collect()
    }
}

impl fmt::Debug for OrderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrderPattern({})", self.regex.as_str())
    }
}

/// Splits a template into its parts. For example, `$1_$2` has two groups with a `_` between them.
fn parts(template: &str) -> Option<Vec<Part>> {
    let mut pieces = template.split('$');
    let mut parts = vec![Part::Text(pieces.next()?.to_owned())];
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            parts.push(Part::Text(format!("${}", pieces.next()?)));
            continue;
        }
        let (group, rest) = if let Some(braced) = piece.strip_prefix('{') {
            braced.split_once('}')?
        } else {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            piece.split_at_checked(digits)?
        };
        parts.push(Part::Group(group.parse().ok()?));
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, template: &str, text: &str) -> Vec<String> {
        let pattern = OrderPattern::new(pattern, template).unwrap();
        let found = pattern.candidates(&Plain::of(text), Strength::ContentPattern);
        found.into_iter().map(|candidate| candidate.text).collect()
    }

    const PATTERN: &str = "([0-9]{13})([0-9A-Z]{6})";

    #[test]
    fn an_id_is_rebuilt_from_what_a_bank_left_of_it() {
        let id = "PHOSUB1762228747088NTK3U9".to_owned();
        for memo in [
            "phohat Premium Plan monthly billing RUCSIA1762228747088NTK3U9 FT25308710231543",
            "PHO SUB 1762228747088 ntk3u9",
            "pho_sub_1762228747088_ntk3u9",
            "1 7 6 2 2 2 8 7 4 7 0 8 8 N T K 3 U 9",
        ] {
            for template in ["PHO_SUB_$1_$2", "PHO_SUB_${1}_${2}", "pho_sub_$1$2"] {
                assert!(
                    found(PATTERN, template, memo).contains(&id),
                    "{memo} {template}"
                );
            }
        }
        assert!(found(PATTERN, "PHO_SUB_$1_$2", "no id here").is_empty());
    }

    #[test]
    fn digits_in_front_of_an_id_do_not_hide_it() {
        let found = found(PATTERN, "$1$2", "9991762228747088NTK3U9");
        assert!(found.contains(&"1762228747088NTK3U9".to_owned()));
    }

    #[test]
    fn a_template_says_what_it_means() {
        assert_eq!(found("(B)(A)?", "$$${2}X$1Y$0", "b"), ["XBYB"]);
        assert_eq!(found("x*", "$0", "yyy"), Vec::<String>::new());
        assert_eq!(found("[a-c]{3}", "$0", "ABC"), ["ABC"]);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (pattern, template) in [
            ("(", "$1"),
            (PATTERN, "$3"),
            (PATTERN, "PHO"),
            (PATTERN, "$"),
            (PATTERN, "$x"),
            (PATTERN, "${1"),
            (PATTERN, "${}"),
            (PATTERN, "$99999999999999999999999"),
            ("(a{1000}){1000}", "$0"),
        ] {
            assert!(
                OrderPattern::new(pattern, template).is_err(),
                "{pattern} {template}"
            );
        }
    }
}
