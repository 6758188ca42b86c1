//! Sends dead letters again: one dead letter, all of one cause, or all since a time. Before anything is sent, a plan says how
//! many dead letters would be sent. A delivered event is not a dead letter, so it is never sent again.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::cause_of;
use crate::{
    change_log::{By, Change},
    console::{Shared, access, show, view::View},
    decide::LetterId,
    queue::{self, DeadLetters, Error},
};

/// The periods, in hours, whose dead letters can all be sent again.
const HOURS: [i64; 3] = [1, 24, 168];
/// If JavaScript is off, the page shows a command that sends dead letters again. This is the largest number of dead letters
/// that the command names.
const IN_COMMAND: usize = 20;

/// Dead letters that are to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Chosen {
    Letter(LetterId),
    Cause(String),
    /// Letters that ended at this time or later, in Unix milliseconds.
    Since(i64),
}

/// The letters of a request: `letter:ID`, `cause:ID` or `since:MILLISECONDS`.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::console) struct Which {
    which: String,
    /// The newest dead letter of the plan. Dead letters that are newer than the plan are left out.
    until: Option<String>,
}

/// The answer to the question how many dead letters would be sent again.
#[derive(Debug, Serialize)]
struct Plan {
    letters: usize,
    /// The newest letter, for [`Which::until`].
    until: Option<String>,
}

/// The result of sending dead letters again.
#[derive(Debug, Serialize)]
struct Done {
    letters: usize,
}

impl Chosen {
    fn read(text: &str) -> Option<Self> {
        let (kind, value) = text.split_once(':')?;
        match kind {
            "letter" => value.parse().ok().map(Self::Letter),
            "cause" => Some(Self::Cause(value.to_owned())),
            "since" => value.parse().ok().map(Self::Since),
            _ => None,
        }
    }

    /// Returns the chosen letters that are not newer than `until`, the newest first. Reads from the disk.
    fn letters(
        &self,
        letters: &DeadLetters,
        until: Option<LetterId>,
    ) -> Result<Vec<LetterId>, Error> {
        if let Self::Letter(id) = self {
            return Ok(letters.find(*id)?.map(|_| *id).into_iter().collect());
        }
        let mut chosen = Vec::new();
        let mut before = None;
        loop {
            let page = letters.page(before)?;
            let Some((last, oldest)) = page.last() else {
                return Ok(chosen);
            };
            before = Some(*last);
            // The dead letters are sorted by the time at which they ended, so all further ones ended before this time too.
            let is_over = matches!(self, Self::Since(since_ms) if oldest.ended_at_ms < *since_ms);
            for (id, letter) in &page {
                let is_meant = match self {
                    Self::Letter(_) => false,
                    Self::Cause(cause) => cause_of(letter) == *cause,
                    Self::Since(since_ms) => letter.ended_at_ms >= *since_ms,
                };
                if is_meant && until.is_none_or(|until| *id <= until) {
                    chosen.push(*id);
                }
            }
            if is_over {
                return Ok(chosen);
            }
        }
    }
}

impl Which {
    fn read(&self) -> Option<(Chosen, Option<LetterId>)> {
        let until = self.until.as_deref().map(str::parse).transpose().ok()?;
        Some((Chosen::read(&self.which)?, until))
    }
}

/// Answers how many dead letters would be sent again.
pub(in crate::console) async fn plan(
    State(shared): State<Arc<Shared>>,
    Query(which): Query<Which>,
) -> Response {
    let Some((chosen, until)) = which.read() else {
        return unreadable();
    };
    let letters = shared.letters.clone();
    match queue::blocking(move || chosen.letters(&letters, until)).await {
        Ok(ids) => Json(Plan {
            letters: ids.len(),
            until: ids.iter().max().map(ToString::to_string),
        })
        .into_response(),
        Err(error) => failed(&error.to_string()),
    }
}

/// Sends dead letters again.
pub(in crate::console) async fn replay(
    State(shared): State<Arc<Shared>>,
    Json(which): Json<Which>,
) -> Response {
    let Some((chosen, until)) = which.read() else {
        return unreadable();
    };
    let letters = shared.letters.clone();
    let ids = match queue::blocking(move || chosen.letters(&letters, until)).await {
        Ok(ids) => ids,
        Err(error) => return failed(&error.to_string()),
    };
    let done = shared.letters.replay(&ids).await;
    let letters = done.as_ref().map_or_else(|error| error.done, |done| *done);
    if letters > 0 {
        let by = By::Console;
        let change = Change::LettersReplayed { letters, by };
        shared.app.intake.change_log().add(change).await;
    }
    shared.trouble.forget().await;
    match done {
        Ok(letters) => {
            tracing::info!(
                letters,
                which = which.which,
                "dead letters were sent again from the console"
            );
            Json(Done { letters }).into_response()
        }
        Err(interrupted) => failed(&interrupted.to_string()),
    }
}

