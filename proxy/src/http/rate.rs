//! How much one client may ask for: so many requests at once, which come back evenly over a time.

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

use super::rejection::Rejection;
use crate::config::RateLimit;

/// How many requests pass between two clear-outs of clients that have not been seen lately.
const SWEEP_EVERY: usize = 4096;

/// Counts requests per client address.
pub struct Rates {
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
    asked: AtomicUsize,
}

impl Rates {
    /// `None` limits nothing.
    pub fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limiter: limit.and_then(RateLimit::quota).map(RateLimiter::keyed),
            clock: DefaultClock::default(),
            asked: AtomicUsize::new(0),
        }
    }

    /// Lets a request through or says when the next one may come.
    ///
    /// # Errors
    /// [`Rejection::TooMany`].
    pub fn check(&self, client: IpAddr) -> Result<(), Rejection> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(&subscriber(client)).map_err(|not_yet| {
            let wait = not_yet.wait_time_from(self.clock.now());
            Rejection::TooMany {
                retry_after_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            }
        })
    }
}

/// One household of IPv6 has a whole /64 of addresses.
fn subscriber(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

impl RateLimit {
    /// The same, as the limiter wants it.
    pub fn quota(self) -> Option<Quota> {
        let quota = Quota::with_period(self.per / self.requests.get())?;
        Some(quota.allow_burst(self.requests))
    }

    /// Reads `300/1m`; `off` is `None`.
    ///
    /// # Errors
    /// A sentence, for the operator.
    pub fn read(text: &str) -> Result<Option<Self>, &'static str> {
        const RULE: &str = "this is off, or requests per time such as 300/1m (s, m or h)";
        if text == "off" {
            return Ok(None);
        }
        let (requests, time) = text.split_once('/').ok_or(RULE)?;
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
                .filter(|per| *per > 0)
                .ok_or(RULE)?,
        );
        let requests: NonZeroU32 = requests.parse().map_err(|_| RULE)?;
        Ok(Some(Self { requests, per }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str) -> Rates {
        Rates::new(RateLimit::read(text).unwrap())
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
        let Err(Rejection::TooMany { retry_after_s }) = rates.check(a) else {
            panic!("the fourth request passed");
        };
        assert!((1100..=1200).contains(&retry_after_s), "{retry_after_s}");
        assert!(rates.check(b).is_ok());
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
    fn a_limit_is_requests_per_time() {
        let limit = RateLimit::read("300/1m").unwrap().unwrap();
        assert_eq!(
            (limit.requests.get(), limit.per),
            (300, Duration::from_mins(1))
        );
        for wrong in [
            "", "300", "0/1m", "300/", "300/m", "300/0s", "300/1d", "x/1m", "-1/1s",
        ] {
            assert!(RateLimit::read(wrong).is_err(), "{wrong}");
        }
    }
}
