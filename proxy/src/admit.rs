//! Decides: an event as its sender states it, and what the request itself shows -> an event that is
//! taken, or the rules it breaks. Pure: time, randomness and the request come in as arguments.

use std::net::IpAddr;

use duet_events::{
    Claim, Country, Event, EventId, EventName, Hashed, Invalid, Rule, address,
    claim::{PixelLeg, Refusal, Stated, TestCode},
    invalid::MAX_WARNINGS,
    rule::{leave_out, reject, remark},
    user::usable_key,
};

pub use duet_events::user::is_public;

/// Who sends an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A browser, or anybody who says so.
    Page,
    /// One of the shop's own servers, which proved it with the server key.
    Server,
}

/// Whether a page's word for a payment is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyEvents {
    /// It is taken as it is.
    Open,
    /// It waits until its order is paid.
    Verified,
}

impl MoneyEvents {
    /// Whether such an event of such a caller waits until its order is paid.
    pub fn holds(self, name: &EventName, caller: Caller) -> bool {
        self == Self::Verified && caller == Caller::Page && name.is_money()
    }
}

/// Whom a page's request is proven to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Nothing is proven.
    Unknown,
    /// A user who is signed in, by the digest of the id.
    User(Hashed),
    /// One of the shop's own people, looking at it as a user sees it.
    Impersonated,
}

/// What the proxy knows without asking the sender.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// When the request came, in Unix milliseconds.
    pub now_ms: i64,
    /// When the batch was sent by its sender's clock.
    pub sent_at_ms: Option<i64>,
    /// Who sends it.
    pub caller: Caller,
    /// Who is signed in there.
    pub visitor: &'a Visitor,
    /// The browser's public address.
    pub ip: Option<IpAddr>,
    /// The browser's user agent.
    pub user_agent: Option<&'a str>,
    /// The page's address, from the `Referer` header.
    pub referer: Option<&'a str>,
    /// The `ttclid` cookies; a browser may have one for each path and domain.
    pub ttclid: Vec<String>,
    /// The `_ttp` cookies.
    pub ttp: Vec<&'a str>,
    /// Where phone numbers without a country code belong.
    pub country: Option<Country>,
    /// The pixel events go to.
    pub pixel_id: &'a str,
    /// The code while all traffic is test traffic.
    pub test_event_code: Option<&'a str>,
    /// Whether a page's word for a payment is taken.
    pub money: MoneyEvents,
}

/// An event that is taken.
#[derive(Debug)]
pub struct Admitted {
    /// The event, complete.
    pub event: Event,
    /// What became of the Pixel's copy.
    pub pixel: Option<PixelLeg>,
    /// The code that makes it a test event.
    pub test_event_code: Option<String>,
    /// Its caller alone calls it a test: it says nothing of real orders.
    pub is_rehearsal: bool,
    /// What was repaired, left out or looks odd.
    pub warnings: Vec<Invalid>,
}

/// Judges one event. `random` makes its id where neither the sender nor an order gives one.
///
/// # Errors
/// Every rule it breaks.
pub fn admit(
    stated: Stated<'_>,
    facts: &Facts<'_>,
    random: impl FnOnce() -> Option<[u8; 16]>,
) -> Result<Admitted, Refusal> {
    let mut claim = Claim::read(stated, facts.country)?;
    let decided = decide(&mut claim, facts, random);
    let (time, own_code, id) = decided.map_err(|broken| Refusal {
        event_id: claim.id.as_ref().map(|id| id.as_str().to_owned()),
        errors: vec![broken],
    })?;
    Ok(Admitted {
        is_rehearsal: own_code
            .as_deref()
            .is_some_and(|code| facts.test_event_code != Some(code)),
        pixel: claim.pixel,
        test_event_code: own_code.or_else(|| facts.test_event_code.map(str::to_owned)),
        warnings: std::mem::take(&mut claim.warnings),
        event: claim.into_event(id, time),
    })
}

/// The event's time in Unix seconds, its own test event code and its id. Completes the claim with the request's facts.
fn decide(
    claim: &mut Claim,
    facts: &Facts<'_>,
    random: impl FnOnce() -> Option<[u8; 16]>,
) -> Result<(i64, Option<String>, EventId), Invalid> {
    let time = claim.happened_at(facts.sent_at_ms, facts.now_ms)?;
    let pixel_id = claim.pixel_id.as_deref();
    if pixel_id.is_some_and(|stated| stated != facts.pixel_id) {
        return Err(Invalid::of(&reject::UNKNOWN_PIXEL, "pixel_id"));
    }
    apply_caller(claim, facts)?;
    let own_code = own_code(claim)?;
    if facts.money.holds(&claim.name, facts.caller) && claim.properties.order_id.is_none() {
        return Err(Invalid::of(&reject::REQUIRED, "properties.order_id"));
    }
    complete(claim, facts);
    if !claim.user.is_matchable() {
        warn(claim, "user", &remark::MATCH_KEYS);
    }
    Ok((time, own_code, id(claim, random)?))
}

/// Applies what is proven of the caller: a session outranks what a page states, and a page may not state everything.
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

/// The event's own id, its order's, or a random one.
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

/// Whether TikTok can have given this test event code.
pub fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A page cannot say whose address it has, nor turn real traffic into a test.
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

/// Who is signed in is proven; whatever else the page says about it is not.
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
    // A macro in the address, or in a cookie that one has left behind, is no click and hides none.
    let click = claim.page.click().or_else(|| user.ttclid.take());
    user.ttclid = click.or_else(|| first_usable(&facts.ttclid));
    user.ttp = user.ttp.take().or_else(|| first_usable(&facts.ttp));
}

#[cfg(test)]
mod tests;
