//! Limits how many events or requests one client can send. Each client has a number of units, which are refilled evenly over
//! time.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// After how many checks the limiter removes the clients that have not sent anything recently.
const SWEEP_EVERY: usize = 4096;

/// A rate limit: `most` units at once, which are refilled evenly over `per`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// The most units at once.
    pub most: NonZeroU32,
    /// The time in which all units are refilled.
    pub per: Duration,
}

/// The client has no units left.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany {
    /// After how many whole seconds the client can send the next request.
    pub retry_after_s: u64,
}

/// Counts the units of each client address. A unit is an event or a request.
pub struct Rates {
    limit: Option<RateLimit>,
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
    asked: AtomicUsize,
}

impl Rates {
    /// Returns a counter for this limit. `None` means no limit.
    pub fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            limiter: limit.and_then(RateLimit::quota).map(RateLimiter::keyed),
            clock: DefaultClock::default(),
            asked: AtomicUsize::new(0),
        }
    }

    /// Takes one of the client's units.
    ///
    /// # Errors
    /// [`TooMany`] if the client has no unit left.
    pub fn check(&self, client: IpAddr) -> Result<(), TooMany> {
        self.take(client, NonZeroU32::MIN).map_err(TooMany::after)
    }

    /// Takes the units for a body with this number of events. The caller must have taken the first unit with [`Rates::check`]
    /// before it read the body. A body with more events than the limit costs the whole limit.
    ///
    /// # Errors
    /// [`TooMany`] if too few units are left. This call then takes no units, and the client can send the whole body again
    /// later.
    pub fn check_body(&self, client: IpAddr, events: usize) -> Result<(), TooMany> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let units = u32::try_from(events).unwrap_or(u32::MAX);
        let others = units.min(limit.most.get()).saturating_sub(1);
        let Some(others) = NonZeroU32::new(others) else {
            return Ok(());
        };
        // The client's next request takes a first unit again, in addition to the units of its events.
        let first = limit.per / limit.most.get();
        self.take(client, others)
            .map_err(|wait| TooMany::after(wait + first))
    }

    /// Takes one unit, and returns whether the client had a unit left.
    pub fn has_one(&self, client: IpAddr) -> bool {
        self.take(client, NonZeroU32::MIN).is_ok()
    }

    /// Takes this number of units, but at most the whole limit. If the client has too few units left, takes no units and
    /// returns the time to wait.
    fn take(&self, client: IpAddr, units: NonZeroU32) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        match limiter.check_key_n(&subscriber(client), units) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_yet)) => Err(not_yet.wait_time_from(self.clock.now())),
            // This number of units is more than the limit has.
            Err(_) => Err(self.limit.map_or(Duration::ZERO, |limit| limit.per)),
        }
    }
}

impl TooMany {
    fn after(wait: Duration) -> Self {
        Self {
            retry_after_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        }
    }
}

