//! The latest entries of the change log: starts, new readings of the pixels, and actions of operators.

use maud::{Markup, html};
use serde::Serialize;

use super::{
    show::{self, Row},
    texts::Texts,
    view::View,
};
use crate::{
    change_log::{By, Change, Compared, Entry},
    decide::{LetterId, Logged},
    queue::{ChangeLog, Error},
};

/// The largest number of changes that the page shows.
const SHOWN: usize = 10;

/// The changes, the newest first.
#[derive(Serialize)]
pub(super) struct Changes {
    pub(super) changes: Vec<Listed>,
}

/// One change.
#[derive(Serialize)]
pub(super) struct Listed {
    /// When the change was made, in Unix milliseconds.
    at_ms: i64,
    #[serde(flatten)]
    entry: Entry,
    #[serde(skip)]
    id: LetterId,
}

impl Changes {
    /// Reads the change log from the disk.
    pub(super) fn read(log: &ChangeLog) -> Result<Self, Error> {
        Ok(Self::of(log.read()?))
    }

    fn of(logged: Logged) -> Self {
        let listed = logged.entries.into_iter().rev();
        let listed = listed.map(|(id, entry)| Listed {
            at_ms: id.ended_at_ms(),
            entry,
            id,
        });
        Self {
            changes: listed.collect(),
        }
    }

    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        if self.changes.is_empty() {
            return html! { p #changes { (texts.no_changes) } };
        }
        let newest = self.changes.iter().take(SHOWN);
        let rows = newest.map(|listed| Row {
            id: format!("change-{}", listed.id),
            cells: vec![show::time(listed.at_ms), listed.html(view)],
        });
        html! {
            (show::table("changes", texts.changes, &texts.change_columns, rows.collect()))
            p.export {
                a href="/console/api/changes?format=csv" download { "CSV" } " "
                a href="/console/api/changes?format=ndjson" download { "NDJSON" }
            }
        }
    }
}

impl Listed {
    fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let counted = |text: &str, number: usize, by: By| {
            let number = show::count(number as u64, view.language);
            format!("{} {}", text.replace("{number}", &number), texts.by(by))
        };
        html! {
            @if let Some(number) = self.entry.proxy { (texts.proxy_columns[0]) " " (number) ": " }
            @match &self.entry.change {
                Change::Started { version, compared, settings } => {
                    (texts.started.replace("{version}", version)) " "
                    (differences(*compared, settings, texts))
                }
                Change::PixelsRead { pixels } => {
                    (texts.pixels_read.replace("{number}", &pixels.to_string()))
                }
                Change::LettersReplayed { letters, by } => {
                    (counted(texts.letters_replayed, *letters, *by))
                }
                Change::LettersDropped { letters, by } => {
                    (counted(texts.letters_dropped, *letters, *by))
                }
                Change::OrderWithdrawn { events, by } => {
                    (counted(texts.order_withdrawn, *events, *by))
                }
            }
        }
    }
}

/// Returns in words which settings differ from the previous start.
fn differences(compared: Compared, settings: &[String], texts: &Texts) -> Markup {
    let words = match (compared, settings) {
        (Compared::Nothing, _) => texts.first_start,
        (Compared::Values, []) => texts.same_settings,
        (Compared::Values, _) => texts.other_settings,
        (Compared::Names, []) => texts.other_token,
        (Compared::Names, _) => texts.other_token_and_names,
    };
    html! {
        (words)
        @for (index, name) in settings.iter().enumerate() {
            @if index > 0 { "," } " " code { (name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn shown(language: &str, changes: Vec<Change>) -> String {
        let entries = changes.into_iter().zip(1_u64..).map(|(change, number)| {
            let id = LetterId::new(1_767_323_045_000, number);
            let entry = Entry {
                proxy: Some(2),
                change,
            };
            (id, entry)
        });
        let logged = Logged {
            entries: entries.collect(),
            fingerprints: None,
        };
        let view = View::of(Some(language), &HeaderMap::new());
        Changes::of(logged).html(&view).into_string()
    }

    fn start(compared: Compared, settings: &[&str]) -> Change {
        Change::Started {
            version: "1.2.3".to_owned(),
            compared,
            settings: settings.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn each_change_is_a_sentence_in_both_languages() {
        let by = By::Console;
        for (change, english, vietnamese) in [
            (
                start(Compared::Nothing, &[]),
                "Proxy 2: The proxy started, version 1.2.3. No earlier start is recorded, so the settings could not be compared.",
                "Proxy 2: Proxy khởi động, phiên bản 1.2.3. Chưa ghi lần khởi động nào trước đó, nên không so sánh được cài đặt.",
            ),
            (
                start(Compared::Values, &[]),
                "The settings are the same as at the previous start.",
                "Các cài đặt giống lần khởi động trước.",
            ),
            (
                start(Compared::Values, &["A", "B"]),
                "Settings that differ from the previous start: <code>A</code>, <code>B</code>",
                "Cài đặt khác lần khởi động trước: <code>A</code>, <code>B</code>",
            ),
            (
                start(Compared::Names, &["A"]),
                "were added or removed: <code>A</code>",
                "được thêm hoặc bỏ: <code>A</code>",
            ),
            (
                Change::PixelsRead { pixels: 3 },
                "The proxy read the settings of the pixels again. Number of pixels now: 3.",
                "Proxy đã đọc lại cài đặt của các pixel. Số pixel hiện nay: 3.",
            ),
            (
                Change::LettersReplayed { letters: 1_240, by },
                "Dead letters sent again: 1,240 (console)",
                "Sự kiện không giao được đã gửi lại: 1.240 (bảng điều khiển)",
            ),
            (
                Change::LettersDropped { letters: 2, by },
                "Dead letters removed: 2 (console)",
                "Sự kiện không giao được đã xóa: 2 (bảng điều khiển)",
            ),
            (
                Change::OrderWithdrawn {
                    events: 0,
                    by: By::Command,
                },
                "One order withdrawn. Events that waited for its payment, and were not sent: 0 (command)",
                "Một đơn hàng bị rút. Số sự kiện chờ thanh toán của đơn và không được gửi: 0 (dòng lệnh)",
            ),
        ] {
            for (language, expected) in [("lang=en", english), ("lang=vi", vietnamese)] {
                let html = shown(language, vec![change.clone()]);
                assert!(html.contains(expected), "{html}");
            }
        }
    }

    #[test]
    fn the_newest_change_is_first_and_an_empty_log_says_so() {
        let change = |pixels| Change::PixelsRead { pixels };
        let html = shown("lang=en", (1..=11).map(change).collect());
        let place = |text: &str| html.find(text);
        assert!(place("pixels now: 11.") < place("pixels now: 2."), "{html}");
        assert_eq!(place("pixels now: 1."), None);
        assert!(html.contains("/console/api/changes?format=csv"), "{html}");
        let empty = shown("lang=en", Vec::new());
        assert!(
            empty.contains("No change has been recorded yet."),
            "{empty}"
        );
    }
}
