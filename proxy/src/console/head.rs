//! The head of the page: one sentence about whether Duet does its work, and banners that cannot be closed while their condition
//! holds.

use maud::{Markup, html};
use serde::Serialize;

use super::{
    Shared,
    language::Language,
    machine, money,
    paid_orders::PaidOrders,
    recount::Period,
    show::{self, State},
    texts::Texts,
    view::View,
    why,
};
use crate::{admit::MoneyEvents, config::payments::Payments};

/// If the oldest event has been pending for longer than this, the page says that the proxy is slow.
const SLOW_AFTER_MS: i64 = 60 * 1000;

/// The contents of the head.
#[derive(Serialize)]
pub(super) struct Head {
    state: Word,
    /// Why the proxy is slow or stopped.
    cause: Option<Cause>,
    queue_events: i64,
    oldest_ms: i64,
    /// The codes of the configured pixels.
    pixels: Vec<String>,
    banners: Vec<Banner>,
    /// The orders that were paid in the last 24 hours. `None` if no order was paid, or if the orders cannot be read.
    orders: Option<PaidOrders>,
    /// Whether no order was paid in the last 24 hours, though a payment provider is set up.
    #[serde(skip)]
    has_no_orders: bool,
    /// What a person has to look at. `None` if it cannot be read.
    #[serde(skip)]
    needs: Option<Needs>,
}

/// What a person has to look at.
#[derive(Clone, Copy)]
struct Needs {
    /// Events that TikTok refused, or did not get in time.
    letters: usize,
    /// Transfers to check.
    transfers: usize,
}

/// The state of the whole proxy, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Events are accepted and delivered.
    Working,
    /// Events wait for longer than usual, or some pixels get no events.
    Slow,
    /// The proxy cannot accept events, or no pixel gets any.
    Stopped,
}

/// Why the proxy is slow or stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Cause {
    /// The store cannot be written.
    Store,
    /// TikTok refuses the token of this pixel.
    Token(String),
    /// Events for this pixel have been pending for more than 15 minutes.
    Stuck(String),
    /// TikTok does not answer requests for this pixel.
    Down(String),
    /// Events have been pending for more than a minute.
    Waiting,
}

/// A condition that the page states as long as the condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Banner {
    /// All events of this pixel are test events.
    Test {
        pixel: String,
        until_ms: Option<i64>,
    },
    /// A sale that only a page reports is sent at once.
    OpenGate,
    /// No notification of these payment providers has arrived.
    SilentWebhooks { providers: Vec<&'static str> },
    /// Everybody on this machine can open the console.
    NoToken,
}

impl Head {
    /// Reads everything that the head shows.
    pub(super) async fn of(shared: &Shared) -> Self {
        let money = shared.money().await.ok();
        let recount = shared.recount(Period::Day).await.ok();
        let trouble = shared.trouble().await.ok();
        let needs = money.as_ref().zip(trouble).map(|(money, trouble)| Needs {
            letters: trouble.to_review(),
            transfers: money.to_review,
        });
        let is_read = recount.is_some();
        let orders = recount.and_then(|recount| PaidOrders::of(&recount));
        Self {
            has_no_orders: is_read && orders.is_none() && shared.app.payments.is_some(),
            orders,
            needs,
            ..Self::read(shared, money.as_deref()).await
        }
    }

    async fn read(shared: &Shared, money: Option<&money::Money>) -> Self {
        let app = &shared.app;
        let now_ms = app.intake.clock().times().age_ms();
        let oldest_ms = app.health.oldest_waits_ms(now_ms);
        let cause = if app.intake.is_writable().await {
            of_pixels(shared, now_ms)
        } else {
            Some(Cause::Store)
        };
        let cause = cause.or((oldest_ms > SLOW_AFTER_MS).then_some(Cause::Waiting));
        let pixels = app.pixels.now();
        let pixels = pixels.iter().map(|pixel| pixel.id.as_str().to_owned());
        Self {
            state: match cause {
                None => Word::Working,
                Some(Cause::Waiting | Cause::Down(_)) => Word::Slow,
                Some(Cause::Token(_) | Cause::Stuck(_)) if delivers(shared, now_ms) => Word::Slow,
                Some(_) => Word::Stopped,
            },
            cause,
            queue_events: app.metrics.queue_events.get(),
            oldest_ms,
            pixels: pixels.collect(),
            banners: banners(shared, money),
            orders: None,
            has_no_orders: false,
            needs: None,
        }
    }

    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let (kind, word) = match self.state {
            Word::Working => ("good", texts.working),
            Word::Slow => ("odd", texts.slow),
            Word::Stopped => ("bad", texts.stopped),
        };
        html! {
            header #head {
                p.word {
                    (State::new(kind, word))
                    @for pixel in &self.pixels { " " code { (pixel) } }
                }
                p #sentence aria-live="polite" {
                    @if let Some(orders) = self.orders { (orders.sentence(view.language)) " " }
                    @else if self.has_no_orders { (texts.no_orders) " " }
                    (self.sentence(texts, view.language))
                }
                @if let Some(needs) = self.needs { (needs.html(view)) }
                (why::search(view))
                @for banner in &self.banners {
                    p.banner { strong { (texts.attention) } " " (banner.html(texts)) }
                }
            }
        }
    }

    fn sentence(&self, texts: &Texts, language: Language) -> String {
        let events = show::count(self.queue_events.unsigned_abs(), language);
        let oldest = show::span(self.oldest_ms, texts);
        let waiting = || {
            let text = match self.queue_events {
                0 => texts.nothing_waits,
                _ => texts.events_wait,
            };
            let text = text.replace("{events}", &events);
            text.replace("{oldest}", &oldest)
        };
        match &self.cause {
            Some(Cause::Store) => texts.store_stopped.to_owned(),
            Some(Cause::Down(_)) => format!("{} {}", texts.tiktok_down, waiting()),
            Some(Cause::Token(pixel)) => texts.token_stopped.replace("{pixel}", pixel),
            Some(Cause::Stuck(pixel)) => {
                let text = texts.pixel_stuck.replace("{pixel}", pixel);
                text.replace("{oldest}", &oldest)
            }
            None | Some(Cause::Waiting) => waiting(),
        }
    }
}