/// Returns the network of a client, for which the units are counted. For IPv6 it is the /64, because one household has a whole
/// /64 of addresses.
fn subscriber(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

impl RateLimit {
    /// Returns the same limit in the type of the rate limiter.
    pub fn quota(self) -> Option<Quota> {
        let quota = Quota::with_period(self.per / self.most.get())?;
        Some(quota.allow_burst(self.most))
    }

    /// Parses a limit such as `1200/1m`. `off` gives `None`.
    ///
    /// # Errors
    /// A message for the operator.
    pub fn read(text: &str) -> Result<Option<Self>, &'static str> {
        const RULE: &str =
            "must be off, or a number per time (s, m or h, at most a year) such as 1200/1m";
        const YEAR_S: u64 = 365 * 24 * 60 * 60;
        if text == "off" {
            return Ok(None);
        }
        let (most, time) = text.split_once('/').ok_or(RULE)?;
        let unit = time.chars().next_back().ok_or(RULE)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(RULE),
        };
        let count: u64 = time.trim_end_matches(unit).parse().map_err(|_| RULE)?;
        let per = Duration::from_secs(
            count
                .checked_mul(seconds)
                .filter(|per| (1..=YEAR_S).contains(per))
                .ok_or(RULE)?,
        );
        let most: NonZeroU32 = most.parse().map_err(|_| RULE)?;
        Ok(Some(Self { most, per }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str) -> Rates {
        Rates::new(RateLimit::read(text).unwrap())
    }

    #[test]
    fn a_time_that_no_limiter_can_count_is_refused() {
        for text in [
            "1/0s",
            "1/8761h",
            "1/999999999999h",
            "1/99999999999999999999h",
            "0/1m",
        ] {
            assert!(RateLimit::read(text).is_err(), "{text}");
        }
        assert!(
            rates("1/8760h")
                .check(IpAddr::from([203, 0, 113, 7]))
                .is_ok()
        );
    }

    #[test]
    fn a_client_gets_its_share_and_takes_nobody_elses() {
        let rates = rates("3/1h");
        let (a, b) = (
            IpAddr::from([203, 0, 113, 7]),
            IpAddr::from([203, 0, 113, 8]),
        );
        for _ in 0..3 {
            assert!(rates.check(a).is_ok());
        }
        let Err(TooMany { retry_after_s }) = rates.check(a) else {
            panic!("the fourth request passed");
        };
        assert!((1100..=1200).contains(&retry_after_s), "{retry_after_s}");
        assert!(rates.check(b).is_ok());
    }

    #[test]
    fn a_body_costs_its_events_and_one_larger_than_the_burst_costs_the_burst() {
        let client = IpAddr::from([203, 0, 113, 7]);
        // With a limit of 10: how many units are already used, how many events the body has, and whether the body is accepted.
        for (gone, events, taken) in [
            (0, 0, true),
            (0, 1, true),
            (0, 10, true),
            (0, 100, true),
            (1, 9, true),
            (1, 10, false),
            (1, 100, false),
            (9, 1, true),
            (9, 2, false),
        ] {
            let rates = rates("10/1h");
            for _ in 0..gone {
                rates.check(client).unwrap();
            }
            rates.check(client).unwrap();
            let checked = rates.check_body(client, events).is_ok();
            assert_eq!(checked, taken, "{gone} {events}");
        }
        let rates = rates("10/1h");
        rates.check(client).unwrap();
        rates.check_body(client, 10).unwrap();
        assert!(rates.check(client).is_err(), "nothing is left");
    }

    #[test]
    fn who_comes_back_when_told_is_taken() {
        let client = IpAddr::from([203, 0, 113, 7]);
        let rates = rates("10/1h");
        for _ in 0..8 {
            rates.check(client).unwrap();
        }
        rates.check(client).unwrap();
        let Err(TooMany { retry_after_s }) = rates.check_body(client, 5) else {
            panic!("a body passed for which too little is left");
        };
        // One unit is left, and a body of five events costs five units. One unit is refilled every 360 s, so the other four
        // units are refilled after 1,440 s.
        assert!((1430..=1440).contains(&retry_after_s), "{retry_after_s}");
    }

    #[test]
    fn one_ipv6_household_is_one_client() {
        let rates = rates("1/1h");
        assert!(rates.check("2001:db8::1".parse().unwrap()).is_ok());
        assert!(rates.check("2001:db8::2".parse().unwrap()).is_err());
        assert!(rates.check("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn off_limits_nothing() {
        let rates = rates("off");
        assert!((0..10_000).all(|_| rates.check([127, 0, 0, 1].into()).is_ok()));
    }

    #[test]
    fn a_limit_is_a_number_per_time() {
        let limit = RateLimit::read("300/1m").unwrap().unwrap();
        assert_eq!((limit.most.get(), limit.per), (300, Duration::from_mins(1)));
        for wrong in [
            "", "300", "0/1m", "300/", "300/m", "300/0s", "300/1d", "x/1m", "-1/1s",
        ] {
            assert!(RateLimit::read(wrong).is_err(), "{wrong}");
        }
    }
}
