//! The track route: events in, a verdict for each out.

use std::net::{IpAddr, SocketAddr};

use axum::{
    BoxError, Json,
    body::{Bytes, HttpBody},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use duet_events::{
    Event, EventId, EventName, Invalid,
    claim::{PixelLeg, Refusal},
    personal::percent_decoded,
    wire::{Answer, Body as Events, EventResult, Status, Text, Unreadable},
};
use serde::Serialize;

use super::{body, client, origin, rejection::Rejection, wait::Wait};
use crate::{
    admit::{Admitted, Caller, Facts, MoneyEvents, Visitor, admit, is_public},
    app::{App, Shared},
    decide::{Class, DedupKey, Enqueued, Note, Part, Remember},
    metrics::{Metrics, RuleLabel},
    orders::By,
    queue::{Entry, Waiter},
    telemetry::WARNINGS,
};

/// `GET`: somebody wants to know whether this is the place.
#[derive(Serialize)]
pub struct Greeting {
    status: &'static str,
    message: &'static str,
    /// The caller's address as the proxy sees it. `null` when it is private and is sent to nobody: then
    /// `DUET_TRUSTED_PROXIES` lacks the web server in between.
    your_ip: Option<IpAddr>,
}

/// Answers `{"status":"ok", …}`.
pub async fn get(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Json<Greeting> {
    let address = client::address(peer, &headers, &app.server.trusted_proxies);
    Json(Greeting {
        status: "ok",
        message: "POST an event here",
        your_ip: Some(address).filter(|ip| is_public(*ip)),
    })
}

/// Answers what is posted.
pub async fn post<B>(app: &Shared, peer: SocketAddr, request: Request<B>) -> Response
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    take(app, peer, request).await.into_response()
}

/// Takes one event or up to 100. 202 means that every event it calls accepted is on disk; 200, which only
/// `?wait` brings, that TikTok has said what it makes of them.
///
/// # Errors
/// As [`Rejection`] says.
async fn take<B>(app: &Shared, peer: SocketAddr, request: Request<B>) -> Result<Response, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (Parts { headers, uri, .. }, body) = request.into_parts();
    let address = client::address(peer, &headers, &app.server.trusted_proxies);
    let caller = app.caller(&headers, address)?;
    if caller == Caller::Page {
        app.rates.check(address)?;
    }
    let wait = Wait::asked(uri.query(), caller)?;
    drop(uri);
    let visitor = match (&app.clerk, caller) {
        (Some(clerk), Caller::Page) => {
            clerk
                .visitor(&headers, app.intake.clock().reading())
                .await?
        }
        _ => Visitor::Unknown,
    };
    let bytes = body::read(&headers, body).await?;
    let sender = Sender {
        peer,
        address,
        caller,
        visitor,
    };
    let (judged, cookie) = judge(app, &sender, headers, bytes)?;
    let taken = judged.iter().flatten();
    let entries = taken.map(|admitted| entry(admitted, caller, address, app));
    let waiters = waiters(wait, &judged, app);
    let enqueuing = app.intake.begin(entries)?;
    let told: Vec<_> = judged
        .into_iter()
        .map(|judged| judged.map(Taken::from))
        .collect();
    let mut enqueued = enqueuing.done().await?.into_iter();
    let results = told.into_iter().map(|told| match told {
        Ok(taken) => taken_result(taken, enqueued.next(), &app.metrics),
        Err(refusal) => refused_result(refusal, &app.metrics),
    });
    let answer = Answer::to(results.collect()).map_err(Rejection::Invalid)?;
    let mut response = wait.answer(answer, waiters).await;
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Who sends a request.
struct Sender {
    peer: SocketAddr,
    address: IpAddr,
    caller: Caller,
    visitor: Visitor,
}

type Judged = Vec<Result<Admitted, Refusal>>;

/// What is still to be said of an event that is taken, while it is written.
struct Taken {
    name: EventName,
    event_id: EventId,
    warnings: Vec<Invalid>,
}

impl From<Admitted> for Taken {
    fn from(admitted: Admitted) -> Self {
        Self {
            name: admitted.event.name,
            event_id: admitted.event.id,
            warnings: admitted.warnings,
        }
    }
}

/// What is made of the events of a request. Nothing is kept of the request itself: while its events are written,
/// the memory it was read into takes the connection's next one.
#[allow(
    clippy::needless_pass_by_value,
    reason = "what is passed is to be gone afterwards"
)]
fn judge(
    app: &Shared,
    sender: &Sender,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(Judged, Option<HeaderValue>), Rejection> {
    let text = Text::read(&body);
    let events = Events::open(&text).map_err(unreadable)?;
    if sender.caller == Caller::Page {
        app.rates.check_body(sender.address, events.events.len())?;
    }
    let browser = sender.caller == Caller::Page;
    let stated = |name| client::any_text(&headers, name).filter(|_| browser);
    let (user_agent, referer) = (stated(header::USER_AGENT), stated(header::REFERER));
    let facts = Facts {
        sent_at_ms: events.sent_at_ms,
        user_agent: user_agent.as_deref(),
        referer: referer.as_deref(),
        ..facts(app, sender, &headers)
    };
    let events = events.events.into_iter();
    let judged: Judged = events.map(|stated| admit(stated, &facts, random)).collect();
    let cookie = click_cookie(app, sender, &headers, &judged);
    Ok((judged, cookie))
}

/// The cookie for a click that this browser brought and does not remember.
fn click_cookie(
    app: &Shared,
    sender: &Sender,
    headers: &HeaderMap,
    judged: &[Result<Admitted, Refusal>],
) -> Option<HeaderValue> {
    let mut taken = judged.iter().flatten();
    let click = taken.find_map(|admitted| admitted.event.user.ttclid.as_deref())?;
    let allowed =
        sender.caller == Caller::Page && origin::may_set_cookies(app, sender.peer, headers);
    app.clicks.cookie(headers, click, allowed)
}

fn taken_result(taken: Taken, enqueued: Option<Enqueued>, metrics: &Metrics) -> EventResult {
    let status = match enqueued {
        Some(Enqueued::Duplicate) => Status::Duplicate,
        Some(Enqueued::Held) => Status::Held,
        Some(Enqueued::Accepted) | None => Status::Accepted,
    };
    if status == Status::Duplicate {
        metrics.duplicate.inc();
    }
    metrics.warned(&taken.warnings);
    for Invalid { rule, message, .. } in &taken.warnings {
        let (event, event_id) = (taken.name.as_str(), taken.event_id.as_str());
        tracing::warn!(target: WARNINGS, event, event_id, %rule, "{message}");
    }
    EventResult {
        event_id: Some(taken.event_id.into()),
        status,
        errors: Vec::new(),
        warnings: taken.warnings,
    }
}

fn refused_result(refusal: Refusal, metrics: &Metrics) -> EventResult {
    if let Some(first) = refusal.errors.first() {
        let rule = first.rule.to_string();
        metrics.invalid.get_or_create(&RuleLabel { rule }).inc();
    }
    EventResult {
        event_id: refusal.event_id,
        status: Status::Invalid,
        errors: refusal.errors,
        warnings: Vec::new(),
    }
}

fn facts<'a>(app: &'a Shared, sender: &'a Sender, headers: &'a HeaderMap) -> Facts<'a> {
    let now_ms = app.intake.clock().day_ms();
    let browser = sender.caller == Caller::Page;
    Facts {
        now_ms,
        sent_at_ms: None,
        caller: sender.caller,
        visitor: &sender.visitor,
        ip: Some(sender.address).filter(|ip| browser && is_public(*ip)),
        user_agent: None,
        referer: None,
        ttclid: client::cookies_of(headers, "ttclid")
            .map(percent_decoded)
            .collect(),
        ttp: client::cookies_of(headers, "_ttp").collect(),
        country: app.country,
        pixel_id: &app.destination.pixel_id,
        test_event_code: app.test_event_code_at(now_ms),
        money: app.money,
    }
}