impl Needs {
    /// Returns a link to each thing that a person has to look at.
    fn html(self, view: &View) -> Markup {
        let texts = view.texts();
        let things = [
            (self.letters, texts.needs_letters, view.link(&[], "trouble")),
            (
                self.transfers,
                texts.needs_transfers,
                view.link(&[("transfers", Some("review"))], "money"),
            ),
        ];
        let things = things.into_iter().filter(|(number, ..)| *number > 0);
        let things: Vec<_> = things
            .map(|(number, [one, several], link)| {
                let text = if number == 1 { one } else { several };
                let number = show::count(number as u64, view.language);
                (text.replace("{number}", &number), link)
            })
            .collect();
        html! {
            @if things.is_empty() {
                p #needs { (texts.needs_nobody) }
            } @else {
                ul #needs role="list" aria-label=(texts.needs) {
                    @for (text, link) in things { li { a href=(link) { (text) } } }
                }
            }
        }
    }
}

impl Banner {
    fn html(&self, texts: &Texts) -> Markup {
        html! {
            @match self {
                Self::Test { pixel, until_ms } => {
                    (texts.test_mode) " " code { (pixel) }
                    @if let Some(until_ms) = until_ms { " " (texts.until) " " (show::time(*until_ms)) }
                }
                Self::OpenGate => (texts.open_gate),
                Self::SilentWebhooks { providers } => { (texts.silent_webhooks) " " strong { (providers.join(", ")) } }
                Self::NoToken => (texts.no_token),
            }
        }
    }
}

/// Returns why one of the configured pixels gets no events. Returns `None` if all of them get their events.
fn of_pixels(shared: &Shared, now_ms: i64) -> Option<Cause> {
    let pixels = machine::pixels(shared, now_ms);
    let of = |state| {
        let mut pixels = pixels.iter();
        let found = pixels.find(|(_, pixel)| pixel.state == state);
        found.map(|(id, _)| id.clone())
    };
    let refused = of(machine::Delivery::Refused).map(Cause::Token);
    let stuck = || of(machine::Delivery::Stuck).map(Cause::Stuck);
    let down = || of(machine::Delivery::Down).map(Cause::Down);
    refused.or_else(stuck).or_else(down)
}

/// Returns whether at least one configured pixel gets its events, by the rule of `/readyz`.
fn delivers(shared: &Shared, now_ms: i64) -> bool {
    let is_delivered = |state| matches!(state, machine::Delivery::Ok | machine::Delivery::Down);
    let pixels = machine::pixels(shared, now_ms);
    pixels.values().any(|pixel| is_delivered(pixel.state))
}

fn banners(shared: &Shared, money: Option<&money::Money>) -> Vec<Banner> {
    let app = &shared.app;
    let pixels = app.pixels.now();
    let tests = pixels.in_test(app.intake.clock().times().day_ms);
    let mut banners: Vec<_> = tests
        .map(|pixel| Banner::Test {
            pixel: pixel.id.as_str().to_owned(),
            until_ms: pixel.test.as_ref().and_then(|test| test.until_ms),
        })
        .collect();
    if app.money == MoneyEvents::Open {
        banners.push(Banner::OpenGate);
    }
    let configured = app.payments.iter().flat_map(Payments::providers);
    let is_silent = |provider: &&'static str| {
        let is_stored = money.is_none_or(|money| money.providers.contains(*provider));
        !is_stored && !shared.samples.has_heard_of(provider)
    };
    let providers: Vec<_> = configured.map(|(name, _)| name).filter(is_silent).collect();
    if !providers.is_empty() {
        banners.push(Banner::SilentWebhooks { providers });
    }
    if !shared.access.needs_token() {
        banners.push(Banner::NoToken);
    }
    banners
}
