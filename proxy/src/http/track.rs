//! The track route: receives events and answers with a result for each event.

use std::net::{IpAddr, SocketAddr};

use axum::{
    BoxError, Json,
    body::{Bytes, HttpBody},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use duet_events::{
    claim::Refusal,
    personal::percent_decoded,
    wire::{Answer, Body as Events, Text, Unreadable},
};
use serde::Serialize;

mod entry;
mod result;

pub use entry::{note, remembered, trace};

use super::{body, caller, click_cookie, client, origin, rejection::Rejection, wait::Wait};
use crate::{
    admit::{Admitted, Caller, Facts, Visitor, admit, is_public},
    app::{App, Shared},
    headers::{any_text, cookies_of},
    pixels::{Configured, From},
};
use entry::{entry, waiters};
use result::{Taken, refused_result, taken_result};

/// The answer to a `GET`. It shows a developer that the address is right.
#[derive(Serialize)]
pub struct Greeting {
    status: &'static str,
    message: &'static str,
    /// The caller's address as the proxy sees it. `null` if this address is private, because the proxy sends no private address
    /// to TikTok. A private address usually means that `DUET_TRUSTED_PROXIES` does not list the web server in front of the
    /// proxy.
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

/// Answers a POST of events.
pub async fn post<B>(app: &Shared, peer: SocketAddr, request: Request<B>) -> Response
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    take(app, peer, request).await.into_response()
}

/// Accepts one event, or up to 100 events. A 202 means that every event reported as accepted is on disk. A 200, only with
/// `?wait`, means that TikTok has answered for these events.
///
/// # Errors
/// Described at [`Rejection`].
async fn take<B>(app: &Shared, peer: SocketAddr, request: Request<B>) -> Result<Response, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (Parts { headers, uri, .. }, body) = request.into_parts();
    let address = client::address(peer, &headers, &app.server.trusted_proxies);
    let caller = caller::of(app, &headers, address)?;
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
    let pixels = app.pixels.now();
    let (judged, cookie) = judge(app, &pixels, &sender, headers, bytes)?;
    let taken = judged.iter().flatten();
    let entries = taken.map(|admitted| entry(admitted, &pixels, caller, address, app));
    let waiters = waiters(wait, &judged, &pixels, app);
    let enqueuing = app.intake.begin(entries)?;
    let told: Vec<_> = judged
        .into_iter()
        .map(|judged| judged.map(|admitted| Taken::of(admitted, caller, app)))
        .collect();
    let mut enqueued = enqueuing.done().await?.into_iter();
    let results = told.into_iter().map(|told| match told {
        Ok(taken) => taken_result(taken, enqueued.next(), app),
        Err(refusal) => refused_result(refusal, app),
    });
    let answer = Answer::to(results.collect()).map_err(Rejection::Invalid)?;
    let mut response = wait.answer(answer, waiters).await;
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// The sender of a request.
struct Sender {
    peer: SocketAddr,
    address: IpAddr,
    caller: Caller,
    visitor: Visitor,
}

type Judged = Vec<Result<Admitted, Refusal>>;

/// Decides about the events of a request. Frees the memory of the request's headers and body before the events are written, so
/// that the connection's next request can use the same memory.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the arguments must be freed at the end"
)]
fn judge(
    app: &Shared,
    pixels: &Configured,
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
    let stated = |name| any_text(&headers, name).filter(|_| browser);
    let (user_agent, referer) = (stated(header::USER_AGENT), stated(header::REFERER));
    let now_ms = app.intake.clock().day_ms();
    let from = if pixels.is_one() {
        From::Anywhere
    } else {
        origin::from(app, sender.peer, &headers, sender.caller)
    };
    let facts = Facts {
        now_ms,
        pixels: &pixels.choice(&from, now_ms),
        sent_at_ms: events.sent_at_ms,
        user_agent: user_agent.as_deref(),
        referer: referer.as_deref(),
        ..facts(app, sender, &headers)
    };
    let events = events.events.into_iter();
    let judged: Judged = events.map(|stated| admit(stated, &facts, random)).collect();
    let cookie = cookie(app, sender, &headers, &judged);
    Ok((judged, cookie))
}

/// Returns the cookie for the click id of these events, if the browser needs the cookie and is allowed to get it.
fn cookie(
    app: &Shared,
    sender: &Sender,
    headers: &HeaderMap,
    judged: &[Result<Admitted, Refusal>],
) -> Option<HeaderValue> {
    let mut taken = judged.iter().flatten();
    let click = taken.find_map(|admitted| admitted.event.user.ttclid.as_deref())?;
    let allowed =
        sender.caller == Caller::Page && origin::may_set_cookies(app, sender.peer, headers);
    click_cookie::cookie(&app.clicks, headers, click, allowed)
}

fn facts<'a>(app: &'a Shared, sender: &'a Sender, headers: &'a HeaderMap) -> Facts<'a> {
    let browser = sender.caller == Caller::Page;
    Facts {
        now_ms: 0,
        sent_at_ms: None,
        caller: sender.caller,
        visitor: &sender.visitor,
        ip: Some(sender.address).filter(|ip| browser && is_public(*ip)),
        user_agent: None,
        referer: None,
        ttclid: cookies_of(headers, "ttclid").map(percent_decoded).collect(),
        ttp: cookies_of(headers, "_ttp").collect(),
        country: app.country,
        pixels: &[],
        money: app.money,
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