fn entry<'a>(
    admitted: &'a Admitted,
    caller: Caller,
    address: IpAddr,
    app: &Shared,
) -> Entry<'a, Event> {
    let event = &admitted.event;
    let destination = app.destination(admitted.test_event_code.as_deref());
    Entry {
        key: DedupKey::of(&destination, &event.name, &event.id),
        remember: remembered(event),
        destination,
        class: class(&event.name, caller, app, address),
        pixel: admitted.pixel.map_or("unknown", PixelLeg::as_str),
        note: note(admitted, caller, app.money),
        event,
    }
}

/// Money goes first: all of it that the shop's servers state, and so much of each address that no stranger can fill the
/// first class. An event that waits for its payment goes first once that is there.
fn class(name: &EventName, caller: Caller, app: &Shared, address: IpAddr) -> Class {
    let is_first = name.is_money()
        && match caller {
            Caller::Server => true,
            Caller::Page => !app.money.holds(name, caller) && app.first_class.has_one(address),
        };
    if is_first {
        Class::First
    } else {
        Class::Second
    }
}

/// For every event that was taken, somebody who waits for its end; nobody where the caller does not.
fn waiters(wait: Wait, judged: &[Result<Admitted, Refusal>], app: &Shared) -> Vec<Waiter> {
    match wait {
        Wait::Not | Wait::Ignored => Vec::new(),
        Wait::For(_) => judged
            .iter()
            .flatten()
            .map(|admitted| app.intake.waiter(key(admitted, app)))
            .collect(),
    }
}

fn key(admitted: &Admitted, app: &Shared) -> DedupKey {
    let destination = app.destination(admitted.test_event_code.as_deref());
    DedupKey::of(&destination, &admitted.event.name, &admitted.event.id)
}

/// What an event means for the order it names.
pub fn note(admitted: &Admitted, caller: Caller, money: MoneyEvents) -> Option<Note> {
    let event = &admitted.event;
    let order_id = event.properties.order_id.clone();
    let order_id = order_id.filter(|_| !admitted.is_rehearsal)?;
    let part = match event.name.as_str() {
        _ if money.holds(&event.name, caller) => Part::Claims,
        "InitiateCheckout" | "AddPaymentInfo" | "PlaceAnOrder" => Part::Begins,
        _ if event.name.is_money() => Part::Reports,
        _ => Part::Mentions,
    };
    let by = match caller {
        Caller::Page => By::Page,
        Caller::Server => By::Server,
    };
    Some(Note { order_id, by, part })
}

/// How long a repeat of the event is recognised.
pub fn remembered(event: &Event) -> Remember {
    if event.properties.order_id.is_some() {
        Remember::Days90
    } else {
        Remember::Hours48
    }
}

fn unreadable(unreadable: Unreadable) -> Rejection {
    match unreadable {
        Unreadable::NotJson => Rejection::NotJson,
        Unreadable::Shape(errors) => Rejection::broken(errors),
    }
}

fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use duet_events::Claim;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_repeat_is_recognised_for_48_hours_and_for_90_days_with_an_order() {
        let of = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            let claim = Claim::read((&*raw).into(), None).unwrap();
            remembered(&claim.into_event(EventId::parse("a").unwrap(), 1))
        };
        assert_eq!(of(r#"{"event":"Lead"}"#), Remember::Hours48);
        let order = r#"{"event":"Lead","properties":{"order_id":"A"}}"#;
        assert_eq!(of(order), Remember::Days90);
    }
}
