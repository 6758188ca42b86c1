//! Decides: an event as its sender states it, and what the request itself shows -> an event that is
//! taken, or the rules it breaks. Pure: time, randomness and the request come in as arguments.

use std::net::IpAddr;

use duet_events::{
    Claim, Country, Event, EventId, EventName, Hashed, Invalid,
    claim::{PixelLeg, Refusal, Stated},
    page,
};

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
        self == Self::Verified && caller == Caller::Page && is_money(name)
    }
}

/// Whether an event says that somebody has paid, or is about to.
pub fn is_money(name: &EventName) -> bool {
    matches!(name.canonical(), "Purchase" | "Subscribe" | "PlaceAnOrder")
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
    /// The `ttclid` cookie.
    pub ttclid: Option<&'a str>,
    /// The `_ttp` cookie.
    pub ttp: Option<&'a str>,
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
    /// What was left out or looks odd.
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
    let refuse = |claim: &Claim, broken| Refusal {
        event_id: claim.id.as_ref().map(|id| id.as_str().to_owned()),
        errors: vec![broken],
    };
    let time = claim
        .happened_at(facts.sent_at_ms, facts.now_ms)
        .map_err(|broken| refuse(&claim, broken))?;
    if claim
        .pixel_id
        .as_deref()
        .is_some_and(|wanted| wanted != facts.pixel_id)
    {
        return Err(refuse(
            &claim,
            Invalid::new(
                "pixel_id",
                "unknown_pixel",
                "this proxy does not report to that pixel",
            ),
        ));
    }
    match facts.visitor {
        Visitor::Unknown => {}
        Visitor::User(user) => believe_the_session(&mut claim, user),
        Visitor::Impersonated => {
            let rule = "somebody acts in this user's place; what they do is not reported to TikTok";
            return Err(refuse(&claim, Invalid::new("user", "impersonated", rule)));
        }
    }
    if facts.caller == Caller::Page {
        claim.check_id().map_err(|broken| refuse(&claim, broken))?;
        believe_the_request_only(&mut claim);
    }
    if claim
        .test_event_code
        .as_deref()
        .is_some_and(|code| !is_code(code))
    {
        return Err(refuse(
            &claim,
            Invalid::new(
                "test_event_code",
                "format",
                "a test event code is 1 to 64 letters, digits and signs without spaces",
            ),
        ));
    }
    if facts.money.holds(&claim.name, facts.caller) && claim.properties.order_id.is_none() {
        return Err(refuse(
            &claim,
            Invalid::new(
                "properties.order_id",
                "required",
                "a payment counts once its order is paid, so it has to name that order",
            ),
        ));
    }
    complete(&mut claim, facts);
    if !claim.user.is_matchable() {
        claim.warnings.push(Invalid::new(
            "user",
            "match_keys",
            "TikTok can match this event with nobody: no click id, no _ttp, no digest, no public address",
        ));
    }
    let id = match (claim.id.take(), &claim.properties.order_id) {
        (Some(id), _) => id,
        (None, Some(order_id)) => EventId::derive(claim.name.as_str(), order_id),
        (None, None) => {
            let id = random().map(EventId::from_random);
            id.ok_or_else(|| {
                let rule = "the proxy's system has no random numbers; give an event_id";
                refuse(&claim, Invalid::new("event_id", "random", rule))
            })?
        }
    };
    let own_code = claim.test_event_code.take();
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

/// Whether TikTok can have given this test event code.
pub fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A page cannot say whose address it has, nor turn real traffic into a test.
fn believe_the_request_only(claim: &mut Claim) {
    let mut ignored = |field: &'static str| {
        let broken = Invalid::new(
            field,
            "server_key",
            "only a caller with the server key may set this; it was ignored",
        );
        claim.warnings.push(broken);
    };
    if claim.user.ip.take().is_some() {
        ignored("user.ip");
    }
    if claim.user.user_agent.take().is_some() {
        ignored("user.user_agent");
    }
    if claim.test_event_code.take().is_some() {
        ignored("test_event_code");
    }
}

/// Who is signed in is proven; whatever else the page says about it is not.
fn believe_the_session(claim: &mut Claim, user: &Hashed) {
    let stated = std::mem::replace(&mut claim.user.external_id, vec![user.clone()]);
    if stated.iter().any(|stated| stated != user) {
        claim.warnings.push(Invalid::new(
            "user.external_id",
            "session",
            "the verified session says who this is; another id that the page gave was left out",
        ));
    }
}

fn complete(claim: &mut Claim, facts: &Facts<'_>) {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    if claim.page.url.is_none() {
        claim.page.url = facts
            .referer
            .and_then(page::address)
            .map(|(address, _)| address);
    }
    let user = &mut claim.user;
    user.ip = user.ip.take().filter(|ip| is_public(*ip)).or(facts.ip);
    user.user_agent = user.user_agent.take().or_else(|| owned(facts.user_agent));
    user.ttclid = claim
        .page
        .query("ttclid")
        .or(user.ttclid.take())
        .or_else(|| owned(facts.ttclid));
    user.ttp = user.ttp.take().or_else(|| owned(facts.ttp));
}

/// Whether an address means anything to somebody outside the network it is used in.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(a == 0
                || shared
                || ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast())
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests;