fn unreadable() -> Response {
    access::error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
        "the field `which` must be letter:ID, cause:ID or since:MILLISECONDS, and the field `until` must be the id of a dead letter",
    )
}

fn failed(message: &str) -> Response {
    tracing::error!(error = message, "dead letters could not be sent again");
    access::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the store cannot be read or written at the moment; try again later",
    )
}

/// Returns a link to the question whether these dead letters shall be sent again.
pub(super) fn link(view: &View, which: &str, text: &str) -> Markup {
    let target = view.link(&[("replay", Some(which))], "replay");
    html! { a.verb href=(target) { (text) } }
}

/// Returns the links for sending all dead letters of a period again.
pub(super) fn since_links(view: &View) -> Markup {
    let texts = view.texts();
    html! {
        (texts.send_all_since) ": "
        @for hours in HOURS {
            a.verb href=(view.link(&[("replay", Some(&format!("hours:{hours}")))], "replay")) {
                (show::span(hours * 3_600_000, texts))
            }
            " "
        }
    }
}

/// The question whether dead letters shall be sent again, with the number of dead letters.
pub(in crate::console) struct Question {
    which: Which,
    letters: usize,
    /// The command that the page shows instead of the button if JavaScript is off.
    command: String,
}

impl Question {
    /// Reads the dead letters of the question that the view contains. Returns `None` if the view contains no question.
    pub(in crate::console) async fn read(shared: &Shared, view: &View) -> Option<Self> {
        let which = match view.part("replay")?.split_once(':')? {
            ("hours", hours) => {
                let hours: i64 = hours.parse().ok()?;
                let now_ms = shared.app.intake.clock().day_ms();
                format!("since:{}", now_ms - hours.checked_mul(3_600_000)?)
            }
            (kind, value) => format!("{kind}:{value}"),
        };
        let chosen = Chosen::read(&which)?;
        let letters = shared.letters.clone();
        let ids = queue::blocking(move || chosen.letters(&letters, None)).await;
        let ids = ids.ok()?;
        let until = ids.iter().max().map(ToString::to_string);
        Some(Self {
            which: Which { which, until },
            letters: ids.len(),
            command: command(&ids),
        })
    }

    pub(in crate::console) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let back = view.link(&[("replay", None)], "trouble");
        let body = serde_json::to_string(&self.which).unwrap_or_default();
        let letters = show::count(self.letters as u64, view.language);
        html! {
            section #replay aria-labelledby="replay-title" {
                h2 #replay-title { (texts.send_again_question) }
                p { (texts.letters_would_be_sent) " " strong { (letters) } }
                @if self.letters > 0 {
                    button type="button" hidden data-post="/console/api/trouble/replay"
                        data-body=(body) data-done=(texts.were_sent_again)
                        data-failed=(texts.not_sent_again) data-undo=(texts.undo) { (texts.send_again) }
                    noscript { p { (texts.replay_command) " " code { (self.command) } } }
                }
                " " a.close href=(back) { (texts.cancel) }
                p #result role="status" {}
            }
        }
    }
}

/// Returns the command that sends the first of these dead letters again.
fn command(ids: &[LetterId]) -> String {
    let first = ids.iter().take(IN_COMMAND);
    first.fold(
        "duet-proxy dead-letters replay".to_owned(),
        |command, id| format!("{command} {id}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_dead_letters_and_not_too_many_of_them() {
        let ids: Vec<LetterId> = ["5-7", "6-0"].map(|id| id.parse().unwrap()).to_vec();
        assert_eq!(command(&ids), "duet-proxy dead-letters replay 5-7 6-0");
        let many = command(&vec![ids[0]; 100]);
        assert_eq!(many.matches("5-7").count(), IN_COMMAND);
    }

    #[test]
    fn only_the_three_forms_choose_letters() {
        assert_eq!(
            Chosen::read("letter:5-7"),
            "5-7".parse().ok().map(Chosen::Letter)
        );
        assert_eq!(
            Chosen::read("cause:ab"),
            Some(Chosen::Cause("ab".to_owned()))
        );
        assert_eq!(Chosen::read("since:12"), Some(Chosen::Since(12)));
        for text in ["", "all", "all:", "letter:x", "since:", "since:yesterday"] {
            assert_eq!(Chosen::read(text), None, "{text}");
        }
    }
}
