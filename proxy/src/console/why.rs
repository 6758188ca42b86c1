//! The section *Why*: what happened to an order, an event, a request to TikTok or a transfer, which step is missing, and what
//! to do.

use maud::{Markup, html};

use super::{
    Shared,
    language::Language,
    show::{self, Row, State},
    texts::Texts,
    view::View,
};
use crate::{
    evidence,
    why::{Cause, Chain, Text},
};

/// The longest id that is searched for.
const LONGEST: usize = 256;

/// Returns the search box. The id that is searched for is a part of the view.
pub(super) fn search(view: &View) -> Markup {
    let texts = view.texts();
    html! {
        form.search action="/#why" role="search" aria-label=(texts.search) {
            @for (name, value) in view.others("why") {
                input type="hidden" name=(name) value=(value);
            }
            label for="search" { (texts.search) }
            input #search type="search" name="why" value=(view.part("why").unwrap_or_default())
                maxlength=(LONGEST) autocomplete="off" spellcheck="false";
            button { (texts.search_button) }
        }
    }
}

/// Returns the answer to the search, if the view has one.
pub(super) async fn answer(shared: &Shared, view: &View) -> Option<Markup> {
    let id = view
        .part("why")
        .map(str::trim)
        .filter(|id| !id.is_empty())?;
    let id: String = id.chars().take(LONGEST).collect();
    let chain = evidence::why(&shared.app, id).await;
    Some(chain.map_or_else(
        |_| html! { section #why { p.trouble { (view.texts().not_readable) } } },
        |chain| html(&chain, view),
    ))
}

/// Returns the link to the answer for an id.
pub(super) fn link(view: &View, id: &str) -> Markup {
    html! { a.id href=(view.link(&[("why", Some(id))], "why")) { (id) } }
}

fn html(chain: &Chain, view: &View) -> Markup {
    let texts = view.texts();
    let words = |text: &Text| match view.language {
        Language::English => text.en.clone(),
        Language::Vietnamese => text.vi.clone(),
    };
    let steps = chain.steps.iter().enumerate().map(|(number, step)| Row {
        id: format!("why-{number}"),
        cells: vec![show::time(step.at_ms), html! { (words(&step.says)) }],
    });
    let (kind, word) = state(chain, texts);
    html! {
        section #why aria-labelledby="why-title" {
            h2 #why-title { (texts.why) " " code { (chain.id) } }
            p {
                (State::new(kind, word)) " "
                button type="button" hidden data-copy="#why" { (texts.copy) } " "
                a.close href=(view.link(&[("why", None)], "head")) { (texts.close) }
            }
            @if let Some(order_id) = &chain.order_id { p { (texts.missing_columns[0]) " " (link(view, order_id)) } }
            @for found in &chain.causes {
                p.cause { strong { (words(&found.says)) } br; (words(&found.next)) }
            }
            @if !chain.steps.is_empty() {
                (show::table("why-steps", texts.why_steps, &texts.why_columns, steps.collect()))
            }
        }
    }
}

/// Returns the state as a shape and words. An event that waits has another shape than an event that is lost.
fn state(chain: &Chain, texts: &Texts) -> (&'static str, &'static str) {
    match (chain.missing, chain.causes.first()) {
        _ if !chain.is_known => ("odd", texts.unknown_id),
        (None, _) => ("good", texts.nothing_missing),
        (_, Some(first)) if first.cause.is_pending() => ("odd", texts.waiting),
        (_, Some(first)) if first.cause == Cause::Held => ("odd", texts.held_event),
        _ => ("bad", texts.step_missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::Missing;

    #[test]
    fn the_advice_for_a_refused_event_names_the_button_and_the_command() {
        let Text { en, vi } = Cause::Refused.next();
        for (text, language) in [(en, Language::English), (vi, Language::Vietnamese)] {
            let texts = language.texts();
            for name in [texts.trouble, texts.send_again, "dead-letters replay"] {
                assert!(text.contains(name), "{name} is not in {text}");
            }
        }
    }

    #[test]
    fn an_event_that_waits_is_not_shown_like_a_lost_one() {
        let texts = Language::English.texts();
        let chain = |cause: Cause| Chain {
            id: "ORDER1".to_owned(),
            order_id: None,
            is_known: true,
            steps: Vec::new(),
            missing: Some(Missing::Delivery),
            causes: vec![cause.into(), Cause::Duplicate.into()],
        };
        for (cause, expected) in [
            (Cause::TikTokDown, ("odd", "waits for TikTok")),
            (Cause::Throttled, ("odd", "waits for TikTok")),
            (Cause::Held, ("odd", "waits for a payment")),
            (Cause::Refused, ("bad", "a step is missing")),
            (Cause::Unpaid, ("bad", "a step is missing")),
        ] {
            assert_eq!(state(&chain(cause), texts), expected, "{cause:?}");
        }
    }
}
