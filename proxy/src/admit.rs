//! Decides whether an event is accepted. The input is the event as its sender states it, and the facts of its request. The
//! result is an accepted event, or the rules that the event breaks. The decision is pure: time, random bytes and facts are
//! arguments.

use std::net::IpAddr;

use duet_events::{
    Claim, Country, Event, EventId, EventName, Hashed, Invalid, Rule, address,
    claim::{PixelLeg, Refusal, Stated, TestCode},
    invalid::MAX_WARNINGS,
    rule::{leave_out, reject, remark},
    user::usable_key,
};

pub use duet_events::user::is_public;

/// The sender of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A browser, or any other client without the server key.
    Page,
    /// One of the shop's own servers, which has sent the server key.
    Server,
}

/// Whether the proxy accepts a payment that only a page reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyEvents {
    /// The proxy accepts and sends the event at once.
    Open,
    /// The proxy holds the event until its order is paid.
    Verified,
}

impl MoneyEvents {
    /// Returns whether an event with this name from this caller is held until its order is paid.
    pub fn holds(self, name: &EventName, caller: Caller) -> bool {
        self == Self::Verified && caller == Caller::Page && name.is_money()
    }
}

/// The visitor who sent a page's request, as far as this is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// The request contains no proof of its visitor.
    Unknown,
    /// A user who is signed in. The value is the digest of the user's id.
    User(Hashed),
    /// A member of the shop's staff who is signed in as another user.
    Impersonated,
}

/// A pixel of the shop, and whether the events of one request can go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixel<'a> {
    /// The pixel code.
    pub id: &'a str,
    /// The test event code, if all events of this pixel are test events.
    pub test_event_code: Option<&'a str>,
    /// Whether events of this request are allowed to name this pixel.
    pub is_open: bool,
}

/// The facts of a request that the proxy knows without trusting the sender.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// When the request arrived, in Unix milliseconds.
    pub now_ms: i64,
    /// When the sender sent the request, by the sender's own clock.
    pub sent_at_ms: Option<i64>,
    /// The sender of the request.
    pub caller: Caller,
    /// The user who is signed in.
    pub visitor: &'a Visitor,
    /// The browser's public address.
    pub ip: Option<IpAddr>,
    /// The browser's user agent.
    pub user_agent: Option<&'a str>,
    /// The page's address, from the `Referer` header.
    pub referer: Option<&'a str>,
    /// The values of all `ttclid` cookies. A browser can have a cookie of this name for each path and domain.
    pub ttclid: Vec<String>,
    /// The values of all `_ttp` cookies.
    pub ttp: Vec<&'a str>,
    /// The country of phone numbers without a country code.
    pub country: Option<Country>,
    /// The pixels of the shop. Events without a `pixel_id` go to the first pixel in this list.
    pub pixels: &'a [Pixel<'a>],
    /// Whether the proxy accepts a payment that only a page reports.
    pub money: MoneyEvents,
}

/// An accepted event.
#[derive(Debug)]
pub struct Admitted {
    /// The complete event.
    pub event: Event,
    /// The code of the pixel that receives the event.
    pub pixel_id: String,
    /// What happened to the copy of the event that TikTok's Pixel sends from the page. `None` if the sender does not state it.
    pub pixel: Option<PixelLeg>,
    /// The test event code. `None` means that this is not a test event.
    pub test_event_code: Option<String>,
    /// Whether only the caller made this event a test event: the test event code in the event differs from the pixel's own
    /// test event code. Such an event does not change an order.
    pub is_rehearsal: bool,
    /// Warnings about fields of the event that were repaired, were left out, or look wrong.
    pub warnings: Vec<Invalid>,
}

/// Decides about one event. `random` is used for the event's id if the sender states no id and no order.
///
/// # Errors
/// Every rule that the event breaks.
pub fn admit(
    stated: Stated<'_>,
    facts: &Facts<'_>,
    random: impl FnOnce() -> Option<[u8; 16]>,
) -> Result<Admitted, Refusal> {
    let mut claim = Claim::read(stated, facts.country)?;
    let decided = decide(&mut claim, facts, random);
    let Decided {
        time,
        pixel,
        own_code,
        id,
    } = decided.map_err(|broken| Refusal {
        event_id: claim.id.as_ref().map(|id| id.as_str().to_owned()),
        errors: vec![broken],
    })?;
    Ok(Admitted {
        is_rehearsal: own_code
            .as_deref()
            .is_some_and(|code| pixel.test_event_code != Some(code)),
        pixel_id: pixel.id.to_owned(),
        pixel: claim.pixel,
        test_event_code: own_code.or_else(|| pixel.test_event_code.map(str::to_owned)),
        warnings: std::mem::take(&mut claim.warnings),
        event: claim.into_event(id, time),
    })
}

/// The decisions about an event.
struct Decided<'a> {
    /// When the event happened, in Unix seconds.
    time: i64,
    pixel: Pixel<'a>,
    own_code: Option<String>,
    id: EventId,
}

