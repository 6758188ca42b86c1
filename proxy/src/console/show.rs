//! Shows tables, times, numbers and amounts, in the reader's language.

use std::collections::BTreeMap;

use maud::{Markup, Render, html};

use super::{language::Language, texts::Texts};
use crate::money::Money;

/// One row of a table.
pub(super) struct Row {
    /// The id by which the script finds the row again.
    pub(super) id: String,
    pub(super) cells: Vec<Markup>,
}

/// Returns a table. The first cell of each row names the row. On a narrow screen, each cell is shown as a line with the name of
/// its column. Because of the roles, screen readers still read the table as a table.
pub(super) fn table(id: &str, caption: &str, columns: &[&str], rows: Vec<Row>) -> Markup {
    html! {
        table id=(id) role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns {
                        th scope="col" role="columnheader" { (column) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" id=(row.id) {
                        @for (index, (cell, column)) in row.cells.iter().zip(columns).enumerate() {
                            @if index == 0 {
                                th scope="row" role="rowheader" data-column=(column) { (cell) }
                            } @else {
                                td role="cell" data-column=(column) { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A section of the page that can be folded.
pub(super) struct Section<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What is said beside the title, also while the section is folded.
    pub(super) note: Option<Markup>,
    /// Whether the view has opened a part of it.
    pub(super) is_open: bool,
}

impl Section<'_> {
    /// Returns the section with this content. On a wide screen the script unfolds it.
    pub(super) fn of(self, content: &Markup) -> Markup {
        let title = format!("{}-title", self.id);
        html! {
            section id=(self.id) aria-labelledby=(title) {
                details open[self.is_open] {
                    summary {
                        h2 id=(title) { (self.title) }
                        @if let Some(note) = self.note { " " span.said { (note) } }
                    }
                    (content)
                }
            }
        }
    }
}

/// Returns a time. The script replaces the text by the reader's local time.
pub(super) fn time(at_ms: i64) -> Markup {
    let at = jiff::Timestamp::from_millisecond(at_ms - at_ms.rem_euclid(1000));
    let text = at.map(|at| at.to_string()).unwrap_or_default();
    let (day, hour) = text.split_once('T').unwrap_or_default();
    html! {
        time datetime=(text) { (day) " " (hour.trim_end_matches('Z')) " UTC" }
    }
}

/// Returns a duration in its largest unit: `3 min`.
pub(super) fn span(ms: i64, texts: &Texts) -> String {
    let seconds = ms.max(0) / 1000;
    let (number, unit) = match seconds {
        ..60 => (seconds, texts.seconds),
        60..3600 => (seconds / 60, texts.minutes),
        3600..172_800 => (seconds / 3600, texts.hours),
        _ => (seconds / 86_400, texts.days),
    };
    format!("{number} {unit}")
}

/// Returns a short duration in milliseconds: `120 ms`.
pub(super) fn brief(ms: i64, texts: &Texts) -> String {
    if (0..1000).contains(&ms) {
        format!("{ms} {}", texts.milliseconds)
    } else {
        span(ms, texts)
    }
}

/// Returns a number with its digits in groups of three: `1,240`, or `1.240` in Vietnamese.
pub(super) fn count(number: u64, language: Language) -> String {
    grouped(&number.to_string(), language)
}

/// Returns an amount of money with its currency: `99,000 ₫`, `29.00 USD`.
pub(super) fn amount(money: Money, language: Language) -> String {
    let text = money.to_string();
    let (number, currency) = text.split_once(' ').unwrap_or((&text, ""));
    let currency = if currency == "VND" { "₫" } else { currency };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = grouped(whole, language);
    let point = match (fraction, language) {
        ("", _) => "",
        (_, Language::English) => ".",
        (_, Language::Vietnamese) => ",",
    };
    format!("{whole}{point}{fraction} {currency}")
}

/// Returns amounts of several currencies.
pub(super) fn amounts(sums: &BTreeMap<&'static str, Money>, language: Language) -> String {
    let amounts: Vec<_> = sums.values().map(|sum| amount(*sum, language)).collect();
    if amounts.is_empty() {
        "–".to_owned()
    } else {
        amounts.join(", ")
    }
}

fn grouped(digits: &str, language: Language) -> String {
    let separator = match language {
        Language::English => ',',
        Language::Vietnamese => '.',
    };
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

/// A state: a shape for readers who do not see colours, and a word.
pub(super) struct State {
    /// `good`, `odd` or `bad`.
    pub(super) kind: &'static str,
    pub(super) word: String,
}

impl State {
    pub(super) fn new(kind: &'static str, word: impl Into<String>) -> Self {
        let word = word.into();
        Self { kind, word }
    }
}

impl Render for State {
    fn render(&self) -> Markup {
        let shape = match self.kind {
            "good" => "●",
            "odd" => "◐",
            _ => "■",
        };
        html! {
            span.state data-state=(self.kind) {
                span aria-hidden="true" { (shape) } " " (self.word)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn numbers_are_written_as_readers_of_the_language_write_them() {
        let of = |minor, currency| Money::of_minor(minor, currency).unwrap();
        for (language, thousand, dong, dollars) in [
            (Language::English, "1,240", "99,000 ₫", "1,029.50 USD"),
            (Language::Vietnamese, "1.240", "99.000 ₫", "1.029,50 USD"),
        ] {
            assert_eq!(count(1_240, language), thousand);
            assert_eq!(amount(of(99_000, Currency::VND), language), dong);
            let usd = Currency::parse("USD").unwrap();
            assert_eq!(amount(of(102_950, usd), language), dollars);
        }
        assert_eq!(count(0, Language::English), "0");
        assert_eq!(count(100, Language::English), "100");
    }

    #[test]
    fn a_duration_has_its_largest_unit() {
        let texts = Language::English.texts();
        for (ms, expected) in [
            (-5, "0 s"),
            (59_999, "59 s"),
            (180_000, "3 min"),
            (3_600_000, "1 h"),
            (47 * 3_600_000, "47 h"),
            (72 * 3_600_000, "3 d"),
        ] {
            assert_eq!(span(ms, texts), expected);
        }
    }

    #[test]
    fn a_time_says_that_it_is_utc_until_the_script_knows_better() {
        let shown = time(1_767_323_045_123).into_string();
        assert_eq!(
            shown,
            "<time datetime=\"2026-01-02T03:04:05Z\">2026-01-02 03:04:05 UTC</time>"
        );
    }
}
