//! The HTML of the console.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Html,
};
use maud::{DOCTYPE, Markup, html};

use super::{
    Shared, counted::Counted, head::Head, language::Language, machine::Machine, matching::Match,
    money::Money, trouble, trouble::Trouble, view::View, why,
};
use crate::queue::Error;

/// The sections, in the order of the page.
pub(super) const SECTIONS: [&str; 7] = [
    "head", "counted", "trouble", "money", "live", "match", "machine",
];

/// Returns the page.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Html<String> {
    let view = View::of(query.as_deref(), &headers);
    let texts = view.texts();
    let question = trouble::Question::read(&shared, &view).await;
    let answer = why::answer(&shared, &view).await;
    let mut sections = Vec::new();
    for section in SECTIONS {
        sections.push(of_section(&shared, section, &view).await);
    }
    let live = format!("/console/live?{}", view.query());
    document(
        &view,
        &html! {
            header.bar {
                h1 { (texts.title) }
                nav aria-label=(texts.sections) {
                a href="#counted" { (texts.counted) } " "
                a href="#trouble" { (texts.trouble) } " "
                a href="#money" { (texts.money) } " "
                a href="#live" { (texts.live) } " "
                a href="#match" { (texts.match_keys) } " "
                a href="#machine" { (texts.machine) }
                }
                button #pause type="button" hidden aria-pressed="false" data-since=(texts.paused_since) { (texts.pause) } " "
                button #help-button type="button" hidden { (texts.help) }
            }
            p #paused role="status" {}
            p #offline role="status" hidden { (texts.offline) }
            dialog #help aria-label=(texts.help) {
                p { (texts.help_keys) }
                form method="dialog" { button { (texts.close) } }
            }
            main data-live=(live) {
                @for (number, section) in sections.iter().enumerate() {
                    (section)
                    @if number == 0 {
                        @if let Some(answer) = &answer { (answer) }
                        @if let Some(question) = &question { (question.html(&view)) }
                    }
                }
            }
            @if shared.access.needs_token() {
                button type="button" hidden data-post="/console/sign-out" data-then="/" { (texts.sign_out) }
            }
            script src="/console/console.js" defer {}
        },
    )
}

/// Returns one section of the page.
pub(super) async fn of_section(shared: &Arc<Shared>, section: &str, view: &View) -> Markup {
    match section {
        "head" => Head::of(shared).await.html(view),
        "trouble" => {
            let since_ms = shared.app.intake.clock().day_ms() - view.period().lasts_ms();
            readable(
                section,
                shared.trouble().await,
                view,
                |trouble: &Trouble, view| trouble.html(view, since_ms),
            )
        }
        "money" => readable(section, shared.money().await, view, Money::html),
        "counted" => {
            let read = shared.recount(view.period()).await;
            readable(section, read, view, |recount, view| {
                Counted::of(recount, view.period()).html(view)
            })
        }
        "match" => {
            let read = shared.recount(view.period()).await;
            readable(section, read, view, |recount, view| {
                Match::of(recount, view.period()).html(view)
            })
        }
        "machine" => Machine::read(shared).await.html(view),
        _ => {
            let now_ms = shared.app.intake.clock().day_ms();
            shared.live.latest(view, now_ms).html(view)
        }
    }
}

/// Returns a section. If the store cannot be read, returns a sentence instead of the section.
fn readable<T>(
    section: &str,
    read: Result<Arc<T>, Error>,
    view: &View,
    show: impl Fn(&T, &View) -> Markup,
) -> Markup {
    let Ok(read) = read else {
        return html! {
            section id=(section) { p.trouble { (view.texts().not_readable) } }
        };
    };
    show(&read, view)
}

/// Returns the form that asks for the token.
pub(super) fn sign_in(view: &View, trouble: Option<&str>) -> Html<String> {
    let texts = view.texts();
    let form = html! {
        main.sign-in {
            h1 { (texts.title) }
            form method="post" action="/console/sign-in" {
                input type="hidden" name="view" value=(view.query());
                label for="token" { (texts.token) }
                input #token type="password" name="token" required autofocus
                    autocomplete="current-password" aria-describedby="hint";
                p #hint { (texts.sign_in_hint) }
                @if let Some(trouble) = trouble {
                    p.trouble role="alert" { (trouble) }
                }
                button { (texts.sign_in) }
            }
        }
    };
    document(view, &form)
}

/// Returns a whole page with this content.
fn document(view: &View, content: &Markup) -> Html<String> {
    let texts = view.texts();
    let other: Language = view.language.other();
    let translated = format!("/?{}", view.changed(&[("lang", Some(other.tag()))]));
    let page = html! {
        (DOCTYPE)
        html lang=(view.language.tag()) data-theme=[view.part("theme")] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (texts.title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/console/console.css";
            }
            body {
                (content)
                footer {
                    a href=(translated) hreflang=(other.tag()) lang=(other.tag()) { (texts.other_language) }
                    @for (theme, text) in [("dark", texts.dark), ("light", texts.light)] {
                        @let is_chosen = view.part("theme") == Some(theme);
                        " · " a href=(format!("/?{}", view.changed(&[("theme", (!is_chosen).then_some(theme))])))
                            aria-current=[is_chosen.then_some("true")] { (text) }
                    }
                    " · " (texts.version) " " (env!("CARGO_PKG_VERSION"))
                }
            }
        }
    };
    Html(page.into_string())
}
