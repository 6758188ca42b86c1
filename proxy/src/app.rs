//! What handlers share.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use duet_events::Country;

use crate::{
    admit::MoneyEvents,
    clicks::Clicks,
    config::{Config, FIRST_CLASS, RateLimit, Server, TestMode, payments::Payments},
    decide::Destination,
    health::Health,
    identity::clerk::Clerk,
    metrics::Metrics,
    queue::Intake,
    rates::Rates,
};

/// How often one client may guess: ask for orders whose ids can be guessed, or bring a key that is wrong. No setting
/// switches this off.
const GUESSES: RateLimit = RateLimit {
    most: NonZeroU32::new(30).unwrap(),
    per: Duration::from_mins(1),
};

/// Handed to every handler.
pub type App = Arc<Shared>;

/// What they share.
pub struct Shared {
    /// Takes events in.
    pub intake: Intake,
    /// What the delivery worker knows.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How requests are taken.
    pub server: Server,
    /// How many events each client has sent.
    pub rates: Rates,
    /// How many of them went to the first class because they are about money.
    pub first_class: Rates,
    /// How much each client has asked for the status of orders.
    pub status_rates: Rates,
    /// How often one client may ask for orders whose ids can be guessed.
    pub guesses: Rates,
    /// How often one client may bring a key that is wrong.
    pub key_guesses: Rates,
    /// The clicks that browsers were given back in a cookie.
    pub clicks: Clicks,
    /// Whether a page's word for a payment is taken.
    pub money: MoneyEvents,
    /// How payments are heard of; `None` while nobody tells of them.
    pub payments: Option<Payments>,
    /// Where live events go.
    pub destination: Arc<Destination>,
    /// The time in which everything is a test.
    pub test: Option<TestMode>,
    /// Where phone numbers without a country code belong.
    pub country: Option<Country>,
    /// Says who is signed in.
    pub clerk: Option<Arc<Clerk>>,
}

impl Shared {
    /// What of `config` handlers need, and the queue they fill.
    pub fn new(
        config: &Config,
        intake: Intake,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        clerk: Option<Arc<Clerk>>,
    ) -> Self {
        Self {
            intake,
            health,
            metrics,
            server: config.server.clone(),
            rates: Rates::new(config.server.rate_limit),
            first_class: Rates::new(Some(FIRST_CLASS)),
            status_rates: Rates::new(config.server.rate_limit),
            guesses: Rates::new(Some(GUESSES)),
            key_guesses: Rates::new(Some(GUESSES)),
            clicks: Clicks::default(),
            money: config.money,
            payments: config.payments.clone(),
            destination: Arc::new(Destination {
                pixel_id: config.tiktok.pixel_id.as_str().to_owned(),
                test_event_code: None,
            }),
            test: config.tiktok.test.clone(),
            country: config.country,
            clerk,
        }
    }

    /// The code while all traffic is test traffic.
    pub fn test_event_code_at(&self, now_ms: i64) -> Option<&str> {
        self.test.as_ref()?.code_at(now_ms)
    }

    /// Where the proxy's own events go.
    pub fn destination_at(&self, now_ms: i64) -> Arc<Destination> {
        self.destination(self.test_event_code_at(now_ms))
    }

    /// Where events go, live or under a test code.
    pub fn destination(&self, test_event_code: Option<&str>) -> Arc<Destination> {
        match test_event_code {
            None => Arc::clone(&self.destination),
            Some(code) => Arc::new(Destination {
                pixel_id: self.destination.pixel_id.clone(),
                test_event_code: Some(code.to_owned()),
            }),
        }
    }
}