/// Completes the claim with the facts of the request, and makes the decisions about the event.
fn decide<'a>(
    claim: &mut Claim,
    facts: &Facts<'a>,
    random: impl FnOnce() -> Option<[u8; 16]>,
) -> Result<Decided<'a>, Invalid> {
    let time = claim.happened_at(facts.sent_at_ms, facts.now_ms)?;
    let pixel = pixel(claim, facts.pixels)?;
    apply_caller(claim, facts)?;
    let own_code = own_code(claim)?;
    if facts.money.holds(&claim.name, facts.caller) && claim.properties.order_id.is_none() {
        return Err(Invalid::of(&reject::REQUIRED, "properties.order_id"));
    }
    complete(claim, facts);
    if !claim.user.is_matchable() {
        warn(claim, "user", &remark::MATCH_KEYS);
    }
    Ok(Decided {
        time,
        pixel,
        own_code,
        id: id(claim, random)?,
    })
}

/// Returns the pixel that an event names, or the default pixel if the event names none.
fn pixel<'a>(claim: &Claim, pixels: &[Pixel<'a>]) -> Result<Pixel<'a>, Invalid> {
    let pixel = match claim.pixel_id.as_deref() {
        None => pixels.first(),
        Some(stated) => pixels.iter().find(|pixel| pixel.id == stated),
    };
    let unknown = || Invalid::of(&reject::UNKNOWN_PIXEL, "pixel_id");
    let pixel = pixel.ok_or_else(unknown)?;
    let closed = || Invalid::of(&reject::PIXEL_ORIGIN, "pixel_id");
    pixel.is_open.then_some(*pixel).ok_or_else(closed)
}

/// Applies the facts that are proven about the caller. The user id of a session replaces the user id that a page states. Some
/// fields are accepted only from servers, so they are removed from an event of a page.
fn apply_caller(claim: &mut Claim, facts: &Facts<'_>) -> Result<(), Invalid> {
    match facts.visitor {
        Visitor::Unknown => {}
        Visitor::User(user) => believe_the_session(claim, user),
        Visitor::Impersonated => return Err(Invalid::of(&reject::IMPERSONATED, "user")),
    }
    if facts.caller == Caller::Page {
        claim.check_id()?;
        believe_the_request_only(claim);
    }
    Ok(())
}

fn own_code(claim: &mut Claim) -> Result<Option<String>, Invalid> {
    match claim.test_event_code.take() {
        None => Ok(None),
        Some(TestCode::Text(code)) if is_code(&code) => Ok(Some(code)),
        Some(TestCode::Text(_)) => Err(Invalid::of(&reject::FORMAT, "test_event_code")),
        Some(TestCode::Unusable(broken)) => Err(broken),
    }
}

/// Returns the event's own id, the id derived from its order, or a random id.
fn id(claim: &mut Claim, random: impl FnOnce() -> Option<[u8; 16]>) -> Result<EventId, Invalid> {
    match (claim.id.take(), &claim.properties.order_id) {
        (Some(id), _) => Ok(id),
        (None, Some(order_id)) => Ok(EventId::derive(claim.name.as_str(), order_id)),
        (None, None) => {
            let id = random().map(EventId::from_random);
            id.ok_or_else(|| Invalid::of(&reject::RANDOM, "event_id"))
        }
    }
}

/// Returns whether this text has the form of a TikTok test event code.
pub fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Removes fields that a page is not allowed to state: an address, a user agent, a test event code.
fn believe_the_request_only(claim: &mut Claim) {
    if claim.user.ip.take().is_some() {
        warn(claim, "user.ip", &leave_out::SERVER_KEY);
    }
    if claim.user.user_agent.take().is_some() {
        warn(claim, "user.user_agent", &leave_out::SERVER_KEY);
    }
    if claim.test_event_code.take().is_some() {
        warn(claim, "test_event_code", &leave_out::SERVER_KEY);
    }
}

/// Uses the id of the signed-in user instead of the user id in the event.
fn believe_the_session(claim: &mut Claim, user: &Hashed) {
    let stated = std::mem::replace(&mut claim.user.external_id, vec![user.clone()]);
    if stated.iter().any(|stated| stated != user) {
        warn(claim, "user.external_id", &leave_out::SESSION);
    }
}

fn warn(claim: &mut Claim, field: &'static str, rule: &Rule) {
    if claim.warnings.len() < MAX_WARNINGS {
        claim.warnings.push(Invalid::of(rule, field));
    }
}

fn first_usable<T: AsRef<str>>(cookies: &[T]) -> Option<String> {
    let mut cookies = cookies.iter();
    cookies.find_map(|cookie| usable_key(cookie.as_ref()).ok())
}

fn complete(claim: &mut Claim, facts: &Facts<'_>) {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    if claim.page.url.is_none() {
        claim.page.url = facts
            .referer
            .and_then(address::clean)
            .map(|(address, _)| address);
    }
    let user = &mut claim.user;
    user.ip = user.ip.or(facts.ip.map(|ip| ip.to_canonical()));
    user.user_agent = user.user_agent.take().or_else(|| owned(facts.user_agent));
    // If the address or a cookie contains a macro that TikTok did not replace, such as `__CLICKID__`, it contains no click id.
    // Another source's click id is then used.
    let click = claim.page.click().or_else(|| user.ttclid.take());
    user.ttclid = click.or_else(|| first_usable(&facts.ttclid));
    user.ttp = user.ttp.take().or_else(|| first_usable(&facts.ttp));
}

#[cfg(test)]
mod tests;
